//! Persons, the nodes that are theirs, contacts and groups.
//!
//! `proto` is pure: what is signed, how it is encoded, what two nodes say to one another about people.

mod groups;
pub mod keystore;
pub mod proto;
mod store;

pub use groups::{GroupStore, StoredGroup};
pub use store::{Changes, Store};
