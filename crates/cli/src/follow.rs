//! Following a node: keeps what the events tell.

use std::collections::BTreeMap;

use rpc::{Event, Job, TorrentSummary};

use crate::client::{Client, Events, Result};

/// What the node told last.
#[derive(Debug)]
pub struct Follow {
    events: Events,
    torrents: BTreeMap<String, TorrentSummary>,
    jobs: BTreeMap<u64, Job>,
}

impl Follow {
    /// Begins to follow, and waits for the first view of everything.
    pub async fn begin(client: &Client) -> Result<Follow> {
        let events = client.events().await?;
        let mut follow = Follow { events, torrents: BTreeMap::new(), jobs: BTreeMap::new() };
        follow.next().await?;
        Ok(follow)
    }

    /// Waits for the next change. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<()> {
        match self.events.next().await? {
            Event::Snapshot { torrents, jobs, .. } => {
                self.torrents = torrents.into_iter().map(|torrent| (torrent.id.clone(), torrent)).collect();
                self.jobs = jobs.into_iter().map(|job| (job.id, job)).collect();
            }
            Event::Added(torrent) => {
                self.torrents.insert(torrent.id.clone(), *torrent);
            }
            Event::Changed(delta) => {
                if let Some(torrent) = self.torrents.get_mut(&delta.id) {
                    delta.apply(torrent);
                }
            }
            Event::Removed { id } => {
                self.torrents.remove(&id);
            }
            Event::Job(job) => {
                self.jobs.insert(job.id, *job);
            }
            // Nobody who follows torrents waits for the others.
            _ => {}
        }
        Ok(())
    }

    /// Returns a torrent as it was told last.
    pub fn torrent(&self, id: &str) -> Option<&TorrentSummary> {
        self.torrents.get(id)
    }

    /// Returns a job as it was told last.
    pub fn job(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }
}
