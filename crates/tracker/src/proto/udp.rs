//! Packets in, packets out (BEP 15, 41). What follows an announce's fixed part (BEP 41) is read and ignored: all paths
//! lead to the same table.
//!
//! Invariant: an address that has not shown a connection id of its own is never sent more bytes than it sent, so that
//! nobody can use this tracker to flood somebody else.

use core::net::SocketAddr;

use base::Now;
use torrent_proto::tracker::udp::{Answer, Family as Form, Request, TransactionId};

use super::core::{Core, DEFAULT_WANT};
use super::stats::Family;

/// The longest packet read, in bytes: a scrape of 74 swarms takes 1,496, an announce with 2 KiB of options less.
pub const MAX_REQUEST_LEN: usize = 2_048;

/// The most peers in an answer, so that it fits into a packet of 1,500 bytes with the headers of IP and UDP: 20 bytes,
/// then 6 or 18 a peer.
const MAX_PEERS_V4: u32 = 200;
const MAX_PEERS_V6: u32 = 79;

impl Core {
    /// Answers a packet; `None` when it deserves no answer.
    pub fn udp(&mut self, now: Now, from: SocketAddr, packet: &[u8]) -> Option<Vec<u8>> {
        let ip = from.ip().to_canonical();
        let (family, form) = (Family::from(ip), Form::from(from));
        let Ok(request) = Request::decode(packet) else {
            self.stats.udp_mut(family).malformed += 1;
            return None;
        };
        let (connection, transaction) = match &request {
            Request::Connect { transaction } => {
                let connection = self.connections.issue(now.mono, ip);
                return Some(Answer::Connected { transaction: *transaction, connection }.encode(form));
            }
            Request::Announce { connection, transaction, .. } | Request::Scrape { connection, transaction, .. } => {
                (*connection, *transaction)
            }
        };
        if !self.connections.accepts(now.mono, ip, connection) {
            self.stats.udp_mut(family).malformed += 1;
            return refuse(transaction, "connect again", form).filter(|answer| answer.len() <= packet.len());
        }
        // Only now, since anybody can send in another's name before. Silence, so that it costs us the least; whoever
        // means it asks again after 15 seconds.
        if !self.rates.admit(now.mono, ip) {
            self.stats.udp_mut(family).refused += 1;
            return None;
        }
        match request {
            Request::Connect { .. } => None,
            Request::Announce { announce, .. } => {
                let most = if form == Form::V4 { MAX_PEERS_V4 } else { MAX_PEERS_V6 };
                let most = announce.want.unwrap_or(DEFAULT_WANT).min(most) as usize;
                match self.table.announce(now.mono, ip, &announce, most) {
                    Ok(response) => {
                        self.stats.udp_mut(family).announces += 1;
                        Some(Answer::Announced { transaction, response }.encode(form))
                    }
                    Err(why) => {
                        self.stats.udp_mut(family).refused += 1;
                        refuse(transaction, &why.to_string(), form)
                    }
                }
            }
            Request::Scrape { info_hashes, .. } => {
                if info_hashes.is_empty() {
                    self.stats.udp_mut(family).refused += 1;
                    return refuse(transaction, "name the torrents to scrape", form);
                }
                self.stats.udp_mut(family).scrapes += 1;
                let entries = info_hashes.iter().map(|hash| self.table.scrape(*hash).unwrap_or_default()).collect();
                Some(Answer::Scraped { transaction, entries }.encode(form))
            }
        }
    }
}

fn refuse(transaction: TransactionId, why: &str, form: Form) -> Option<Vec<u8>> {
    Some(Answer::Error { transaction, message: why.to_owned() }.encode(form))
}

#[cfg(test)]
mod tests;
