//! One node: its process, its clocks, its store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, NodeId, Now, WallTime};
use chat::proto::{Chat, Output, Stage, Token};
use people::proto::NodeKey;

use super::sealer::Sealer;
use super::view::View;

/// What the clocks that are right show when all begins: 2026-11-22.
const BEGIN_S: u64 = 1_795_305_600;

/// What survives the process.
#[derive(Default)]
pub(super) struct Store {
    pub facts: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How many times each message entered the history, by its index.
    pub inserted: BTreeMap<u32, u32>,
    /// The order in which messages entered for the first time, and when.
    pub order: Vec<(u32, Instant)>,
    /// Of these a message and a cause of it that was missing, by somebody who was no member as far as the node knew.
    pub strange: BTreeSet<(u32, u32)>,
    /// The last of each conversation.
    pub recent: BTreeMap<u16, VecDeque<u32>>,
    pub stages: BTreeMap<(u32, usize), Stage>,
    pub read: BTreeSet<u32>,
    /// Direct conversations that wait for the user's consent.
    pub requests: BTreeSet<u16>,
}

/// A node of a person.
pub(super) struct Node<C: Sealer> {
    pub person: usize,
    pub key: NodeKey,
    pub id: NodeId,
    pub born: bool,
    pub asleep: bool,
    /// The process ended; it is started again later.
    pub down: bool,
    /// The process, while there is one.
    pub chat: Option<Chat<C>>,
    pub store: Store,
    pub view: View,
    /// Whether the process has another view than the node.
    pub stale: bool,
    /// What the process wants and what is not done yet: it waits for something to be stored.
    pub outbox: VecDeque<Output>,
    pub committing: bool,
    /// How long the disk takes.
    pub disk: Duration,
    /// Counts the times that it woke or began: what belongs to an earlier time is no more.
    pub epoch: u32,
    pub starts: u32,
    /// What its monotonic clock leaves out: all before the process began, and perhaps what was slept.
    pub left_out: Duration,
    /// By how much its wall clock is wrong.
    pub wrong_s: i64,
    /// When its wall clock was set.
    pub set: Option<Instant>,
    pub armed: Option<Instant>,
    /// After how many more stores it crashes, and whether the last of them is still done.
    pub crash: Option<(u8, bool)>,
    /// Streams that stand by its own knowledge, with whom.
    pub open: BTreeMap<u64, usize>,
    /// On which stream it sends to whom: the newest.
    pub links: BTreeMap<usize, u64>,
    /// When it went to sleep last.
    pub slept: Instant,
    /// With whom streams ended while it slept.
    pub gone: BTreeSet<usize>,
    pub asked: BTreeSet<Token>,
    pub dialled: BTreeSet<usize>,
    /// The mailboxes that the user named.
    pub mailboxes: Vec<usize>,
    /// When it asked for the history of its person, having come later.
    pub asked_history: Option<Instant>,
}

impl<C: Sealer> Node<C> {
    pub(super) fn new(person: usize, number: usize) -> Node<C> {
        let mut secret = [3; 32];
        secret[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let key = NodeKey::from_secret(&secret);
        Node {
            person,
            id: key.id(),
            key,
            born: true,
            asleep: false,
            down: false,
            chat: None,
            store: Store::default(),
            view: View::default(),
            stale: false,
            outbox: VecDeque::new(),
            committing: false,
            disk: Duration::ZERO,
            epoch: 0,
            starts: 0,
            left_out: Duration::ZERO,
            wrong_s: 0,
            set: None,
            armed: None,
            crash: None,
            open: BTreeMap::new(),
            links: BTreeMap::new(),
            slept: Instant::START,
            gone: BTreeSet::new(),
            asked: BTreeSet::new(),
            dialled: BTreeSet::new(),
            mailboxes: Vec::new(),
            asked_history: None,
        }
    }

    /// Whether its process is there and not stopped.
    pub(super) fn runs(&self) -> bool {
        self.born && !self.asleep && self.chat.is_some()
    }

    /// Reads its clocks, which are wrong in their own ways.
    pub(super) fn now(&self, clock: Instant) -> Now {
        let right = BEGIN_S + clock.since_start().as_secs();
        Now {
            mono: Instant::from_start(clock.since_start().saturating_sub(self.left_out)),
            wall: WallTime(right.saturating_add_signed(self.wrong_s)),
        }
    }

    /// Returns when its process wants to be woken, by the clock of the simulation.
    pub(super) fn due(&self) -> Option<Instant> {
        self.chat.as_ref()?.poll_timeout().map(|due| due + self.left_out)
    }
}

/// What clocks that are right show.
pub(super) fn right_wall(clock: Instant) -> WallTime {
    WallTime(BEGIN_S + clock.since_start().as_secs())
}
