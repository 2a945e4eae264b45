//! How far the files of messages are that are being fetched, as the events tell.

use std::collections::BTreeMap;

use rpc::{ChatMessage, Event, TorrentState, TorrentSummary};

use super::show::one_line;
use crate::show::{amount, done, percent, rate, seconds};

/// What the node has, by the names of the torrents; as many as it tells of.
#[derive(Debug, Default)]
pub struct Downloads(BTreeMap<String, TorrentSummary>);

impl Downloads {
    /// Takes an event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Snapshot { torrents, .. } => {
                self.0 = torrents.iter().map(|torrent| (torrent.id.clone(), torrent.clone())).collect();
            }
            Event::Added(torrent) => drop(self.0.insert(torrent.id.clone(), (**torrent).clone())),
            Event::Changed(delta) => {
                if let Some(torrent) = self.0.get_mut(&delta.id) {
                    delta.clone().apply(torrent);
                }
            }
            Event::Removed { id } => drop(self.0.remove(id)),
            _ => {}
        }
    }

    /// Says how far the file is that came with somebody's message, or where it is; `None`: it is not fetched.
    pub fn of(&self, message: &ChatMessage) -> Option<String> {
        if message.mine || message.deleted {
            return None;
        }
        let torrent = self.0.get(message.attachment.as_ref()?.torrent.as_deref()?)?;
        let part = percent(done(torrent));
        Some(match torrent.state {
            TorrentState::Failed => {
                format!("failed: {}", one_line(torrent.error.as_deref().unwrap_or("no reason given")))
            }
            _ if torrent.complete => format!("in {}", one_line(torrent.path.as_ref().unwrap_or(&torrent.folder))),
            TorrentState::Paused => format!("paused at {part}"),
            TorrentState::Checking => format!("checking what is here: {}", percent(torrent.progress)),
            _ => {
                let size = torrent.wanted_bytes.max(torrent.done_bytes);
                let left = torrent.left_s.map(|left| format!(", {} left", seconds(left))).unwrap_or_default();
                let (amount, rate) = (amount(torrent.done_bytes, size), rate(torrent.download_bytes_per_s));
                format!("fetching: {part}, {amount}, {rate}{left}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rpc::{ChatAttachment, Delta};

    use super::*;

    #[test]
    fn a_file_is_shown_while_it_comes_and_where_it_is_then() {
        let attachment = Some(ChatAttachment { name: "film".into(), bytes: 4 << 20, torrent: Some("ab".into()) });
        let message = ChatMessage { attachment, ..ChatMessage::default() };
        let mut downloads = Downloads::default();
        assert_eq!(downloads.of(&message), None);
        let begun = TorrentSummary {
            id: "ab".into(),
            state: TorrentState::Downloading,
            folder: "/downloads".into(),
            wanted_bytes: 4 << 20,
            done_bytes: 1 << 20,
            download_bytes_per_s: 1 << 20,
            left_s: Some(3),
            ..TorrentSummary::default()
        };
        downloads.apply(&Event::Added(Box::new(begun.clone())));
        assert_eq!(downloads.of(&message).as_deref(), Some("fetching: 25 %, 1.0 of 4.0 MiB, 1.0 MiB/s, 3s left"));
        let whole = TorrentSummary {
            state: TorrentState::Seeding,
            complete: true,
            done_bytes: 4 << 20,
            path: Some("/downloads/film\x1b[2J".into()),
            ..begun.clone()
        };
        downloads.apply(&Event::Changed(Delta::between(&begun, &whole).unwrap()));
        let shown = downloads.of(&message).unwrap();
        assert!(shown.starts_with("in /downloads/film") && !shown.contains('\x1b'), "{shown:?}");
        let mine = ChatMessage { mine: true, ..message.clone() };
        assert_eq!(downloads.of(&mine), None);
        downloads.apply(&Event::Removed { id: "ab".into() });
        assert_eq!(downloads.of(&message), None);
    }
}
