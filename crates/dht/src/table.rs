//! The routing table: many nodes near us, few far away (BEP 5, Routing table).
//!
//! Bucket *i* holds nodes that share exactly *i* leading bits with our id; the last one holds those that share more, and
//! splits when it is full. Invariants: a node in a bucket has answered a query of ours; who is there and answers is never
//! pushed out by who comes later, except that a node whose id suits its address (BEP 42) takes the place of one whose id
//! does not; of one public address there is one node, of one neighbourhood (/24, or /48 of IPv6) there are few.

use core::net::SocketAddr;
use std::time::Duration;

use base::Instant;

use crate::rate::prefix;
use crate::{BucketStatus, Id, NodeAddress, NodeStatus, is_local};

/// How many nodes a bucket holds, and a look-up ends with (BEP 5: K).
pub(crate) const K: usize = 8;

/// How many nodes wait for a place in a bucket.
const MAX_REPLACEMENTS: usize = 8;

/// How many waiting nodes are enough not to ask for more.
const ENOUGH_REPLACEMENTS: usize = 2;

/// How long after its last answer a node is good (BEP 5).
pub(crate) const GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// How many unanswered queries in a row make a node bad, where another waits for its place.
const FAILURES_WITH_SUCCESSOR: u8 = 2;

/// How many do where no other waits.
const FAILURES: u8 = 4;

/// How long a node that did not answer is left alone before it is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The most nodes of one neighbourhood in a bucket (arbitrary).
const NEIGHBOURS_IN_BUCKET: usize = 2;

/// The most nodes of one neighbourhood in the table (arbitrary).
const NEIGHBOURS_IN_TABLE: usize = 6;

/// The table of one network.
#[derive(Debug)]
pub(crate) struct Table {
    own: Id,
    /// Never empty.
    buckets: Vec<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    nodes: Vec<Entry>,
    /// The latest last.
    replacements: Vec<Entry>,
}

/// A node that answered once.
#[derive(Clone, Debug)]
struct Entry {
    node: NodeAddress,
    secure: bool,
    answered: Instant,
    asked: Option<Instant>,
    rtt: Duration,
    failures: u8,
}

/// A node whose turn it is to show that it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) node: NodeAddress,
    /// The bucket could use more nodes: ask for some.
    pub(crate) hungry: bool,
    /// How many bits it shares with us.
    pub(crate) bits: usize,
}

impl Table {
    /// Builds an empty table around our id.
    pub(crate) fn new(own: Id) -> Table {
        Table { own, buckets: vec![Bucket::default()] }
    }

    /// Returns our id.
    pub(crate) fn own(&self) -> Id {
        self.own
    }

    /// Takes a new id of our own: every node finds its new place, as far as there is one.
    pub(crate) fn rename(&mut self, own: Id) {
        let old = std::mem::replace(self, Table::new(own));
        for entry in old.buckets.into_iter().flat_map(|bucket| bucket.nodes.into_iter().chain(bucket.replacements)) {
            self.insert(entry);
        }
    }

    /// Notes that a node answered.
    pub(crate) fn answered(&mut self, now: Instant, node: NodeAddress, rtt: Duration) {
        if node.id == self.own {
            return;
        }
        let bucket = self.bucket_of(&node.id);
        let bucket = &mut self.buckets[bucket];
        let known = bucket.nodes.iter_mut().chain(&mut bucket.replacements).find(|entry| entry.node.id == node.id);
        if let Some(entry) = known {
            // Another address with a known id: the one we know stays until it fails.
            if entry.node.address == node.address {
                entry.answered = now;
                entry.failures = 0;
                entry.rtt = (entry.rtt * 3 + rtt) / 4;
            }
            return;
        }
        let secure = node.id.suits(node.address.ip());
        self.insert(Entry { node, secure, answered: now, asked: None, rtt, failures: 0 });
    }

    /// Notes that a node is being asked.
    pub(crate) fn asked(&mut self, now: Instant, address: SocketAddr, id: &Id) {
        let bucket = self.bucket_of(id);
        let bucket = &mut self.buckets[bucket];
        let known = bucket.nodes.iter_mut().chain(&mut bucket.replacements).find(|entry| entry.node.id == *id);
        if let Some(entry) = known.filter(|entry| entry.node.address == address) {
            entry.asked = Some(now);
        }
    }

    /// Notes that a node did not answer. One that waits for a place takes that of a node that is gone.
    pub(crate) fn failed(&mut self, address: SocketAddr, id: &Id) {
        let bucket = self.bucket_of(id);
        let bucket = &mut self.buckets[bucket];
        bucket.replacements.retain(|entry| entry.node.id != *id || entry.node.address != address);
        let Some(at) = bucket.nodes.iter().position(|e| e.node.id == *id && e.node.address == address) else { return };
        let entry = &mut bucket.nodes[at];
        entry.failures += 1;
        let limit = if bucket.replacements.is_empty() { FAILURES } else { FAILURES_WITH_SUCCESSOR };
        if entry.failures >= limit {
            bucket.succeed(at);
        }
    }

    /// Notes that a node is not there any more: another answers at its address.
    pub(crate) fn remove(&mut self, address: SocketAddr, id: &Id) {
        let bucket = self.bucket_of(id);
        let bucket = &mut self.buckets[bucket];
        bucket.replacements.retain(|entry| entry.node.id != *id || entry.node.address != address);
        if let Some(at) = bucket.nodes.iter().position(|e| e.node.id == *id && e.node.address == address) {
            bucket.succeed(at);
        }
    }

    /// Tells whether a node that we only heard of would be welcome, were it to answer.
    pub(crate) fn wants(&self, node: &NodeAddress) -> bool {
        let at = self.bucket_of(&node.id);
        let bucket = &self.buckets[at];
        let known = bucket.nodes.iter().chain(&bucket.replacements).any(|entry| entry.node.id == node.id);
        if known || node.id == self.own || !self.is_diverse(at, node) {
            return false;
        }
        bucket.nodes.len() < K || self.may_split(at) || bucket.replacements.len() < ENOUGH_REPLACEMENTS
    }

    /// Returns the nodes nearest to a key, nearest first: good ones and, where these are too few, doubtful ones.
    pub(crate) fn closest(&self, now: Instant, target: &Id, count: usize) -> Vec<NodeAddress> {
        let all = self.buckets.iter().flat_map(|bucket| &bucket.nodes).filter(|entry| entry.failures == 0);
        let mut all: Vec<_> = all.map(|e| (!e.is_good(now), target.distance(&e.node.id), e.node)).collect();
        if all.len() > count {
            all.select_nth_unstable(count);
            all.truncate(count);
        }
        all.sort_unstable_by_key(|&(_, distance, _)| distance);
        all.into_iter().map(|(_, _, node)| node).collect()
    }

    /// Returns the node that has been silent for longest, if that is long enough to ask it.
    pub(crate) fn due(&self, now: Instant) -> Option<Due> {
        let (at, entry) = self.stalest()?;
        if entry.due_at() > now {
            return None;
        }
        let bucket = &self.buckets[at];
        let hungry = bucket.nodes.len() < K || bucket.replacements.is_empty();
        Some(Due { node: entry.node, hungry, bits: self.own.common_bits(&entry.node.id) })
    }

    /// Returns when [`Table::due`] will name a node.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.stalest().map(|(_, entry)| entry.due_at())
    }

    /// Returns how many bits the nodes of the emptiest bucket share with us; the last bucket does not count.
    pub(crate) fn emptiest(&self) -> Option<usize> {
        let counted = self.buckets[..self.buckets.len() - 1].iter().enumerate();
        counted.min_by_key(|(_, bucket)| bucket.nodes.len()).filter(|(_, b)| b.nodes.len() < K).map(|(bits, _)| bits)
    }

    /// Returns how many buckets there are.
    pub(crate) fn depth(&self) -> usize {
        self.buckets.len()
    }

    /// Returns how many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.nodes.len()).sum()
    }

    /// Returns how many nodes answered lately; with `public`, those of public addresses only.
    pub(crate) fn good(&self, now: Instant, public: bool) -> usize {
        let all = self.buckets.iter().flat_map(|bucket| &bucket.nodes);
        all.filter(|entry| entry.is_good(now) && !(public && is_local(entry.node.address.ip()))).count()
    }

    /// Returns all nodes, by bucket; with `replacements`, those that wait too.
    pub(crate) fn nodes(&self, now: Instant) -> Vec<NodeStatus> {
        let mut all = Vec::new();
        for bucket in &self.buckets {
            for (list, replacement) in [(&bucket.nodes, false), (&bucket.replacements, true)] {
                all.extend(list.iter().map(|entry| NodeStatus {
                    id: entry.node.id,
                    address: entry.node.address,
                    bits: self.own.common_bits(&entry.node.id) as u8,
                    secure: entry.secure,
                    good: entry.is_good(now),
                    replacement,
                    silent_for: now.since(entry.answered),
                    rtt: Some(entry.rtt),
                    failures: entry.failures,
                }));
            }
        }
        all
    }

    /// Returns the numbers of each bucket.
    pub(crate) fn buckets(&self, now: Instant) -> Vec<BucketStatus> {
        let status = |(bits, bucket): (usize, &Bucket)| {
            let good = bucket.nodes.iter().filter(|entry| entry.is_good(now)).count();
            BucketStatus {
                bits: bits as u8,
                good: good as u8,
                questionable: (bucket.nodes.len() - good) as u8,
                replacements: bucket.replacements.len() as u8,
            }
        };
        self.buckets.iter().enumerate().map(status).collect()
    }

    /// Returns the nodes to save, those near us last: any of them leads on.
    pub(crate) fn to_save(&self) -> impl Iterator<Item = NodeAddress> + '_ {
        self.buckets.iter().flat_map(|bucket| &bucket.nodes).filter(|e| e.failures == 0).map(|entry| entry.node)
    }

    fn bucket_of(&self, id: &Id) -> usize {
        self.own.common_bits(id).min(self.buckets.len() - 1)
    }

    fn may_split(&self, at: usize) -> bool {
        at + 1 == self.buckets.len() && self.buckets.len() < Id::BITS
    }

    fn stalest(&self) -> Option<(usize, &Entry)> {
        let all = self.buckets.iter().enumerate().flat_map(|(at, b)| b.nodes.iter().map(move |entry| (at, entry)));
        all.min_by_key(|(_, entry)| entry.due_at())
    }

    fn insert(&mut self, entry: Entry) {
        loop {
            let at = self.bucket_of(&entry.node.id);
            if !self.is_diverse(at, &entry.node) {
                return;
            }
            if self.buckets[at].nodes.len() < K {
                return self.buckets[at].nodes.push(entry);
            }
            if !self.may_split(at) {
                return self.buckets[at].insert_full(entry);
            }
            self.split();
        }
    }

    fn split(&mut self) {
        let bits = self.buckets.len() - 1;
        let own = self.own;
        let Some(last) = self.buckets.last_mut() else { return };
        let mut deeper = Bucket::default();
        let goes = |entry: &mut Entry| own.common_bits(&entry.node.id) > bits;
        deeper.nodes.extend(last.nodes.extract_if(.., goes));
        deeper.replacements.extend(last.replacements.extract_if(.., goes));
        self.buckets.push(deeper);
    }

    /// Tells whether the table has few enough nodes of this node's address and neighbourhood.
    fn is_diverse(&self, bucket: usize, node: &NodeAddress) -> bool {
        let ip = node.address.ip();
        if is_local(ip) {
            return true;
        }
        let near = prefix(ip, 24, 48);
        let (mut in_bucket, mut in_table) = (0, 0);
        for (at, other) in self.buckets.iter().enumerate().flat_map(|(at, b)| b.nodes.iter().map(move |e| (at, e))) {
            if other.node.address.ip() == ip {
                return false;
            }
            if prefix(other.node.address.ip(), 24, 48) == near {
                in_table += 1;
                in_bucket += usize::from(at == bucket);
            }
        }
        let waits = self.buckets[bucket].replacements.iter().any(|other| other.node.address.ip() == ip);
        !waits && in_bucket < NEIGHBOURS_IN_BUCKET && in_table < NEIGHBOURS_IN_TABLE
    }
}

impl Bucket {
    /// Finds a place for a node where all are taken: that of a bad node, of one whose id does not suit its address, or
    /// among those that wait.
    fn insert_full(&mut self, entry: Entry) {
        let bad = self.nodes.iter().position(|other| other.failures >= FAILURES_WITH_SUCCESSOR);
        let unsuited = || self.nodes.iter().rposition(|other| entry.secure && !other.secure);
        if let Some(at) = bad.or_else(unsuited) {
            let old = std::mem::replace(&mut self.nodes[at], entry);
            if old.failures == 0 {
                self.wait(old);
            }
            return;
        }
        self.wait(entry);
    }

    /// Gives the place of a node to one that waits: one whose id suits its address before all others, else the latest.
    fn succeed(&mut self, at: usize) {
        self.nodes.remove(at);
        let best = self.replacements.iter().rposition(|entry| entry.secure);
        if let Some(best) = best.or(self.replacements.len().checked_sub(1)) {
            let successor = self.replacements.remove(best);
            self.nodes.push(successor);
        }
    }

    fn wait(&mut self, entry: Entry) {
        if self.replacements.len() >= MAX_REPLACEMENTS {
            let unsuited = self.replacements.iter().position(|other| !other.secure);
            if unsuited.is_none() && !entry.secure {
                return;
            }
            self.replacements.remove(unsuited.unwrap_or(0));
        }
        self.replacements.push(entry);
    }
}

impl Entry {
    fn is_good(&self, now: Instant) -> bool {
        self.failures == 0 && now.since(self.answered) < GOOD_FOR
    }

    /// When it is to be asked again.
    fn due_at(&self) -> Instant {
        let due = self.answered + GOOD_FOR;
        if self.failures == 0 && self.asked.is_none_or(|asked| asked < self.answered) {
            return due;
        }
        self.asked.map_or(due, |asked| due.max(asked + RETRY_AFTER))
    }
}

#[cfg(test)]
mod tests;
