//! In which order torrents are shown.

use std::collections::BTreeMap;

use rpc::{TorrentState, TorrentSummary};

use crate::show;

/// By what torrents are put in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    /// What arrives and leaves the fastest comes first.
    Rate,
    /// What is complete the soonest comes first.
    Left,
    Done,
    Ratio,
    Peers,
    State,
    /// The newest comes first.
    Added,
}

impl Sort {
    const ALL: [Sort; 8] =
        [Sort::Name, Sort::Rate, Sort::Left, Sort::Done, Sort::Ratio, Sort::Peers, Sort::State, Sort::Added];

    /// Returns what it is called.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Rate => "rate",
            Sort::Left => "time left",
            Sort::Done => "done",
            Sort::Ratio => "ratio",
            Sort::Peers => "peers",
            Sort::State => "state",
            Sort::Added => "newest",
        }
    }

    /// Returns the next one.
    pub fn next(self) -> Sort {
        let at = Sort::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Sort::ALL[(at + 1) % Sort::ALL.len()]
    }

    /// Puts the ids in order; what is equal goes by name, then by id, so that nothing jumps.
    pub fn order(self, torrents: &BTreeMap<String, TorrentSummary>, reversed: bool) -> Vec<String> {
        let mut order: Vec<(i128, String, &String)> =
            torrents.values().map(|torrent| (self.weight(torrent), torrent.name.to_lowercase(), &torrent.id)).collect();
        order.sort();
        if reversed {
            order.reverse();
        }
        order.into_iter().map(|(_, _, id)| id.clone()).collect()
    }

    /// The smallest comes first.
    fn weight(self, torrent: &TorrentSummary) -> i128 {
        // 1e6: more digits than are shown.
        let fine = |number: f64| (number * 1e6) as i128;
        let rate = i128::from(torrent.download_bytes_per_s) + i128::from(torrent.upload_bytes_per_s);
        match self {
            Sort::Name => 0,
            Sort::Rate => -rate,
            Sort::Left => torrent.left_s.map_or(i128::MAX, i128::from),
            Sort::Done => -fine(show::done(torrent)),
            Sort::Ratio => -fine(torrent.ratio),
            Sort::Peers => -i128::from(torrent.peers),
            Sort::State => place(torrent.state),
            Sort::Added => -i128::from(torrent.added_at_s),
        }
    }
}

/// What wants to be looked at comes first.
fn place(state: TorrentState) -> i128 {
    match state {
        TorrentState::Failed => 0,
        TorrentState::Downloading => 1,
        TorrentState::Metadata => 2,
        TorrentState::Checking => 3,
        TorrentState::Seeding => 4,
        TorrentState::Paused => 5,
    }
}
