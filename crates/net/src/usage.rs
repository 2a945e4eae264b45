//! Who uses what: bytes each way of every connection, and of those that are over, by service, person, node and carrier.
//!
//! Owns the list of connections that stand and the sums of those that are gone. Meters count; [`Usage::sample`], called
//! once a second or so, makes rates of the counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::{NodeId, PersonId};

use crate::{Asking, Carrier, Direction};

/// How many keys the sums may have; further strangers' carriers and services find theirs, further persons are counted as
/// strangers. Arbitrary; far more than a person's contacts.
const MAX_KEYS: usize = 4096;

/// The weight of a new second in a rate: the last four or so count.
const WEIGHT: f64 = 0.3;

/// Bytes each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// What came in.
    pub down: u64,
    /// What went out.
    pub up: u64,
}

/// One connection. Its meters count into it.
#[derive(Debug)]
pub struct Flow {
    asking: Asking,
    begun: Instant,
    down: Arc<AtomicU64>,
    up: Arc<AtomicU64>,
    rates: Mutex<Rate>,
}

#[derive(Debug, Default)]
struct Rate {
    seen: Bytes,
    down: f64,
    up: f64,
}

/// A connection as it is now.
#[derive(Clone, Copy, Debug)]
pub struct FlowStatus {
    /// What it was admitted as.
    pub asking: Asking,
    /// How long it has been standing.
    pub age: Duration,
    /// What it carried.
    pub bytes: Bytes,
    /// What it carries now, in bytes per second.
    pub rate: Bytes,
}

/// By what usage is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// The service.
    pub service: &'static str,
    /// The person; `None`: strangers.
    pub person: Option<PersonId>,
    /// The carrier.
    pub carrier: Carrier,
}

/// Counts what is carried for whom. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Usage(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Bounded by the gate's counts.
    flows: Vec<Arc<Flow>>,
    sampled: Option<Instant>,
    /// Of connections that are over.
    over: BTreeMap<UsageKey, Bytes>,
    /// What [`Usage::take`] told last.
    told: BTreeMap<UsageKey, Bytes>,
}

impl Flow {
    /// Returns the service.
    pub fn service(&self) -> &'static str {
        self.asking.service
    }

    /// Returns the person.
    pub fn person(&self) -> Option<PersonId> {
        self.asking.person
    }

    /// Returns the node.
    pub fn node(&self) -> Option<NodeId> {
        self.asking.node
    }

    /// Returns the remote address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.asking.address
    }

    /// Returns who opened it.
    pub fn direction(&self) -> Direction {
        self.asking.direction
    }

    /// Returns what was carried.
    pub fn bytes(&self) -> Bytes {
        Bytes { down: self.down.load(Ordering::Relaxed), up: self.up.load(Ordering::Relaxed) }
    }

    pub(crate) fn received(&self) -> Arc<AtomicU64> {
        self.down.clone()
    }

    pub(crate) fn sent(&self) -> Arc<AtomicU64> {
        self.up.clone()
    }

    fn key(&self) -> UsageKey {
        UsageKey { service: self.asking.service, person: self.asking.person, carrier: self.asking.carrier }
    }

    fn rates(&self) -> MutexGuard<'_, Rate> {
        // Nothing panics between two changes of it.
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sample(&self, passed: f64) {
        let now = self.bytes();
        let mut rate = self.rates();
        // A meter that gave bytes back may be a little behind itself.
        let step = |now: u64, seen: u64, old: f64| {
            let fresh = now.saturating_sub(seen) as f64 / passed;
            let smooth = old + WEIGHT * (fresh - old);
            if smooth < 1.0 { 0.0 } else { smooth }
        };
        (rate.down, rate.up) = (step(now.down, rate.seen.down, rate.down), step(now.up, rate.seen.up, rate.up));
        rate.seen = now;
    }
}

impl Usage {
    pub(crate) fn open(&self, asking: &Asking) -> Arc<Flow> {
        let flow = Arc::new(Flow {
            asking: *asking,
            begun: Instant::now(),
            down: Arc::default(),
            up: Arc::default(),
            rates: Mutex::default(),
        });
        self.state().flows.push(flow.clone());
        flow
    }

    pub(crate) fn close(&self, flow: &Arc<Flow>) {
        let mut state = self.state();
        state.flows.retain(|other| !Arc::ptr_eq(other, flow));
        let bytes = flow.bytes();
        if bytes != Bytes::default() {
            add(&mut state.over, flow.key(), bytes);
        }
    }

    /// Counts what was carried by something that has no pass of its own.
    pub fn count(&self, key: UsageKey, bytes: Bytes) {
        add(&mut self.state().over, key, bytes);
    }

    /// Makes rates of what was counted since the last call. To be called about once a second.
    pub fn sample(&self) {
        let now = Instant::now();
        let mut state = self.state();
        let passed = state.sampled.replace(now).map_or(1.0, |last| (now - last).as_secs_f64());
        if passed > 0.0 {
            state.flows.iter().for_each(|flow| flow.sample(passed));
        }
    }

    /// Returns the connections that stand.
    pub fn flows(&self) -> Vec<FlowStatus> {
        let status = |flow: &Arc<Flow>| {
            let rate = flow.rates();
            let rate = Bytes { down: rate.down as u64, up: rate.up as u64 };
            FlowStatus { asking: flow.asking, age: flow.begun.elapsed(), bytes: flow.bytes(), rate }
        };
        self.state().flows.iter().map(status).collect()
    }

    /// Returns what was carried since the start.
    pub fn totals(&self) -> BTreeMap<UsageKey, Bytes> {
        let state = self.state();
        state.totals()
    }

    /// Returns what was carried since the last call, for a store that adds it up.
    pub fn take(&self) -> BTreeMap<UsageKey, Bytes> {
        let mut state = self.state();
        let totals = state.totals();
        let news = |(key, bytes): (&UsageKey, &Bytes)| {
            let told = state.told.get(key).copied().unwrap_or_default();
            let new = Bytes { down: bytes.down.saturating_sub(told.down), up: bytes.up.saturating_sub(told.up) };
            (new != Bytes::default()).then_some((*key, new))
        };
        let new = totals.iter().filter_map(news).collect();
        state.told = totals;
        new
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn totals(&self) -> BTreeMap<UsageKey, Bytes> {
        let mut totals = self.over.clone();
        self.flows.iter().for_each(|flow| add(&mut totals, flow.key(), flow.bytes()));
        totals.retain(|_, bytes| *bytes != Bytes::default());
        totals
    }
}

fn add(sums: &mut BTreeMap<UsageKey, Bytes>, mut key: UsageKey, bytes: Bytes) {
    if sums.len() >= MAX_KEYS && !sums.contains_key(&key) {
        key.person = None;
    }
    let sum = sums.entry(key).or_default();
    sum.down += bytes.down;
    sum.up += bytes.up;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gate, GateLimits, Limiter};

    #[test]
    fn what_is_carried_is_counted_for_whom_it_is_and_told_once() {
        let gate = Gate::new(GateLimits { connections: 9, per_torrent: 9, per_address: 9, per_person: 9 });
        let address = "192.0.2.1:1".parse().unwrap();
        let pass = gate.admit(&Asking::peer(address, Carrier::Utp, Direction::Incoming)).unwrap();
        let (mut down, mut up) = pass.meters(Some(&Limiter::new(None, None)));
        assert_eq!((down.take(100), up.take(30)), (Ok(100), Ok(30)));
        up.refund(10);
        gate.usage().sample();
        let flow = gate.usage().flows()[0];
        assert_eq!(flow.bytes, Bytes { down: 100, up: 20 });
        assert!(flow.rate.down > 0 && flow.asking.carrier == Carrier::Utp);

        let key = UsageKey { service: "files", person: None, carrier: Carrier::Utp };
        assert_eq!(gate.usage().take(), [(key, Bytes { down: 100, up: 20 })].into());
        assert_eq!(gate.usage().take(), BTreeMap::new());
        assert_eq!(down.take(5), Ok(5));
        drop(pass);
        assert!(gate.usage().flows().is_empty());
        assert_eq!(gate.usage().take(), [(key, Bytes { down: 5, up: 0 })].into());
        assert_eq!(gate.usage().totals()[&key], Bytes { down: 105, up: 20 });
    }
}
