//! Finding the node of the home, or being it.
//!
//! Whoever gets the home's lock is the node. Everybody else reads the address of its API and talks to it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use node::{Home, Node};
use rpc::{NodeMode, SessionInfo};

use crate::args::NodeOptions;
use crate::client::{Client, ClientError};

/// How long a node may take from its lock to its first answer, and from its last answer to giving up the lock: a slow
/// disk, a tracker that does not answer at the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often to look again meanwhile.
const RETRY: Duration = Duration::from_millis(50);

/// A node to talk to: another process's, or one inside this.
pub struct Attached {
    /// Talks to it.
    pub client: Client,
    /// What it was when it was found.
    pub info: SessionInfo,
    own: Option<Node>,
}

impl Attached {
    /// Tells whether the node is inside this process.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Tells whether the node goes on after the command that started it.
    pub fn is_daemon(&self) -> bool {
        self.info.mode == NodeMode::Daemon
    }

    /// Ends the node if it is inside this process.
    pub async fn finish(self) {
        if let Some(node) = self.own {
            node.shutdown().await;
        }
    }
}

/// Finds the node of the home, or starts one inside this process.
pub async fn attach_or_start(home: Option<&Path>, options: &NodeOptions) -> Result<Attached> {
    let home = Home::open(home)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(lock) = home.lock()? {
            let options = node::Options {
                mode: NodeMode::Embedded,
                listen: options.listen,
                api: None,
                down_limit: options.down_limit,
                up_limit: options.up_limit,
                offer: Vec::new(),
                network: options.network(),
            };
            let node = Node::start(home.clone(), lock, options).await?;
            let client = Client::new(node.api(), home.token()?)?;
            let info = client.session().await?;
            return Ok(Attached { client, info, own: Some(node) });
        }
        if let Some(attached) = connect(&home).await? {
            return Ok(attached);
        }
        wait(&home, deadline).await?;
    }
}

/// Finds the node of the home.
pub async fn attach(home: Option<&Path>) -> Result<Attached> {
    let home = Home::open(home)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if home.lock()?.is_some() {
            let folder = home.folder().display();
            bail!("no node is running for {folder}: start one with `compeer up`, or with `compeer share` or `get`");
        }
        if let Some(attached) = connect(&home).await? {
            return Ok(attached);
        }
        wait(&home, deadline).await?;
    }
}

pub async fn connect(home: &Home) -> Result<Option<Attached>> {
    let Some(address) = home.api_address() else { return Ok(None) };
    let client = Client::new(address, home.token()?)?;
    match client.session().await {
        Ok(info) => Ok(Some(Attached { client, info, own: None })),
        // Left behind by a node that was killed; the port may be another program's by now.
        Err(ClientError::Gone(_) | ClientError::Unexpected(_)) => Ok(None),
        Err(error) if error.is_kind("no-token") || error.is_kind("forbidden") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn wait(home: &Home, deadline: Instant) -> Result<()> {
    if Instant::now() >= deadline {
        let folder = home.folder().display();
        bail!("another process has the lock of {folder} but does not answer: end it, or choose another --home");
    }
    tokio::time::sleep(RETRY).await;
    Ok(())
}
