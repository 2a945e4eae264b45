//! The API server: `/api/v1` on a loopback port, and by TLS for other computers where the settings say so.
//!
//! Every request shows the token of the home, or the cookie of a log-in, and names the server by a `Host` that it has; a
//! browser page from elsewhere (`Origin`) is refused, so that neither DNS rebinding nor a forged form reaches anything.
//! Beside it lies the web page.

mod body;
mod bounds;
mod chat;
mod controls;
mod dav;
mod detail;
mod dht;
mod doc;
mod doors;
mod etag;
mod events;
mod feeds;
mod folders;
mod groups;
mod guard;
mod identity;
mod jobs;
mod login;
mod metrics;
mod named;
mod network;
mod orders;
mod overlay;
mod page;
mod paging;
mod password;
mod people;
mod problem;
mod qbittorrent;
mod qr;
mod serve;
mod services;
mod session;
mod settings;
mod sharing;
mod sorting;
mod state;
mod stream;
mod tls;
mod torrents;
mod totals;
mod transmission;
mod updates;
mod uploads;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, delete, get, post, put};

pub use doc::openapi;
pub(crate) use doors::Doors;
pub(crate) use serve::serve;
pub(crate) use state::{AppState, Parts};
pub(crate) use tls::{Identity, Remote};

/// The largest body of a request, in bytes: a torrent file of a million pieces, in base64.
pub const MAX_BODY_BYTES: usize = 48 << 20;

/// Routes every request.
pub(crate) fn router(state: AppState) -> Router {
    let torrents = Router::new()
        .route("/torrents", get(torrents::list).post(torrents::add))
        .route("/torrents/{id}", get(torrents::one).patch(sorting::change).delete(torrents::remove))
        .route("/torrents/{id}/pause", post(torrents::pause))
        .route("/torrents/{id}/resume", post(torrents::resume))
        .route("/torrents/{id}/recheck", post(torrents::recheck))
        .route("/torrents/{id}/announce", post(torrents::announce))
        .route("/torrents/{id}/read", post(torrents::read))
        .route("/torrents/{id}/move", post(torrents::move_to))
        .route("/torrents/{id}/copy", post(jobs::copy))
        .route("/torrents/{id}/peers", get(torrents::peers).post(torrents::add_peer))
        .route("/torrents/{id}/files", get(torrents::files).patch(torrents::choose_files))
        .route("/torrents/{id}/files/{file}/content", get(stream::content))
        .route("/torrents/{id}/files/{file}/link", post(stream::link))
        .route("/torrents/{id}/events", get(events::torrent::events))
        .route("/torrents/{id}/pieces", get(detail::pieces))
        .route("/torrents/{id}/log", get(detail::log))
        .route("/torrents/{id}/rates", get(detail::rates))
        .route("/torrents/{id}/sources", get(detail::sources))
        .route("/torrents/{id}/trackers", get(torrents::trackers))
        .route("/torrents/{id}/limits", get(bounds::limits).put(bounds::limit))
        .route("/torrents/{id}/goal", get(bounds::of).put(bounds::set))
        .route("/torrents/{id}/metainfo", get(torrents::metainfo))
        .route("/labels", get(sorting::labels))
        .route("/labels/{label}", delete(sorting::delete_label))
        .route("/categories", get(sorting::categories).put(sorting::put_category))
        .route("/categories/{category}", delete(sorting::delete_category));
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
        .route("/identity", get(people::identity).post(identity::create).patch(identity::change))
        .route("/identity/restore", post(identity::restore))
        .route("/identity/phrase", post(identity::phrase))
        .route("/identity/passphrase", put(identity::passphrase))
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
        .route("/chats", get(chat::list).post(chat::meet))
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
        .route("/network/events", get(events::network::events))
        .route("/connections", get(overlay::connections))
        .route("/nodes/ping", post(overlay::ping))
        .route("/session", get(session::info))
        .route("/folders", get(folders::list).post(folders::make))
        .route("/uploads", post(uploads::begin))
        .route("/uploads/{upload}", delete(uploads::remove))
        .route("/uploads/{upload}/{*path}", put(uploads::write))
        .route("/qr", get(qr::code))
        .route("/settings", get(settings::settings).patch(settings::change))
        .route("/rates", get(session::rates))
        .route("/limits", get(session::limits).put(session::limit))
        .route("/gate", get(controls::gate).patch(controls::change_gate))
        .route("/budget", get(controls::budget).patch(controls::change_budget))
        .route("/schedule", get(controls::schedule).put(controls::change_schedule))
        .route("/offers", get(controls::offers))
        .route("/offers/{service}", axum::routing::patch(controls::change_offer))
        .route("/usage", get(controls::usage))
        .route("/usage/events", get(events::usage::events))
        .route("/usage/days", get(controls::days))
        .route("/feeds", get(feeds::list))
        .route("/feeds/poll", post(feeds::poll))
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
        .route("/events", get(events::all::events))
        .route("/login", get(login::is_in))
        .route("/password", get(password::is_set).put(password::set).delete(password::remove))
        .route("/login/codes", post(login::code))
        .route("/logout", post(login::log_out))
        .route_layer(axum::middleware::from_fn_with_state(state.clone(), guard::token));
    // What tools know that speak no API of ours: they show the token as a password, too.
    let tools = Router::new()
        .route("/transmission/rpc", get(transmission::session_id).post(transmission::rpc))
        // As transmission-remote of 3.00 spells it.
        .route("/transmission/rpc/", get(transmission::session_id).post(transmission::rpc))
        .route("/metrics", get(metrics::metrics))
        .route_layer(axum::middleware::from_fn_with_state(state.clone(), guard::tool))
        .route_layer(axum::middleware::from_fn(guard::here));
    // WebDAV's methods are more than those that a route tells apart.
    let files = Router::new()
        .route("/dav", any(dav::door))
        .route("/dav/", any(dav::door))
        .route("/dav/{*path}", any(dav::door))
        .layer(DefaultBodyLimit::max(dav::MAX_BODY_BYTES))
        .route_layer(axum::middleware::from_fn_with_state(state.clone(), guard::owner));
    let open = Router::new()
        .route("/openapi.json", get(doc::document))
        .route("/login", post(login::log_in).layer(DefaultBodyLimit::max(login::MAX_BODY_BYTES)));
    Router::new()
        .nest(rpc::PREFIX, guarded.merge(open))
        .merge(tools)
        .merge(files)
        .nest("/api/v2", qbittorrent::router(&state).layer(axum::middleware::from_fn(guard::here)))
        .route("/health", get(session::health))
        .route("/stream/{torrent}/{file}", get(stream::play))
        .merge(page::router())
        .fallback(problem::no_such_resource)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(axum::middleware::from_fn(paging::pages))
        .layer(axum::middleware::from_fn_with_state(state.clone(), guard::guesses))
        .layer(axum::middleware::from_fn_with_state(state.clone(), guard::host_and_origin))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(state)
}

#[cfg(test)]
mod tests;
