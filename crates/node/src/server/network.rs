//! How this node finds and reaches others.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::State;
use rpc::{NetworkInfo, NetworkPart, Problem};
use torrent::{Encryption, NetworkStatus};

use super::{AppState, overlay};

/// Tells how peers are found and reached.
#[utoipa::path(get, path = "/api/v1/network", responses(
    (status = 200, description = "The network", body = NetworkInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn info(State(state): State<AppState>) -> Json<NetworkInfo> {
    let session = state.session();
    let (network, status) = (session.network(), session.network_status());
    let dht = match session.dht() {
        Some(dht) => Some((dht.is_ready(), dht.status().await)),
        None => None,
    };
    let mut carriers = Vec::new();
    carriers.extend(network.tcp.then_some("tcp"));
    carriers.extend(network.utp.then_some("utp"));
    if network.prefer == Some(net::Carrier::Utp) {
        carriers.reverse();
    }
    let part = |enabled, message| NetworkPart { enabled, message };
    Json(NetworkInfo {
        listen: status.listen.iter().map(ToString::to_string).collect(),
        external: external(&status, dht.as_ref().map(|(_, status)| status)),
        external_port: status.announced_port,
        carriers: carriers.into_iter().map(str::to_owned).collect(),
        encryption: match network.encryption {
            Encryption::Prefer => "prefer",
            Encryption::Require => "require",
            Encryption::Off => "off",
        }
        .to_owned(),
        dht: part(dht.is_some(), dht.map(dht_words).unwrap_or_default()),
        pex: part(network.pex, String::new()),
        lsd: part(network.lsd, status.lsd.as_ref().map(lsd_words).unwrap_or_default()),
        mapping: part(network.port_mapping, status.mapping.as_ref().map(mapping_words).unwrap_or_default()),
        holepunch: part(network.holepunch, String::new()),
        overlay: overlay::info(&state),
    })
}

/// Lists our addresses as the router and the DHT see them.
fn external(status: &NetworkStatus, dht: Option<&net::dht::Status>) -> Vec<String> {
    let families = dht.into_iter().flat_map(|dht| [&dht.v4, &dht.v6]).flatten();
    let mut addresses: Vec<IpAddr> = status.external.iter().map(SocketAddr::ip).collect();
    addresses.extend(families.filter_map(|family| family.external));
    addresses.sort();
    addresses.dedup();
    addresses.iter().map(ToString::to_string).collect()
}

fn mapping_words(mapping: &net::MappingStatus) -> String {
    let mapped = mapping.tcp.map(|tcp| match mapping.protocol {
        Some(protocol) => format!("{tcp} leads here, by {protocol}"),
        None => format!("{tcp} leads here"),
    });
    match mapped {
        Some(mapped) => mapped,
        None if mapping.last_words.is_empty() => "no router was found yet".to_owned(),
        None => mapping.last_words.clone(),
    }
}

fn lsd_words(lsd: &net::LsdStatus) -> String {
    match (&lsd.last_words, lsd.interfaces.len()) {
        (Some(words), _) => words.clone(),
        (None, 0) => "no network to listen in".to_owned(),
        (None, 1) => format!("listening on {}", lsd.interfaces[0]),
        (None, number) => format!("listening on {number} addresses"),
    }
}

/// Sums the DHT up.
fn dht_words((ready, status): (bool, net::dht::Status)) -> String {
    let families = [("IPv4", &status.v4), ("IPv6", &status.v6)];
    let known = families.into_iter().filter_map(|(name, family)| Some((name, family.as_ref()?)));
    let count = |number| if number == 1 { "1 node".to_owned() } else { format!("{number} nodes") };
    let words: Vec<String> =
        known.map(|(name, family)| format!("{} over {name}", count(family.good + family.questionable))).collect();
    if ready { words.join(", ") } else { "no node of it answers yet".to_owned() }
}
