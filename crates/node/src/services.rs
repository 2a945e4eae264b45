//! What the node offers to strangers: nothing, unless the settings or the command line name it.
//!
//! A service has its own section `[offer.NAME]` of the settings, with a switch `on` and its limits, a name for
//! `compeer up --offer`, and its resource in the API, `/services/NAME`.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use net::{Asking, Carrier, Direction, Gate};
use rpc::{ServiceInfo, TrackerRequests, TrackerStats};
use serde::Deserialize;
use tracker::Tracker;
use tracker::proto::Counters;

use crate::{NodeError, hints};

/// A service, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Tells the peers of torrents of one another.
    Tracker,
}

/// `[offer]` of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OfferConfig {
    /// The tracker.
    pub tracker: tracker::Config,
}

/// The services that run.
#[derive(Debug, Default)]
pub(crate) struct Services {
    tracker: Option<Tracker>,
}

/// Whom the gate admits to the tracker.
#[derive(Debug)]
struct Guests(Gate);

impl tracker::Guests for Guests {
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

impl Service {
    /// The names of all.
    pub const NAMES: [&str; 1] = ["tracker"];
}

impl FromStr for Service {
    type Err = String;

    fn from_str(name: &str) -> Result<Service, String> {
        match name {
            "tracker" => Ok(Service::Tracker),
            _ => Err(format!("there is no service {name:?}; there is {}", Service::NAMES.join(", "))),
        }
    }
}

impl OfferConfig {
    /// Says what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.tracker.check()
    }
}

impl Services {
    /// Starts those that are named here or are on in the settings.
    pub(crate) async fn start(config: &OfferConfig, named: &[Service], gate: &Gate) -> Result<Services, NodeError> {
        let mut services = Services::default();
        if config.tracker.on || named.contains(&Service::Tracker) {
            services.tracker = Some(Tracker::start_for(&config.tracker, Arc::new(Guests(gate.clone()))).await?);
        }
        Ok(services)
    }

    /// Returns what is offered, and where.
    pub(crate) fn list(&self) -> Vec<ServiceInfo> {
        let tracker = self.tracker.iter();
        tracker.map(|tracker| ServiceInfo { name: "tracker".to_owned(), urls: announce_urls(tracker) }).collect()
    }

    /// Returns the numbers of the tracker; `None` when it is not offered.
    pub(crate) fn tracker_stats(&self) -> Option<TrackerStats> {
        let tracker = self.tracker.as_ref()?;
        let (stats, urls) = (tracker.stats(), announce_urls(tracker));
        let requests = [
            ("http", "ipv4", stats.http_v4),
            ("http", "ipv6", stats.http_v6),
            ("udp", "ipv4", stats.udp_v4),
            ("udp", "ipv6", stats.udp_v6),
        ];
        Some(TrackerStats {
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
            requests: requests
                .into_iter()
                .map(|(protocol, family, counters)| asked(protocol, family, counters))
                .collect(),
        })
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
fn announce_urls(tracker: &Tracker) -> Vec<String> {
    let url = |scheme: &str, address: &SocketAddr| format!("{scheme}://{address}/announce");
    let addresses = hints::hints(tracker.addresses(), None, false);
    let schemes = ["http", "udp"].into_iter();
    schemes.flat_map(|scheme| addresses.iter().map(move |address| url(scheme, address))).collect()
}
