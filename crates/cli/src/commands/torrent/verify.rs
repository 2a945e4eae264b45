//! `compeer torrent verify`.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use base::units::format_bytes;
use node::content;
use serde_json::json;

use super::create::with_progress;
use crate::args::TorrentVerify;
use crate::commands::Context;
use crate::live::Live;
use crate::out::{self, clean};
use crate::show;

/// How many wrong files are named; `--json` names all.
const MAX_NAMED: usize = 20;

/// Compares content with a torrent file; the exit code is 0 only when all of it is right.
pub fn run(command: &TorrentVerify, context: &Context) -> Result<u8> {
    let file = super::read(&command.torrent)?;
    let folder = folder(command.path.as_deref().unwrap_or(Path::new(".")), file.info.name())?;
    let mut live = Live::new(context.json);
    let (info, layers) = (file.info.clone(), file.piece_layers.clone());
    let (name, checked) = (clean(file.info.name()), folder.clone());
    let comparison = with_progress(&mut live, "Verifying", &name, move |progress| {
        progress.set(0, info.layout().total_length());
        content::verify(&info, &layers, &checked, &|_| true, progress)
    })?;
    live.clear();
    let layout = file.info.layout();
    for &index in &comparison.bad_files {
        let Some(found) = layout.file(index) else { continue };
        readable(&folder.join(found.path.iter().collect::<PathBuf>()))?;
    }
    let path = |index: &metainfo::FileIndex| layout.file(*index).map(|found| found.path.join("/")).unwrap_or_default();
    let wrong: Vec<String> = comparison.bad_files.iter().map(path).collect();
    if context.json {
        out::json(&json!({
            "good": comparison.is_good(),
            "path": folder.join(file.info.name()),
            "piece_count": comparison.pieces,
            "bad_pieces": comparison.bad_pieces,
            "bad_files": wrong,
        }))?;
    } else if comparison.is_good() {
        let files = show::count(layout.files().len(), "file", "files");
        out::line(format!("{name} is complete and right: {} in {files}.", format_bytes(layout.total_length())))?;
    } else {
        let pieces = show::count(comparison.pieces as usize, "piece", "pieces");
        let bad = comparison.bad_pieces.len();
        out::line(format!("{name} differs: {bad} of {pieces} missing or wrong, in {}:", count(wrong.len())))?;
        for path in wrong.iter().take(MAX_NAMED) {
            out::line(format!("  {}", clean(path)))?;
        }
        if wrong.len() > MAX_NAMED {
            out::line(format!("  and {} more", wrong.len() - MAX_NAMED))?;
        }
    }
    Ok(u8::from(!comparison.is_good()))
}

fn count(files: usize) -> String {
    show::count(files, "file", "files")
}

/// Refuses a file that is there and cannot be read: it is neither missing nor known to be wrong. Called only for what
/// did not match.
fn readable(path: &Path) -> Result<()> {
    // Opening a pipe would wait for its other end.
    let looked =
        std::fs::metadata(path).and_then(|found| if found.is_file() { File::open(path).map(drop) } else { Ok(()) });
    match looked {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!("{}: cannot read it: {error}", path.display())
        }
        _ => Ok(()),
    }
}

/// Returns the folder in which the content's own file or folder lies: `path`, or the folder around it.
fn folder(path: &Path, name: &str) -> Result<PathBuf> {
    let Ok(path) = path.canonicalize() else {
        bail!("{}: there is no such file or folder, or it cannot be read", path.display());
    };
    if path.join(name).symlink_metadata().is_ok() {
        return Ok(path);
    }
    match path.parent() {
        Some(parent) if path.file_name().is_some_and(|own| own == name) => Ok(parent.to_owned()),
        _ => bail!(
            "{}: there is no {:?} in it; name the folder that holds it, or it itself",
            path.display(),
            clean(name)
        ),
    }
}
