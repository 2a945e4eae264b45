//! Sharing with chosen people: who a share is for, the notices that tell them, the inbox, libraries to browse.
//!
//! `proto` is pure: what is said and what is to be done next. [`Store`] keeps what a restart needs. The content itself
//! goes by confined torrents of the engine; whoever runs this (the node) joins the two, and supplies [`Circle`].

mod circle;
#[doc(hidden)]
pub mod fuzzing;
pub mod proto;
mod store;

pub use circle::Circle;
pub use store::{
    Attached, InboxItem, InboxState, Library, MAX_INBOX, MAX_INBOX_BYTES, MAX_INBOX_BYTES_PER_PERSON,
    MAX_INBOX_PER_PERSON, Share, Store,
};
