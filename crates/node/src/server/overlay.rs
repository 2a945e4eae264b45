//! The connections with other nodes: which there are, which way each goes, and whether a node is there.

use std::collections::BTreeMap;
use std::time::Duration;

use ::overlay::{Hint, Overlay};
use axum::Json;
use axum::extract::State;
use base::{NodeId, PersonId};
use people::proto::Book;
use rpc::{KnownRelay, NodeConnection, NodePing, NodePong, OverlayInfo, OwnRelay, Pong, Problem, Way};

use super::AppState;
use super::body::Body;
use super::problem::ApiError;
use crate::people::{MeetError, People};

/// How often a node is asked at most: one stream is used so often.
const MAX_TIMES: u32 = 60;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(500);

/// Lists the connections with other nodes, and which way each goes.
#[utoipa::path(get, path = "/api/v1/connections", responses(
    (status = 200, description = "The connections", body = Vec<NodeConnection>),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn connections(State(state): State<AppState>) -> Json<Vec<NodeConnection>> {
    let Some((people, overlay)) = met(&state) else { return Json(Vec::new()) };
    let connections = overlay.connections();
    let book = people.book();
    let info = |connection: ::overlay::ConnectionInfo| {
        let (node_name, person, person_name) = names(&book, connection.node);
        NodeConnection {
            node: connection.node.to_string(),
            node_name,
            person: person.or(connection.person).map(|person| person.to_string()),
            person_name,
            service: connection.service.to_owned(),
            incoming: !connection.outgoing,
            way: connection.way.map(way),
            rtt_ms: connection.rtt.map(ms),
            sent_bytes: connection.sent_bytes,
            received_bytes: connection.received_bytes,
            streams: connection.streams as u64,
            age_s: connection.age.as_secs(),
        }
    };
    Json(connections.into_iter().map(info).collect())
}

/// Asks a node whether it is there, finding and dialling it where no connection stands. Takes up to 40 s, and half a second
/// for each further time.
#[utoipa::path(post, path = "/api/v1/nodes/ping", request_body = NodePing, responses(
    (status = 200, description = "How it answered", body = NodePong),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "Nobody is called so", body = Problem),
    (status = 409, description = "It does not answer", body = Problem),
))]
pub(crate) async fn ping(
    State(state): State<AppState>,
    Body(request): Body<NodePing>,
) -> Result<Json<NodePong>, ApiError> {
    let people = super::people::people(&state)?;
    let overlay = people.reach()?;
    let hints: Result<Vec<Hint>, _> = request.hints.iter().map(|hint| hint.parse::<Hint>()).collect();
    let hints = hints.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let nodes = meant(people, &request.who)?;
    let times = request.times.unwrap_or(1).clamp(1, MAX_TIMES) as usize;
    let mut failed = None;
    for node in nodes {
        match overlay.ping(node, &hints, times, PAUSE).await {
            Ok(pongs) => {
                let (node_name, _, person_name) = names(&people.book(), node);
                let answers = pongs.into_iter().map(|pong| Pong { way: pong.way.map(way), took_ms: ms(pong.took) });
                let answers = answers.collect();
                return Ok(Json(NodePong { node: node.to_string(), node_name, person_name, answers }));
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or(MeetError::Nowhere, MeetError::Open).into())
}

/// Tells how other nodes are met.
pub(super) fn info(state: &AppState) -> Option<OverlayInfo> {
    let (people, overlay) = met(state)?;
    let offered: BTreeMap<String, String> = {
        let offered = people.relays_of_people();
        let book = people.book();
        let who = |node| names(&book, node).2.unwrap_or_else(|| format!("node {node}"));
        offered.into_iter().map(|(relay, node)| (relay.to_string(), who(node))).collect()
    };
    let relay = overlay.own_relay();
    // Our own is told of among what we offer.
    let others = overlay.relays().into_iter().filter(|relay| relay.node() != Some(overlay.node()));
    let known = others.map(|relay| {
        let relay = relay.to_string();
        KnownRelay { offered_by: offered.get(&relay).cloned(), relay }
    });
    Some(OverlayInfo {
        node: overlay.node().to_string(),
        listen: overlay.bound().iter().map(ToString::to_string).collect(),
        hints: overlay.own_hints().iter().map(ToString::to_string).collect(),
        relay: relay.map(|(relay, connected, message)| OwnRelay { relay: relay.to_string(), connected, message }),
        relays: known.collect(),
        public_relays: overlay.uses_public_relays(),
        revoked: state.people().is_some_and(|people| people.book().is_out()),
        published: overlay.publishes() && state.session().dht().is_some(),
    })
}

fn met(state: &AppState) -> Option<(&People, &Overlay)> {
    let people = state.people()?;
    Some((people, people.overlay()?))
}

/// Returns the nodes that somebody means.
fn meant(people: &People, who: &str) -> Result<Vec<NodeId>, ApiError> {
    let who = who.trim();
    if let Ok(node) = who.strip_prefix("node:").unwrap_or(who).parse() {
        return Ok(vec![node]);
    }
    let book = people.book();
    if let Some(node) = book.own().and_then(|own| own.newest().list().find(who)) {
        return Ok(vec![node]);
    }
    let known = book.person(&super::people::find(&book, who)?);
    Ok(known.map(|known| known.nodes().map(|(node, _)| *node).collect()).unwrap_or_default())
}

/// Returns what a node is called, its person, and what that one is called here.
fn names(book: &Book, node: NodeId) -> (Option<String>, Option<PersonId>, Option<String>) {
    let Some(person) = book.person_of(&node) else { return (None, None, None) };
    let known = book.person(&person).or_else(|| book.own().filter(|own| own.id() == person));
    let node_name = known.and_then(|known| known.newest().list().nodes.get(&node).map(|entry| entry.name.to_string()));
    (node_name, Some(person), Some(book.name_of(&person)))
}

fn way(way: ::overlay::Way) -> Way {
    match way {
        ::overlay::Way::Direct(address) => Way::Direct(address.to_string()),
        ::overlay::Way::Relayed(relay) => Way::Relayed(relay.to_string()),
    }
}

fn ms(duration: Duration) -> f64 {
    // To a hundredth: more says nothing.
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}
