//! Whom the node meets, what it offers to whom, how much it gives, and who uses what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::NodeConnection;

/// Whom the node meets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateInfo {
    /// Who is met where no list names them: `everyone`, `acquaintances`, `contacts`, `groups` or `listed`.
    pub who: String,
    /// The groups whose members are met, with `groups`.
    pub groups: Vec<String>,
    /// Whom to meet in any case: `192.0.2.7`, `192.0.2.0/24`, `node:ID`, `person:ID`, `group:ID`.
    pub allow: Vec<String>,
    /// Whom not to meet; with the persons that are blocked as contacts.
    pub block: Vec<String>,
    /// What persons and groups of these lists are called here, by their entries.
    pub names: BTreeMap<String, String>,
    /// Files with addresses not to meet.
    pub lists: Vec<String>,
    /// How many ranges of addresses those files have together.
    pub listed_ranges: u64,
    /// Everything was paused by the user.
    pub paused: bool,
    /// Everything rests now: paused, by the schedule, or outside of the administrator's hours.
    pub resting: bool,
    /// How many connections stand.
    pub connections: u32,
    /// Services that the administrator forbids.
    pub forbidden_services: Vec<String>,
    /// Why a change of a file does not hold; absent: all that is written holds.
    pub message: Option<String>,
}

/// Changes whom the node meets; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateChange {
    /// Who is met where no list names them.
    pub who: Option<String>,
    /// The groups whose members are met, with `groups`.
    pub groups: Option<Vec<String>>,
    /// Changes of the list of those who are met in any case.
    pub allow: ListChange,
    /// Changes of the list of those who are not met.
    pub block: ListChange,
    /// Changes of the list files, as absolute paths.
    pub lists: ListChange,
    /// Pauses everything, or no longer.
    pub paused: Option<bool>,
}

/// Changes of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListChange {
    /// Entries to add: as they are shown, or the name of a contact or group. One that is on the opposite list is taken from
    /// there.
    pub add: Vec<String>,
    /// Entries to take away.
    pub remove: Vec<String>,
}

/// Rates and counts of one part; absent: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Share {
    /// Bytes received per second.
    pub download_bytes_per_s: Option<u64>,
    /// Bytes sent per second.
    pub upload_bytes_per_s: Option<u64>,
    /// Connections; of a person over all of its nodes.
    pub connections: Option<u32>,
}

/// How much the node gives and takes. In a change, what is absent stays and 0 takes a limit away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Bytes received per second, everything together.
    pub download_bytes_per_s: Option<u64>,
    /// Bytes sent per second.
    pub upload_bytes_per_s: Option<u64>,
    /// Connections of everything together.
    pub connections: Option<u32>,
    /// Connections of one torrent.
    pub connections_per_torrent: Option<u32>,
    /// Connections to one address.
    pub connections_per_address: Option<u32>,
    /// Connections with one person, over all of its nodes, where the person has no limit of its own.
    pub connections_per_person: Option<u32>,
    /// Connections that are being made at once.
    pub dials: Option<u32>,
    /// Peers served at once in one torrent.
    pub upload_slots: Option<u32>,
    /// How much payload may be in memory at once.
    pub memory_bytes: Option<u64>,
    /// How much has to stay free where downloads are written.
    pub keep_free_bytes: Option<u64>,
    /// How much room all that was fetched may take, unfinished files included; where it is reached downloads wait.
    pub disk_bytes: Option<u64>,
    /// How many threads write, read and check what is on disk; absent: as many as are of use.
    pub threads: Option<u32>,
    /// What single services may take.
    pub services: BTreeMap<String, Share>,
    /// What single persons may take, by their ids.
    pub persons: BTreeMap<String, Share>,
}

/// The budget: what is set, and what holds now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetInfo {
    /// What the settings say.
    pub set: Budget,
    /// What holds at this moment: with the schedule, the administrator's limits and the program's defaults.
    pub now: Budget,
    /// The window of the schedule that holds now, from 1.
    pub window: Option<u32>,
    /// What the administrator allows at most, and wants to stay free at least; absent: there is no such limit.
    pub administrator: Option<Budget>,
    /// How much room all that was fetched takes now; of files that are here still, in torrents that are.
    pub disk_used_bytes: u64,
    /// What persons with limits are called here, by their ids.
    pub names: BTreeMap<String, String>,
}

/// A part of the week in which other limits hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleWindow {
    /// On which days it begins: `mon-fri,sun` or `all`.
    pub days: String,
    /// Its beginning by the clock on the wall: `08:00`.
    pub from: String,
    /// Its end; before the beginning: on the next day.
    pub to: String,
    /// Bytes received per second; 0: no limit; absent: as always.
    pub download_bytes_per_s: Option<u64>,
    /// Bytes sent per second, likewise.
    pub upload_bytes_per_s: Option<u64>,
    /// Connections of everything together; absent: as always.
    pub connections: Option<u32>,
    /// Everything rests.
    pub pause: bool,
    /// It holds now. Not read in a change.
    pub active: bool,
}

/// How a service is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferInfo {
    /// Its name.
    pub service: String,
    /// Switched off, both ways.
    pub off: bool,
    /// The administrator forbids it.
    pub forbidden: bool,
    /// Who may come to it: `everyone`, `acquaintances`, `contacts`, or a list.
    pub to: Vec<String>,
    /// What persons and groups of the list are called here, by their entries.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
    /// Its limits.
    pub limits: Share,
    /// What it is.
    pub description: String,
    /// Whether it runs; absent for a service that is there with the node and needs no switch.
    pub runs: Option<bool>,
    /// Where others reach it, for one that runs.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Why it does not run though it is switched on.
    pub message: Option<String>,
}

/// Changes how a service is offered; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OfferChange {
    /// Switch it off, or on.
    pub off: Option<bool>,
    /// Who may come to it.
    pub to: Option<Vec<String>>,
}

/// Who uses what now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageInfo {
    /// The connections that stand.
    pub connections: Vec<UsageConnection>,
    /// What was carried since the node started, connections that are over included.
    pub totals: Vec<UsageTotal>,
}

/// A connection and what it carries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageConnection {
    /// The service.
    pub service: String,
    /// The person, if it is known who it is.
    pub person: Option<String>,
    /// What the person is called here.
    #[serde(default)]
    pub name: Option<String>,
    /// The node, if it is known which one it is.
    pub node: Option<String>,
    /// The address, where there is one.
    pub address: Option<String>,
    /// `tcp`, `utp` or `quic`.
    pub carrier: String,
    /// The other end opened it.
    pub incoming: bool,
    /// How long it has been standing.
    pub age_s: u64,
    /// Bytes received per second.
    pub download_bytes_per_s: u64,
    /// Bytes sent per second.
    pub upload_bytes_per_s: u64,
    /// Bytes received.
    pub downloaded_bytes: u64,
    /// Bytes sent.
    pub uploaded_bytes: u64,
}

/// What was carried for somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UsageTotal {
    /// The day, as `2026-11-22`; absent: since the node started.
    pub day: Option<String>,
    /// The service.
    pub service: String,
    /// The person; absent: strangers.
    pub person: Option<String>,
    /// What the person is called here.
    pub name: Option<String>,
    /// `tcp`, `utp` or `quic`.
    pub carrier: String,
    /// Bytes received.
    pub downloaded_bytes: u64,
    /// Bytes sent.
    pub uploaded_bytes: u64,
}

/// One server-sent event about who uses what. Both come at once, unless the stream goes on behind an event that an earlier one
/// told, and again in each second in which they changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum UsageEvent {
    /// Who uses what now, all of it.
    Usage(UsageInfo),
    /// The connections with other nodes, all of them, with their numbers.
    Connections(Vec<NodeConnection>),
}
