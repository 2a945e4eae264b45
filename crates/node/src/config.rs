//! The settings: `config.toml` in the home. Every one has a default; an unknown name is an error, not a silence.

mod network;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::{NodeError, OfferConfig, UpdatesConfig};
pub use network::{Carrier, Encryption, NetworkConfig, NetworkOptions, Part, check_host_port};

/// The settings of a node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where content goes when nobody says where.
    pub download_folder: PathBuf,
    /// The addresses on which peers are awaited; by default every address, with the port of the last time.
    pub listen: Option<Vec<SocketAddr>>,
    /// The loopback address of the API; port 0: any.
    pub api: SocketAddr,
    /// Rates and counts.
    pub limits: LimitsConfig,
    /// How files are written.
    pub disk: DiskConfig,
    /// When seeding ends, for torrents that have no goal of their own.
    pub seed: SeedConfig,
    /// How peers are found and reached.
    pub network: NetworkConfig,
    /// What is offered to strangers.
    pub offer: OfferConfig,
    /// How shares that change are followed.
    pub updates: UpdatesConfig,
}

/// Rates and counts over all torrents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes received per second, for example `"2M"`.
    #[serde(deserialize_with = "size")]
    pub download: Option<u64>,
    /// Bytes sent per second.
    #[serde(deserialize_with = "size")]
    pub upload: Option<u64>,
    /// Connections of all torrents together.
    pub connections: Option<u32>,
    /// Connections of one torrent.
    pub connections_per_torrent: Option<u32>,
    /// Connections to one address.
    pub connections_per_address: Option<u32>,
    /// Connections with one person.
    pub connections_per_person: Option<u32>,
    /// Peers served at once in one torrent.
    pub upload_slots: Option<u32>,
}

/// How files are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskConfig {
    /// How incomplete files are marked: `"suffix"` (`.part`), `"none"`, or the absolute path of a folder for them.
    pub incomplete: String,
    /// Reserve the room of a file when it is begun.
    pub preallocate: bool,
    /// Threads that serve the disk.
    pub threads: usize,
    /// Payload in memory at once, for example `"64M"`.
    #[serde(deserialize_with = "size")]
    pub memory: Option<u64>,
}

/// When seeding ends.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedConfig {
    /// At this ratio.
    pub ratio: Option<f64>,
    /// After this many minutes.
    pub minutes: Option<u64>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            download_folder: download_folder(),
            listen: None,
            api: SocketAddr::from(([127, 0, 0, 1], 0)),
            limits: LimitsConfig::default(),
            disk: DiskConfig::default(),
            seed: SeedConfig::default(),
            network: NetworkConfig::default(),
            offer: OfferConfig::default(),
            updates: UpdatesConfig::default(),
        }
    }
}

impl Default for DiskConfig {
    fn default() -> DiskConfig {
        DiskConfig { incomplete: "suffix".into(), preallocate: false, threads: 2, memory: None }
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
        let wrong = |reason| NodeError::Config { path: path.to_owned(), reason };
        let config: Config = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            wrong(format!("line {line}: {}", error.message().lines().next().unwrap_or("not understood")))
        })?;
        config.check().map_err(wrong)?;
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
        if !(1..=64).contains(&self.disk.threads) {
            return Err("disk.threads has to be from 1 to 64".into());
        }
        self.network.check().map_err(|reason| format!("network: {reason}"))?;
        self.offer.check()?;
        self.updates.check()
    }

    /// Returns the engine's limits.
    pub(crate) fn limits(&self) -> torrent::Limits {
        let default = torrent::Limits::default();
        let limits = &self.limits;
        torrent::Limits {
            down_bytes_per_s: limits.download,
            up_bytes_per_s: limits.upload,
            connections: limits.connections.unwrap_or(default.connections),
            connections_per_torrent: limits.connections_per_torrent.unwrap_or(default.connections_per_torrent),
            connections_per_address: limits.connections_per_address.unwrap_or(default.connections_per_address),
            connections_per_person: limits.connections_per_person.unwrap_or(default.connections_per_person),
            upload_slots: limits.upload_slots.or(default.upload_slots),
        }
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
        let minutes = self.seed.minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
        torrent::SeedGoal { ratio: self.seed.ratio, time: minutes }
    }
}

/// Reads a number of bytes, or a text such as `"2M"`.
fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }
    let bytes = match Size::deserialize(deserializer)? {
        Size::Number(bytes) => bytes,
        Size::Text(text) => base::units::parse_bytes(&text).map_err(D::Error::custom)?,
    };
    if bytes == 0 { Err(D::Error::custom("0 would stop everything; leave the line away")) } else { Ok(Some(bytes)) }
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
        let config = read("[limits]\ndownload = \"1.5M\"\nupload = 1000\n[seed]\nratio = 2.0\nminutes = 3").unwrap();
        assert_eq!(config.limits().down_bytes_per_s, Some(1_572_864));
        assert_eq!(config.limits().up_bytes_per_s, Some(1000));
        assert_eq!(config.seed_goal().time, Some(Duration::from_secs(180)));
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
            ("[offer.trakcer]\non = true", "unknown field `trakcer`"),
            ("[disk]\nincomplete = \"x\"", "disk.incomplete"),
            ("[network]\nupnp = true", "line 2: unknown field `upnp`"),
            ("[network]\nencryption = \"strong\"", "line 2: unknown variant `strong`"),
            ("[network]\ntcp = false\nutp = false", "network: without TCP and uTP"),
            ("[network]\nbootstrap = [\"router\"]", "HOST:PORT"),
            ("[[[", "line 1"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words) && error.contains("correct the file"), "{text:?}: {error}");
        }
    }
}
