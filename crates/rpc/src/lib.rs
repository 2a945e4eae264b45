//! Request, event and client types of the node's API, `/api/v1`.
//!
//! Names are stable: a field keeps its meaning for as long as the path says `v1`, units are part of the name, and a
//! reader skips fields that it does not know.

mod chat;
mod controls;
mod dht;
mod event;
mod group;
mod job;
mod network;
mod overlay;
mod people;
mod problem;
mod service;
mod session;
mod sharing;
mod torrent;
mod updates;

pub use chat::{
    ChatAttach, ChatAttachment, ChatChange, ChatDelivery, ChatEdit, ChatHit, ChatInfo, ChatIrc, ChatKind, ChatLast,
    ChatMailbox, ChatMessage, ChatPage, ChatPiece, ChatProgress, ChatQuote, ChatReact, ChatReaction, ChatRead,
    ChatSend, ChatSent, ChatStage, ChatState, ChatTimer, ChatTypes, ChatTyping, ChatWaiting, RoomInfo, RoomRequest,
};
pub use controls::{
    Budget, BudgetInfo, GateChange, GateInfo, ListChange, OfferChange, OfferInfo, ScheduleWindow, Share,
    UsageConnection, UsageInfo, UsageTotal,
};
pub use dht::{
    DhtBucket, DhtFamily, DhtInfo, DhtItem, DhtNodeInfo, DhtNodeRequest, DhtOwner, DhtPeersEvent, DhtPong,
    DhtPutRequest, DhtScrape, DhtStored, DhtTraffic,
};
pub use event::{Delta, Event};
pub use group::{
    GroupDetail, GroupInfo, GroupInvitation, GroupInviteRequest, GroupKind, GroupLink, GroupMember, GroupRename,
    GroupRequest, GroupRole, GroupRoleRequest, GroupStanding,
};
pub use job::{CopyRequest, Job, JobKind, JobState, ShareRequest, Skipped, TorrentFormat};
pub use network::{NetworkInfo, NetworkPart};
pub use overlay::{KnownRelay, NodeConnection, NodePing, NodePong, OverlayInfo, OwnRelay, Pong, Way};
pub use people::{
    ContactChange, ContactInfo, ContactNode, ContactRequest, ContactState, IdentityInfo, InviteInfo, InviteRequest,
    InviteState, JoinCode, JoinRequest, MeetRequest, PersonNode, UnlockRequest,
};
pub use problem::Problem;
pub use service::{MailboxStats, RelayStats, ServiceInfo, TrackerRequests, TrackerStats};
pub use session::{NodeMode, SessionInfo};
pub use sharing::{
    AcceptRequest, InboxEntry, InboxRule, InboxRuleSet, InboxState, LibraryEntry, LibraryInfo, PrivateShare,
    TakeRequest,
};
pub use torrent::{
    AddPeerRequest, AddRequest, Added, FileChoice, FileInfo, FilePriority, Limits, MoveRequest, PeerInfo, ReadRequest,
    SourceInfo, StreamLink, TorrentDetail, TorrentState, TorrentSummary, TrackerInfo, WebSeedInfo,
};
pub use updates::{FollowRequest, UpdatesInfo};

/// The version prefix of every resource.
pub const PREFIX: &str = "/api/v1";
