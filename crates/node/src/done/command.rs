//! The command that runs when a download is complete.
//!
//! It learns of the download by variables of its environment: those that Transmission gives its scripts
//! (docs/Scripts.md there), so that what was written for it works here, and `COMPEER_*` for what those do not say.

use std::io::Read as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use torrent::{TorrentStatus, TrackerStatus};

use super::DoneConfig;

/// How often it is looked whether the command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How much of what the command says on stderr is kept for the log: the end of it. Arbitrary.
const MAX_SAID_BYTES: usize = 2 << 10;

/// How long, once the command has ended, the rest of what it said is waited for. Arbitrary: it was written before the
/// end, so only being read is left, unless somebody whom the command started holds stderr open.
const REST_WITHIN: Duration = Duration::from_secs(3);

/// A command that is to run.
#[derive(Debug)]
pub(super) struct Run {
    command: Vec<String>,
    environment: Vec<(&'static str, String)>,
    limit: Duration,
}

impl Run {
    /// Prepares the command for a download.
    pub(super) fn new(
        config: &DoneConfig,
        status: &TorrentStatus,
        trackers: &[TrackerStatus],
        labels: &[String],
    ) -> Run {
        let urls: Vec<&str> = trackers.iter().map(|tracker| tracker.url.as_str()).collect();
        let path = status.path.as_ref().unwrap_or(&status.folder);
        let now = Timestamp::now().to_zoned(TimeZone::system());
        let environment = vec![
            ("TR_APP_VERSION", env!("CARGO_PKG_VERSION").to_owned()),
            // As C's asctime writes it, without the newline.
            ("TR_TIME_LOCALTIME", now.strftime("%a %b %e %H:%M:%S %Y").to_string()),
            ("TR_TORRENT_BYTES_DOWNLOADED", status.downloaded.to_string()),
            ("TR_TORRENT_DIR", status.folder.display().to_string()),
            ("TR_TORRENT_HASH", status.id.to_string()),
            // None of them has a comma.
            ("TR_TORRENT_LABELS", labels.join(",")),
            ("TR_TORRENT_NAME", status.name.clone()),
            // No torrent has one of its own here.
            ("TR_TORRENT_PRIORITY", "0".to_owned()),
            ("TR_TORRENT_TRACKERS", urls.join(",")),
            ("COMPEER_TORRENT_PATH", path.display().to_string()),
            ("COMPEER_TORRENT_BYTES", status.wanted_bytes.or(status.total_bytes).unwrap_or(0).to_string()),
        ];
        Run { command: config.command.clone(), environment, limit: Duration::from_secs(config.limit_s) }
    }

    /// A command for a download of a test.
    #[cfg(test)]
    pub(super) fn for_test(command: Vec<String>, environment: Vec<(&'static str, String)>, limit: Duration) -> Run {
        Run { command, environment, limit }
    }

    /// Runs it to its end. What goes wrong is told in the log.
    pub(super) fn run(self) {
        let program = self.command.first().cloned().unwrap_or_default();
        match self.outcome() {
            Ok(()) => tracing::info!(%program, "the command for a download has run"),
            Err(reason) => {
                tracing::warn!(%program, %reason, "the command for a download failed ([done] of config.toml)")
            }
        }
    }

    /// The error is one sentence.
    pub(super) fn outcome(&self) -> Result<(), String> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
        // No program can be given a zero byte; a name from elsewhere may have one.
        let environment = self.environment.iter().map(|(name, value)| (name, value.replace('\0', "\u{fffd}")));
        let mut command = Command::new(program);
        command.args(arguments).envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C at the node's terminal is not meant for it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| format!("it does not start: {error}"))?;
        let said = listen(&mut child);
        let ended = wait(&mut child, self.limit)?;
        match ended {
            None => Err(format!("it did not end within {} s, and was killed", self.limit.as_secs())),
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(match said.whole().trim() {
                "" => status.to_string(),
                said => format!("{status}; it said: {said}"),
            }),
        }
    }
}

/// The end of what a command says, read by a thread of its own.
struct Said {
    kept: Arc<Mutex<Vec<u8>>>,
    /// Is disconnected when all is read.
    read: Receiver<()>,
}

impl Said {
    /// What was said until now. Whoever the command started may go on talking: nobody waits for the end of that.
    fn whole(self) -> String {
        // Both outcomes say the same: no more is waited for.
        let _ = self.read.recv_timeout(REST_WITHIN);
        String::from_utf8_lossy(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Begins to read what a command says.
fn listen(child: &mut Child) -> Said {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (reading, read) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        let kept = kept.clone();
        std::thread::spawn(move || {
            let _reading = reading;
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&buffer[..read]);
                let many = kept.len().saturating_sub(MAX_SAID_BYTES);
                kept.drain(..many);
            }
        });
    }
    Said { kept, read }
}

/// Waits for the end; `None`: it took too long and was killed.
pub(super) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>, String> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                kill(child);
                return Ok(None);
            }
            Err(error) => return Err(format!("it cannot be waited for: {error}")),
        }
    }
}

/// Kills a command and those that it started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended just now.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}
