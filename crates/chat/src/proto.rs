//! The pure half: no sockets, files, clocks or tasks.

mod cipher;
mod id;
mod io;
pub mod mailbox;
mod message;

pub use cipher::{CardError, Cipher, Facts, MAX_ENVELOPE, MAX_PARCEL, OpenError, Opened};
pub use id::{Conversation, MessageId, Pen, RoomName, RoomNameError};
pub use io::{Acquaintance, Change, ChatError, Event, Fellowship, Input, Known, Output, Stage, Token, Whereabouts};
pub use message::{Body, MAX_AFTER, MAX_ATTACHMENT_NOTICE, MAX_REACTION, MAX_TEXT, Message};
