//! Telling the DHT which version is the newest.

use metainfo::{InfoHashV1, encode_newest};
use net::Dht;
use net::dht::{Failure, Item, Mutable};

use super::{Name, RETRY, Updates, item_name};

/// On how many nodes an item outlasts those that leave: the eight nearest keep it (BEP 44).
const ENOUGH_NODES: u32 = 8;

impl Updates {
    /// Stores the item of a share, and sees to it that it is no longer stored once the torrent is gone.
    pub(super) fn begin_publishing(&self, name: Name) {
        let Some(dht) = self.0.session.dht() else {
            self.say(&name, "the DHT is switched off: nobody is told of new versions");
            return;
        };
        // The task holds the list only while it works, so that it ends with the node.
        let weak = std::sync::Arc::downgrade(&self.0);
        self.begin(name.clone(), async move {
            let mut stored = false;
            loop {
                dht.ready().await;
                let Some(updates) = weak.upgrade().map(Updates) else { return };
                let Some((_, torrent)) = updates.version(&name) else { return };
                let Ok(status) = updates.0.session.status(torrent).await else {
                    updates.say(&name, "its torrent is not here: nobody is told of it any more");
                    dht.forget(item_name(&name).target());
                    return;
                };
                let mut wait = updates.0.interval;
                if status.state == torrent::State::Paused {
                    wait = wait.min(RETRY);
                } else if !stored {
                    match updates.put(&dht, &name).await {
                        Ok(nodes) => {
                            // Where few are, the next to leave may take the item along: it is stored again soon.
                            stored = nodes >= ENOUGH_NODES;
                            if !stored {
                                wait = wait.min(RETRY);
                            }
                            let mut list = updates.list();
                            let state = list.states.entry(name.clone()).or_default();
                            (state.stored_nodes, state.message) = (Some(nodes), String::new());
                        }
                        Err(error) => {
                            updates.say(&name, error);
                            wait = wait.min(RETRY);
                        }
                    }
                }
                drop(updates);
                tokio::time::sleep(wait).await;
            }
        });
    }

    /// Returns number and torrent of the newest version of a share of this node.
    fn version(&self, name: &Name) -> Option<(i64, InfoHashV1)> {
        let list = self.list();
        let entry =
            list.published.iter().find(|entry| entry.link().is_some_and(|link| super::name_of(&link) == *name))?;
        Some((entry.seq, entry.torrent.parse().ok()?))
    }

    /// Stores the item once; the DHT goes on by itself.
    async fn put(&self, dht: &Dht, name: &Name) -> Result<u32, String> {
        // An older copy of this home may have published under the same key.
        if let Ok(Some(found)) = dht.get_item(item_name(name), None).await {
            self.overtake(name, found.seq().unwrap_or_default(), found.value())?;
        }
        match dht.put_item(self.item(name)?, None, true).await {
            Err(Failure::Conflict { seq }) => {
                self.overtake(name, seq, &[])?;
                dht.put_item(self.item(name)?, None, true).await.map_err(|error| error.to_string())
            }
            other => other.map_err(|error| error.to_string()),
        }
    }

    /// Takes a larger number where another value has ours or a larger one.
    fn overtake(&self, name: &Name, seq: i64, value: &[u8]) -> Result<(), String> {
        let Some((own, torrent)) = self.version(name) else { return Err("it is shared no more".to_owned()) };
        let same = value == encode_newest(torrent);
        if seq < own || (same && seq == own) {
            return Ok(());
        }
        let mut list = self.list();
        for entry in list.published.iter_mut().filter(|e| e.link().is_some_and(|link| super::name_of(&link) == *name)) {
            entry.seq = if same { seq } else { seq.saturating_add(1) };
        }
        self.save(&list).map_err(|error| error.to_string())
    }

    fn item(&self, name: &Name) -> Result<Item, String> {
        let gone = || "it is shared no more".to_owned();
        let (seq, torrent) = self.version(name).ok_or_else(gone)?;
        let secret = {
            let list = self.list();
            let mut entries = list.published.iter();
            entries.find_map(|entry| entry.secret().filter(|secret| secret.public().0 == name.0)).ok_or_else(gone)?
        };
        let item = Mutable::sign(&secret, name.1.clone(), seq, encode_newest(torrent));
        item.map(Item::Mutable).map_err(|error| error.to_string())
    }
}
