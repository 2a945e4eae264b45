//! What happened to a torrent lately.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// It was added.
    Added,
    /// Its metadata arrived.
    Metadata,
    /// It does something else now; the text is the state.
    State,
    /// Everything wanted is here.
    Finished,
    /// A goal was reached, and seeding ended.
    Goal,
    /// A failure of this computer stopped it.
    Failed,
    /// A tracker refused, failed or warned.
    Tracker,
    /// A piece failed its hash, and is fetched again.
    BadPiece,
    /// A peer that sent bad data is banned.
    Banned,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// Its number: later ones have greater ones.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at_s: u64,
    /// What kind of thing.
    pub kind: LogKind,
    /// A sentence, or what it is about.
    pub text: String,
}
