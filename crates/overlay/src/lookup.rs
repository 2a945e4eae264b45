//! Finds where a node may be: by the hints that came with a link, by what contacts and groups told, on the local network
//! (mDNS), in the DHT. What is found passes the gate's addresses before it is dialled; which of it is true the handshake
//! shows.

mod publish;
mod record;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::NodeId;
use futures_util::future::ready;
use futures_util::{Stream, StreamExt as _, stream};
use iroh::address_lookup::{AddressLookup, EndpointData, EndpointInfo, Error, Item};
use iroh::{EndpointId, SecretKey, TransportAddr};
use iroh_mdns_address_lookup::MdnsAddressLookup;
use net::{Dht, Gate};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::admission::Admission;
use crate::hint::{Hint, MAX_HINTS};
use crate::relays::KnownRelays;
use publish::Publisher;

/// How many nodes' hints are kept; when there are more, all are forgotten: they are handed over at every dialling.
/// Arbitrary.
const MAX_NODES: usize = 4096;

/// How long a look-up in the DHT may take, waiting for the DHT included.
const DHT_TIMEOUT: Duration = Duration::from_secs(25);

/// What we are called on the local network: only nodes of Compeer look for each other there.
const MDNS_NAME: &str = "compeer1";

/// iroh's stream of what is found.
type Found = stream::BoxStream<'static, Result<Item, Error>>;

/// Finds addresses, and publishes ours. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    admission: Admission,
    relays: KnownRelays,
    told: Mutex<HashMap<NodeId, Vec<Hint>>>,
    dht: Option<Dht>,
    /// What iroh found out about our own addresses.
    own: watch::Sender<Vec<TransportAddr>>,
    publish: watch::Sender<bool>,
}

impl Lookup {
    pub(crate) fn new(admission: Admission, relays: KnownRelays, dht: Option<Dht>, publish: bool) -> Lookup {
        let (own, publish) = (watch::Sender::default(), watch::Sender::new(publish));
        Lookup { shared: Arc::new(Shared { admission, relays, told: Mutex::default(), dht, own, publish }) }
    }

    /// Begins to publish, whenever that is wanted.
    pub(crate) fn start_publishing(&self, secret: SecretKey, chosen: Vec<IpAddr>) {
        let Some(dht) = self.shared.dht.clone() else { return };
        let (addresses, wanted) = (self.shared.own.subscribe(), self.shared.publish.subscribe());
        let (relays, admission) = (self.shared.relays.clone(), self.shared.admission.clone());
        tokio::spawn(Publisher { dht, secret, addresses, relays, admission, wanted, chosen }.run());
    }

    /// Says whether our addresses are published in the DHT.
    pub(crate) fn set_publish(&self, publish: bool) {
        self.shared.publish.send_if_modified(|wanted| std::mem::replace(wanted, publish) != publish);
    }

    /// Tells whether our addresses are published in the DHT.
    pub(crate) fn publishes(&self) -> bool {
        *self.shared.publish.borrow()
    }

    /// Keeps the hints that came with a request to dial; the newest first.
    pub(crate) fn tell(&self, node: NodeId, hints: &[Hint]) {
        if hints.is_empty() {
            return;
        }
        let mut told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_NODES && !told.contains_key(&node) {
            told.clear();
        }
        let kept = told.entry(node).or_default();
        kept.retain(|hint| !hints.contains(hint));
        kept.splice(0..0, hints.iter().take(MAX_HINTS).cloned());
        kept.truncate(MAX_HINTS);
    }

    fn hints(&self, node: NodeId) -> Vec<Hint> {
        let told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner).get(&node).cloned();
        let mut hints = told.unwrap_or_default();
        hints.extend(self.shared.admission.hints(node).into_iter().take(MAX_HINTS));
        hints
    }

    /// Looks in the DHT.
    async fn in_dht(self, node: NodeId) -> Option<Item> {
        let dht = self.shared.dht.as_ref()?;
        let get = async {
            dht.ready().await;
            dht.get_item(record::name(node), None).await
        };
        let item = timeout(DHT_TIMEOUT, get).await.ok()?.ok()??;
        let Some((addresses, at)) = record::decode(node, &item) else {
            tracing::debug!(?node, "the DHT has something else under the node's key");
            return None;
        };
        self.item(node, addresses, "dht", Some(at))
    }

    /// Leaves out what the gate and the settings refuse.
    fn item(
        &self,
        node: NodeId,
        addresses: impl IntoIterator<Item = TransportAddr>,
        provenance: &'static str,
        at: Option<u64>,
    ) -> Option<Item> {
        let admits = |address: &TransportAddr| match address {
            TransportAddr::Ip(address) => self.shared.admission.admits_address(*address),
            TransportAddr::Relay(url) => self.shared.relays.admits(url, &self.shared.admission),
            _ => false,
        };
        let addresses: Vec<_> = addresses.into_iter().filter(admits).collect();
        tracing::trace!(?node, ?addresses, provenance, "looked up");
        let id = EndpointId::from_bytes(&node.0).ok().filter(|_| !addresses.is_empty())?;
        Some(Item::new(EndpointInfo::from_parts(id, EndpointData::new(addresses)), provenance, at))
    }
}

impl AddressLookup for Lookup {
    fn publish(&self, data: &EndpointData) {
        let addresses: Vec<_> = data.addrs().cloned().collect();
        self.shared.own.send_if_modified(|own| {
            let news = *own != addresses;
            *own = addresses;
            news
        });
    }

    fn resolve(&self, id: EndpointId) -> Option<Found> {
        let node = NodeId(*id.as_bytes());
        let told = self.item(node, self.hints(node).iter().map(Hint::to_iroh), "hints", None);
        let dht = stream::once(self.clone().in_dht(node)).filter_map(ready);
        Some(stream::iter(told).chain(dht).map(Ok).boxed())
    }
}

/// The local network: multicast DNS (RFC 6762), of which only nodes of Compeer hear. While everything is paused nothing is
/// said there and nobody listened to.
#[derive(Debug)]
pub(crate) struct LocalNetwork {
    lookup: Lookup,
    spoken: Arc<Mutex<Spoken>>,
    follower: JoinHandle<()>,
}

/// What is said on the local network.
#[derive(Debug, Default)]
struct Spoken {
    /// `None` in a pause.
    mdns: Option<MdnsAddressLookup>,
    /// Our addresses, for after a pause.
    data: Option<EndpointData>,
}

impl LocalNetwork {
    /// Begins to listen and to tell. Fails where the network has no multicast.
    pub(crate) fn start(id: EndpointId, lookup: Lookup, gate: Gate) -> Result<LocalNetwork, String> {
        let mdns = if gate.policy().paused { None } else { Some(speak(id)?) };
        let spoken = Arc::new(Mutex::new(Spoken { mdns, data: None }));
        let follower = tokio::spawn(follow_pauses(gate, id, spoken.clone()));
        Ok(LocalNetwork { lookup, spoken, follower })
    }

    fn spoken(&self) -> MutexGuard<'_, Spoken> {
        lock(&self.spoken)
    }
}

impl Drop for LocalNetwork {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// Begins to listen and to tell; ends when what is returned is dropped.
fn speak(id: EndpointId) -> Result<MdnsAddressLookup, String> {
    MdnsAddressLookup::builder().service_name(MDNS_NAME).build(id).map_err(|error| error.to_string())
}

fn lock(spoken: &Mutex<Spoken>) -> MutexGuard<'_, Spoken> {
    // Nothing panics between two changes of it.
    spoken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Falls silent in each pause, and speaks again after it.
async fn follow_pauses(gate: Gate, id: EndpointId, spoken: Arc<Mutex<Spoken>>) {
    loop {
        gate.paused(true).await;
        drop(lock(&spoken).mdns.take());
        gate.paused(false).await;
        match speak(id) {
            Ok(mdns) => {
                let mut spoken = lock(&spoken);
                spoken.data.iter().for_each(|data| mdns.publish(data));
                spoken.mdns = Some(mdns);
            }
            Err(error) => tracing::debug!(%error, "nothing is said on the local network after the pause"),
        }
    }
}

impl AddressLookup for LocalNetwork {
    fn publish(&self, data: &EndpointData) {
        let mut spoken = self.spoken();
        spoken.mdns.iter().for_each(|mdns| mdns.publish(data));
        spoken.data = Some(data.clone());
    }

    fn resolve(&self, id: EndpointId) -> Option<Found> {
        let (node, lookup) = (NodeId(*id.as_bytes()), self.lookup.clone());
        let found: std::pin::Pin<Box<dyn Stream<Item = _> + Send>> =
            Box::pin(self.spoken().mdns.as_ref()?.resolve(id)?);
        let filtered = found.filter_map(move |item| {
            let item =
                item.ok().and_then(|item| lookup.item(node, item.addrs().take(MAX_HINTS).cloned(), "mdns", None));
            ready(item.map(Ok))
        });
        Some(filtered.boxed())
    }
}
