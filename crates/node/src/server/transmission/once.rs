//! What the session is asked: statistics, room on the disk, whether it can be reached.

use std::net::IpAddr;

use serde_json::json;
use torrent::State;

use super::add;
use super::envelope::Outcome;
use super::fault::{Code, Fault};
use super::params::Params;
use super::session::object;
use crate::server::{AppState, totals};

/// Answers `session_stats`.
pub(super) async fn stats(state: &AppState) -> Outcome {
    let list = state.session().list().await;
    let paused = list.iter().filter(|torrent| torrent.state == State::Paused).count();
    let totals = totals::of(state).await.map_err(|error| Fault::new(Code::System, error.to_string()))?;
    let seconds = state.parts().begun.elapsed().as_secs();
    // How often and how long it ran before is not kept.
    let stats = |net::Bytes { down, up }: net::Bytes| {
        json!({
            "downloaded_bytes": down,
            "files_added": list.len(),
            "seconds_active": seconds,
            "session_count": 1,
            "uploaded_bytes": up,
        })
    };
    Ok(object(json!({
        "active_torrent_count": list.len() - paused,
        "cumulative_stats": stats(totals.ever),
        "current_stats": stats(totals.since_start),
        "download_speed": list.iter().map(|torrent| torrent.down_rate_bytes_per_s).sum::<u64>(),
        "paused_torrent_count": paused,
        "torrent_count": list.len(),
        "upload_speed": list.iter().map(|torrent| torrent.up_rate_bytes_per_s).sum::<u64>(),
    })))
}

/// Answers `free_space`.
pub(super) async fn free_space(params: &Params) -> Outcome {
    let path = params.text("path")?.ok_or_else(|| Fault::params("directory path argument is missing"))?;
    let folder = add::absolute(path, "directory path is not absolute")?;
    let told = |space: Option<disk::Space>| {
        object(json!({
            "path": path,
            "size_bytes": space.map_or(-1, |space| space.free as i64),
            "total_size": space.map_or(-1, |space| space.total as i64),
        }))
    };
    let found = tokio::task::spawn_blocking(move || disk::space(&folder)).await;
    match found.unwrap_or_else(|error| Err(error.into())) {
        Ok(space) => Ok(told(Some(space))),
        Err(error) => Err(Fault { result: told(None), ..Fault::new(Code::System, format!("{path}: {error}")) }),
    }
}

/// Answers `port_test`: from what is seen here. No foreign service is asked, which would learn our address.
pub(super) fn port_test(state: &AppState, params: &Params) -> Outcome {
    let wanted = params.text("ip_protocol")?;
    if wanted.is_some_and(|wanted| !matches!(wanted, "ipv4" | "ipv6")) {
        return Err(Fault::params("invalid ip protocol"));
    }
    match dialled_from_outside(state, wanted) {
        Some(ip) => Ok(object(json!({ "port_is_open": true, "ip_protocol": family(ip) }))),
        None => Err(Fault::unsupported(
            "no peer from outside has dialled us that is connected now, and this node asks no foreign service whether one could",
        )),
    }
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// Returns the address of a peer from beyond the router that dialled us, if one is connected.
pub(in crate::server) fn dialled_from_outside(state: &AppState, wanted: Option<&str>) -> Option<IpAddr> {
    let flows = state.controls().gate().usage().flows();
    let mut dialled = flows.iter().filter_map(|flow| {
        let incoming = flow.asking.direction == net::Direction::Incoming && flow.asking.service == net::FILES;
        flow.asking.address.filter(|_| incoming).map(|address| address.ip())
    });
    dialled.find(|ip| is_outside(*ip) && wanted.is_none_or(|wanted| wanted == family(*ip)))
}

/// Tells whether an address is beyond the router.
fn is_outside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            // Shared behind the routers of providers (RFC 6598).
            let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || is_shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}

/// Answers `group_get`: there are none.
pub(super) fn groups() -> Outcome {
    Ok(object(json!({ "group": [] })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_comes_from_outside_proves_that_the_port_is_open() {
        for (ip, outside) in [
            ("127.0.0.1", false),
            ("192.168.1.2", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("2600::1", true),
            ("9.9.9.9", true),
        ] {
            assert_eq!(is_outside(ip.parse().unwrap()), outside, "{ip}");
        }
    }
}
