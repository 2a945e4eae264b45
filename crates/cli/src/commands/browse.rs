//! `compeer browse`: somebody's libraries.

use anyhow::{Context as _, Result, bail};
use base::units::format_bytes;
use rpc::{Job, JobState, LibraryEntry, TakeRequest, TorrentState, TorrentSummary};

use super::{Context, inbox};
use crate::INTERRUPTED;
use crate::args::Browse;
use crate::attach::{Attached, attach};
use crate::client::part;
use crate::follow::Follow;
use crate::interrupt::Interrupt;
use crate::live::Live;
use crate::out::{self, Table, clean};
use crate::show;

/// Runs the command.
pub async fn run(command: Browse, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    if command.get {
        return take(command, &attached, context).await;
    }
    let path = format!("/browse?from={}&path={}", part(&command.name), part(&command.path));
    let entries: Vec<LibraryEntry> = attached.client.get(&path).await?;
    if context.json {
        out::json(&entries)?;
        return Ok(0);
    }
    if entries.is_empty() {
        eprintln!("There is nothing there for you.");
        return Ok(0);
    }
    let mut table = Table::new(&["NAME", "SIZE"], &[1], 0);
    for entry in &entries {
        let name = if entry.folder { format!("{}/", clean(&entry.name)) } else { clean(&entry.name) };
        table.row(vec![name, if entry.folder { "-".to_owned() } else { format_bytes(entry.size_bytes) }]);
    }
    table.print()?;
    Ok(0)
}

/// Takes a file or folder, and waits until it is here.
async fn take(command: Browse, attached: &Attached, context: &Context) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    let mut live = Live::new(context.json);
    let folder = command.output.as_deref().map(inbox::absolute).transpose()?;
    let folder = folder.map(|folder| folder.display().to_string());
    let request = TakeRequest { from: command.name.clone(), path: command.path.clone(), folder };
    let client = &attached.client;
    let job: Job = client.start_job("/browse", &request).await?;
    let mut follow = Follow::begin(client).await?;
    live.wait_before_plain();
    loop {
        let now = follow.job(job.id).unwrap_or(&job).clone();
        let lines = match (now.state, now.torrent.as_deref().and_then(|id| follow.torrent(id))) {
            (JobState::Running, _) => super::share::progress_lines(
                &live,
                "There they hash",
                &command.path,
                now.done_bytes,
                now.total_bytes,
                now.elapsed_ms,
            ),
            (JobState::Failed, _) => match now.problem {
                Some(problem) => return Err(problem.into()),
                None => bail!("{}: it could not be taken", command.path),
            },
            (JobState::Cancelled, _) => bail!("somebody stopped it"),
            (JobState::Done, Some(torrent)) if torrent.complete => {
                let torrent = torrent.clone();
                live.clear();
                return present(&torrent, context).map(|()| 0);
            }
            (JobState::Done, Some(torrent)) if torrent.state == TorrentState::Failed => {
                bail!("{}", torrent.error.clone().unwrap_or_else(|| "the download failed".to_owned()));
            }
            (JobState::Done, Some(torrent)) => vec![format!(
                "{}: {}, {}",
                clean(&torrent.name),
                show::amount(torrent.done_bytes, torrent.wanted_bytes),
                show::rate(torrent.download_bytes_per_s)
            )],
            (JobState::Done, None) => Vec::new(),
        };
        live.draw(&lines, || lines.join("  "));
        tokio::select! {
            changed = follow.next() => changed?,
            () = interrupt.wait() => {
                live.clear();
                if now.state == JobState::Running {
                    client.cancel_job(job.id).await?;
                } else {
                    live.note("The node goes on fetching it.");
                }
                return Ok(INTERRUPTED);
            }
        }
    }
}

fn present(torrent: &TorrentSummary, context: &Context) -> Result<()> {
    if context.json {
        return out::json(torrent);
    }
    let path = torrent.path.as_deref().context("the torrent is complete and has no path")?;
    out::line(format!("{}: {}", clean(path), format_bytes(torrent.total_bytes)))
}
