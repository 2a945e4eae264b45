//! The pure half: no sockets, files, clocks or tasks.

pub mod card;
mod channel;
mod chat;
mod cipher;
mod conversation;
mod frame;
mod id;
mod ids;
mod io;
mod item;
pub mod mailbox;
mod message;
mod parcel;
mod plain;
pub(crate) mod vault;

pub use channel::{MAX_WAITING, MAX_WAITING_BYTES};
pub use chat::{Chat, MAX_REQUEST_LEN, MAX_REQUEST_MESSAGES, MAX_REQUESTS, Parts, Settings};
pub use cipher::{CardError, Cipher, Facts, MAX_ENVELOPE, MAX_PARCEL, OpenError, Opened};
pub use frame::{Frame, MAX_FRAME};
pub use id::{Audience, Conversation, Mark, MessageId, MessageIdError, Pen, RoomName, RoomNameError};
pub use ids::{Ids, MAX_SPANS, Ranges};
pub use io::{Acquaintance, Change, ChatError, Event, Fellowship, Input, Known, Output, Stage, Token, Whereabouts};
pub use item::{Item, MAX_AUDIENCE, MAX_ITEM};
pub use message::{
    Body, MAX_AFTER, MAX_ATTACHMENT_NAME, MAX_ATTACHMENT_NOTICE, MAX_MESSAGE_LEN, MAX_REACTION, MAX_TEXT, Message,
};
pub use parcel::{Ack, MAX_CARDS, MAX_TELLS, MAX_WANTED_CARDS, Parcel, Tell};
pub use vault::{PREFIX as VAULT_PREFIX, Vault};

/// What simulations and tests use in place of the real thing.
#[doc(hidden)]
pub mod testing {
    pub use super::plain::Plain;
}
