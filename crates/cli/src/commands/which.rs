//! Finding the torrent that the user means; `pause`, `resume`, `recheck` and `remove`.

use anyhow::{Result, bail};
use rpc::TorrentSummary;

use super::Context;
use crate::args::Remove;
use crate::attach::attach;
use crate::client::Client;
use crate::out::{self, clean};

/// Finds the torrent that is meant by its id, the beginning of it, or its name.
pub async fn find(client: &Client, meant: &str) -> Result<TorrentSummary> {
    pick(client.list().await?, meant)
}

fn pick(torrents: Vec<TorrentSummary>, meant: &str) -> Result<TorrentSummary> {
    // A magnet is as good a name as any.
    let hash = meant.parse::<metainfo::Magnet>().ok().map(|magnet| magnet.hashes.key().to_string());
    let wanted = hash.unwrap_or_else(|| meant.to_ascii_lowercase());
    let is_v2 = |torrent: &TorrentSummary| torrent.info_hash_v2.as_deref() == Some(&wanted);
    let by_id = |torrent: &TorrentSummary| torrent.id.starts_with(&wanted) || is_v2(torrent);
    let by_name = |torrent: &TorrentSummary| torrent.name == meant;
    let mut found: Vec<_> = torrents.into_iter().filter(|torrent| by_id(torrent) || by_name(torrent)).collect();
    if found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|torrent| torrent.id.as_str()).collect();
        bail!("{meant:?} can mean {} torrents: {}; write more of the id", ids.len(), ids.join(", "));
    }
    match found.pop() {
        Some(torrent) => Ok(torrent),
        None => bail!("the node has no torrent {meant:?}: `compeer list` shows those that it has"),
    }
}

/// Does one thing to each torrent.
pub async fn act(torrents: &[String], action: &str, done: &str, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let mut changed = Vec::new();
    for meant in torrents {
        let torrent = find(&attached.client, meant).await?;
        attached.client.act(&torrent.id, action).await?;
        if !context.json {
            out::line(format!("{done} {}", clean(&torrent.name)))?;
        }
        changed.push(find(&attached.client, &torrent.id).await?);
    }
    if context.json {
        out::json(&changed)?;
    }
    Ok(0)
}

/// Forgets each torrent.
pub async fn remove(command: Remove, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let mut removed = Vec::new();
    for meant in &command.which.torrents {
        let torrent = find(&attached.client, meant).await?;
        attached.client.remove(&torrent.id, command.with_data).await?;
        if !context.json {
            let rest = match (&torrent.path, command.with_data) {
                (_, true) => " and its files".to_owned(),
                (Some(path), false) => format!("; its files stay at {}", clean(path)),
                (None, false) => String::new(),
            };
            out::line(format!("Removed {}{rest}", clean(&torrent.name)))?;
        }
        removed.push(torrent);
    }
    if context.json {
        out::json(&removed)?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrents() -> Vec<TorrentSummary> {
        let torrent = |id: &str, name: &str| TorrentSummary { id: id.into(), name: name.into(), ..Default::default() };
        vec![torrent("aa11", "photos"), torrent("aa22", "films"), torrent("bb33", "photos")]
    }

    #[test]
    fn the_beginning_of_an_id_and_a_name_are_enough() {
        assert_eq!(pick(torrents(), "AA1").unwrap().id, "aa11");
        assert_eq!(pick(torrents(), "films").unwrap().id, "aa22");
    }

    #[test]
    fn what_is_not_clear_is_asked_back() {
        let error = pick(torrents(), "aa").unwrap_err().to_string();
        assert!(error.contains("aa11, aa22"), "{error}");
        assert!(pick(torrents(), "photos").is_err());
        assert!(pick(torrents(), "music").unwrap_err().to_string().contains("compeer list"));
    }
}
