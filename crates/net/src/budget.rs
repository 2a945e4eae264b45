//! The budget: one tree of limiters for everything that is carried. A connection draws from all that it belongs to: the
//! whole, its service, its person, its torrent, in both directions; the tightest decides.
//!
//! Owns the limiters but for those of torrents, whose tasks bring their own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::PersonId;

use crate::{Bytes, Limiter};

/// Limits of one scope, in bytes per second; `None`: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// What comes in.
    pub down: Option<u64>,
    /// What goes out.
    pub up: Option<u64>,
}

/// How bandwidth is shared out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Everything together.
    pub all: Rates,
    /// Services.
    pub services: BTreeMap<String, Rates>,
    /// Persons.
    pub persons: BTreeMap<PersonId, Rates>,
}

/// The tree. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<Tree>);

#[derive(Debug)]
struct Tree {
    all: Limiter,
    branches: Mutex<Branches>,
}

#[derive(Debug, Default)]
struct Branches {
    shares: Shares,
    /// Bounded by the number of services: the program names them.
    services: BTreeMap<&'static str, Limiter>,
    /// Bounded by the persons that are connected or have a limit.
    persons: BTreeMap<PersonId, Limiter>,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree { all: Limiter::new(None, None), branches: Mutex::default() }
    }
}

impl Budget {
    /// Changes the limits; they hold within a quarter of a second, also for connections that stand.
    pub fn set(&self, shares: Shares) {
        self.0.all.set(shares.all.down, shares.all.up);
        let mut branches = self.branches();
        let of = |rates: Option<&Rates>| rates.copied().unwrap_or_default();
        for (name, limiter) in &branches.services {
            let rates = of(shares.services.get(*name));
            limiter.set(rates.down, rates.up);
        }
        for (person, limiter) in &branches.persons {
            let rates = of(shares.persons.get(person));
            limiter.set(rates.down, rates.up);
        }
        branches.shares = shares;
    }

    /// Returns the limits.
    pub fn shares(&self) -> Shares {
        self.branches().shares.clone()
    }

    /// Returns the limiter of everything.
    pub fn all(&self) -> &Limiter {
        &self.0.all
    }

    /// Takes from everything, and from a service, what that service carried without asking before.
    pub fn charge(&self, service: &'static str, bytes: Bytes) {
        for limiter in self.scopes(service, None) {
            limiter.charge(bytes.down, bytes.up);
        }
    }

    /// Returns the limiters that a connection draws from, the widest first.
    pub(crate) fn scopes(&self, service: &'static str, person: Option<PersonId>) -> Vec<Limiter> {
        let mut branches = self.branches();
        let Branches { shares, services, persons } = &mut *branches;
        let new = |rates: Option<&Rates>| {
            let rates = rates.copied().unwrap_or_default();
            Limiter::new(rates.down, rates.up)
        };
        let mut scopes = vec![self.0.all.clone()];
        scopes.push(services.entry(service).or_insert_with(|| new(shares.services.get(service))).clone());
        if let Some(person) = person {
            // Those of persons who are gone.
            persons.retain(|other, limiter| *other == person || !limiter.is_unused());
            scopes.push(persons.entry(person).or_insert_with(|| new(shares.persons.get(&person))).clone());
        }
        scopes
    }

    fn branches(&self) -> MutexGuard<'_, Branches> {
        // Nothing panics between two changes of it.
        self.0.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Meter;

    #[test]
    fn a_change_reaches_those_who_draw_already_and_those_who_come() {
        let budget = Budget::default();
        let alice = PersonId([1; 32]);
        let scopes = budget.scopes("wire", Some(alice));
        let mut meter = Meter::new(scopes.iter().map(|limiter| &limiter.down), None);
        assert_eq!(meter.take(1 << 20), Ok(1 << 20));
        let none = Rates { down: Some(0), up: None };
        for shares in [
            Shares { all: none, ..Shares::default() },
            Shares { services: [("wire".to_owned(), none)].into(), ..Shares::default() },
            Shares { persons: [(alice, none)].into(), ..Shares::default() },
        ] {
            budget.set(shares);
            assert!(meter.take(1 << 20).is_err());
            let later = budget.scopes("wire", Some(alice));
            assert!(Meter::new(later.iter().map(|limiter| &limiter.down), None).take(1).is_err());
            assert!(Meter::new(later.iter().map(|limiter| &limiter.up), None).take(1).is_ok());
        }
        budget.set(Shares::default());
        assert_eq!(meter.take(1 << 20), Ok(1 << 20));
    }

    #[test]
    fn persons_who_are_gone_are_forgotten() {
        let budget = Budget::default();
        for i in 0..=255 {
            drop(budget.scopes("wire", Some(PersonId([i; 32]))));
        }
        assert_eq!(budget.branches().persons.len(), 1);
    }
}
