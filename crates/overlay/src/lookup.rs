//! Finds where a node may be: by the hints that came with a link, by what contacts and groups told, by the DHT. What is
//! found passes the gate's addresses before it is dialled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::NodeId;
use futures_util::{StreamExt as _, stream};
use iroh::address_lookup::{AddressLookup, EndpointData, EndpointInfo, Error, Item};
use iroh::{EndpointId, TransportAddr};

use crate::admission::Admission;
use crate::hint::{Hint, MAX_HINTS};

/// How many nodes' hints are kept; when there are more, all are forgotten: they are handed over at every dialling.
/// Arbitrary.
const MAX_NODES: usize = 4096;

/// Where the addresses come from, as iroh's log says.
const PROVENANCE: &str = "hints";

/// iroh's stream of what is found.
type Found = futures_util::stream::BoxStream<'static, Result<Item, Error>>;

/// Finds addresses.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    admission: Admission,
    told: Arc<Mutex<HashMap<NodeId, Vec<Hint>>>>,
}

impl Lookup {
    pub(crate) fn new(admission: Admission) -> Lookup {
        Lookup { admission, told: Arc::default() }
    }

    /// Keeps the hints that came with a request to dial; the newest first.
    pub(crate) fn tell(&self, node: NodeId, hints: &[Hint]) {
        if hints.is_empty() {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_NODES && !told.contains_key(&node) {
            told.clear();
        }
        let kept = told.entry(node).or_default();
        kept.retain(|hint| !hints.contains(hint));
        kept.splice(0..0, hints.iter().cloned());
        kept.truncate(MAX_HINTS);
    }

    fn hints(&self, node: NodeId) -> Vec<Hint> {
        let mut hints =
            self.told.lock().unwrap_or_else(PoisonError::into_inner).get(&node).cloned().unwrap_or_default();
        hints.extend(self.admission.hints(node).into_iter().take(MAX_HINTS));
        hints
    }

    /// Leaves out what the gate refuses.
    fn admitted(&self, addresses: impl IntoIterator<Item = TransportAddr>) -> Vec<TransportAddr> {
        let admits = |address: &TransportAddr| match address {
            TransportAddr::Ip(address) => self.admission.admits_address(*address),
            _ => true,
        };
        addresses.into_iter().filter(admits).collect()
    }
}

impl AddressLookup for Lookup {
    fn resolve(&self, id: EndpointId) -> Option<Found> {
        let hints = self.hints(NodeId(*id.as_bytes()));
        let addresses = self.admitted(hints.iter().map(Hint::to_iroh));
        if addresses.is_empty() {
            return None;
        }
        let info = EndpointInfo::from_parts(id, EndpointData::new(addresses));
        Some(stream::iter([Ok(Item::new(info, PROVENANCE, None))]).boxed())
    }
}
