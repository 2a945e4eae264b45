//! Hostile nodes. They work together, know all keys that will be looked up, and choose the ids that are best for them
//! among those that their addresses allow (BEP 42), or near a key whatever their addresses are.
//!
//! They write their packets by hand: what they send is none of what the real program would.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use dht::Id;
use metainfo::bencode::{Tree, Value, decode, encode};

/// How many addresses the attackers tried to find ids near a key for nodes that they make up.
const TRIED: usize = 1 << 14;

/// How many nodes they name in an answer.
const NAMED: usize = 8;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Hostile {
    victims: Vec<Id>,
    ids: BTreeMap<u32, Id>,
    members: Vec<(Id, Ipv4Addr)>,
    /// Addresses that are nobody's, with the ids they allow.
    made_up: Vec<(Id, Ipv4Addr)>,
}

impl Hostile {
    pub(super) fn new(count: u32, victims: &[Id], rng: &mut fastrand::Rng) -> Hostile {
        let tried = if count == 0 { 0 } else { TRIED };
        let mut made_up: Vec<(Id, Ipv4Addr)> = (0..tried)
            .map(|_| {
                let ip = Ipv4Addr::from(rng.u32(0x8000_0000..0xa000_0000));
                (Id::for_address(ip.into(), rng), ip)
            })
            .collect();
        made_up.sort_unstable();
        Hostile { victims: victims.to_vec(), ids: BTreeMap::new(), members: Vec::new(), made_up }
    }

    /// Gives a member an id: a third have one right beside a key, which their address does not allow; the others the one
    /// that is nearest to any key among those it allows.
    pub(super) fn join(&mut self, index: u32, ip: Ipv4Addr, rng: &mut fastrand::Rng) {
        let victim = self.victims[rng.usize(..self.victims.len())];
        let id = if rng.u8(..3) == 0 {
            victim.random_sharing(60, rng)
        } else {
            let allowed: Vec<Id> = (0..64).map(|_| Id::for_address(ip.into(), rng)).collect();
            let near = |id: &Id| self.victims.iter().map(|victim| (victim.distance(id), *victim)).min();
            let best = allowed.into_iter().min_by_key(near).unwrap_or(victim);
            toward(best, near(&best).map_or(victim, |(_, victim)| victim))
        };
        self.ids.insert(index, id);
        self.members.push((id, ip));
    }

    /// Makes itself known: asks some nodes, so that they take it into their tables.
    pub(super) fn crowd(&self, index: u32, victims: &[u32], rng: &mut fastrand::Rng) -> Vec<(u32, Vec<u8>)> {
        let Some(own) = self.ids.get(&index) else { return Vec::new() };
        let query = |target: &Id| {
            let arguments = Tree::dict([("id", Tree::bytes(&own.0)), ("target", Tree::bytes(&target.0))]);
            encode(&Tree::dict([
                ("a", arguments),
                ("q", Tree::from("find_node")),
                ("t", Tree::from("ho")),
                ("y", Tree::from("q")),
            ]))
        };
        victims.iter().map(|&victim| (victim, query(&Id::random(rng)))).collect()
    }

    /// Answers a query with lies.
    pub(super) fn answer(
        &self,
        index: u32,
        ip: Ipv4Addr,
        from: SocketAddr,
        packet: &[u8],
        rng: &mut fastrand::Rng,
    ) -> Option<Vec<u8>> {
        let own = *self.ids.get(&index)?;
        let value = decode(packet).ok()?;
        let dict = value.as_dict().filter(|dict| dict.bytes(b"y") == Some(b"q"))?;
        let arguments = dict.get(b"a").and_then(Value::as_dict)?;
        let target = arguments.bytes(b"target").or(arguments.bytes(b"info_hash")).and_then(Id::from_slice);
        let mut response = vec![("id", Tree::bytes(&own.0)), ("token", Tree::from("take it"))];
        if let Some(target) = target {
            response.push(("nodes", Tree::from(self.named(target, ip, rng))));
            // Peers that do not exist, and a value that does not match.
            let peers = (0..50).map(|_| Tree::from([&rng.u32(..).to_be_bytes()[..], &[26, 225]].concat()));
            response.push(("values", Tree::List(peers.collect())));
            response.push(("v", Tree::from("poison")));
            response.push(("k", Tree::bytes(&[7; 32])));
            response.push(("sig", Tree::bytes(&[8; 64])));
            response.push(("seq", Tree::Int(i64::MAX)));
        }
        // And a wrong idea of who asks.
        let liar = [&rng.u32(..).to_be_bytes()[..], &from.port().to_be_bytes()].concat();
        Some(encode(&Tree::dict([
            ("ip", Tree::from(liar)),
            ("r", Tree::dict(response)),
            ("t", Tree::bytes(dict.bytes(b"t")?)),
            ("y", Tree::from("r")),
        ])))
    }

    /// Half of what they name are members near the target, half are made up: as near as the addresses tried allow.
    fn named(&self, target: Id, own: Ipv4Addr, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut members: Vec<&(Id, Ipv4Addr)> = self.members.iter().filter(|(_, ip)| *ip != own).collect();
        members.sort_by_key(|(id, _)| target.distance(id));
        let at = self.made_up.partition_point(|(id, _)| *id < target);
        let near = self.made_up[at.saturating_sub(40)..self.made_up.len().min(at + 40)].iter();
        let mut near: Vec<(Id, Ipv4Addr)> = near.map(|&(id, ip)| (toward(id, target), ip)).collect();
        rng.shuffle(&mut near);
        let mut out = Vec::new();
        for (id, ip) in members.into_iter().copied().take(NAMED / 2).chain(near.into_iter().take(NAMED / 2)) {
            out.extend_from_slice(&id.0);
            out.extend_from_slice(&ip.octets());
            out.extend_from_slice(&super::network::PORT.to_be_bytes());
        }
        out
    }
}

/// Moves an id as near to a key as BEP 42 lets it: it fixes the first 21 bits and the last three.
fn toward(mut id: Id, target: Id) -> Id {
    id.0[2] = id.0[2] & 0xf8 | target.0[2] & 0x07;
    id.0[3..19].copy_from_slice(&target.0[3..19]);
    id
}
