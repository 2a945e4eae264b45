//! One torrent, followed closely: first everything about it, then once a second what is different.

mod told;

use axum::extract::State;
use axum::response::Response;
use rpc::{LogEntry, Problem, SourceInfo, TorrentEvent, TorrentMore, TorrentView};
use torrent::{PiecesStatus, TorrentError, TorrentId};

use self::told::Told;
use super::LastId;
use super::picture::Picture;
use crate::convert;
use crate::server::AppState;
use crate::server::body::Id;
use crate::server::detail::{AVAILABILITY_RUNS, map, more, sources_of};
use crate::server::problem::ApiError;

/// How often files are looked at where no piece came, since somebody may have chosen others, in looks. Arbitrary.
const FILES_EVERY: u32 = 5;

/// What a look at a torrent finds.
struct Seen {
    torrent: rpc::TorrentSummary,
    more: TorrentMore,
    peers: Vec<rpc::PeerInfo>,
    /// `None`: not looked at.
    files: Option<Vec<rpc::FileInfo>>,
    trackers: Vec<rpc::TrackerInfo>,
    web_seeds: Vec<rpc::WebSeedInfo>,
    sources: Vec<SourceInfo>,
    /// With the length of a piece.
    pieces: Option<(PiecesStatus, u32)>,
    /// What happened lately.
    log: Vec<LogEntry>,
}

/// What was told last.
struct Closely {
    state: AppState,
    id: TorrentId,
    told: Option<Told>,
    looks: u32,
    is_over: bool,
}

/// Streams what changes about one torrent: its summary, peers, files, trackers, sources, pieces and log.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/events", params(("id" = String, Path, description = "The torrent"), LastId), responses(
    (status = 200, description = "Server-sent events, each with a TorrentEvent as its data", body = TorrentEvent,
     content_type = "text/event-stream"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent", body = Problem),
    (status = 429, description = "Too many streams", body = Problem),
    (status = 503, description = "The node ends", body = Problem),
))]
pub(crate) async fn events(State(state): State<AppState>, Id(id): Id, last: LastId) -> Result<Response, ApiError> {
    state.session().status(id).await?;
    let picture = Closely { state: state.clone(), id, told: None, looks: 0, is_over: false };
    super::stream(&state, &state.streams().of(id), last, picture)
}

impl Closely {
    /// The torrent does not answer any more: it was removed, or the node ends.
    fn end(&mut self) -> Vec<TorrentEvent> {
        self.is_over = true;
        let is_there = self.state.session().ids().contains(&self.id);
        if is_there { Vec::new() } else { vec![TorrentEvent::Removed { id: self.id.to_string() }] }
    }
}

impl Picture for Closely {
    type Event = TorrentEvent;

    async fn news(&mut self) -> Vec<TorrentEvent> {
        // Nobody was told anything that could have changed.
        let Some(told) = &mut self.told else { return Vec::new() };
        self.looks = self.looks.wrapping_add(1);
        let often = self.looks.is_multiple_of(FILES_EVERY);
        let with_files = |pieces: Option<&PiecesStatus>| often || told.has_other_pieces(pieces);
        match look(&self.state, self.id, with_files).await {
            Ok(seen) => told.compare(seen),
            Err(_) => self.end(),
        }
    }

    async fn whole(&mut self) -> (Vec<TorrentEvent>, Vec<TorrentEvent>) {
        let Ok(seen) = look(&self.state, self.id, |_| true).await else {
            let end = self.end();
            return (end.clone(), end);
        };
        let whole = vec![TorrentEvent::Snapshot(Box::new(view(&self.state, self.id, &seen)))];
        let news = match &mut self.told {
            Some(told) => told.compare(seen),
            None => {
                self.told = Some(Told::new(seen));
                Vec::new()
            }
        };
        (news, whole)
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

/// Looks at a torrent: at its files where the pieces say that it is worth it.
async fn look(
    state: &AppState,
    id: TorrentId,
    with_files: impl FnOnce(Option<&PiecesStatus>) -> bool,
) -> Result<Seen, TorrentError> {
    let session = state.session();
    let status = session.status(id).await?;
    let pieces = session.pieces(id, AVAILABILITY_RUNS).await?;
    let files = match with_files(pieces.as_ref()) {
        true => Some(session.files(id).await?.into_iter().map(convert::file).collect()),
        false => None,
    };
    Ok(Seen {
        pieces: pieces.zip(status.piece_length),
        more: more(&status),
        torrent: state.summary(status),
        peers: session.peers(id).await?.into_iter().map(convert::peer).collect(),
        files,
        trackers: session.trackers(id).await?.into_iter().map(convert::tracker).collect(),
        web_seeds: session.web_seeds(id).await?.into_iter().map(convert::web_seed).collect(),
        sources: sources_of(session, id).await?,
        log: state.logs().of(id),
    })
}

fn view(state: &AppState, id: TorrentId, seen: &Seen) -> TorrentView {
    TorrentView {
        torrent: seen.torrent.clone(),
        more: seen.more.clone(),
        peers: seen.peers.clone(),
        files: seen.files.clone().unwrap_or_default(),
        trackers: seen.trackers.clone(),
        web_seeds: seen.web_seeds.clone(),
        sources: seen.sources.clone(),
        pieces: seen.pieces.as_ref().map(|(pieces, length)| map(pieces, *length)),
        log: seen.log.clone(),
        rates: state.rates().of(id),
    }
}
