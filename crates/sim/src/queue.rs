//! The virtual clock: what happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use base::Instant;

/// Events by the time they are due; those of one instant in the order they were added.
///
/// Only times and places are put in order: events are large, and millions of them come and go.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    order: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    places: Vec<Option<E>>,
    free: Vec<usize>,
    added: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        Queue { order: BinaryHeap::new(), places: Vec::new(), free: Vec::new(), added: 0 }
    }

    pub(crate) fn add(&mut self, at: Instant, event: E) {
        self.added += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(event);
        self.order.push(Reverse((at, self.added, place)));
    }

    /// Takes the next event; time jumps to it.
    pub(crate) fn next(&mut self) -> Option<(Instant, E)> {
        let Reverse((at, _, place)) = self.order.pop()?;
        self.free.push(place);
        self.places[place].take().map(|event| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn events_come_by_time_and_then_in_the_order_they_were_added() {
        let mut queue = Queue::new();
        let later = Instant::START + Duration::from_secs(1);
        queue.add(later, 'c');
        queue.add(Instant::START, 'a');
        queue.add(Instant::START, 'b');
        let rest = |queue: &mut Queue<char>| -> Vec<char> {
            std::iter::from_fn(|| queue.next()).map(|(_, event)| event).collect()
        };
        assert_eq!(rest(&mut queue), ['a', 'b', 'c']);
        queue.add(later, 'e');
        queue.add(Instant::START, 'd');
        assert_eq!(rest(&mut queue), ['d', 'e'], "places are used again");
    }
}
