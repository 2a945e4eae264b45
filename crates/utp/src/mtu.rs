//! How long the datagrams of a connection may be: a binary search. No datagram may be fragmented on its way (the driver
//! forbids it for the whole socket), so that what is too long is lost.
//!
//! Invariant: `floor ≤ current ≤ ceiling`, and `current` is `floor`: only probes are longer. A probe is an ordinary data
//! packet with padding; one that is lost is sent again without, so that a search never stalls a stream. A way that becomes
//! narrower than what was found ends the connection: the packets that were cut for it pass no more. So the search begins
//! with what every way carries.

use std::time::Duration;

use base::Instant;

use crate::MAX_DATAGRAM_LEN;

/// What every way over IPv6 carries in one piece: 1280 bytes (RFC 8200, 5), less 40 of IPv6 and 8 of UDP.
const FLOOR_V6: usize = 1280 - 40 - 8;
/// The same over IPv4: every host takes 576 bytes (RFC 791, 3.1), less 20 of IPv4 and 8 of UDP. Ways carry less only by
/// fragments. It is the length of the first flight alone: the first probe that arrives raises it.
const FLOOR_V4: usize = 576 - 20 - 8;
/// What nearly all ways over IPv4 carry, tunnels too (QUIC relies on 1200: RFC 9000, 14): asked for where Ethernet's length
/// is too long, before the search cuts in halves.
const USUAL: usize = FLOOR_V6;
/// The longest datagram over IPv6: Ethernet's 1500 bytes less the longer header.
const CEILING_V6: usize = 1500 - 40 - 8;
/// A search that leaves less than this open is over: 16 bytes are one per cent.
const CLOSE_ENOUGH: usize = 16;
/// How often the search begins anew, since ways change (libutp: half an hour).
const SEARCH_EVERY: Duration = Duration::from_secs(30 * 60);

/// See the module. All lengths are of UDP payloads, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mtu {
    floor: usize,
    ceiling: usize,
    max: usize,
    /// The packet that probes, and the length of its datagram.
    probe: Option<(u64, usize)>,
    search_at: Instant,
}

impl Mtu {
    pub(crate) fn new(ipv6: bool, now: Instant) -> Mtu {
        let (floor, max) = if ipv6 { (FLOOR_V6, CEILING_V6) } else { (FLOOR_V4, MAX_DATAGRAM_LEN) };
        Mtu { floor, ceiling: max, max, probe: None, search_at: now + SEARCH_EVERY }
    }

    /// Returns the length of ordinary datagrams.
    pub(crate) fn current(&self) -> usize {
        self.floor
    }

    /// Returns the length that a probe would have now. A shorter one will do as well.
    pub(crate) fn probe_len(&mut self, now: Instant) -> Option<usize> {
        if self.probe.is_some() {
            return None;
        }
        if now >= self.search_at {
            (self.ceiling, self.search_at) = (self.max, now + SEARCH_EVERY);
        }
        if self.ceiling < self.floor + CLOSE_ENOUGH {
            return None;
        }
        // Most ways carry all that Ethernet does: ask for that first.
        Some(match self.ceiling {
            all if all == self.max => self.max,
            shorter if self.floor < USUAL && USUAL < shorter => USUAL,
            shorter => (self.floor + shorter).div_ceil(2),
        })
    }

    /// A packet is sent as a probe.
    pub(crate) fn probing(&mut self, packet: u64, length: usize) {
        self.probe = Some((packet, length));
    }

    /// Tells whether a packet is the probe that is out.
    pub(crate) fn is_probe(&self, packet: u64) -> bool {
        self.probe.is_some_and(|(probe, _)| probe == packet)
    }

    /// The other end has the packet.
    pub(crate) fn acked(&mut self, packet: u64) {
        if let Some((_, length)) = self.probe.take_if(|(probe, _)| *probe == packet) {
            self.floor = length;
        }
    }

    /// The packet is lost.
    pub(crate) fn lost(&mut self, packet: u64) {
        if let Some((_, length)) = self.probe.take_if(|(probe, _)| *probe == packet) {
            self.ceiling = self.floor.max(length - 1);
        }
    }

    /// Nothing was heard for a whole time limit; `oldest` is the packet that all wait for.
    pub(crate) fn timed_out(&mut self, oldest: u64) {
        // A probe among others may have been lost like them.
        if self.is_probe(oldest) { self.lost(oldest) } else { self.probe = None }
    }

    /// The system knows that datagrams of this length do not pass; returns the probe that is lost by it.
    pub(crate) fn too_large(&mut self, length: usize) -> Option<u64> {
        let (probe, _) = self.probe.filter(|(_, probed)| *probed >= length)?;
        self.lost(probe);
        Some(probe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches on a way that carries `limit` bytes; returns what was found and how many probes were lost.
    fn search(limit: usize) -> (usize, usize) {
        let mut mtu = Mtu::new(false, Instant::START);
        let mut lost = 0;
        for packet in 0.. {
            let Some(length) = mtu.probe_len(Instant::START) else { break };
            mtu.probing(packet, length);
            assert!(mtu.is_probe(packet) && mtu.probe_len(Instant::START).is_none());
            if length <= limit {
                mtu.acked(packet);
            } else {
                mtu.lost(packet);
                lost += 1;
            }
        }
        (mtu.current(), lost)
    }

    #[test]
    fn ethernet_is_found_by_one_probe_and_anything_shorter_by_a_few() {
        assert_eq!(search(1472), (1472, 0));
        for limit in FLOOR_V4..1472 {
            let (found, lost) = search(limit);
            let most = if limit < USUAL { 8 } else { 5 };
            assert!(found <= limit && found + CLOSE_ENOUGH > limit && lost <= most, "{limit}: {found} {lost}");
        }
    }

    #[test]
    fn ways_change_so_the_search_begins_anew() {
        let mut mtu = Mtu::new(true, Instant::START);
        mtu.probing(1, 1452);
        assert_eq!(mtu.too_large(1453), None);
        assert_eq!(mtu.too_large(1452), Some(1));
        mtu.probing(2, FLOOR_V6 + 1);
        mtu.lost(2);
        assert_eq!(mtu.probe_len(Instant::START), None);
        assert_eq!(mtu.probe_len(Instant::START + SEARCH_EVERY), Some(1452));
    }
}
