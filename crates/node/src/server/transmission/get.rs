//! `torrent_get`: asks the engine for what the fields need, and no more.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use metainfo::TorrentFile;
use serde_json::{Map, Value, json};
use torrent::{Session, TorrentError, TorrentId, TorrentStatus};

use super::envelope::{Call, Dialect, Outcome};
use super::fault::Fault;
use super::fields::{self, Around, Facts, Needs, Origin};
use super::names;
use super::params::{Ids, Params, Which};
use crate::server::{AppState, stream};

/// Now, in seconds since 1970.
pub(super) fn now_s() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}

/// Returns the torrents that are meant, in the order in which they are named.
pub(super) async fn meant(state: &AppState, params: &Params) -> Result<Vec<TorrentId>, Fault> {
    let all = state.session().ids();
    let these = params.ids()?;
    let recent = match &these {
        Ids::Recent => true,
        Ids::These(these) => these.contains(&Which::Recent),
        Ids::All => false,
    };
    if recent {
        look(state).await;
    }
    let mut view = state.transmission().view();
    let now = Instant::now();
    view.sync(&all, now);
    let changed = || all.iter().copied().filter(|id| view.is_recent(*id, now));
    let these = match these {
        Ids::All => return Ok(all),
        Ids::Recent => return Ok(changed().collect()),
        Ids::These(these) => these,
    };
    let here: BTreeSet<&TorrentId> = all.iter().collect();
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for which in these {
        let ids: Vec<TorrentId> = match which {
            Which::Number(number) => view.numbered(number).into_iter().collect(),
            Which::Id(id) => vec![id],
            Which::Recent => changed().collect(),
        };
        found.extend(ids.into_iter().filter(|id| here.contains(id) && seen.insert(*id)));
    }
    Ok(found)
}

/// Looks at all torrents, so that what changed is noticed.
async fn look(state: &AppState) {
    let list = state.session().list().await;
    let mut view = state.transmission().view();
    let now = Instant::now();
    view.sync(&list.iter().map(|status| status.id).collect::<Vec<_>>(), now);
    list.iter().for_each(|status| view.look(status, now));
}

/// Answers `torrent_get`.
pub(super) async fn torrent_get(state: &AppState, call: &Call) -> Outcome {
    let params = &call.params;
    let fields = asked(params)?;
    let table = params.text("format")? == Some("table");
    let ids = meant(state, params).await?;
    let around = around(state, call.dialect);
    if fields.is_empty() {
        return Err(Fault::params("no fields specified"));
    }
    let needs = fields::needs(&fields);
    let mut torrents = Vec::new();
    if table {
        torrents.push(fields.iter().map(|name| json!(heading(name, call))).collect());
    }
    let places = state.session().ids();
    for id in ids {
        // One that is removed meanwhile is left out.
        let Ok(mut facts) = gather(state, id, needs).await else { continue };
        facts.position = places.iter().position(|place| *place == id).unwrap_or(0);
        let values = fields.iter().map(|name| facts.field(name, &around).unwrap_or_default());
        torrents.push(match table {
            true => values.collect(),
            false => Value::Object(fields.iter().cloned().zip(values).collect()),
        });
    }
    let mut result = Map::from_iter([("torrents".to_owned(), Value::Array(torrents))]);
    if params.ids()? == Ids::Recent {
        result.insert("removed".to_owned(), json!(state.transmission().view().gone()));
    }
    Ok(result)
}

/// Returns the names of the fields, each once; those that nobody knows are passed over.
fn asked(params: &Params) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for name in params.texts("fields")?.unwrap_or_default() {
        let name = names::current(name);
        if fields::ALL.contains(&name.as_str()) && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The first row of a table is spelt as the keys of objects are.
fn heading(name: &str, call: &Call) -> String {
    match call.dialect {
        Dialect::New => name.to_owned(),
        Dialect::Old => names::old(name, call.family()),
    }
}

fn around(state: &AppState, dialect: Dialect) -> Around {
    let shown = state.controls().shown();
    Around {
        dialect,
        now_s: now_s(),
        goal: shown.config.seed_goal(),
        peer_limit: shown.limits.connections_per_torrent,
        content_type: stream::content_type,
    }
}

/// Asks the engine for what is needed of one torrent.
pub(super) async fn gather(state: &AppState, id: TorrentId, needs: Needs) -> Result<Facts, TorrentError> {
    let session = state.session();
    let status = session.status(id).await?;
    let known = {
        let mut view = state.transmission().view();
        view.look(&status, Instant::now());
        view.known(id).ok_or(TorrentError::Unknown(id))?
    };
    Ok(Facts {
        known,
        labels: state.labels().of(id),
        position: 0,
        files: if needs.files { session.files(id).await? } else { Vec::new() },
        magnet: if needs.magnet { magnet(session, &status).await? } else { String::new() },
        origin: if needs.origin { origin(session, id).await } else { Origin::default() },
        peers: if needs.peers { session.peers(id).await? } else { Vec::new() },
        pieces: if needs.pieces { session.pieces(id, 0).await?.map(|pieces| pieces.have) } else { None },
        trackers: if needs.trackers { session.trackers(id).await? } else { Vec::new() },
        web_seeds: if needs.web_seeds { session.web_seeds(id).await? } else { Vec::new() },
        status,
    })
}

/// A share with certain people has no link: they are told by other ways.
async fn magnet(session: &Session, status: &TorrentStatus) -> Result<String, TorrentError> {
    if status.confined { Ok(String::new()) } else { session.magnet(status.id).await }
}

/// Reads what the torrent file says of itself; nothing while the metadata is not known.
pub(in crate::server) async fn origin(session: &Session, id: TorrentId) -> Origin {
    let file = session.torrent_file(id).await.ok().and_then(|bytes| TorrentFile::from_bytes(&bytes).ok());
    let Some(file) = file else { return Origin::default() };
    Origin {
        comment: file.comment.unwrap_or_default(),
        creator: file.created_by.unwrap_or_default(),
        date_s: file.creation_date.unwrap_or(0),
    }
}

/// Returns the number of a torrent that has just come, too.
pub(super) fn meant_number(state: &AppState, id: TorrentId) -> Option<i64> {
    let ids = state.session().ids();
    let mut view = state.transmission().view();
    view.sync(&ids, Instant::now());
    view.known(id).map(|known| known.number)
}
