//! `compeer files`.

use anyhow::{Result, bail};
use base::units::format_bytes;
use reqwest::Method;
use rpc::{FileChoice, FileInfo, FilePriority, TorrentChange};

use super::{Context, which};
use crate::args::{Files, Ranges};
use crate::attach::attach;
use crate::out::{self, Table, clean};
use crate::show;

/// Shows a torrent's files, after choosing among them.
pub async fn run(command: Files, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let id = which::find(&attached.client, &command.torrent).await?.id;
    if command.sequential.is_some() {
        let change = TorrentChange { sequential: command.sequential, ..TorrentChange::default() };
        attached.client.tell(Method::PATCH, &format!("/torrents/{id}"), Some(&change)).await?;
    }
    let path = format!("/torrents/{id}/files");
    let mut files: Vec<FileInfo> = attached.client.get(&path).await?;
    let choices = choose(&command, &files)?;
    if !choices.is_empty() {
        attached.client.tell(Method::PATCH, &path, Some(&choices)).await?;
        files = attached.client.get(&path).await?;
    }
    if context.json {
        out::json(&files)?;
        return Ok(0);
    }
    let mut table = Table::new(&["NO", "PATH", "SIZE", "DONE", "PRIORITY"], &[0, 2, 3], 1);
    for file in &files {
        let done = if file.size_bytes == 0 { 1.0 } else { file.done_bytes as f64 / file.size_bytes as f64 };
        table.row(vec![
            file.index.to_string(),
            clean(&file.path),
            format_bytes(file.size_bytes),
            show::percent(done),
            word(file.priority).to_owned(),
        ]);
    }
    table.print()?;
    Ok(0)
}

fn word(priority: FilePriority) -> &'static str {
    match priority {
        FilePriority::Skip => "skip",
        FilePriority::Low => "low",
        FilePriority::Normal => "normal",
        FilePriority::High => "high",
    }
}

fn choose(command: &Files, files: &[FileInfo]) -> Result<Vec<FileChoice>> {
    if let Some(only) = &command.only {
        return select(only, files);
    }
    let lists = [
        (&command.skip, FilePriority::Skip),
        (&command.low, FilePriority::Low),
        (&command.normal, FilePriority::Normal),
        (&command.high, FilePriority::High),
    ];
    let mut choices = Vec::new();
    for (list, priority) in lists {
        let Some(list) = list else { continue };
        check(list, files)?;
        let named = files.iter().filter(|file| list.contains(file.index));
        choices.extend(named.map(|file| FileChoice { index: file.index, priority }));
    }
    Ok(choices)
}

/// Chooses these files and no others.
pub fn select(only: &Ranges, files: &[FileInfo]) -> Result<Vec<FileChoice>> {
    check(only, files)?;
    let choice = |file: &FileInfo| {
        let wanted = only.contains(file.index);
        FileChoice { index: file.index, priority: if wanted { FilePriority::Normal } else { FilePriority::Skip } }
    };
    Ok(files.iter().map(choice).collect())
}

/// Refuses numbers that the torrent does not have.
pub fn check(list: &Ranges, files: &[FileInfo]) -> Result<()> {
    if list.largest() as usize >= files.len() {
        bail!("there is no file {}: the torrent's files are 0 to {}", list.largest(), files.len().saturating_sub(1));
    }
    Ok(())
}
