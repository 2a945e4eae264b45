//! Groups outside of the pure half: where they are kept.

mod store;

pub use store::{GroupStore, StoredGroup};
