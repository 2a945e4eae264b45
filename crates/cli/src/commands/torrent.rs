//! `compeer torrent`: .torrent files, without a node.

mod create;
mod edit;
mod show;
mod verify;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use metainfo::TorrentFile;

use super::Context;
use crate::args::Torrent;
use crate::link::{self, Source};

/// Runs a command.
pub fn run(command: Torrent, context: &Context) -> Result<u8> {
    match command {
        Torrent::Create(command) => create::run(command, context),
        Torrent::Show(command) => show::run(&command, context),
        Torrent::Verify(command) => verify::run(&command, context),
        Torrent::Edit(command) => edit::run(command, context),
    }
}

/// Reads a torrent file.
fn read(path: &Path) -> Result<TorrentFile> {
    let Some(text) = path.to_str() else { bail!("{}: this name cannot be used", path.display()) };
    match link::read_local(text)? {
        Source::File(file, _) => Ok(*file),
        Source::Magnet(..) | Source::Updates(_) => {
            bail!("a magnet names a torrent, but is no torrent file; give a .torrent file")
        }
    }
}

/// Writes a torrent file so that a reader sees all of it or nothing.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let written = std::fs::write(&fresh, bytes).and_then(|()| std::fs::rename(&fresh, path));
    written.with_context(|| format!("{}: cannot write it", path.display()))
}
