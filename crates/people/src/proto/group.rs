//! Groups: who belongs to one, who may change that, and the keys that only its members have.
//!
//! A group is a set of signed [`Change`]s. Each names the changes that its author knew, by hash, so that together they
//! are a graph without cycles ([`Log`]); who has the same set has the same [`Roster`], in whatever order it came.
//! [`Replica`] is one member's copy with everything that a member does by itself: it brings copies together, hands out
//! new keys when the members change, and says what it has seen where that decides a dispute. The rules, and why they are
//! these, are in docs/decisions/0004-rosters-and-keys-of-groups.md.

pub mod change;
pub mod identity;
pub mod io;
pub mod keys;
pub mod link;
pub mod log;
pub mod message;
pub mod replica;
pub mod roster;
pub mod shown;

mod contest;
mod session;

pub use change::{Action, Change, ChangeError, ChangeId, Invitee, JoinRequest, Kind, Role};
pub use identity::Identity;
pub use io::{Command, Event, Input, Output, Refusal, SessionId, Standing};
pub use keys::{EpochSecret, KeyError, SealingKey, SealingPublic};
pub use link::GroupLink;
pub use log::{Insert, Log};
pub use message::Message;
pub use replica::Replica;
pub use roster::{Member, Roster};
pub use shown::Shown;

/// What the fuzz targets call.
pub mod fuzzing {
    /// Reads a change without its signature, and checks that it is written as it was.
    pub fn change(bytes: &[u8]) {
        super::change::round_trip(bytes);
    }
}

#[cfg(test)]
mod tests;
