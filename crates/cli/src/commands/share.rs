//! `compeer share`: hashes, prints the link, then seeds until Ctrl-C.

mod people;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base::units::{format_bytes, format_duration};
use metainfo::{Magnet, UpdateLink};
use reqwest::Method;
use rpc::{Job, JobState, ShareRequest, TorrentDetail, TorrentFormat, UpdatesInfo};
use serde_json::json;

use super::Context;
use crate::args::Share;
use crate::attach::{Attached, attach_or_start};
use crate::client::{Client, ClientError};
use crate::follow::Follow;
use crate::interrupt::Interrupt;
use crate::live::Live;
use crate::out::{self, clean};
use crate::seeding::{self, End};
use crate::{INTERRUPTED, show};

/// How many of the things that were left out are named. The rest is counted; `--json` names all.
const MAX_NAMED: usize = 10;

/// From where a link works that nobody's network confines.
const EVERYWHERE: &str = "on any computer";

/// Runs the command.
pub async fn run(share: Share, context: &Context) -> Result<u8> {
    if share.list {
        return people::list(context).await;
    }
    if let Some(id) = &share.stop {
        return people::stop(id, context).await;
    }
    let mut interrupt = Interrupt::listen()?;
    // Only `--list` and `--stop` go without.
    let path = existing(share.path.as_deref().context("say which file or folder")?)?;
    let mut live = Live::new(context.json);
    let mut shared: Option<String> = None;
    loop {
        let attached = attach_or_start(context.home.as_deref(), &share.node).await?;
        if let Some(option) = share.node.only_for_own_node().filter(|_| !attached.is_own()) {
            live.note(format!("The node of this home runs already: {option} changes nothing."));
        }
        let result = work(&share, &path, &attached, &mut shared, &mut live, &mut interrupt, context).await;
        live.clear();
        let own = attached.is_own();
        attached.finish().await;
        match result {
            Err(error) if !own && matches!(error.downcast_ref(), Some(ClientError::Gone(_))) => {
                live.note("The node that did the work has ended: going on without it.");
            }
            other => return other,
        }
    }
}

/// Checks the path, and makes it absolute.
fn existing(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("{shown}: there is no such file or folder"),
        Err(error) => bail!("{shown}: cannot read it: {error}"),
    }
    // Resolved, so that the content has its real name also where `.` or a link was given.
    path.canonicalize().with_context(|| format!("{shown}: cannot read it"))
}

async fn work(
    share: &Share,
    path: &Path,
    attached: &Attached,
    shared: &mut Option<String>,
    live: &mut Live,
    interrupt: &mut Interrupt,
    context: &Context,
) -> Result<u8> {
    let client = &attached.client;
    let id = match shared {
        Some(id) => {
            client.act(id, "resume").await?;
            id.clone()
        }
        None => {
            let Some(job) = hash(client, &request(share, path), live, interrupt).await? else { return Ok(INTERRUPTED) };
            let id = job.torrent.clone().context("the node hashed it and lost it: share it again")?;
            *shared = Some(id.clone());
            let detail = client.torrent(&id, share.local).await?;
            if !share.audience.is_empty() {
                people::present(share, &job, &detail, attached.is_daemon(), live, context)?;
            } else {
                let updates = if share.updates { updates_link(client, &detail, live).await? } else { None };
                present(&job, &detail, updates, live, context)?;
            }
            if !attached.is_own() {
                limit(client, &id, share).await?;
            }
            id
        }
    };
    let end = seeding::follow(client, &id, live, interrupt).await?;
    live.clear();
    match end {
        End::Removed => bail!("the torrent was removed from the node"),
        End::Paused => live.note(
            "Seeding has ended: its goal is reached, or it was paused; `compeer info` says whether everything rests.",
        ),
        End::Interrupted if attached.is_daemon() => {
            let short: String = id.chars().take(show::SHORT_ID).collect();
            live.note(format!("The node goes on seeding it; `compeer pause {short}` stops it."));
        }
        End::Interrupted => seeding::pause(client, &id).await,
    }
    Ok(0)
}

fn request(share: &Share, path: &Path) -> ShareRequest {
    let (create, goal) = (&share.create, share.goals.goal());
    ShareRequest {
        path: path.display().to_string(),
        format: match (create.hybrid, create.v2) {
            (true, _) => TorrentFormat::Hybrid,
            (_, true) => TorrentFormat::V2,
            _ => TorrentFormat::V1,
        },
        piece_length_bytes: create.piece_length,
        private: create.private,
        trackers: create.tiers(),
        web_seeds: create.web_seed.clone(),
        comment: create.comment.clone(),
        source: create.source.clone(),
        peers: share.peers.peer.clone(),
        no_tracker: share.peers.no_tracker,
        seed_ratio: goal.ratio,
        seed_time_s: goal.time_s,
        seed_idle_s: goal.idle_s,
        labels: share.sort.label.clone(),
        category: share.sort.category.clone(),
        local: share.local,
        super_seed: share.super_seed,
        updates: share.updates,
        to: share.audience.to.clone(),
        groups: share.audience.group.clone(),
        note: share.note.clone(),
    }
}

async fn limit(client: &Client, id: &str, share: &Share) -> Result<()> {
    let (down, up) = (share.node.down_limit, share.node.up_limit);
    if down.is_some() || up.is_some() {
        let limits = rpc::Limits { download_bytes_per_s: down, upload_bytes_per_s: up, connections: None };
        client.tell(Method::PUT, &format!("/torrents/{id}/limits"), Some(&limits)).await?;
    }
    Ok(())
}

/// Lets the node hash, and shows how far it is; `None` after Ctrl-C.
async fn hash(
    client: &Client,
    request: &ShareRequest,
    live: &mut Live,
    interrupt: &mut Interrupt,
) -> Result<Option<Job>> {
    let job = client.start_job("/shares", request).await?;
    let mut follow = Follow::begin(client).await?;
    live.wait_before_plain();
    loop {
        let now = follow.job(job.id).unwrap_or(&job).clone();
        match now.state {
            JobState::Done => return Ok(Some(now)),
            JobState::Cancelled => bail!("somebody stopped the hashing"),
            JobState::Failed => match now.problem {
                Some(problem) => return Err(problem.into()),
                None => bail!("{}: the hashing failed", request.path),
            },
            JobState::Running => {}
        }
        let lines = hashing(live, &now);
        live.draw(&lines, || lines.join("  "));
        tokio::select! {
            changed = follow.next() => changed?,
            () = interrupt.wait() => {
                client.cancel_job(job.id).await?;
                return Ok(None);
            }
        }
    }
}

fn hashing(live: &Live, job: &Job) -> Vec<String> {
    let name = Path::new(&job.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    progress_lines(live, "Hashing", &name, job.done_bytes, job.total_bytes, job.elapsed_ms)
}

/// Shows work on bytes: a bar, then amount, rate and time left.
pub fn progress_lines(live: &Live, verb: &str, name: &str, done: u64, total: u64, elapsed_ms: u64) -> Vec<String> {
    let title = format!("{verb} {}", clean(name));
    if total == 0 {
        return vec![title];
    }
    let progress = (done as f64 / total as f64).min(1.0);
    let rate = done.saturating_mul(1000).checked_div(elapsed_ms).unwrap_or(0);
    let left = total.saturating_sub(done).checked_div(rate).unwrap_or(0);
    let left = if rate == 0 { String::new() } else { format!("{} left", show::seconds(left)) };
    let amount = show::amount(done, total);
    let parts = [amount, show::rate(rate), left];
    vec![live.bar(&title, progress, &show::percent(progress)), live.parts("", &parts)]
}

/// Returns the link to the newest version, with the ways to peers that the torrent's own link names.
async fn updates_link(client: &Client, detail: &TorrentDetail, live: &mut Live) -> Result<Option<UpdateLink>> {
    let all: Vec<UpdatesInfo> = client.get("/updates").await?;
    let Some(own) = all.iter().find(|info| info.published && info.torrent == detail.summary.id) else {
        return Ok(None);
    };
    if !own.message.is_empty() {
        live.note(format!("The second link leads nowhere yet: {}.", clean(&own.message)));
    }
    let (mut link, magnet): (UpdateLink, Magnet) = (own.link.parse()?, detail.magnet.parse()?);
    (link.trackers, link.peers) = (magnet.trackers, magnet.peers);
    Ok(Some(link))
}

fn present(
    job: &Job,
    detail: &TorrentDetail,
    updates: Option<UpdateLink>,
    live: &mut Live,
    context: &Context,
) -> Result<()> {
    live.clear();
    let torrent = &detail.summary;
    if context.json {
        return out::json(&json!({
            "id": torrent.id,
            "name": torrent.name,
            "magnet": detail.magnet,
            "updates_link": updates.map(|link| link.to_string()),
            "path": torrent.path,
            "total_bytes": torrent.total_bytes,
            "file_count": detail.file_count,
            "skipped": job.skipped,
            "elapsed_ms": job.elapsed_ms,
        }));
    }
    let took = std::time::Duration::from_millis(job.elapsed_ms);
    let files = show::count(detail.file_count as usize, "file", "files");
    let size = format_bytes(torrent.total_bytes);
    let took = if took.as_secs() < 10 { show::took(took) } else { format_duration(took) };
    live.note(format!("Sharing {}: {size} in {files}, hashed in {took}.", clean(&torrent.name)));
    note_skipped(job, live);
    live.note("");
    out::line(&detail.magnet)?;
    live.note("");
    if let Some(link) = updates {
        live.note("And to whatever is the newest version, after the same command at a later time:");
        live.note("");
        out::line(link.to_string())?;
        live.note("");
    }
    let call = how_to_call();
    let folder = if call.starts_with("cargo run") { "in a checkout like this one" } else { "in any folder" };
    live.note(format!("To get it, {}, {folder}:", from_where(detail)));
    live.note(format!("  {call} get '{}'", detail.magnet));
    if from_where(detail) != EVERYWHERE && in_the_dht(detail) {
        live.note("Elsewhere too, once the DHT tells of this node, unless its router keeps others out.");
    }
    live.note("");
    live.note("Ctrl-C ends the sharing.");
    live.note("");
    Ok(())
}

fn note_skipped(job: &Job, live: &mut Live) {
    for skipped in job.skipped.iter().take(MAX_NAMED) {
        live.note(format!("  left out: {} ({})", clean(&skipped.path), clean(&skipped.reason)));
    }
    if job.skipped.len() > MAX_NAMED {
        live.note(format!("  left out: {} more", show::grouped((job.skipped.len() - MAX_NAMED) as u64)));
    }
}

/// Tells from where the addresses in the link can be reached; a tracker makes others find the way.
fn from_where(detail: &TorrentDetail) -> &'static str {
    let magnet = detail.magnet.parse::<Magnet>().ok();
    let peers = magnet.iter().flat_map(|magnet| &magnet.peers).filter_map(|peer| peer.host.parse().ok());
    let mut peers = peers.peekable();
    if !detail.trackers.is_empty() || peers.peek().is_none() {
        return EVERYWHERE;
    }
    let (mut here, mut near) = (true, true);
    for address in peers {
        let (loopback, local) = match address {
            IpAddr::V4(ip) => (ip.is_loopback(), ip.is_private() || ip.is_link_local()),
            IpAddr::V6(ip) => (ip.is_loopback(), ip.is_unique_local()),
        };
        here &= loopback;
        near &= loopback || local;
    }
    match (here, near) {
        (true, _) => "in another terminal of this computer",
        (_, true) => "on this computer or another one of this network",
        _ => EVERYWHERE,
    }
}

/// Tells whether others may learn of this node from the DHT.
fn in_the_dht(detail: &TorrentDetail) -> bool {
    detail.sources.iter().any(|source| source.source == "dht" && source.enabled)
}

/// Returns how this program can be called again in the same way as this time.
fn how_to_call() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let under_cargo = std::env::var_os("CARGO").is_some() && std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    let profile = program.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    if under_cargo && let Some(profile) = profile {
        return match profile {
            "release" => "cargo run --release --".to_owned(),
            "debug" => "cargo run --".to_owned(),
            other => format!("cargo run --profile {other} --"),
        };
    }
    match std::env::args_os().next().and_then(|name| name.into_string().ok()) {
        Some(name) if name.contains(std::path::is_separator) => name,
        _ => "compeer".to_owned(),
    }
}
