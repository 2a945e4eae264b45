//! The bodies of the fuzz targets: each takes arbitrary bytes and panics where a promise is broken. The property tests
//! below drive them too, so that they cannot rot.

use core::net::SocketAddr;
use std::collections::BTreeSet;
use std::time::Duration;

use base::{Instant, Now, WallTime};

use crate::krpc::{self, Body, MAX_NODES, MAX_SAMPLES, MAX_TRANSACTION, MAX_VALUES};
use crate::{Announce, Config, DhtNode, Id, Input, Item, ItemName, Mutable, Output, SecretKey, Snapshot, Task, TaskId};

/// A packet: what is read is bounded, and means the same when it is said again.
pub fn krpc(data: &[u8]) {
    let Some(message) = krpc::decode(data) else { return };
    assert!(message.transaction.len() <= MAX_TRANSACTION);
    let again = match &message.body {
        Body::Query(query) => krpc::encode_query(message.transaction, query),
        Body::Response(response) => {
            assert!(response.nodes.len() <= MAX_NODES && response.nodes6.len() <= MAX_NODES);
            assert!(response.values.len() <= MAX_VALUES);
            assert!(response.samples.as_ref().is_none_or(|samples| samples.len() <= MAX_SAMPLES));
            krpc::encode_response(message.transaction, message.ip, response)
        }
        Body::Error { .. } | Body::Malformed(_) => return,
    };
    // Values may be too many to be said again in one packet.
    if again.len() <= krpc::MAX_PACKET_IN {
        let read = krpc::decode(&again).map(|message| message.body);
        let same = match (&message.body, read) {
            (Body::Query(before), Some(Body::Query(after))) => *before == after,
            (Body::Response(before), Some(Body::Response(after))) => *before == after,
            _ => false,
        };
        assert!(same, "{message:?}");
    }
}

/// A node that is sent anything, from friends and strangers: it never sends a stranger more than four times what it
/// got, ends no task twice, and always names a later time.
pub fn node(data: &[u8]) {
    let friend: SocketAddr = ([192, 0, 2, 1], 6881).into();
    let strangers: [SocketAddr; 2] = [([198, 51, 100, 1], 1).into(), ([127, 0, 0, 1], 2).into()];
    let config = Config { v4: true, v6: true, ..Config::default() };
    let mut node = DhtNode::new(config, [0; 16], fastrand::Rng::with_seed(0));
    let mut now = Now { mono: Instant::START, wall: WallTime(0) };
    node.handle(now, Input::Timeout);
    node.handle(now, Input::AddNode(friend));
    for (id, task) in (1..).zip(tasks(friend)) {
        node.handle(now, Input::Start { id: TaskId(id), task });
    }
    let (mut ended, mut asked) = (BTreeSet::new(), Vec::new());
    for (i, packet) in data.chunks(400).enumerate() {
        now.mono = now.mono + Duration::from_millis(700);
        // The friend answers what it was asked, with whatever comes: as nodes, or as all of the answer.
        let reply: Option<Vec<u8>> = asked.pop().map(|transaction: Vec<u8>| {
            let key: &[u8] = if i % 2 == 0 { b"5:nodes" } else { b"" };
            let length = format!("e1:t{}:", transaction.len());
            let head = b"d1:rd2:id20:friendfriendfriendfr";
            [head, key, packet, length.as_bytes(), &transaction, b"1:y1:re"].concat()
        });
        if let Some(reply) = &reply {
            node.handle(now, Input::Received { from: friend, packet: reply });
        }
        let from = strangers[i % 2];
        node.handle(now, Input::Received { from, packet });
        node.handle(now, Input::Timeout);
        let mut sent = 0;
        while let Some(output) = node.poll_output() {
            match output {
                Output::Send { to, packet } if to == friend => {
                    asked.extend(krpc::decode(&packet).map(|message| message.transaction.to_vec()));
                }
                Output::Send { to, packet } if to == from => sent += packet.len(),
                Output::Done { id, .. } => assert!(ended.insert(id), "{id:?} ended twice"),
                Output::Send { .. } | Output::Peers { .. } | Output::NeedHosts => {}
            }
        }
        assert!(sent <= packet.len() * 4 || reply.is_some(), "{sent} bytes for {}", packet.len());
    }
    assert!(node.poll_timeout().is_some());
    let _ = (node.status(now), node.nodes(now));
    let _ = Snapshot::decode(&node.snapshot().encode());
}

/// One task of each kind.
fn tasks(to: SocketAddr) -> [Task; 8] {
    let (info_hash, target) = (Id([1; 20]), Id([1; 20]));
    let secret = SecretKey::from_bytes(&[1; 32]);
    // The value is one byte long and its number is 1, so that neither is refused.
    let item = Mutable::sign(&secret, "", 1, "1:a").expect("an item within the limits");
    let mutable = ItemName::Mutable { key: secret.public(), salt: "salt".into() };
    [
        Task::FindNodes { target },
        Task::FindPeers { info_hash, announce: Some(Announce { port: 1, implied_port: false, seed: true }) },
        Task::Scrape { info_hash },
        Task::Get { name: ItemName::Immutable(target), newer_than: None },
        Task::Get { name: mutable, newer_than: Some(1) },
        Task::Put { item: Item::Mutable(item), cas: Some(0), keep: true },
        Task::Ping { to },
        Task::Sample { to, target },
    ]
}

/// A saved file that something else wrote over.
pub fn snapshot(data: &[u8]) {
    let snapshot = Snapshot::decode(data);
    assert!(snapshot.v4.nodes.len() <= crate::MAX_SAVED && snapshot.v6.nodes.len() <= crate::MAX_SAVED);
    assert_eq!(Snapshot::decode(&snapshot.encode()), snapshot);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METHODS: &str = "ping|find_node|get_peers|announce_peer|get|put|sample_infohashes|vote";

    /// Puts `data` where a decoder looks deeper.
    fn shaped(method: &str, key: &str, data: &[u8]) -> Vec<Vec<u8>> {
        let value = [format!("{}:", data.len()).as_bytes(), data].concat();
        let entry = [format!("{}:{key}", key.len()).as_bytes(), &value].concat();
        let id = b"2:id20:abcdefghij0123456789";
        let target = b"6:target20:mnopqrstuvwxyz1234569:info_hash20:mnopqrstuvwxyz123456";
        let name = [format!("1:q{}:", method.len()).as_bytes(), method.as_bytes()].concat();
        vec![
            data.to_vec(),
            [b"d", &entry[..], b"e"].concat(),
            [b"d1:ad", &id[..], &target[..], &entry, b"e", &name, b"1:t2:aa1:y1:qe"].concat(),
            [b"d1:ad", &entry[..], &id[..], b"e", &name, b"1:t2:aa1:y1:qe"].concat(),
            [b"d1:rd", &id[..], &entry, b"e1:t2:aa1:y1:re"].concat(),
            [b"d1:rd", &id[..], b"6:valuesl", &value, b"ee1:t2:aa1:y1:re"].concat(),
        ]
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_break_no_promise(
            method in METHODS,
            key in "id|nodes6?|values|token|v|k|sig|seq|salt|cas|samples|port|want|BF(sd|pe)",
            data in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            for data in shaped(&method, &key, &data) {
                super::krpc(&data);
                node(&data);
                snapshot(&data);
            }
        }

        #[test]
        fn the_shortest_queries_get_no_long_answer(transaction in "[a-z]{0,20}") {
            node(format!("d1:t{}:{transaction}1:y1:qe", transaction.len()).as_bytes());
        }

        #[test]
        fn arbitrary_queries_get_no_long_answer(queries in proptest::collection::vec(METHODS, 1..20)) {
            let mut all = Vec::new();
            for method in queries {
                let mut packet = shaped(&method, "token", b"guess").swap_remove(2);
                packet.resize(400, b' ');
                all.extend(packet);
            }
            node(&all);
        }
    }
}
