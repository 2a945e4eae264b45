//! How this node finds and reaches others.

use axum::Json;
use axum::extract::State;
use rpc::{NetworkInfo, NetworkPart, Problem};
use torrent::Encryption;

use super::AppState;

/// Tells how peers are found and reached.
#[utoipa::path(get, path = "/api/v1/network", responses(
    (status = 200, description = "The network", body = NetworkInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn info(State(state): State<AppState>) -> Json<NetworkInfo> {
    let session = state.session();
    let network = session.network();
    let dht = match session.dht() {
        Some(dht) => Some((dht.is_ready(), dht.status().await)),
        None => None,
    };
    let families = dht.as_ref().map(|(_, status)| [status.v4.as_ref(), status.v6.as_ref()]).into_iter().flatten();
    let external = families.flatten().filter_map(|family| family.external).map(|ip| ip.to_string()).collect();
    let mut carriers = Vec::new();
    carriers.extend(network.tcp.then_some("tcp"));
    carriers.extend(network.utp.then_some("utp"));
    if network.prefer == Some(net::Carrier::Utp) {
        carriers.reverse();
    }
    let part = |enabled| NetworkPart { enabled, message: String::new() };
    Json(NetworkInfo {
        listen: session.listen_addrs().iter().map(ToString::to_string).collect(),
        external,
        external_port: session.listen_addrs().first().map(std::net::SocketAddr::port),
        carriers: carriers.into_iter().map(str::to_owned).collect(),
        encryption: match network.encryption {
            Encryption::Prefer => "prefer",
            Encryption::Require => "require",
            Encryption::Off => "off",
        }
        .to_owned(),
        dht: NetworkPart { enabled: dht.is_some(), message: dht.map(dht_words).unwrap_or_default() },
        pex: part(network.pex),
        lsd: part(network.lsd),
        mapping: part(network.port_mapping),
        holepunch: part(network.holepunch),
    })
}

/// Sums the DHT up.
fn dht_words((ready, status): (bool, net::dht::Status)) -> String {
    let families = [("IPv4", &status.v4), ("IPv6", &status.v6)];
    let known = families.into_iter().filter_map(|(name, family)| Some((name, family.as_ref()?)));
    let words: Vec<String> =
        known.map(|(name, family)| format!("{} nodes over {name}", family.good + family.questionable)).collect();
    if ready { words.join(", ") } else { "no node of it answers yet".to_owned() }
}
