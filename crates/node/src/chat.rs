//! Talking with people: joins the conversations' state machine, what is known of people, the streams between nodes, the
//! mailboxes, and the history.
//!
//! [`driver`] owns the state machine; [`ChatHandle`] is what the rest of the node has of it. What is read of the history
//! comes from the store, past the driver.

mod attachments;
mod driver;
mod handle;
mod irc;
mod mailboxes;
mod names;
mod people;
mod post;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use handle::{ChatFailure, ChatHandle, Happening};
pub(crate) use irc::{Gateway, Ground as IrcGround};
pub(crate) use mailboxes::Chosen;
pub(crate) use people::{Chats, begin};
pub(crate) use post::{DEPOSIT, MAILBOX};
