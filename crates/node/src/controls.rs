//! The controls while the node runs: the settings of whom to meet, how much to give and what to offer to whom, put into
//! force on the gate, the budget and the session.
//!
//! `config.toml` is where they stand. The API changes that file and nothing else; this task reads it again when it, a list
//! file, the administrator's policy or the hour changed, and puts into force what holds then. Invariant: what is in force
//! is what [`State::effective`] makes of the last files that could be read. A file that cannot be read or understood
//! changes nothing, and the API says so.

mod admin;
mod edit;
mod report;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use net::{Addresses, Gate, GateLimits, Moment, Policy, Rates, Shares};
use tokio::sync::watch;
use torrent::{Limits, Resources, Session};

use crate::config::{self, NO_LIMIT};
use crate::{Config, Home, NodeError};
use admin::Admin;
pub(crate) use edit::{Defaults, EditError};
pub(crate) use store::Ledger;

/// How often files and the clock are looked at. A change has to hold within two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many looks pass between two writes of what was used. A crash loses what is not written.
const WRITE_EVERY: u32 = 60;

/// How many looks pass between two reports for the administrator, beside the first of each day and the last of a run.
const REPORT_EVERY: u32 = 60 * 60;

/// All services by name, with what they are.
pub(crate) const SERVICES: &[(&str, &str)] = &[
    (net::FILES, "public torrents: peers, web seeds, trackers"),
    (net::WIRE, "files shared with certain people"),
    ("library", "folders that certain people may browse"),
    ("notice", "being told of files that were shared with you"),
    ("chat", "messages"),
    ("mailbox", "keeping messages for people while they are away"),
    ("deposit", "leaving messages in a mailbox that is kept here"),
    ("people", "names and nodes of contacts"),
    ("code", "taking in one more node of your own"),
    ("ping", "being asked whether you are there"),
    ("group", "rosters of groups"),
    ("gossip", "news of groups"),
    ("relay", "carrying connections of others"),
    ("tracker", "telling peers of torrents of one another"),
];

/// Says that no service has a name, and which there are.
pub(crate) fn unknown_service(name: &str) -> String {
    let known: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
    format!("there is no service {name:?}; there are {}", known.join(", "))
}

/// Says that the administrator forbids a service.
pub(crate) fn forbidden(name: &str) -> String {
    format!(
        "the administrator's policy ({}) forbids the service {name}, whatever your settings say: ask the administrator",
        admin::PATH
    )
}

/// Puts the settings into force. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Controls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    policy: PathBuf,
    gate: Gate,
    session: OnceLock<Session>,
    state: Mutex<State>,
    /// One change at a time.
    editing: tokio::sync::Mutex<()>,
    ledger: Ledger,
    /// Sent after each change of what is in force.
    applied: watch::Sender<()>,
    /// Why what is written does not hold.
    mistake: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct State {
    config: Config,
    admin: Admin,
    /// The addresses of the user's list files, and the administrator's.
    listed: Addresses,
    forbidden: Addresses,
    /// What the command line says instead of the settings, until they are changed.
    given: Rates,
    stamps: Vec<Stamp>,
    /// The moment that is in force, as far as it matters.
    hour: Hour,
}

/// What a file was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    /// Modified when, how long; `None`: not there.
    what: Option<(SystemTime, u64)>,
}

/// What the clock has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hour {
    /// The window of the schedule.
    window: Option<usize>,
    /// Whether the administrator lets anything be exchanged.
    allowed: bool,
}

/// What is read from files.
#[derive(Debug)]
struct Files {
    config: Config,
    admin: Admin,
    listed: Addresses,
    forbidden: Addresses,
    stamps: Vec<Stamp>,
}

/// What is in force.
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) resources: Resources,
    pub(crate) shares: Shares,
    pub(crate) gate_limits: GateLimits,
}

/// What the API shows.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) config: Config,
    pub(crate) limits: Limits,
    pub(crate) resources: Resources,
    pub(crate) shares: Shares,
    pub(crate) window: Option<usize>,
    pub(crate) administrator: Option<rpc::Budget>,
    pub(crate) forbidden_services: Vec<String>,
    pub(crate) resting: bool,
    /// Why everything rests: `paused`, `schedule` or `administrator`.
    pub(crate) rests: Option<&'static str>,
    pub(crate) listed_ranges: usize,
    pub(crate) message: Option<String>,
}

impl Shown {
    /// Tells whether the administrator forbids a service.
    pub(crate) fn forbids(&self, name: &str) -> bool {
        self.forbidden_services.iter().any(|forbidden| forbidden == name)
    }
}

impl Controls {
    /// Reads the files and opens the gate accordingly. `given`: what the command line says instead of the settings.
    pub(crate) async fn start(home: &Home, given: Rates, database: db::Db) -> Result<Controls, NodeError> {
        let (path, policy) = (home.config_path(), PathBuf::from(admin::PATH));
        let (files, ledger) = (read_in_background(path.clone(), policy.clone()).await, Ledger::open(database).await?);
        let files = files.map_err(|reason| match reason {
            Unread::Config(reason) => NodeError::Config { path: path.clone(), reason },
            Unread::Other(reason) => NodeError::Controls(reason),
        })?;
        let mut state = State {
            hour: Hour { window: None, allowed: true },
            config: files.config,
            admin: files.admin,
            listed: files.listed,
            forbidden: files.forbidden,
            given,
            stamps: files.stamps,
        };
        state.hour = state.hour_of(Timestamp::now());
        let effective = state.effective();
        let gate = Gate::new(effective.gate_limits);
        gate.set_policy(effective.policy);
        gate.budget().set(effective.shares);
        let (session, editing) = Default::default();
        let state = Mutex::new(state);
        let applied = watch::Sender::new(());
        let mistake = watch::Sender::new(None);
        Ok(Controls(Arc::new(Inner { path, policy, gate, session, state, editing, ledger, applied, mistake })))
    }

    /// Returns the gate.
    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// Returns the limits of the engine to begin with.
    pub(crate) fn limits(&self) -> Limits {
        self.state().effective().limits
    }

    /// Returns how much of the computer the engine may use.
    pub(crate) fn resources(&self) -> Resources {
        self.state().effective().resources
    }

    /// Returns how much room all that was fetched takes.
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.0.session.get().map_or(0, Session::taken_bytes)
    }

    /// Tells whether everything rests.
    pub(crate) fn rests(&self) -> bool {
        self.0.gate.policy().paused
    }

    /// Takes the session, and spawns the task that follows the files and the clock; it ends with the handle.
    pub(crate) fn run(&self, session: Session) -> tokio::task::JoinHandle<()> {
        // Set once: a node has one session.
        let _ = self.0.session.set(session);
        tokio::spawn(self.clone().follow())
    }

    async fn follow(self) {
        let (mut looks, mut reported) = (0_u32, None);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.0.gate.usage().sample();
            self.look().await;
            looks = looks.wrapping_add(1);
            if looks % WRITE_EVERY == 0 {
                self.write_usage().await;
            }
            let wanted = self.report_folder().map(|folder| (folder, today()));
            if wanted.is_some() && (wanted != reported || looks % REPORT_EVERY == 0) {
                self.hand_in().await;
            }
            reported = wanted;
        }
    }

    /// Writes down what was used since the last time.
    pub(crate) async fn write_usage(&self) {
        let used = self.0.gate.usage().take();
        if let Err(error) = self.0.ledger.add(today(), used).await {
            tracing::warn!(%error, "what was used is not written down");
        }
    }

    /// Returns where the administrator wants a report.
    fn report_folder(&self) -> Option<PathBuf> {
        self.state().admin.report.clone()
    }

    /// Writes the report that the administrator wants, if one is wanted.
    pub(crate) async fn hand_in(&self) {
        let Some(folder) = self.report_folder() else { return };
        let home = self.0.path.parent().map(Path::to_owned).unwrap_or_default();
        let handed = match self.report(report::DAYS).await {
            Ok(used) => {
                let write = move || report::Report::new(&home, used).hand_in(&folder, &home);
                tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(error.to_string()))
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = handed {
            tracing::warn!(%reason, "the report that the administrator wants cannot be written");
        }
    }

    /// Returns what was used on the last days.
    pub(crate) async fn report(&self, days: u32) -> Result<Vec<rpc::UsageTotal>, db::DbError> {
        self.write_usage().await;
        self.0.ledger.days(days).await
    }

    /// Reads again what changed, and puts into force what holds now.
    async fn look(&self) {
        let (stamps, config_given) = {
            let state = self.state();
            (state.stamps.clone(), state.given)
        };
        // Some calls to the system, which answers from memory.
        let changed = stamps.iter().any(|stamp| Stamp::of(&stamp.path) != *stamp);
        let mut apply = false;
        if changed {
            let files = read_in_background(self.0.path.clone(), self.0.policy.clone()).await;
            apply = self.take(files, stamps, config_given);
        }
        let mut state = self.state();
        let hour = state.hour_of(Timestamp::now());
        if hour != state.hour {
            state.hour = hour;
            apply = true;
        }
        drop(state);
        if apply {
            self.apply();
        }
    }

    /// Takes what was read; tells whether it is good.
    fn take(&self, files: Result<Files, Unread>, old: Vec<Stamp>, given: Rates) -> bool {
        let mut state = self.state();
        match files {
            Ok(files) => {
                // Who writes new rates into the settings wants them, whatever the command line said.
                let rates = |config: &Config| (config.budget.download, config.budget.upload);
                state.given = if rates(&files.config) == rates(&state.config) { given } else { Rates::default() };
                state.config = files.config;
                state.admin = files.admin;
                state.listed = files.listed;
                state.forbidden = files.forbidden;
                state.stamps = files.stamps;
                self.0.mistake.send_if_modified(|mistake| mistake.take().is_some());
                state.hour = state.hour_of(Timestamp::now());
                true
            }
            Err(unread) => {
                // The same mistake is not read again until the file changes.
                state.stamps = old.iter().map(|stamp| Stamp::of(&stamp.path)).collect();
                let words = unread.words(&self.0.path);
                tracing::warn!(%words, "the settings stay as they were");
                self.0.mistake.send_replace(Some(words));
                false
            }
        }
    }

    /// Puts into force what holds now. Takes effect on connections that stand at once.
    fn apply(&self) {
        let Effective { policy, limits, resources, shares, .. } = self.state().effective();
        let paused = policy.paused;
        if let Some(session) = self.0.session.get() {
            session.set_folder(self.state().config.download_folder.clone());
            session.set_limits(limits);
            session.set_resources(resources);
            // Before the gate closes, so that goodbyes are said.
            session.hold(paused);
        }
        self.0.gate.budget().set(shares);
        self.0.gate.set_policy(policy);
        self.0.applied.send_replace(());
    }

    /// Follows the changes of what is in force.
    pub(crate) fn applied(&self) -> watch::Receiver<()> {
        self.0.applied.subscribe()
    }

    /// Follows why what is written does not hold; `None`: it does.
    pub(crate) fn mistake(&self) -> watch::Receiver<Option<String>> {
        self.0.mistake.subscribe()
    }

    /// Returns what the API shows.
    pub(crate) fn shown(&self) -> Shown {
        let state = self.state();
        let effective = state.effective();
        let admin = &state.admin;
        let limits = admin.limits();
        Shown {
            config: state.config.clone(),
            limits: effective.limits,
            resources: effective.resources,
            shares: effective.shares,
            window: state.hour.window,
            administrator: (limits != rpc::Budget::default()).then_some(limits),
            forbidden_services: admin.forbid.clone(),
            resting: effective.policy.paused,
            rests: state.rests(),
            listed_ranges: state.listed.len() + state.forbidden.len(),
            message: self.0.mistake.borrow().clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes of it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hour_of(&self, now: Timestamp) -> Hour {
        // The user's own schedule goes by the user's own clock.
        let moment = moment(&now.to_zoned(jiff::tz::TimeZone::system()));
        // What does not parse was refused when the file was read.
        let covers = |window: &crate::config::WindowConfig| window.window().is_ok_and(|window| window.covers(moment));
        Hour { window: self.config.schedule.iter().position(covers), allowed: self.admin.allows(now) }
    }

    /// Tells why everything rests, if it does.
    fn rests(&self) -> Option<&'static str> {
        let window = self.hour.window.and_then(|at| self.config.schedule.get(at));
        match (self.hour.allowed, self.config.paused, window) {
            (false, _, _) => Some("administrator"),
            (_, true, _) => Some("paused"),
            (_, _, Some(window)) if window.pause => Some("schedule"),
            _ => None,
        }
    }

    /// Works out what holds now. What does not parse was refused when the file was read.
    fn effective(&self) -> Effective {
        let config = &self.config;
        let window = self.hour.window.and_then(|at| config.schedule.get(at));
        let mut rates =
            Rates { down: self.given.down.or(config.budget.download), up: self.given.up.or(config.budget.upload) };
        if let Some(window) = window {
            let rate =
                |set: Option<u64>, otherwise| set.map_or(otherwise, |rate| Some(rate).filter(|it| *it != NO_LIMIT));
            rates = Rates { down: rate(window.download, rates.down), up: rate(window.upload, rates.up) };
        }
        rates = self.admin.cap(rates);
        let mut limits = config.limits();
        (limits.down_bytes_per_s, limits.up_bytes_per_s) = (rates.down, rates.up);
        limits.connections = window.and_then(|window| window.connections).unwrap_or(limits.connections);
        limits.connections = limits.connections.min(self.admin.connections.unwrap_or(u32::MAX));
        let per_torrent = self.admin.connections_per_torrent.unwrap_or(u32::MAX);
        limits.connections_per_torrent = limits.connections_per_torrent.min(per_torrent);
        limits.most_per_torrent = per_torrent;
        let paused = self.rests().is_some();
        let persons = config.budget.persons().unwrap_or_default();
        let policy = Policy {
            paused,
            forbidden_services: BTreeSet::from_iter(self.admin.forbid.iter().cloned()),
            forbidden_addresses: self.forbidden.clone(),
            allow: config.meet.allowed().unwrap_or_default(),
            block: config.meet.blocked().unwrap_or_default(),
            listed: self.listed.clone(),
            meet: config.meet.meet().unwrap_or_default(),
            offers: config
                .service
                .iter()
                .map(|(name, service)| (name.clone(), service.offer(name).unwrap_or_default()))
                .collect(),
            persons: persons.iter().filter_map(|(id, (_, connections))| Some((*id, (*connections)?))).collect(),
        };
        let services: BTreeMap<String, Rates> =
            config.service.iter().map(|(name, service)| (name.clone(), service.rates())).collect();
        let persons = persons.into_iter().map(|(id, (rates, _))| (id, rates)).collect();
        let shares = Shares { all: rates, services, persons };
        let gate_limits = torrent::gate_limits(&limits);
        Effective { policy, limits, resources: self.admin.cap_resources(config.resources()), shares, gate_limits }
    }
}

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let what = std::fs::metadata(path).ok().and_then(|it| Some((it.modified().ok()?, it.len())));
        Stamp { path: path.to_owned(), what }
    }
}

/// Why files cannot be taken.
#[derive(Debug)]
enum Unread {
    /// The settings.
    Config(String),
    /// A list, or the administrator's policy.
    Other(String),
}

impl Unread {
    fn words(&self, path: &Path) -> String {
        match self {
            Unread::Config(reason) => format!("{}: {reason}", path.display()),
            Unread::Other(reason) => reason.clone(),
        }
    }
}

async fn read_in_background(path: PathBuf, policy: PathBuf) -> Result<Files, Unread> {
    let read = tokio::task::spawn_blocking(move || {
        let text = read_text(&path).map_err(|error| Unread::Config(error.to_string()))?;
        let stamp = Stamp::of(&path);
        read(stamp, &text, &policy).map_err(|unread| match unread {
            Unread::Config(reason) => Unread::Config(config::with_line(&text, reason)),
            other => other,
        })
    });
    read.await.unwrap_or_else(|error| Err(Unread::Other(format!("reading the settings failed: {error}"))))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// Reads what a text as settings, and the policy, refer to.
fn read(stamp: Stamp, text: &str, policy: &Path) -> Result<Files, Unread> {
    let config = Config::parse(text).map_err(Unread::Config)?;
    let mut stamps = vec![stamp, Stamp::of(policy)];
    let admin = Admin::read(policy).map_err(Unread::Other)?;
    stamps.extend(config.meet.lists.iter().chain(&admin.lists).map(|path| Stamp::of(path)));
    let lists = net::read_lists(config.meet.lists.iter().map(PathBuf::as_path));
    let (listed, skipped) = lists.map_err(|error| Unread::Other(error.to_string()))?;
    if skipped > 0 {
        tracing::info!(skipped, "some lines of the lists of addresses are not understood");
    }
    let forbidden = admin.addresses().map_err(Unread::Other)?;
    Ok(Files { config, admin, listed, forbidden, stamps })
}

/// Returns what the clock on the wall says.
fn moment(now: &jiff::Zoned) -> Moment {
    // Neither leaves its range: a day has 24 hours, a week 7 days.
    let minute = u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
    Moment { day: now.weekday().to_monday_zero_offset().unsigned_abs(), minute }
}

fn today() -> String {
    jiff::Zoned::now().date().to_string()
}
