//! Whom the node meets, what it offers to whom, how much it gives, and who uses what.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use rpc::{
    Budget, BudgetInfo, GateChange, GateInfo, OfferChange, OfferInfo, Problem, ScheduleWindow, Share, UsageConnection,
    UsageInfo, UsageTotal,
};
use serde::Deserialize;

use super::body::{Body, Params, Word};
use super::problem::ApiError;
use super::{AppState, named};
use crate::config::{NO_LIMIT, ShareConfig, ToConfig};
use crate::controls::{EditError, SERVICES, Shown};
use crate::{Service, convert};

/// How many days a report has at most. As many as are kept.
const MAX_DAYS: u32 = 500;

/// How many days a report has where nobody says. Arbitrary.
const DAYS: u32 = 30;

impl From<EditError> for ApiError {
    fn from(error: EditError) -> ApiError {
        match error {
            EditError::Refused(reason) => ApiError::bad_request(reason),
            EditError::Local(reason) => ApiError::local(reason),
        }
    }
}

/// Tells whom the node meets.
#[utoipa::path(get, path = "/api/v1/gate", responses(
    (status = 200, description = "Whom the node meets", body = GateInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn gate(State(state): State<AppState>) -> Json<GateInfo> {
    let shown = state.controls().shown();
    let meet = &shown.config.meet;
    let mut info = GateInfo {
        who: meet.who.name().to_owned(),
        groups: meet.groups.clone(),
        allow: meet.allow.clone(),
        block: meet.block.clone(),
        lists: meet.lists.iter().map(|path| path.display().to_string()).collect(),
        listed_ranges: shown.listed_ranges as u64,
        paused: shown.config.paused,
        resting: shown.resting,
        connections: state.controls().gate().connections(),
        forbidden_services: shown.forbidden_services,
        message: shown.message,
        names: BTreeMap::new(),
    };
    named::complete(&state, &mut info);
    Json(info)
}

/// Changes whom the node meets, and writes it into the settings. Connections that are refused by now end at once.
#[utoipa::path(patch, path = "/api/v1/gate", request_body = GateChange, responses(
    (status = 200, description = "Whom the node meets now", body = GateInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "What is to be taken away is not there", body = Problem),
))]
pub(crate) async fn change_gate(
    State(state): State<AppState>,
    Body(change): Body<GateChange>,
) -> Result<Json<GateInfo>, ApiError> {
    named::change_gate(&state, change).await?;
    Ok(gate(State(state)).await)
}

/// Tells how much the node gives and takes.
#[utoipa::path(get, path = "/api/v1/budget", responses(
    (status = 200, description = "The budget", body = BudgetInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn budget(State(state): State<AppState>) -> Json<BudgetInfo> {
    let shown = state.controls().shown();
    let (set, now) = (set(&shown), now(&shown));
    let name = |id: &String| Some((id.clone(), named::called(&state, id.parse().ok()?)?));
    Json(BudgetInfo {
        disk_used_bytes: state.controls().taken_bytes(),
        names: set.persons.keys().filter_map(name).collect(),
        set,
        now,
        window: shown.window.map(|at| at as u32 + 1),
        administrator: shown.administrator,
    })
}

/// Returns a person's id as it is without the word before it.
fn bare(text: &str) -> &str {
    text.strip_prefix("person:").unwrap_or(text)
}

/// Returns what the settings say.
fn set(shown: &Shown) -> Budget {
    let budget = &shown.config.budget;
    let share = |share: &ShareConfig| Share {
        download_bytes_per_s: share.download,
        upload_bytes_per_s: share.upload,
        connections: share.connections,
    };
    let services = shown.config.service.iter().map(|(name, service)| {
        let share = Share {
            download_bytes_per_s: service.download,
            upload_bytes_per_s: service.upload,
            connections: service.connections,
        };
        (name.clone(), share)
    });
    let persons = budget.person.iter().map(|(id, limits)| (bare(id).to_owned(), share(limits)));
    Budget {
        download_bytes_per_s: budget.download,
        upload_bytes_per_s: budget.upload,
        connections: budget.connections,
        connections_per_torrent: budget.connections_per_torrent,
        connections_per_address: budget.connections_per_address,
        connections_per_person: budget.connections_per_person,
        dials: budget.dials,
        upload_slots: budget.upload_slots,
        memory_bytes: shown.config.disk.memory,
        keep_free_bytes: shown.config.disk.keep_free,
        disk_bytes: shown.config.disk.most,
        threads: shown.config.disk.threads.map(|threads| threads as u32),
        services: services.filter(|(_, share)| *share != Share::default()).collect(),
        persons: persons.filter(|(_, share)| *share != Share::default()).collect(),
    }
}

/// Returns what holds at this moment.
fn now(shown: &Shown) -> Budget {
    let (limits, rates) = (&shown.limits, shown.shares.all);
    Budget {
        download_bytes_per_s: rates.down,
        upload_bytes_per_s: rates.up,
        connections: Some(limits.connections),
        connections_per_torrent: Some(limits.connections_per_torrent),
        connections_per_address: Some(limits.connections_per_address),
        connections_per_person: Some(limits.connections_per_person),
        dials: Some(limits.dials),
        upload_slots: limits.upload_slots,
        memory_bytes: Some(shown.resources.memory_bytes as u64),
        keep_free_bytes: Some(shown.resources.keep_free_bytes).filter(|bytes| *bytes > 0),
        disk_bytes: shown.resources.most_bytes,
        threads: shown.resources.threads.map(|threads| threads as u32),
        ..set(shown)
    }
}

/// Changes the budget, and writes it into the settings: what is absent stays, 0 takes a limit away.
#[utoipa::path(patch, path = "/api/v1/budget", request_body = Budget, responses(
    (status = 200, description = "The new budget", body = BudgetInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn change_budget(
    State(state): State<AppState>,
    Body(mut change): Body<Budget>,
) -> Result<Json<BudgetInfo>, ApiError> {
    let mut persons = BTreeMap::new();
    for (text, limits) in std::mem::take(&mut change.persons) {
        let person = named::person(&state, bare(&text))?;
        persons.insert(person.to_string(), limits);
    }
    change.persons = persons;
    state.controls().change_budget(change).await?;
    Ok(budget(State(state)).await)
}

/// Tells when other limits hold. Of the windows that cover a moment the first counts.
#[utoipa::path(get, path = "/api/v1/schedule", responses(
    (status = 200, description = "The schedule", body = [ScheduleWindow]),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn schedule(State(state): State<AppState>) -> Json<Vec<ScheduleWindow>> {
    let shown = state.controls().shown();
    let windows = shown.config.schedule.iter().enumerate().map(|(at, window)| ScheduleWindow {
        days: window.days.clone(),
        from: window.from.clone(),
        to: window.to.clone(),
        download_bytes_per_s: window.download.map(|rate| if rate == NO_LIMIT { 0 } else { rate }),
        upload_bytes_per_s: window.upload.map(|rate| if rate == NO_LIMIT { 0 } else { rate }),
        connections: window.connections,
        pause: window.pause,
        active: shown.window == Some(at),
    });
    Json(windows.collect())
}

/// Replaces the schedule, and writes it into the settings.
#[utoipa::path(put, path = "/api/v1/schedule", request_body = [ScheduleWindow], responses(
    (status = 200, description = "The new schedule", body = [ScheduleWindow]),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn change_schedule(
    State(state): State<AppState>,
    Body(windows): Body<Vec<ScheduleWindow>>,
) -> Result<Json<Vec<ScheduleWindow>>, ApiError> {
    state.controls().change_schedule(windows).await?;
    Ok(schedule(State(state)).await)
}

/// Tells which services there are, and to whom each is offered.
#[utoipa::path(get, path = "/api/v1/offers", responses(
    (status = 200, description = "The services", body = [OfferInfo]),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn offers(State(state): State<AppState>) -> Json<Vec<OfferInfo>> {
    let shown = state.controls().shown();
    let known = SERVICES.iter().map(|(name, _)| (*name).to_owned());
    let names: BTreeSet<String> = known.chain(shown.config.service.keys().cloned()).collect();
    Json(names.iter().map(|name| offer(&state, &shown, name)).collect())
}

fn offer(state: &AppState, shown: &Shown, name: &str) -> OfferInfo {
    let running = state.services().list().into_iter().find(|service| service.name == name);
    let config = shown.config.service.get(name).cloned().unwrap_or_default();
    let to = match &config.to {
        ToConfig::Word(word) => vec![word.clone()],
        ToConfig::List(list) => list.clone(),
    };
    OfferInfo {
        service: name.to_owned(),
        names: named::names(state, to.iter()),
        off: config.off,
        forbidden: shown.forbids(name),
        to,
        limits: Share {
            download_bytes_per_s: config.download,
            upload_bytes_per_s: config.upload,
            connections: config.connections,
        },
        description: SERVICES.iter().find(|(known, _)| *known == name).map_or("", |(_, words)| words).to_owned(),
        runs: Service::NAMES.contains(&name).then_some(running.is_some()),
        urls: running.map(|service| service.urls).unwrap_or_default(),
        message: state.services().failure(name),
    }
}

/// Changes how a service is offered, and writes it into the settings.
#[utoipa::path(patch, path = "/api/v1/offers/{service}", request_body = OfferChange,
    params(("service" = String, Path, description = "The service")), responses(
    (status = 200, description = "How it is offered now", body = OfferInfo),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 409, description = "The administrator's policy forbids it", body = Problem),
))]
pub(crate) async fn change_offer(
    State(state): State<AppState>,
    Word(name): Word,
    Body(mut change): Body<OfferChange>,
) -> Result<Json<OfferInfo>, ApiError> {
    let words = ["everyone", "acquaintances", "contacts"];
    for text in change.to.iter_mut().flatten().filter(|text| !words.contains(&text.as_str())) {
        *text = named::target(&state, text)?.to_string();
    }
    if change.off == Some(false) && state.controls().shown().forbids(&name) {
        return Err(ApiError::conflict(crate::controls::forbidden(&name)));
    }
    state.controls().change_offer(name.clone(), change).await?;
    // Why one does not run is part of the answer.
    let _ = state.services().settle().await;
    Ok(Json(offer(&state, &state.controls().shown(), &name)))
}

/// Tells who uses what now, and what was carried since the node started.
#[utoipa::path(get, path = "/api/v1/usage", responses(
    (status = 200, description = "Who uses what", body = UsageInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn usage(State(state): State<AppState>) -> Json<UsageInfo> {
    let gate = state.controls().gate();
    let usage = gate.usage();
    // Whose node it is may have become known after it connected.
    let person = |asking: &net::Asking| asking.person.or_else(|| gate.person_of(asking.node?));
    let connection = |flow: net::FlowStatus| UsageConnection {
        service: flow.asking.service.to_owned(),
        person: person(&flow.asking).map(|person| person.to_string()),
        name: person(&flow.asking).and_then(|person| named::called(&state, person)),
        node: flow.asking.node.map(|node| node.to_string()),
        address: flow.asking.address.map(|address| address.to_string()),
        carrier: convert::carrier(flow.asking.carrier).to_owned(),
        incoming: flow.asking.direction == net::Direction::Incoming,
        age_s: flow.age.as_secs(),
        download_bytes_per_s: flow.rate.down,
        upload_bytes_per_s: flow.rate.up,
        downloaded_bytes: flow.bytes.down,
        uploaded_bytes: flow.bytes.up,
    };
    let total = |(key, bytes): (net::UsageKey, net::Bytes)| UsageTotal {
        day: None,
        service: key.service.to_owned(),
        person: key.person.map(|person| person.to_string()),
        name: key.person.and_then(|person| named::called(&state, person)),
        carrier: convert::carrier(key.carrier).to_owned(),
        downloaded_bytes: bytes.down,
        uploaded_bytes: bytes.up,
    };
    Json(UsageInfo {
        connections: usage.flows().into_iter().map(connection).collect(),
        totals: usage.totals().into_iter().map(total).collect(),
    })
}

/// How many days to report.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Days {
    days: Option<u32>,
}

/// Reports what was used by day, the newest first. Days on which nothing was are left out.
#[utoipa::path(get, path = "/api/v1/usage/days",
    params(("days" = Option<u32>, Query, description = "How many days; 30 if absent")), responses(
    (status = 200, description = "What was used", body = [UsageTotal]),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn days(
    State(state): State<AppState>,
    Params(Days { days }): Params<Days>,
) -> Result<Json<Vec<UsageTotal>>, ApiError> {
    let report = state.controls().report(days.unwrap_or(DAYS).clamp(1, MAX_DAYS)).await;
    let mut report = report.map_err(|error| ApiError::local(error.to_string()))?;
    if let Some(people) = state.people() {
        crate::report::name(&mut report, people);
    }
    Ok(Json(report))
}
