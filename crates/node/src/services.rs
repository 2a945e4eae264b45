//! The roles that the node takes for others: none, unless the settings or the command line name it.
//!
//! A service has its own section `[offer.NAME]` of the settings, with a switch `on` and its limits, a name for
//! `compeer up --offer`, and its resource in the API, `/services/NAME`. To whom it is offered says `[service.NAME]`, as for
//! every service. Services follow the settings while the node runs. Invariant: what runs is what the settings in force
//! wanted at the last look, less what could not be started, of which the reason is kept.

mod mailbox;
#[cfg(feature = "relay")]
mod relay;
mod tracker;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::tracker::Tracker;
use rpc::{MailboxStats, ServiceInfo, TrackerStats};
use serde::Deserialize;

use crate::controls::{Controls, Shown};
use crate::people::People;
use crate::society::Society;
use crate::{Home, NodeError};

/// How often what was carried is counted, and it is looked whether something is to be tried again.
const LOOK: Duration = Duration::from_secs(1);

/// How often a running relay is looked at, so that what it carries and what others carry even out within a second.
#[cfg(feature = "relay")]
const RELAY_LOOK: Duration = Duration::from_millis(250);

/// How long to wait before it is tried again to start what could not be started; also after how long it is looked whether
/// this computer has other addresses.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// How often something is tried to be started again at once: the ports of what was just ended become free in a moment.
const TRIES: u32 = 20;

/// How long to wait between two of these tries.
const BETWEEN: Duration = Duration::from_millis(100);

/// A service, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Tells the peers of torrents of one another.
    Tracker,
    /// Passes on what nodes that cannot reach one another send each other.
    #[cfg(feature = "relay")]
    Relay,
    /// Keeps messages for people while they are away.
    Mailbox,
}

/// `[offer]` of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OfferConfig {
    /// The tracker.
    pub tracker: ::tracker::Config,
    /// The relay.
    #[cfg(feature = "relay")]
    pub relay: relay::RelayConfig,
    /// The mailbox.
    pub mailbox: mailbox::MailboxConfig,
}

/// The services. Cheap to clone; they end with [`Services::stop`].
#[derive(Clone, Debug)]
pub(crate) struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    #[cfg_attr(not(feature = "relay"), expect(dead_code, reason = "the relay alone reads it"))]
    home: Home,
    controls: Controls,
    society: Society,
    database: db::Db,
    /// By which way everything comes in and leaves.
    egress: net::Egress,
    /// Those that the command line names.
    named: Vec<Service>,
    running: Mutex<Running>,
    /// One change at a time.
    settling: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Running {
    tracker: Option<(::tracker::Config, Tracker)>,
    #[cfg(feature = "relay")]
    relay: Option<(relay::RelayConfig, relay::Relay)>,
    mailbox: Option<(mailbox::MailboxConfig, mailbox::Mailbox)>,
    /// Why what is wanted does not run.
    failed: BTreeMap<&'static str, String>,
    stopped: bool,
}

impl Service {
    /// The names of all.
    #[cfg(feature = "relay")]
    pub const NAMES: [&str; 3] = ["tracker", "relay", "mailbox"];
    /// The names of all.
    #[cfg(not(feature = "relay"))]
    pub const NAMES: [&str; 2] = ["tracker", "mailbox"];

    fn name(self) -> &'static str {
        match self {
            Service::Tracker => "tracker",
            #[cfg(feature = "relay")]
            Service::Relay => "relay",
            Service::Mailbox => "mailbox",
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(name: &str) -> Result<Service, String> {
        match name {
            "tracker" => Ok(Service::Tracker),
            #[cfg(feature = "relay")]
            "relay" => Ok(Service::Relay),
            "mailbox" => Ok(Service::Mailbox),
            _ => Err(format!("there is no service {name:?}; there is {}", Service::NAMES.join(", "))),
        }
    }
}

impl OfferConfig {
    /// Says what is wrong with the settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        #[cfg(feature = "relay")]
        self.relay.check()?;
        self.mailbox.check()?;
        self.tracker.check()
    }
}

impl Services {
    /// Starts those that are named here or are on in the settings, and follows the settings from then on.
    pub(crate) async fn start(
        home: &Home,
        controls: &Controls,
        society: &Society,
        database: db::Db,
        egress: net::Egress,
        named: &[Service],
    ) -> Result<Services, NodeError> {
        let shown = controls.shown();
        if let Some(service) = named.iter().find(|service| shown.forbids(service.name())) {
            return Err(NodeError::Controls(crate::controls::forbidden(service.name())));
        }
        let (running, settling) = Default::default();
        let (home, controls, society, named) = (home.clone(), controls.clone(), society.clone(), named.to_vec());
        let inner = Inner { home, controls, society, database, egress, named, running, settling };
        let services = Services(Arc::new(inner));
        // What cannot be started at once is a mistake that the user wants to hear of.
        services.settle().await?;
        tokio::spawn(services.clone().follow());
        Ok(services)
    }

    /// Starts again what is otherwise where the node belongs to somebody: the relay proves the node's key then.
    pub(crate) async fn has_identity(&self) -> Result<(), NodeError> {
        let mut patience = Patience::new(self.end_relay().await);
        loop {
            let settled = self.settle().await;
            if settled.is_ok() || !patience.wait().await {
                return settled;
            }
        }
    }

    /// Ends the relay until the next look; whether there was one.
    #[cfg(feature = "relay")]
    async fn end_relay(&self) -> bool {
        let _one_at_a_time = self.0.settling.lock().await;
        let ended = self.running().relay.take();
        ended.is_some()
    }

    #[cfg(not(feature = "relay"))]
    async fn end_relay(&self) -> bool {
        false
    }

    /// Returns the people; `None` while the node belongs to nobody.
    fn people(&self) -> Option<&People> {
        Some(&self.0.society.members()?.people)
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self) {
        let _one_at_a_time = self.0.settling.lock().await;
        *self.running() = Running { stopped: true, ..Running::default() };
    }

    /// Starts and ends what the settings in force want. The error is the last one.
    pub(crate) async fn settle(&self) -> Result<(), NodeError> {
        let _one_at_a_time = self.0.settling.lock().await;
        if self.running().stopped {
            return Ok(());
        }
        let shown = self.0.controls.shown();
        let mut result = self.settle_tracker(&shown).await;
        result = result.and(self.settle_mailbox(&shown).await);
        #[cfg(feature = "relay")]
        {
            result = result.and(self.settle_relay(&shown).await);
        }
        result
    }

    async fn follow(self) {
        let mut changes = self.0.controls.applied();
        let mut settled = Instant::now();
        loop {
            #[cfg(feature = "relay")]
            let look = if self.running().relay.is_some() { RELAY_LOOK } else { LOOK };
            #[cfg(not(feature = "relay"))]
            let look = LOOK;
            // The controls are held by ourselves.
            let changed = tokio::time::timeout(look, changes.changed()).await.is_ok();
            #[cfg(feature = "relay")]
            self.account_for_relay();
            if self.running().stopped {
                return;
            }
            if changed || settled.elapsed() >= TRY_AGAIN {
                settled = Instant::now();
                if let Err(error) = self.settle().await {
                    tracing::warn!(%error, "a service does not run");
                }
            }
        }
    }

    /// Whether a service is to run.
    fn is_wanted(&self, shown: &Shown, name: &str, on: bool) -> bool {
        let named = self.0.named.iter().any(|service| name.parse() == Ok(*service));
        let off = shown.config.service.get(name).is_some_and(|service| service.off);
        (on || named) && !off && !shown.forbids(name)
    }

    /// Says why no role can be taken: whom a proxy hides nobody reaches, and a role that is reached past it would tell
    /// where he is.
    fn check_way(&self, name: &str) -> Result<(), NodeError> {
        match &self.0.egress.proxy {
            None => Ok(()),
            Some(_) => Err(NodeError::Network(format!(
                "the {name} cannot be offered behind a proxy: others would have to reach this computer past it; take proxy \
                 from [network] of config.toml, or switch the {name} off"
            ))),
        }
    }

    /// Keeps why a service does not run, or forgets it.
    fn note<T>(&self, name: &'static str, outcome: Result<T, NodeError>) -> Result<T, NodeError> {
        let failed = &mut self.running().failed;
        match &outcome {
            Ok(_) => drop(failed.remove(name)),
            Err(error) => drop(failed.insert(name, error.to_string())),
        }
        outcome
    }

    /// Returns what is offered, and where.
    pub(crate) fn list(&self) -> Vec<ServiceInfo> {
        let running = self.running();
        let tracker = running.tracker.iter();
        let tracker = tracker.map(|(_, tracker)| ServiceInfo {
            name: "tracker".to_owned(),
            urls: tracker::announce_urls(tracker, &self.0.egress),
        });
        #[cfg(feature = "relay")]
        let relay =
            running.relay.iter().map(|(_, relay)| ServiceInfo { name: "relay".to_owned(), urls: relay.texts() });
        #[cfg(not(feature = "relay"))]
        let relay = std::iter::empty();
        let mailbox = running
            .mailbox
            .iter()
            .map(|(_, mailbox)| ServiceInfo { name: "mailbox".to_owned(), urls: vec![mailbox.node().to_string()] });
        tracker.chain(relay).chain(mailbox).collect()
    }

    /// Returns why a service does not run though it is to.
    pub(crate) fn failure(&self, name: &str) -> Option<String> {
        self.running().failed.get(name).cloned()
    }

    /// Returns the numbers of the relay; `None` when it is not offered.
    pub(crate) fn relay_stats(&self) -> Option<rpc::RelayStats> {
        #[cfg(feature = "relay")]
        return self.running().relay.as_ref().map(|(_, relay)| relay.stats());
        #[cfg(not(feature = "relay"))]
        None
    }

    /// Returns the numbers of the mailbox; `None` when it is not offered.
    pub(crate) fn mailbox_stats(&self) -> Option<MailboxStats> {
        self.running().mailbox.as_ref().map(|(_, mailbox)| mailbox.stats())
    }

    /// Returns the numbers of the tracker; `None` when it is not offered.
    pub(crate) fn tracker_stats(&self) -> Option<TrackerStats> {
        self.running().tracker.as_ref().map(|(_, tracker)| tracker::stats(tracker, &self.0.egress))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // Nothing panics between two changes of it.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often something may be tried to be started again.
struct Patience(u32);

impl Patience {
    /// `restart`: something of the same name was just ended.
    fn new(restart: bool) -> Patience {
        Patience(if restart { TRIES } else { 0 })
    }

    /// Waits a moment; whether another try makes sense.
    async fn wait(&mut self) -> bool {
        let Some(left) = self.0.checked_sub(1) else { return false };
        self.0 = left;
        tokio::time::sleep(BETWEEN).await;
        true
    }
}
