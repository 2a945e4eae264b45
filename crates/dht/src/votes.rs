//! Which address others see us at (BEP 42, the `ip` field of answers): one vote a voter, and a majority decides.

use core::net::IpAddr;
use std::collections::VecDeque;

use crate::is_local;
use crate::rate::prefix;

/// How many votes count: the latest.
const BALLOT: usize = 24;

/// How many must agree, and be more than half of all.
const QUORUM: usize = 4;

/// The votes.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    /// Voter and vote, the latest last.
    votes: VecDeque<(IpAddr, IpAddr)>,
}

impl Votes {
    /// Takes a vote, in place of the voter's former one. Neighbours (a /24, or a /48 of IPv6) have one together, except
    /// on local networks. Only voters elsewhere know our public address, and only those nearby a local one.
    pub(crate) fn cast(&mut self, voter: IpAddr, vote: IpAddr) {
        if is_local(voter) != is_local(vote) || voter.is_ipv4() != vote.is_ipv4() || vote.is_unspecified() {
            return;
        }
        let voter = if is_local(voter) { voter } else { prefix(voter, 24, 48) };
        self.votes.retain(|(other, _)| *other != voter);
        if self.votes.len() >= BALLOT {
            self.votes.pop_front();
        }
        self.votes.push_back((voter, vote));
    }

    /// Returns the address that most agree on.
    pub(crate) fn winner(&self) -> Option<IpAddr> {
        let count = |ip: IpAddr| self.votes.iter().filter(|(_, vote)| *vote == ip).count();
        let (_, latest) = self.votes.back()?;
        // A majority includes one of any two of the votes: but the latest alone need not be of it.
        let candidates = self.votes.iter().map(|(_, vote)| *vote).chain([*latest]);
        candidates.into_iter().find(|&ip| count(ip) >= QUORUM && count(ip) * 2 > self.votes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn four_who_agree_are_believed() {
        let mut votes = Votes::default();
        for i in 1..=4 {
            assert_eq!(votes.winner(), None);
            votes.cast(ip(&format!("198.51.{i}.1")), ip("203.0.113.7"));
        }
        assert_eq!(votes.winner(), Some(ip("203.0.113.7")));
    }

    #[test]
    fn neighbours_have_one_vote_and_the_last_one_counts() {
        let mut votes = Votes::default();
        for i in 1..=100 {
            votes.cast(ip(&format!("198.51.100.{i}")), ip("203.0.113.66"));
        }
        assert_eq!(votes.winner(), None);
        for i in 1..=10 {
            votes.cast(ip(&format!("192.0.{i}.1")), ip("203.0.113.7"));
        }
        assert_eq!(votes.winner(), Some(ip("203.0.113.7")));
        // We moved.
        for i in 1..=10 {
            votes.cast(ip(&format!("192.0.{i}.1")), ip("203.0.113.8"));
        }
        assert_eq!(votes.winner(), Some(ip("203.0.113.8")));
    }

    #[test]
    fn who_is_near_does_not_know_how_we_look_from_afar() {
        let mut votes = Votes::default();
        for i in 1..=10 {
            votes.cast(ip(&format!("10.0.0.{i}")), ip("203.0.113.7"));
            votes.cast(ip(&format!("192.0.{i}.1")), ip("10.0.0.1"));
        }
        assert_eq!(votes.winner(), None);
    }
}
