//! The tracker role: switching it on and off, its numbers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::tracker::proto::Counters;
use ::tracker::{Guests, Tracker};
use net::{Asking, Carrier, Direction, Egress, Gate};
use rpc::{TrackerRequests, TrackerStats};

use super::{Patience, Services};
use crate::controls::Shown;
use crate::{NodeError, hints};

/// Whom the gate admits to the tracker.
#[derive(Debug)]
struct Admitted(Gate);

impl Guests for Admitted {
    fn admits(&self, ip: IpAddr) -> bool {
        let asking = Asking {
            address: Some(SocketAddr::new(ip, 0)),
            node: None,
            person: None,
            service: "tracker",
            carrier: Carrier::Tcp,
            direction: Direction::Incoming,
        };
        self.0.refuses(&asking).is_none()
    }
}

impl Services {
    /// Starts, restarts or ends the tracker.
    pub(super) async fn settle_tracker(&self, shown: &Shown) -> Result<(), NodeError> {
        let config = &shown.config.offer.tracker;
        let wanted = self.is_wanted(shown, "tracker", config.on).then_some(config);
        let old = {
            let mut running = self.running();
            if running.tracker.as_ref().map(|(config, _)| config) == wanted {
                running.failed.remove("tracker");
                return Ok(());
            }
            running.tracker.take()
        };
        let mut patience = Patience::new(old.is_some());
        drop(old);
        let Some(config) = wanted else { return self.note("tracker", Ok(())) };
        let guests = Arc::new(Admitted(self.0.controls.gate().clone()));
        self.note("tracker", self.check_way("tracker"))?;
        let mut started = Tracker::start_for(config, guests.clone(), &self.0.egress).await;
        while started.is_err() && patience.wait().await {
            started = Tracker::start_for(config, guests.clone(), &self.0.egress).await;
        }
        let tracker = self.note("tracker", started.map_err(NodeError::from))?;
        self.running().tracker = Some((config.clone(), tracker));
        Ok(())
    }
}

/// Returns all numbers.
pub(super) fn stats(tracker: &Tracker, egress: &Egress) -> TrackerStats {
    let (stats, urls) = (tracker.stats(), announce_urls(tracker, egress));
    let requests = [
        ("http", "ipv4", stats.http_v4),
        ("http", "ipv6", stats.http_v6),
        ("udp", "ipv4", stats.udp_v4),
        ("udp", "ipv6", stats.udp_v6),
    ];
    TrackerStats {
        urls,
        swarms: stats.content.swarms as u64,
        unproven_swarms: stats.content.unproven_swarms as u64,
        seeds: stats.content.seeds as u64,
        leechers: stats.content.leechers as u64,
        ipv6_peers: stats.content.v6_peers as u64,
        addresses: stats.content.hosts as u64,
        memory_bytes: stats.content.memory_bytes,
        memory_limit_bytes: stats.memory_limit_bytes,
        evicted_swarms: stats.content.evicted_swarms,
        evicted_peers: stats.content.evicted_peers,
        interval_s: stats.interval.as_secs(),
        requests: requests.into_iter().map(|(protocol, family, counters)| asked(protocol, family, counters)).collect(),
    }
}

fn asked(protocol: &str, family: &str, counters: Counters) -> TrackerRequests {
    TrackerRequests {
        protocol: protocol.to_owned(),
        family: family.to_owned(),
        announces: counters.announces,
        scrapes: counters.scrapes,
        refused: counters.refused,
        malformed: counters.malformed,
    }
}

/// Returns the URLs to put into torrents: those by which most can reach this computer.
pub(super) fn announce_urls(tracker: &Tracker, egress: &Egress) -> Vec<String> {
    let url = |scheme: &str, address: &SocketAddr| format!("{scheme}://{address}/announce");
    let addresses = hints::hints(&egress.narrow(tracker.addresses()), None, false);
    let schemes = ["http", "udp"].into_iter();
    schemes.flat_map(|scheme| addresses.iter().map(move |address| url(scheme, address))).collect()
}
