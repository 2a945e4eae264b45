//! Places for those of whom nothing is known yet: so many in all, and fewer for each.
//!
//! Invariant: a place is counted until its guard drops; only what has one is held in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Places<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    most: usize,
    most_each: usize,
    held: Mutex<Held<K>>,
}

#[derive(Debug)]
struct Held<K> {
    all: usize,
    each: BTreeMap<K, usize>,
}

/// A place that is held.
#[derive(Debug)]
pub struct Place<K: Ord> {
    places: Arc<Inner<K>>,
    key: K,
}

impl<K: Ord + Copy> Places<K> {
    /// Makes `most` places, of which nobody may hold more than `most_each`.
    pub fn new(most: usize, most_each: usize) -> Places<K> {
        let held = Mutex::new(Held { all: 0, each: BTreeMap::new() });
        Places(Arc::new(Inner { most, most_each, held }))
    }

    /// Takes a place, if there is one.
    pub fn take(&self, key: K) -> Option<Place<K>> {
        let mut held = self.0.held();
        let own = held.each.get(&key).copied().unwrap_or(0);
        if held.all >= self.0.most || own >= self.0.most_each {
            return None;
        }
        held.all += 1;
        held.each.insert(key, own + 1);
        Some(Place { places: self.0.clone(), key })
    }
}

impl<K> Inner<K> {
    fn held(&self) -> MutexGuard<'_, Held<K>> {
        // Nothing panics between two changes of it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.all -= 1;
        if let Some(count) = held.each.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.each.remove(&self.key);
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
        let (bob, carol) = (places.take("bob").unwrap(), places.take("carol").unwrap());
        assert!(places.take("dave").is_none(), "all are held");
        drop(bob);
        let dave = places.take("dave").unwrap();
        drop(mallory);
        assert!(places.take("mallory").is_some());
        assert_eq!(places.0.held().each.len(), 2);
        drop((carol, dave));
        assert!(places.0.held().each.is_empty() && places.0.held().all == 0);
    }
}
