//! A mailbox keeps envelopes for nodes that are away.

mod message;

pub use message::{
    Answer, MAX_ANSWER, MAX_DELETED, MAX_FETCHED, MAX_FETCHED_BYTES, MAX_REQUEST, MAX_TAGS, MAX_WAIT_S, Refusal,
    Request, Tag,
};
