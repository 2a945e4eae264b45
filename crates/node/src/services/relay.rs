//! The relay role: its settings, switching it on and off, who may use it, its numbers.
//!
//! With an identity the relay proves the node's own key. So whoever is told by a node where it may be reached, and finds a
//! relay of that node's own key among it, knows that it offers one: nothing else is signed for it
//! (`people::relays` looks for these).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use base::NodeId;
use overlay::relay::{RELAY, RelayAccess, RelayLimits, RelayServer, RelaySettings};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::{Patience, Services};
use crate::controls::Shown;
use crate::people::People;
use crate::{NodeError, hints};

/// The port that the relay has where the settings do not say (arbitrary; the one that iroh's relay has for tests).
const PORT: u16 = 3340;

/// The most addresses; each has two sockets and two tasks (arbitrary).
const MAX_LISTEN: usize = 16;

/// The least rate that makes sense: less breaks connections (arbitrary).
const MIN_RATE: u32 = 10_000;

/// The settings: `[offer.relay]`. Every limit holds whatever strangers send; who may come says the policy of the gate, for
/// the service `relay`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelayConfig {
    /// Offer it whenever the node runs, without being told to on the command line.
    pub on: bool,
    /// The addresses that are served, each over TCP and UDP.
    pub listen: Vec<SocketAddr>,
    /// The addresses at which others reach it, where a router passes them on; by default those of this computer.
    pub public: Vec<SocketAddr>,
    /// Clients at a time.
    pub clients: usize,
    /// Connections at a time that have not proven who they are.
    pub handshakes: usize,
    /// Bytes a second that are taken from one client, for example `"1M"`.
    #[serde(deserialize_with = "rate")]
    pub client_rate: u32,
    /// Bytes a second that are taken from all clients together.
    #[serde(deserialize_with = "rate")]
    pub rate: u32,
}

impl Default for RelayConfig {
    fn default() -> RelayConfig {
        RelayConfig {
            on: false,
            listen: vec![
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
            ],
            public: Vec::new(),
            // Arbitrary, all four: a video call takes half a megabyte a second, and most clients say next to nothing once
            // they have found a direct way.
            clients: 100,
            handshakes: 200,
            client_rate: 1_000_000,
            rate: 5_000_000,
        }
    }
}

impl RelayConfig {
    /// Returns what a running relay cannot change.
    fn places(&self) -> (&[SocketAddr], &[SocketAddr], usize) {
        (&self.listen, &self.public, self.handshakes)
    }

    /// Says what is wrong with the settings.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.listen.is_empty() || self.listen.len() > MAX_LISTEN {
            return Err(format!("offer.relay.listen has to name 1 to {MAX_LISTEN} addresses"));
        }
        if self.public.len() > MAX_LISTEN {
            return Err(format!("offer.relay.public can name {MAX_LISTEN} addresses"));
        }
        if self.clients == 0 || self.handshakes == 0 {
            return Err("a limit of offer.relay is 0; to switch the relay off, set on = false".into());
        }
        if self.client_rate < MIN_RATE || self.rate < MIN_RATE {
            return Err("offer.relay.client_rate and rate have to be 10K or more".into());
        }
        Ok(())
    }
}

impl Services {
    /// Starts, restarts or ends the relay, and tells it its limits.
    pub(super) async fn settle_relay(&self, shown: &Shown) -> Result<(), NodeError> {
        let config = &shown.config.offer.relay;
        let wanted = self.is_wanted(shown, RELAY, config.on).then_some(config);
        let limits = limits(config, shown, net::Bytes::default());
        let old = {
            let mut running = self.running();
            running.failed.remove(RELAY);
            match (&mut running.relay, wanted) {
                (None, None) => return Ok(()),
                (Some((old, relay)), Some(wanted)) if old.places() == wanted.places() => {
                    relay.server.set_limits(limits);
                    *old = wanted.clone();
                    self.tell(relay.find());
                    return Ok(());
                }
                _ => running.relay.take(),
            }
        };
        let mut patience = Patience::new(old.is_some());
        drop(old);
        let Some(config) = wanted else {
            self.tell(Some(Vec::new()));
            return Ok(());
        };
        self.note(RELAY, self.check_way(RELAY))?;
        let mut started = self.start_relay(config, limits).await;
        while started.is_err() && patience.wait().await {
            started = self.start_relay(config, limits).await;
        }
        let mut relay = self.note(RELAY, started)?;
        self.tell(relay.find());
        self.running().relay = Some((config.clone(), relay));
        Ok(())
    }

    async fn start_relay(&self, config: &RelayConfig, limits: RelayLimits) -> Result<Relay, NodeError> {
        let people = self.people().cloned();
        // The node's key: who knows the node knows that this relay is its own. Without an identity, one of its own.
        let secret = match &people {
            Some(people) => people.key().secret(),
            None => self.0.home.relay_secret()?,
        };
        let access = Arc::new(Guests { gate: self.0.controls.gate().clone(), people });
        let (listen, egress) = (config.listen.clone(), self.0.egress.clone());
        let settings = RelaySettings { secret, listen, egress: egress.clone(), limits, access };
        let server = RelayServer::start(settings).await?;
        let (relays, counted, others) = Default::default();
        let (public, beside) = (config.public.clone(), (Instant::now(), net::Bytes::default()));
        Ok(Relay { server, egress, public, relays, counted, beside, others })
    }

    /// Tells others where our relay is, if that is news.
    fn tell(&self, relays: Option<Vec<overlay::Relay>>) {
        if let (Some(people), Some(relays)) = (self.people(), relays) {
            people.offer_relays(relays);
        }
    }

    /// Adds what the relay passed on to what was used, takes it from the budget of all, and lets the relay have what the
    /// others leave. Its clients are not asked before each byte: what they sent is charged afterwards.
    pub(super) fn account_for_relay(&self) {
        let gate = self.0.controls.gate();
        let usage = gate.usage();
        if self.running().relay.is_none() {
            return;
        }
        let shown = self.0.controls.shown();
        let others = usage.totals().into_iter().filter(|(key, _)| key.service != RELAY);
        let others = others
            .fold(net::Bytes::default(), |sum, (_, it)| net::Bytes { down: sum.down + it.down, up: sum.up + it.up });
        let fresh = {
            let mut running = self.running();
            let Some((config, relay)) = running.relay.as_mut() else { return };
            let (fresh, beside) = relay.fresh(others);
            relay.server.set_limits(limits(config, &shown, beside));
            fresh
        };
        if fresh != net::Bytes::default() {
            usage.count(net::UsageKey { service: RELAY, person: None, carrier: net::Carrier::Tcp }, fresh);
            gate.budget().charge(RELAY, fresh);
        }
    }
}

/// What is left of a limit beside others: half of it at least, more where they want less. Who has less than half and wants
/// more gets it in steps, each time twice as much.
fn left(limit: Option<u64>, others: u64) -> Option<u64> {
    limit.map(|limit| limit.saturating_sub(others.saturating_mul(2)).max(limit / 2))
}

/// Works out what the relay may cost: its own limits and what the budget leaves it, of which others carry so many bytes a
/// second. What comes in goes out again.
fn limits(config: &RelayConfig, shown: &Shown, others: net::Bytes) -> RelayLimits {
    let service = shown.config.service.get(RELAY);
    let rates = service.map(|service| service.rates()).unwrap_or_default();
    let all = shown.shares.all;
    let budget =
        [rates.down, rates.up, left(all.down, others.down), left(all.up, others.up)].into_iter().flatten().min();
    let budget = budget.map_or(u32::MAX, |rate| u32::try_from(rate).unwrap_or(u32::MAX));
    let clients = service.and_then(|service| service.connections).map_or(usize::MAX, |count| count as usize);
    RelayLimits {
        clients: config.clients.min(clients),
        handshakes: config.handshakes,
        client_bytes_per_s: config.client_rate,
        bytes_per_s: config.rate.min(budget),
    }
}

/// Who may use the relay: ourselves, and whom the gate admits to the service and we know nothing against.
struct Guests {
    gate: net::Gate,
    people: Option<People>,
}

impl RelayAccess for Guests {
    fn admits(&self, node: NodeId) -> bool {
        let Some(people) = &self.people else { return self.gate.admits(node) };
        node == people.key().id() || people.book().admits(&node) && self.gate.admits(node)
    }

    fn admits_address(&self, address: SocketAddr) -> bool {
        self.gate.admits_address(address)
    }
}

/// A running relay.
#[derive(Debug)]
pub(super) struct Relay {
    server: RelayServer,
    egress: net::Egress,
    public: Vec<SocketAddr>,
    /// The texts by which others use it: those by which most can reach this computer.
    relays: Vec<overlay::Relay>,
    counted: net::Bytes,
    /// When that was, and what others had carried by then.
    beside: (Instant, net::Bytes),
    /// What others carried lately, in bytes per second.
    others: Others,
}

/// What others than the relay carry, in bytes per second: the last second or so counts.
#[derive(Clone, Copy, Debug, Default)]
struct Others {
    down: f64,
    up: f64,
}

/// The weight of a quarter of a second in it.
const WEIGHT: f64 = 0.4;

impl Relay {
    /// Looks by which addresses others reach it; returns them, if they are others than the last time.
    fn find(&mut self) -> Option<Vec<overlay::Relay>> {
        let found = hints::hints(&self.egress.narrow(self.server.addresses()), None, false);
        let addresses = if self.public.is_empty() { &found } else { &self.public };
        let relays: Vec<_> = addresses.iter().filter_map(|&address| self.server.relay_at(address)).collect();
        let news = relays != self.relays;
        self.relays = relays;
        news.then(|| self.relays.clone())
    }

    /// Returns the texts by which others use it.
    pub(super) fn texts(&self) -> Vec<String> {
        self.relays.iter().map(ToString::to_string).collect()
    }

    /// Returns what was carried since the last call, and what others carry per second, who have carried `others` in all.
    fn fresh(&mut self, others: net::Bytes) -> (net::Bytes, net::Bytes) {
        let (at, before) = std::mem::replace(&mut self.beside, (Instant::now(), others));
        let passed = at.elapsed().as_secs_f64().max(0.01);
        let step = |old: f64, now: u64, before: u64| old + WEIGHT * (now.saturating_sub(before) as f64 / passed - old);
        let Others { down, up } = self.others;
        self.others = Others { down: step(down, others.down, before.down), up: step(up, others.up, before.up) };
        let beside = net::Bytes { down: self.others.down as u64, up: self.others.up as u64 };
        let stats = self.server.stats();
        let now = net::Bytes { down: stats.received_bytes, up: stats.sent_bytes };
        let old = std::mem::replace(&mut self.counted, now);
        (net::Bytes { down: now.down.saturating_sub(old.down), up: now.up.saturating_sub(old.up) }, beside)
    }

    /// Returns all numbers.
    pub(super) fn stats(&self) -> rpc::RelayStats {
        let stats = self.server.stats();
        rpc::RelayStats {
            urls: self.texts(),
            clients: stats.clients as u64,
            clients_limit: stats.clients_limit as u64,
            accepted: stats.accepted,
            refused: stats.refused,
            revoked: stats.revoked,
            received_bytes: stats.received_bytes,
            sent_bytes: stats.sent_bytes,
            dropped: stats.dropped,
            discoveries: stats.discoveries,
        }
    }
}

/// Reads bytes a second: a number, or a text such as `"1M"`.
fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    u32::try_from(crate::config::bytes(deserializer)?)
        .map_err(|_| D::Error::custom("a rate of 4G or more means nothing here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_has_what_others_leave_and_half_of_it_in_any_case() {
        assert_eq!(left(None, 5), None);
        assert_eq!(left(Some(1_000), 0), Some(1_000));
        assert_eq!(left(Some(1_000), 100), Some(800));
        assert_eq!(left(Some(1_000), 250), Some(500));
        assert_eq!(left(Some(1_000), u64::MAX), Some(500));
    }
}
