//! `get` of a link to the newest version (BEP 46): looking it up, and going on with the versions that come after it.

use std::time::{Duration, Instant};

use data_encoding::{BASE64, HEXLOWER};
use metainfo::{InfoHashes, Magnet, decode_newest};
use rpc::{DhtItem, UpdatesInfo};

use super::{Run, Step, Stop, WAIT_SOURCES};
use crate::client::Client;
use crate::link::Source;
use crate::seeding;

/// How long to wait before the newest version is looked up again. Arbitrary.
const RETRY_LOOKUP: Duration = Duration::from_secs(2);

impl Run {
    /// Seeds until Ctrl-C or a goal, also the versions that come after this one. Returns the last of them.
    pub(super) async fn seed(&mut self, client: &Client, mut id: String) -> Step<String> {
        loop {
            let end = seeding::follow(client, &id, &mut self.live, &mut self.interrupt).await;
            self.live.clear();
            match end? {
                seeding::End::Interrupted => return Ok(id),
                seeding::End::Paused => {
                    self.live.note("Seeding has reached its goal.");
                    return Ok(id);
                }
                seeding::End::Removed => match self.newer(client, &id).await? {
                    Some((newer, seq)) => {
                        self.live.note(format!("Version {seq} has taken its place."));
                        id = newer;
                    }
                    None => return Err(Stop::Failed(anyhow::anyhow!("the torrent was removed from the node"))),
                },
            }
        }
    }

    /// Returns the torrent that has taken the place of another, and its number.
    async fn newer(&self, client: &Client, id: &str) -> Step<Option<(String, i64)>> {
        let Some((link, _)) = &self.updates else { return Ok(None) };
        // The old one is removed a moment before the new one is noted.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let all: Vec<UpdatesInfo> = client.get("/updates").await?;
        let same = |info: &&UpdatesInfo| !info.published && info.link == link.to_string() && info.torrent != id;
        Ok(all.iter().find(same).map(|info| (info.torrent.clone(), info.seq)))
    }

    /// Looks up what a link to the newest version leads to.
    pub(super) async fn resolve(&mut self, client: &Client) -> Step<()> {
        let Source::Updates(link) = &self.source else { return Ok(()) };
        let (key, salt) = (HEXLOWER.encode(&link.key), HEXLOWER.encode(&link.salt));
        let path = format!("/dht/items/{key}?salt_hex={salt}");
        let patience = self.get.wait.unwrap_or(WAIT_SOURCES);
        let begun = Instant::now();
        self.live.note("Looking for the newest version …");
        let item: DhtItem = loop {
            let answer = tokio::select! {
                answer = client.get(&path) => answer,
                () = self.interrupt.wait() => return Err(Stop::Interrupted),
            };
            match answer {
                Ok(item) => break item,
                Err(error)
                    if (error.is_kind("not-found") || error.is_kind("dht-no-nodes"))
                        && (patience.is_zero() || begun.elapsed() < patience) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_LOOKUP) => {}
                () = self.interrupt.wait() => return Err(Stop::Interrupted),
            }
        };
        let value = BASE64.decode(item.value_base64.as_bytes()).unwrap_or_default();
        let no_version = || anyhow::anyhow!("what is stored under the key of this link names no torrent");
        let hash = decode_newest(&value).ok_or_else(no_version)?;
        let seq = item.owner.map_or(0, |owner| owner.seq);
        let mut magnet = Magnet::new(InfoHashes::v1_only(hash));
        (magnet.name, magnet.trackers, magnet.peers) = (link.name.clone(), link.trackers.clone(), link.peers.clone());
        self.live.note(format!("The newest version is number {seq}."));
        self.updates = Some((link.clone(), seq));
        let text = magnet.to_string();
        self.source = Source::Magnet(magnet, text);
        Ok(())
    }
}
