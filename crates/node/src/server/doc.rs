//! The description of the API in OpenAPI, made from the code.

mod every_call;

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

use super::{
    bounds, chat, controls, dav, detail, dht, events, feeds, folders, groups, identity, jobs, login, metrics, network,
    overlay, password, people, qr, services, session, settings, sharing, sorting, stream, torrents, transmission,
    updates, uploads,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Compeer", description = "The API of a node. It listens on a loopback address, which the file `api` in \
         the node's home names; the file `token` there holds the token. Other computers reach it by TLS where the settings say \
         so, and log in with the password. Every list is answered whole, or page by page to who sends offset or limit."),
    paths(
        controls::gate, controls::change_gate, controls::budget, controls::change_budget, controls::schedule,
        controls::change_schedule, controls::offers, controls::change_offer, controls::usage, controls::days,
        services::tracker, services::relay, services::mailbox, overlay::connections, overlay::ping, updates::list, updates::follow, feeds::list, feeds::poll, session::health, metrics::metrics, transmission::rpc, transmission::session_id, dav::door, session::info, session::rates, session::limits, session::limit,
        torrents::list, torrents::add, torrents::one, torrents::remove, torrents::pause, torrents::resume,
        bounds::of, bounds::set, sorting::change, sorting::labels, sorting::delete_label, sorting::categories,
        sorting::put_category, sorting::delete_category, torrents::recheck, torrents::announce, torrents::read, torrents::move_to, torrents::peers, torrents::add_peer, torrents::files,
        torrents::choose_files, stream::content, stream::play, stream::link, torrents::trackers, bounds::limits, bounds::limit, torrents::metainfo,
        identity::create, identity::restore, identity::phrase, identity::passphrase, identity::change,
        settings::settings, settings::change, events::usage::events,
        folders::list, folders::make, uploads::begin, uploads::write, uploads::remove, qr::code,
        detail::log, detail::rates, events::torrent::events, detail::pieces, detail::sources,
        jobs::share, jobs::copy, jobs::list, jobs::one, jobs::cancel, events::all::events, events::network::events, document,
        network::info, dht::info, dht::nodes, dht::add, dht::nearest, dht::ping, dht::peers, dht::scrape, dht::get,
        dht::put, dht::forget, people::identity, people::meet, people::nodes, people::add_node, people::await_nobody,
        groups::list, groups::create, groups::join, groups::unlock, groups::one, groups::rename, groups::leave,
        groups::invite, groups::cancel, groups::role, groups::expel,
        people::join, people::revoke_node, people::contacts, people::add_contact, people::contact,
        people::change_contact, people::remove_contact, people::invites, people::invite, people::revoke_invite,
        sharing::shares, sharing::unshare, sharing::inbox, sharing::accept, sharing::decline, sharing::rules,
        sharing::set_rule, sharing::remove_rule, sharing::libraries, sharing::add_library, sharing::remove_library,
        sharing::browse, sharing::take,
        chat::overall, chat::ask_history, chat::list, chat::meet, chat::one, chat::change, chat::messages, chat::send,
        chat::one_message, chat::attach, chat::fetch, chat::read, chat::typing, chat::accept, chat::refuse, chat::export, chat::rooms, chat::open,
        chat::search,
        password::is_set, password::set, password::remove, login::log_in, login::is_in, login::log_out, login::code,
    ),
    components(schemas(rpc::Event, rpc::TorrentEvent, rpc::NetworkEvent, rpc::UsageEvent, rpc::Problem)),
    security(("token" = []), ("cookie" = [])),
)]
struct Doc;

/// Returns the description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut doc = Doc::openapi();
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let cookie =
        ApiKeyValue::with_description("compeer-PORT", "A browser that is logged in; the port is that of this API");
    let components = doc.components.get_or_insert_default();
    components.add_security_scheme("token", token);
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    every_call::complete(&mut doc);
    doc
}

/// Describes this API.
#[utoipa::path(get, path = "/api/v1/openapi.json", security(), responses(
    (status = 200, description = "An OpenAPI 3.1 document", body = Object),
))]
pub(crate) async fn document() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi())
}
