//! The controls of the settings: whom to meet (`[meet]`), how much to give (`[budget]`, `[[schedule]]`), and what to offer
//! to whom (`[service.NAME]`). Also read by `compeer allow|block|offer|budget|schedule`, which change the same file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::PersonId;
use net::{Audience, Meet, Offer, Rates, Rules, Target, Window};
use serde::Deserialize;

use super::{size, size_or_none};
use crate::controls::{SERVICES, unknown_service};

/// How many entries a list may have; list files may have more. Each is looked at for each connection.
const MAX_ENTRIES: usize = 1024;

/// How many list files may be named. Arbitrary.
const MAX_LISTS: usize = 64;

/// How many windows the schedule may have. Arbitrary.
const MAX_WINDOWS: usize = 64;

/// Rates and counts over everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetConfig {
    /// Bytes received per second, for example `"2M"`.
    #[serde(deserialize_with = "size")]
    pub download: Option<u64>,
    /// Bytes sent per second.
    #[serde(deserialize_with = "size")]
    pub upload: Option<u64>,
    /// Connections of everything together.
    pub connections: Option<u32>,
    /// Connections of one torrent.
    pub connections_per_torrent: Option<u32>,
    /// Connections to one address.
    pub connections_per_address: Option<u32>,
    /// Connections with one person, over all of its nodes.
    pub connections_per_person: Option<u32>,
    /// Connections that are being made at once.
    pub dials: Option<u32>,
    /// Peers served at once in one torrent.
    pub upload_slots: Option<u32>,
    /// What single persons may take, by their ids.
    pub person: BTreeMap<String, ShareConfig>,
}

/// What a person may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShareConfig {
    /// Bytes received per second.
    #[serde(deserialize_with = "size")]
    pub download: Option<u64>,
    /// Bytes sent per second.
    #[serde(deserialize_with = "size")]
    pub upload: Option<u64>,
    /// Connections, over all of its nodes; instead of `connections_per_person`.
    pub connections: Option<u32>,
}

/// Who is met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeetConfig {
    /// Whom to meet where no list names them.
    pub who: Who,
    /// The groups whose members are met, with `who = "groups"`.
    pub groups: Vec<String>,
    /// Whom to meet in any case.
    pub allow: Vec<String>,
    /// Whom not to meet.
    pub block: Vec<String>,
    /// Files with addresses not to meet (.p2p, .dat, .cidr, also with gzip).
    pub lists: Vec<PathBuf>,
}

/// Whom to meet where no list names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Everybody.
    #[default]
    Everyone,
    /// Contacts and fellow members of groups.
    Acquaintances,
    /// Contacts.
    Contacts,
    /// Members of certain groups.
    Groups,
    /// Only those on the list.
    Listed,
}

/// How a service is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceConfig {
    /// Switched off, both ways.
    pub off: bool,
    /// Who may come to it.
    pub to: ToConfig,
    /// Its connections.
    pub connections: Option<u32>,
    /// Bytes received per second.
    #[serde(deserialize_with = "size")]
    pub download: Option<u64>,
    /// Bytes sent per second.
    #[serde(deserialize_with = "size")]
    pub upload: Option<u64>,
}

/// Who may come to a service: a word, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ToConfig {
    /// `everyone`, `acquaintances` or `contacts`.
    Word(String),
    /// These.
    List(Vec<String>),
}

/// A part of the week in which other limits hold. The first one that covers the moment counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// On which days it begins, for example `"mon-fri"`.
    #[serde(default = "all_days")]
    pub days: String,
    /// Its beginning, for example `"08:00"`.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Bytes received per second; [`NO_LIMIT`], written `"none"`: as many as come.
    #[serde(default, deserialize_with = "size_or_none")]
    pub download: Option<u64>,
    /// Bytes sent per second, likewise.
    #[serde(default, deserialize_with = "size_or_none")]
    pub upload: Option<u64>,
    /// Connections of everything together.
    #[serde(default)]
    pub connections: Option<u32>,
    /// Everything rests.
    #[serde(default)]
    pub pause: bool,
}

fn all_days() -> String {
    "all".to_owned()
}

impl Default for ToConfig {
    fn default() -> ToConfig {
        ToConfig::Word("everyone".to_owned())
    }
}

impl Who {
    /// The names, as they are written.
    pub const NAMES: [&str; 5] = ["everyone", "acquaintances", "contacts", "groups", "listed"];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Who::NAMES[self as usize]
    }
}

impl BudgetConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        self.persons()?;
        if self.person.values().any(|share| share.connections == Some(0)) {
            return Err("budget.person: 0 connections is what meet.block is for".into());
        }
        Ok(())
    }

    /// Returns what single persons may take: rates and connections.
    pub(crate) fn persons(&self) -> Result<BTreeMap<PersonId, (Rates, Option<u32>)>, String> {
        if self.person.len() > MAX_ENTRIES {
            return Err(format!("budget.person: at most {MAX_ENTRIES} persons can have limits"));
        }
        let each = self.person.iter().map(|(id, share)| {
            let bare = id.strip_prefix("person:").unwrap_or(id);
            let id: PersonId = bare.parse().map_err(|error| format!("budget.person: {error}"))?;
            Ok((id, (Rates { down: share.download, up: share.upload }, share.connections)))
        });
        each.collect()
    }
}

impl MeetConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.lists.len() > MAX_LISTS {
            return Err(format!("meet.lists: at most {MAX_LISTS} files"));
        }
        if let Some(path) = self.lists.iter().find(|path| !path.is_absolute()) {
            return Err(format!("meet.lists: {} has to be an absolute path", path.display()));
        }
        if self.who == Who::Groups && self.groups.is_empty() {
            return Err("meet.who is \"groups\", so meet.groups has to name at least one".into());
        }
        self.allowed()?;
        self.blocked()?;
        self.meet().map(drop)
    }

    pub(crate) fn allowed(&self) -> Result<Rules, String> {
        rules("meet.allow", &self.allow)
    }

    pub(crate) fn blocked(&self) -> Result<Rules, String> {
        rules("meet.block", &self.block)
    }

    pub(crate) fn meet(&self) -> Result<Meet, String> {
        Ok(match self.who {
            Who::Everyone => Meet::Everyone,
            Who::Acquaintances => Meet::Acquaintances,
            Who::Contacts => Meet::Contacts,
            Who::Listed => Meet::Listed,
            Who::Groups => {
                let id = |text: &String| text.strip_prefix("group:").unwrap_or(text).parse();
                let groups = self.groups.iter().take(MAX_ENTRIES).map(id).collect::<Result<_, _>>();
                Meet::Groups(groups.map_err(|error: base::id::ParseIdError| format!("meet.groups: {error}"))?)
            }
        })
    }
}

impl ServiceConfig {
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        if !SERVICES.iter().any(|(known, _)| *known == name) {
            return Err(format!("service.{name}: {}", unknown_service(name)));
        }
        self.offer(name).map(drop)
    }

    pub(crate) fn offer(&self, name: &str) -> Result<Offer, String> {
        let to = match &self.to {
            ToConfig::Word(word) => match word.as_str() {
                "everyone" => Audience::Everyone,
                "acquaintances" => Audience::Acquaintances,
                "contacts" => Audience::Contacts,
                other => Audience::Chosen(rules(&format!("service.{name}.to"), &[other.to_owned()])?),
            },
            ToConfig::List(list) => Audience::Chosen(rules(&format!("service.{name}.to"), list)?),
        };
        Ok(Offer { off: self.off, to, connections: self.connections })
    }

    pub(crate) fn rates(&self) -> Rates {
        Rates { down: self.download, up: self.upload }
    }
}

impl WindowConfig {
    pub(crate) fn window(&self) -> Result<Window, String> {
        let words = |name: &str, error: net::ParseWindowError| format!("schedule: {name}: {error}");
        Ok(Window {
            days: self.days.parse().map_err(|error| words("days", error))?,
            from: self.from.parse().map_err(|error| words("from", error))?,
            to: self.to.parse().map_err(|error| words("to", error))?,
        })
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let window = self.window()?;
        if window.from == window.to {
            return Err(format!("schedule: it begins and ends at {}; a whole day is from 00:00 to 24:00", window.from));
        }
        let limits = self.download.is_some() || self.upload.is_some() || self.connections.is_some();
        if self.connections == Some(0) {
            return Err("schedule: 0 connections would stop everything; write pause = true".into());
        }
        if self.pause && limits {
            return Err("schedule: a window either pauses or has limits".into());
        }
        if !self.pause && !limits {
            return Err("schedule: a window needs download, upload, connections or pause = true".into());
        }
        Ok(())
    }
}

pub(super) fn check_windows(windows: &[WindowConfig]) -> Result<(), String> {
    if windows.len() > MAX_WINDOWS {
        return Err(format!("schedule: at most {MAX_WINDOWS} windows"));
    }
    windows.iter().try_for_each(WindowConfig::check)
}

fn rules(name: &str, texts: &[String]) -> Result<Rules, String> {
    if texts.len() > MAX_ENTRIES {
        return Err(format!("{name}: at most {MAX_ENTRIES} entries; use a list file for more"));
    }
    texts.iter().map(|text| text.parse::<Target>().map_err(|error| format!("{name}: {error}"))).collect()
}
