//! Stories of a few nodes over links that deliver at once.

use std::collections::BTreeSet;
use std::time::Duration;

use base::WallTime;

use super::*;
use crate::limits::{ANSWER_WITHIN, KEPT, MAX_LINKS, MAX_PAYLOAD, MAX_WAITING, QUIET, SHUN};

const TOPIC: TopicId = [1; 32];
const OTHER: TopicId = [2; 32];

/// Nodes on one table: dials succeed and frames arrive at once, unless somebody is out.
struct Table {
    nodes: BTreeMap<NodeId, Gossip>,
    now: Duration,
    epoch: std::time::Instant,
    /// Cannot be reached.
    out: BTreeSet<NodeId>,
    /// What these send is lost on the way.
    mute: BTreeSet<NodeId>,
    /// Can be reached and does nothing.
    hung: BTreeSet<NodeId>,
    events: Vec<(NodeId, TopicId, Event)>,
    dialled: Vec<(NodeId, NodeId)>,
    cut: Vec<(NodeId, NodeId, Parting)>,
    /// Frames that were sent: from, to, length.
    frames: Vec<(NodeId, NodeId, Bytes)>,
}

impl Table {
    fn new() -> Table {
        Table {
            nodes: BTreeMap::new(),
            now: Duration::ZERO,
            epoch: std::time::Instant::now(),
            out: BTreeSet::new(),
            mute: BTreeSet::new(),
            hung: BTreeSet::new(),
            events: Vec::new(),
            dialled: Vec::new(),
            cut: Vec::new(),
            frames: Vec::new(),
        }
    }

    fn sit(&mut self, seed: u8) -> NodeId {
        let rng = fastrand::Rng::with_seed(seed.into());
        let node = Gossip::new(Config { secret: [seed; 32], rng, epoch: self.epoch });
        let id = node.id();
        self.nodes.insert(id, node);
        id
    }

    fn time(&self) -> Now {
        Now { mono: Instant::from_start(self.now), wall: WallTime(1_800_000_000 + self.now.as_secs()) }
    }

    fn give(&mut self, node: NodeId, input: Input) {
        let mut inputs = VecDeque::from([(node, input)]);
        while let Some((at, input)) = inputs.pop_front() {
            let now = self.time();
            let Some(gossip) = self.nodes.get_mut(&at).filter(|_| !self.out.contains(&at) && !self.hung.contains(&at))
            else {
                continue;
            };
            gossip.handle(now, input);
            while let Some(output) = gossip.poll_output() {
                match output {
                    Output::Connect(to) => {
                        self.dialled.push((at, to));
                        if self.out.contains(&to) {
                            inputs.push_back((at, Input::Disconnected { node: to, loss: Loss::Gone }));
                        } else {
                            inputs.push_back((to, Input::Connected(at)));
                            inputs.push_back((at, Input::Connected(to)));
                        }
                    }
                    Output::Send { to, frame } => {
                        self.frames.push((at, to, frame.clone()));
                        if self.mute.contains(&at) {
                            continue;
                        }
                        inputs.push_back((to, Input::Received { from: at, frame }));
                    }
                    Output::Disconnect { node, parting } => {
                        self.cut.push((at, node, parting));
                        inputs.push_back((node, Input::Disconnected { node: at, loss: Loss::Gone }));
                    }
                    Output::Event { topic, event } => self.events.push((at, topic, event)),
                }
            }
        }
        self.check();
    }

    /// The invariants.
    fn check(&self) {
        for node in self.nodes.values() {
            for topic in node.topics.values() {
                assert!(topic.neighbours().iter().all(|neighbour| topic.admits(neighbour)));
                assert!(!topic.neighbours().contains(&node.me));
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.nodes.iter().filter(|(id, _)| !self.out.contains(*id) && !self.hung.contains(*id));
            let next = due.filter_map(|(&id, node)| Some((node.poll_timeout()?.since_start(), id))).min();
            let Some((at, node)) = next.filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            self.give(node, Input::Timeout);
        }
        self.now = end;
    }

    fn join(&mut self, node: NodeId, topic: TopicId, members: Members, bootstrap: &[NodeId]) {
        self.give(node, Input::Join { topic, members, bootstrap: bootstrap.to_vec() });
    }

    fn say(&mut self, node: NodeId, topic: TopicId, text: &str) {
        let payload = Payload::new(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        self.give(node, Input::Broadcast { topic, payload });
    }

    fn heard(&self, node: NodeId, text: &str) -> usize {
        let is_it = |event: &Event| matches!(event, Event::Message { bytes, .. } if bytes == text.as_bytes());
        self.events.iter().filter(|(at, _, event)| *at == node && is_it(event)).count()
    }

    /// Ada and Bob, who follow the topic, and Cleo, who does not.
    fn two() -> (Table, [NodeId; 3]) {
        let mut table = Table::new();
        let all = [1, 2, 3].map(|seed| table.sit(seed));
        for node in [all[0], all[1]] {
            table.join(node, TOPIC, Members::Only([all[0], all[1]].into()), &all[..1]);
        }
        table.pass(Duration::from_secs(5));
        table.cut.clear();
        (table, all)
    }

    /// Ada, Bob and Cleo, who follow the topic.
    fn three() -> (Table, [NodeId; 3]) {
        let mut table = Table::new();
        let all = [1, 2, 3].map(|seed| table.sit(seed));
        let members = Members::Only(all.into());
        for node in all {
            table.join(node, TOPIC, members.clone(), &all[..1]);
        }
        table.pass(Duration::from_secs(5));
        (table, all)
    }
}

#[test]
fn a_message_reaches_everybody_once_and_names_its_author() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    table.say(bob, TOPIC, "hello");
    table.pass(Duration::from_secs(2));
    assert_eq!([ada, bob, cleo].map(|node| table.heard(node, "hello")), [1, 0, 1]);
    let from = table.events.iter().find_map(|(_, _, event)| match event {
        Event::Message { from, .. } => Some(*from),
        _ => None,
    });
    assert_eq!(from, Some(bob));
}

#[test]
fn a_node_that_no_topic_admits_is_sent_away_and_learns_nothing() {
    let (mut table, [ada, ..]) = Table::three();
    let mallory = table.sit(66);
    table.join(mallory, TOPIC, Members::All, &[ada]);
    table.pass(Duration::from_secs(20));
    table.say(ada, TOPIC, "secret");
    table.pass(Duration::from_secs(2));
    assert_eq!(table.heard(mallory, "secret"), 0);
    assert!(table.cut.contains(&(ada, mallory, Parting::Unwanted)));
    assert!(table.frames.iter().all(|(_, to, _)| *to != mallory), "not a byte was sent to it");
}

#[test]
fn a_member_of_another_topic_gets_nothing_of_this_one() {
    let (mut table, [ada, bob, _]) = Table::three();
    let dora = table.sit(4);
    table.join(ada, OTHER, Members::Only([ada, dora].into()), &[]);
    table.join(dora, OTHER, Members::All, &[ada]);
    table.pass(Duration::from_secs(5));
    assert!(!table.nodes[&ada].neighbours(&OTHER).is_empty(), "they are linked");
    table.join(dora, TOPIC, Members::All, &[ada, bob]);
    table.pass(Duration::from_secs(30));
    table.say(ada, TOPIC, "secret");
    table.say(dora, TOPIC, "let me in");
    table.pass(Duration::from_secs(2));
    assert_eq!(table.heard(dora, "secret"), 0);
    assert_eq!([ada, bob].map(|node| table.heard(node, "let me in")), [0, 0]);
}

#[test]
fn an_expelled_member_is_cut_at_once_and_hears_no_more() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    for node in [ada, bob] {
        table.give(node, Input::Admit { topic: TOPIC, members: Members::Only([ada, bob].into()) });
    }
    table.say(ada, TOPIC, "without cleo");
    table.say(cleo, TOPIC, "am I still here?");
    table.pass(Duration::from_secs(60));
    assert_eq!([bob, cleo].map(|node| table.heard(node, "without cleo")), [1, 0]);
    assert_eq!([ada, bob].map(|node| table.heard(node, "am I still here?")), [0, 0]);
}

#[test]
fn a_message_of_an_expelled_author_is_not_passed_on_by_others() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    // Only Bob has heard of it. Ada's neighbour Cleo still passes Bob's... nothing: Bob hears it from Cleo and stops it.
    table.give(bob, Input::Admit { topic: TOPIC, members: Members::Only([bob, cleo].into()) });
    table.say(ada, TOPIC, "from ada");
    table.pass(Duration::from_secs(5));
    assert_eq!([bob, cleo].map(|node| table.heard(node, "from ada")), [0, 1]);
}

#[test]
fn an_old_message_brought_back_is_delivered_to_nobody() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    table.say(ada, TOPIC, "pay Bob");
    table.pass(Duration::from_secs(2));
    let copies: Vec<Bytes> =
        table.frames.iter().filter(|(from, ..)| *from == ada).map(|(.., frame)| frame.clone()).collect();
    for wait in [1, 100, 240, 600, 40_000] {
        table.pass(Duration::from_secs(wait));
        for frame in &copies {
            table.give(cleo, Input::Received { from: bob, frame: frame.clone() });
        }
    }
    assert_eq!(table.heard(cleo, "pay Bob"), 1);
    assert!(table.nodes[&cleo].stats().refused > 0);
}

#[test]
fn forged_and_spoilt_messages_are_refused_and_the_real_one_still_comes() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    table.out.insert(cleo);
    table.say(ada, TOPIC, "the truth");
    let sent = |(from, _, frame): &&(NodeId, NodeId, Bytes)| *from == ada && frame.ends_with(b"the truth\0\0");
    let real = table.frames.iter().find(sent).map(|(.., frame)| frame.clone()).expect("a copy was sent");
    table.out.remove(&cleo);
    // The last byte counts the hops, which nobody signs.
    for i in 32..real.len() - 1 {
        let mut frame = real.to_vec();
        frame[i] ^= 1;
        let now = table.time();
        let gossip = table.nodes.get_mut(&cleo).unwrap();
        gossip.handle(now, Input::Received { from: bob, frame: frame.into() });
        while let Some(output) = gossip.poll_output() {
            assert!(!matches!(output, Output::Event { event: Event::Message { .. }, .. }), "byte {i}");
        }
    }
    table.pass(SHUN);
    table.give(cleo, Input::Received { from: bob, frame: real });
    assert_eq!(table.heard(cleo, "the truth"), 1);
}

#[test]
fn what_is_no_frame_ends_the_link() {
    let (mut table, [ada, bob, _]) = Table::three();
    table.give(ada, Input::Received { from: bob, frame: Bytes::from_static(b"hello?") });
    assert!(table.cut.contains(&(ada, bob, Parting::Misbehaved)));
    assert!(!table.nodes[&ada].neighbours(&TOPIC).contains(&bob));
}

#[test]
fn a_stuck_node_is_left_alone_and_then_tried_again() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    table.give(ada, Input::Disconnected { node: bob, loss: Loss::Stuck });
    assert!(!table.nodes[&ada].neighbours(&TOPIC).contains(&bob));
    let before = table.dialled.len();
    table.pass(SHUN - Duration::from_secs(2));
    assert!(!table.dialled[before..].contains(&(ada, bob)));
    table.say(cleo, TOPIC, "go on");
    table.pass(Duration::from_secs(2));
    assert_eq!(table.heard(ada, "go on"), 1);
}

#[test]
fn a_neighbour_that_says_nothing_is_asked_and_given_up() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    // Bob's program hangs: nothing is read, and no link breaks.
    table.hung.insert(bob);
    table.pass(QUIET + ANSWER_WITHIN + Duration::from_secs(1));
    for node in [ada, cleo] {
        assert!(table.cut.contains(&(node, bob, Parting::Silent)));
        assert!(!table.nodes[&node].neighbours(&TOPIC).contains(&bob));
    }
    assert!(table.nodes[&ada].neighbours(&TOPIC).contains(&cleo), "who answers stays");
    let before = table.frames.len();
    table.pass(Duration::from_secs(600));
    let a_minute = (table.frames.len() - before) / 10;
    assert!(a_minute < 30, "{a_minute} frames a minute while nothing happens");
}

#[test]
fn a_lonely_node_finds_company_when_somebody_comes_back() {
    let (mut table, [ada, bob, cleo]) = Table::three();
    table.out.extend([bob, cleo]);
    for gone in [bob, cleo] {
        table.give(ada, Input::Disconnected { node: gone, loss: Loss::Gone });
    }
    assert!(table.nodes[&ada].neighbours(&TOPIC).is_empty());
    table.pass(Duration::from_secs(3600));
    let tries = table.dialled.len();
    assert!(tries < 80, "an hour alone cost {tries} dials");
    table.out.clear();
    table.pass(Duration::from_secs(400));
    assert!(!table.nodes[&ada].neighbours(&TOPIC).is_empty());
}

#[test]
fn those_who_are_left_to_one_another_find_the_others_while_news_is_kept() {
    for seed in 0..10 {
        let mut table = Table::new();
        let all = [1, 2, 3, 4].map(|n| table.sit(4 * seed + n));
        for node in all {
            table.join(node, TOPIC, Members::Only(all.into()), &all[..1]);
        }
        // So long that nobody greets often any more.
        table.pass(Duration::from_secs(3600));
        let [ada, bob, cleo, dave] = all;
        for (here, there) in [([ada, bob], [cleo, dave]), ([cleo, dave], [ada, bob])] {
            table.out = there.into();
            for (node, gone) in here.into_iter().flat_map(|node| there.map(|gone| (node, gone))) {
                table.give(node, Input::Disconnected { node: gone, loss: Loss::Gone });
            }
        }
        table.out.clear();
        table.say(cleo, TOPIC, "news");
        assert_eq!(table.heard(ada, "news"), 0);
        table.pass(KEPT / 2);
        for node in [ada, bob, dave] {
            assert_eq!(table.heard(node, "news"), 1);
        }
    }
}

#[test]
fn a_new_neighbour_is_told_what_went_round_lately() {
    let (mut table, [ada, bob, _]) = Table::three();
    table.say(bob, TOPIC, "before dora");
    let dora = table.sit(4);
    let mut all: BTreeSet<NodeId> = table.nodes.keys().copied().collect();
    all.insert(dora);
    for node in all.clone() {
        table.join(node, TOPIC, Members::Only(all.clone()), &[ada]);
    }
    table.pass(Duration::from_secs(5));
    assert_eq!(table.heard(dora, "before dora"), 1);

    table.pass(KEPT);
    let emil = table.sit(5);
    all.insert(emil);
    for node in all.clone() {
        table.join(node, TOPIC, Members::Only(all.clone()), &[ada]);
    }
    table.pass(Duration::from_secs(5));
    assert_eq!(table.heard(emil, "before dora"), 0, "that is for reconciliation");
}

#[test]
fn what_was_lost_with_a_link_that_another_replaced_is_told_again() {
    let (mut table, [ada, bob, _]) = Table::two();
    // Both dialled at once, and what was said over the one that lost never came.
    table.mute.extend([ada, bob]);
    table.say(ada, TOPIC, "from ada");
    table.say(bob, TOPIC, "from bob");
    table.mute.clear();
    table.give(ada, Input::Connected(bob));
    table.give(bob, Input::Connected(ada));
    table.pass(Duration::from_secs(2));
    assert_eq!((table.heard(bob, "from ada"), table.heard(ada, "from bob")), (1, 1));
    assert_eq!(table.cut, [], "the new link stays");
}

#[test]
fn a_greeting_that_was_overtaken_loses_nothing_that_was_announced() {
    let (mut table, [ada, bob, _]) = Table::two();
    table.mute.insert(bob);
    table.say(bob, TOPIC, "from bob");
    table.mute.clear();
    let (_, _, lost) = table.frames.last().unwrap();
    let Some((_, wire::Message::Gossip(wire::Gossip::Message { id, .. }))) = wire::decode(lost) else {
        panic!("not a message: {lost:?}")
    };
    let announced = wire::Message::Gossip(wire::Gossip::IHave(vec![wire::Announced { id, round: 0 }]));
    let greeting = wire::Message::Swarm(wire::Swarm::Join(None));
    for message in [announced, greeting] {
        let frame = wire::encode(&TOPIC, &message).unwrap();
        table.give(ada, Input::Received { from: bob, frame });
    }
    table.pass(Duration::from_secs(2));
    assert_eq!(table.heard(ada, "from bob"), 1);
}

#[test]
fn a_link_that_only_one_side_lost_separates_nobody() {
    for wait in [0, 1, 30] {
        let (mut table, [ada, bob, _]) = Table::two();
        table.give(bob, Input::Disconnected { node: ada, loss: Loss::Gone });
        table.pass(Duration::from_secs(wait));
        table.give(bob, Input::Connected(ada));
        table.give(ada, Input::Connected(bob));
        table.say(ada, TOPIC, "from ada");
        table.say(bob, TOPIC, "from bob");
        table.pass(Duration::from_secs(5));
        assert_eq!((table.heard(bob, "from ada"), table.heard(ada, "from bob")), (1, 1), "after {wait} s");
    }
}

#[test]
fn topics_share_a_link_and_leaving_one_keeps_the_other() {
    let mut table = Table::new();
    let [ada, bob] = [1, 2].map(|seed| table.sit(seed));
    for topic in [TOPIC, OTHER] {
        table.join(ada, topic, Members::All, &[]);
        table.join(bob, topic, Members::All, &[ada]);
    }
    table.pass(Duration::from_secs(3));
    assert_eq!(table.dialled, [(bob, ada)]);
    table.give(bob, Input::Leave { topic: TOPIC });
    table.pass(Duration::from_secs(3));
    assert_eq!(table.cut, []);
    table.say(ada, OTHER, "still here");
    assert_eq!(table.heard(bob, "still here"), 1);
    table.give(bob, Input::Leave { topic: OTHER });
    assert!(table.nodes[&bob].topics.is_empty());
    assert!(!table.cut.is_empty());
}

#[test]
fn a_burst_is_paced_and_what_is_too_much_is_said() {
    let (mut table, [ada, bob, _]) = Table::three();
    for i in 0..500 {
        table.say(bob, TOPIC, &format!("message {i}"));
    }
    let dropped = table.events.iter().filter(|(.., event)| *event == Event::Missed).count();
    assert!((100..200).contains(&dropped), "{dropped}");
    table.pass(Duration::from_secs(20));
    let heard = (0..500).filter(|i| table.heard(ada, &format!("message {i}")) == 1).count();
    assert_eq!(heard, 500 - dropped, "those that were not dropped all came");
}

#[test]
fn a_flood_of_announcements_grows_nothing_for_ever() {
    let (mut table, [ada, bob, _]) = Table::three();
    for round in 0..300_u32 {
        let ids = (0..400_u32).map(|i| {
            let mut id = [7; 32];
            id[..8].copy_from_slice(&(u64::from(round) << 32 | u64::from(i)).to_be_bytes());
            crate::wire::Announced { id, round: 1 }
        });
        let message = wire::Message::Gossip(wire::Gossip::IHave(ids.collect()));
        let frame = wire::encode(&TOPIC, &message).unwrap();
        table.give(ada, Input::Received { from: bob, frame });
    }
    assert!(table.nodes[&ada].stats().refused > 250);
    let timers = table.nodes[&ada].poll_timeout();
    assert!(timers.is_some());
    table.pass(Duration::from_secs(10));
}

#[test]
fn links_and_what_waits_for_them_are_bounded() {
    let mut table = Table::new();
    let ada = table.sit(1);
    let now = table.time();
    let gossip = table.nodes.get_mut(&ada).unwrap();
    gossip.handle(now, Input::Join { topic: TOPIC, members: Members::All, bootstrap: vec![] });
    for i in 0..MAX_LINKS as u64 + 100 {
        let mut id = [5; 32];
        id[..8].copy_from_slice(&i.to_be_bytes());
        gossip.handle(now, Input::Connected(NodeId(id)));
    }
    let outputs: Vec<Output> = std::iter::from_fn(|| gossip.poll_output()).collect();
    let refused = |output: &&Output| matches!(output, Output::Disconnect { parting: Parting::Unwanted, .. });
    assert_eq!(outputs.iter().filter(refused).count(), 100);

    let mut peers = Peers::default();
    let sent = |peers: &mut Peers| peers.send(now.mono, TOPIC, ada, &Bytes::new());
    assert_eq!(sent(&mut peers), Sent::Waits { dial: true });
    let waits = (0..100).filter(|_| sent(&mut peers) == Sent::Waits { dial: false }).count();
    assert_eq!(waits, MAX_WAITING - 1);
}

#[test]
fn the_longest_payload_passes() {
    let (mut table, [ada, bob, _]) = Table::three();
    let text = "x".repeat(MAX_PAYLOAD);
    table.say(ada, TOPIC, &text);
    table.pass(Duration::from_secs(1));
    assert_eq!(table.heard(bob, &text), 1);
}
