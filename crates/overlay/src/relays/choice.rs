//! Chooses the relays that the endpoint may pick from: those of people we know and of the settings, and the public ones
//! only while none of those helps. Without I/O.
//!
//! The public ones come in when nothing is known, or when no known relay was connected for [`PATIENCE`]; they go when one
//! is, and now and then for a trial, since the endpoint keeps to the nearest of all while it may choose. A relay that
//! says that it is not for us is left alone for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::Relay;

/// How long a known relay has to be connected: a measurement of all takes up to 5 s (iroh), connecting up to 10.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How long the public ones are among them until the known ones are tried alone again. Connections that go by a public
/// relay stay meanwhile. Arbitrary.
pub(super) const TRIAL: Duration = Duration::from_secs(10 * 60);

/// How long a relay that refused us is left alone. Arbitrary: its owner may offer it to more people later.
pub(super) const REFUSED: Duration = Duration::from_secs(10 * 60);

/// How the endpoint stands with its relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) relay: Relay,
    pub(super) connected: bool,
    /// Whether the relay says that it is not for us.
    pub(super) refused: bool,
}

/// What to choose from.
#[derive(Debug)]
pub(super) struct Choice {
    /// Whether the settings allow the public ones.
    public: bool,
    known: BTreeSet<Relay>,
    /// Until when each is left alone. Bounded by those that are known.
    refused: BTreeMap<Relay, Instant>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// One of the known ones is connected, as far as we know.
    Served,
    /// None is, since then.
    Waiting(Instant),
    /// None was for too long: the public ones are among them, since then.
    Public(Instant),
}

impl Choice {
    pub(super) fn new(now: Instant, public: bool) -> Choice {
        Choice { public, known: BTreeSet::new(), refused: BTreeMap::new(), stage: Stage::Waiting(now) }
    }

    /// Replaces those that are known.
    pub(super) fn know(&mut self, now: Instant, relays: impl IntoIterator<Item = Relay>) {
        let known = BTreeSet::from_iter(relays);
        let more = known.difference(&self.known).next().is_some();
        self.refused.retain(|relay, _| known.contains(relay));
        self.known = known;
        // A new one gets its trial.
        if more && self.stage != Stage::Served {
            self.stage = Stage::Waiting(now);
        }
    }

    /// Takes in how things stand.
    pub(super) fn look(&mut self, now: Instant, homes: &[Home]) {
        self.refused.retain(|_, until| *until > now);
        for home in homes.iter().filter(|home| home.refused && self.known.contains(&home.relay)) {
            self.refused.entry(home.relay.clone()).or_insert(now + REFUSED);
        }
        let served = homes.iter().any(|home| home.connected && self.usable().any(|relay| *relay == home.relay));
        self.stage = match self.stage {
            _ if served => Stage::Served,
            Stage::Served => Stage::Waiting(now),
            Stage::Waiting(since) if now >= since + PATIENCE => Stage::Public(now),
            Stage::Public(since) if now >= since + TRIAL => Stage::Waiting(now),
            stage => stage,
        };
    }

    /// Returns the known ones that may be used.
    pub(super) fn usable(&self) -> impl Iterator<Item = &Relay> {
        self.known.iter().filter(|relay| !self.refused.contains_key(*relay))
    }

    /// Whether the public ones may be used.
    pub(super) fn is_public(&self) -> bool {
        self.public && (matches!(self.stage, Stage::Public(_)) || self.usable().next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(name: &str) -> Relay {
        format!("https://{name}.example/").parse().unwrap()
    }

    fn home(name: &str, connected: bool, refused: bool) -> [Home; 1] {
        [Home { relay: relay(name), connected, refused }]
    }

    fn usable(choice: &Choice) -> Vec<Relay> {
        choice.usable().cloned().collect()
    }

    #[test]
    fn the_public_ones_are_used_until_a_friend_offers_one() {
        let start = Instant::now();
        let mut choice = Choice::new(start, true);
        assert!(choice.is_public());
        choice.know(start, [relay("friend")]);
        assert!(!choice.is_public());
        choice.look(start, &home("friend", true, false));
        assert!(!choice.is_public());
        choice.know(start, []);
        assert!(choice.is_public());
    }

    #[test]
    fn they_help_out_while_the_friend_is_away() {
        let start = Instant::now();
        let mut choice = Choice::new(start, true);
        choice.know(start, [relay("friend")]);
        choice.look(start, &home("friend", true, false));
        choice.look(start, &home("friend", false, false));
        assert!(!choice.is_public(), "it may be a moment only");
        choice.look(start + PATIENCE, &home("friend", false, false));
        assert!(choice.is_public());
        assert_eq!(usable(&choice), [relay("friend")], "it may come back at any time");
        let late = start + PATIENCE + TRIAL;
        choice.look(late, &home("public", true, false));
        assert!(!choice.is_public(), "the endpoint would stay with the nearest of all");
        choice.look(late + PATIENCE, &home("public", true, false));
        assert!(choice.is_public());
        choice.look(late + PATIENCE, &home("friend", true, false));
        assert!(!choice.is_public());
    }

    #[test]
    fn who_refuses_us_is_left_alone_for_a_while() {
        let start = Instant::now();
        let mut choice = Choice::new(start, true);
        choice.know(start, [relay("friend"), relay("stranger")]);
        choice.look(start, &home("stranger", false, true));
        assert_eq!(usable(&choice), [relay("friend")]);
        assert!(!choice.is_public());
        choice.know(start, [relay("stranger")]);
        assert!(choice.is_public(), "nobody else is left");
        choice.look(start + REFUSED, &[]);
        assert_eq!(usable(&choice), [relay("stranger")]);
    }

    #[test]
    fn a_setting_forbids_the_public_ones_for_good() {
        let start = Instant::now();
        let mut choice = Choice::new(start, false);
        for seconds in 0..2000 {
            choice.look(start + Duration::from_secs(seconds), &[]);
            assert!(!choice.is_public());
        }
    }
}
