//! What changes, as server-sent events: first everything, then what is different from it. Each stream follows one thing, which
//! is looked at only while somebody follows, and once for all who do.

pub(crate) mod all;
mod chat;
mod hub;
pub(crate) mod network;
mod node;
mod picture;
mod ring;
pub(crate) mod torrent;
pub(crate) mod usage;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ::torrent::TorrentId;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use self::hub::{Desk, Hub, Told};
use self::picture::Picture;
use super::AppState;
use super::problem::ApiError;

/// What can be followed.
#[derive(Debug)]
pub(crate) struct Streams {
    all: Arc<Hub>,
    usage: Arc<Hub>,
    network: Arc<Hub>,
    torrents: Mutex<Torrents>,
}

/// Each torrent that is followed.
#[derive(Debug, Default)]
struct Torrents {
    hubs: BTreeMap<TorrentId, Weak<Hub>>,
    closed: bool,
}

/// The event behind which a stream goes on: as the header that browsers send by themselves or, for who has no way to send a
/// header, in the query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct LastId {
    #[serde(default)]
    last_event_id: Option<String>,
}

impl IntoParams for LastId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let words = "The id of the last event that arrived: the stream goes on behind it if that was not long ago; otherwise \
            everything comes again";
        let parameter = |name, place| {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(Required::False);
            parameter.description(Some(words)).schema(Some(text)).build()
        };
        vec![parameter("Last-Event-ID", ParameterIn::Header), parameter("last_event_id", ParameterIn::Query)]
    }
}

impl<S: Sync> FromRequestParts<S> for LastId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<LastId, Infallible> {
        let header = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let query = || Query::try_from_uri(&parts.uri).map(|Query(id)| id).unwrap_or_default();
        Ok(header.map_or_else(query, |id| LastId { last_event_id: Some(id.to_owned()) }))
    }
}

impl Streams {
    /// Follows nothing yet.
    pub(super) fn new() -> Streams {
        Streams { all: Hub::new(), usage: Hub::new(), network: Hub::new(), torrents: Mutex::default() }
    }

    /// Ends all streams: the node ends.
    pub(crate) fn close(&self) {
        let mut torrents = self.torrents();
        torrents.closed = true;
        let hubs: Vec<_> = torrents.hubs.values().filter_map(Weak::upgrade).collect();
        drop(torrents);
        for hub in [&self.all, &self.usage, &self.network].into_iter().chain(&hubs) {
            hub.close();
        }
    }

    /// Returns that of a torrent, which lives for as long as somebody looks or follows.
    fn of(&self, id: TorrentId) -> Arc<Hub> {
        let mut torrents = self.torrents();
        torrents.hubs.retain(|_, hub| hub.strong_count() > 0);
        if let Some(hub) = torrents.hubs.get(&id).and_then(Weak::upgrade) {
            return hub;
        }
        let hub = Hub::new();
        if torrents.closed {
            hub.close();
        }
        torrents.hubs.insert(id, Arc::downgrade(&hub));
        hub
    }

    fn torrents(&self) -> MutexGuard<'_, Torrents> {
        // Nothing panics while it is held.
        self.torrents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers with a stream of what is looked at once a second.
fn stream(
    state: &AppState,
    hub: &Arc<Hub>,
    last: LastId,
    picture: impl Picture + 'static,
) -> Result<Response, ApiError> {
    answer(state, hub, last, |desk| picture::look(picture, desk))
}

/// Answers with a stream behind the last event that arrived; where nobody looks, `look` begins to.
fn answer<F: Future<Output = ()> + Send + 'static>(
    state: &AppState,
    hub: &Arc<Hub>,
    last: LastId,
    look: impl FnOnce(Desk) -> F,
) -> Result<Response, ApiError> {
    let permit = state.event_stream()?;
    let reader = hub.follow(last.last_event_id.as_deref(), look).ok_or_else(ApiError::shutting_down)?;
    let told = futures_util::stream::unfold((reader, permit), |(mut reader, permit)| async move {
        let Told { id, data } = reader.next().await?;
        let mut event = sse::Event::default().data(&*data);
        if let Some(id) = id {
            event = event.id(id);
        }
        Some((Ok::<_, Infallible>(event), (reader, permit)))
    });
    Ok(Sse::new(told).keep_alive(KeepAlive::default()).into_response())
}

/// Writes an event as it is sent.
fn text(event: &impl Serialize) -> Arc<str> {
    // The types of the API always have a JSON form.
    serde_json::to_string(event).unwrap_or_default().into()
}

/// Takes what there is now as told, and returns it if it is another than what was told.
fn other<T: Clone + PartialEq>(told: &mut Option<T>, now: T) -> Option<T> {
    if told.as_ref() == Some(&now) {
        return None;
    }
    *told = Some(now.clone());
    Some(now)
}
