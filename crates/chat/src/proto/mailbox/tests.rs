//! Bob is away; Alice leaves envelopes for him in Carol's mailbox.

mod limits;

use std::collections::BTreeMap;

use super::*;

const LIMITS: Limits = Limits { total_bytes: 1 << 20, quota_bytes: 100_000 };
const DAY_S: u64 = 86_400;

const BOB: PersonId = PersonId([2; 32]);
const ERIN: PersonId = PersonId([5; 32]);

/// Carol's node: the mailbox and its store, which commits and reads as a driver has to.
struct Carol {
    mailbox: Mailbox,
    now: Now,
    recipients: BTreeMap<NodeId, Vec<u8>>,
    envelopes: BTreeMap<(NodeId, u64), (WallTime, Vec<u8>)>,
    answers: BTreeMap<Token, Answer>,
    tokens: Token,
}

fn node(n: u8) -> NodeId {
    NodeId([n; 32])
}

fn tag(n: u8) -> Tag {
    [n; 16]
}

impl Carol {
    fn new() -> Carol {
        let now = Now { mono: Instant::START + Duration::from_secs(1), wall: WallTime(20_780 * DAY_S) };
        let mailbox = Mailbox::restore(now, LIMITS, &[], []);
        let (recipients, envelopes, answers) = Default::default();
        Carol { mailbox, now, recipients, envelopes, answers, tokens: 0 }
    }

    fn input(&mut self, input: Input) {
        self.mailbox.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.mailbox.poll_output() {
            match output {
                Output::Persist(changes) => changes.into_iter().for_each(|change| self.commit(change)),
                Output::Answer(token, answer) => {
                    assert!(self.answers.insert(token, answer).is_none(), "answered twice");
                }
                Output::Read { token, node, ids, more } => {
                    let read = |id| self.envelopes.get(&(node, id)).map(|(_, bytes)| (id, bytes.clone()));
                    let envelopes = ids.into_iter().filter_map(read).collect();
                    let answer = Answer::Envelopes { envelopes, more };
                    assert_eq!(Answer::decode(&answer.encode()).as_ref(), Ok(&answer), "it keeps to the limits");
                    assert!(self.answers.insert(token, answer).is_none(), "answered twice");
                }
            }
        }
        let bytes: usize = self.envelopes.values().map(|(_, bytes)| bytes.len()).sum();
        let usage = self.mailbox.usage();
        assert_eq!((usage.envelopes, usage.bytes), (self.envelopes.len(), bytes as u64), "what is stored is counted");
        assert_eq!(usage.recipients, self.recipients.len());
    }

    fn commit(&mut self, change: Change) {
        match change {
            Change::Recipient(node, Some(fact)) => _ = self.recipients.insert(node, fact),
            Change::Recipient(node, None) => _ = self.recipients.remove(&node),
            Change::Envelope(node, id, Some(envelope)) => {
                assert!(self.envelopes.insert((node, id), envelope).is_none(), "a number is used once");
            }
            Change::Envelope(node, id, None) => _ = self.envelopes.remove(&(node, id)),
        }
    }

    fn ask(&mut self, node: NodeId, person: Option<PersonId>, request: Request) -> Token {
        self.tokens += 1;
        self.input(Input::Request { token: self.tokens, node, person, request });
        self.tokens
    }

    fn answer(&mut self, node: NodeId, person: Option<PersonId>, request: Request) -> Answer {
        let token = self.ask(node, person, request);
        self.answers.remove(&token).expect("answered at once")
    }

    fn register(&mut self, n: u8, person: PersonId, tags: &[Tag]) -> Answer {
        self.answer(node(n), Some(person), Request::Register { tags: tags.to_vec() })
    }

    /// Alice leaves something.
    fn deposit(&mut self, n: u8, envelope: &[u8]) -> Answer {
        self.deposit_by(99, n, envelope)
    }

    fn deposit_by(&mut self, who: u8, n: u8, envelope: &[u8]) -> Answer {
        self.answer(node(who), None, Request::Deposit { tag: tag(n), envelope: envelope.to_vec() })
    }

    fn fetch(&mut self, n: u8, after: u64) -> Answer {
        self.answer(node(n), None, Request::Fetch { after, wait_s: 0 })
    }

    /// All that a node gets, with their numbers.
    fn fetch_all(&mut self, n: u8) -> Vec<(u64, Vec<u8>)> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |(id, _)| *id);
            let Answer::Envelopes { envelopes, more } = self.fetch(n, after) else { panic!("refused") };
            all.extend(envelopes);
            if !more {
                return all;
            }
        }
    }

    fn wait(&mut self, n: u8, after: u64, wait_s: u8) -> Token {
        self.ask(node(n), None, Request::Fetch { after, wait_s })
    }

    fn pass(&mut self, seconds: u64) {
        self.now =
            Now { mono: self.now.mono + Duration::from_secs(seconds), wall: WallTime(self.now.wall.0 + seconds) };
        if self.mailbox.poll_timeout().is_some_and(|due| due <= self.now.mono) {
            self.input(Input::Timeout);
        }
    }

    fn restart(&mut self) {
        let recipients: Vec<_> = self.recipients.iter().map(|(node, fact)| (*node, fact.clone())).collect();
        let indexed = |(key, value): (&(NodeId, u64), &(WallTime, Vec<u8>))| Indexed {
            node: key.0,
            id: key.1,
            len: value.1.len() as u32,
            when: value.0,
        };
        let envelopes: Vec<_> = self.envelopes.iter().map(indexed).collect();
        self.mailbox = Mailbox::restore(self.now, LIMITS, &recipients, envelopes);
        self.drain();
    }
}

fn registered() -> Answer {
    Answer::Registered { quota_bytes: LIMITS.quota_bytes, expiry_s: EXPIRY_S }
}

fn bytes(all: Vec<(u64, Vec<u8>)>) -> Vec<Vec<u8>> {
    all.into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
fn bob_comes_home_and_finds_what_alice_left() {
    let mut carol = Carol::new();
    assert_eq!(carol.register(1, BOB, &[tag(1), tag(2)]), registered());
    assert_eq!(carol.deposit(1, b"one"), Answer::Kept);
    assert_eq!(carol.deposit(2, b"two"), Answer::Kept);
    assert_eq!(carol.deposit(9, b"for nobody"), Answer::Refused(Refusal::UnknownTag));

    let all = carol.fetch_all(1);
    assert_eq!(bytes(all.clone()), [b"one".to_vec(), b"two".to_vec()]);
    assert_eq!(carol.fetch_all(1), all, "until he deletes them they stay");
    let ids = vec![all[0].0, 12_345];
    assert_eq!(carol.answer(node(1), None, Request::Delete { ids }), Answer::Deleted);
    assert_eq!(bytes(carol.fetch_all(1)), [b"two".to_vec()]);
}

#[test]
fn what_came_under_a_tag_of_days_ago_is_still_bob_s() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.deposit(1, b"old tag");
    carol.register(1, BOB, &[tag(2)]);
    assert_eq!(carol.deposit(1, b"too late"), Answer::Refused(Refusal::UnknownTag));
    carol.deposit(2, b"new tag");
    carol.restart();
    assert_eq!(bytes(carol.fetch_all(1)), [b"old tag".to_vec(), b"new tag".to_vec()]);
    assert_eq!(carol.deposit(2, b"after the restart"), Answer::Kept);
}

#[test]
fn a_box_is_open_to_its_node_alone() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.deposit(1, b"for Bob");
    let id = carol.fetch_all(1)[0].0;
    assert_eq!(carol.fetch(3, 0), Answer::Refused(Refusal::NotRegistered));
    carol.answer(node(3), None, Request::Delete { ids: vec![id] });
    carol.register(3, ERIN, &[tag(3)]);
    assert_eq!(carol.fetch_all(3), []);
    carol.answer(node(3), None, Request::Delete { ids: vec![id] });
    assert_eq!(bytes(carol.fetch_all(1)), [b"for Bob".to_vec()]);
    let stranger = carol.answer(node(4), None, Request::Register { tags: vec![tag(4)] });
    assert_eq!(stranger, Answer::Refused(Refusal::NotOffered));
}

#[test]
fn who_waits_is_answered_when_something_comes_or_the_time_is_up() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    let waiting = carol.wait(1, 0, 50);
    assert_eq!(carol.answers.get(&waiting), None);
    carol.deposit(1, b"here");
    let Some(Answer::Envelopes { envelopes, more: false }) = carol.answers.remove(&waiting) else { panic!("waits") };
    assert_eq!(envelopes[0].1, b"here");

    let after = envelopes[0].0;
    let waiting = carol.wait(1, after, 50);
    carol.pass(49);
    assert_eq!(carol.answers.get(&waiting), None);
    carol.pass(1);
    assert_eq!(carol.answers.remove(&waiting), Some(NOTHING));

    // The second question takes the first one's place.
    let (first, second) = (carol.wait(1, after, 50), carol.wait(1, after, 50));
    assert_eq!(carol.answers.remove(&first), Some(NOTHING));
    carol.input(Input::Dropped(second));
    carol.deposit(1, b"nobody waits");
    assert_eq!(carol.answers.get(&second), None);
    assert_eq!(bytes(carol.fetch_all(1)).len(), 2);
}

#[test]
fn an_answer_to_whoever_waits_comes_after_the_commit() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.wait(1, 0, 50);
    let request = Request::Deposit { tag: tag(1), envelope: vec![7] };
    carol.mailbox.handle(carol.now, Input::Request { token: 77, node: node(9), person: None, request });
    let kinds: Vec<_> = std::iter::from_fn(|| carol.mailbox.poll_output())
        .map(|output| match output {
            Output::Persist(_) => "persist",
            Output::Answer(77, Answer::Kept) => "kept",
            Output::Read { .. } => "read",
            Output::Answer(..) => "another",
        })
        .collect();
    assert_eq!(kinds, ["persist", "kept", "read"]);
}

#[test]
fn no_number_is_used_twice_whatever_was_deleted() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    let mut last = 0;
    for round in 0..3_000 {
        assert_eq!(carol.deposit(1, &[1]), Answer::Kept);
        let Answer::Envelopes { envelopes, .. } = carol.fetch(1, last) else { panic!("refused") };
        assert_eq!(envelopes.len(), 1, "round {round}: who asks for what is after {last} sees it");
        last = envelopes[0].0;
        carol.answer(node(1), None, Request::Delete { ids: vec![last] });
        if round % 500 == 499 {
            carol.restart();
        }
    }
    carol.input(Input::Withdraw(BOB));
    carol.pass(10);
    carol.register(1, BOB, &[tag(1)]);
    carol.deposit(1, &[1]);
    assert!(carol.fetch_all(1)[0].0 > last, "not by a new box either");
}

/// Mallory has Bob's card, computes his tags, and registers them first.
#[test]
fn who_registers_another_s_tags_does_not_keep_them_from_anything() {
    let mut carol = Carol::new();
    let mallory = PersonId([6; 32]);
    for n in 60..70 {
        carol.register(n, mallory, &[tag(1)]);
    }
    assert_eq!(carol.register(1, BOB, &[tag(1), tag(2)]), registered());
    assert_eq!(carol.deposit(1, b"for Bob"), Answer::Kept);
    assert_eq!(bytes(carol.fetch_all(1)), [b"for Bob".to_vec()]);
    assert_eq!(carol.fetch_all(61), [], "of many nodes of one person one gets a copy");
    assert_eq!(carol.fetch_all(60).len(), 1);
    for n in 1..=2 {
        assert_eq!(carol.register(70 + n, PersonId([70 + n; 32]), &[tag(1)]), registered());
    }
    assert_eq!(carol.register(80, PersonId([80; 32]), &[tag(1)]), Answer::Refused(Refusal::TagTaken));
}

#[test]
fn whom_the_mailbox_is_not_offered_to_any_more_is_told_and_forgotten() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.register(3, ERIN, &[tag(3)]);
    carol.deposit(3, b"for Erin");
    let waiting = carol.wait(1, 0, 50);
    carol.input(Input::Withdraw(BOB));
    assert_eq!(carol.answers.remove(&waiting), Some(Answer::Refused(Refusal::NotRegistered)));
    assert_eq!(carol.deposit(1, b"x"), Answer::Refused(Refusal::UnknownTag));
    assert_eq!(carol.fetch_all(3).len(), 1);

    carol.register(3, BOB, &[tag(3)]);
    assert_eq!(carol.fetch_all(3), [], "Erin's node is Bob's now: what was for her is gone");
}

#[test]
fn what_the_store_has_for_nobody_is_deleted() {
    let mut carol = Carol::new();
    carol.register(1, BOB, &[tag(1)]);
    carol.deposit(1, b"one");
    carol.recipients.insert(node(8), b"broken".to_vec());
    carol.envelopes.insert((node(7), 1), (WallTime(0), b"whose?".to_vec()));
    carol.restart();
    assert_eq!((carol.recipients.len(), carol.envelopes.len()), (1, 1));
}
