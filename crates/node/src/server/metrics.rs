//! Numbers for Prometheus and whatever else reads its text format, version 0.0.4.
//!
//! Names and labels stay as they are from release to release: people build graphs and alarms on them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use net::{Carrier, FlowStatus};
use rpc::Problem;
use torrent::State as Doing;

use super::AppState;
use crate::controls::SERVICES;
use crate::convert;

/// The format's type (Prometheus, "Exposition formats").
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const STATES: [(&str, Doing); 6] = [
    ("metadata", Doing::Metadata),
    ("checking", Doing::Checking),
    ("downloading", Doing::Downloading),
    ("seeding", Doing::Seeding),
    ("paused", Doing::Paused),
    ("failed", Doing::Failed),
];

const CARRIERS: [Carrier; 3] = [Carrier::Tcp, Carrier::Utp, Carrier::Quic];

/// What a number counts.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up, from the start of the node.
    Counter,
}

/// The page that is being written.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    /// Writes a metric with its samples: the values of the label, and the number. None: it is left out.
    fn metric<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // Writing into a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (value, number) in samples {
            let _ = match label {
                "" => writeln!(self.0, "{name} {number}"),
                _ => writeln!(self.0, "{name}{{{label}=\"{}\"}} {number}", escaped(value)),
            };
        }
    }

    /// Writes a metric that is one number.
    fn number(&mut self, name: &str, kind: Kind, help: &str, number: impl Into<Option<u64>>) {
        self.metric(name, kind, help, "", number.into().map(|number| ("", number as f64)));
    }
}

/// Escapes the value of a label, as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Tells numbers in Prometheus' text format 0.0.4. The token is shown as in the rest of the API, or as the password of Basic
/// authentication.
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, description = "The numbers", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    let mut page = Page::default();
    page.metric(
        "compeer_info",
        Kind::Gauge,
        "The version of the program; the number is always 1.",
        "version",
        [(env!("CARGO_PKG_VERSION"), 1.0)],
    );
    torrents(&mut page, &state).await;
    connections(&mut page, &state);
    dht(&mut page, &state).await;
    budget(&mut page, &state);
    process(&mut page, &state);
    ([(header::CONTENT_TYPE, TEXT)], page.0)
}

async fn torrents(page: &mut Page, state: &AppState) {
    let list = state.session().list().await;
    let number = |doing| list.iter().filter(|torrent| torrent.state == doing).count() as f64;
    page.metric(
        "compeer_torrents",
        Kind::Gauge,
        "Torrents, by what they are doing.",
        "state",
        STATES.map(|(name, doing)| (name, number(doing))),
    );
    let down: u64 = list.iter().map(|torrent| torrent.down_rate_bytes_per_s).sum();
    let up: u64 = list.iter().map(|torrent| torrent.up_rate_bytes_per_s).sum();
    page.number("compeer_download_bytes_per_second", Kind::Gauge, "Payload received now, of all torrents.", down);
    page.number("compeer_upload_bytes_per_second", Kind::Gauge, "Payload sent now, of all torrents.", up);
}

fn connections(page: &mut Page, state: &AppState) {
    let usage = state.controls().gate().usage();
    let flows = usage.flows();
    let peer = |flow: &FlowStatus| [net::FILES, net::WIRE].contains(&flow.asking.service);
    let count = |wanted: &dyn Fn(&FlowStatus) -> bool| flows.iter().filter(|flow| wanted(flow)).count() as f64;
    page.metric(
        "compeer_peers",
        Kind::Gauge,
        "Connected peers of torrents, by what carries them.",
        "carrier",
        CARRIERS.map(|by| (convert::carrier(by), count(&|flow| peer(flow) && flow.asking.carrier == by))),
    );
    page.metric(
        "compeer_connections",
        Kind::Gauge,
        "Connections that stand, by service.",
        "service",
        SERVICES.iter().map(|(name, _)| (*name, count(&|flow| flow.asking.service == *name))),
    );
    let mut sums: BTreeMap<&str, net::Bytes> = BTreeMap::new();
    for (key, bytes) in usage.totals() {
        let sum = sums.entry(key.service).or_default();
        (sum.down, sum.up) = (sum.down + bytes.down, sum.up + bytes.up);
    }
    let of = |name: &str| sums.get(name).copied().unwrap_or_default();
    page.metric(
        "compeer_received_bytes_total",
        Kind::Counter,
        "Bytes received since the node started, by service.",
        "service",
        SERVICES.iter().map(|(name, _)| (*name, of(name).down as f64)),
    );
    page.metric(
        "compeer_sent_bytes_total",
        Kind::Counter,
        "Bytes sent since the node started, by service.",
        "service",
        SERVICES.iter().map(|(name, _)| (*name, of(name).up as f64)),
    );
}

async fn dht(page: &mut Page, state: &AppState) {
    let Some(dht) = state.session().dht() else { return };
    let status = dht.status().await;
    let families = [("ipv4", status.v4), ("ipv6", status.v6)];
    let nodes = families.iter().filter_map(|(name, family)| {
        let family = family.as_ref()?;
        Some((*name, f64::from(family.good + family.questionable)))
    });
    page.metric("compeer_dht_nodes", Kind::Gauge, "Nodes in the table of the DHT.", "family", nodes);
}

fn budget(page: &mut Page, state: &AppState) {
    let (shown, gate) = (state.controls().shown(), state.controls().gate());
    let rates = gate.usage().flows().iter().fold((0, 0), |sum, flow| (sum.0 + flow.rate.down, sum.1 + flow.rate.up));
    let limits: [(&str, u64, Option<u64>); 4] = [
        ("connections", gate.connections().into(), Some(shown.limits.connections.into())),
        ("download_bytes_per_second", rates.0, shown.shares.all.down),
        ("upload_bytes_per_second", rates.1, shown.shares.all.up),
        ("disk_bytes", state.controls().taken_bytes(), shown.resources.most_bytes),
    ];
    page.metric(
        "compeer_budget_used",
        Kind::Gauge,
        "What is used of the budget, in the unit that the name of the resource ends with.",
        "resource",
        limits.iter().map(|(name, used, _)| (*name, *used as f64)),
    );
    page.metric(
        "compeer_budget_limit",
        Kind::Gauge,
        "What the budget allows now; a resource without a limit is left out.",
        "resource",
        limits.iter().filter_map(|(name, _, limit)| Some((*name, (*limit)? as f64))),
    );
    let resting = u64::from(shown.resting);
    page.number("compeer_resting", Kind::Gauge, "Whether everything rests: 1 in a pause, 0 otherwise.", resting);
}

/// What most programs tell of their process, under the names that they have in common.
fn process(page: &mut Page, state: &AppState) {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let begun = now.saturating_sub(state.parts().begun.elapsed()).as_secs();
    page.number("process_start_time_seconds", Kind::Gauge, "When the node started, in seconds since 1970.", begun);
    let Some(own) = own() else { return };
    page.metric(
        "process_cpu_seconds_total",
        Kind::Counter,
        "Time of processors that was used.",
        "",
        [("", own.cpu_seconds)],
    );
    page.number("process_resident_memory_bytes", Kind::Gauge, "Memory that is in use.", own.memory_bytes);
}

/// What the system says of this process.
struct Own {
    cpu_seconds: f64,
    memory_bytes: u64,
}

/// How many ticks of proc(5) a second has: the kernel's USER_HZ, 100 on every system that Rust runs on.
#[cfg(target_os = "linux")]
const TICKS_PER_SECOND: f64 = 100.0;

/// Asks the system; `None` where it does not tell it as Linux does.
#[cfg(target_os = "linux")]
fn own() -> Option<Own> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may have any character; what follows it are the fields from the third on (proc(5)).
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let (user, system) = (ticks(14)?, ticks(15)?);
    Some(Own { cpu_seconds: (user + system) as f64 / TICKS_PER_SECOND, memory_bytes: kibibytes * 1024 })
}

#[cfg(not(target_os = "linux"))]
fn own() -> Option<Own> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_the_format_wants_it() {
        let mut page = Page::default();
        page.metric("a_total", Kind::Counter, "What.", "name", [("x\"\\\n", 1.0), ("y", 0.5)]);
        page.number("b_bytes", Kind::Gauge, "How many.", 1_u64 << 40);
        page.number("c", Kind::Gauge, "Not known.", None::<u64>);
        assert_eq!(
            page.0,
            "# HELP a_total What.\n# TYPE a_total counter\na_total{name=\"x\\\"\\\\\\n\"} 1\na_total{name=\"y\"} 0.5\n\
             # HELP b_bytes How many.\n# TYPE b_bytes gauge\nb_bytes 1099511627776\n"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_found() {
        let own = own().unwrap();
        assert!(own.memory_bytes > 1 << 20 && own.cpu_seconds >= 0.0);
    }
}
