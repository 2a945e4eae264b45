//! When what happens: drawn from the seed before all begins.

use std::time::Duration;

use base::{GroupId, Instant, PersonId};

use super::network::{Happens, Network};
use super::node::Node;
use super::sealer::Sealer;
use super::view::{Rumour, Spread};

/// How many nodes each person begins with.
const NODES: usize = 2;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Those who are never awake together share the day like this: so many hours each, and a little between.
const HALF_DAY: Duration = Duration::from_secs(12 * 3600);
const BETWEEN: Duration = Duration::from_secs(1200);

/// How long the others are awake and asleep at most: three tenths of their time, in the mean, they sleep.
const AWAKE: Duration = Duration::from_secs(14 * 3600);
const ASLEEP: Duration = Duration::from_secs(6 * 3600);

/// How long a mailbox is there and away at most: a fifth of its time, in the mean, it is away.
const KEEPS: Duration = Duration::from_secs(8 * 3600);
const NAPS: Duration = Duration::from_secs(2 * 3600);

/// How much later than others somebody hears of something at most.
const LATE: Duration = Duration::from_secs(8 * 3600);

/// How many messages an exchange has at most.
const EXCHANGE: u32 = 10;

impl<C: Sealer> Network<C> {
    pub(super) fn plan(&mut self) {
        self.plan_people();
        self.plan_mailboxes();
        self.plan_clocks();
        self.plan_hours();
        self.plan_acquaintances();
        self.plan_groups();
        self.plan_troubles();
        self.plan_talks();
        self.later(10 * MINUTE, Happens::Reads);
        let heals = self.scenario.writing + self.scenario.quiet;
        self.queue.add(Instant::START + heals, Happens::Heals);
        self.queue.add(Instant::START + heals + self.scenario.healed, Happens::Ends_);
    }

    fn plan_people(&mut self) {
        for person in 0..self.scenario.people {
            let mut id = [5; 32];
            id[0] = self.rng.u8(..);
            id[1..9].copy_from_slice(&(person as u64).to_le_bytes());
            self.people.push(PersonId(id));
        }
        for group in 0..self.scenario.groups {
            self.groups.push(GroupId([group as u8 + 1; 32]));
        }
        let first = self.scenario.people * NODES;
        for number in 0..first + self.scenario.added {
            // Later ones are of people all over.
            let person = if number < first { number / NODES } else { (number - first) * 3 % self.scenario.people };
            let node = Node::new(person, number);
            self.by_id.insert(node.id, number);
            self.nodes.push(node);
            // All begin as if they had been switched off.
            self.nodes[number].down = true;
        }
        for number in 0..self.nodes.len() {
            let person = self.nodes[number].person;
            if number < first {
                let start = self.within(5 * MINUTE);
                self.later(start, Happens::Starts { node: number });
            } else {
                self.nodes[number].born = false;
                let birth = self.scenario.writing.mul_f64(0.25 + self.rng.f64() / 2.0);
                self.later(birth, Happens::IsBorn { node: number });
                if (number - first).is_multiple_of(2) {
                    let wait = self.within(2 * HOUR);
                    self.later(birth + wait, Happens::Fetches { node: number });
                }
                self.spread(Rumour::Node { person, node: number }, birth, true);
            }
        }
    }

    fn plan_mailboxes(&mut self) {
        for keeper in 0..self.scenario.keepers {
            self.add_keeper();
            let mut at = self.within(KEEPS);
            while at < self.scenario.writing + self.scenario.quiet {
                self.later(at, Happens::Naps { keeper, begins: true });
                at += self.within(NAPS * 2);
                self.later(at, Happens::Naps { keeper, begins: false });
                at += self.within(KEEPS * 2);
            }
        }
        for node in 0..self.nodes.len() {
            self.nodes[node].mailboxes = self.some_keepers();
        }
        for _ in 0..self.scenario.moves {
            let (node, at) = (self.rng.usize(..self.nodes.len()), self.within(self.scenario.writing));
            self.later(at, Happens::Moves { node });
        }
    }

    /// Half of the clocks are right to a few minutes, others are wrong by up to six days; some are set in between.
    fn plan_clocks(&mut self) {
        for node in 0..self.nodes.len() {
            let most = [120, 120, 86_400, 6 * 86_400][self.rng.usize(..4)];
            self.nodes[node].wrong_s = self.rng.i64(-most..most);
            if self.rng.u8(..4) == 0 {
                let at = self.within(self.scenario.writing);
                self.later(at, Happens::SetsClock { node });
            }
            // A third has a slow disk.
            if self.rng.u8(..3) == 0 {
                self.nodes[node].disk = Duration::from_millis(self.rng.u64(5..200));
            }
        }
    }

    fn plan_hours(&mut self) {
        let all = self.scenario.writing + self.scenario.quiet;
        for node in 0..self.nodes.len() {
            let person = self.nodes[node].person;
            if person < self.scenario.apart * 2 {
                // One of a pair has the first half of each day, the other the second.
                let mut day = Duration::ZERO;
                self.nodes[node].asleep = person % 2 == 1;
                while day < all {
                    let begin = day + HALF_DAY * (person % 2) as u32;
                    let (early, late) = (self.within(HOUR), self.within(HOUR));
                    if begin > Duration::ZERO {
                        self.later(begin + BETWEEN + early, Happens::Wakes { node });
                    }
                    self.later(begin + HALF_DAY - BETWEEN - late, Happens::Sleeps { node });
                    day += 2 * HALF_DAY;
                }
            } else {
                let mut at = self.within(AWAKE);
                while at < all {
                    self.later(at, Happens::Sleeps { node });
                    at += MINUTE + self.within(ASLEEP);
                    self.later(at, Happens::Wakes { node });
                    at += MINUTE + self.within(AWAKE);
                }
            }
        }
    }

    /// Who knows which node and has whom as a contact; some learn of some nodes hours later.
    fn plan_acquaintances(&mut self) {
        for node in 0..self.scenario.people * NODES {
            let is_late = self.rng.u8(..if node % NODES == 0 { 16 } else { 4 }) == 0;
            self.spread(Rumour::Node { person: self.nodes[node].person, node }, Duration::ZERO, is_late);
        }
        for one in 0..self.scenario.people {
            for other in one + 1..self.scenario.people {
                let apart = one / 2 == other / 2 && one < self.scenario.apart * 2;
                if apart || self.rng.u8(..10) < 8 {
                    self.spread(Rumour::Contact { one, other }, Duration::ZERO, false);
                }
            }
        }
    }

    /// Who belongs to which group, who comes, who is expelled and who comes back.
    fn plan_groups(&mut self) {
        let people = self.scenario.people;
        let mut outside = Vec::new();
        let mut inside = Vec::new();
        for group in 0..self.scenario.groups {
            let apart = self.scenario.apart * 2;
            let mut all: Vec<usize> = (0..people).collect();
            self.rng.shuffle(&mut all);
            let size = (people * [14, 9, 6][group % 3]).div_ceil(20).max(3).min(people);
            // Those who are never awake together are in the first group to the end: others there bring one their keys.
            if group == 0 {
                all.sort_by_key(|person| *person >= apart);
            }
            for person in all.drain(..size.max(if group == 0 { apart + 1 } else { 0 })) {
                self.spread(Rumour::Member { group, person, version: 1, is: true }, Duration::ZERO, false);
                if group > 0 || person >= apart {
                    inside.push((group, person));
                }
            }
            outside.extend(all.into_iter().map(|person| (group, person)));
        }
        self.rng.shuffle(&mut inside);
        self.rng.shuffle(&mut outside);
        let writing = self.scenario.writing;
        for (group, person) in outside.into_iter().take(self.scenario.admitted) {
            let at = writing.mul_f64(0.1 + self.rng.f64() * 0.7);
            self.spread(Rumour::Member { group, person, version: 1, is: true }, at, true);
        }
        for (nth, (group, person)) in inside.into_iter().take(self.scenario.expelled).enumerate() {
            let at = writing.mul_f64(0.1 + self.rng.f64() * 0.4);
            self.spread(Rumour::Member { group, person, version: 2, is: false }, at, true);
            if nth % 2 == 0 {
                let back = at + HOUR + self.within(writing / 3);
                self.spread(Rumour::Member { group, person, version: 3, is: true }, back, true);
            }
        }
    }

    fn plan_troubles(&mut self) {
        let writing = self.scenario.writing;
        for node in 0..self.nodes.len() {
            for nth in 0..self.scenario.crashes {
                let at = self.within(writing + self.scenario.quiet);
                let happens = if nth % 4 == 0 { Happens::Dies { node } } else { Happens::ArmsCrash { node } };
                self.later(at, happens);
            }
        }
        if self.scenario.blocks {
            let by = self.rng.usize(..self.scenario.people);
            let whom = (by + self.rng.usize(1..self.scenario.people)) % self.scenario.people;
            let at = writing.mul_f64(0.3 + self.rng.f64() * 0.5);
            self.spread(Rumour::Block { by, whom }, at, true);
        }
    }

    fn plan_talks(&mut self) {
        let mut left = self.scenario.messages;
        while left > 0 {
            let exchange = if self.rng.bool() { 1 } else { self.rng.u32(1..=EXCHANGE).min(left) };
            let at = 10 * MINUTE + self.within(self.scenario.writing - 20 * MINUTE);
            self.later(at, Happens::Talks { conversation: None, left: exchange - 1 });
            left -= exchange;
        }
    }

    /// Lets something become true: whom it is about knows at once, the others sooner or later.
    fn spread(&mut self, rumour: Rumour, at: Duration, is_late: bool) {
        let begun = Instant::START + at;
        let mut settled = begun;
        for node in 0..self.nodes.len() {
            let person = self.nodes[node].person;
            let is_own = match rumour {
                Rumour::Node { person: of, .. } => of == person,
                Rumour::Block { by, .. } if by != person => continue,
                _ => false,
            };
            let delay = match self.rng.u8(..10) {
                _ if !is_late || is_own && at == Duration::ZERO => Duration::ZERO,
                _ if is_own => self.within(MINUTE),
                0..3 => self.within(5 * Duration::from_secs(1)),
                3..7 => self.within(HOUR / 2),
                _ => self.within(LATE),
            };
            if at + delay == Duration::ZERO {
                self.nodes[node].view.learn(rumour);
            } else {
                self.later(at + delay, Happens::Learns { node, rumour });
            }
            settled = settled.max(begun + delay);
        }
        self.spreads.push(Spread { rumour, begun, settled });
    }
}
