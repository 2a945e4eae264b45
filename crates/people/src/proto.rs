//! The pure half: encodings, signatures and state machines, without files, sockets or clocks.

pub mod codec;
mod name;
pub mod nodes;

pub use name::{Name, NameError};
pub use nodes::{KnownPerson, NodeEntry, NodeList, NodeListError, PersonKey, SignedNodeList};
