//! A group of people in virtual time: they invite, let others in, expel one another and take back in, at once and apart,
//! sleep for days, and some who were expelled write what looks as if it had been written before.
//!
//! Every member is the state machine that the real program runs, with the real signatures and keys. All randomness
//! comes from one seed. `cargo run --release -p sim -- roster` runs many seeds of fifty members.

mod acts;
mod network;
mod verdict;

use std::time::Duration;

use people::proto::group::Kind;

pub use network::RosterSim;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct RosterScenario {
    /// Where all chance comes from.
    pub seed: u64,
    /// Who can come in.
    pub kind: Kind,
    /// How many members there are when it begins.
    pub members: usize,
    /// How long they act, come and go.
    pub acting: Duration,
    /// How often somebody does something in that time: invites, lets others in, expels, takes back in, gives a role,
    /// renames, leaves.
    pub acts: u32,
    /// How often two admins expel one another, neither knowing.
    pub duels: u32,
    /// How many of the expelled write back-dated changes.
    pub traitors: u32,
}

impl RosterScenario {
    /// The size that the project promises something about: fifty members for three days, in an open group by even seeds and
    /// in one by invitation by odd ones.
    pub fn full(seed: u64) -> RosterScenario {
        RosterScenario {
            seed,
            kind: if seed.is_multiple_of(2) { Kind::Open } else { Kind::ByInvitation },
            members: 50,
            acting: Duration::from_secs(3 * 24 * 3600),
            acts: 50,
            duels: 2,
            traitors: 2,
        }
    }

    /// A small one, for every change of the code.
    pub fn small(seed: u64) -> RosterScenario {
        RosterScenario {
            members: 10,
            acts: 16,
            duels: 1,
            traitors: 1,
            acting: Duration::from_secs(24 * 3600),
            ..RosterScenario::full(seed)
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterOutcome {
    /// What was promised and is not so. Empty: all is well.
    pub failures: Vec<String>,
    /// How many belong to the group in the end.
    pub members: usize,
    /// How many were expelled.
    pub expelled: usize,
    /// How many came in by a link that others, who did not know of it, had used up.
    pub late: usize,
    /// How many were taken back in.
    pub back: usize,
    /// How many changes there are.
    pub changes: usize,
    /// Those of them that do not count.
    pub void: usize,
    /// Changes written by expelled people as if before.
    pub back_dated: usize,
    /// Changes that crossed a stream.
    pub sent: u64,
    /// A hash over all that happened: equal runs have equal ones.
    pub trace: u64,
}
