//! `compeer get`: ends when everything is complete, verified and on disk.

mod asking;
mod updates;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use base::units::format_bytes;
use metainfo::UpdateLink;
use reqwest::Method;
use rpc::{FileChoice, FileInfo, FilePriority, JobState, TorrentState, TorrentSummary};
use serde_json::json;

use self::asking::Asking;
use super::Context;
use crate::args::{Get, Ranges};
use crate::attach::{Attached, attach_or_start};
use crate::client::{Client, ClientError};
use crate::follow::Follow;
use crate::interrupt::Interrupt;
use crate::link::{self, Source};
use crate::live::Live;
use crate::out::{self, clean};
use crate::{INTERRUPTED, seeding, show};

/// How long to go without any peer before giving up, where trackers or the DHT may still name some.
const WAIT_SOURCES: Duration = Duration::from_secs(120);

/// The same, where only known addresses can be tried: three tries with growing pauses fit into it.
const WAIT_HINTS: Duration = Duration::from_secs(30);

/// The same, where there is nothing to try: only as long as a check of the disk takes to begin.
const WAIT_NOTHING: Duration = Duration::from_secs(2);

/// How many files can be chosen of a magnet, whose own number of files is not known yet. Arbitrary.
const MAX_CHOSEN: usize = 100_000;

/// What stands against going on.
enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// The node that did the work has ended: go on with another.
    NodeGone,
    /// An error.
    Failed(anyhow::Error),
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Stop {
        match error {
            ClientError::Gone(_) => Stop::NodeGone,
            other => Stop::Failed(other.into()),
        }
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        match error.downcast::<ClientError>() {
            Ok(error) => error.into(),
            Err(error) => Stop::Failed(error),
        }
    }
}

type Step<T> = std::result::Result<T, Stop>;

/// One run of the command.
struct Run {
    get: Get,
    source: Source,
    output: PathBuf,
    /// The link to the newest version, and the number of the one that was found.
    updates: Option<(UpdateLink, i64)>,
    live: Live,
    interrupt: Interrupt,
    begun: Instant,
    asking: Asking,
}

/// What came of it.
struct Done {
    torrent: TorrentSummary,
    path: PathBuf,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Fetched,
    Copied,
    HereAlready,
}

/// Runs the command.
pub async fn run(get: Get, context: &Context) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    let output = output_folder(get.output.as_deref().unwrap_or(Path::new(".")))?;
    let source = tokio::select! {
        source = link::read(&get.link) => source?,
        () = interrupt.wait() => return Ok(INTERRUPTED),
    };
    let mut run = Run {
        get,
        source,
        output,
        updates: None,
        live: Live::new(context.json),
        interrupt,
        begun: Instant::now(),
        asking: Asking::default(),
    };
    run.live.wait_before_plain();
    loop {
        let attached = attach_or_start(context.home.as_deref(), &run.get.node).await?;
        run.warn_of_lost_options(&attached);
        let result = run.work(&attached, context).await;
        run.live.clear();
        let own = attached.is_own();
        attached.finish().await;
        match result {
            Ok(()) => return Ok(0),
            Err(Stop::Interrupted) => return Ok(INTERRUPTED),
            Err(Stop::NodeGone) if !own => run.live.note("The node that did the work has ended: going on without it."),
            Err(Stop::NodeGone) => bail!("the node inside this command ended unexpectedly: run it again to go on"),
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
}

/// Checks the folder that the user names.
pub fn output_folder(path: &Path) -> Result<PathBuf> {
    let folder = std::path::absolute(path).with_context(|| format!("{}: this is no usable path", path.display()))?;
    // The nearest part that is there tells whether the rest can be made.
    let there = folder.ancestors().find(|ancestor| ancestor.exists());
    if let Some(file) = there.filter(|there| !there.is_dir()) {
        bail!("{}: this is a file; give a folder to --output", file.display());
    }
    Ok(folder.canonicalize().unwrap_or(folder))
}

/// Spells out which files are wanted.
pub fn file_numbers(files: &Ranges, source: &Source) -> Result<Vec<u32>> {
    let count = match source {
        Source::File(file, _) => file.info.layout().files().len(),
        Source::Magnet(..) | Source::Updates(_) => MAX_CHOSEN,
    };
    if files.largest() as usize >= count {
        bail!("--files: there is no file {}; the files are 0 to {}", files.largest(), count.saturating_sub(1));
    }
    Ok((0..count as u32).filter(|&number| files.contains(number)).collect())
}

impl Run {
    fn warn_of_lost_options(&mut self, attached: &Attached) {
        if let Some(option) = self.get.node.only_for_own_node().filter(|_| !attached.is_own()) {
            self.live.note(format!("The node of this home runs already: {option} changes nothing."));
        }
    }

    async fn work(&mut self, attached: &Attached, context: &Context) -> Step<()> {
        let client = &attached.client;
        self.resolve(client).await?;
        let added = client.add(&self.request(attached)?).await?;
        let (id, mut was) = (added.torrent.id.clone(), added.torrent);
        let active = added.existed && !matches!(was.state, TorrentState::Paused | TorrentState::Failed);
        if added.existed && self.want_more(client, &id).await? {
            was.complete = false;
        }
        let result = self.complete(client, &was, added.existed, active).await;

        // A daemon goes on by its own rules; elsewhere what this command began ends with it.
        let ends_here = !attached.is_daemon() && !active;
        let done = match result {
            Ok(done) => done,
            Err(stop) => {
                if !matches!(stop, Stop::NodeGone) {
                    self.give_up(client, &id, ends_here && !added.existed, ends_here).await;
                }
                if matches!(stop, Stop::Interrupted) {
                    self.say_how_to_go_on(&id, ends_here);
                }
                return Err(stop);
            }
        };
        self.report(&done, context)?;
        let seeds = self.get.seed && done.how == How::Fetched;
        if let Some((link, seq)) = self.updates.as_ref().filter(|_| seeds || attached.is_daemon()) {
            let request = rpc::FollowRequest { link: link.to_string(), torrent: id.clone(), seq: *seq };
            client.tell(Method::POST, "/updates", Some(&request)).await?;
            self.live.note("Newer versions will take its place.");
        }
        let mut id = id;
        if seeds {
            id = self.seed(client, id).await?;
        }
        if ends_here {
            seeding::pause(client, &id).await;
        }
        Ok(())
    }

    fn request(&self, attached: &Attached) -> Result<rpc::AddRequest> {
        let (get, goal) = (&self.get, self.get.goals.goal());
        let mut request = rpc::AddRequest {
            folder: Some(self.output.display().to_string()),
            sequential: get.sequential,
            no_tracker: get.peers.no_tracker,
            peers: get.peers.peer.clone(),
            seed_ratio: goal.ratio,
            seed_time_s: goal.time_s,
            seed_idle_s: goal.idle_s,
            files: get.files.as_ref().map(|files| file_numbers(files, &self.source)).transpose()?,
            ..rpc::AddRequest::default()
        };
        if !attached.is_own() {
            // An own node has the limits itself.
            let (down, up) = (get.node.down_limit, get.node.up_limit);
            request.limits = rpc::Limits { download_bytes_per_s: down, upload_bytes_per_s: up, connections: None };
        }
        self.source.fill(&mut request);
        Ok(request)
    }

    /// Adds what this run asks for to what an earlier one chose; false when all of that was chosen already.
    async fn want_more(&self, client: &Client, id: &str) -> Step<bool> {
        let path = format!("/torrents/{id}/files");
        let files: Vec<FileInfo> = client.get(&path).await?;
        if let Some(chosen) = &self.get.files
            && !files.is_empty()
        {
            super::files::check(chosen, &files)?;
        }
        let asked = |file: &&FileInfo| self.get.files.as_ref().is_none_or(|chosen| chosen.contains(file.index));
        let skipped = files.iter().filter(asked).filter(|file| file.priority == FilePriority::Skip);
        let choices: Vec<FileChoice> =
            skipped.map(|file| FileChoice { index: file.index, priority: FilePriority::Normal }).collect();
        if choices.is_empty() {
            return Ok(false);
        }
        client.tell(Method::PATCH, &path, Some(&choices)).await?;
        // Until the choice has reached the torrent, it still looks complete.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(true)
    }

    /// Brings the content to the output folder, from wherever it has to come.
    async fn complete(&mut self, client: &Client, was: &TorrentSummary, existed: bool, active: bool) -> Step<Done> {
        let id = &was.id;
        if !existed {
            let torrent = self.download(client, id).await?;
            return Ok(self.done(torrent, How::Fetched));
        }
        let here = same_folder(Path::new(&was.folder), &self.output);
        let lost = was.complete && !active && !was.path.as_deref().is_some_and(|path| Path::new(path).exists());
        if !here && lost {
            // The node remembers what the user has since moved or deleted.
            client.remove(id, false).await?;
            let mut request = rpc::AddRequest { folder: Some(self.output.display().to_string()), ..Default::default() };
            request.peers.clone_from(&self.get.peers.peer);
            self.source.fill(&mut request);
            client.add(&request).await?;
            let torrent = self.download(client, id).await?;
            return Ok(self.done(torrent, How::Fetched));
        }
        let mut how = if here { How::HereAlready } else { How::Copied };
        if !was.complete {
            if !here && !active {
                let request = rpc::MoveRequest { folder: self.output.display().to_string() };
                client.tell(Method::POST, &format!("/torrents/{id}/move"), Some(&request)).await?;
            }
            if !active {
                client.act(id, "resume").await?;
            }
            let torrent = self.download(client, id).await?;
            if same_folder(Path::new(&torrent.folder), &self.output) {
                return Ok(self.done(torrent, How::Fetched));
            }
        }
        if !self.copy(client, id).await? {
            self.live.note("What was here is damaged or gone: fetching the missing parts.");
            client.act(id, "recheck").await?;
            client.act(id, "resume").await?;
            // Until the check begins the torrent still looks complete.
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.download(client, id).await?;
            if !here && !self.copy(client, id).await? {
                return Err(Stop::Failed(anyhow::anyhow!(
                    "{}: the copy is not right; is the disk?",
                    self.output.display()
                )));
            }
            if here {
                how = How::Fetched;
            }
        }
        let torrent = client.torrent(id, false).await?.summary;
        Ok(self.done(torrent, how))
    }

    fn done(&self, torrent: TorrentSummary, how: How) -> Done {
        let name = torrent.path.as_deref().map(Path::new).and_then(Path::file_name);
        let path = name.map_or_else(|| self.output.clone(), |name| self.output.join(name));
        Done { torrent, path, how }
    }

    /// Follows a torrent until it is complete.
    async fn download(&mut self, client: &Client, id: &str) -> Step<TorrentSummary> {
        let mut follow = Follow::begin(client).await?;
        self.asking = Asking::begin(client).await;
        let mut alone_since = Instant::now();
        loop {
            let Some(torrent) = follow.torrent(id).cloned() else {
                return Err(Stop::Failed(anyhow::anyhow!(
                    "the torrent was removed from the node while it was fetched"
                )));
            };
            match torrent.state {
                TorrentState::Seeding | TorrentState::Paused if torrent.complete => return Ok(torrent),
                TorrentState::Failed => return Err(Stop::Failed(failure(&torrent))),
                _ => {}
            }
            let waits = matches!(torrent.state, TorrentState::Metadata | TorrentState::Downloading);
            let lacks = torrent.total_bytes == 0 || torrent.done_bytes < torrent.wanted_bytes;
            if torrent.peers > 0 || torrent.download_bytes_per_s > 0 || !waits || !lacks {
                alone_since = Instant::now();
            } else {
                self.asking.refresh(client, id).await;
            }
            if self.patience(torrent.private).is_some_and(|patience| alone_since.elapsed() >= patience) {
                return Err(Stop::Failed(self.nobody(client, &torrent).await));
            }
            let (lines, plain) = (self.lines(&torrent), self.plain(&torrent));
            self.live.draw(&lines, || plain);
            tokio::select! {
                changed = follow.next() => changed?,
                () = self.interrupt.wait() => return Err(Stop::Interrupted),
                // Nothing changes while nobody answers.
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    /// Returns how long to go without any peer; `None`: for ever.
    fn patience(&self, private: bool) -> Option<Duration> {
        match self.get.wait {
            Some(Duration::ZERO) => None,
            Some(wait) => Some(wait),
            None if self.has_trackers() || self.asking.has_dht(private) => Some(WAIT_SOURCES),
            None if self.has_peers() || self.asking.has_lsd(private) => Some(WAIT_HINTS),
            None => Some(WAIT_NOTHING),
        }
    }

    fn has_trackers(&self) -> bool {
        self.source.has_trackers() && !self.get.peers.no_tracker
    }

    fn has_peers(&self) -> bool {
        self.source.has_peers() || !self.get.peers.peer.is_empty()
    }

    async fn nobody(&self, client: &Client, torrent: &TorrentSummary) -> anyhow::Error {
        let name = clean(&torrent.name);
        let (dht, lsd) = (self.asking.has_dht(torrent.private), self.asking.has_lsd(torrent.private));
        if !self.has_trackers() && !self.has_peers() && !dht && !lsd {
            return anyhow::anyhow!(
                "{name}: the link names no peer and no tracker to ask{}: add one with --peer HOST:PORT",
                if torrent.private {
                    ", and a private torrent is not looked for elsewhere"
                } else {
                    ", and the DHT is off"
                }
            );
        }
        let detail = client.torrent(&torrent.id, false).await;
        let words = detail.map(|detail| asking::last_words(&detail)).unwrap_or_default();
        let wait = show::seconds(self.patience(torrent.private).unwrap_or_default().as_secs());
        anyhow::anyhow!(
            "{name}: nobody who has it could be reached for {wait}{}; what has arrived is kept: run the same command again \
             later, or name a peer with --peer HOST:PORT",
            words
        )
    }

    /// Lets the node copy and verify; false when what it holds is not what it was.
    async fn copy(&mut self, client: &Client, id: &str) -> Step<bool> {
        let request = rpc::CopyRequest { folder: self.output.display().to_string() };
        let job = client.start_job(&format!("/torrents/{id}/copy"), &request).await?;
        let mut follow = Follow::begin(client).await?;
        loop {
            let now = follow.job(job.id).unwrap_or(&job);
            match now.state {
                JobState::Done => return Ok(true),
                JobState::Cancelled => return Err(Stop::Failed(anyhow::anyhow!("somebody stopped the copy"))),
                JobState::Failed => {
                    return match now.problem.clone() {
                        Some(problem) if problem.kind == "content-damaged" => Ok(false),
                        Some(problem) => Err(Stop::Failed(problem.into())),
                        None => Err(Stop::Failed(anyhow::anyhow!("the copy failed"))),
                    };
                }
                JobState::Running => {}
            }
            let progress = if now.total_bytes == 0 { 0.0 } else { now.done_bytes as f64 / now.total_bytes as f64 };
            let verb = if progress < 0.5 { "Copying" } else { "Verifying" };
            let line =
                self.live.bar(&format!("{verb} {}", clean(&self.source.name())), progress, &show::percent(progress));
            self.live.draw(&[line], || format!("{verb}: {}", show::percent(progress)));
            tokio::select! {
                changed = follow.next() => changed?,
                () = self.interrupt.wait() => {
                    client.cancel_job(job.id).await?;
                    return Err(Stop::Interrupted);
                }
            }
        }
    }

    /// Undoes what must not stay behind: an entry that never learned what it is, a torrent that would go on unasked.
    async fn give_up(&self, client: &Client, id: &str, mine: bool, ends_here: bool) {
        let unknown = client.torrent(id, false).await.is_ok_and(|torrent| torrent.summary.total_bytes == 0);
        if mine && unknown {
            // If it cannot be removed it stays in the list, where the user sees it.
            let _ = client.remove(id, false).await;
        } else if ends_here {
            seeding::pause(client, id).await;
        }
    }

    fn say_how_to_go_on(&mut self, id: &str, ends_here: bool) {
        let short: String = id.chars().take(show::SHORT_ID).collect();
        self.live.note(if ends_here {
            "Stopped. The same command goes on where it was.".to_owned()
        } else {
            format!("The node goes on with it; `compeer pause {short}` stops it.")
        });
    }

    fn report(&mut self, done: &Done, context: &Context) -> Result<()> {
        self.live.clear();
        let (torrent, took) = (&done.torrent, self.begun.elapsed());
        if context.json {
            return out::json(&json!({
                "id": torrent.id,
                "name": torrent.name,
                "path": done.path,
                "total_bytes": torrent.total_bytes,
                "downloaded_bytes": torrent.downloaded_bytes,
                "copied": done.how == How::Copied,
                "existed": done.how == How::HereAlready,
                "elapsed_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            }));
        }
        let size = format_bytes(torrent.wanted_bytes);
        let name = clean(&torrent.name);
        self.live.note(match done.how {
            How::Fetched => format!("Got {name}: {size} in {}, verified.", show::took(took)),
            How::Copied => format!("Copied {name} from {}: {size} in {}, verified.", torrent.folder, show::took(took)),
            How::HereAlready => {
                format!("{name} is here already: {size}, verified. For a copy elsewhere add --output DIR.")
            }
        });
        out::line(done.path.display().to_string())
    }

    fn lines(&self, torrent: &TorrentSummary) -> Vec<String> {
        let live = &self.live;
        let name = clean(&torrent.name);
        let (peers, asking) = match torrent.peers {
            0 => ("looking for peers".to_owned(), self.asking.words()),
            n => (show::count(n as usize, "peer", "peers"), Vec::new()),
        };
        match torrent.state {
            TorrentState::Metadata => {
                let metadata = if torrent.peers == 0 { "" } else { "asking for the list of files" };
                let parts = [vec![peers, metadata.to_owned()], asking].concat();
                vec![name, live.parts("", &parts)]
            }
            TorrentState::Checking => {
                let bar = live.bar(&name, torrent.progress, &show::percent(torrent.progress));
                vec![bar, "checking what is on disk".to_owned()]
            }
            _ => {
                let done = show::done(torrent);
                let amount = show::amount(torrent.done_bytes, torrent.wanted_bytes);
                let down = format!("{} {}", live.arrow(false), show::rate(torrent.download_bytes_per_s));
                let left = torrent.left_s.map(|left| format!("{} left", show::seconds(left))).unwrap_or_default();
                let up = match torrent.upload_bytes_per_s {
                    0 => String::new(),
                    rate => format!("{} {}", live.arrow(true), show::rate(rate)),
                };
                let parts = match torrent.peers {
                    0 => [vec![amount, peers], asking].concat(),
                    _ => vec![amount, down, left, peers, up],
                };
                vec![live.bar(&name, done, &show::percent(done)), live.parts("", &parts)]
            }
        }
    }

    fn plain(&self, torrent: &TorrentSummary) -> String {
        let name = clean(&torrent.name);
        let peers = show::count(torrent.peers as usize, "peer", "peers");
        match torrent.state {
            TorrentState::Metadata if torrent.peers > 0 => format!("{name}: asking for the list of files, {peers}"),
            TorrentState::Metadata => {
                let looking = [vec!["looking for peers".to_owned()], self.asking.words()].concat();
                format!("{name}: {}", looking.join(", "))
            }
            TorrentState::Checking => format!("{name}: checking what is on disk, {}", show::percent(torrent.progress)),
            _ => format!(
                "{name}: {}, {}, {}, {peers}",
                show::percent(show::done(torrent)),
                show::amount(torrent.done_bytes, torrent.wanted_bytes),
                show::rate(torrent.download_bytes_per_s)
            ),
        }
    }
}

fn failure(torrent: &TorrentSummary) -> anyhow::Error {
    let error = torrent.error.clone().unwrap_or_else(|| "the download failed".to_owned());
    anyhow::anyhow!("{}; what has arrived is kept: the same command goes on from there", clean(&error))
}

/// Tells whether two paths are the same folder, by whatever name.
fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
