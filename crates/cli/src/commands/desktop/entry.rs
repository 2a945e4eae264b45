//! The files by which a desktop knows the program: an entry, an icon, and the user's choice of what opens what
//! (freedesktop.org: Desktop Entry, Icon Theme, and MIME Applications Associations specifications).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context as _, Result};

/// The name of the entry.
const ENTRY: &str = "compeer.desktop";

/// What it opens.
const TYPES: [&str; 2] = ["x-scheme-handler/magnet", "application/x-bittorrent"];

const ICON: &str = include_str!("../../../../../packaging/desktop/compeer.svg");

/// Where a user's desktop keeps such files (XDG Base Directory Specification).
#[derive(Debug)]
pub struct Folders {
    data: PathBuf,
    config: PathBuf,
}

impl Folders {
    /// Asks the environment.
    pub fn of_user() -> Result<Folders> {
        let home = std::env::home_dir().context("no folder of yours is known: set HOME")?;
        // "All paths must be absolute"; others are to be ignored.
        let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = named("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
        let config = named("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
        Ok(Folders { data, config })
    }

    fn applications(&self) -> PathBuf {
        self.data.join("applications")
    }

    fn icon(&self) -> PathBuf {
        self.data.join("icons/hicolor/scalable/apps/compeer.svg")
    }

    /// Writes the entry and the icon; returns their paths.
    pub fn install(&self, program: &Path, home: Option<&Path>) -> Result<Vec<PathBuf>> {
        let entry = self.applications().join(ENTRY);
        let text = text(program, home)?;
        for (path, text) in [(&entry, text.as_str()), (&self.icon(), ICON)] {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
            fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        self.refresh();
        Ok(vec![entry, self.icon()])
    }

    /// Removes what [`Folders::install`] wrote, and the choice; returns what was there.
    pub fn remove(&self) -> Result<Vec<PathBuf>> {
        let mut removed = Vec::new();
        for path in [self.applications().join(ENTRY), self.icon()] {
            match fs::remove_file(&path) {
                Ok(()) => removed.push(path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("{}: cannot be removed", path.display())),
            }
        }
        // The second is where older desktops keep it.
        for path in [self.config.join("mimeapps.list"), self.applications().join("mimeapps.list")] {
            forget(&path).with_context(|| format!("{}: cannot be changed", path.display()))?;
        }
        self.refresh();
        Ok(removed)
    }

    /// Has the desktop read its entries again. Where that program is missing, nothing waits for it.
    fn refresh(&self) {
        quietly(Command::new("update-desktop-database").arg(self.applications()));
    }
}

/// Makes the entry what opens its types, for this user. Tells whether that could be done.
pub fn make_default() -> bool {
    quietly(Command::new("xdg-mime").args(["default", ENTRY]).args(TYPES))
}

fn quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns the text of the entry.
fn text(program: &Path, home: Option<&Path>) -> Result<String> {
    let word = |path: &Path| {
        let text = path.to_str().with_context(|| format!("{} is not UTF-8, which an entry is", path.display()))?;
        anyhow::ensure!(!text.contains(char::is_control), "{text:?} has a character that no entry can have");
        Ok::<_, anyhow::Error>(text.to_owned())
    };
    let mut line = quoted(&word(program)?);
    if let Some(home) = home {
        line.push_str(&format!(" --home {}", quoted(&word(home)?)));
    }
    let types: String = TYPES.iter().map(|name| format!("{name};")).collect();
    Ok(format!(
        "[Desktop Entry]\nType=Application\nVersion=1.4\nName=Compeer\nGenericName=File sharing\n\
         Comment=Hands magnet links and torrent files to your node\nExec={line} desktop open %u\nTryExec={}\n\
         Icon=compeer\nTerminal=false\nNoDisplay=true\nCategories=Network;FileTransfer;P2P;\nMimeType={types}\n",
        // A value of the kind string: only the backslash is special.
        word(program)?.replace('\\', "\\\\"),
    ))
}

/// Quotes an argument of a command line of an entry: first for it ("The Exec key"), then for the value that it stands in.
fn quoted(word: &str) -> String {
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Takes the entry out of a list of choices.
fn forget(path: &Path) -> io::Result<()> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let without = without(&text);
    if without == text {
        return Ok(());
    }
    // The list may be a link into somebody's collection of settings: what it leads to is replaced, not the link.
    let path = fs::canonicalize(path)?;
    let new = path.with_extension("compeer-new");
    fs::write(&new, without)?;
    fs::rename(new, path)
}

/// Takes the entry out of the lines `TYPE=ENTRY;ENTRY;`; one that is left empty goes.
fn without(text: &str) -> String {
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let Some((name, entries)) = line.split_once('=') else {
            kept.push_str(line);
            continue;
        };
        let entries: Vec<&str> = entries.trim().split(';').filter(|entry| !entry.is_empty()).collect();
        let others: Vec<&str> = entries.iter().copied().filter(|entry| entry.trim() != ENTRY).collect();
        if others.len() == entries.len() {
            kept.push_str(line);
        } else if !others.is_empty() {
            kept.push_str(&format!("{name}={};\n", others.join(";")));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_anything_in_it_is_one_argument() {
        assert_eq!(quoted("/usr/bin/compeer"), "\"/usr/bin/compeer\"");
        assert_eq!(quoted("/a b/$x\"y`\\100%"), r#""/a b/\\$x\\"y\\`\\\\100%%""#);
        assert!(text(Path::new("/a\nExec=rm"), None).is_err());
    }

    #[test]
    fn the_entry_and_the_icon_come_and_go_with_the_choice() {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders { data: place.path().join("data"), config: place.path().join("config") };
        fs::create_dir_all(&folders.config).unwrap();
        let list = folders.config.join("mimeapps.list");
        fs::write(
            &list,
            "[Default Applications]\nx-scheme-handler/magnet=compeer.desktop\ntext/html=a.desktop\n\n\
             [Added Associations]\nx-scheme-handler/magnet=other.desktop;compeer.desktop;\n",
        )
        .unwrap();
        let written = folders.install(Path::new("/usr/bin/compeer"), Some(Path::new("/home/alice b"))).unwrap();
        let entry = fs::read_to_string(&written[0]).unwrap();
        assert!(entry.contains("\nExec=\"/usr/bin/compeer\" --home \"/home/alice b\" desktop open %u\n"), "{entry}");
        assert!(fs::read_to_string(&written[1]).unwrap().contains("<svg"));
        assert_eq!(folders.remove().unwrap(), written);
        assert!(folders.remove().unwrap().is_empty());
        let left = fs::read_to_string(&list).unwrap();
        let wanted = "[Default Applications]\ntext/html=a.desktop\n\n[Added Associations]\n\
                      x-scheme-handler/magnet=other.desktop;\n";
        assert_eq!(left, wanted);
    }
}
