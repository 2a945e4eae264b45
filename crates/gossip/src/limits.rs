//! Every limit of gossip, with its reason.

use std::time::Duration;

/// The longest payload of a message, in bytes: arbitrary. Gossip tells that something happened; what is large is fetched.
pub const MAX_PAYLOAD: usize = 16 * 1024;

/// The longest frame between two nodes, in bytes: a message of [`MAX_PAYLOAD`] with its signature (104 bytes), the
/// topic (32) and the protocol's own fields (at most 64).
pub const MAX_FRAME: usize = MAX_PAYLOAD + 200;

/// Topics that a node follows at most: arbitrary, far above the groups that a person is in.
pub const MAX_TOPICS: usize = 1024;

/// Nodes that are linked or dialled at a time: five neighbours a topic, and many topics share them.
pub const MAX_LINKS: usize = 1024;

/// Frames that wait for a dial to end, for one node: a join and what it brings.
pub const MAX_WAITING: usize = 32;

/// Nodes of one topic that are kept to find company again. Where a topic names its members, those are used as well.
pub const MAX_CONTACTS: usize = 64;

/// Nodes that one shuffle may name: three of the active view, four of the passive one, and the origin (the numbers of
/// HyParView's paper, section 5.1).
pub const MAX_NAMED: usize = 8;

/// Hops of a random walk: HyParView's paper, section 5.1.
pub const MAX_WALK: u16 = 6;

/// Hops of a message. A tree of a million nodes is not that deep; the protocol adds one a hop and must not overflow.
pub const MAX_HOPS: u16 = 1000;

/// Authors that a topic remembers, so that nothing of theirs is delivered twice.
pub const MAX_AUTHORS: usize = 1024;

/// Messages of one author that are remembered; older ones than the oldest of them are refused.
pub const MAX_REMEMBERED: usize = 128;

/// Messages of an author a second, on average; and how many may come at once. Arbitrary: more than people and their
/// computers have to tell.
pub const AUTHOR_RATE: (u32, u32) = (20, 128);

/// Names of messages (`IHave`) that one neighbour may announce a second, and at once: those of many authors.
pub const ANNOUNCED_RATE: (u32, u32) = (200, 2_000);

/// Messages that one neighbour may ask for again (`Graft`) a second, and at once.
pub const GRAFT_RATE: (u32, u32) = (100, 1_000);

/// How far the clock of an author may be off, either way. Messages outside it are refused: a member that kept an old
/// message cannot bring it back after a day to a node that has forgotten it.
pub const MAX_SKEW: Duration = Duration::from_secs(24 * 3600);

/// How long a message is kept for those who ask for it again, and told to new neighbours: longer than a node can be cut off
/// by neighbours that do not read, which it notices after [`QUIET`] and [`ANSWER_WITHIN`], with time to find others.
pub const KEPT: Duration = Duration::from_secs(120);

/// How long the protocol remembers that a message was here.
pub const REMEMBERED: Duration = Duration::from_secs(300);

/// After this time a message that comes again is not even shown to the protocol, which is about to forget it.
pub const REPEATED: Duration = Duration::from_secs(240);

/// What a new neighbour is told of at most: messages of the last [`KEPT`].
pub const MAX_TOLD: usize = 64;

/// How long a message announced by one neighbour is awaited from another before it is asked for: three of the long
/// round trips there are. The protocol's own 80 ms ask twice for most messages that cross an ocean.
pub const GRAFT_AFTER: Duration = Duration::from_millis(500);

/// How long the answer to that is awaited before the next neighbour is asked.
pub const GRAFT_AGAIN: Duration = Duration::from_millis(300);

/// How long announcements are gathered.
pub const ANNOUNCE_AFTER: Duration = Duration::from_millis(50);

/// How often the protocol drops what it need not keep. Each is a wake-up, so not every second.
pub const EVICT_EVERY: Duration = Duration::from_secs(10);

/// How long an answer to a neighbour request is awaited: it includes a dial, which may go through a relay.
pub const NEIGHBOUR_WITHIN: Duration = Duration::from_secs(10);

/// Members that a topic without neighbours greets at a time; one with as many greets one.
pub const JOIN_AT_ONCE: usize = 3;

/// When members that are no neighbours are greeted, doubling from the first to the last: a topic without company finds
/// some, and halves of a group that lost one another, or never met, find together. After the loss of the last
/// neighbour it begins anew.
pub const GREET_AFTER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// Where it begins anew when fewer than [`JOIN_AT_ONCE`] neighbours are left: they may have nobody but one another, and
/// what goes round elsewhere is kept for [`KEPT`]. Not sooner: who is greeted lets another neighbour go, and the protocol
/// finds others by itself in nearly all cases.
pub const GREET_WITH_FEW: Duration = Duration::from_secs(30);

/// How long a link without a topic is kept: its first frame may be on the way.
pub const IDLE_LINK: Duration = Duration::from_secs(30);

/// A link on which nothing came for this long is asked for a sign of life. The protocol has none: a node that reads nothing, and
/// to which little is sent, would stay a neighbour for ever, and five of them cut a node off.
pub const QUIET: Duration = Duration::from_secs(60);

/// How long the sign of life may take, behind what is queued before it.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How long a node that did not read is left alone.
pub const SHUN: Duration = Duration::from_secs(60);

/// Shunned nodes that are remembered.
pub const MAX_SHUNNED: usize = 1024;
