//! Saying on the desktop that a download is complete, by `notify-send` (libnotify), where there is a desktop.

use std::process::{Command, Stdio};
use std::time::Duration;

use base::units::format_bytes;
use tokio::time::Instant;
use torrent::TorrentStatus;

use super::command::wait;

/// How long is waited for others that end at the same time: one notice says it of all. Arbitrary.
const GATHER: Duration = Duration::from_secs(2);

/// How long showing one may take: it is a message to a program on this computer.
const LIMIT: Duration = Duration::from_secs(10);

/// What is to be said.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// The first one, and how many there are.
    gathered: Option<(Notice, usize)>,
    due: Option<Instant>,
}

/// A notice: a heading, and a sentence in the markup of the desktop notifications specification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) heading: String,
    pub(super) body: String,
}

impl Notices {
    /// Adds a download.
    pub(super) fn add(&mut self, status: &TorrentStatus) {
        if !has_desktop() {
            return;
        }
        self.gather(notice(status));
    }

    fn gather(&mut self, notice: Notice) {
        let (_, many) = self.gathered.get_or_insert((notice, 0));
        *many += 1;
        self.due.get_or_insert(Instant::now() + GATHER);
    }

    /// Waits until something is to be said. Safe to drop and call again.
    pub(super) async fn due(&mut self) -> Notice {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
        self.take()
    }

    fn take(&mut self) -> Notice {
        self.due = None;
        match self.gathered.take() {
            Some((notice, 1)) => notice,
            Some((notice, many)) => {
                let body = format!("{} and {} more", escape(&notice.heading), many - 1);
                Notice { heading: format!("{many} downloads are complete"), body }
            }
            None => Notice::default(),
        }
    }
}

impl Notice {
    /// Makes a notice of two texts, neither of which is markup.
    pub(super) fn of(heading: &str, text: &str) -> Notice {
        Notice { heading: clean(heading), body: escape(&clean(text)) }
    }
}

fn notice(status: &TorrentStatus) -> Notice {
    let size = format_bytes(status.wanted_bytes.or(status.total_bytes).unwrap_or(0));
    Notice::of(&status.name, &format!("Complete, {size}, in {}", status.folder.display()))
}

/// Tells whether there is a session bus: its address, or where it has its socket by default.
pub(super) fn has_desktop() -> bool {
    if cfg!(not(unix)) {
        return false;
    }
    let socket = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| std::path::Path::new(&folder).join("bus"));
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty())
        || socket.is_some_and(|socket| socket.exists())
}

/// Shows a notice. That there is no `notify-send` is no mistake.
pub(super) fn show(notice: &Notice) {
    let mut command = Command::new("notify-send");
    command.args(["--app-name=Compeer", "--icon=compeer", "--category=transfer.complete", "--"]);
    // Arguments have no zero bytes; those are gone with the other control characters.
    command.args([&notice.heading, &notice.body]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn().map_err(|error| error.to_string()).and_then(|mut child| wait(&mut child, LIMIT)) {
        Ok(Some(status)) if status.success() => {}
        Ok(status) => tracing::debug!(?status, "notify-send failed"),
        Err(error) => tracing::debug!(%error, "no notice on the desktop"),
    }
}

/// Leaves out what is no text.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Writes a text so that no name can be markup (Desktop Notifications Specification, "Markup").
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_together_is_said_at_once() {
        let one = |name: &str| Notice { heading: name.to_owned(), body: "Complete".to_owned() };
        let mut notices = Notices::default();
        notices.gather(one("a film"));
        assert!(notices.due.is_some());
        assert_eq!(notices.take(), one("a film"));
        for name in ["<b>x</b>", "y", "z"] {
            notices.gather(one(name));
        }
        let said = notices.take();
        assert_eq!(said.heading, "3 downloads are complete");
        assert_eq!(said.body, "&lt;b&gt;x&lt;/b&gt; and 2 more");
        assert!(notices.due.is_none());
    }
}
