//! The pure half: encodings, signatures and state machines, without files, sockets or clocks.

pub mod book;
pub mod codec;
pub mod contact;
pub mod exchange;
pub mod group;
pub mod link;
mod name;
pub mod nodes;
pub mod phrase;
pub mod slip10;
mod words;

pub use book::{Book, BookError, Change, Stored};
pub use contact::{Contact, Invite, InviteId, InviteState, Record, Relation};
pub use link::{ContactLink, JoinLink, LinkError, LinkNode, Secret};
pub use name::{Name, NameError};
pub use nodes::{Consent, KnownPerson, NodeEntry, NodeKey, NodeList, NodeListError, PersonKey, SignedNodeList};
pub use phrase::{Phrase, PhraseError};
pub use words::{COMPARED, verification_words};
