//! Transmission's RPC, for the tools that speak it: at `/transmission/rpc`, in the spelling and envelope of 3.00 and 4.0 and in
//! those of 4.1 (JSON-RPC 2.0).
//!
//! A tool logs in by HTTP's Basic authentication: any user, and the token of the home as the password. What it asks for that
//! this program does not have is refused in words, never answered with success.
//!
//! | file | concern |
//! | --- | --- |
//! | `envelope`, `names`, `params`, `fault` | the protocol: requests, spellings, values, errors; pure |
//! | `fields`, `nested` | what is told of a torrent; pure |
//! | `view` | numbers of torrents, and what changed lately; pure |
//! | `get`, `add`, `set`, `act` | the methods of torrents |
//! | `session`, `once` | the methods of the session |

mod act;
mod add;
mod envelope;
mod fault;
mod fields;
mod get;
mod names;
mod nested;
mod once;
mod params;
mod session;
mod set;
mod view;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::AppState;
use super::body;
use super::problem::ApiError;
use act::Deed;
use envelope::{Call, Envelope, Outcome};
use fault::{Code, Fault};
use view::View;

pub(super) use fields::Origin;
pub(super) use get::origin;
pub(super) use once::dialled_from_outside;

/// The header of the session's id, against requests that a page forges: no page can read or send it (docs/rpc-spec.md, 2.2.1).
const SESSION_ID: &str = "x-transmission-session-id";

/// The header by which tools learn which envelopes are understood (docs/rpc-spec.md, 5).
const RPC_VERSION: &str = "x-transmission-rpc-version";

/// How many random bytes the session's id has. Arbitrary: nobody guesses it.
const ID_BYTES: usize = 24;

/// What is kept between requests.
#[derive(Debug)]
pub(crate) struct Transmission {
    id: String,
    view: Mutex<View>,
}

impl Transmission {
    /// Draws the session's id.
    pub(crate) fn new() -> Result<Transmission, getrandom::Error> {
        let mut secret = [0; ID_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Transmission { id: data_encoding::HEXLOWER.encode(&secret), view: Mutex::default() })
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn view(&self) -> MutexGuard<'_, View> {
        // Nothing panics between two changes of it.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves Transmission's RPC: docs/rpc-spec.md of Transmission 4.1, and extras/rpc-spec.txt of 3.00. The password is the token.
#[utoipa::path(post, path = "/transmission/rpc", request_body = Object, responses(
    (status = 200, description = "The answer, failures included", body = Object),
    (status = 204, description = "Notifications have none"),
    (status = 401, description = "No token", body = rpc::Problem),
    (status = 409, description = "The header X-Transmission-Session-Id is missing or old; the answer's has the right one"),
))]
pub(crate) async fn rpc(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    if !shows_id(request.headers(), state.transmission().id()) {
        return Ok(name_id(&state));
    }
    let answer = match envelope::read(&body::bytes(request).await?) {
        Envelope::One(Ok(call)) => answer(&state, &call).await,
        Envelope::One(Err(refusal)) => Some(refusal),
        Envelope::Many(calls) => {
            let mut answers = Vec::new();
            for call in calls {
                match call {
                    Ok(call) => answers.extend(answer(&state, &call).await),
                    Err(refusal) => answers.push(refusal),
                }
            }
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
    };
    Ok(answer.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |answer| axum::Json(answer).into_response()))
}

/// Tells the session's id to tools that ask for it before their first request.
#[utoipa::path(get, path = "/transmission/rpc", responses(
    (status = 401, description = "No token", body = rpc::Problem),
    (status = 409, description = "The header X-Transmission-Session-Id has the id"),
))]
pub(crate) async fn session_id(State(state): State<AppState>) -> Response {
    name_id(&state)
}

fn shows_id(headers: &HeaderMap, id: &str) -> bool {
    headers.get(SESSION_ID).is_some_and(|shown| shown.as_bytes().ct_eq(id.as_bytes()).into())
}

/// Tells the session's id to who has logged in.
fn name_id(state: &AppState) -> Response {
    let id = state.transmission().id();
    let words = format!("send this request again, with the header X-Transmission-Session-Id: {id}\n");
    let mut response = (StatusCode::CONFLICT, words).into_response();
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(SESSION_ID, id);
    }
    headers.insert(RPC_VERSION, HeaderValue::from_static(session::RPC_SEMVER));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn answer(state: &AppState, call: &Call) -> Option<Value> {
    let outcome = perform(state, call).await;
    if let Err(fault) = &outcome {
        tracing::debug!(method = %call.method, words = %fault.sentence(), "a tool's request is refused");
    }
    call.answer(outcome)
}

/// Does what is asked for.
async fn perform(state: &AppState, call: &Call) -> Outcome {
    let params = &call.params;
    match call.method.as_str() {
        "torrent_get" => get::torrent_get(state, call).await,
        "torrent_add" => add::torrent_add(state, params).await,
        "torrent_set" => set::torrent_set(state, params).await,
        "torrent_start" | "torrent_start_now" => act::each(state, params, Deed::Start).await,
        "torrent_stop" => act::each(state, params, Deed::Stop).await,
        "torrent_verify" => act::each(state, params, Deed::Verify).await,
        "torrent_reannounce" => act::each(state, params, Deed::Reannounce).await,
        "torrent_remove" => act::remove(state, params).await,
        "torrent_set_location" => act::set_location(state, params).await,
        "torrent_rename_path" => act::rename(state, params).await,
        "session_get" => session::get(state, call).await,
        "session_set" => session::set(state, call).await,
        "session_stats" => once::stats(state).await,
        "free_space" => once::free_space(params).await,
        "port_test" => once::port_test(state, params),
        "group_get" => once::groups(),
        "group_set" => Err(Fault::unsupported("there are no bandwidth groups; limit each torrent")),
        // Nobody waits behind another, so whoever is to be next is: programs that fetch series ask for it.
        "queue_move_top" | "queue_move_up" => get::meant(state, params).await.map(|_| Default::default()),
        "queue_move_down" | "queue_move_bottom" => {
            Err(Fault::unsupported("there is no queue: all torrents run at once"))
        }
        "blocklist_update" => Err(Fault::unsupported(
            "block lists are files, which are read when they change: `compeer block --list FILE`",
        )),
        "session_close" => Err(Fault::unsupported("the node ends where it was started: Ctrl-C there, or a signal")),
        // As 3.00 says it.
        "" if call.dialect == envelope::Dialect::Old => Err(Fault::params("no method name")),
        _ => Err(Fault::new(Code::NoSuchMethod, "")),
    }
}

#[cfg(test)]
pub(super) mod tests;
