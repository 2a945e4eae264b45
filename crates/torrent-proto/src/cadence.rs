//! When a source is asked for peers: now and then while a torrent runs, sooner while peers are wanted.
//!
//! It is *resting*, or *asking* between [`Cadence::begun`] and [`Cadence::ended`]. Each early round doubles the wait before
//! the next one, up to the regular interval: a swarm that is empty is not asked for in vain for ever.

use std::time::Duration;

use base::Instant;

/// The wait before a first early round (arbitrary: somebody looks at the screen).
const FIRST_WAIT: Duration = Duration::from_secs(15);

/// The same while nothing was found at all: who was just told of us, and those whom we just heard of, may know more in a
/// moment. The waits double from here too, so that it costs two rounds more.
const FIRST_WAIT_FOR_ANYTHING: Duration = Duration::from_secs(3);

/// When to ask next. See the module.
#[derive(Clone, Debug)]
pub struct Cadence {
    every: Duration,
    wait: Duration,
    running: bool,
    asking: bool,
    wanted: bool,
    /// The round under way, or the last one, was wished for.
    begun_early: bool,
    /// Another round is to follow the one under way.
    again: bool,
    last: Option<Instant>,
    next: Option<Instant>,
}

impl Cadence {
    /// Asks every `every`, once it is started.
    pub fn new(every: Duration) -> Cadence {
        Cadence {
            every,
            wait: FIRST_WAIT,
            running: false,
            asking: false,
            wanted: false,
            begun_early: false,
            again: false,
            last: None,
            next: None,
        }
    }

    /// The torrent runs: asks at once, or when the wait since the last round is over.
    pub fn start(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.running, true) {
            self.next = Some(self.last.map_or(now, |last| now.max(last + self.wait)));
        }
    }

    /// The torrent stands still: what is being asked is given up.
    pub fn stop(&mut self) {
        (self.running, self.asking, self.wanted, self.again, self.next) = (false, false, false, false, None);
    }

    /// More peers would help.
    pub fn want(&mut self) {
        self.wanted = self.running;
        if let (false, Some(last), Some(next)) = (self.asking, self.last, self.next) {
            self.next = Some(next.min(last + self.wait));
        }
    }

    /// What the last round said of us is not true any more: asks at once, or when the round under way is over.
    pub fn again(&mut self, now: Instant) {
        self.again = self.running && self.asking;
        if self.running && !self.asking {
            self.next = Some(now);
        }
    }

    /// Tells whether a round is to begin.
    pub fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Returns when the next round begins; `None` while one is under way, or nothing is asked.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// A round begins. One that nobody wished for begins the waits anew.
    pub fn begun(&mut self) {
        self.begun_early = self.wanted;
        self.wait = if self.wanted { (self.wait * 2).min(self.every) } else { FIRST_WAIT };
        (self.asking, self.wanted, self.next) = (true, false, None);
    }

    /// A round is over that found nothing: the next one is wanted, and sooner than after one that found something.
    pub fn ended_empty(&mut self, now: Instant) {
        if self.wait == FIRST_WAIT && !self.begun_early {
            self.wait = FIRST_WAIT_FOR_ANYTHING;
        }
        self.wanted = self.running;
        self.ended(now);
    }

    /// A round is over.
    pub fn ended(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.asking, false) {
            return;
        }
        self.last = Some(now);
        let rest = if self.wanted { self.wait } else { self.every };
        self.next = Some(if std::mem::take(&mut self.again) { now } else { now + rest });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: Duration = Duration::from_secs(900);

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn a_torrent_that_has_its_peers_asks_every_quarter_of_an_hour() {
        let mut cadence = Cadence::new(QUARTER);
        assert_eq!(cadence.next(), None);
        cadence.start(at(5));
        assert!(cadence.is_due(at(5)));
        cadence.begun();
        assert_eq!(cadence.next(), None, "one round at a time");
        cadence.ended(at(9));
        assert_eq!(cadence.next(), Some(at(909)));
        cadence.stop();
        cadence.want();
        assert_eq!(cadence.next(), None);
    }

    #[test]
    fn who_moved_says_so_at_once_or_after_the_round_under_way() {
        let mut cadence = Cadence::new(QUARTER);
        cadence.again(at(1));
        assert_eq!(cadence.next(), None, "it does not run");
        cadence.start(at(5));
        cadence.begun();
        cadence.again(at(6));
        assert_eq!(cadence.next(), None);
        cadence.ended(at(9));
        assert_eq!(cadence.next(), Some(at(9)));
        cadence.begun();
        cadence.ended(at(10));
        assert_eq!(cadence.next(), Some(at(910)));
        cadence.again(at(20));
        assert_eq!(cadence.next(), Some(at(20)));
    }

    #[test]
    fn who_wants_peers_asks_sooner_but_not_for_ever() {
        let mut cadence = Cadence::new(QUARTER);
        cadence.start(at(0));
        let (mut now, mut waits) = (at(0), Vec::new());
        for _ in 0..9 {
            cadence.begun();
            cadence.ended(now);
            cadence.want();
            let next = cadence.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 900, 900, 900]);
    }

    #[test]
    fn who_found_nothing_asks_again_in_a_moment_but_not_for_ever() {
        let mut cadence = Cadence::new(QUARTER);
        cadence.start(at(0));
        let (mut now, mut waits) = (at(0), Vec::new());
        for _ in 0..11 {
            cadence.begun();
            cadence.ended_empty(now);
            let next = cadence.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [3, 6, 12, 24, 48, 96, 192, 384, 768, 900, 900]);
        cadence.stop();
        cadence.ended_empty(now);
        assert_eq!(cadence.next(), None);
    }

    #[test]
    fn a_wish_during_a_round_counts_after_it() {
        let mut cadence = Cadence::new(QUARTER);
        cadence.start(at(0));
        cadence.begun();
        cadence.want();
        cadence.ended(at(4));
        assert_eq!(cadence.next(), Some(at(19)));
    }

    #[test]
    fn pausing_and_resuming_does_not_ask_more_often() {
        let mut cadence = Cadence::new(QUARTER);
        cadence.start(at(0));
        cadence.begun();
        cadence.ended(at(2));
        cadence.stop();
        cadence.start(at(3));
        assert_eq!(cadence.next(), Some(at(17)));
        cadence.start(at(30));
        assert_eq!(cadence.next(), Some(at(17)), "it runs already");
    }
}
