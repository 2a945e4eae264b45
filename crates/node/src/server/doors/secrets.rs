//! Secrets that were given out and are good for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// 256 bits: as many as no one can guess.
const SECRET_BYTES: usize = 32;

/// The secrets that are good. Invariant: they are `most` at most.
#[derive(Debug)]
pub(crate) struct Secrets {
    most: usize,
    life: Duration,
    idle: Duration,
    given: Mutex<Vec<Given>>,
}

/// One of them. The secret itself has only who was given it.
#[derive(Debug)]
struct Given {
    digest: Digest,
    made: Instant,
    used: Instant,
}

/// The SHA-256 of a secret.
type Digest = [u8; 32];

/// One of them as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) digest: Digest,
    /// How long ago it was made.
    pub(super) made: Duration,
    /// How long ago it was used.
    pub(super) used: Duration,
}

impl Secrets {
    /// Keeps at most that many; each is good for `life`, and for `idle` since its last use.
    pub(crate) fn new(most: usize, life: Duration, idle: Duration) -> Secrets {
        Secrets { most, life, idle, given: Mutex::default() }
    }

    /// Makes a secret. Where there are too many, the one that was not used longest goes.
    pub(crate) fn draw(&self, now: Instant) -> Result<String, getrandom::Error> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let secret = data_encoding::HEXLOWER.encode(&bytes);
        let mut given = self.good(now);
        if given.len() >= self.most
            && let Some((oldest, _)) = given.iter().enumerate().min_by_key(|(_, given)| given.used)
        {
            given.swap_remove(oldest);
        }
        given.push(Given { digest: digest(&secret), made: now, used: now });
        Ok(secret)
    }

    /// Tells whether a secret is good, and notes that it was used.
    pub(crate) fn renew(&self, shown: &str, now: Instant) -> bool {
        let mut given = self.good(now);
        let found = find(&given, shown);
        if let Some(found) = found {
            given[found].used = now;
        }
        found.is_some()
    }

    /// Tells whether a secret is good, and ends that.
    pub(crate) fn take(&self, shown: &str, now: Instant) -> bool {
        let mut given = self.good(now);
        let found = find(&given, shown);
        if let Some(found) = found {
            given.swap_remove(found);
        }
        found.is_some()
    }

    /// Returns those that are good, to be stored.
    pub(super) fn stored(&self, now: Instant) -> Vec<Stored> {
        let stored = |it: &Given| Stored { digest: it.digest, made: now - it.made, used: now - it.used };
        self.good(now).iter().map(stored).collect()
    }

    /// Takes what was stored.
    pub(super) fn restore(&self, stored: impl IntoIterator<Item = Stored>, now: Instant) {
        // What began before the clock did is not known to be good.
        let given = |it: Stored| {
            Some(Given { digest: it.digest, made: now.checked_sub(it.made)?, used: now.checked_sub(it.used)? })
        };
        let given = stored.into_iter().filter_map(given).take(self.most).collect();
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = given;
    }

    /// Ends them all.
    pub(super) fn clear(&self) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets what is not good any more.
    fn good(&self, now: Instant) -> MutexGuard<'_, Vec<Given>> {
        // No method panics between two changes of the list.
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|given| now - given.made < self.life && now - given.used < self.idle);
        given
    }
}

fn digest(secret: &str) -> Digest {
    Sha256::digest(secret.as_bytes()).into()
}

/// Compares with all of them, so that the time tells nothing.
fn find(given: &[Given], shown: &str) -> Option<usize> {
    let (shown, mut found) = (digest(shown), None);
    for (index, given) in given.iter().enumerate() {
        if given.digest.ct_eq(&shown).into() {
            found = Some(index);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(100);
    const IDLE: Duration = Duration::from_secs(10);

    #[test]
    fn a_secret_is_good_while_it_is_used_and_for_its_life_at_most() {
        let (secrets, begin) = (Secrets::new(4, LIFE, IDLE), Instant::now());
        let (used, left) = (secrets.draw(begin).unwrap(), secrets.draw(begin).unwrap());
        for second in (0..99).step_by(9) {
            assert!(secrets.renew(&used, begin + Duration::from_secs(second)));
        }
        assert!(!secrets.renew(&left, begin + Duration::from_secs(99)));
        assert!(!secrets.renew(&used, begin + LIFE));
        assert!(!secrets.renew("", begin) && !secrets.renew(&left[..63], begin));
    }

    #[test]
    fn a_secret_is_taken_once() {
        let (secrets, now) = (Secrets::new(4, LIFE, IDLE), Instant::now());
        let (one, other) = (secrets.draw(now).unwrap(), secrets.draw(now).unwrap());
        assert!(secrets.take(&one, now) && !secrets.take(&one, now) && secrets.take(&other, now));
    }

    #[test]
    fn what_was_stored_is_good_for_as_long_as_it_was_to_be() {
        let (secrets, begin) = (Secrets::new(4, LIFE, IDLE), Instant::now());
        let at = |second| begin + Duration::from_secs(second);
        let (early, late) = (secrets.draw(at(0)).unwrap(), secrets.draw(at(6)).unwrap());
        let stored = secrets.stored(at(8));
        assert!(stored.iter().all(|it| !early.contains(&data_encoding::HEXLOWER.encode(&it.digest))));
        let other = Secrets::new(4, LIFE, IDLE);
        other.restore(stored.clone(), at(9));
        assert_eq!([&early, &late].map(|secret| other.renew(secret, at(9))), [true, true]);
        other.restore(stored.clone(), at(11));
        assert_eq!([&early, &late].map(|secret| other.renew(secret, at(13))), [false, true], "one was away too long");
        let small = Secrets::new(1, LIFE, IDLE);
        small.restore(stored, at(8));
        assert_eq!([&early, &late].map(|secret| small.renew(secret, at(8))), [true, false], "no more than may be");
    }

    #[test]
    fn the_one_that_was_not_used_longest_makes_room() {
        let (secrets, begin) = (Secrets::new(2, LIFE, IDLE), Instant::now());
        let at = |second| begin + Duration::from_secs(second);
        let (old, used) = (secrets.draw(at(0)).unwrap(), secrets.draw(at(1)).unwrap());
        assert!(secrets.renew(&old, at(2)));
        let new = secrets.draw(at(3)).unwrap();
        assert_eq!([&old, &used, &new].map(|secret| secrets.renew(secret, at(4))), [true, false, true]);
    }
}
