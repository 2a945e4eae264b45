//! Who uses what, followed closely.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use rpc::{NodeConnection, Problem, UsageEvent, UsageInfo};

use super::LastId;
use super::picture::Picture;
use crate::server::problem::ApiError;
use crate::server::{AppState, controls, overlay};

/// What was told last.
#[derive(Debug)]
pub(super) struct Usage {
    state: AppState,
    usage: Option<UsageInfo>,
    connections: Option<Vec<NodeConnection>>,
}

/// Streams who uses what: first all of it, then again in each second in which it changed.
#[utoipa::path(get, path = "/api/v1/usage/events", params(LastId), responses(
    (status = 200, description = "Server-sent events, each with a UsageEvent as its data", body = UsageEvent,
     content_type = "text/event-stream"),
    (status = 401, description = "No token", body = Problem),
    (status = 429, description = "Too many streams", body = Problem),
    (status = 503, description = "The node ends", body = Problem),
))]
pub(crate) async fn events(State(state): State<AppState>, last: LastId) -> Result<Response, ApiError> {
    let picture = Usage::new(state.clone());
    super::stream(&state, &state.streams().usage, last, picture)
}

impl Usage {
    pub(super) fn new(state: AppState) -> Usage {
        Usage { state, usage: None, connections: None }
    }

    /// Returns all of it as it was told last.
    pub(super) fn told(&self) -> Vec<UsageEvent> {
        let usage = self.usage.clone().map(UsageEvent::Usage);
        usage.into_iter().chain(self.connections.clone().map(UsageEvent::Connections)).collect()
    }
}

impl Picture for Usage {
    type Event = UsageEvent;

    async fn news(&mut self) -> Vec<UsageEvent> {
        let mut news = Vec::new();
        let Json(usage) = controls::usage(State(self.state.clone())).await;
        news.extend(super::other(&mut self.usage, usage).map(UsageEvent::Usage));
        let Json(connections) = overlay::connections(State(self.state.clone())).await;
        news.extend(super::other(&mut self.connections, connections).map(UsageEvent::Connections));
        news
    }

    async fn whole(&mut self) -> (Vec<UsageEvent>, Vec<UsageEvent>) {
        (self.news().await, self.told())
    }

    fn is_over(&self) -> bool {
        false
    }
}
