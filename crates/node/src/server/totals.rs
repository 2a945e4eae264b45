//! What the node carried in all.

use net::Bytes;

use super::AppState;

/// The days on which a report reaches back for the sums of all time; as many as are kept.
const ALL_DAYS: u32 = 500;

/// Sums over all services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) since_start: Bytes,
    pub(crate) ever: Bytes,
}

/// Adds it up.
pub(crate) async fn of(state: &AppState) -> Result<Totals, db::DbError> {
    let days = state.controls().report(ALL_DAYS).await?;
    let days = days.iter().map(|day| Bytes { down: day.downloaded_bytes, up: day.uploaded_bytes });
    Ok(Totals { since_start: since_start(state), ever: days.fold(Bytes::default(), add) })
}

/// Adds up what was carried since the node started.
pub(crate) fn since_start(state: &AppState) -> Bytes {
    state.controls().gate().usage().totals().into_values().fold(Bytes::default(), add)
}

fn add(sum: Bytes, more: Bytes) -> Bytes {
    Bytes { down: sum.down + more.down, up: sum.up + more.up }
}
