//! The people, their nodes, what goes between them, and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use base::{GroupId, Instant, NodeId, PersonId};
use chat::proto::{Conversation, Input, Message, MessageId, Token};

use super::node::Node;
use super::post::Keeper;
use super::sealer::Sealer;
use super::streams::Stream;
use super::view::{Rumour, Spread};
use super::{ChatOutcome, ChatScenario};
use crate::queue::Queue;
use crate::trace::Trace;

/// A message that was written and stored.
pub(super) struct Said {
    pub at: Instant,
    /// Who wrote it, and on which node.
    pub author: usize,
    pub node: usize,
    pub conversation: u16,
    /// Of which group the conversation is a room.
    pub group: Option<usize>,
    /// For whom it was meant, by what that node knew.
    pub audience: Vec<usize>,
    pub message: Message,
    /// The first time that each person of the audience had it.
    pub reached: BTreeMap<usize, Instant>,
}

/// What happens.
pub(super) enum Happens {
    Timer { node: usize },
    Arrives { stream: u64, end: usize, frame: Vec<u8>, again: bool },
    Dials { from: usize, to: usize, epoch: u32 },
    Fails { from: usize, to: usize, epoch: u32 },
    Opens { stream: u64, from: usize, to: usize, epoch: u32 },
    Breaks { stream: u64 },
    Ends { stream: u64, end: usize },
    Asked { node: usize, epoch: u32, token: Token, keeper: usize, request: Vec<u8>, answered: bool },
    Answered { node: usize, epoch: u32, token: Token, answer: Option<Vec<u8>> },
    Keeps { keeper: usize },
    Naps { keeper: usize, begins: bool },
    Fetched { node: usize, epoch: u32, token: Token, messages: Vec<Message> },
    Commits { node: usize, epoch: u32 },
    Learns { node: usize, rumour: Rumour },
    Sleeps { node: usize },
    Wakes { node: usize },
    Starts { node: usize },
    ArmsCrash { node: usize },
    Dies { node: usize },
    IsBorn { node: usize },
    Fetches { node: usize },
    Moves { node: usize },
    SetsClock { node: usize },
    Talks { conversation: Option<u16>, left: u32 },
    Reads,
    Accepts { node: usize, number: u16 },
    Heals,
    Looks { was_well: bool },
    Ends_,
}

/// All of it.
pub(super) struct Network<C: Sealer> {
    pub scenario: ChatScenario,
    pub rng: fastrand::Rng,
    pub people: Vec<PersonId>,
    pub nodes: Vec<Node<C>>,
    pub by_id: BTreeMap<NodeId, usize>,
    pub groups: Vec<GroupId>,
    pub keepers: Vec<Keeper>,
    pub streams: BTreeMap<u64, Stream>,
    pub stream_count: u64,
    pub queue: Queue<Happens>,
    pub clock: Instant,
    pub healed: bool,
    pub spreads: Vec<Spread>,
    /// Conversations in which somebody said something, by number.
    pub conversations: Vec<Conversation>,
    pub numbers: BTreeMap<Conversation, u16>,
    pub said: Vec<Said>,
    pub index: BTreeMap<(u16, MessageId), u32>,
    /// What was written and is not stored yet: by node, conversation and message the time and the audience.
    pub writing: BTreeMap<(usize, u16, MessageId), (Instant, Vec<usize>)>,
    /// Direct conversations of people who are no contacts that one of them accepted.
    pub accepted: BTreeSet<u16>,
    /// Who gave their word on which request, on any of their nodes.
    pub consents: BTreeSet<(usize, u16)>,
    pub outcome: ChatOutcome,
    trace: Trace,
}

impl<C: Sealer> Network<C> {
    /// Runs a scenario to its end.
    pub(super) fn run(scenario: ChatScenario, log: bool) -> ChatOutcome {
        let mut network: Network<C> = Network {
            rng: fastrand::Rng::with_seed(scenario.seed),
            people: Vec::new(),
            nodes: Vec::new(),
            by_id: BTreeMap::new(),
            groups: Vec::new(),
            keepers: Vec::new(),
            streams: BTreeMap::new(),
            stream_count: 0,
            queue: Queue::new(),
            clock: Instant::START,
            healed: false,
            spreads: Vec::new(),
            conversations: Vec::new(),
            numbers: BTreeMap::new(),
            said: Vec::new(),
            index: BTreeMap::new(),
            writing: BTreeMap::new(),
            accepted: BTreeSet::new(),
            consents: BTreeSet::new(),
            outcome: ChatOutcome::default(),
            trace: Trace::new(log),
            scenario,
        };
        network.plan();
        while let Some((at, happens)) = network.queue.next() {
            network.clock = at;
            if matches!(happens, Happens::Ends_) {
                break;
            }
            network.happens(happens);
        }
        network.outcome.trace = network.trace.hash();
        network.verdict()
    }

    fn happens(&mut self, happens: Happens) {
        match happens {
            Happens::Timer { node } => self.timer(node),
            Happens::Arrives { stream, end, frame, again } => self.arrives(stream, end, frame, again),
            Happens::Dials { from, to, epoch } => self.dials(from, to, epoch),
            Happens::Fails { from, to, epoch } => self.fails(from, to, epoch),
            Happens::Opens { stream, from, to, epoch } => self.opens(stream, from, to, epoch),
            Happens::Breaks { stream } => self.breaks(stream),
            Happens::Ends { stream, end } => self.ends(stream, end),
            Happens::Asked { node, epoch, token, keeper, request, answered } => {
                self.asked((node, epoch, token, answered), keeper, &request);
            }
            Happens::Answered { node, epoch, token, answer } => {
                if self.nodes[node].epoch == epoch && self.nodes[node].asked.remove(&token) {
                    self.give(node, Input::Answered(token, answer));
                }
            }
            Happens::Keeps { keeper } => self.keeps(keeper),
            Happens::Naps { keeper, begins } => self.naps(keeper, begins),
            Happens::Fetched { node, epoch, token, messages } => {
                if self.nodes[node].starts == epoch && self.nodes[node].asleep {
                    // The process goes on with it when it wakes.
                    self.later(Duration::from_secs(60), Happens::Fetched { node, epoch, token, messages });
                } else if self.nodes[node].starts == epoch {
                    self.give(node, Input::Fetched(token, Some(messages)));
                }
            }
            Happens::Commits { node, epoch } => self.commits(node, epoch),
            Happens::Learns { node, rumour } => self.learns(node, rumour),
            Happens::Sleeps { node } => self.sleeps(node),
            Happens::Wakes { node } => self.wakes(node),
            Happens::Starts { node } => self.starts(node),
            Happens::ArmsCrash { node } => self.arms_crash(node),
            Happens::Dies { node } => self.dies(node),
            Happens::IsBorn { node } => self.is_born(node),
            Happens::Fetches { node } => self.fetches(node),
            Happens::Moves { node } => self.moves(node),
            Happens::SetsClock { node } => self.sets_clock(node),
            Happens::Talks { conversation, left } => self.talks(conversation, left),
            Happens::Reads => self.reads(),
            Happens::Accepts { node, number } => self.accepts(node, number),
            Happens::Heals => self.heals(),
            Happens::Looks { was_well } => self.looks(was_well),
            Happens::Ends_ => {}
        }
    }

    pub(super) fn note(&mut self, node: usize, what: fmt::Arguments<'_>) {
        self.trace.line(self.clock, node, what);
    }

    /// Returns a time up to `longest`.
    pub(super) fn within(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.rng.f64())
    }

    pub(super) fn later(&mut self, after: Duration, happens: Happens) {
        self.queue.add(self.clock + after, happens);
    }

    /// Whether what has one chance of a hundred times `per_cent` happens now; in a network that has healed it never does.
    pub(super) fn is_lost(&mut self) -> bool {
        !self.healed && self.rng.u8(..100) < self.scenario.loss_per_cent
    }

    /// Returns the number of a conversation.
    pub(super) fn number(&mut self, conversation: &Conversation) -> u16 {
        if let Some(number) = self.numbers.get(conversation) {
            return *number;
        }
        let number = self.conversations.len() as u16;
        self.conversations.push(conversation.clone());
        self.numbers.insert(conversation.clone(), number);
        number
    }

    pub(super) fn person(&self, id: &PersonId) -> Option<usize> {
        self.people.iter().position(|person| person == id)
    }
}
