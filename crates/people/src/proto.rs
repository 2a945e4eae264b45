//! The pure half: encodings, signatures and state machines, without files, sockets or clocks.

pub mod account;
pub mod book;
pub mod code;
pub mod codec;
pub mod contact;
pub mod exchange;
pub mod group;
pub mod kept;
pub mod link;
mod name;
pub mod nodes;
pub mod phrase;
pub mod slip10;
mod words;

pub use account::{ACCOUNT_PATH, Account, Address};
pub use book::{Book, BookError, Change, Stored};
pub use code::{CodeError, JoinCode};
pub use contact::{Contact, Invite, InviteId, InviteState, Record, Relation};
pub use kept::{Parcel, ParcelKey};
pub use link::{ContactLink, JoinLink, LinkError, LinkNode, PersonLink, Secret};
pub use name::{Name, NameError};
pub use nodes::{
    Consent, KnownPerson, NodeEntry, NodeKey, NodeList, NodeListError, PersonKey, ShownList, SignedNodeList,
};
pub use phrase::{Phrase, PhraseError};
pub use words::{COMPARED, verification_words};
