//! The administrator's policy: a file that the users of a shared computer cannot change, and whose limits stand above
//! their settings.
//!
//! It counts only if it and its folder belong to root and nobody else can write them; a file that does not keep that rule
//! is an error, not a silence: whoever put it there meant something.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use net::{Addresses, Rates, Target, Window};
use serde::Deserialize;

use super::{SERVICES, moment};
use crate::config::{MIN_MEMORY_BYTES, from_toml, size};

/// Where the file is.
pub(crate) const PATH: &str = "/etc/compeer/policy.toml";

/// The longest file that is read, in bytes. Arbitrary; lists have files of their own.
const MAX_BYTES: u64 = 1 << 20;

/// How many entries a list may have.
const MAX_ENTRIES: usize = 4096;

/// The time zone of the system: not of whoever starts the program, who can say what he likes by TZ.
const LOCAL_TIME: &str = "/etc/localtime";

/// Where the system keeps all zones; TZDIR is not asked for the same reason.
const ZONES: &str = "/usr/share/zoneinfo";

/// What the administrator says. Every number holds for each node by itself: who runs two of them has it twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Bytes received per second, at most.
    #[serde(deserialize_with = "size")]
    pub(crate) download: Option<u64>,
    /// Bytes sent per second, at most.
    #[serde(deserialize_with = "size")]
    pub(crate) upload: Option<u64>,
    /// Connections, at most.
    pub(crate) connections: Option<u32>,
    /// Connections of one torrent, at most.
    pub(crate) connections_per_torrent: Option<u32>,
    /// Payload in memory, at most.
    #[serde(deserialize_with = "size")]
    memory: Option<u64>,
    /// Threads that write, read and check, at most.
    threads: Option<usize>,
    /// What has to stay free where downloads are written, at least.
    #[serde(deserialize_with = "size")]
    keep_free: Option<u64>,
    /// What all that was fetched may take, at most.
    #[serde(deserialize_with = "size")]
    disk: Option<u64>,
    /// Services that nobody may use or offer.
    pub(crate) forbid: Vec<String>,
    /// Addresses that nobody may meet.
    block: Vec<String>,
    /// Files with such addresses.
    pub(crate) lists: Vec<PathBuf>,
    /// A folder into which every node of this computer writes what it used by day.
    pub(crate) report: Option<PathBuf>,
    /// The hours in which anything may be exchanged; empty: always.
    hours: Vec<Hours>,
    /// The time zone of those hours, as `Europe/Berlin`; by default the system's.
    zone: Option<String>,
    /// The same, found once: looking for it walks all zones that there are.
    #[serde(skip)]
    found_zone: Option<TimeZone>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    days: String,
    from: String,
    to: String,
}

impl Admin {
    /// Reads the file; without one, nothing is forbidden. The error is one sentence.
    pub(crate) fn read(path: &Path) -> Result<Admin, String> {
        let wrong = |reason: String| {
            format!("{}: {reason}; the administrator of this computer has to correct it", path.display())
        };
        match std::fs::metadata(path) {
            Ok(file) if file.len() > MAX_BYTES => return Err(wrong(format!("it is longer than {MAX_BYTES} bytes"))),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Admin::default()),
            Err(error) => return Err(wrong(error.to_string())),
        }
        for part in [Some(path), path.parent()].into_iter().flatten() {
            check_owner(part).map_err(wrong)?;
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Admin::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Admin, String> {
        let mut admin: Admin = from_toml(text)?;
        if admin.block.len().max(admin.forbid.len()).max(admin.hours.len()).max(admin.lists.len()) > MAX_ENTRIES {
            return Err(format!("a list may have {MAX_ENTRIES} entries"));
        }
        if let Some(name) = admin.forbid.iter().find(|name| !SERVICES.iter().any(|(known, _)| known == name)) {
            return Err(format!("forbid: {}", super::unknown_service(name)));
        }
        if admin.memory.is_some_and(|bytes| bytes < MIN_MEMORY_BYTES) {
            return Err(format!("memory has to be {} or more", base::units::format_bytes(MIN_MEMORY_BYTES)));
        }
        if admin.threads == Some(0) || admin.connections == Some(0) || admin.connections_per_torrent == Some(0) {
            return Err("0 threads or connections would stop everything; forbid services or give hours instead".into());
        }
        if let Some(folder) = admin.report.as_ref().filter(|folder| !folder.is_absolute()) {
            return Err(format!("report: {} has to be an absolute path", folder.display()));
        }
        admin.found_zone = admin.zone.as_deref().map(named_zone).transpose()?;
        admin.hours.iter().try_for_each(|hours| hours.window().map(drop))?;
        admin.ranges()?;
        Ok(admin)
    }

    fn ranges(&self) -> Result<Vec<net::AddressRange>, String> {
        let range = |text: &String| match text.parse() {
            Ok(Target::Addresses(range)) => Ok(range),
            _ => Err(format!("block: {text:?} is no address or range of them")),
        };
        self.block.iter().map(range).collect()
    }

    /// Returns the addresses that nobody may meet. Reads files.
    pub(crate) fn addresses(&self) -> Result<Addresses, String> {
        let mut ranges = self.ranges()?;
        for path in &self.lists {
            // Whoever can change the list can take entries away.
            for part in [Some(path.as_path()), path.parent()].into_iter().flatten() {
                check_owner(part)?;
            }
            net::read_list(path, &mut ranges).map_err(|error| error.to_string())?;
        }
        Ok(Addresses::new(ranges))
    }

    /// Tells whether anything may be exchanged at a moment.
    pub(crate) fn allows(&self, now: Timestamp) -> bool {
        if self.hours.is_empty() {
            return true;
        }
        let moment = moment(&now.to_zoned(self.found_zone.clone().unwrap_or_else(system_zone)));
        // What does not parse was refused when the file was read.
        self.hours.iter().filter_map(|hours| hours.window().ok()).any(|w| w.covers(moment))
    }

    /// Returns the tighter of both.
    pub(crate) fn cap_resources(&self, mut resources: torrent::Resources) -> torrent::Resources {
        let memory = self.memory.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        resources.memory_bytes = resources.memory_bytes.min(memory);
        resources.threads = resources.threads.into_iter().chain(self.threads).min();
        resources.keep_free_bytes = resources.keep_free_bytes.max(self.keep_free.unwrap_or(0));
        resources.most_bytes = resources.most_bytes.into_iter().chain(self.disk).min();
        resources
    }

    /// Returns all limits, to be shown.
    pub(crate) fn limits(&self) -> rpc::Budget {
        rpc::Budget {
            download_bytes_per_s: self.download,
            upload_bytes_per_s: self.upload,
            connections: self.connections,
            connections_per_torrent: self.connections_per_torrent,
            memory_bytes: self.memory,
            keep_free_bytes: self.keep_free,
            disk_bytes: self.disk,
            threads: self.threads.map(|threads| u32::try_from(threads).unwrap_or(u32::MAX)),
            ..rpc::Budget::default()
        }
    }

    /// Returns the tighter of both for each direction.
    pub(crate) fn cap(&self, rates: Rates) -> Rates {
        let tighter = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Rates { down: tighter(rates.down, self.download), up: tighter(rates.up, self.upload) }
    }
}

impl Hours {
    fn window(&self) -> Result<Window, String> {
        let words = |error: net::ParseWindowError| format!("hours: {error}");
        Ok(Window {
            days: self.days.parse().map_err(words)?,
            from: self.from.parse().map_err(words)?,
            to: self.to.parse().map_err(words)?,
        })
    }
}

/// Returns a zone by its name.
fn named_zone(name: &str) -> Result<TimeZone, String> {
    let found = TimeZoneDatabase::from_dir(ZONES).and_then(|zones| zones.get(name));
    found
        .or_else(|_| TimeZoneDatabase::bundled().get(name))
        .map_err(|_| format!("zone: there is no time zone {name:?}"))
}

/// Returns the zone of the computer; UTC where it says none, as in the C library.
#[cfg(unix)]
fn system_zone() -> TimeZone {
    let zone = std::fs::read(LOCAL_TIME).ok().and_then(|data| TimeZone::tzif("", &data).ok());
    zone.unwrap_or(TimeZone::UTC)
}

#[cfg(not(unix))]
fn system_zone() -> TimeZone {
    TimeZone::system()
}

#[cfg(unix)]
fn check_owner(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let it = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // 022: writable by the group or by others.
    match (it.uid(), it.mode() & 0o022) {
        (0, 0) => Ok(()),
        (0, _) => Err(format!("others than root can write {}", path.display())),
        _ => Err(format!("{} does not belong to root", path.display())),
    }
}

#[cfg(not(unix))]
fn check_owner(_: &Path) -> Result<(), String> {
    // There is no such place there: whoever can write to the root of the drive is an administrator.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_limit_holds_and_hours_are_kept() {
        let text = "upload = \"1M\"\nforbid = [\"relay\"]\nblock = [\"192.0.2.0/24\"]\n\
                    hours = [{ days = \"mon-fri\", from = \"18:00\", to = \"06:00\" }]";
        let admin = Admin::parse(text).unwrap();
        assert_eq!(admin.cap(Rates { down: Some(5), up: None }), Rates { down: Some(5), up: Some(1 << 20) });
        assert_eq!(admin.cap(Rates { down: None, up: Some(7) }).up, Some(7));
        assert!(admin.addresses().unwrap().contains("192.0.2.9".parse().unwrap()));
        assert!(Admin::default().allows(Timestamp::UNIX_EPOCH));
        let ours = torrent::Resources {
            threads: None,
            memory_bytes: 64 << 20,
            keep_free_bytes: 1 << 20,
            most_bytes: Some(3 << 30),
        };
        let text = "memory = \"8M\"\nthreads = 2\nkeep_free = \"1G\"\ndisk = \"2G\"\nconnections_per_torrent = 9";
        let most = torrent::Resources {
            threads: Some(2),
            memory_bytes: 8 << 20,
            keep_free_bytes: 1 << 30,
            most_bytes: Some(2 << 30),
        };
        assert_eq!(Admin::parse(text).unwrap().cap_resources(ours), most);
        assert_eq!(Admin::default().cap_resources(ours), ours);
        for (text, words) in [
            ("uplaod = 1", "unknown field"),
            ("block = [\"alice\"]", "no address"),
            ("forbid = [\"filez\"]", "no service \"filez\""),
            ("memory = \"1K\"", "memory has to be"),
            ("threads = 0", "would stop everything"),
            ("report = \"reports\"", "absolute path"),
            ("zone = \"Europe/Atlantis\"", "no time zone"),
            ("hours = [{ days = \"x\", from = \"1:00\", to = \"2:00\" }]", "names no days"),
        ] {
            assert!(Admin::parse(text).unwrap_err().contains(words), "{text}");
        }
    }

    #[test]
    fn hours_are_those_of_the_zone_that_the_file_names() {
        let hours = "hours = [{ days = \"mon-fri\", from = \"18:00\", to = \"06:00\" }]";
        // A Monday.
        let at = |time: &str| format!("2026-11-23T{time}:00Z").parse::<Timestamp>().unwrap();
        let berlin = Admin::parse(&format!("zone = \"Europe/Berlin\"\n{hours}")).unwrap();
        assert!(!berlin.allows(at("16:59")) && berlin.allows(at("17:00")) && !berlin.allows(at("12:00")));
        let utc = Admin::parse(&format!("zone = \"UTC\"\n{hours}")).unwrap();
        assert!(!utc.allows(at("17:00")) && utc.allows(at("18:00")));
    }

    #[cfg(unix)]
    #[test]
    fn a_list_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.p2p");
        std::fs::write(&list, "bad:192.0.2.0-192.0.2.9\n").unwrap();
        std::fs::set_permissions(&list, std::fs::Permissions::from_mode(0o666)).unwrap();
        let admin = Admin::parse(&format!("lists = [{:?}]", list.display().to_string())).unwrap();
        let error = admin.addresses().unwrap_err();
        assert!(error.contains("root") && error.contains("list.p2p"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        assert_eq!(Admin::read(&path), Ok(Admin::default()));
        std::fs::write(&path, "upload = 1000").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        // Whoever runs the tests: either it is not root's, or others can write it.
        let error = Admin::read(&path).unwrap_err();
        assert!(error.contains("root") && error.contains("has to correct"), "{error}");
    }
}
