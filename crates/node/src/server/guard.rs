//! Who may call: the checks before every request.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq as _;

use super::AppState;
use super::problem::ApiError;

/// Lets a request pass that names this server by a loopback name, and that no page from elsewhere sent.
pub(crate) async fn host_and_origin(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let api = state.parts().api;
    let names = [api.to_string(), format!("localhost:{}", api.port())];
    let host = text(request.headers(), header::HOST).or(request.uri().authority().map(|a| a.as_str()));
    if !host.is_some_and(|host| names.iter().any(|name| name.eq_ignore_ascii_case(host))) {
        return Err(ApiError::forbidden(format!("the Host has to be {} or {}", names[0], names[1])));
    }
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        if !origin.is_some_and(|origin| names.iter().any(|name| name.eq_ignore_ascii_case(origin))) {
            return Err(ApiError::forbidden("pages of other sites may not call this node"));
        }
    }
    Ok(next.run(request).await)
}

/// Lets a request pass that shows the token of the home.
pub(crate) async fn token(State(state): State<AppState>, request: Request, next: Next) -> Result<Response, ApiError> {
    let shown = text(request.headers(), header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    if !shown.is_some_and(|shown| shown.as_bytes().ct_eq(state.parts().token.as_bytes()).into()) {
        let file = state.parts().home.join("token");
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "no-token",
            "The request does not show the token",
            format!("send \"Authorization: Bearer TOKEN\" with the text of {}", file.display()),
        ));
    }
    Ok(next.run(request).await)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
