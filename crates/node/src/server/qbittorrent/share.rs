//! Limits of single torrents, and when their seeding ends.

use std::time::Duration;

use axum::extract::State;
use serde_json::{Map, json};
use torrent::{SeedGoal, TorrentError, TorrentId, TorrentLimits};

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use super::told::{GLOBAL, NONE};
use super::{list, meant, transfer};
use crate::server::AppState;

/// Answers `torrents/downloadLimit`, in bytes per second; 0: there is none; -1: nor is there the torrent.
pub(super) async fn download_limit(State(state): State<AppState>, form: Form) -> Answer {
    limits(&state, &form, |limits| limits.down_bytes_per_s).await
}

/// Answers `torrents/uploadLimit`.
pub(super) async fn upload_limit(State(state): State<AppState>, form: Form) -> Answer {
    limits(&state, &form, |limits| limits.up_bytes_per_s).await
}

async fn limits(state: &AppState, form: &Form, limit: impl Fn(&TorrentLimits) -> Option<u64>) -> Answer {
    let mut told = Map::new();
    for hash in form.needed("hashes")?.split('|') {
        let status = match hash.to_lowercase().parse::<TorrentId>() {
            Ok(id) => state.session().status(id).await.ok(),
            Err(_) => None,
        };
        let limit = status.map_or(-1, |status| limit(&status.limits).unwrap_or(0) as i64);
        told.insert(hash.to_owned(), json!(limit));
    }
    refusal::json(told.into())
}

/// Answers `torrents/setDownloadLimit`.
pub(super) async fn set_download_limit(State(state): State<AppState>, form: Form) -> Answer {
    let rate = transfer::rate(&form)?;
    set(&state, &form, |limits| limits.down_bytes_per_s = rate).await
}

/// Answers `torrents/setUploadLimit`.
pub(super) async fn set_upload_limit(State(state): State<AppState>, form: Form) -> Answer {
    let rate = transfer::rate(&form)?;
    set(&state, &form, |limits| limits.up_bytes_per_s = rate).await
}

async fn set(state: &AppState, form: &Form, change: impl Fn(&mut TorrentLimits)) -> Answer {
    for id in meant(state, form)? {
        let Ok(status) = state.session().status(id).await else { continue };
        let mut limits = status.limits;
        change(&mut limits);
        gone_is_fine(state.session().limit(id, limits).await)?;
    }
    refusal::done()
}

/// Answers `torrents/setShareLimits`. What is not named stays.
pub(super) async fn set_share_limits(State(state): State<AppState>, form: Form) -> Answer {
    let default = list::around(&state).goal;
    for id in meant(&state, &form)? {
        let Ok(status) = state.session().status(id).await else { continue };
        let goal = goal(&form, &status.goal, &default)?;
        gone_is_fine(state.session().seed_goal(id, goal).await)?;
    }
    refusal::done()
}

/// Reads when seeding ends: -2 is as for all, -1 never, other numbers are a ratio or minutes.
pub(super) fn goal(form: &Form, now: &SeedGoal, default: &SeedGoal) -> Result<SeedGoal, Refusal> {
    let ratio = match form.number::<f64>("ratioLimit")? {
        None => now.ratio,
        Some(ratio) if ratio == GLOBAL as f64 => default.ratio,
        Some(ratio) if ratio == NONE as f64 => None,
        Some(ratio) if ratio.is_finite() && ratio >= 0.0 => Some(ratio),
        Some(_) => return Err(Refusal::bad("ratioLimit has to be a number from 0, or -1, or -2")),
    };
    let time = |name: &str, now: Option<Duration>, default: Option<Duration>| match form.number::<i64>(name)? {
        None => Ok(now),
        Some(GLOBAL) => Ok(default),
        Some(NONE) => Ok(None),
        Some(minutes) => match u64::try_from(minutes) {
            Ok(minutes) => Ok(Some(Duration::from_secs(minutes.saturating_mul(60)))),
            Err(_) => Err(Refusal::bad(format!("{name} has to be a number of minutes, or -1, or -2"))),
        },
    };
    let idle = time("inactiveSeedingTimeLimit", now.idle, default.idle)?;
    Ok(SeedGoal { ratio, time: time("seedingTimeLimit", now.time, default.time)?, idle })
}

/// A torrent that is removed meanwhile needs nothing any more.
pub(super) fn gone_is_fine(result: Result<(), TorrentError>) -> Result<(), Refusal> {
    match result {
        Ok(()) | Err(TorrentError::Unknown(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_the_own_one_that_of_all_or_none() {
        let minutes = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        let default = SeedGoal { ratio: Some(2.0), time: minutes(5), idle: None };
        let own = SeedGoal { ratio: None, time: minutes(9), idle: minutes(1) };
        let of = |text: &str| goal(&Form::of(text), &own, &default);
        assert_eq!(of(""), Ok(own.clone()));
        assert_eq!(of("ratioLimit=-2&seedingTimeLimit=-2&inactiveSeedingTimeLimit=-2"), Ok(default.clone()));
        assert_eq!(of("ratioLimit=-1&seedingTimeLimit=-1&inactiveSeedingTimeLimit=-1"), Ok(SeedGoal::default()));
        let set = SeedGoal { ratio: Some(1.5), time: minutes(0), idle: minutes(30) };
        assert_eq!(of("ratioLimit=1.5&seedingTimeLimit=0&inactiveSeedingTimeLimit=30"), Ok(set));
        for text in ["ratioLimit=-3", "ratioLimit=inf", "ratioLimit=x", "seedingTimeLimit=-5", "seedingTimeLimit=1.5"] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
