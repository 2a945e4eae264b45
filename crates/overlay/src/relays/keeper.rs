//! Keeps the endpoint's relays in step with the choice. One task; it awaits the endpoint's news of its relays, what is
//! known, and the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use iroh::{Endpoint, RelayConfig, RelayMode, RelayUrl, Watcher as _};
use tokio::sync::watch;

use super::choice::{Choice, Home};
use super::{config, may_dial};
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

/// Runs until the endpoint is closed, or nobody tells what is known any more.
pub(crate) async fn run(
    endpoint: Endpoint,
    mut known: watch::Receiver<Vec<Relay>>,
    public: bool,
    admission: Admission,
) {
    let mut choice = Choice::new(Instant::now(), public);
    let mut chosen: BTreeMap<RelayUrl, Arc<RelayConfig>> = start(&known.borrow(), public, &admission);
    let mut status = endpoint.home_relay_status().stream();
    loop {
        choice.know(
            Instant::now(),
            known.borrow_and_update().iter().filter(|relay| may_dial(relay, &admission)).cloned(),
        );
        choice.look(Instant::now(), &now(&endpoint));
        let wanted = wanted(&choice, &admission);
        for url in chosen.keys().filter(|url| !wanted.contains_key(*url)) {
            tracing::debug!(%url, "a relay is no longer used");
            endpoint.remove_relay(url).await;
        }
        for (url, config) in wanted.iter().filter(|(url, _)| !chosen.contains_key(*url)) {
            tracing::debug!(%url, "a relay may be used");
            endpoint.insert_relay(url.clone(), config.clone()).await;
        }
        chosen = wanted;
        tokio::select! {
            () = endpoint.closed() => return,
            changed = known.changed() => if changed.is_err() { return },
            news = status.next() => if news.is_none() { return },
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Returns what the endpoint starts with.
pub(crate) fn start(known: &[Relay], public: bool, admission: &Admission) -> BTreeMap<RelayUrl, Arc<RelayConfig>> {
    let mut choice = Choice::new(Instant::now(), public);
    choice.know(Instant::now(), known.iter().filter(|relay| may_dial(relay, admission)).cloned());
    wanted(&choice, admission)
}

/// Returns the relays to measure and to use. In a pause none: nothing is sent to find out which is near.
fn wanted(choice: &Choice, admission: &Admission) -> BTreeMap<RelayUrl, Arc<RelayConfig>> {
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
