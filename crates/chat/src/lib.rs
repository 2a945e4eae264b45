//! Messages between people, end to end: conversations, delivery, mailboxes, history.
//!
//! `proto` is pure: what is said, in which order it is shown, who has to get it, how it is sealed. [`Store`] keeps what a
//! restart needs and what is searched. Whoever runs this (the node) brings envelopes to other nodes and to mailboxes, and
//! supplies [`Circle`].

mod circle;
pub mod export;
#[doc(hidden)]
pub mod fuzzing;
pub mod irc;
pub mod proto;
mod store;
mod swarms;

pub use circle::Circle;
pub use store::{
    Entry, Expired, Hit, Indexed, Kept, MAX_PAGE, MailboxChange, Moment, Newest, Position, Quote, Said, Span, Store,
    Summary,
};
pub use swarms::{Attachment, Doing, SwarmId, Swarms};
