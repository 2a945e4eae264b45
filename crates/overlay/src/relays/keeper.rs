//! Keeps the endpoint's relays in step with the choice. One task; it awaits the endpoint's news of its relays, what is
//! known, what the policy ended, and the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use iroh::{Endpoint, RelayConfig, RelayMap, RelayMode, RelayUrl, Watcher as _};
use tokio::sync::watch;

use super::choice::{Choice, Home};
use super::proxy::NOWHERE;
use super::{KnownRelays, config, may_dial};
use crate::Relay;
use crate::admission::Admission;

/// How often the clock is looked at, and the gate asked again: what it refuses is left within two seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Returns how the endpoint stands with its relay.
pub(crate) fn homes(endpoint: &Endpoint) -> Vec<(Relay, bool, Option<String>)> {
    let status = endpoint.home_relay_status().get();
    let home = |status: &iroh::endpoint::RelayStatus| {
        let words = match status.auth_denied_reason() {
            Some(reason) => Some(reason.to_owned()),
            None => status.last_error().map(|error| format!("{error:#}")),
        };
        Some((Relay::from_iroh(status.url()).ok()?, status.is_connected(), words))
    };
    status.iter().filter_map(home).collect()
}

/// The task's surroundings.
pub(crate) struct Keeper {
    pub(crate) endpoint: Endpoint,
    /// The endpoint's own list, which it shares.
    pub(crate) map: RelayMap,
    /// Whether the settings allow the public ones.
    pub(crate) public: bool,
    pub(crate) admission: Admission,
    /// Who is told of what is refused.
    pub(crate) known: KnownRelays,
    /// Told whenever the policy ended a connection.
    pub(crate) cuts: watch::Receiver<()>,
}

impl Keeper {
    /// Runs until the endpoint is closed, or nobody tells what is known any more.
    pub(crate) async fn run(mut self, mut known: watch::Receiver<Vec<Relay>>) {
        let mut choice = Choice::new(Instant::now(), self.public);
        let mut status = self.endpoint.home_relay_status().stream();
        // What stood before somebody looked does not matter.
        self.cuts.mark_unchanged();
        let mut anew = false;
        loop {
            let relays: Vec<Relay> = known.borrow_and_update().clone();
            let (usable, refused): (Vec<Relay>, Vec<Relay>) =
                relays.into_iter().partition(|relay| may_dial(relay, &self.admission));
            self.known.refuse(refused);
            choice.know(Instant::now(), usable);
            choice.look(Instant::now(), &now(&self.endpoint));
            self.put(wanted(&choice, &self.admission), anew).await;
            anew = false;
            tokio::select! {
                () = self.endpoint.closed() => return,
                changed = known.changed() => if changed.is_err() { return },
                news = status.next() => if news.is_none() { return },
                // An address behind a name may be blocked, which the list does not show.
                cut = self.cuts.changed() => anew = cut.is_ok(),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Makes the endpoint's list what is wanted. Where that is news, or `anew`, the endpoint measures all of it, and ends what
    /// it measured the others by (QUIC address discovery stands otherwise, also when the list is empty).
    async fn put(&self, mut wanted: Relays, anew: bool) {
        let before: Vec<RelayUrl> = self.map.urls();
        if wanted.is_empty() && !before.is_empty() {
            wanted.extend(nowhere());
        }
        let gone: Vec<_> = before.iter().filter(|url| !wanted.contains_key(*url)).collect();
        let fresh: Vec<_> = wanted.iter().filter(|(url, _)| !before.contains(url)).collect();
        if gone.is_empty() && fresh.is_empty() && !anew {
            return;
        }
        // The endpoint is told when all is done: after each step it would measure those that are left.
        for url in gone {
            tracing::debug!(%url, "a relay is no longer used");
            self.map.remove(url);
        }
        for (url, config) in fresh {
            tracing::debug!(%url, "a relay may be used");
            self.map.insert(url.clone(), config.clone());
        }
        if let Some((url, config)) = wanted.into_iter().next() {
            self.endpoint.insert_relay(url, config).await;
        }
    }
}

/// Relays, as the endpoint wants them.
type Relays = BTreeMap<RelayUrl, Arc<RelayConfig>>;

/// Stands in the list while no relay may be used: with an empty one the endpoint would not look, and keep what it has. It
/// is never reached, so that it never becomes the endpoint's.
fn nowhere() -> Option<(RelayUrl, Arc<RelayConfig>)> {
    let url: RelayUrl = format!("http://{NOWHERE}/").parse().ok()?;
    Some((url.clone(), Arc::new(RelayConfig::new(url, None))))
}

/// Returns what the endpoint starts with.
pub(crate) fn start(known: &[Relay], public: bool, admission: &Admission) -> Relays {
    let mut choice = Choice::new(Instant::now(), public);
    choice.know(Instant::now(), known.iter().filter(|relay| may_dial(relay, admission)).cloned());
    wanted(&choice, admission)
}

/// Returns the relays to measure and to use. In a pause none: nothing is sent to find out which is near.
fn wanted(choice: &Choice, admission: &Admission) -> Relays {
    if admission.rests() {
        return BTreeMap::new();
    }
    let known = choice.usable().map(|relay| (relay.as_iroh().clone(), Arc::new(config(relay))));
    let map = RelayMode::Default.relay_map();
    let public = map.relays::<Vec<_>>().into_iter().map(|config| (config.url.clone(), config));
    known.chain(public.filter(|_| choice.is_public())).collect()
}

fn now(endpoint: &Endpoint) -> Vec<Home> {
    let status = endpoint.home_relay_status().get();
    let home = |status: &iroh::endpoint::RelayStatus| {
        let relay = Relay::from_iroh(status.url()).ok()?;
        Some(Home { relay, connected: status.is_connected(), refused: status.auth_denied_reason().is_some() })
    };
    status.iter().filter_map(home).collect()
}
