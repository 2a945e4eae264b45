//! Publishes our own addresses in the DHT, while the user wants it: some seconds after they changed, and again every hour
//! (the DHT keeps items for two, BEP 44), which the DHT does by itself.

use std::net::IpAddr;
use std::time::Duration;

use iroh::{SecretKey, TransportAddr};
use net::Dht;
use tokio::sync::watch;
use tokio::time::sleep;

use super::record;
use crate::Relay;
use crate::admission::Admission;
use crate::relays::KnownRelays;

/// How long to wait for further changes: at the start several come within a second.
const SETTLE: Duration = Duration::from_secs(2);

/// The least time between two publications: each asks some dozens of nodes. Arbitrary.
const REST: Duration = Duration::from_secs(20);

/// How long to wait after a failure. Arbitrary.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The most relays in a record: the node listens at one at a time.
const MAX_RELAYS: usize = 2;

/// Publishes what it is told.
#[derive(Debug)]
pub(super) struct Publisher {
    pub dht: Dht,
    pub secret: SecretKey,
    /// What iroh found out about our addresses.
    pub addresses: watch::Receiver<Vec<TransportAddr>>,
    /// The relays, of which the world is told those that are used now.
    pub relays: KnownRelays,
    /// Who is asked for them.
    pub admission: Admission,
    /// Whether to publish.
    pub wanted: watch::Receiver<bool>,
    /// Addresses that the user chose to listen on: published even if only a local network reaches them.
    pub chosen: Vec<IpAddr>,
}

impl Publisher {
    /// Runs until the overlay is gone.
    pub(super) async fn run(mut self) {
        let mut published = None;
        while self.wait(&mut published).await.is_some() {
            let addresses = self.selected();
            let Some(item) = record::encode(&self.secret, &addresses) else {
                published = Some(addresses);
                continue;
            };
            self.dht.ready().await;
            match self.dht.put_item(item, None, true).await {
                Ok(nodes) if nodes > 0 => {
                    tracing::debug!(nodes, addresses = addresses.len(), "published our addresses in the DHT");
                    published = Some(addresses);
                    sleep(REST).await;
                }
                outcome => {
                    tracing::debug!(?outcome, "our addresses were not published");
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Waits until there is something to publish that is not published yet. `None`: the overlay is gone.
    async fn wait(&mut self, published: &mut Option<Vec<TransportAddr>>) -> Option<()> {
        loop {
            if !*self.wanted.borrow_and_update() {
                if published.take().is_some() {
                    self.dht.forget(net::dht::ItemName::target(&record::name(self.node())));
                }
                self.wanted.changed().await.ok()?;
                continue;
            }
            self.addresses.borrow_and_update();
            let change = self.relays.ours_change();
            let selected = self.selected();
            if !selected.is_empty() && published.as_ref() != Some(&selected) {
                sleep(SETTLE).await;
                return Some(());
            }
            if selected.is_empty() && published.take().is_some() {
                // Nothing of it is true any more; it is not said again.
                self.dht.forget(net::dht::ItemName::target(&record::name(self.node())));
            }
            tokio::select! {
                changed = self.addresses.changed() => changed.ok()?,
                changed = self.wanted.changed() => changed.ok()?,
                () = change => {}
            }
        }
    }

    fn node(&self) -> base::NodeId {
        base::NodeId(*self.secret.public().as_bytes())
    }

    fn selected(&self) -> Vec<TransportAddr> {
        let told = |address: &&TransportAddr| match address {
            TransportAddr::Relay(url) => {
                Relay::from_iroh(url).is_ok_and(|relay| self.relays.may_tell(&relay, &self.admission))
            }
            _ => true,
        };
        let told: Vec<_> = self.addresses.borrow().iter().filter(told).cloned().collect();
        select(&told, &self.chosen)
    }
}

/// Chooses what is told to the world: relays first, then addresses that the world can reach.
fn select(addresses: &[TransportAddr], chosen: &[IpAddr]) -> Vec<TransportAddr> {
    let relays = addresses.iter().filter(|address| address.is_relay()).take(MAX_RELAYS);
    let reachable = addresses.iter().filter(|address| match address {
        TransportAddr::Ip(address) => !net::dht::is_local(address.ip()) || chosen.contains(&address.ip()),
        _ => false,
    });
    relays.chain(reachable).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_learns_relays_and_what_it_can_reach() {
        let ip = |text: &str| TransportAddr::Ip(text.parse().unwrap());
        let relay = |text: &str| TransportAddr::Relay(text.parse().unwrap());
        let all = [
            ip("192.168.1.2:1"),
            ip("11.0.0.1:1"),
            ip("127.0.0.1:1"),
            relay("https://a.example/"),
            relay("https://b.example/"),
            relay("https://c.example/"),
        ];
        let public = [relay("https://a.example/"), relay("https://b.example/"), ip("11.0.0.1:1")];
        assert_eq!(select(&all, &[]), public);
        assert_eq!(select(&all, &["127.0.0.1".parse().unwrap()])[3], ip("127.0.0.1:1"));
    }
}
