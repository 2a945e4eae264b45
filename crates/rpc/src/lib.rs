//! Request, event and client types of the node's API, `/api/v1`.
//!
//! Names are stable: a field keeps its meaning for as long as the path says `v1`, units are part of the name, and a
//! reader skips fields that it does not know.

mod chat;
mod controls;
mod dht;
mod event;
mod feeds;
mod folder;
mod group;
mod identity;
mod job;
mod log;
mod login;
mod network;
mod node_view;
mod overlay;
mod people;
mod problem;
mod rates;
mod service;
mod session;
mod settings;
mod sharing;
mod sorting;
mod torrent;
mod updates;
mod view;

pub use chat::{
    ChatAttach, ChatAttachment, ChatChange, ChatDelivery, ChatEdit, ChatHit, ChatInfo, ChatIrc, ChatKind, ChatLast,
    ChatMailbox, ChatMeet, ChatMessage, ChatPage, ChatPiece, ChatProgress, ChatQuote, ChatReact, ChatReaction,
    ChatRead, ChatSend, ChatSent, ChatStage, ChatState, ChatTimer, ChatTypes, ChatTyping, ChatWaiting, RoomInfo,
    RoomRequest,
};
pub use controls::{
    Budget, BudgetInfo, GateChange, GateInfo, ListChange, OfferChange, OfferInfo, ScheduleWindow, Share,
    UsageConnection, UsageEvent, UsageInfo, UsageTotal,
};
pub use dht::{
    DhtBucket, DhtFamily, DhtInfo, DhtItem, DhtNodeInfo, DhtNodeRequest, DhtOwner, DhtPeersEvent, DhtPong,
    DhtPutRequest, DhtScrape, DhtStored, DhtTraffic,
};
pub use event::{Delta, Event};
pub use feeds::FeedInfo;
pub use folder::{FolderEntry, FolderInfo, FolderRequest, UploadInfo, UploadRequest, UploadedFile};
pub use group::{
    GroupDetail, GroupInfo, GroupInvitation, GroupInviteRequest, GroupKind, GroupLink, GroupMember, GroupRename,
    GroupRequest, GroupRole, GroupRoleRequest, GroupStanding,
};
pub use identity::{IdentityChange, IdentityMade, IdentityRequest, PassphraseChange, RecoveryPhrase, RestoreRequest};
pub use job::{CopyRequest, Job, JobKind, JobState, ShareRequest, Skipped, TorrentFormat};
pub use log::{LogEntry, LogKind};
pub use login::{LoginBy, LoginCode, LoginInfo, LoginRequest, PasswordInfo, PasswordRequest};
pub use network::{DhtNodeChanges, FoundBySource, FoundPeers, NetworkEvent, NetworkInfo, NetworkPart, ServiceStats};
pub use node_view::NodeView;
pub use overlay::{KnownRelay, NodeConnection, NodePing, NodePong, OverlayInfo, OwnRelay, Pong, Way};
pub use people::{
    ContactChange, ContactInfo, ContactNode, ContactRequest, ContactState, IdentityInfo, InviteInfo, InviteRequest,
    InviteState, JoinCode, JoinRequest, MeetRequest, PersonNode, UnlockRequest,
};
pub use problem::Problem;
pub use rates::{Rates, TorrentRates};
pub use service::{MailboxStats, RelayStats, ServiceInfo, TrackerRequests, TrackerStats};
pub use session::{NodeMode, RemoteInfo, SessionInfo};
pub use settings::{SettingsChange, SettingsInfo};
pub use sharing::{
    AcceptRequest, InboxEntry, InboxRule, InboxRuleInfo, InboxRuleSet, InboxState, LibraryEntry, LibraryInfo,
    LibraryRequest, PrivateShare, TakeRequest,
};
pub use sorting::{CategoryInfo, CategoryRequest, LabelChange, LabelInfo, SeedGoal, TorrentChange};
pub use torrent::{
    AddPeerRequest, AddRequest, Added, FileChoice, FileInfo, FilePriority, Limits, MoveRequest, PeerInfo, ReadRequest,
    SourceInfo, StreamLink, TorrentDetail, TorrentMore, TorrentState, TorrentSummary, TrackerInfo, WebSeedInfo,
};
pub use updates::{FollowRequest, UpdatesInfo};
pub use view::{FileProgress, PeerChanges, PeerDelta, PieceChanges, PieceMap, TorrentEvent, TorrentView};

/// The version prefix of every resource.
pub const PREFIX: &str = "/api/v1";
