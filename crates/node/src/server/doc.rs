//! The description of the API in OpenAPI, made from the code.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::{
    chat, controls, dht, events, groups, jobs, network, overlay, people, services, session, sharing, stream, torrents,
    updates,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Compeer", description = "The API of a node. It listens on a loopback address, which the file `api` in \
         the node's home names; the file `token` there holds the token."),
    paths(
        controls::gate, controls::change_gate, controls::budget, controls::change_budget, controls::schedule,
        controls::change_schedule, controls::offers, controls::change_offer, controls::usage, controls::days,
        services::tracker, services::relay, services::mailbox, overlay::connections, overlay::ping, updates::list, updates::follow, session::health, session::info, session::limits, session::limit,
        torrents::list, torrents::add, torrents::one, torrents::remove, torrents::pause, torrents::resume,
        torrents::recheck, torrents::read, torrents::move_to, torrents::peers, torrents::add_peer, torrents::files,
        torrents::choose_files, stream::content, stream::link, torrents::trackers, torrents::limits, torrents::limit, torrents::metainfo,
        jobs::share, jobs::copy, jobs::list, jobs::one, jobs::cancel, events::events, document,
        network::info, dht::info, dht::nodes, dht::add, dht::nearest, dht::ping, dht::peers, dht::scrape, dht::get,
        dht::put, dht::forget, people::identity, people::meet, people::nodes, people::add_node, people::await_nobody,
        groups::list, groups::create, groups::join, groups::unlock, groups::one, groups::rename, groups::leave,
        groups::invite, groups::cancel, groups::role, groups::expel,
        people::join, people::revoke_node, people::contacts, people::add_contact, people::contact,
        people::change_contact, people::remove_contact, people::invites, people::invite, people::revoke_invite,
        sharing::shares, sharing::unshare, sharing::inbox, sharing::accept, sharing::decline, sharing::rules,
        sharing::set_rule, sharing::remove_rule, sharing::libraries, sharing::add_library, sharing::remove_library,
        sharing::browse, sharing::take,
        chat::overall, chat::ask_history, chat::list, chat::one, chat::change, chat::messages, chat::send,
        chat::one_message, chat::attach, chat::fetch, chat::read, chat::typing, chat::accept, chat::refuse, chat::export, chat::rooms, chat::open,
        chat::search,
    ),
    components(schemas(rpc::Event)),
    security(("token" = [])),
)]
struct Doc;

/// Returns the description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut doc = Doc::openapi();
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    doc.components.get_or_insert_default().add_security_scheme("token", token);
    doc
}

/// Describes this API.
#[utoipa::path(get, path = "/api/v1/openapi.json", security(), responses(
    (status = 200, description = "An OpenAPI 3.1 document", body = Object),
))]
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}
