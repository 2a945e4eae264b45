//! What a restart begins from: our ids and nodes that answered.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use metainfo::bencode::{self, Tree, Value};

use crate::{Id, NodeAddress};

/// The most nodes kept a family: plenty to find the network again after a month (arbitrary).
pub const MAX_SAVED: usize = 200;

/// The saved state of both networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The network over IPv4.
    pub v4: FamilySnapshot,
    /// The network over IPv6.
    pub v6: FamilySnapshot,
}

/// The saved state of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FamilySnapshot {
    /// Our id there.
    pub id: Option<Id>,
    /// Nodes that answered, those that are there for long first. At most [`MAX_SAVED`].
    pub nodes: Vec<NodeAddress>,
}

impl Snapshot {
    /// Returns the form for a file: bencode, with nodes in the compact forms of BEP 5 and 32.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<(&'static str, Tree)> = Vec::new();
        for (family, id, nodes) in [(&self.v4, "id", "nodes"), (&self.v6, "id6", "nodes6")] {
            if let Some(own) = family.id {
                entries.push((id, Tree::bytes(&own.0)));
            }
            let compact: Vec<u8> = family.nodes.iter().take(MAX_SAVED).flat_map(compact_node).collect();
            entries.push((nodes, Tree::from(compact)));
        }
        bencode::encode(&Tree::dict(entries))
    }

    /// Reads the form of a file. What is damaged is left out: a node without a snapshot starts all the same.
    pub fn decode(bytes: &[u8]) -> Snapshot {
        let value = bencode::decode(bytes).ok();
        let Some(dict) = value.as_ref().and_then(Value::as_dict) else { return Snapshot::default() };
        let id = |key: &[u8]| dict.bytes(key).and_then(Id::from_slice);
        let mut nodes = (Vec::new(), Vec::new());
        read_compact_v4(dict.bytes(b"nodes").unwrap_or_default(), MAX_SAVED, &mut nodes.0);
        read_compact_v6(dict.bytes(b"nodes6").unwrap_or_default(), MAX_SAVED, &mut nodes.1);
        Snapshot {
            v4: FamilySnapshot { id: id(b"id"), nodes: nodes.0 },
            v6: FamilySnapshot { id: id(b"id6"), nodes: nodes.1 },
        }
    }
}

/// The compact form of a node: its id, and its address as [`compact_address`].
pub(crate) fn compact_node(node: &NodeAddress) -> Vec<u8> {
    [&node.id.0[..], &compact_address(node.address)].concat()
}

/// The compact form of an address: 6 bytes (BEP 5) or 18 (BEP 32).
pub(crate) fn compact_address(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(address) => [&address.ip().octets()[..], &port].concat(),
        SocketAddr::V6(address) => [&address.ip().octets()[..], &port].concat(),
    }
}

/// Reads the compact form of an address.
pub(crate) fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    if let Ok(ip) = <[u8; 4]>::try_from(ip) {
        return Some((Ipv4Addr::from(ip), port).into());
    }
    <[u8; 16]>::try_from(ip).ok().map(|ip| (Ipv6Addr::from(ip), port).into())
}

/// Reads at most `limit` nodes of 26 bytes; a last incomplete one is ignored.
pub(crate) fn read_compact_v4(bytes: &[u8], limit: usize, out: &mut Vec<NodeAddress>) {
    read_compact::<26>(bytes, limit, out);
}

/// Reads at most `limit` nodes of 38 bytes; a last incomplete one is ignored.
pub(crate) fn read_compact_v6(bytes: &[u8], limit: usize, out: &mut Vec<NodeAddress>) {
    read_compact::<38>(bytes, limit, out);
}

fn read_compact<const N: usize>(bytes: &[u8], limit: usize, out: &mut Vec<NodeAddress>) {
    for node in bytes.as_chunks::<N>().0.iter().take(limit) {
        if let (Some(id), Some(address)) = (Id::from_slice(&node[..20]), read_address(&node[20..])) {
            out.push(NodeAddress { id, address });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_read_again() {
        let node = |id, address: &str| NodeAddress { id: Id([id; 20]), address: address.parse().unwrap() };
        let snapshot = Snapshot {
            v4: FamilySnapshot { id: Some(Id([1; 20])), nodes: vec![node(2, "192.0.2.1:1"), node(3, "127.0.0.1:9")] },
            v6: FamilySnapshot { id: None, nodes: vec![node(4, "[2001:db8::1]:6881")] },
        };
        assert_eq!(Snapshot::decode(&snapshot.encode()), snapshot);
    }

    #[test]
    fn a_damaged_file_loses_what_is_damaged() {
        assert_eq!(Snapshot::decode(b"not bencode"), Snapshot::default());
        let damaged = Snapshot::decode(b"d2:id3:abc5:nodes27:aaaaaaaaaaaaaaaaaaaabbbbcc!e");
        assert_eq!((damaged.v4.id, damaged.v4.nodes.len()), (None, 1));
    }
}
