//! Places for those of whom nothing is known yet: few in all, and fewer for each.
//!
//! Invariant: a place is counted until its guard drops; only what has one is held in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places. Cheap to clone.
#[derive(Debug)]
pub(super) struct Places<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    most: usize,
    most_each: usize,
    held: Mutex<BTreeMap<K, usize>>,
}

/// A place that is held.
#[derive(Debug)]
pub(super) struct Place<K: Ord> {
    places: Arc<Inner<K>>,
    key: K,
}

impl<K: Ord + Copy> Places<K> {
    /// Makes `most` places, of which nobody may hold more than `most_each`.
    pub(super) fn new(most: usize, most_each: usize) -> Places<K> {
        Places(Arc::new(Inner { most, most_each, held: Mutex::default() }))
    }

    /// Takes a place, if there is one.
    pub(super) fn take(&self, key: K) -> Option<Place<K>> {
        let mut held = self.0.held();
        let (all, own) = (held.values().sum::<usize>(), held.get(&key).copied().unwrap_or(0));
        if all >= self.0.most || own >= self.0.most_each {
            return None;
        }
        *held.entry(key).or_default() += 1;
        Some(Place { places: self.0.clone(), key })
    }
}

impl<K> Inner<K> {
    fn held(&self) -> MutexGuard<'_, BTreeMap<K, usize>> {
        // Nothing panics between two changes of it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stranger_cannot_hold_all_places() {
        let places = Places::new(4, 2);
        let mallory = [(); 2].map(|()| places.take("mallory").unwrap());
        assert!(places.take("mallory").is_none());
        let (bob, _carol) = (places.take("bob").unwrap(), places.take("carol").unwrap());
        assert!(places.take("dave").is_none(), "all are held");
        drop(bob);
        let _dave = places.take("dave").unwrap();
        drop(mallory);
        assert!(places.take("mallory").is_some());
        assert_eq!(places.0.held().len(), 2);
    }
}
