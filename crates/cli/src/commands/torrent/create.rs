//! `compeer torrent create`.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use base::units::format_bytes;
use metainfo::create;
use node::Progress;
use node::content::{self, ContentError, Created};
use serde_json::json;

use crate::args::TorrentCreate;
use crate::commands::Context;
use crate::commands::share::progress_lines;
use crate::live::Live;
use crate::out::{self, clean};
use crate::show;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// Hashes content and writes a torrent file.
pub fn run(command: TorrentCreate, context: &Context) -> Result<u8> {
    let path = &command.path;
    let shown = path.display();
    let Ok(path) = path.canonicalize() else { bail!("{shown}: there is no such file or folder, or it cannot be read") };
    let to_stdout = command.output.as_deref() == Some(Path::new("-"));
    let target = target(&command, &path)?;
    if !to_stdout && !command.force && target.exists() {
        bail!("{}: this file is there already; replace it with --force, or name another with -o", target.display());
    }
    let begun = Instant::now();
    let options = options(&command);
    let mut live = Live::new(context.json);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let created: Created =
        with_progress(&mut live, "Hashing", &name, move |progress| content::create(&path, options, None, progress))?;
    live.clear();
    let bytes = created.torrent.to_bytes();
    if to_stdout {
        out::bytes(&bytes)?;
        return Ok(0);
    }
    super::write(&target, &bytes)?;
    let info = &created.torrent.info;
    if context.json {
        out::json(&json!({
            "torrent": target,
            "name": info.name(),
            "info_hash_v1": info.hashes().v1().map(|hash| hash.to_string()),
            "info_hash_v2": info.hashes().v2().map(|hash| hash.to_string()),
            "magnet": created.torrent.magnet().to_string(),
            "total_bytes": info.layout().total_length(),
            "file_count": info.layout().files().len(),
            "piece_length_bytes": info.layout().piece_length(),
            "piece_count": info.layout().piece_count(),
            "skipped": created.skipped.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    for (path, reason) in &created.skipped {
        live.note(format!("left out: {} ({})", clean(path), clean(reason)));
    }
    let files = show::count(info.layout().files().len(), "file", "files");
    let size = format_bytes(info.layout().total_length());
    live.note(format!("{}: {size} in {files}, hashed in {}.", clean(info.name()), show::took(begun.elapsed())));
    out::line(target.display().to_string())?;
    Ok(0)
}

fn target(command: &TorrentCreate, path: &Path) -> Result<PathBuf> {
    if let Some(output) = &command.output {
        return Ok(output.clone());
    }
    let Some(name) = path.file_name() else { bail!("{}: this has no name to share it under", path.display()) };
    let mut name = name.to_owned();
    name.push(".torrent");
    Ok(PathBuf::from(name))
}

fn options(command: &TorrentCreate) -> create::Options {
    let options = &command.options;
    let today = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|time| time.as_secs()).ok();
    create::Options {
        mode: match (options.hybrid, options.v2) {
            (true, _) => create::Mode::Hybrid,
            (_, true) => create::Mode::V2,
            _ => create::Mode::V1,
        },
        piece_length: options.piece_length,
        private: options.private,
        trackers: options.tiers(),
        web_seeds: options.web_seed.clone(),
        comment: options.comment.clone(),
        source: options.source.clone(),
        created_by: Some(format!("Compeer {}", env!("CARGO_PKG_VERSION"))),
        creation_date: command.date.then(today).flatten(),
        salt: None,
    }
}

/// Runs work on a thread of its own and shows how far it is. Ctrl-C just ends the program: nothing is half written.
pub fn with_progress<T: Send + 'static>(
    live: &mut Live,
    verb: &str,
    name: &str,
    work: impl FnOnce(&Progress) -> Result<T, ContentError> + Send + 'static,
) -> Result<T> {
    let (begun, progress) = (Instant::now(), Progress::default());
    let (sender, receiver) = mpsc::channel();
    let of_worker = progress.clone();
    std::thread::Builder::new().name("content".to_owned()).spawn(move || {
        // The receiver outlives the work, or the program ends.
        let _ = sender.send(work(&of_worker));
    })?;
    live.wait_before_plain();
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(result) => return Ok(result?),
            Err(RecvTimeoutError::Disconnected) => bail!("{name}: the work ended early"),
            Err(RecvTimeoutError::Timeout) => {
                let (done, total) = progress.bytes();
                let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                let lines = progress_lines(live, verb, name, done, total, elapsed_ms);
                live.draw(&lines, || lines.join("  "));
            }
        }
    }
}
