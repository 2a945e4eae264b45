//! Expulsions and demotions that were written without knowledge of one another, and are against one another.
//!
//! One *threatens* another if it would take away what the other rests on: it expels its author, or whoever made its
//! author an admin, and so on. What nothing threatens holds, and what it threatened falls. Where only circles are left
//! (Alice expels Bob while Bob expels Alice), one of the circle is chosen by these, in order:
//!
//! 1. not one that another of the circle *betrays* as back-dated: whose author hid what the other had seen of that author;
//! 2. what more members saw first: members whom the dispute is not about and who were members for all sides, each by the
//!    first change they wrote that knew one side and not the others;
//! 3. the one whose author was an admin earlier;
//! 4. the lesser name (hash).
//!
//! The chosen one holds, and what threatened it falls. All of this reads only the graph: no clock, no order of arrival.

use std::collections::BTreeSet;

use super::log::Places;
use super::roster::{Decided, Judge, Verdict, Who};

/// Decides which expulsions and demotions hold.
pub(super) fn decide(judge: &Judge<'_>) -> Decided {
    let mut decided = Decided::default();
    // Each round decides at least one.
    loop {
        let counts = judge.counts(&decided);
        let open = |place: &usize| counts.has(*place) && !decided.stand.has(*place);
        let candidates: Vec<usize> = judge.depositions.iter().copied().filter(open).collect();
        if candidates.is_empty() {
            return decided;
        }
        let threats = Threats::find(judge, &counts, &decided, &candidates);
        let safe: Vec<usize> = candidates.iter().copied().filter(|x| threats.against(*x).next().is_none()).collect();
        if safe.is_empty() {
            for circle in threats.circles(&candidates) {
                let verdict = Verdict { counts: &counts, decided: &decided };
                let chosen = choose(judge, &verdict, &circle);
                decided.stand.add(chosen);
                threats.against(chosen).for_each(|loser| decided.fall.add(loser));
            }
        } else {
            safe.into_iter().for_each(|place| decided.stand.add(place));
        }
    }
}

/// Which candidate threatens which.
struct Threats(BTreeSet<(usize, usize)>);

impl Threats {
    fn find(judge: &Judge<'_>, counts: &Places, decided: &Decided, candidates: &[usize]) -> Threats {
        let mut threats = BTreeSet::new();
        for by in candidates {
            if !has_effect(judge, *by) {
                continue;
            }
            let then = judge.counts_with(counts, decided, *by);
            threats.extend(candidates.iter().filter(|on| *on != by && !then.has(**on)).map(|on| (*by, *on)));
        }
        Threats(threats)
    }

    /// Returns what threatens a candidate.
    fn against(&self, on: usize) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().filter(move |(_, victim)| *victim == on).map(|(by, _)| *by)
    }

    /// Returns the circles of candidates that nothing outside of them threatens. There is one where everything is
    /// threatened.
    fn circles(&self, candidates: &[usize]) -> Vec<Vec<usize>> {
        let reach: Vec<Places> = candidates.iter().map(|from| self.reach(*from)).collect();
        let mut circles: Vec<Vec<usize>> = Vec::new();
        for (from, reached) in candidates.iter().zip(&reach) {
            if circles.iter().any(|circle| circle.contains(from)) {
                continue;
            }
            let with = |(other, back): &(&usize, &Places)| *other == from || reached.has(**other) && back.has(*from);
            let circle: Vec<usize> = candidates.iter().zip(&reach).filter(with).map(|(other, _)| *other).collect();
            let from_outside = |(by, on): &(usize, usize)| circle.contains(on) && !circle.contains(by);
            if !self.0.iter().any(from_outside) {
                circles.push(circle);
            }
        }
        circles
    }

    fn reach(&self, from: usize) -> Places {
        let (mut reached, mut open) = (Places::default(), vec![from]);
        while let Some(by) = open.pop() {
            for (_, on) in self.0.range((by, 0)..=(by, usize::MAX)) {
                if !reached.has(*on) {
                    reached.add(*on);
                    open.push(*on);
                }
            }
        }
        reached
    }
}

/// Whether anything that its target wrote is not known to a deposition: only then can it take anything back.
fn has_effect(judge: &Judge<'_>, place: usize) -> bool {
    let Some(target) = judge.log.deposes(place) else { return false };
    judge.log.by(&target).iter().any(|written| !judge.log.knew(place, *written))
}

fn choose(judge: &Judge<'_>, verdict: &Verdict<'_>, circle: &[usize]) -> usize {
    let betrayed = |place: usize| circle.iter().any(|other| *other != place && judge.betrays(*other, place));
    let mut common = judge.log.at(circle[0]).past.clone();
    circle.iter().for_each(|place| common.meet(&judge.log.at(*place).past));
    let votes = votes(judge, verdict, circle, &common);
    let rank = |at: usize| {
        let place = circle[at];
        let seniority = judge.seniority(verdict, &common, judge.author[place]);
        // The least is chosen: `false` before `true`, more votes before fewer, a known seniority before none.
        (betrayed(place), usize::MAX - votes[at], seniority.unwrap_or(usize::MAX), judge.log.at(place).id)
    };
    let chosen = (0..circle.len()).min_by_key(|at| rank(*at)).unwrap_or(0);
    circle[chosen]
}

/// Counts, for each of the circle, the members who saw it first.
fn votes(judge: &Judge<'_>, verdict: &Verdict<'_>, circle: &[usize], common: &Places) -> Vec<usize> {
    let log = judge.log;
    let parties: BTreeSet<Who> =
        circle.iter().flat_map(|place| [Some(judge.author[*place]), judge.deposed[*place]]).flatten().collect();
    let mut votes = vec![0; circle.len()];
    for who in judge.everybody().filter(|who| !parties.contains(who)) {
        // A member in what all sides knew: nobody brings in friends to decide.
        if judge.admission(verdict, common, who).is_none() {
            continue;
        }
        let knows_any = |place: &usize| circle.iter().any(|side| log.knew(*place, *side));
        let witness: Vec<usize> = log.by(&judge.people[who].id).iter().copied().filter(knows_any).collect();
        let first: Vec<usize> =
            witness.iter().copied().filter(|place| !witness.iter().any(|other| log.knew(*place, *other))).collect();
        // Two first changes: somebody who says one thing here and another there.
        let [first] = first[..] else { continue };
        for (at, side) in circle.iter().enumerate() {
            votes[at] += usize::from(log.knew(first, *side));
        }
    }
    votes
}
