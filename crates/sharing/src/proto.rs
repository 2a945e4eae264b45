//! What is said about shares, and when. Pure.

mod audience;
mod fields;
mod library;
mod notice;
mod outbox;
mod rules;

pub use audience::{Audience, MAX_MEMBERS};
pub use fields::MessageError;
pub use library::{Answer, Entry, MAX_ANSWER_LEN, MAX_DEPTH, MAX_ENTRIES, MAX_REQUEST_LEN, Request, check_path};
pub use notice::{
    MAX_HINT_LEN, MAX_HINTED, MAX_HINTS, MAX_NAME_LEN, MAX_NODES, MAX_NOTE_LEN, MAX_NOTICE_LEN, Notice, Receipt,
};
pub use outbox::{Delivery, Input, MAX_SENDING, Outbox, Outcome, Output, ShareId};
pub use rules::{MAX_RULES, Rule, Whose, folder_for};
