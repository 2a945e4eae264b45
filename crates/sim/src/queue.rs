//! The virtual clock: what happens next.

use std::collections::BTreeMap;

use base::Instant;

/// Events by the time they are due; those of one instant in the order they were added.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(Instant, u64), E>,
    added: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        Queue { events: BTreeMap::new(), added: 0 }
    }

    pub(crate) fn add(&mut self, at: Instant, event: E) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// Takes the next event; time jumps to it.
    pub(crate) fn next(&mut self) -> Option<(Instant, E)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
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
        let order: Vec<char> = std::iter::from_fn(|| queue.next()).map(|(_, event)| event).collect();
        assert_eq!(order, ['a', 'b', 'c']);
    }
}
