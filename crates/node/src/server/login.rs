//! Logging in, for pages in a browser: the token, the password, or a code that is good once, is given for a cookie that
//! scripts cannot read and that other sites cannot make the browser send. From other computers only the password is.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json};
use rpc::{LoginBy, LoginCode, LoginInfo, LoginRequest, Problem};

use super::AppState;
use super::body::Body;
use super::doors::{CODE_LIFE, LOGIN_LIFE};
use super::guard::{self, Caller};
use super::problem::ApiError;
use super::serve::Line;

/// The largest body of a log-in, which nobody has to be known for. Arbitrary: a token has 64 bytes.
pub(super) const MAX_BODY_BYTES: usize = 4096;

/// Logs a browser in, by the token, the password, or a code that is good once: the answer sets a cookie. From other
/// computers only the password is good.
#[utoipa::path(post, path = "/api/v1/login", security(), request_body = LoginRequest, responses(
    (status = 200, description = "Logged in", body = LoginInfo, headers(("set-cookie" = String, description = "The cookie"))),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "Wrong, or over", body = Problem),
    (status = 413, description = "Too large", body = Problem),
    (status = 415, description = "Not JSON", body = Problem),
    (status = 429, description = "Wrong too often", body = Problem),
))]
pub(crate) async fn log_in(
    State(state): State<AppState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Extension(line): Extension<Line>,
    Body(request): Body<LoginRequest>,
) -> Result<impl IntoResponse, ApiError> {
    // Of before: who knows a password that ends meanwhile gets nothing by it.
    let of = guard::of(&state, line)?;
    let right = match (request.secret, request.code) {
        (Some(secret), None) => is_secret(&state, line, from.ip(), secret).await?,
        (None, Some(code)) => counted(&state, from.ip(), !line.tls && state.doors().take_code(code.trim()))?,
        _ => return Err(ApiError::bad_request("send either secret or code")),
    };
    if !right {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "wrong-secret",
            "This does not log in",
            "it is neither the secret nor a code that is good still: on the node's computer `compeer open` makes a link \
             that logs in once, the file `token` of its home has the token, and `compeer password` sets a password, by \
             which other computers log in, too",
        ));
    }
    let secret = state.doors().begin_login(&of).await.map_err(|error| ApiError::local(error.to_string()))?;
    let cookie = cookie(line, &secret, LOGIN_LIFE.as_secs())?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(LoginInfo { by: LoginBy::Cookie })))
}

/// Tells whether this is the token or the password.
async fn is_secret(state: &AppState, line: Line, from: IpAddr, secret: String) -> Result<bool, ApiError> {
    if !line.tls && guard::is_token(secret.trim().as_bytes(), state) {
        return Ok(true);
    }
    is_password(state, from, secret).await
}

/// Tells whether this is the password, and counts it when it is not. A password can be guessed: none is looked at while
/// whoever shows it has to wait, not even beside the one that was right last.
pub(super) async fn is_password(state: &AppState, from: IpAddr, shown: String) -> Result<bool, ApiError> {
    let may_try = || state.doors().wait(from).map_or(Ok(()), |wait| Err(ApiError::too_often(wait)));
    may_try()?;
    let home = state.parts().home.clone();
    let mark = home.password_mark().map_err(|error| guard::unread(&error))?;
    if state.doors().is_known_password(mark.as_deref(), &shown) {
        return Ok(true);
    }
    let _turn = state.doors().turn().await;
    may_try()?;
    let look = tokio::task::spawn_blocking(move || (home.is_password(&shown), shown)).await;
    let (right, shown) = look.map_err(|error| ApiError::local(error.to_string()))?;
    let right = right.map_err(|error| guard::unread(&error))?;
    if let Some(mark) = mark.filter(|_| right) {
        state.doors().keep_password(mark, &shown);
    }
    counted(state, from, right)
}

/// Counts what is wrong.
fn counted(state: &AppState, from: IpAddr, right: bool) -> Result<bool, ApiError> {
    if !right && let Some(wait) = state.doors().wrong(from) {
        return Err(ApiError::too_often(wait));
    }
    Ok(right)
}

/// Tells whether the caller is logged in.
#[utoipa::path(get, path = "/api/v1/login", responses(
    (status = 200, description = "It is", body = LoginInfo),
    (status = 401, description = "It is not", body = Problem),
))]
pub(crate) async fn is_in(Extension(caller): Extension<Caller>) -> Json<LoginInfo> {
    let by = match caller {
        Caller::Token => LoginBy::Token,
        Caller::Login => LoginBy::Cookie,
    };
    Json(LoginInfo { by })
}

/// Ends the log-in of this browser.
#[utoipa::path(post, path = "/api/v1/logout", responses(
    (status = 204, description = "It is over", headers(("set-cookie" = String, description = "Takes the cookie away"))),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn log_out(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    if let Some(secret) = guard::login(&headers, &state, line)? {
        let ended = state.doors().end_login(&guard::of(&state, line)?, secret).await;
        ended.map_err(|error| {
            ApiError::local(format!("the log-in may be good again when the node restarts: {error}"))
        })?;
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie(line, "", 0)?)])))
}

/// Makes a code that logs a browser of this computer in once, for a program that opens one.
#[utoipa::path(post, path = "/api/v1/login/codes", responses(
    (status = 200, description = "The code", body = LoginCode),
    (status = 401, description = "No token", body = Problem),
))]
pub(crate) async fn code(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let code = state.doors().make_code().map_err(|error| ApiError::local(error.to_string()))?;
    // Behind the sign it is sent to no server, also not by the browser as where it came from.
    let url = format!("{}/#code={code}", guard::origin(&state, line, &headers));
    let no_store = AppendHeaders([(header::CACHE_CONTROL, "no-store")]);
    Ok((no_store, Json(LoginCode { code, url, good_for_s: CODE_LIFE.as_secs() })))
}

/// Writes the cookie (RFC 6265 and its successor's SameSite).
fn cookie(line: Line, secret: &str, life_s: u64) -> Result<HeaderValue, ApiError> {
    let name = guard::cookie_name(line);
    let secure = if line.tls { "; Secure" } else { "" };
    let text = format!("{name}={secret}; HttpOnly; SameSite=Strict; Path=/; Max-Age={life_s}{secure}");
    HeaderValue::from_str(&text).map_err(|error| ApiError::local(error.to_string()))
}
