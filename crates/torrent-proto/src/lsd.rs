//! Local service discovery (BEP 14): peers of the same network find one another by multicast.
//!
//! `packet` reads and writes announces; `Lsd`, here, decides when the torrents of a node are announced and which
//! announces of others concern them. Invariants: a torrent is announced at most once in [`MIN_REST`]; a datagram goes
//! out at most once in [`DATAGRAM_REST`]; what carries our own cookie is ignored. A torrent goes *joined → announced*,
//! and again every [`INTERVAL`], until it leaves.

mod packet;

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, Now};
use metainfo::InfoHashV1;

use crate::budget::Budget;
use crate::tracker::can_dial;

pub use packet::{Announce, DecodeError, Group, MAX_INFO_HASHES, MAX_PACKET_LEN, PORT, V4, V6};

/// How often a torrent is announced (BEP 14, Usage).
const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The least time between two announces of a torrent (BEP 14, Usage). The second one comes this soon, since multicast
/// loses packets; the others follow [`INTERVAL`].
const MIN_REST: Duration = Duration::from_secs(60);

/// The least time between two datagrams to a group, so that many torrents make no storm. Arbitrary.
const DATAGRAM_REST: Duration = Duration::from_secs(1);

/// How long a new torrent waits for others that are added with it. Arbitrary.
const GATHER: Duration = Duration::from_millis(100);

/// How many peers of a torrent are reported in a minute: whoever floods the network costs little. Arbitrary.
const MAX_FOUND: u32 = 64;

/// What can happen.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A torrent wants its peers found, and itself by them.
    Join(InfoHashV1),
    /// It no longer does.
    Leave(InfoHashV1),
    /// A datagram arrived at one of the groups.
    Received {
        /// From where.
        from: SocketAddr,
        /// Its bytes.
        packet: &'a [u8],
    },
    /// The time that [`Lsd::poll_timeout`] named has come.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram to the group, on each interface.
    Send {
        /// Where to.
        group: Group,
        /// Its bytes.
        packet: Vec<u8>,
    },
    /// A peer of a torrent is in this network.
    Found {
        /// The torrent.
        info_hash: InfoHashV1,
        /// Where the peer listens.
        peer: SocketAddr,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Lsd {
    port: u16,
    cookie: String,
    joined: BTreeMap<InfoHashV1, Member>,
    /// When which torrent is to be announced. Invariant: one entry for each of `joined`, with its `due`.
    due: BTreeSet<(Instant, InfoHashV1)>,
    /// Before this no datagram goes out.
    rest: Instant,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Member {
    due: Instant,
    announced: u32,
    found: Budget,
}

impl Lsd {
    /// Builds it without torrents. `port` is where the node listens; `rng` draws the cookie.
    pub fn new(port: u16, mut rng: fastrand::Rng) -> Lsd {
        let cookie = format!("{:016x}", rng.u64(..));
        Lsd {
            port,
            cookie,
            joined: BTreeMap::new(),
            due: BTreeSet::new(),
            rest: Instant::START,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        let now = now.mono;
        match input {
            Input::Join(info_hash) => self.join(now, info_hash),
            Input::Leave(info_hash) => {
                if let Some(member) = self.joined.remove(&info_hash) {
                    self.due.remove(&(member.due, info_hash));
                }
            }
            Input::Received { from, packet } => self.received(now, from, packet),
            Input::Timeout => self.announce(now),
        }
    }

    /// Returns the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| (*due).max(self.rest))
    }

    fn join(&mut self, now: Instant, info_hash: InfoHashV1) {
        if self.joined.contains_key(&info_hash) {
            return;
        }
        // One that left and comes back may be announced a little early: `rest` still holds for the datagrams.
        let due = now + GATHER;
        self.joined.insert(info_hash, Member { due, announced: 0, found: Budget::default() });
        self.due.insert((due, info_hash));
    }

    /// Announces what is due, as much as one datagram takes.
    fn announce(&mut self, now: Instant) {
        if now < self.rest {
            return;
        }
        let due: Vec<InfoHashV1> =
            self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, hash)| *hash).take(MAX_INFO_HASHES).collect();
        if due.is_empty() {
            return;
        }
        for info_hash in &due {
            let Some(member) = self.joined.get_mut(info_hash) else { continue };
            self.due.remove(&(member.due, *info_hash));
            member.announced = member.announced.saturating_add(1);
            member.due = now + if member.announced == 1 { MIN_REST } else { INTERVAL };
            self.due.insert((member.due, *info_hash));
        }
        self.rest = now + DATAGRAM_REST;
        let announce = Announce { port: self.port, info_hashes: due, cookie: Some(self.cookie.clone()) };
        for group in [Group::V4, Group::V6] {
            self.outputs.push_back(Output::Send { group, packet: announce.encode(group) });
        }
    }

    fn received(&mut self, now: Instant, from: SocketAddr, packet: &[u8]) {
        // Whoever cannot be understood is nobody: anything may be sent to a group.
        let Ok(announce) = Announce::decode(packet) else { return };
        let mut peer = from;
        peer.set_port(announce.port);
        if announce.cookie.as_deref() == Some(self.cookie.as_str()) || !can_dial(&peer) {
            return;
        }
        for info_hash in announce.info_hashes {
            let Some(member) = self.joined.get_mut(&info_hash) else { continue };
            if member.found.take(now, MAX_FOUND) {
                self.outputs.push_back(Output::Found { info_hash, peer });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Now {
        Now { mono: Instant::START + Duration::from_millis(milliseconds), ..Now::default() }
    }

    fn hash(n: u8) -> InfoHashV1 {
        InfoHashV1([n; 20])
    }

    /// Runs until `until`; returns when what was announced to the group of IPv4.
    fn announced(lsd: &mut Lsd, until: Now) -> Vec<(Duration, Vec<InfoHashV1>)> {
        let mut all = Vec::new();
        while let Some(due) = lsd.poll_timeout().filter(|due| *due <= until.mono) {
            lsd.handle(Now { mono: due, ..Now::default() }, Input::Timeout);
            while let Some(output) = lsd.poll_output() {
                if let Output::Send { group: Group::V4, packet } = output {
                    assert!(packet.len() <= 1400);
                    all.push((due.since_start(), Announce::decode(&packet).unwrap().info_hashes));
                }
            }
        }
        all
    }

    fn found(lsd: &mut Lsd) -> Vec<(InfoHashV1, String)> {
        let output = std::iter::from_fn(|| lsd.poll_output());
        output
            .map(|output| match output {
                Output::Found { info_hash, peer } => (info_hash, peer.to_string()),
                Output::Send { .. } => panic!("nothing is due"),
            })
            .collect()
    }

    #[test]
    fn a_torrent_is_announced_soon_again_after_a_minute_and_then_every_five() {
        let mut lsd = Lsd::new(6881, fastrand::Rng::with_seed(1));
        lsd.handle(at(0), Input::Join(hash(1)));
        let times: Vec<u64> =
            announced(&mut lsd, at(700_000)).iter().map(|(when, _)| when.as_millis() as u64).collect();
        assert_eq!(times, [100, 60_100, 360_100, 660_100]);
        lsd.handle(at(700_000), Input::Leave(hash(1)));
        assert_eq!(lsd.poll_timeout(), None);
    }

    #[test]
    fn many_torrents_share_datagrams_a_second_apart() {
        let mut lsd = Lsd::new(6881, fastrand::Rng::with_seed(1));
        for n in 0..100 {
            lsd.handle(at(n), Input::Join(hash(n as u8)));
        }
        let all = announced(&mut lsd, at(59_000));
        assert_eq!(all.iter().map(|(_, hashes)| hashes.len()).sum::<usize>(), 100);
        assert!(all.len() <= 100_usize.div_ceil(MAX_INFO_HASHES) + 1, "{} datagrams", all.len());
        assert!(all.windows(2).all(|pair| pair[1].0 - pair[0].0 >= DATAGRAM_REST));
    }

    #[test]
    fn only_others_that_have_a_joined_torrent_are_found_and_their_flood_is_cut() {
        let mut alice = Lsd::new(6881, fastrand::Rng::with_seed(1));
        let mut bob = Lsd::new(7000, fastrand::Rng::with_seed(2));
        for lsd in [&mut alice, &mut bob] {
            lsd.handle(at(0), Input::Join(hash(1)));
        }
        bob.handle(at(0), Input::Join(hash(2)));
        bob.handle(at(200), Input::Timeout);
        let Some(Output::Send { packet, .. }) = bob.poll_output() else { panic!("bob says nothing") };
        while bob.poll_output().is_some() {}
        let from = "10.0.0.2:40000".parse().unwrap();
        bob.handle(at(300), Input::Received { from, packet: &packet });
        assert_eq!(found(&mut bob), [], "bob hears himself");
        alice.handle(at(300), Input::Received { from: "0.0.0.0:1".parse().unwrap(), packet: &packet });
        alice.handle(at(300), Input::Received { from, packet: b"M-SEARCH * HTTP/1.1\r\n\r\n" });
        assert_eq!(found(&mut alice), []);
        alice.handle(at(300), Input::Received { from, packet: &packet });
        assert_eq!(found(&mut alice), [(hash(1), "10.0.0.2:7000".to_owned())]);
        for _ in 0..1000 {
            alice.handle(at(400), Input::Received { from, packet: &packet });
        }
        assert_eq!(found(&mut alice).len() as u32, MAX_FOUND - 1);
        alice.handle(at(70_000), Input::Received { from, packet: &packet });
        assert_eq!(found(&mut alice).len(), 1);
    }
}
