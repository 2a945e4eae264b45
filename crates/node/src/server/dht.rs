//! The DHT: its table, look-ups, and items.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use futures_util::Stream;
use metainfo::InfoHashV1;
use net::dht::{Announce, Failure, Immutable, Item, ItemName, Mutable, PublicKey};
use net::{Dht, PeerSearch};
use rpc::{
    DhtInfo, DhtItem, DhtNodeInfo, DhtNodeRequest, DhtOwner, DhtPeersEvent, DhtPong, DhtPutRequest, DhtScrape,
    DhtStored, Problem,
};
use serde::Deserialize;

use super::AppState;
use super::body::{Body, Id, Params, Word};
use super::problem::ApiError;
use crate::convert;

/// How long a look-up waits for the first node of the DHT to answer: resolving a well-known host, asking it, and asking
/// whom it names, with one try lost.
const READY_TIMEOUT: Duration = Duration::from_secs(15);

/// The title of what a silent node makes of a request.
const SILENT: &str = "The node does not answer";

/// Options of [`peers`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PeersParams {
    announce_port: Option<u16>,
}

/// Options of [`get`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GetParams {
    salt_hex: String,
    newer_than: Option<i64>,
}

/// Tells how the DHT is.
#[utoipa::path(get, path = "/api/v1/dht", responses(
    (status = 200, description = "The DHT", body = DhtInfo),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
))]
pub(crate) async fn info(State(state): State<AppState>) -> Result<Json<DhtInfo>, ApiError> {
    let dht = dht(&state)?;
    Ok(Json(convert::dht(dht.status().await, dht.is_ready())))
}

/// Lists the nodes of the table, near ones last.
#[utoipa::path(get, path = "/api/v1/dht/nodes", responses(
    (status = 200, description = "The nodes", body = Vec<DhtNodeInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
))]
pub(crate) async fn nodes(State(state): State<AppState>) -> Result<Json<Vec<DhtNodeInfo>>, ApiError> {
    Ok(Json(dht(&state)?.nodes().await.into_iter().map(convert::dht_node).collect()))
}

/// Tells the DHT of a possible node, which it asks whether it is one.
#[utoipa::path(post, path = "/api/v1/dht/nodes", request_body = DhtNodeRequest, responses(
    (status = 202, description = "It will be asked"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn add(
    State(state): State<AppState>,
    Body(request): Body<DhtNodeRequest>,
) -> Result<StatusCode, ApiError> {
    let dht = dht(&state)?;
    for address in resolve(&state, &request.address).await? {
        dht.add_node(address);
    }
    Ok(StatusCode::ACCEPTED)
}

/// Looks for the nodes that are nearest to a key, nearest first.
#[utoipa::path(get, path = "/api/v1/dht/nodes/{id}", params(("id" = String, Path, description = "The key")), responses(
    (status = 200, description = "The nodes", body = Vec<DhtNodeInfo>),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No key", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
    (status = 424, description = "No node answers", body = Problem),
))]
pub(crate) async fn nearest(State(state): State<AppState>, Id(key): Id) -> Result<Json<Vec<DhtNodeInfo>>, ApiError> {
    let target = key.into();
    let nodes = ready(&state).await?.find_nodes(target).await?;
    Ok(Json(nodes.into_iter().map(|node| convert::dht_found(node, target)).collect()))
}

/// Asks a node for its id.
#[utoipa::path(post, path = "/api/v1/dht/ping", request_body = DhtNodeRequest, responses(
    (status = 200, description = "Its answer", body = DhtPong),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 424, description = "It refuses, or does not answer", body = Problem),
))]
pub(crate) async fn ping(
    State(state): State<AppState>,
    Body(request): Body<DhtNodeRequest>,
) -> Result<Json<DhtPong>, ApiError> {
    let dht = dht(&state)?;
    let mut result = Err(Failure::Silent);
    for address in resolve(&state, &request.address).await? {
        result = dht.ping(address).await.map(|pong| convert::dht_pong(address, pong));
        if result.is_ok() {
            break;
        }
    }
    match result {
        Ok(pong) => Ok(Json(pong)),
        Err(Failure::Silent) => {
            let detail =
                format!("{} does not answer: is it a node of the DHT, and is the port right?", request.address);
            Err(ApiError::elsewhere("dht-silent", SILENT, detail))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Looks for the peers of a swarm; they come as they are found.
#[utoipa::path(get, path = "/api/v1/dht/peers/{id}", params(
    ("id" = String, Path, description = "The swarm: a v1 info-hash, or the first 20 bytes of a v2 one"),
    ("announce_port" = Option<u16>, Query, description = "Become one of them, reached at this port"),
), responses(
    (status = 200, description = "Server-sent events, each with a DhtPeersEvent as its data", body = DhtPeersEvent,
     content_type = "text/event-stream"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No info-hash", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
    (status = 429, description = "Too many streams", body = Problem),
    (status = 424, description = "No node answers", body = Problem),
))]
pub(crate) async fn peers(
    State(state): State<AppState>,
    Id(info_hash): Id,
    Params(params): Params<PeersParams>,
) -> Result<impl IntoResponse, ApiError> {
    let permit = state.event_stream()?;
    let dht = ready(&state).await?;
    let status = dht.status().await;
    let nodes = [status.v4, status.v6].into_iter().flatten().map(|family| family.good).sum();
    let announce = params.announce_port.map(|port| Announce { port, implied_port: false, seed: false });
    let search = Search { found: dht.find_peers(info_hash, announce), begun: Some(nodes), peers: 0, done: false };
    let events = futures_util::stream::unfold((search, permit), |(mut search, permit)| async move {
        let event = search.next().await?;
        // The types of the API always have a JSON form.
        let data = serde_json::to_string(&event).unwrap_or_default();
        Some((Ok(sse::Event::default().data(data)), (search, permit)))
    });
    Ok(stream(events))
}

fn stream(events: impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static) -> impl IntoResponse {
    Sse::new(events).keep_alive(KeepAlive::default())
}

/// A look-up for peers, told event by event.
struct Search {
    found: PeerSearch,
    begun: Option<u32>,
    peers: u32,
    done: bool,
}

impl Search {
    async fn next(&mut self) -> Option<DhtPeersEvent> {
        if let Some(nodes) = self.begun.take() {
            return Some(DhtPeersEvent::Begun { nodes });
        }
        if self.done {
            return None;
        }
        Some(match self.found.next().await {
            Some(Ok(peers)) => {
                self.peers = self.peers.saturating_add(u32::try_from(peers.len()).unwrap_or(u32::MAX));
                DhtPeersEvent::Peers { addresses: peers.iter().map(ToString::to_string).collect() }
            }
            Some(Err(failure)) => {
                self.done = true;
                DhtPeersEvent::Done { peers: self.peers, failure: Some(failure.to_string()) }
            }
            None => {
                self.done = true;
                DhtPeersEvent::Done { peers: self.peers, failure: None }
            }
        })
    }
}

/// Estimates the size of a swarm (BEP 33).
#[utoipa::path(get, path = "/api/v1/dht/swarms/{id}", params(
    ("id" = String, Path, description = "The swarm: a v1 info-hash, or the first 20 bytes of a v2 one"),
), responses(
    (status = 200, description = "The estimate", body = DhtScrape),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No info-hash", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
    (status = 424, description = "No node answers", body = Problem),
))]
pub(crate) async fn scrape(State(state): State<AppState>, Id(info_hash): Id) -> Result<Json<DhtScrape>, ApiError> {
    let scrape = ready(&state).await?.scrape(info_hash).await?;
    Ok(Json(DhtScrape { seeds: scrape.seeds, leechers: scrape.peers, nodes: scrape.nodes }))
}

/// Looks for an item (BEP 44).
#[utoipa::path(get, path = "/api/v1/dht/items/{id}", params(
    ("id" = String, Path, description = "Its hash (40 digits), or the key of its owner (64 digits)"),
    ("salt_hex" = Option<String>, Query, description = "Which item of that owner"),
    ("newer_than" = Option<i64>, Query, description = "Of a mutable item, only one with a larger sequence number"),
), responses(
    (status = 200, description = "The item", body = DhtItem),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No node has it", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
    (status = 424, description = "No node answers", body = Problem),
))]
pub(crate) async fn get(
    State(state): State<AppState>,
    Word(name): Word,
    Params(params): Params<GetParams>,
) -> Result<Json<DhtItem>, ApiError> {
    let name = item_name(&name, &params.salt_hex)?;
    let item = ready(&state).await?.get_item(name, params.newer_than).await?;
    match item {
        Some(item) => Ok(Json(describe(&item))),
        None => Err(ApiError::not_found(
            "no node of the DHT has this item: it fades after two hours unless it is stored again",
        )),
    }
}

/// Stores an item (BEP 44).
#[utoipa::path(post, path = "/api/v1/dht/items", request_body = DhtPutRequest, responses(
    (status = 200, description = "It is stored", body = DhtStored),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "Another item is stored there, or the DHT is switched off", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 424, description = "The nodes refuse it, or none answers", body = Problem),
))]
pub(crate) async fn put(
    State(state): State<AppState>,
    Body(request): Body<DhtPutRequest>,
) -> Result<Json<DhtStored>, ApiError> {
    let item = item(&request)?;
    if request.cas.is_some() && request.owner.is_none() {
        return Err(ApiError::bad_request("cas is for mutable items: an immutable one never changes"));
    }
    let target = item.target().to_string();
    let nodes = ready(&state).await?.put_item(item, request.cas, request.keep).await?;
    Ok(Json(DhtStored { target, nodes }))
}

/// No longer stores an item again every hour.
#[utoipa::path(delete, path = "/api/v1/dht/items/{id}", params(
    ("id" = String, Path, description = "The key that it is stored under: the target of the answer that stored it"),
), responses(
    (status = 204, description = "It fades within two hours"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No key", body = Problem),
    (status = 409, description = "The DHT is switched off", body = Problem),
))]
pub(crate) async fn forget(State(state): State<AppState>, Id(target): Id) -> Result<StatusCode, ApiError> {
    dht(&state)?.forget(target.into());
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the DHT if it is on.
fn dht(state: &AppState) -> Result<Dht, ApiError> {
    state.session().dht().ok_or_else(|| {
        let detail = "the DHT is switched off (`dht` in [network] of the settings, or how the node was started): \
                      start the node with it";
        ApiError::new(StatusCode::CONFLICT, "dht-off", "The DHT is switched off", detail)
    })
}

/// Returns the DHT once a node of it answers.
async fn ready(state: &AppState) -> Result<Dht, ApiError> {
    let dht = dht(state)?;
    match tokio::time::timeout(READY_TIMEOUT, dht.ready()).await {
        Ok(()) => Ok(dht),
        Err(_) => Err(Failure::NoNodes.into()),
    }
}

async fn resolve(state: &AppState, text: &str) -> Result<Vec<SocketAddr>, ApiError> {
    state.session().resolve(text).await.map_err(ApiError::bad_request)
}

fn hex(name: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| {
        ApiError::bad_request(format!("{name}: {text:?} is not hexadecimal: write two digits for each byte"))
    })
}

fn item_name(name: &str, salt_hex: &str) -> Result<ItemName, ApiError> {
    let salt = hex("salt_hex", salt_hex)?;
    if salt.len() > net::dht::MAX_SALT_LEN {
        return Err(ApiError::bad_request(format!(
            "a salt has at most {} bytes: take a shorter one",
            net::dht::MAX_SALT_LEN
        )));
    }
    if let Ok(hash) = name.parse::<InfoHashV1>() {
        return Ok(ItemName::Immutable(hash.into()));
    }
    match HEXLOWER_PERMISSIVE.decode(name.as_bytes()).ok().and_then(|key| key.try_into().ok()) {
        Some(key) => Ok(ItemName::Mutable { key: PublicKey(key), salt: salt.into() }),
        None => Err(ApiError::not_found(format!("{name:?} names no item: a hash has 40 hexadecimal digits, a key 64"))),
    }
}

fn item(request: &DhtPutRequest) -> Result<Item, ApiError> {
    let value = BASE64.decode(request.value_base64.trim().as_bytes());
    let value = value.map_err(|error| ApiError::bad_request(format!("value_base64: {error}")))?;
    let wrong = |error: net::dht::ItemError| ApiError::bad_request(error.to_string());
    let Some(owner) = &request.owner else {
        return Immutable::new(value).map(Item::Immutable).map_err(wrong);
    };
    let length = |name, digits| ApiError::bad_request(format!("{name} has {digits} hexadecimal digits"));
    let key = hex("public_key", &owner.public_key)?.try_into().map_err(|_| length("public_key", 64))?;
    let signature = hex("signature", &owner.signature)?.try_into().map_err(|_| length("signature", 128))?;
    let salt = hex("salt_hex", &owner.salt_hex)?;
    Mutable::verify(PublicKey(key), salt, owner.seq, value, signature).map(Item::Mutable).map_err(wrong)
}

fn describe(item: &Item) -> DhtItem {
    let owner = match item {
        Item::Immutable(_) => None,
        Item::Mutable(item) => Some(DhtOwner {
            public_key: item.key().to_string(),
            salt_hex: HEXLOWER.encode(item.salt()),
            seq: item.seq(),
            signature: HEXLOWER.encode(item.signature()),
        }),
    };
    DhtItem { target: item.target().to_string(), value_base64: BASE64.encode(item.value()), owner }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> ApiError {
        let detail = failure.to_string();
        let (kind, title) = match failure {
            Failure::NoNodes => ("dht-no-nodes", "No node of the DHT answers"),
            Failure::Silent => ("dht-silent", SILENT),
            Failure::Refused { .. } => ("dht-refused", "The nodes of the DHT refuse"),
            Failure::Conflict { .. } => return ApiError::conflict(detail),
            Failure::TooMany | Failure::TooManyKept => return ApiError::busy(detail),
            Failure::NoSocket => return ApiError::bad_request(detail),
        };
        ApiError::elsewhere(kind, title, detail)
    }
}
