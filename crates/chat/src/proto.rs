//! The pure half: no sockets, files, clocks or tasks.

mod cipher;
mod id;
mod io;
mod message;

pub use cipher::{CardError, Cipher, Facts, OpenError, Opened};
pub use id::{Conversation, MessageId, MessageIdError, Pen, RoomName, RoomNameError};
pub use io::{Acquaintance, Change, ChatError, Event, Fellowship, Input, Known, Output, Stage, Token, Whereabouts};
pub use message::{Body, MAX_AFTER, MAX_ATTACHMENT_NOTICE, MAX_REACTION, MAX_TEXT, Message};
