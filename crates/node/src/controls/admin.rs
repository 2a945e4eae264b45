//! The administrator's policy: a file that the users of a shared computer cannot change, and whose limits stand above
//! their settings.
//!
//! It counts only if it and its folder belong to root and nobody else can write them; a file that does not keep that rule
//! is an error, not a silence: whoever put it there meant something.

use std::path::{Path, PathBuf};

use net::{Addresses, Moment, Rates, Target, Window};
use serde::Deserialize;

use crate::config::{from_toml, size};

/// Where the file is.
pub(crate) const PATH: &str = "/etc/compeer/policy.toml";

/// The longest file that is read, in bytes. Arbitrary; lists have files of their own.
const MAX_BYTES: u64 = 1 << 20;

/// How many entries a list may have.
const MAX_ENTRIES: usize = 4096;

/// What the administrator says.
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
    /// Services that nobody may use or offer.
    pub(crate) forbid: Vec<String>,
    /// Addresses that nobody may meet.
    block: Vec<String>,
    /// Files with such addresses.
    pub(crate) lists: Vec<PathBuf>,
    /// The hours in which anything may be exchanged; empty: always.
    hours: Vec<Hours>,
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
        let admin: Admin = from_toml(text)?;
        if admin.block.len().max(admin.forbid.len()).max(admin.hours.len()).max(admin.lists.len()) > MAX_ENTRIES {
            return Err(format!("a list may have {MAX_ENTRIES} entries"));
        }
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
            net::read_list(path, &mut ranges).map_err(|error| error.to_string())?;
        }
        Ok(Addresses::new(ranges))
    }

    /// Tells whether anything may be exchanged at a moment.
    pub(crate) fn allows(&self, moment: Moment) -> bool {
        // What does not parse was refused when the file was read.
        self.hours.is_empty() || self.hours.iter().filter_map(|hours| hours.window().ok()).any(|w| w.covers(moment))
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
        assert!(admin.allows(Moment { day: 0, minute: 19 * 60 }) && !admin.allows(Moment { day: 0, minute: 12 * 60 }));
        assert!(admin.addresses().unwrap().contains("192.0.2.9".parse().unwrap()));
        assert!(Admin::default().allows(Moment { day: 6, minute: 0 }));
        for (text, words) in [
            ("uplaod = 1", "unknown field"),
            ("block = [\"alice\"]", "no address"),
            ("hours = [{ days = \"x\", from = \"1:00\", to = \"2:00\" }]", "names no days"),
        ] {
            assert!(Admin::parse(text).unwrap_err().contains(words), "{text}");
        }
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
