//! Files that go with messages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use rpc::{AcceptRequest, ChatAttach, ChatKind, ChatMessage, InboxEntry, Job, JobState};

use super::super::Context;
use super::super::share::progress_lines;
use super::model::{Model, before, load};
use super::{path, show};
use crate::INTERRUPTED;
use crate::client::{Client, part};
use crate::follow::Follow;
use crate::interrupt::Interrupt;
use crate::live::Live;
use crate::out;

/// How many messages are read at once to find one: the most that the API gives.
const MOST: usize = 1000;

/// How many files are named where another was meant. Arbitrary: some lines.
const NAMED: usize = 20;

/// Begins to send a file or folder.
pub async fn begin(client: &Client, name: &str, file: &Path, caption: String) -> Result<Job> {
    let shown = file.display();
    // Resolved, so that the content has its real name also where `.` or a link was given.
    let file = file.canonicalize().with_context(|| format!("{shown}: cannot read it"))?;
    let request = ChatAttach { path: file.display().to_string(), caption };
    Ok(client.start_job(&path(name, "/attachments"), &request).await?)
}

/// Returns how a job stands: the id of the message that was written, `None` while it goes on.
pub fn outcome(job: &Job) -> Result<Option<String>> {
    match job.state {
        JobState::Running => Ok(None),
        JobState::Done => Ok(job.message.clone()),
        JobState::Cancelled => bail!("it was stopped, and nothing was sent"),
        JobState::Failed => match job.problem.clone() {
            Some(problem) => Err(problem.into()),
            None => bail!("{}: it could not be sent", job.path),
        },
    }
}

/// Sends a file or folder, and shows how far its hashing is.
pub async fn send(client: &Client, name: &str, file: &Path, caption: String, context: &Context) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    let mut live = Live::new(context.json);
    let job = begin(client, name, file, caption).await?;
    let title = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut follow = Follow::begin(client).await?;
    live.wait_before_plain();
    let (job, id) = loop {
        let now = follow.job(job.id).unwrap_or(&job).clone();
        if let Some(id) = outcome(&now)? {
            break (now, id);
        }
        let lines = progress_lines(&live, "Hashing", &title, now.done_bytes, now.total_bytes, now.elapsed_ms);
        live.draw(&lines, || lines.join("  "));
        tokio::select! {
            changed = follow.next() => changed?,
            () = interrupt.wait() => {
                client.cancel_job(job.id).await?;
                live.clear();
                return Ok(INTERRUPTED);
            }
        }
    };
    live.clear();
    if context.json {
        let skipped = &job.skipped;
        return out::json(&serde_json::json!({ "id": id, "torrent": job.torrent, "skipped": skipped })).map(|()| 0);
    }
    for skipped in &job.skipped {
        eprintln!("left out: {} ({})", out::clean(&skipped.path), out::clean(&skipped.reason));
    }
    out::line(format!(
        "Sent {title}. It stays where it is; whoever gets the message can fetch it while this node runs."
    ))?;
    Ok(0)
}

/// Fetches what goes with a message into a folder, or where downloads go.
pub async fn fetch(client: &Client, name: &str, id: &str, folder: Option<&Path>) -> Result<InboxEntry> {
    let absolute = |folder: &Path| -> Result<PathBuf> {
        std::path::absolute(folder).with_context(|| format!("{}: cannot find it", folder.display()))
    };
    let folder = folder.map(absolute).transpose()?.map(|folder| folder.display().to_string());
    let request = AcceptRequest { folder };
    Ok(client.call(Method::POST, &path(name, &format!("/messages/{}/fetch", part(id))), &request).await?)
}

/// Says what is being fetched.
pub fn fetching(entry: &InboxEntry) -> String {
    let folder = entry.folder.as_deref().unwrap_or_default();
    format!("Fetching {} from {}, into {}", out::clean(&entry.name), out::clean(&entry.from), out::clean(folder))
}

/// Fetches what goes with a message: the one with this number where the conversation is shown, or with this id.
pub async fn get(client: &Client, name: &str, meant: &str, folder: Option<&Path>, context: &Context) -> Result<u8> {
    // Ids have a `-`, and numbers have none.
    let id = if meant.contains('-') { meant.to_owned() } else { numbered(client, name, meant).await? };
    let entry = fetch(client, name, &id, folder).await?;
    match context.json {
        true => out::json(&entry)?,
        false => out::line(fetching(&entry))?,
    }
    Ok(0)
}

/// How many pages of messages are looked through for a number. Arbitrary: what anybody scrolls back to.
const MAX_PAGES: usize = 20;

async fn numbered(client: &Client, name: &str, number: &str) -> Result<String> {
    let mut model = load(client, name, MOST).await?;
    for _ in 0..MAX_PAGES {
        if !model.more_before || model.numbered(number).map_err(anyhow::Error::msg)?.is_some() {
            break;
        }
        let page = before(&model, MOST);
        model.put_before(client.get(&page).await?);
    }
    if let Some(message) = model.numbered(number).map_err(anyhow::Error::msg)?.filter(|message| has_file(message)) {
        return Ok(message.id.clone());
    }
    let mut there = files_of(&model);
    let there = there.split_off(there.len().saturating_sub(NAMED)).join(", ");
    match there.is_empty() {
        true => bail!("no file was sent here lately"),
        false => bail!("no file goes with message {number}; there are {}", show::one_line(&there)),
    }
}

fn has_file(message: &ChatMessage) -> bool {
    message.kind == ChatKind::Attachment && !message.deleted
}

/// Names the messages that have files, the oldest first.
fn files_of(model: &Model) -> Vec<String> {
    let named = model.messages().iter().enumerate().filter(|(_, message)| has_file(message));
    named.filter_map(|(at, it)| Some(format!("{} ({})", model.number(at), it.attachment.as_ref()?.name))).collect()
}
