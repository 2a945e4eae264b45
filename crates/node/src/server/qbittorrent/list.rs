//! What is asked of torrents.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use torrent::{TorrentError, TorrentId, TorrentStatus};

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use super::told::{self, Around, Torrent};
use super::{lists, one};
use crate::server::{AppState, transmission};

/// Returns what holds for all torrents.
pub(super) fn around(state: &AppState) -> Around {
    let shown = state.controls().shown();
    Around {
        now_s: SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs(),
        goal: shown.config.seed_goal(),
        peer_limit: shown.limits.connections_per_torrent,
    }
}

/// Asks for all that is told of a torrent.
async fn gather(state: &AppState, status: TorrentStatus) -> Result<Torrent, TorrentError> {
    let id = status.id;
    let trackers = state.session().trackers(id).await?;
    Ok(Torrent { status, trackers, category: state.categories().of(id), tags: state.labels().of(id) })
}

/// Asks for all that is told of all torrents, in the order in which they came.
pub(super) async fn all(state: &AppState) -> Vec<Torrent> {
    let mut all = Vec::new();
    for status in state.session().list().await {
        // One that is removed meanwhile is left out.
        all.extend(gather(state, status).await);
    }
    all
}

/// Answers `torrents/info`.
pub(super) async fn info(State(state): State<AppState>, form: Form) -> Answer {
    let (around, filter) = (around(&state), Filter::read(&form)?);
    let with_trackers = form.flag("includeTrackers")?.unwrap_or(false);
    let mut list = Vec::new();
    for torrent in all(&state).await.into_iter().filter(|torrent| filter.takes(torrent)) {
        let mut told = torrent.told(&around);
        if with_trackers {
            told.insert("trackers".to_owned(), lists::trackers(&torrent.trackers).into());
        }
        list.push(told);
    }
    sort(&mut list, &form)?;
    let (limit, offset) = (form.number::<i64>("limit")?.unwrap_or(0), form.number::<i64>("offset")?.unwrap_or(0));
    // Below zero it counts from the end.
    let from = if offset < 0 { (list.len() as i64 + offset).max(0) } else { offset };
    let most = if limit <= 0 { usize::MAX } else { limit as usize };
    refusal::json(list.into_iter().skip(from as usize).take(most).map(Value::Object).collect())
}

/// Which torrents are listed.
struct Filter<'a> {
    word: &'a str,
    /// `Some("")`: those that have none.
    category: Option<&'a str>,
    tag: Option<&'a str>,
    hashes: Option<BTreeSet<TorrentId>>,
    private: Option<bool>,
}

impl Filter<'_> {
    fn read(form: &Form) -> Result<Filter<'_>, Refusal> {
        let hashes = form.list("hashes", '|');
        Ok(Filter {
            word: form.said("filter").unwrap_or("all"),
            category: form.get("category"),
            tag: form.get("tag"),
            // `all` is no hash, and means what it says.
            hashes: (!hashes.is_empty() && hashes != ["all"])
                .then(|| hashes.iter().filter_map(|hash| hash.to_lowercase().parse().ok()).collect()),
            private: form.flag("private")?,
        })
    }

    fn takes(&self, torrent: &Torrent) -> bool {
        let it = &torrent.status;
        // A word that nobody knows filters nothing.
        told::is_among(it, self.word).unwrap_or(true)
            && self.category.is_none_or(|category| torrent.category == category)
            && self.tag.is_none_or(|tag| match tag {
                "" => torrent.tags.is_empty(),
                tag => torrent.tags.iter().any(|own| own == tag),
            })
            && self.hashes.as_ref().is_none_or(|hashes| hashes.contains(&it.id))
            && self.private.is_none_or(|private| it.total_bytes.is_some() && it.private == private)
    }
}

fn sort(list: &mut [Map<String, Value>], form: &Form) -> Result<(), Refusal> {
    let Some(column) = form.said("sort") else { return Ok(()) };
    if list.first().is_some_and(|first| !first.contains_key(column)) {
        return Err(Refusal::bad("'sort' parameter is invalid"));
    }
    let order = |a: &Map<String, Value>, b: &Map<String, Value>| match (a.get(column), b.get(column)) {
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(a), Some(b)) => a.as_f64().partial_cmp(&b.as_f64()).unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    };
    list.sort_by(order);
    if form.flag("reverse")?.unwrap_or(false) {
        list.reverse();
    }
    Ok(())
}

/// Answers `torrents/count`.
pub(super) async fn count(State(state): State<AppState>) -> Answer {
    Ok(refusal::text(state.session().ids().len().to_string()))
}

/// Answers `torrents/properties`.
pub(super) async fn properties(State(state): State<AppState>, form: Form) -> Answer {
    let id = one(&state, &form)?;
    let torrent = gather(&state, state.session().status(id).await?).await?;
    let origin = transmission::origin(state.session(), id).await;
    refusal::json(torrent.properties(&around(&state), origin))
}

/// Answers `torrents/files`.
pub(super) async fn files(State(state): State<AppState>, form: Form) -> Answer {
    let id = one(&state, &form)?;
    let (status, files) = (state.session().status(id).await?, state.session().files(id).await?);
    let mut told = lists::files(&files, status.is_complete(), status.seeds > 0);
    let indexes = form.list("indexes", '|');
    if !indexes.is_empty() {
        let named = indexes.iter().map(|index| {
            let place = index.parse::<usize>().ok();
            place
                .and_then(|place| told.get(place).cloned())
                .ok_or_else(|| Refusal::conflict(format!("\"{index}\" is not a valid file index.")))
        });
        told = named.collect::<Result<_, _>>()?;
    }
    refusal::json(told.into())
}

/// Answers `torrents/trackers`.
pub(super) async fn trackers(State(state): State<AppState>, form: Form) -> Answer {
    let (session, id) = (state.session(), one(&state, &form)?);
    let mut told = lists::ways(&session.sources(id).await?, session.status(id).await?.private);
    told.extend(lists::trackers(&session.trackers(id).await?));
    refusal::json(told.into())
}

/// Answers `torrents/webseeds`.
pub(super) async fn web_seeds(State(state): State<AppState>, form: Form) -> Answer {
    let seeds = state.session().web_seeds(one(&state, &form)?).await?;
    refusal::json(seeds.iter().map(|seed| json!({ "url": seed.url })).collect())
}

/// Answers `torrents/pieceStates`.
pub(super) async fn piece_states(State(state): State<AppState>, form: Form) -> Answer {
    let id = one(&state, &form)?;
    let (status, pieces) = (state.session().status(id).await?, state.session().pieces(id, 0).await?);
    let have = pieces.map(|pieces| pieces.have);
    let full = status.is_complete() && status.wanted_bytes == status.total_bytes;
    refusal::json(lists::pieces(have.as_ref(), status.piece_count.unwrap_or(0), full))
}

/// Answers `torrents/export`.
pub(super) async fn export(State(state): State<AppState>, form: Form) -> Answer {
    let bytes = state.session().torrent_file(one(&state, &form)?).await?;
    let mut response = bytes.into_response();
    let kind = HeaderValue::from_static("application/x-bittorrent");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
