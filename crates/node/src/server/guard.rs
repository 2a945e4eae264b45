//! Who may call: the checks before every request.

use std::net::{IpAddr, SocketAddr};

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AsHeaderName;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;

use super::AppState;
use super::doors::Of;
use super::login;
use super::problem::ApiError;
use super::serve::Line;
use crate::NodeError;

/// How many cookies of our name are looked at: other ports of this host can set some. Arbitrary.
const MAX_COOKIES: usize = 8;

/// Lets a request pass that names this server by a name of it, and that no page from elsewhere sent.
pub(crate) async fn host_and_origin(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let host = text(request.headers(), header::HOST).or(request.uri().authority().map(|a| a.as_str()));
    let host = host.unwrap_or_default();
    check_host(&state, line, host)?;
    if let Some(origin) = request.headers().get(header::ORIGIN) {
        let scheme = if line.tls { "https://" } else { "http://" };
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix(scheme)).unwrap_or_default();
        // By TLS a page is ours when it comes from where it calls. Here a page may say localhost and call 127.0.0.1.
        let is_ours = if line.tls { origin.eq_ignore_ascii_case(host) } else { is_local_name(&state, origin) };
        if !is_ours {
            return Err(ApiError::forbidden(
                "pages of other sites may not call this node: open the page of the node itself",
            ));
        }
    }
    Ok(next.run(request).await)
}

/// Checks by which name this server is called.
fn check_host(state: &AppState, line: Line, host: &str) -> Result<(), ApiError> {
    if !line.tls {
        let api = state.parts().api;
        let wrong = || ApiError::forbidden(format!("the Host has to be {api} or localhost:{}", api.port()));
        return is_local_name(state, host).then_some(()).ok_or_else(wrong);
    }
    // Whatever the port: a router may have forwarded another one.
    let authority = host.parse::<Authority>().ok().filter(|_| !host.contains('@'));
    let authority = authority.filter(|it| it.port_u16().is_some() || it.as_str() == it.host());
    let name = authority.as_ref().map(Authority::host).unwrap_or_default();
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_address = name.parse::<IpAddr>() == Ok(line.at.ip().to_canonical());
    let mut names = state.parts().remote.iter().flat_map(|remote| &remote.names);
    if is_address || names.any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(ApiError::forbidden("this node is not called so: names in [api.remote] of its config.toml says how it is"))
}

fn is_local_name(state: &AppState, name: &str) -> bool {
    let api = state.parts().api;
    name.eq_ignore_ascii_case(&api.to_string()) || name.eq_ignore_ascii_case(&format!("localhost:{}", api.port()))
}

/// Returns the origin of the page that a request belongs to, whose `Host` was checked (RFC 6454).
pub(crate) fn origin(state: &AppState, line: Line, headers: &HeaderMap) -> String {
    match text(headers, header::HOST) {
        Some(host) if line.tls => format!("https://{host}"),
        _ => format!("http://{}", state.parts().api),
    }
}

/// By what a request passed the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// It shows the token.
    Token,
    /// It comes from a browser that is logged in.
    Login,
}

/// Lets a request pass that shows the token of the home, or comes from a page of ours in a browser that is logged in. The
/// token is for this computer: from others only a log-in by the password is good.
pub(crate) async fn token(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let caller = caller(&state, line, request.method(), request.headers())?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Tells who calls, as [`token`] wants it.
pub(crate) fn caller(state: &AppState, line: Line, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = match text(headers, header::AUTHORIZATION) {
        Some(shown) => {
            let shown = shown.strip_prefix("Bearer ").unwrap_or_default();
            (is_token(shown.as_bytes(), state) && !line.tls).then_some(Caller::Token)
        }
        None => login(headers, state, line)?.map(|_| Caller::Login),
    };
    let Some(caller) = caller else { return Err(unknown(state, line)) };
    if caller == Caller::Login && !is_of_our_page(method, headers) {
        return Err(ApiError::forbidden(
            "with the cookie only pages of this node may call; a program sends \"Authorization: Bearer TOKEN\"",
        ));
    }
    Ok(caller)
}

/// Marks an answer to a wrong password, which was counted when it was looked at.
#[derive(Clone, Copy, Debug)]
struct Counted;

/// Slows down whoever guesses: counts answers that say that what was shown is wrong, and says 429 instead of 401 when
/// there were too many. What is right passes at any time: there is nothing in it that could be guessed.
pub(crate) async fn guesses(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let shows = request.headers().contains_key(header::AUTHORIZATION);
    let response = next.run(request).await;
    let is_wrong = shows && response.status() == StatusCode::UNAUTHORIZED;
    let is_wrong = is_wrong && response.extensions().get::<Counted>().is_none();
    let wait = address.filter(|_| is_wrong).and_then(|address| state.doors().wrong(address));
    wait.map_or(response, |wait| ApiError::too_often(wait).into_response())
}

/// Finds the secret of the log-in that a request comes in.
pub(crate) fn login<'a>(headers: &'a HeaderMap, state: &AppState, line: Line) -> Result<Option<&'a str>, ApiError> {
    let (name, of) = (cookie_name(line), of(state, line)?);
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = pairs.filter(|(shown, _)| *shown == name).map(|(_, secret)| secret);
    Ok(ours.take(MAX_COOKIES).find(|secret| state.doors().is_login(&of, secret)))
}

/// Returns the name of the cookie. Browsers keep cookies by host, not by port: two nodes need two names.
pub(crate) fn cookie_name(line: Line) -> String {
    format!("compeer-{}", line.at.port())
}

/// Tells whose log-ins are good on a line.
pub(super) fn of(state: &AppState, line: Line) -> Result<Of, ApiError> {
    match line.tls {
        true => Ok(Of::Elsewhere { password: state.parts().home.password_mark().map_err(|error| unread(&error))? }),
        false => Ok(Of::Here),
    }
}

/// Says that the password cannot be read. Where it lies is told on this computer alone: strangers may log in.
pub(super) fn unread(error: &NodeError) -> ApiError {
    tracing::warn!(%error, "the password cannot be read: from other computers nobody can log in");
    ApiError::local(
        "the password cannot be read: on the node's computer its log says why, and `compeer password` sets one",
    )
}

/// Tells whether a page of ours sent a request (Fetch Metadata; RFC 6454), or, where it changes nothing, the user by
/// typing it. What `Origin` says has been checked before.
fn is_of_our_page(method: &Method, headers: &HeaderMap) -> bool {
    match (text(headers, "sec-fetch-site"), method.is_safe()) {
        (Some("same-origin"), _) | (Some("none") | None, true) => true,
        (None, false) => headers.contains_key(header::ORIGIN),
        (Some(_), _) => false,
    }
}

/// Lets a request pass that comes from this computer: what knows nothing but the token is not for others.
pub(crate) async fn here(Extension(line): Extension<Line>, request: Request, next: Next) -> Result<Response, ApiError> {
    if line.tls {
        return Err(ApiError::forbidden(
            "this is for programs on the node's own computer; the page and /api/v1 are for others",
        ));
    }
    Ok(next.run(request).await)
}

/// Lets a tool's request pass: one that shows the token as [`token`] wants it, or as a password, whoever the user is.
pub(crate) async fn tool(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if shows_token(request.headers(), &state) {
        return next.run(request).await;
    }
    let words = "where USER is anything and PASSWORD the text of";
    ask_for_password(no_token(&state, "Basic base64(USER:PASSWORD)", words))
}

/// Lets a request pass of whoever may read the user's files by a program that knows nothing but a user and a password: one
/// that shows the token as [`tool`] wants it, or the password that the user chose, which alone is good from other computers.
pub(crate) async fn owner(
    State(state): State<AppState>,
    Extension(line): Extension<Line>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if !line.tls && shows_token(request.headers(), &state) {
        return next.run(request).await;
    }
    let shown = text(request.headers(), header::AUTHORIZATION).and_then(password);
    let shown = shown.and_then(|shown| String::from_utf8(shown).ok());
    let looked_at = shown.is_some();
    if let Some(shown) = shown {
        match login::is_password(&state, from.ip(), shown).await {
            Ok(true) => return next.run(request).await,
            Ok(false) => {}
            Err(error) => return error.into_response(),
        }
    }
    let mut refused = ask_for_password(stranger(format!(
        "log in as any user, by the password that `compeer password` set{}",
        if line.tls { "" } else { ", or by the text of the file `token` in the node's home" }
    )));
    if looked_at {
        refused.extensions_mut().insert(Counted);
    }
    refused
}

/// Refuses, and asks for a password: programs that are not asked do not send one (RFC 7617).
fn ask_for_password(error: ApiError) -> Response {
    let mut refused = error.into_response();
    let asked = HeaderValue::from_static("Basic realm=\"Compeer\", charset=\"UTF-8\"");
    refused.headers_mut().insert(header::WWW_AUTHENTICATE, asked);
    refused
}

/// Tells whether a tool's request shows the token, as a bearer or as a password.
pub(crate) fn shows_token(headers: &HeaderMap, state: &AppState) -> bool {
    let shown = text(headers, header::AUTHORIZATION);
    let bearer = shown.and_then(|value| value.strip_prefix("Bearer ")).map(|token| token.as_bytes().to_vec());
    bearer.or_else(|| password(shown?)).is_some_and(|shown| is_token(&shown, state))
}

/// Returns the password of Basic authentication (RFC 7617). The scheme's name is of either case (RFC 9110).
fn password(shown: &str) -> Option<Vec<u8>> {
    let (scheme, credentials) = shown.split_once(' ')?;
    let pair = data_encoding::BASE64.decode(credentials.trim().as_bytes()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| pair[colon + 1..].to_vec())
}

/// Tells in constant time whether this is the token of the home.
pub(crate) fn is_token(shown: &[u8], state: &AppState) -> bool {
    shown.ct_eq(state.parts().token.as_bytes()).into()
}

fn unknown(state: &AppState, line: Line) -> ApiError {
    match line.tls {
        true => stranger(format!("log in with the password that `compeer password` set: POST {}/login", rpc::PREFIX)),
        false => no_token(state, "Bearer TOKEN", "with the text of"),
    }
}

fn no_token(state: &AppState, form: &str, words: &str) -> ApiError {
    let file = state.parts().home.folder().join("token");
    stranger(format!("send \"Authorization: {form}\" {words} {}", file.display()))
}

fn stranger(detail: String) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "no-token", "The request does not show who sends it", detail)
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
