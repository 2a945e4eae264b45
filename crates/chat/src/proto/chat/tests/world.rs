//! A few nodes in virtual time: each with its tables, its history and its streams, and mailboxes on some.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{GroupId, Instant, NodeId, Now, PersonId, WallTime};

use super::super::super::frame::Frame;
use super::super::super::id::{Conversation, MessageId, RoomName};
use super::super::super::io::{Acquaintance, ChatError, Fellowship, Input, Known, Output, Stage, Token};
use super::super::super::mailbox::{Answer, Refusal, Request};
use super::super::super::message::{Body, Message};
use super::super::super::plain::Plain;
use super::super::Chat;
use super::actor::Actor;

pub(super) const ALICE: PersonId = PersonId([1; 32]);
pub(super) const BOB: PersonId = PersonId([2; 32]);
pub(super) const CAROL: PersonId = PersonId([3; 32]);
pub(super) const DAVE: PersonId = PersonId([4; 32]);

pub(super) const CHOIR: GroupId = GroupId([7; 32]);

/// A node of a person; the first is 1.
pub(super) fn node(person: PersonId, number: u8) -> NodeId {
    NodeId(std::array::from_fn(|i| [person.0[0], number].get(i).copied().unwrap_or(0)))
}

/// The node of a person who has one.
pub(super) fn of(person: PersonId) -> NodeId {
    node(person, 1)
}

pub(super) fn room() -> Conversation {
    Conversation::Room(CHOIR, RoomName::main())
}

pub(super) fn text(words: &str) -> Body {
    Body::Text { text: words.to_owned(), answers: None }
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn hours(hours: u64) -> Duration {
    seconds(3600 * hours)
}

/// Where virtual time begins on the wall.
const BEGINNING: WallTime = WallTime(1_795_000_000);

/// How long a frame takes.
pub(super) const LATENCY: Duration = Duration::from_millis(10);

/// What happens at a time.
enum Happening {
    Input(NodeId, u64, Input),
    /// Both ends hear of a stream.
    Stream(NodeId, NodeId),
}

#[derive(Default)]
struct Box {
    envelopes: Vec<(u64, Vec<u8>)>,
    last: u64,
}

/// All of them. See the module.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) actors: BTreeMap<NodeId, Actor>,
    pub(super) groups: BTreeMap<GroupId, BTreeSet<PersonId>>,
    /// Who is no contact of whom.
    pub(super) strangers: BTreeSet<(PersonId, PersonId)>,
    pub(super) blocked: BTreeSet<(PersonId, PersonId)>,
    /// Which nodes do not know of which.
    pub(super) hidden: BTreeSet<(NodeId, NodeId)>,
    pub(super) streams: BTreeSet<(NodeId, NodeId)>,
    queue: BTreeMap<(Instant, u64), Happening>,
    last: u64,
    tags: BTreeMap<(NodeId, [u8; 16]), NodeId>,
    boxes: BTreeMap<(NodeId, NodeId), Box>,
    /// How many of a hundred frames and questions are lost, how many come twice, and how late they come.
    pub(super) loss: u8,
    pub(super) twice: u8,
    pub(super) jitter: Duration,
    pub(super) rng: fastrand::Rng,
    /// How many frames were sent.
    pub(super) frames: u64,
}

impl World {
    /// People with so many nodes each, all contacts of one another, all awake.
    pub(super) fn new(people: &[(PersonId, u8)]) -> World {
        let mut world = World {
            now: Instant::START + seconds(1000),
            actors: BTreeMap::new(),
            groups: BTreeMap::new(),
            strangers: BTreeSet::new(),
            blocked: BTreeSet::new(),
            hidden: BTreeSet::new(),
            streams: BTreeSet::new(),
            queue: BTreeMap::new(),
            last: 0,
            tags: BTreeMap::new(),
            boxes: BTreeMap::new(),
            loss: 0,
            twice: 0,
            jitter: Duration::ZERO,
            rng: fastrand::Rng::with_seed(1),
            frames: 0,
        };
        for (person, nodes) in people {
            (1..=*nodes).for_each(|number| world.add(*person, number));
        }
        world.introduce();
        world
    }

    /// The same, all in one group.
    pub(super) fn in_a_room(people: &[(PersonId, u8)]) -> World {
        let mut world = World::new(people);
        world.groups.insert(CHOIR, people.iter().map(|(person, _)| *person).collect());
        world.introduce();
        world
    }

    /// Adds a node, of which the others hear with the next [`World::introduce`].
    pub(super) fn add(&mut self, person: PersonId, number: u8) {
        let id = node(person, number);
        let actor = Actor::new(person, id);
        self.actors.insert(id, actor);
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.now, wall: WallTime(BEGINNING.0 + self.now.since_start().as_secs()) }
    }

    /// What a node knows of people.
    pub(super) fn known(&self, node: NodeId) -> Known {
        let me = self.actors[&node].person;
        let mut people = BTreeMap::<PersonId, BTreeSet<NodeId>>::new();
        for (other, actor) in &self.actors {
            let nodes = people.entry(actor.person).or_default();
            if !self.hidden.contains(&(node, *other)) {
                nodes.insert(*other);
            }
        }
        let is_contact = |person| !self.strangers.contains(&(me, person));
        let fellows: BTreeSet<_> = self.groups.values().filter(|members| members.contains(&me)).flatten().collect();
        let people = people.into_iter().filter(|(person, _)| is_contact(*person) || fellows.contains(person));
        let people = people.map(|(person, nodes)| Acquaintance { person, nodes, is_contact: is_contact(person) });
        let groups = self.groups.iter().filter(|(_, members)| members.contains(&me));
        let groups = groups.map(|(group, members)| Fellowship { group: *group, members: members.clone() });
        let blocked = self.blocked.iter().filter(|(by, _)| *by == me).map(|(_, whom)| *whom);
        Known { people: people.collect(), groups: groups.collect(), blocked: blocked.collect() }
    }

    /// Lets all that are awake know how the people are now.
    pub(super) fn introduce(&mut self) {
        let awake: Vec<_> = self.actors.iter().filter(|(_, actor)| actor.is_awake).map(|(node, _)| *node).collect();
        for node in awake {
            let known = self.known(node);
            self.input(node, Input::People(known));
        }
    }

    /// What the clocks of a node say.
    pub(super) fn now_on(&self, node: NodeId) -> Now {
        let Now { mono, wall } = self.now();
        Now { mono, wall: WallTime(wall.0.saturating_add_signed(self.actors[&node].wrong_s)) }
    }

    pub(super) fn input(&mut self, node: NodeId, input: Input) {
        let now = self.now_on(node);
        self.actor(node).chat.handle(now, input);
        self.drain(node);
    }

    pub(super) fn actor(&mut self, node: NodeId) -> &mut Actor {
        self.actors.get_mut(&node).unwrap()
    }

    pub(super) fn write(&mut self, node: NodeId, conversation: &Conversation, body: Body) -> MessageId {
        self.try_write(node, conversation, body).unwrap()
    }

    pub(super) fn try_write(
        &mut self,
        node: NodeId,
        conversation: &Conversation,
        body: Body,
    ) -> Result<MessageId, ChatError> {
        let now = self.now_on(node);
        let result = self.actor(node).chat.write(now, conversation, body);
        self.drain(node);
        result
    }

    /// Names the mailboxes of a node, which are on other nodes.
    pub(super) fn mailboxes(&mut self, node: NodeId, mailboxes: &[NodeId]) {
        let mailboxes: Vec<_> = mailboxes.iter().map(|mailbox| (*mailbox, vec!["there".to_owned()])).collect();
        self.actor(node).mailboxes = mailboxes.clone();
        self.input(node, Input::Mailboxes(mailboxes));
    }

    /// Does what a node wants to be done.
    pub(super) fn drain(&mut self, node: NodeId) {
        while let Some(output) = self.actor(node).chat.poll_output() {
            if let Some(log) = &mut self.actor(node).log {
                log.push(output.clone());
            }
            self.obey(node, output);
        }
    }

    fn obey(&mut self, node: NodeId, output: Output) {
        match output {
            Output::Persist(changes) => changes.into_iter().for_each(|change| self.actor(node).store(change)),
            Output::Send(to, frame) => {
                self.frames += 1;
                // A stream loses nothing but with its end; an envelope is lost when the other end cannot open or store it.
                let is_card = matches!(Frame::decode(&frame), Some(Frame::Card(_)));
                if self.streams.contains(&(node, to)) && (is_card || self.rng.u8(..100) >= self.loss) {
                    let copies = if self.rng.u8(..100) < self.twice { 2 } else { 1 };
                    (0..copies).for_each(|_| self.later(to, Input::Received(node, frame.clone())));
                }
            }
            Output::Dial(to) => {
                let is_there = self.actors.get(&to).is_some_and(|actor| actor.is_awake);
                let arrives = self.now + Duration::from_millis(if is_there { 20 } else { 1000 });
                if is_there {
                    self.put(arrives, Happening::Stream(node, to));
                } else {
                    let run = self.actors[&node].runs;
                    self.put(arrives, Happening::Input(node, run, Input::Unreachable(to)));
                }
            }
            Output::Ask { token, mailbox, whereabouts, request } => {
                assert_eq!(whereabouts, ["there"]);
                let answer = self.ask(node, mailbox, &request);
                let answer = answer.filter(|_| self.rng.u8(..100) >= self.loss);
                self.later(node, Input::Answered(token, answer.map(|answer| answer.encode())));
            }
            Output::Fetch(token, conversation, ids) => self.fetch(node, token, &conversation, &ids),
            Output::Event(event) => self.actor(node).events.push(event),
        }
    }

    fn fetch(&mut self, node: NodeId, token: Token, conversation: &Conversation, ids: &[MessageId]) {
        let history = self.actors[&node].history.iter();
        let found = history.filter(|message| message.conversation == *conversation && ids.contains(&message.id));
        let found = self.actors[&node].reads.then(|| found.cloned().collect());
        self.later(node, Input::Fetched(token, found));
    }

    /// What a mailbox says, if it is awake.
    fn ask(&mut self, node: NodeId, mailbox: NodeId, request: &[u8]) -> Option<Answer> {
        if !self.actors[&mailbox].is_awake {
            return None;
        }
        Some(match Request::decode(request).unwrap() {
            Request::Register { tags } => {
                self.tags.retain(|(at, _), whose| *at != mailbox || *whose != node);
                self.tags.extend(tags.into_iter().map(|tag| ((mailbox, tag), node)));
                Answer::Registered { quota_bytes: 1, expiry_s: 1 }
            }
            Request::Deposit { tag, envelope } => match self.tags.get(&(mailbox, tag)) {
                Some(whose) => {
                    let kept = self.boxes.entry((mailbox, *whose)).or_default();
                    kept.last += 1;
                    kept.envelopes.push((kept.last, envelope));
                    Answer::Kept
                }
                None => Answer::Refused(Refusal::UnknownTag),
            },
            Request::Fetch { after, .. } => {
                let kept = self.boxes.entry((mailbox, node)).or_default();
                let envelopes = kept.envelopes.iter().filter(|(id, _)| *id > after).take(4).cloned().collect();
                Answer::Envelopes { envelopes, more: false }
            }
            Request::Delete { ids } => {
                self.boxes.entry((mailbox, node)).or_default().envelopes.retain(|(id, _)| !ids.contains(id));
                Answer::Deleted
            }
        })
    }

    /// How many envelopes lie in mailboxes for a node.
    pub(super) fn lying_for(&self, node: NodeId) -> usize {
        let boxes = self.boxes.iter().filter(|((_, whose), _)| *whose == node);
        boxes.map(|(_, kept)| kept.envelopes.len()).sum()
    }

    /// Which mailboxes have something for a node.
    pub(super) fn keepers_for(&self, node: NodeId) -> Vec<NodeId> {
        let boxes = self.boxes.iter().filter(|((_, whose), kept)| *whose == node && !kept.envelopes.is_empty());
        boxes.map(|((mailbox, _), _)| *mailbox).collect()
    }

    /// All mailboxes forget what they have.
    pub(super) fn forget_mail(&mut self) {
        self.boxes.clear();
    }

    pub(super) fn forget_mail_at(&mut self, mailbox: NodeId) {
        self.boxes.retain(|(at, _), _| *at != mailbox);
    }

    fn later(&mut self, node: NodeId, input: Input) {
        let jitter = self.jitter.mul_f64(self.rng.f64());
        let run = self.actors[&node].runs;
        self.put(self.now + LATENCY + jitter, Happening::Input(node, run, input));
    }

    fn put(&mut self, at: Instant, happening: Happening) {
        self.last += 1;
        self.queue.insert((at, self.last), happening);
    }

    /// A stream between two nodes stands.
    pub(super) fn connect(&mut self, one: NodeId, other: NodeId) {
        self.streams.extend([(one, other), (other, one)]);
        self.input(one, Input::Connected(other));
        self.input(other, Input::Connected(one));
    }

    pub(super) fn disconnect(&mut self, one: NodeId, other: NodeId) {
        if self.streams.remove(&(one, other)) {
            self.streams.remove(&(other, one));
            for (node, other) in [(one, other), (other, one)] {
                if self.actors[&node].is_awake {
                    self.input(node, Input::Disconnected(other));
                }
            }
        }
    }

    /// Ends the program on a node, wherever it is: what it wanted to be done and was not is lost.
    pub(super) fn sleep(&mut self, node: NodeId) {
        self.actor(node).is_awake = false;
        self.actor(node).runs += 1;
        let streams: Vec<_> = self.streams.iter().filter(|(one, _)| *one == node).copied().collect();
        streams.into_iter().for_each(|(one, other)| self.disconnect(one, other));
    }

    /// Begins it again, with what its tables have.
    pub(super) fn wake(&mut self, node: NodeId) {
        let actor = self.actor(node);
        actor.is_awake = true;
        actor.runs += 1;
        actor.chat = actor.start();
        let mailboxes = actor.mailboxes.clone();
        let known = self.known(node);
        self.input(node, Input::People(known));
        if !mailboxes.is_empty() {
            self.input(node, Input::Mailboxes(mailboxes));
        }
    }

    pub(super) fn restart(&mut self, node: NodeId) {
        self.sleep(node);
        self.wake(node);
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let awake = self.actors.iter().filter(|(_, actor)| actor.is_awake);
            let timer = awake.filter_map(|(node, actor)| Some((actor.chat.poll_timeout()?, *node))).min();
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next = timer.map(|(at, _)| at).into_iter().chain(queued).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            match (queued.filter(|at| *at <= self.now), timer) {
                (Some(_), _) => {
                    let (_, happening) = self.queue.pop_first().unwrap();
                    self.happen(happening);
                }
                (None, Some((_, node))) => self.input(node, Input::Timeout),
                (None, None) => unreachable!("one of them named the time"),
            }
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(node, run, input) => {
                let actor = &self.actors[&node];
                let lives = actor.is_awake && actor.runs == run;
                let stands = match &input {
                    Input::Received(from, _) => self.streams.contains(&(*from, node)),
                    _ => true,
                };
                if lives && stands {
                    self.input(node, input);
                }
            }
            Happening::Stream(one, other) => {
                let (here, there) = (self.actors[&one].is_awake, self.actors[&other].is_awake);
                match (here, there) {
                    (true, true) => self.connect(one, other),
                    (true, false) => self.input(one, Input::Unreachable(other)),
                    (false, _) => {}
                }
            }
        }
    }

    /// What a node shows of a conversation, in the order in which it is shown.
    pub(super) fn shown(&self, node: NodeId, conversation: &Conversation) -> Vec<String> {
        let mut shown: Vec<_> =
            self.actors[&node].history.iter().filter(|message| message.conversation == *conversation).collect();
        shown.sort_by_key(|message| (message.time, message.id));
        shown.into_iter().map(words).collect()
    }

    /// The words of all that a node shows, in the order in which it was told to.
    pub(super) fn told(&self, node: NodeId) -> Vec<String> {
        self.actors[&node].history.iter().map(words).collect()
    }

    pub(super) fn stage(&self, node: NodeId, id: MessageId, person: PersonId) -> Option<Stage> {
        let stages = self.actors[&node].stages.iter();
        let mut of_it = stages.filter(|((_, other, whose), _)| *other == id && *whose == person);
        let stage = of_it.next().map(|(_, stage)| *stage);
        assert!(of_it.next().is_none(), "a number that was used in two conversations");
        stage
    }

    /// How many items wait on a node for others.
    pub(super) fn waiting(&self, node: NodeId) -> usize {
        self.actors[&node].chat.waiting().iter().map(|(_, count)| count).sum()
    }

    /// Checks that nobody waits for anything: no queues, no debts, no held messages.
    pub(super) fn assert_settled(&self) {
        for (node, actor) in &self.actors {
            assert_eq!(actor.chat.waiting(), [], "what waits on {node:?}");
            let kinds = actor.facts.keys().filter(|key| [b'q', b'm', b'o', b'w'].contains(&key[0]));
            assert_eq!(kinds.collect::<Vec<_>>(), Vec::<&Vec<u8>>::new(), "what is kept on {node:?}");
        }
    }
}

pub(super) fn words(message: &Message) -> String {
    match &message.body {
        Body::Text { text, .. } => text.clone(),
        other => format!("{other:?}"),
    }
}

/// What a node wants to be done, without a driver around it.
pub(super) fn outputs(chat: &mut Chat<Plain>) -> VecDeque<Output> {
    std::iter::from_fn(|| chat.poll_output()).collect()
}
