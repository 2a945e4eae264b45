//! Sharing with chosen people: what is shown, listed, taken back.

use anyhow::{Result, bail};
use base::id::begins;
use base::units::format_bytes;
use reqwest::Method;
use rpc::{Job, PrivateShare, TorrentDetail};
use serde_json::json;

use super::note_skipped;
use crate::args::Share;
use crate::attach::attach;
use crate::commands::{Context, library};
use crate::live::Live;
use crate::out::{self, Table, clean};
use crate::show;

/// Says what is shared with whom. There is no link: those it is for are told. `stays`: the node goes on without us.
pub(super) fn present(
    share: &Share,
    job: &Job,
    detail: &TorrentDetail,
    stays: bool,
    live: &mut Live,
    context: &Context,
) -> Result<()> {
    live.clear();
    let torrent = &detail.summary;
    if context.json {
        return out::json(&json!({
            "id": torrent.id,
            "name": torrent.name,
            "to": share.audience.to,
            "groups": share.audience.group,
            "path": torrent.path,
            "total_bytes": torrent.total_bytes,
            "file_count": detail.file_count,
            "skipped": job.skipped,
            "elapsed_ms": job.elapsed_ms,
        }));
    }
    let files = show::count(detail.file_count as usize, "file", "files");
    let whom = library::audience(&share.audience.to, &share.audience.group);
    let size = format_bytes(torrent.total_bytes);
    out::line(format!("Sharing {} with {whom}: {size} in {files}.", clean(&torrent.name)))?;
    note_skipped(job, live);
    live.note("They are told as soon as they can be reached, and find it in `compeer inbox`.");
    live.note("Nobody else can get it. `compeer share --list` shows who knows of it, `--stop` takes it back.");
    live.note("");
    live.note(if stays { "Ctrl-C leaves it to the node, which goes on." } else { "Ctrl-C ends the sharing for now." });
    live.note("");
    Ok(())
}

/// Lists what is shared with people.
pub(super) async fn list(context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let shares: Vec<PrivateShare> = attached.client.get("/shares").await?;
    if context.json {
        out::json(&shares)?;
        return Ok(0);
    }
    if shares.is_empty() {
        eprintln!("Nothing is shared with people: `compeer share PATH --to NAME` shares the first.");
        return Ok(0);
    }
    let mut table = Table::new(&["ID", "NAME", "SIZE", "FOR", "TOLD"], &[2, 4], 1);
    for share in &shares {
        table.row(vec![
            share.torrent.chars().take(show::SHORT_ID).collect(),
            clean(&share.name),
            format_bytes(share.bytes),
            library::audience(&share.to, &share.groups),
            if share.attached { "by message".to_owned() } else { format!("{} of {}", share.told, share.nodes) },
        ]);
    }
    table.print()?;
    Ok(0)
}

/// Takes a share back.
pub(super) async fn stop(meant: &str, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let shares: Vec<PrivateShare> = attached.client.get("/shares").await?;
    let found: Vec<&PrivateShare> = shares.iter().filter(|share| begins(&share.torrent, meant)).collect();
    let share = match found[..] {
        [share] => share,
        [] => bail!("no share of yours begins with {meant:?} (4 letters or more): `compeer share --list` shows them"),
        _ => bail!("{meant:?} can mean {} of your shares: write more of the id", found.len()),
    };
    attached.client.tell(Method::DELETE, &format!("/shares/{}", share.torrent), None::<&()>).await?;
    if context.json {
        out::json(share)?;
    } else {
        out::line(format!("{} is no longer shared. Whoever fetched it keeps it.", clean(&share.name)))?;
    }
    Ok(0)
}
