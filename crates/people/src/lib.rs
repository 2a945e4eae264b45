//! Persons, the nodes that are theirs, contacts and groups.
//!
//! `proto` is pure: what is signed, how it is encoded, what two nodes say to one another about people.

pub mod keystore;
pub mod proto;
mod store;

pub use store::{Changes, Store};
