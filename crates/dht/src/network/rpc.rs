//! Our queries: which are out, whom they went to, and for what.
//!
//! Invariant: an answer counts only if it comes from the address that was asked, with the transaction id that was drawn
//! for it. A query ends with an answer, an error or its time limit; before that, it may become *slow*.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::Instant;
use bytes::Bytes;

use super::search::SearchId;
use crate::krpc::{self, Message, Method, Query, Want};
use crate::rate::{Pace, Recent};
use crate::secret::Secret;
use crate::{Id, Output, TaskId, Traffic};

/// How long an answer is waited for (arbitrary; longer than any but broken paths take).
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How long a node may take before it is slow: as long as most take and a margin, within these bounds.
const SLOW_MIN: Duration = Duration::from_millis(250);
const SLOW_MAX: Duration = Duration::from_millis(1_500);

/// Before anything was measured.
const SLOW_AT_FIRST: Duration = Duration::from_secs(1);

/// What a query is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A step of a look-up.
    Search(SearchId),
    /// Storing what a look-up found a place for.
    Store(SearchId),
    /// Whether a node is there.
    Check,
    /// Whether a stranger's address is its own, before it gets a long answer.
    Proof(Box<Deferred>),
    /// A user asks.
    Task(TaskId),
}

/// A query of a stranger whose answer waits for proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deferred {
    pub(super) transaction: Bytes,
    pub(super) target: Id,
    /// `None`: peers and filters are asked for, not an item.
    pub(super) get: Option<Option<i64>>,
    pub(super) want: Want,
    /// How long the query was, in bytes.
    pub(super) length: usize,
}

/// A query that is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) to: SocketAddr,
    /// Whom we expect there.
    pub(super) id: Option<Id>,
    pub(super) purpose: Purpose,
    pub(super) sent: Instant,
    pub(super) slow: bool,
    deadline: Instant,
}

/// What the passing of time did to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// It takes longer than most; an answer still counts.
    Slow(Pending),
    /// It is over.
    Lost(Pending),
}

/// The queries that are out. Bounded: a look-up has some dozens, of which few run at a time; everything else is counted
/// before it is sent.
#[derive(Debug)]
pub(super) struct Rpc {
    pub(super) own: Id,
    pub(super) read_only: bool,
    pub(super) traffic: Traffic,
    /// Whom we sent something to.
    pub(super) contacted: Recent,
    /// How fast queries are sent. Look-ups wait for room; storing what they found a place for, and what a user asks, does
    /// not, and is counted all the same.
    pub(super) pace: Pace,
    /// When anything was answered last.
    pub(super) answered: Option<Instant>,
    secret: Secret,
    /// How many transaction ids were drawn.
    drawn: u64,
    pending: BTreeMap<u32, Pending>,
    deadlines: BTreeSet<(Instant, u32)>,
    /// Smoothed round-trip time and its variation (RFC 6298, section 2).
    rtt: Option<(Duration, Duration)>,
}

impl Rpc {
    pub(super) fn new(own: Id, secret: Secret) -> Rpc {
        Rpc {
            own,
            read_only: false,
            traffic: Traffic::default(),
            contacted: Recent::default(),
            pace: Pace::default(),
            answered: None,
            secret,
            drawn: 0,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            rtt: None,
        }
    }

    /// Sends a query.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        to: (SocketAddr, Option<Id>),
        method: Method<'_>,
        want: Want,
        purpose: Purpose,
        outputs: &mut VecDeque<Output>,
    ) {
        let transaction = loop {
            self.drawn += 1;
            let drawn = self.secret.transaction(self.drawn);
            if !self.pending.contains_key(&drawn) {
                break drawn;
            }
        };
        let query = Query { id: self.own, read_only: self.read_only, want, method };
        let packet = krpc::encode_query(&transaction.to_be_bytes(), &query);
        self.contacted.add(now, to.0.ip());
        self.pace.spend(now);
        self.traffic.queries_out += 1;
        // Only look-ups, and answers that wait for proof, can make use of the news that a node is slow.
        let may_be_slow = matches!(purpose, Purpose::Search(_) | Purpose::Proof(_));
        let deadline = now + if may_be_slow { self.slow_after() } else { TIME_LIMIT };
        let pending = Pending { to: to.0, id: to.1, purpose, sent: now, slow: !may_be_slow, deadline };
        self.pending.insert(transaction, pending);
        self.deadlines.insert((deadline, transaction));
        self.send(to.0, packet, outputs);
    }

    /// Sends a packet.
    pub(super) fn send(&mut self, to: SocketAddr, packet: Vec<u8>, outputs: &mut VecDeque<Output>) {
        self.traffic.packets_out += 1;
        self.traffic.bytes_out += packet.len() as u64;
        outputs.push_back(Output::Send { to, packet });
    }

    /// Takes an answer or an error; returns which query it ends.
    pub(super) fn answer(&mut self, now: Instant, from: SocketAddr, message: &Message<'_>) -> Option<Pending> {
        let transaction = u32::from_be_bytes(message.transaction.try_into().ok()?);
        if self.pending.get(&transaction)?.to != from {
            return None;
        }
        let pending = self.pending.remove(&transaction)?;
        self.deadlines.remove(&(pending.deadline, transaction));
        self.answered = Some(now);
        self.measure(now.since(pending.sent));
        Some(pending)
    }

    /// Returns the next query that is late, if there is one.
    pub(super) fn late(&mut self, now: Instant) -> Option<Late> {
        let &(deadline, transaction) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
        self.deadlines.remove(&(deadline, transaction));
        let pending = self.pending.get_mut(&transaction)?;
        if pending.slow {
            return self.pending.remove(&transaction).map(Late::Lost);
        }
        let before = pending.clone();
        pending.slow = true;
        pending.deadline = pending.sent + TIME_LIMIT;
        self.deadlines.insert((pending.deadline, transaction));
        Some(Late::Slow(before))
    }

    /// Takes the stranger's query out of the proof of its address, which was slow: it is answered without.
    pub(super) fn take_deferred(&mut self, to: SocketAddr) -> Option<Deferred> {
        let pending =
            self.pending.values_mut().find(|p| p.to == to && p.slow && matches!(p.purpose, Purpose::Proof(_)))?;
        match std::mem::replace(&mut pending.purpose, Purpose::Check) {
            Purpose::Proof(deferred) => Some(*deferred),
            _ => None,
        }
    }

    /// Returns when [`Rpc::late`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Returns how many queries are out.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Tells whether a node at this address is being asked whether it is there.
    pub(super) fn is_checking(&self, address: SocketAddr) -> bool {
        self.pending
            .values()
            .any(|pending| pending.to == address && matches!(pending.purpose, Purpose::Check | Purpose::Proof(_)))
    }

    /// Forgets what a user asked.
    pub(super) fn cancel(&mut self, task: TaskId) {
        for pending in self.pending.values_mut().filter(|pending| pending.purpose == Purpose::Task(task)) {
            pending.purpose = Purpose::Check;
        }
    }

    fn slow_after(&self) -> Duration {
        self.rtt.map_or(SLOW_AT_FIRST, |(rtt, variation)| (rtt + variation * 3).clamp(SLOW_MIN, SLOW_MAX))
    }

    fn measure(&mut self, rtt: Duration) {
        self.rtt = Some(match self.rtt {
            None => (rtt, rtt / 2),
            Some((mean, variation)) => ((mean * 7 + rtt) / 8, (variation * 3 + mean.abs_diff(rtt)) / 4),
        });
    }
}
