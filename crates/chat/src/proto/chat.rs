//! All conversations of a node: the state machine.
//!
//! What is written is queued for each node that gets it (`post`), sealed for it alone and sent on a stream or left in its
//! mailboxes (`link`, `deposit`). What comes is opened, taken in order (`take`) and shown after its causes (`Course`);
//! what is missing is asked for (`ask`). Our own nodes bring one another up to date (`own`).
//!
//! Invariant: whatever an input changes is one [`Output::Persist`], and nothing that rests on it leaves before that: no
//! acknowledgement of what is not stored, no envelope whose session is not, no deletion in a mailbox of what was not taken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::{Instant, NodeId, Now, PersonId};

use super::cipher::Cipher;
use super::conversation::{Course, Standing};
use super::id::{Conversation, MessageId, Pen};
use super::ids::Ids;
use super::io::{Change, ChatError, Event, Input, Known, Output, Token};
use super::message::Body;

mod agenda;
mod ask;
mod cards;
mod deposit;
mod facts;
mod link;
mod own;
mod peer;
mod people;
mod pickup;
mod post;
mod take;
mod typing;
mod who;
mod write;

use agenda::{Agenda, Due};
use ask::Fetch;
use cards::{Cardless, Strange};
use own::Wanted;
use peer::Peer;
use people::People;
use pickup::Pickup;
use post::Posts;
pub use take::{MAX_REQUEST_LEN, MAX_REQUEST_MESSAGES, MAX_REQUESTS};

/// How much memory all messages that wait for their causes take. Arbitrary.
const MAX_HELD_COST: usize = 32 << 20;

/// After what time a missing cause is asked for: what was sent at the same moment arrives meanwhile. Arbitrary.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// What the state machine is made of.
#[derive(Debug)]
pub struct Parts<C> {
    /// Whose node it is.
    pub me: PersonId,
    /// Which node it is.
    pub node: NodeId,
    /// What seals and opens, restored of its own facts.
    pub cipher: C,
    /// Random, another in each run.
    pub seed: u64,
    /// What the user chose.
    pub settings: Settings,
}

/// What the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether others hear what was read.
    pub receipts: bool,
    /// Whether others hear that something is being written.
    pub typing: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { receipts: true, typing: true }
    }
}

/// The conversations of a node. See the module.
#[derive(Debug)]
pub struct Chat<C> {
    me: PersonId,
    cipher: C,
    rng: fastrand::Rng,
    settings: Settings,
    /// Which this node writes with.
    pen: Pen,
    people: People,
    /// Whether the people were named since the start.
    is_introduced: bool,
    /// Whether the clock was ever read.
    is_awake: bool,
    courses: BTreeMap<Conversation, Course>,
    /// What all that waits for its causes takes in memory.
    held_cost: usize,
    /// What waits since its author is no member as far as is known here.
    doubted: BTreeSet<(Conversation, MessageId)>,
    /// Conversations of people who may not write unasked.
    requests: BTreeSet<Conversation>,
    posts: Posts,
    peers: BTreeMap<NodeId, Peer>,
    /// With which nodes a stream stands, whether they are known or not.
    connected: BTreeSet<NodeId>,
    strange: Strange,
    fetches: BTreeMap<Token, Fetch>,
    questions: BTreeMap<Token, Question>,
    last_token: Token,
    pickups: BTreeMap<NodeId, Pickup>,
    /// Whether everybody has to hear of our card, which names other mailboxes.
    card_is_news: bool,
    /// What came from others, to be told to our other nodes.
    news: BTreeMap<Conversation, Ids>,
    /// What our other nodes have and this one does not.
    wanted: BTreeMap<NodeId, Wanted>,
    /// Nodes whose card is missing.
    cardless: Cardless,
    typing: typing::Typing,
    agenda: Agenda,
    /// What this input changed so far.
    changes: Vec<Change>,
    facts: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    changed_courses: BTreeSet<Conversation>,
    changed_peers: BTreeSet<NodeId>,
    changed_news: BTreeSet<Conversation>,
    changed_wanted: BTreeSet<(NodeId, Conversation, bool)>,
    /// Nodes for which there may be something to send.
    ready: BTreeSet<NodeId>,
    /// What this input wants to be done, behind the changes.
    wishes: Vec<Output>,
    out: VecDeque<Output>,
}

/// What was asked of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// To keep something for this node.
    Deposit(NodeId),
    /// For what it keeps for us, or what belongs to that.
    Pickup(NodeId),
}

impl<C: Cipher> Chat<C> {
    /// Makes it of all that was persisted: nothing at first. Facts whose keys begin with `v` are the cipher's, which is
    /// restored of them before; they are passed over here.
    pub fn new(parts: Parts<C>, facts: Vec<(Vec<u8>, Vec<u8>)>) -> Chat<C> {
        let Parts { me, node, cipher, seed, settings } = parts;
        let mut rng = fastrand::Rng::with_seed(seed);
        let pen = Pen::new(me, std::array::from_fn(|_| rng.u8(..)));
        let mut chat = Chat {
            me,
            cipher,
            rng,
            settings,
            pen,
            people: People::new(me, node, Known::default()),
            is_introduced: false,
            is_awake: false,
            courses: BTreeMap::new(),
            held_cost: 0,
            doubted: BTreeSet::new(),
            requests: BTreeSet::new(),
            posts: Posts::default(),
            peers: BTreeMap::new(),
            connected: BTreeSet::new(),
            strange: Strange::default(),
            fetches: BTreeMap::new(),
            questions: BTreeMap::new(),
            last_token: 0,
            pickups: BTreeMap::new(),
            card_is_news: false,
            news: BTreeMap::new(),
            wanted: BTreeMap::new(),
            cardless: Cardless::default(),
            typing: typing::Typing::default(),
            agenda: Agenda::default(),
            changes: Vec::new(),
            facts: BTreeMap::new(),
            changed_courses: BTreeSet::new(),
            changed_peers: BTreeSet::new(),
            changed_news: BTreeSet::new(),
            changed_wanted: BTreeSet::new(),
            ready: BTreeSet::new(),
            wishes: Vec::new(),
            out: VecDeque::new(),
        };
        chat.restore(facts);
        chat
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.begin(now);
        match input {
            Input::People(known) => self.introduce(now, known),
            Input::Mailboxes(mailboxes) => self.choose_mailboxes(now, mailboxes),
            Input::Connected(node) => self.link_up(now, node),
            Input::Disconnected(node) => self.link_down(now, node),
            Input::Unreachable(node) => self.unreachable(now, node),
            Input::Received(node, frame) => self.received(now, node, &frame),
            Input::Answered(token, answer) => self.answered(now, token, answer),
            Input::Fetched(token, messages) => self.fetched(token, messages),
            Input::Timeout => {}
        }
        self.finish(now);
    }

    /// Returns the next thing to be done; drain it after every call.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_awake { self.agenda.next() } else { Some(Instant::START) }
    }

    /// Says something. It is shown here at once, and reaches the others as soon as it can.
    pub fn write(&mut self, now: Now, conversation: &Conversation, body: Body) -> Result<MessageId, ChatError> {
        self.write_at(now, now.wall.0.saturating_mul(1000), conversation, body)
    }

    /// The same where there is a finer clock. `written`: Unix time in milliseconds, as others are shown it.
    pub fn write_at(
        &mut self,
        now: Now,
        written: u64,
        conversation: &Conversation,
        body: Body,
    ) -> Result<MessageId, ChatError> {
        self.begin(now);
        let id = self.say(now, written, conversation, body);
        self.finish(now);
        id
    }

    /// The user read these. Others hear of it if the settings say so.
    pub fn mark_read(&mut self, now: Now, conversation: &Conversation, ids: &[MessageId]) {
        self.begin(now);
        self.read_here(conversation, ids);
        self.finish(now);
    }

    /// The user writes something there, or stopped. Call it as often as keys are pressed.
    pub fn typing(&mut self, now: Now, conversation: &Conversation, on: bool) {
        self.begin(now);
        self.tell_typing(now, conversation, on);
        self.finish(now);
    }

    /// Accepts a request: they may write from now on.
    pub fn accept(&mut self, now: Now, conversation: &Conversation) {
        self.begin(now);
        self.decide(now, conversation, Standing::Accepted);
        self.tell_decided(conversation, true);
        self.finish(now);
    }

    /// Forgets a request: nothing more of theirs is taken, until the user writes to them or makes them a contact. What is
    /// there counts as read.
    pub fn refuse(&mut self, now: Now, conversation: &Conversation) {
        self.begin(now);
        self.decide(now, conversation, Standing::Refused);
        let shown = self.courses.get(conversation).map(Course::shown).unwrap_or_default();
        self.read_here(conversation, &shown.iter().collect::<Vec<_>>());
        self.tell_decided(conversation, false);
        self.finish(now);
    }

    /// Asks our other nodes for all that was said before this one was added.
    pub fn ask_history(&mut self, now: Now) {
        self.begin(now);
        self.want_history();
        self.finish(now);
    }

    /// Changes what the user chose.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Returns how much waits for whom.
    pub fn waiting(&self) -> Vec<(NodeId, usize)> {
        let waiting = self.peers.iter().filter(|(_, peer)| !peer.out.is_empty());
        waiting.map(|(node, peer)| (*node, peer.out.len())).collect()
    }

    /// Returns for how many seconds messages are kept there now; `None`: for good.
    pub fn timer(&self, conversation: &Conversation) -> Option<u32> {
        self.courses.get(conversation).and_then(Course::timer)
    }

    fn node(&self) -> NodeId {
        self.people.node()
    }

    /// Everything that is done begins here.
    fn begin(&mut self, now: Now) {
        if !self.is_awake {
            self.is_awake = true;
            self.wake(now);
        }
    }

    /// Everything that is done ends here: with what is due, what is to be sent, and the outputs in their order.
    fn finish(&mut self, now: Now) {
        while let Some(due) = self.agenda.pop(now.mono) {
            match due {
                Due::Peer(node, timer) => self.peer_due(now, node, timer),
                Due::Asks(conversation) => self.ask_missing(now, &conversation),
                Due::Doubted => self.drop_doubted(now),
                Due::Announce => self.announce(now),
                Due::Page(node) => self.page_late(now, node),
                Due::WantCards => self.want_cards(now),
                Due::Pickup(mailbox) => self.pick_up(now, mailbox),
                Due::Typing(conversation, person) => self.typing_over(conversation, person),
            }
        }
        while let Some(node) = self.ready.pop_first() {
            self.pump(now, node);
        }
        self.flush();
    }

    /// Works on the course of a conversation, and takes care of what has to follow.
    fn course<T>(&mut self, conversation: &Conversation, work: impl FnOnce(&mut Course) -> T) -> T {
        if !self.courses.contains_key(conversation) {
            self.courses.insert(conversation.clone(), Course::default());
        }
        let course = self.courses.get_mut(conversation).expect("it was put there");
        let before = (course.held_cost(), course.next_due());
        let result = work(course);
        self.held_cost = self.held_cost - before.0 + course.held_cost();
        if course.next_due() != before.1 {
            match course.next_due() {
                Some(at) => self.agenda.set(Due::Asks(conversation.clone()), at),
                None => self.agenda.clear(&Due::Asks(conversation.clone())),
            }
        }
        if !self.changed_courses.contains(conversation) {
            self.changed_courses.insert(conversation.clone());
        }
        result
    }

    fn wish(&mut self, output: Output) {
        self.wishes.push(output);
    }

    fn event(&mut self, event: Event) {
        self.wish(Output::Event(event));
    }

    fn token(&mut self) -> Token {
        self.last_token += 1;
        self.last_token
    }
}

#[cfg(test)]
mod tests;
