//! One torrent, followed closely: what `/api/v1/torrents/{id}/events` sends.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::event::changed;
use crate::{
    Delta, FileInfo, FilePriority, LogEntry, PeerInfo, SourceInfo, TorrentMore, TorrentRates, TorrentSummary,
    TrackerInfo, WebSeedInfo,
};

/// Which pieces are there.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PieceMap {
    /// How many pieces there are.
    pub count: u32,
    /// The length of a piece; the last one may be shorter.
    pub piece_length_bytes: u32,
    /// A bit a piece, in base64: set where it is verified. The high bit of the first byte is piece 0; what is left of the
    /// last byte is 0.
    pub have: String,
    /// A bit a piece, in the same form: set where it is being fetched, so that some blocks of it were asked for or are here.
    pub fetching: String,
    /// The torrent cut into as many equal runs of pieces as there are numbers, at most 512: run `i` of `n` begins at piece
    /// `i * count / n`, rounded down. Each number says how many connected peers have the rarest piece of the run.
    pub availability: Vec<u32>,
}

/// Pieces that changed; the others are as they were.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PieceChanges {
    /// Verified by now.
    pub got: Vec<u32>,
    /// Not there any more: they turned out to be damaged.
    pub lost: Vec<u32>,
    /// Being fetched by now.
    pub begun: Vec<u32>,
    /// Not being fetched any more; those that are verified are among them.
    pub ended: Vec<u32>,
    /// All numbers of [`PieceMap::availability`] anew; absent where none changed.
    pub availability: Option<Vec<u32>>,
}

/// The fields of a [`PeerInfo`] that changed; the others are as they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerDelta {
    /// The peer's number.
    pub number: u32,
    /// The new values by field name.
    pub changed: Map<String, Value>,
}

/// Peers that came, went or changed; the others are as they were.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct PeerChanges {
    /// Connected by now.
    pub added: Vec<PeerInfo>,
    /// Those that changed.
    pub changed: Vec<PeerDelta>,
    /// The numbers of those that are gone.
    pub removed: Vec<u32>,
}

/// What changed about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileProgress {
    /// Its number, from 0.
    pub index: u32,
    /// The verified part.
    pub done_bytes: u64,
    /// How much it is wanted.
    pub priority: FilePriority,
}

/// All that changes about one torrent.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TorrentView {
    /// What a list shows, too; its rates among it.
    pub torrent: TorrentSummary,
    /// What no list shows.
    #[serde(default)]
    pub more: TorrentMore,
    /// The connected peers.
    pub peers: Vec<PeerInfo>,
    /// The files; none until the metadata is known.
    pub files: Vec<FileInfo>,
    /// Trackers and what they said last.
    pub trackers: Vec<TrackerInfo>,
    /// Web seeds and why they failed last.
    pub web_seeds: Vec<WebSeedInfo>,
    /// The ways in which it finds peers, what each gave and said last.
    pub sources: Vec<SourceInfo>,
    /// Which pieces are there; absent until the metadata is known.
    pub pieces: Option<PieceMap>,
    /// What happened to it lately, since the node started: the last 100 things, the oldest first.
    pub log: Vec<LogEntry>,
    /// How fast it was, second by second, for the last five minutes, the oldest first. Seconds in which it stood still are left out,
    /// but for the first after others.
    #[serde(default)]
    pub rates: Vec<TorrentRates>,
}

/// One server-sent event about a torrent. The first is `snapshot`, unless the stream goes on behind an event that an earlier one
/// told; the later ones change what it told, once a second at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum TorrentEvent {
    /// Everything there is.
    Snapshot(Box<TorrentView>),
    /// What a list shows, too, changed.
    Changed(Delta),
    /// What no list shows changed: all of it.
    More(TorrentMore),
    /// Peers came, went or changed.
    Peers(PeerChanges),
    /// The files are known by now: all of them.
    Files(Vec<FileInfo>),
    /// More of these files is here, or they are wanted more or less.
    Progress(Vec<FileProgress>),
    /// The trackers, all of them: one said something. Seconds that only go on are not told again.
    Trackers(Vec<TrackerInfo>),
    /// The web seeds, all of them: something changed.
    WebSeeds(Vec<WebSeedInfo>),
    /// The ways to peers, all of them: one gave or said something. Seconds that only go on are not told again.
    Sources(Vec<SourceInfo>),
    /// Which pieces are there, all of them: they are known by now, or many changed.
    Pieces(PieceMap),
    /// Some pieces changed.
    PieceChanges(PieceChanges),
    /// These things happened since.
    Log(Vec<LogEntry>),
    /// The torrent was removed. Nothing follows.
    Removed {
        /// Which.
        id: String,
    },
}

impl PeerDelta {
    /// Compares two readings of a peer; `None` when nothing changed.
    pub fn between(old: &PeerInfo, new: &PeerInfo) -> Option<PeerDelta> {
        let changed = changed(old, new);
        (!changed.is_empty()).then_some(PeerDelta { number: new.number, changed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_peer_only_what_changed_is_told() {
        let old = PeerInfo { number: 3, address: "192.0.2.1:6881".into(), ..Default::default() };
        let new = PeerInfo { downloaded_bytes: 16384, choked: true, ..old.clone() };
        assert_eq!(PeerDelta::between(&old, &old), None);
        let delta = PeerDelta::between(&old, &new).unwrap();
        assert_eq!(delta.number, 3);
        assert_eq!(delta.changed.keys().collect::<Vec<_>>(), ["choked", "downloaded_bytes"]);
    }

    #[test]
    fn an_event_names_itself() {
        let text = serde_json::to_string(&TorrentEvent::Progress(Vec::new())).unwrap();
        assert_eq!(text, r#"{"event":"progress","data":[]}"#);
    }
}
