//! The settings: `config.toml` in the home. Every one has a default; an unknown name is an error, not a silence.

mod api;
mod chat;
mod controls;
mod network;
mod overlay;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::{DoneConfig, FeedConfig, NodeError, OfferConfig, UpdatesConfig, WatchConfig};
pub use api::{ApiConfig, RemoteConfig};
pub use chat::{ChatConfig, IrcConfig};
pub use controls::{BudgetConfig, MeetConfig, ServiceConfig, ShareConfig, ToConfig, Who, WindowConfig};
pub use network::{Carrier, Encryption, NetworkConfig, NetworkOptions, Part, check_host_port};
pub use overlay::OverlayConfig;

/// How much payload may be in memory at once where the settings do not say; half of it for what arrives. Measured on
/// loopback at 800 MB/s: a download takes the same CPU time and wall time with 24, 32 and 64 MiB, and uses what it is
/// given. Half of 32 MiB is more than the bandwidth × delay of a gigabit line at 100 ms.
const MEMORY_BYTES: u64 = 32 << 20;

/// With less, not every part of the engine has a buffer at the same time (arbitrary; four times the least that works).
pub(crate) const MIN_MEMORY_BYTES: u64 = 4 << 20;

/// How many threads there may be. Arbitrary.
const MAX_THREADS: usize = 64;

/// Where the API and the page are where nobody says where, so that a bookmark stays good. The port is COMPE on the keys of
/// a telephone: below those that systems give to programs that ask for any (RFC 6335, section 6, from 49152; Linux from
/// 32768), and not assigned.
pub const DEFAULT_API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 26673);

/// The settings of a node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where content goes when nobody says where.
    pub download_folder: PathBuf,
    /// The addresses on which peers are awaited; by default every address, with the port of the last time.
    pub listen: Option<Vec<SocketAddr>>,
    /// Where the API and the page are served.
    pub api: ApiConfig,
    /// Everything rests, until this is changed.
    pub paused: bool,
    /// Rates and counts.
    #[serde(alias = "limits")]
    pub budget: BudgetConfig,
    /// When other rates hold.
    pub schedule: Vec<WindowConfig>,
    /// Who is met.
    pub meet: MeetConfig,
    /// How services are offered, by their names.
    pub service: BTreeMap<String, ServiceConfig>,
    /// How files are written.
    pub disk: DiskConfig,
    /// When seeding ends, for torrents that have no goal of their own.
    pub seed: SeedConfig,
    /// How peers are found and reached.
    pub network: NetworkConfig,
    /// How other nodes are met by their keys.
    pub overlay: OverlayConfig,
    /// What is offered to strangers.
    pub offer: OfferConfig,
    /// How shares that change are followed.
    pub updates: UpdatesConfig,
    /// Talking with people.
    pub chat: ChatConfig,
    /// The folder from which torrent files and links are taken up.
    pub watch: WatchConfig,
    /// Feeds whose entries are taken up.
    pub feeds: Vec<FeedConfig>,
    /// What happens when a download is complete.
    pub done: DoneConfig,
}

/// How files are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskConfig {
    /// How incomplete files are marked: `"suffix"` (`.part`), `"none"`, or the absolute path of a folder for them.
    pub incomplete: String,
    /// Reserve the room of a file when it is begun.
    pub preallocate: bool,
    /// Threads that write, read and check; by default as many as are of use.
    pub threads: Option<usize>,
    /// Payload in memory at once, for example `"64M"`.
    #[serde(deserialize_with = "size")]
    pub memory: Option<u64>,
    /// What has to stay free where downloads are written, for example `"10G"`.
    #[serde(deserialize_with = "size")]
    pub keep_free: Option<u64>,
    /// How much room all that is fetched may take, for example `"200G"`.
    #[serde(deserialize_with = "size")]
    pub most: Option<u64>,
}

/// When seeding ends.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedConfig {
    /// At this ratio.
    pub ratio: Option<f64>,
    /// After this many minutes.
    pub minutes: Option<u64>,
    /// When nothing was sent for this many minutes.
    pub idle_minutes: Option<u64>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            download_folder: download_folder(),
            listen: None,
            api: ApiConfig::default(),
            paused: false,
            budget: BudgetConfig::default(),
            schedule: Vec::new(),
            meet: MeetConfig::default(),
            service: BTreeMap::new(),
            disk: DiskConfig::default(),
            seed: SeedConfig::default(),
            network: NetworkConfig::default(),
            overlay: OverlayConfig::default(),
            offer: OfferConfig::default(),
            updates: UpdatesConfig::default(),
            chat: ChatConfig::default(),
            watch: WatchConfig::default(),
            feeds: Vec::new(),
            done: DoneConfig::default(),
        }
    }
}

impl Default for DiskConfig {
    fn default() -> DiskConfig {
        DiskConfig {
            incomplete: "suffix".into(),
            preallocate: false,
            threads: None,
            memory: None,
            keep_free: None,
            most: None,
        }
    }
}

impl Config {
    /// Reads the file; where there is none, everything has its default.
    pub fn read(path: &Path) -> Result<Config, NodeError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(source) => return Err(NodeError::File { path: path.to_owned(), action: "read", source }),
        };
        Config::parse(&text)
            .map_err(|reason| NodeError::Config { path: path.to_owned(), reason: with_line(&text, reason) })
    }

    /// Reads the content of the file. The error is one sentence.
    pub(crate) fn parse(text: &str) -> Result<Config, String> {
        let config: Config = from_toml(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if !self.download_folder.is_absolute() {
            return Err("download_folder has to be an absolute path".into());
        }
        if !matches!(self.disk.incomplete.as_str(), "suffix" | "none")
            && !Path::new(&self.disk.incomplete).is_absolute()
        {
            return Err("disk.incomplete has to be \"suffix\", \"none\" or the absolute path of a folder".into());
        }
        if self.disk.threads.is_some_and(|threads| !(1..=MAX_THREADS).contains(&threads)) {
            return Err(format!("disk.threads has to be from 1 to {MAX_THREADS}"));
        }
        if self.disk.memory.is_some_and(|bytes| bytes < MIN_MEMORY_BYTES) {
            return Err(format!("disk.memory has to be {} or more", base::units::format_bytes(MIN_MEMORY_BYTES)));
        }
        self.api.check()?;
        self.budget.check()?;
        self.meet.check()?;
        self.service.iter().try_for_each(|(name, service)| service.check(name))?;
        controls::check_windows(&self.schedule)?;
        self.network.check().map_err(|reason| format!("network: {reason}"))?;
        self.offer.check()?;
        self.chat.check()?;
        self.watch.check()?;
        crate::feeds::check(&self.feeds)?;
        self.done.check()?;
        self.updates.check()
    }

    /// Returns the engine's limits.
    pub(crate) fn limits(&self) -> torrent::Limits {
        let default = torrent::Limits::default();
        let limits = &self.budget;
        torrent::Limits {
            down_bytes_per_s: limits.download,
            up_bytes_per_s: limits.upload,
            connections: limits.connections.unwrap_or(default.connections),
            connections_per_torrent: limits.connections_per_torrent.unwrap_or(default.connections_per_torrent),
            most_per_torrent: default.most_per_torrent,
            connections_per_address: limits.connections_per_address.unwrap_or(default.connections_per_address),
            connections_per_person: limits.connections_per_person.unwrap_or(default.connections_per_person),
            dials: limits.dials.unwrap_or(default.dials),
            upload_slots: limits.upload_slots.or(default.upload_slots),
        }
    }

    /// Returns how much payload may be in memory at once.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.disk.memory.unwrap_or(MEMORY_BYTES)
    }

    /// Returns how much of the computer the engine may use.
    pub(crate) fn resources(&self) -> torrent::Resources {
        let memory_bytes = usize::try_from(self.memory_bytes()).unwrap_or(usize::MAX);
        let keep_free_bytes = self.disk.keep_free.unwrap_or(0);
        torrent::Resources { threads: self.disk.threads, memory_bytes, keep_free_bytes, most_bytes: self.disk.most }
    }

    /// Returns how the engine marks incomplete files.
    pub(crate) fn incomplete(&self) -> torrent::Incomplete {
        match self.disk.incomplete.as_str() {
            "suffix" => torrent::Incomplete::Suffix,
            "none" => torrent::Incomplete::Plain,
            folder => torrent::Incomplete::Folder(folder.into()),
        }
    }

    /// Returns when seeding ends where nothing else was said.
    pub(crate) fn seed_goal(&self) -> torrent::SeedGoal {
        let minutes = |minutes: u64| Duration::from_secs(minutes.saturating_mul(60));
        let SeedConfig { ratio, minutes: time, idle_minutes: idle } = self.seed;
        torrent::SeedGoal { ratio, time: time.map(minutes), idle: idle.map(minutes) }
    }
}

/// Reads TOML. The error is one sentence that names the line.
pub(crate) fn from_toml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        format!("line {line}: {}", error.message().lines().next().unwrap_or("not understood"))
    })
}

/// Puts the line before what is wrong with a text, where the reason begins with the name of a setting that is there.
pub(crate) fn with_line(text: &str, reason: String) -> String {
    if reason.starts_with("line ") {
        return reason;
    }
    let name = reason.split([' ', ':']).next().unwrap_or_default();
    let Ok(document) = toml_edit::Document::parse(text) else { return reason };
    let (mut item, mut begins) = (Some(document.as_item()), None);
    for part in name.split('.') {
        item = item.and_then(|item| item.get(part));
        begins = item.and_then(toml_edit::Item::span).map(|span| span.start).or(begins);
    }
    match begins {
        Some(begins) => format!("line {}: {reason}", 1 + text[..begins.min(text.len())].matches('\n').count()),
        None => reason,
    }
}

/// Reads a number of bytes, or a text such as `"2M"`; 0 means nothing good.
pub(crate) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match bytes(deserializer)? {
        0 => Err(D::Error::custom("0 would stop everything; leave the line away")),
        bytes => Ok(Some(bytes)),
    }
}

/// A rate that is none: as many bytes as come.
pub(crate) const NO_LIMIT: u64 = u64::MAX;

/// Reads what [`size`] does, or `"none"`.
pub(crate) fn size_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) if text == "none" => Ok(Some(NO_LIMIT)),
        value => size(value).map_err(D::Error::custom),
    }
}

/// Reads a number of bytes, or a text such as `"2M"`.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Number(bytes) => Ok(bytes),
        Size::Text(text) => base::units::parse_bytes(&text).map_err(D::Error::custom),
    }
}

/// Returns the folder in which most desktops keep downloads, or else the current one.
fn download_folder() -> PathBuf {
    let downloads = std::env::home_dir().map(|home| home.join("Downloads")).filter(|folder| folder.is_dir());
    downloads.or_else(|| std::env::current_dir().ok()).unwrap_or_else(std::env::temp_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::read(file.path()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        assert_eq!(read(""), Ok(Config::default()));
        let config =
            read("[limits]\ndownload = \"1.5M\"\nupload = 1000\n[seed]\nratio = 2.0\nminutes = 3\nidle_minutes = 9")
                .unwrap();
        assert_eq!(config.limits().down_bytes_per_s, Some(1_572_864));
        assert_eq!(config.limits().up_bytes_per_s, Some(1000));
        let goal = config.seed_goal();
        assert_eq!((goal.time, goal.idle), (Some(Duration::from_secs(180)), Some(Duration::from_secs(540))));
    }

    #[test]
    fn the_controls_are_read() {
        let id = "y".repeat(52);
        let config = read(&format!(
            "paused = true\n[budget]\nupload = \"1M\"\n[budget.person.{id}]\nupload = \"10K\"\nconnections = 3\n\
             [meet]\nwho = \"contacts\"\nallow = [\"192.0.2.0/24\"]\nblock = [\"person:{id}\"]\n\
             [service.files]\nto = [\"group:{id}\"]\nconnections = 7\n\
             [[schedule]]\ndays = \"mon-fri\"\nfrom = \"08:00\"\nto = \"18:00\"\nupload = \"100K\""
        ))
        .unwrap();
        assert!(config.paused && config.meet.meet() == Ok(net::Meet::Contacts));
        let (rates, connections) = *config.budget.persons().unwrap().values().next().unwrap();
        assert_eq!((rates.up, connections), (Some(10240), Some(3)));
        assert_eq!(config.meet.blocked().unwrap().persons.len(), 1);
        assert_eq!(config.service["files"].offer("files").unwrap().connections, Some(7));
        assert_eq!(config.schedule[0].window().unwrap().from.to_string(), "08:00");
    }

    #[test]
    fn a_window_can_lift_a_limit_and_set_connections() {
        let config = read(
            "[[schedule]]\nfrom = \"0:00\"\nto = \"6:00\"\nupload = \"none\"\ndownload = \"1K\"\n\
             [[schedule]]\nfrom = \"6:00\"\nto = \"7:00\"\nconnections = 9",
        )
        .unwrap();
        assert_eq!((config.schedule[0].upload, config.schedule[0].download), (Some(NO_LIMIT), Some(1024)));
        assert_eq!((config.schedule[1].upload, config.schedule[1].connections), (None, Some(9)));
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        for (text, words) in [
            ("\n\ndonwload_folder = \"/x\"", "line 3: unknown field `donwload_folder`"),
            ("[limits]\ndownload = \"fast\"", "is not a size"),
            ("[limits]\ndownload = 0", "0 would stop everything"),
            ("download_folder = \"x\"", "absolute path"),
            ("[offer.tracker]\nmemory = \"1K\"", "offer.tracker.memory"),
            ("[offer.tracker]\nonly = [\"xyz\"]", "not an info-hash"),
            ("[chat]\nmailboxes = [\"a\", \"b\", \"c\", \"d\", \"e\"]", "line 2: chat.mailboxes: at most 4"),
            ("[chat.irc]\nlisten = \"0.0.0.0:6667\"", "line 2: chat.irc.listen has to be an address of loopback"),
            ("[chat.irc]\nlisten = \"192.168.1.2:6667\"", "192.168.1.2:6667 can be reached from elsewhere"),
            ("[chat.irc]\nlisten = \"6667\"", "line 2: "),
            ("[watch]\nfolder = \"torrents\"", "line 2: watch.folder has to be an absolute path"),
            ("\n[[feeds]]\nmatch = \"x\"", "line 2: missing field `url`"),
            ("[[feeds]]\nurl = \"feed.xml\"", "line 1: feeds: \"feed.xml\" is no URL"),
            (
                "\n[[feeds]]\nurl = \"http://a/b\"\nevery_minutes = 4",
                "line 2: feeds: http://a/b: every_minutes has to be 5",
            ),
            (
                "[[feeds]]\nurl = \"http://a/b\"\nmatch = 7",
                "line 3: match and not have to be a text or a list of texts",
            ),
            (
                "[[feeds]]\nurl = \"http://a/b\"\nmatch = [\"a\", \"\"]",
                "http://a/b: match and not have to say something",
            ),
            ("[[feeds]]\nurl = \"http://a/b\"\nfolder = \"Films\"", "http://a/b: folder has to be an absolute path"),
            ("[[feeds]]\nurl = \"http://a/b\"\nlabels = [\"a,b\"]", "http://a/b: labels cannot contain comma"),
            ("[[feeds]]\nurl = \"http://a/b\"\ncategory = \"a//b\"", "http://a/b: Incorrect category name"),
            ("[[feeds]]\nurl = \"http://a/b\"\nmatches = \"x\"", "line 3: unknown field `matches`"),
            ("[done]\ncommand = \"rm -r x\"", "line 2: invalid type: string"),
            ("[done]\nlimit_s = 0", "line 2: done.limit_s has to be 1 or more"),
            ("[offer.trakcer]\non = true", "unknown field `trakcer`"),
            ("[disk]\nincomplete = \"x\"", "disk.incomplete"),
            ("[network]\nupnp = true", "line 2: unknown field `upnp`"),
            ("[network]\nencryption = \"strong\"", "line 2: unknown variant `strong`"),
            ("[network]\ntcp = false\nutp = false", "network: without TCP and uTP"),
            ("[network]\nbootstrap = [\"router\"]", "HOST:PORT"),
            ("[meet]\nallow = [\"alice\"]", "line 2: meet.allow: \"alice\" is neither"),
            (
                "[seed]\n\n[[schedule]]\nfrom = \"1:00\"\nto = \"1:00\"\npause = true",
                "line 3: schedule: it begins and ends at 01:00",
            ),
            ("[meet]\nwho = \"groups\"", "meet.groups"),
            ("[meet]\nlists = [\"a.p2p\"]", "absolute path"),
            ("[service.files]\nto = \"friends\"", "service.files.to"),
            (
                "\n[service.Files]\noff = true",
                "line 2: service.Files: there is no service \"Files\"; there are files, wire",
            ),
            ("[[schedule]]\nfrom = \"8\"\nto = \"9:00\"\npause = true", "no time of the day"),
            ("[[schedule]]\nfrom = \"8:00\"\nto = \"9:00\"", "needs download"),
            ("[budget.person.x]\nupload = 1", "budget.person"),
            ("\napi = \"6667\"", "line 2: api: \"6667\" is no address and port"),
            ("api = \"0.0.0.0:1\"", "line 1: api: 0.0.0.0:1 can be reached from elsewhere"),
            ("[api]\nlisen = \"127.0.0.1:1\"", "api: unknown field `lisen`"),
            (
                "[api.remote]\nlisten = \"0.0.0.0:1\"\nkey = \"/k\"",
                "line 1: api.remote: certificate and key go together",
            ),
            ("[api.remote]\nlisten = \"0.0.0.0:1\"\nnames = [\"a b\"]", "line 3: api.remote.names: \"a b\""),
            ("[[[", "line 1"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words) && error.contains("correct the file"), "{text:?}: {error}");
        }
    }
}
