//! Talking with people: conversations, messages, how far they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A conversation: with one person, or in a room of a group.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatInfo {
    /// What it is called, as commands and paths take it: a person's name, `GROUP`, or `GROUP/ROOM`.
    pub name: String,
    /// What stays the same whatever names change; commands and paths take it as well.
    pub id: String,
    /// The other person, as an id; absent in a room.
    pub person: Option<String>,
    /// The group, as an id; absent outside of rooms.
    pub group: Option<String>,
    /// The room of the group; absent outside of rooms.
    pub room: Option<String>,
    /// How many messages of others the user has not read.
    pub unread: u64,
    /// The last message.
    pub last: Option<ChatLast>,
    /// Somebody who is no contact wrote, and the user has not said yet whether that is welcome.
    pub request: bool,
    /// It makes no noise.
    pub muted: bool,
    /// For how many seconds new messages are kept; absent: for good.
    pub timer_s: Option<u32>,
    /// Who takes part beside the user, by their names.
    #[serde(default)]
    pub people: Vec<String>,
}

/// Finds somebody to write to who is neither a contact nor a fellow member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatMeet {
    /// The person's link, as `compeer id show` prints it there.
    pub link: String,
}

/// The last message of a conversation, in short.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatLast {
    /// Its id.
    pub id: String,
    /// Who wrote it, as a name.
    pub from: String,
    /// The user wrote it.
    pub mine: bool,
    /// When it was written, but not after it came here, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it is.
    pub kind: ChatKind,
    /// The beginning of its words; of a file or folder, its name.
    pub text: String,
    /// It was taken back.
    pub deleted: bool,
}

/// How far a message is with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatStage {
    /// On this computer alone.
    #[default]
    Waiting,
    /// In a mailbox that keeps it for them.
    InMailbox,
    /// On one of their computers.
    Delivered,
    /// They read it, and let us know.
    Read,
}

/// How far a message of ours is with one person.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatDelivery {
    /// With whom, as a name.
    pub name: String,
    /// With whom, as an id.
    pub person: String,
    /// How far.
    pub stage: ChatStage,
}

/// A reaction, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatReaction {
    /// What was put, an emoji mostly.
    pub reaction: String,
    /// By whom, as names.
    pub by: Vec<String>,
    /// The user is among them.
    pub mine: bool,
}

/// A file or folder that comes with a message.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatAttachment {
    /// What it is called.
    pub name: String,
    /// How much it is.
    pub bytes: u64,
    /// The torrent that it is, or becomes when it is fetched; absent where what came cannot be read.
    pub torrent: Option<String>,
}

/// What a message answers.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatQuote {
    /// The id of that message.
    pub id: String,
    /// Who wrote it, as a name; absent: it is not here (any more).
    pub from: Option<String>,
    /// The beginning of its words.
    pub text: String,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// Words.
    #[default]
    Text,
    /// A file or folder, maybe with words.
    Attachment,
    /// Messages are kept for another time from here on: `timer_s`.
    Timer,
    /// A room was opened.
    Opening,
}

/// A message as it stands now: edits, reactions and deletions are in it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatMessage {
    /// Its id.
    pub id: String,
    /// The conversation's id.
    pub chat: String,
    /// What the conversation is called.
    pub chat_name: String,
    /// Who wrote it, as a name.
    pub from: String,
    /// Who wrote it, as an id.
    pub person: String,
    /// The user wrote it.
    pub mine: bool,
    /// When it was written, by the clock of whoever wrote it, in milliseconds since 1970.
    pub written_at_ms: u64,
    /// A number that grows from what was said to what was said upon it. Messages are shown in its order; those with the same
    /// number in the order of the two parts of their ids.
    pub order: u64,
    /// What it is.
    pub kind: ChatKind,
    /// The words; empty where there are none, or no longer.
    pub text: String,
    /// What it answers.
    pub answers: Option<ChatQuote>,
    /// What comes with it.
    pub attachment: Option<ChatAttachment>,
    /// The reactions to it.
    #[serde(default)]
    pub reactions: Vec<ChatReaction>,
    /// Its words were changed.
    #[serde(default)]
    pub edited: bool,
    /// It was taken back.
    #[serde(default)]
    pub deleted: bool,
    /// The user has read it; always so of one's own.
    #[serde(default)]
    pub read: bool,
    /// Where `kind` is `timer`, for how many seconds messages are kept from here on; absent: for good.
    pub timer_s: Option<u32>,
    /// When it disappears here, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// How far it is with those who are to get it: the least of all. Absent where somebody else wrote it.
    pub stage: Option<ChatStage>,
    /// How far it is with each. Empty where somebody else wrote it.
    #[serde(default)]
    pub delivery: Vec<ChatDelivery>,
}

/// A part of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatPage {
    /// The messages, the oldest first.
    pub messages: Vec<ChatMessage>,
    /// There are older ones.
    pub more_before: bool,
    /// There are newer ones.
    pub more_after: bool,
}

/// Says something. Exactly one of `text`, `reaction`, `edit`, `deletion` and `timer` is given.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatSend {
    /// The words.
    pub text: Option<String>,
    /// The message that the words answer.
    pub answers: Option<String>,
    /// A reaction to a message.
    pub reaction: Option<ChatReact>,
    /// Other words for a message of one's own.
    pub edit: Option<ChatEdit>,
    /// A message of one's own, to be taken back.
    pub deletion: Option<String>,
    /// For how long messages are kept from now on.
    pub timer: Option<ChatTimer>,
    /// Answer when everybody has it, or after so many seconds (at most 30), instead of at once.
    pub wait_s: u32,
}

/// Sends a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatAttach {
    /// Its absolute path on the node's computer. It stays there, and is shared for as long as the message is there.
    pub path: String,
    /// What is said of it.
    pub caption: String,
}

/// A reaction to a message.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatReact {
    /// To which.
    pub to: String,
    /// What, an emoji mostly.
    pub reaction: String,
    /// Take it away again.
    pub take_away: bool,
}

/// Other words for a message.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatEdit {
    /// Of which.
    pub of: String,
    /// The words.
    pub text: String,
}

/// For how long messages are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatTimer {
    /// In seconds; absent: for good.
    pub seconds: Option<u32>,
}

/// What came of saying something.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatSent {
    /// The id of what was said.
    pub id: String,
    /// How far it is with those who are to get it: the least of all.
    pub stage: ChatStage,
    /// How far it is with each.
    pub delivery: Vec<ChatDelivery>,
}

/// Says what was read.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatRead {
    /// These messages; all of the conversation when empty.
    pub messages: Vec<String>,
}

/// Says whether the user writes just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatTyping {
    /// Whether.
    pub typing: bool,
}

/// Changes a conversation here; what is absent stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChatChange {
    /// It makes no noise.
    pub muted: Option<bool>,
}

/// A room of a group.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RoomInfo {
    /// What it is called.
    pub name: String,
    /// Its conversation.
    pub chat: ChatInfo,
}

/// Opens a room.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RoomRequest {
    /// What it is to be called: 1 to 32 letters, digits, `-`, `_` or `.`.
    pub name: String,
}

/// What waits to be delivered to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatWaiting {
    /// To whom, as a name.
    pub name: String,
    /// To whom, as an id.
    pub person: String,
    /// How many messages.
    pub messages: u64,
}

/// A mailbox that keeps messages for this node.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatMailbox {
    /// Its node.
    pub node: String,
    /// Whose it is, as a name; absent where that is not known.
    pub name: Option<String>,
    /// What the settings say, which led to it.
    pub named: String,
}

/// How talking goes.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatState {
    /// What waits, by person.
    pub waiting: Vec<ChatWaiting>,
    /// The mailboxes that keep messages for this node.
    pub mailboxes: Vec<ChatMailbox>,
    /// What the settings name as mailboxes that led to none: nobody who is known is called so, or they offer none.
    pub without_mailbox: Vec<String>,
    /// Others are let know what was read.
    pub receipts: bool,
    /// Others are let know while something is written.
    pub typing: bool,
    /// Why nothing goes out and nothing is taken in; absent: all is well.
    pub failure: Option<String>,
    /// The user's IRC clients on this computer; absent: none may come in.
    pub irc: Option<ChatIrc>,
}

/// How it goes with the user's IRC clients on this computer.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatIrc {
    /// Where they come in; absent: nowhere, and `failure` says why.
    pub address: Option<String>,
    /// How many are connected.
    pub clients: u32,
    /// Why none can come in.
    pub failure: Option<String>,
}

/// A part of a text that was found.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatPiece {
    /// The words.
    pub text: String,
    /// They are what was searched.
    pub found: bool,
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatHit {
    /// The message's id.
    pub id: String,
    /// The conversation's id.
    pub chat: String,
    /// What the conversation is called.
    pub chat_name: String,
    /// Who wrote it, as a name.
    pub from: String,
    /// Who wrote it, as an id.
    pub person: String,
    /// When it was written, but not after it came here, in milliseconds since 1970.
    pub at_ms: u64,
    /// The part of the text that fits best.
    pub snippet: Vec<ChatPiece>,
}

/// A message of ours is further than it was.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatProgress {
    /// The conversation's id.
    pub chat: String,
    /// The message's id.
    pub id: String,
    /// With whom, and how far.
    pub delivery: ChatDelivery,
}

/// What somebody does now.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChatTypes {
    /// The conversation's id.
    pub chat: String,
    /// Who, as a name.
    pub name: String,
    /// Who, as an id.
    pub person: String,
    /// They write, or stopped.
    pub typing: bool,
}
