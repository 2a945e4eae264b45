//! The report for the administrator of a shared computer: what was used by day, in a folder that the policy names.
//!
//! Every user's node writes into that folder, so it is a place where others may lie in wait. It counts only if root owns it
//! and nobody but the owner of a file can take that file away (the sticky bit) or only root can write there, and if the same
//! holds for the folders above. A report is written into a new file, which is put in place by its name: a link is never
//! followed, and nothing that others put there is written to, replaced or removed. Whose a report is says the owner of the
//! file, which nobody can choose, and not its name, which anybody can.
//!
//! It says how much was carried, and not for whom. It is no proof: a user may run another program.

use std::collections::BTreeMap;
use std::path::Path;

use rpc::UsageTotal;
use serde::Serialize;

/// How many days are reported. Arbitrary: a quarter of a year.
pub(super) const DAYS: u32 = 92;

/// What is written, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    program: &'static str,
    /// The home of the node, since a user may have several.
    home: String,
    /// When it was written.
    written: String,
    days: Vec<Day>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Day {
    day: String,
    service: String,
    carrier: String,
    downloaded_bytes: u64,
    uploaded_bytes: u64,
}

impl Report {
    pub(super) fn new(home: &Path, used: Vec<UsageTotal>) -> Report {
        let mut sums: BTreeMap<(String, String, String), (u64, u64)> = BTreeMap::new();
        for it in used {
            let sum = sums.entry((it.day.unwrap_or_default(), it.service, it.carrier)).or_default();
            *sum = (sum.0.saturating_add(it.downloaded_bytes), sum.1.saturating_add(it.uploaded_bytes));
        }
        let day = |((day, service, carrier), (downloaded_bytes, uploaded_bytes))| Day {
            day,
            service,
            carrier,
            downloaded_bytes,
            uploaded_bytes,
        };
        Report {
            program: concat!("Compeer ", env!("CARGO_PKG_VERSION")),
            home: home.display().to_string(),
            written: jiff::Zoned::now().timestamp().to_string(),
            days: sums.into_iter().map(day).collect(),
        }
    }

    /// Writes it into the administrator's folder; `home` remembers the name. Waits for the disk. The error is one sentence.
    pub(super) fn hand_in(&self, folder: &Path, home: &Path) -> Result<(), String> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        imp::write(folder, 0, &home.join("report-name"), &text)
    }
}

#[cfg(not(unix))]
mod imp {
    pub(super) fn write(_: &std::path::Path, _: u32, _: &std::path::Path, _: &[u8]) -> Result<(), String> {
        Err("reports for the administrator are written on Unix only".to_owned())
    }
}

#[cfg(unix)]
mod imp {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
    use rustix::io::Errno;

    /// The sticky bit, and the rights of others and of the group to write (stat(2)).
    const STICKY: u32 = 0o1000;
    const OTHERS_WRITE: u32 = 0o022;

    /// How many names are tried. Arbitrary: each is drawn, so nobody can have taken the next one.
    const TRIES: usize = 3;

    /// Where a folder is that is only looked into by name, which needs no right to list it.
    #[cfg(target_os = "linux")]
    const ENTER: OFlags = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    const ENTER: OFlags = OFlags::RDONLY;

    /// Writes a file of our own into a folder of `root`'s. `name_file`: where its name is remembered.
    pub(super) fn write(folder: &Path, root: u32, name_file: &Path, text: &[u8]) -> Result<(), String> {
        let place = open(folder, root).map_err(|reason| format!("{}: {reason}", folder.display()))?;
        let mut name = remembered(name_file);
        for _ in 0..TRIES {
            let token = match name.take() {
                Some(token) => token,
                None => draw(name_file).map_err(|error| format!("{}: {error}", name_file.display()))?,
            };
            match put(&place, &token, text) {
                Ok(()) => return Ok(()),
                // Somebody else's file has the name: take another.
                Err(Errno::EXIST | Errno::PERM | Errno::ACCESS | Errno::ISDIR | Errno::NOTEMPTY) => {}
                Err(error) => return Err(format!("{}: {error}", folder.display())),
            }
        }
        Err(format!("{}: nothing can be written there", folder.display()))
    }

    /// Opens the folder, if only root can change what it is.
    fn open(folder: &Path, root: u32) -> Result<File, String> {
        let real: PathBuf = std::fs::canonicalize(folder).map_err(|error| error.to_string())?;
        for above in real.ancestors().skip(1) {
            let it = std::fs::symlink_metadata(above).map_err(|error| error.to_string())?;
            trusted(it.uid(), it.mode(), root).map_err(|reason| format!("{} {reason}", above.display()))?;
        }
        let flags = ENTER | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = File::from(openat(CWD, &real, flags, Mode::empty()).map_err(|error| error.to_string())?);
        let it = place.metadata().map_err(|error| error.to_string())?;
        trusted(it.uid(), it.mode(), root)?;
        Ok(place)
    }

    /// Tells whether nobody but root can take away what is in a folder and not his own.
    fn trusted(owner: u32, mode: u32, root: u32) -> Result<(), String> {
        if owner != root && owner != 0 {
            return Err("does not belong to root".to_owned());
        }
        if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
            return Err("can be written by others than root and has no sticky bit (chmod 1733)".to_owned());
        }
        Ok(())
    }

    /// Writes a new file and puts it in the place of the one before it.
    fn put(place: &File, token: &str, text: &[u8]) -> Result<(), Errno> {
        let fresh = format!(".{token}.new");
        // What a run left behind that was killed; another's cannot be removed.
        if is_there(place, &fresh)? {
            unlinkat(place, &*fresh, AtFlags::empty())?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(place, &*fresh, flags, Mode::RUSR | Mode::WUSR)?);
        let own = file.metadata().map_err(words)?.uid();
        let name = format!("{own}-{token}.json");
        let written = file
            .write_all(text)
            .and_then(|()| file.sync_all())
            .map_err(words)
            .and_then(|()| replaceable(place, &name, own))
            .and_then(|()| renameat(place, &*fresh, place, &*name));
        if written.is_err() {
            // Ours, as nobody else can put another in its place.
            let _ = unlinkat(place, &*fresh, AtFlags::empty());
        }
        written
    }

    fn words(error: std::io::Error) -> Errno {
        Errno::from_io_error(&error).unwrap_or(Errno::IO)
    }

    fn is_there(place: &File, name: &str) -> Result<bool, Errno> {
        match statat(place, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fails if something has the name that is not a file of ours. Root could replace it, and must not.
    fn replaceable(place: &File, name: &str, own: u32) -> Result<(), Errno> {
        match statat(place, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(it) if it.st_uid == own && FileType::from_raw_mode(it.st_mode) == FileType::RegularFile => Ok(()),
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the name of the last time.
    fn remembered(name_file: &Path) -> Option<String> {
        let token = std::fs::read_to_string(name_file).ok()?;
        let token = token.trim();
        let good = token.len() == 16 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then(|| token.to_owned())
    }

    /// Draws a name that nobody can guess, and remembers it.
    fn draw(name_file: &Path) -> std::io::Result<String> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let token = data_encoding::HEXLOWER.encode(&bytes);
        std::fs::write(name_file, &token)?;
        Ok(token)
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        use super::*;

        /// A folder of the administrator's, who is whoever runs the test, and a home.
        struct Shared {
            folder: tempfile::TempDir,
            home: tempfile::TempDir,
            admin: u32,
        }

        impl Shared {
            fn new(mode: u32) -> Shared {
                let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
                let admin = std::fs::metadata(folder.path()).unwrap().uid();
                Shared { folder, home, admin }
            }

            fn name_file(&self) -> PathBuf {
                self.home.path().join("report-name")
            }

            fn write(&self, text: &str) -> Result<(), String> {
                write(self.folder.path(), self.admin, &self.name_file(), text.as_bytes())
            }

            fn report(&self) -> PathBuf {
                let token = std::fs::read_to_string(self.name_file()).unwrap();
                self.folder.path().join(format!("{}-{token}.json", self.admin))
            }

            fn count(&self) -> usize {
                std::fs::read_dir(self.folder.path()).unwrap().count()
            }
        }

        #[test]
        fn a_report_replaces_the_one_before_it_and_others_cannot_read_it() {
            let shared = Shared::new(0o1777);
            shared.write("monday").unwrap();
            shared.write("tuesday").unwrap();
            assert_eq!(std::fs::read_to_string(shared.report()).unwrap(), "tuesday");
            assert_eq!(std::fs::metadata(shared.report()).unwrap().mode() & 0o777, 0o600);
            assert_eq!(shared.count(), 1, "nothing else is left behind");
        }

        #[test]
        fn a_link_or_folder_in_the_way_is_neither_followed_nor_replaced() {
            let shared = Shared::new(0o1733);
            shared.write("monday").unwrap();
            let mine = shared.home.path().join("mine");
            std::fs::write(&mine, "mine").unwrap();
            let first = shared.report();
            std::fs::remove_file(&first).unwrap();
            symlink(&mine, &first).unwrap();
            shared.write("tuesday").unwrap();
            assert_ne!(shared.report(), first, "another name");
            assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
            assert!(std::fs::symlink_metadata(&first).unwrap().is_symlink());

            let second = shared.report();
            std::fs::remove_file(&second).unwrap();
            std::fs::create_dir(&second).unwrap();
            shared.write("wednesday").unwrap();
            assert!(second.is_dir() && std::fs::read_to_string(shared.report()).unwrap() == "wednesday");
        }

        #[test]
        fn a_hard_link_to_a_file_of_ours_leaves_that_file_alone() {
            let shared = Shared::new(0o1777);
            shared.write("monday").unwrap();
            let mine = shared.home.path().join("mine");
            std::fs::write(&mine, "mine").unwrap();
            std::fs::remove_file(shared.report()).unwrap();
            std::fs::hard_link(&mine, shared.report()).unwrap();
            shared.write("tuesday").unwrap();
            assert_eq!(std::fs::read_to_string(&mine).unwrap(), "mine");
            assert_eq!(std::fs::read_to_string(shared.report()).unwrap(), "tuesday");
        }

        #[test]
        fn a_folder_that_others_can_change_is_refused() {
            let shared = Shared::new(0o777);
            assert!(shared.write("monday").unwrap_err().contains("sticky bit"));
            let shared = Shared::new(0o755);
            let below = shared.folder.path().join("reports");
            std::fs::create_dir(&below).unwrap();
            std::fs::set_permissions(shared.folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
            let refused = write(&below, shared.admin, &shared.name_file(), b"monday").unwrap_err();
            assert!(refused.contains("sticky bit"), "{refused}");
            assert!(trusted(1000, 0o1777, 0).unwrap_err().contains("does not belong to root"));
            assert!(shared.write("monday").is_err() && std::fs::read_dir(&below).unwrap().count() == 0);
        }

        #[test]
        fn a_name_that_nobody_drew_is_not_used() {
            let shared = Shared::new(0o1777);
            std::fs::write(shared.name_file(), "../../etc/passwd").unwrap();
            shared.write("monday").unwrap();
            assert_eq!(std::fs::read_to_string(shared.report()).unwrap(), "monday");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_how_much_and_not_for_whom() {
        let used = |person: Option<&str>, down| UsageTotal {
            day: Some("2026-11-22".to_owned()),
            service: "wire".to_owned(),
            person: person.map(str::to_owned),
            name: person.map(|_| "Bob".to_owned()),
            carrier: "quic".to_owned(),
            downloaded_bytes: down,
            uploaded_bytes: 1,
        };
        let report = Report::new(Path::new("/home/alice/.compeer"), vec![used(Some("bobs id"), 5), used(None, 7)]);
        let day = &report.days[0];
        assert_eq!((report.days.len(), day.downloaded_bytes, day.uploaded_bytes), (1, 12, 2));
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains("Bob") && !text.contains("bobs id") && text.contains("/home/alice"), "{text}");
    }
}
