//! The pure half: no sockets, files, clocks or tasks.

pub mod card;
mod cipher;
mod id;
mod io;
pub mod mailbox;
mod message;
pub(crate) mod vault;

pub use cipher::{CardError, Cipher, Facts, MAX_ENVELOPE, MAX_PARCEL, OpenError, Opened};
pub use id::{Conversation, MessageId, Pen, RoomName, RoomNameError};
pub use io::{Acquaintance, Change, ChatError, Event, Fellowship, Input, Known, Output, Stage, Token, Whereabouts};
pub use message::{Body, MAX_AFTER, MAX_ATTACHMENT_NOTICE, MAX_REACTION, MAX_TEXT, Message};
pub use vault::{PREFIX as VAULT_PREFIX, Vault};
