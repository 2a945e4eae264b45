//! What was asked and answered, counted.

use core::net::IpAddr;
use std::time::Duration;

use super::table::Content;

/// What was asked over one protocol and address family. All since the tracker started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Announces answered with peers.
    pub announces: u64,
    /// Scrapes answered.
    pub scrapes: u64,
    /// Requests refused with a reason: not listed, too many peers, no room, a full scrape.
    pub refused: u64,
    /// Requests that could not be read, and packets with a connection id that is not the sender's.
    pub malformed: u64,
}

/// An address family, as requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// All numbers of a tracker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// What it holds.
    pub content: Content,
    /// The most memory that it may take, in bytes.
    pub memory_limit_bytes: u64,
    /// How often peers are to announce.
    pub interval: Duration,
    /// Over HTTP, IPv4.
    pub http_v4: Counters,
    /// Over HTTP, IPv6.
    pub http_v6: Counters,
    /// Over UDP, IPv4.
    pub udp_v4: Counters,
    /// Over UDP, IPv6.
    pub udp_v6: Counters,
}

impl From<IpAddr> for Family {
    fn from(ip: IpAddr) -> Family {
        if ip.to_canonical().is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl Stats {
    /// Returns the counters of HTTP.
    pub fn http_mut(&mut self, family: Family) -> &mut Counters {
        match family {
            Family::V4 => &mut self.http_v4,
            Family::V6 => &mut self.http_v6,
        }
    }

    /// Returns the counters of UDP.
    pub fn udp_mut(&mut self, family: Family) -> &mut Counters {
        match family {
            Family::V4 => &mut self.udp_v4,
            Family::V6 => &mut self.udp_v6,
        }
    }
}
