//! What a click on a link does.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use node::Home;

use super::Context;
use crate::attach::{self, Attached};
use crate::out::{self, clean};
use crate::{link, show};

/// How long a node may take from its start to its first answer: a slow disk, many torrents.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked for meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Hands a link to the node. What became of it is shown on the desktop: whoever clicks sees no terminal.
pub async fn run(given: &str, context: &Context) -> Result<u8> {
    let outcome = open(given, context).await;
    match &outcome {
        Ok(added) => {
            let name = clean(&added.torrent.name);
            let words = if added.existed { "is here already" } else { "is being fetched" };
            let words = format!("{name} {words}, in {}", clean(&added.torrent.folder));
            node::notify("Compeer", &words);
            if context.json { out::json(added)? } else { out::line(words)? }
        }
        Err(error) => node::notify("Compeer cannot open this", &clean(&format!("{error:#}"))),
    }
    outcome.map(|_| 0)
}

async fn open(given: &str, context: &Context) -> Result<rpc::Added> {
    // Before a node is started: it would have nothing to do.
    let source = link::read(given).await?;
    let node = reach(context).await?;
    let mut request = rpc::AddRequest::default();
    source.fill(&mut request);
    Ok(node.client.add(&request).await?)
}

/// Finds the node of the home, or starts one that goes on.
async fn reach(context: &Context) -> Result<Attached> {
    let home = Home::open(context.home.as_deref())?;
    if let Some(attached) = attach::connect(&home).await? {
        return Ok(attached);
    }
    // Whoever has the lock is about to answer.
    let starts = home.lock()?.is_some();
    let mut child = if starts { Some(start(&home)?) } else { None };
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(attached) = attach::connect(&home).await? {
            return Ok(attached);
        }
        if let Some(child) = &mut child
            && let Some(status) = child.try_wait()?
        {
            bail!("the node does not start ({status}): run `compeer up` in a terminal to see why");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let s = show::seconds(PATIENCE.as_secs());
    bail!("the node does not answer within {s}: run `compeer up` in a terminal to see why")
}

/// Starts a node that has nothing to do with this process any more.
fn start(home: &Home) -> Result<std::process::Child> {
    let program = std::env::current_exe().context("the program does not know where it lies")?;
    let mut command = Command::new(program);
    command.arg("up").arg("--home").arg(home.folder());
    // Where the click came from is no place for downloads.
    if let Some(folder) = std::env::home_dir().filter(|folder| folder.is_dir()) {
        command.current_dir(folder);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().context("the node cannot be started")
}
