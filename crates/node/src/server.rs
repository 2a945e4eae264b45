//! The API server: `/api/v1` on a loopback port.
//!
//! Every request shows the token of the home and names the server by a loopback `Host`; a browser page from elsewhere
//! (`Origin`) is refused, so that neither DNS rebinding nor a forged form reaches anything.

mod body;
mod chat;
mod controls;
mod dht;
mod doc;
mod events;
mod groups;
mod guard;
mod jobs;
mod named;
mod network;
mod overlay;
mod people;
mod problem;
mod services;
mod session;
mod sharing;
mod stream;
mod torrents;
mod updates;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use rpc::NodeMode;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use torrent::Session;

use crate::chat::{ChatHandle, Chats, Gateway};
use crate::controls::Controls;
use crate::groups::Groups;
use crate::jobs::Jobs;
use crate::people::People;
use crate::services::Services;
use crate::sharing::Sharing;
use crate::updates::Updates;
pub use doc::openapi;
use stream::Tickets;

/// The largest body of a request, in bytes: a torrent file of a million pieces, in base64.
pub const MAX_BODY_BYTES: usize = 48 << 20;

/// How many event streams are served at once; each costs a look at all torrents per tick. Arbitrary.
const MAX_EVENT_STREAMS: usize = 32;

/// What the requests work with. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    jobs: Jobs,
    event_streams: Arc<Semaphore>,
    tickets: Tickets,
}

/// What the server is built from.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) controls: Controls,
    /// `None`: the home has no identity.
    pub(crate) people: Option<People>,
    pub(crate) groups: Option<Groups>,
    pub(crate) services: Services,
    pub(crate) updates: Updates,
    /// `None`: the node has no identity, or no overlay.
    pub(crate) sharing: Option<Sharing>,
    /// `None`: the node has no identity, or no overlay.
    pub(crate) chats: Option<Chats>,
    /// `None`: the node has no identity, or no overlay, or is there for one command only.
    pub(crate) irc: Option<Gateway>,
    pub(crate) token: String,
    pub(crate) api: SocketAddr,
    pub(crate) mode: NodeMode,
    pub(crate) home: PathBuf,
    pub(crate) download_folder: PathBuf,
    pub(crate) seed_goal: torrent::SeedGoal,
    pub(crate) begun: Instant,
}

impl AppState {
    pub(crate) fn new(parts: Parts) -> AppState {
        let event_streams = Arc::new(Semaphore::new(MAX_EVENT_STREAMS));
        AppState(Arc::new(Inner { parts, jobs: Jobs::default(), event_streams, tickets: Tickets::default() }))
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0.parts.session
    }

    pub(crate) fn controls(&self) -> &Controls {
        &self.0.parts.controls
    }

    pub(crate) fn groups(&self) -> Option<&Groups> {
        self.0.parts.groups.as_ref()
    }

    pub(crate) fn people(&self) -> Option<&People> {
        self.0.parts.people.as_ref()
    }

    pub(crate) fn services(&self) -> &Services {
        &self.0.parts.services
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    pub(crate) fn sharing(&self) -> Result<&Sharing, problem::ApiError> {
        self.0.parts.sharing.as_ref().ok_or_else(|| match self.people() {
            Some(people) => people.reach().err().map_or_else(people::nobody, Into::into),
            None => people::nobody(),
        })
    }

    pub(crate) fn chat(&self) -> Result<&ChatHandle, problem::ApiError> {
        self.0.parts.chats.as_ref().and_then(Chats::get).ok_or_else(|| match self.people() {
            Some(people) => people.reach().err().map_or_else(people::nobody, Into::into),
            None => people::nobody(),
        })
    }

    pub(crate) fn irc(&self) -> Option<&Gateway> {
        self.0.parts.irc.as_ref()
    }

    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    fn tickets(&self) -> &Tickets {
        &self.0.tickets
    }

    fn event_streams(&self) -> Arc<Semaphore> {
        self.0.event_streams.clone()
    }
}

/// Serves until `stopped`.
pub(crate) async fn serve(listener: TcpListener, state: AppState, stopped: oneshot::Receiver<()>) {
    let stop = async {
        // A dropped sender means the same.
        let _ = stopped.await;
    };
    if let Err(error) = axum::serve(listener, router(state)).with_graceful_shutdown(stop).await {
        tracing::warn!(%error, "the API stopped");
    }
}

fn router(state: AppState) -> Router {
    let torrents = Router::new()
        .route("/torrents", get(torrents::list).post(torrents::add))
        .route("/torrents/{id}", get(torrents::one).delete(torrents::remove))
        .route("/torrents/{id}/pause", post(torrents::pause))
        .route("/torrents/{id}/resume", post(torrents::resume))
        .route("/torrents/{id}/recheck", post(torrents::recheck))
        .route("/torrents/{id}/read", post(torrents::read))
        .route("/torrents/{id}/move", post(torrents::move_to))
        .route("/torrents/{id}/copy", post(jobs::copy))
        .route("/torrents/{id}/peers", get(torrents::peers).post(torrents::add_peer))
        .route("/torrents/{id}/files", get(torrents::files).patch(torrents::choose_files))
        .route("/torrents/{id}/files/{file}/content", get(stream::content))
        .route("/torrents/{id}/files/{file}/link", post(stream::link))
        .route("/torrents/{id}/trackers", get(torrents::trackers))
        .route("/torrents/{id}/limits", get(torrents::limits).put(torrents::limit))
        .route("/torrents/{id}/metainfo", get(torrents::metainfo));
    let dht = Router::new()
        .route("/dht", get(dht::info))
        .route("/dht/nodes", get(dht::nodes).post(dht::add))
        .route("/dht/nodes/{id}", get(dht::nearest))
        .route("/dht/ping", post(dht::ping))
        .route("/dht/peers/{id}", get(dht::peers))
        .route("/dht/swarms/{id}", get(dht::scrape))
        .route("/dht/items", post(dht::put))
        .route("/dht/items/{id}", get(dht::get).delete(dht::forget));
    let people = Router::new()
        .route("/identity", get(people::identity))
        .route("/identity/meet", post(people::meet))
        .route("/nodes", get(people::nodes))
        .route("/nodes/code", post(people::add_node).delete(people::await_nobody))
        .route("/nodes/join", post(people::join))
        .route("/nodes/{node}/revoke", post(people::revoke_node))
        .route("/contacts", get(people::contacts).post(people::add_contact))
        .route("/contacts/{contact}", get(people::contact).patch(people::change_contact).delete(people::remove_contact))
        .route("/invites", get(people::invites).post(people::invite))
        .route("/invites/{invite}", delete(people::revoke_invite));
    let groups = Router::new()
        .route("/groups", get(groups::list).post(groups::create))
        .route("/groups/join", post(groups::join))
        .route("/groups/unlock", post(groups::unlock))
        .route("/groups/{id}", get(groups::one).patch(groups::rename).delete(groups::leave))
        .route("/groups/{id}/invitations", post(groups::invite))
        .route("/groups/{id}/invitations/{invitation}", delete(groups::cancel))
        .route("/groups/{id}/members/{person}", put(groups::role).delete(groups::expel));
    let chats = Router::new()
        .route("/chat", get(chat::overall))
        .route("/chat/history", post(chat::ask_history))
        .route("/chats", get(chat::list))
        .route("/chats/{chat}", get(chat::one).patch(chat::change))
        .route("/chats/{chat}/messages", get(chat::messages).post(chat::send))
        .route("/chats/{chat}/messages/{id}", get(chat::one_message))
        .route("/chats/{chat}/messages/{id}/fetch", post(chat::fetch))
        .route("/chats/{chat}/attachments", post(chat::attach))
        .route("/chats/{chat}/read", post(chat::read))
        .route("/chats/{chat}/typing", post(chat::typing))
        .route("/chats/{chat}/accept", post(chat::accept))
        .route("/chats/{chat}/refuse", post(chat::refuse))
        .route("/chats/{chat}/export", get(chat::export))
        .route("/groups/{id}/rooms", get(chat::rooms).post(chat::open))
        .route("/messages", get(chat::search));
    let guarded = torrents
        .merge(dht)
        .merge(people)
        .merge(groups)
        .merge(chats)
        .route("/network", get(network::info))
        .route("/connections", get(overlay::connections))
        .route("/nodes/ping", post(overlay::ping))
        .route("/session", get(session::info))
        .route("/limits", get(session::limits).put(session::limit))
        .route("/gate", get(controls::gate).patch(controls::change_gate))
        .route("/budget", get(controls::budget).patch(controls::change_budget))
        .route("/schedule", get(controls::schedule).put(controls::change_schedule))
        .route("/offers", get(controls::offers))
        .route("/offers/{service}", axum::routing::patch(controls::change_offer))
        .route("/usage", get(controls::usage))
        .route("/usage/days", get(controls::days))
        .route("/updates", get(updates::list).post(updates::follow))
        .route("/services/tracker", get(services::tracker))
        .route("/shares", get(sharing::shares).post(jobs::share))
        .route("/shares/{id}", delete(sharing::unshare))
        .route("/inbox", get(sharing::inbox))
        .route("/inbox/rules", get(sharing::rules).put(sharing::set_rule).delete(sharing::remove_rule))
        .route("/inbox/{id}/accept", post(sharing::accept))
        .route("/inbox/{id}/decline", post(sharing::decline))
        .route("/libraries", get(sharing::libraries).put(sharing::add_library))
        .route("/libraries/{id}", delete(sharing::remove_library))
        .route("/browse", get(sharing::browse).post(sharing::take))
        .route("/services/relay", get(services::relay))
        .route("/services/mailbox", get(services::mailbox))
        .route("/jobs", get(jobs::list))
        .route("/jobs/{id}", get(jobs::one).delete(jobs::cancel))
        .route("/events", get(events::events))
        .route_layer(axum::middleware::from_fn_with_state(state.clone(), guard::token));
    let open = Router::new().route("/openapi.json", get(doc::document));
    Router::new()
        .nest(rpc::PREFIX, guarded.merge(open))
        .route("/health", get(session::health))
        .route("/stream/{ticket}/{name}", get(stream::by_ticket))
        .fallback(problem::no_such_resource)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(axum::middleware::from_fn_with_state(state.clone(), guard::host_and_origin))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}

#[cfg(test)]
mod tests;
