//! The password by which other computers log in, set on this one: what they know must not be changed by whom they let in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use rpc::{PasswordInfo, PasswordRequest, Problem};

use super::body::Body;
use super::problem::ApiError;
use super::serve::Line;
use super::{AppState, guard};
use crate::NodeError;

/// Tells whether there is a password.
#[utoipa::path(get, path = "/api/v1/password", responses(
    (status = 200, description = "Whether there is one", body = PasswordInfo),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn is_set(State(state): State<AppState>) -> Result<Json<PasswordInfo>, ApiError> {
    let set = state.parts().home.has_password().map_err(|error| guard::unread(&error))?;
    Ok(Json(PasswordInfo { set }))
}

/// Sets the password. Browsers of other computers that logged in with another one have to do so again.
#[utoipa::path(put, path = "/api/v1/password", request_body = PasswordRequest, responses(
    (status = 204, description = "It is set"),
    (status = 400, description = "Not understood, or too easy to guess", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "Not from another computer", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
))]
pub(crate) async fn set(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
    Body(wanted): Body<PasswordRequest>,
) -> Result<StatusCode, ApiError> {
    here(line)?;
    // It takes as much as looking at one: one at a time.
    let _turn = state.doors().turn().await;
    let home = state.parts().home.clone();
    let set = tokio::task::spawn_blocking(move || home.set_password(&wanted.password)).await;
    match set.map_err(|error| ApiError::local(error.to_string()))? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NodeError::Remote(detail)) => Err(ApiError::bad_request(detail)),
        Err(error) => Err(ApiError::local(error.to_string())),
    }
}

/// Forgets the password: from other computers nobody can log in.
#[utoipa::path(delete, path = "/api/v1/password", responses(
    (status = 204, description = "There is none"),
    (status = 401, description = "No token", body = Problem),
    (status = 403, description = "Not from another computer", body = Problem),
))]
pub(crate) async fn remove(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
) -> Result<StatusCode, ApiError> {
    here(line)?;
    let _turn = state.doors().turn().await;
    state.parts().home.remove_password().map_err(|error| ApiError::local(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

fn here(line: Line) -> Result<(), ApiError> {
    if line.tls {
        return Err(ApiError::forbidden(
            "the password is changed on the node's own computer: on the page there, or by `compeer password`",
        ));
    }
    Ok(())
}
