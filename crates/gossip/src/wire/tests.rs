//! The shape of our types is that of iroh-gossip's: shown by its own code on both ends.

use iroh_gossip::proto::topic::{Command, Config, InEvent, OutEvent, State};
use iroh_gossip::proto::{PeerData, Scope as NativeScope};

use super::*;
use crate::chance::Chance;

const ME: Id = [9; 32];

/// Everything that a few nodes of the stock protocol say to one another: joins, shuffles, messages, announcements, grafts,
/// prunes and farewells, with addresses.
fn conversation() -> Vec<Native> {
    let epoch = std::time::Instant::now();
    let mut config = Config::default();
    config.membership.active_view_capacity = 2;
    let mut nodes: Vec<State<Id, Chance>> = (0..8)
        .map(|i| {
            let data = PeerData::new(Bytes::from_static(b"192.0.2.1:1"));
            State::with_rng([i; 32], Some(data), config.clone(), Chance(fastrand::Rng::with_seed(i.into())))
        })
        .collect();
    let mut said = Vec::new();
    let mut pending: VecDeque<(usize, InEvent<Id>)> =
        (1..8).map(|i| (i, InEvent::Command(Command::Join(vec![[0; 32]])))).collect();
    for round in 0..2000 {
        if round % 100 == 60 {
            let content = Bytes::from(format!("message {round}"));
            pending.push_back((round % 7, InEvent::Command(Command::Broadcast(content, NativeScope::Swarm))));
        }
        if round == 1900 {
            pending.push_back((0, InEvent::Command(Command::Quit)));
        }
        let Some((at, event)) = pending.pop_front() else { continue };
        let outputs: Vec<_> = nodes[at].handle(event, epoch.into()).collect();
        for output in outputs {
            match output {
                OutEvent::SendMessage(to, message) => {
                    said.push(message.clone());
                    // Some are lost, so that there is something to ask for again.
                    if said.len() % 5 > 0 || !is_copy(&message) {
                        pending.push_back((to[0].into(), InEvent::RecvMessage([at as u8; 32], message)));
                    }
                }
                OutEvent::ScheduleTimer(_, timer) => pending.push_back((at, InEvent::TimerExpired(timer))),
                _ => {}
            }
        }
    }
    said
}

#[test]
fn what_the_stock_protocol_says_is_read_and_written_alike() {
    let mut kinds = std::collections::BTreeMap::new();
    for said in conversation() {
        let frame = encode(&[1; 32], &said).unwrap();
        let (topic, message) = decode(&frame).expect("our types have another shape");
        assert_eq!(topic, [1; 32]);
        assert_eq!(native(&message).unwrap(), said);
        assert_eq!(encode(&topic, &message).unwrap(), frame);
        let text = format!("{message:?}");
        let kind = text.split(['{', '[']).next().unwrap_or_default().trim_end_matches('(').to_owned();
        *kinds.entry(kind.split("Some").next().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    assert!(kinds.len() >= 10, "not all kinds were seen: {kinds:?}");
}

#[test]
fn a_frame_cut_anywhere_is_none_and_so_is_one_with_more() {
    let message = Message::Swarm(Swarm::ShuffleReply { nodes: vec![Named { id: [3; 32], data: None }; 3] });
    let frame = encode(&[1; 32], &message).unwrap();
    for length in 0..frame.len() {
        assert_eq!(decode(&frame.slice(..length)), None, "{length}");
    }
    assert_eq!(decode(&[&frame[..], &[0]].concat().into()), None);
    assert_eq!(decode(&vec![0; MAX_FRAME + 1].into()), None);
}

#[test]
fn a_list_that_claims_to_be_long_costs_nothing() {
    // ShuffleReply with 2^32 − 1 nodes, of which none follows.
    let frame = [&[1; 32][..], &[0, 3, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    assert_eq!(decode(&frame.into()), None);
}

#[test]
fn strangers_and_addresses_are_taken_out() {
    let admits = |id: &NodeId| id.0[0] < 10;
    let named = |id: u8| Named { id: [id; 32], data: Some(Bytes::from_static(b"192.0.2.1:1")) };
    let bare = |id: u8| Named { id: [id; 32], data: None };
    let looked = |mut message| screen(&mut message, ME, admits).then_some(message);

    let nodes = vec![named(3), named(50), named(9), named(4)];
    let shuffle = Message::Swarm(Swarm::Shuffle { origin: [2; 32], nodes, ttl: 9999 });
    let clean = Swarm::Shuffle { origin: [2; 32], nodes: vec![bare(3), bare(4)], ttl: MAX_WALK };
    assert_eq!(looked(shuffle), Some(Message::Swarm(clean)));

    assert_eq!(looked(Message::Swarm(Swarm::Shuffle { origin: [50; 32], nodes: vec![], ttl: 1 })), None);
    assert_eq!(looked(Message::Swarm(Swarm::ForwardJoin { peer: named(50), ttl: 1 })), None);
    assert_eq!(looked(Message::Swarm(Swarm::ForwardJoin { peer: named(9), ttl: 1 })), None, "that is us");
    let join = Message::Swarm(Swarm::Join(Some(Bytes::from_static(b"192.0.2.1:1"))));
    assert_eq!(looked(join), Some(Message::Swarm(Swarm::Join(None))));
    let many = Message::Swarm(Swarm::ShuffleReply { nodes: (0..200).map(|i| named(i % 8)).collect() });
    let Some(Message::Swarm(Swarm::ShuffleReply { nodes })) = looked(many) else { panic!() };
    assert_eq!(nodes.len(), MAX_NAMED);
}

#[test]
fn hops_that_would_overflow_are_refused() {
    let looked = |mut message| screen(&mut message, ME, |_| true).then_some(message);
    for scope in [Scope::Swarm(u16::MAX), Scope::Neighbors] {
        assert_eq!(looked(Message::Gossip(Gossip::Message { id: [0; 32], content: Bytes::new(), scope })), None);
    }
    let announced = [3, u16::MAX].map(|round| Announced { id: [1; 32], round });
    let Some(Message::Gossip(Gossip::IHave(left))) = looked(Message::Gossip(Gossip::IHave(announced.to_vec()))) else {
        panic!()
    };
    assert_eq!(left.len(), 1);
}
