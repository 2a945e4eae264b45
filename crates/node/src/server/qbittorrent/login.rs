//! Who is logged in: cookies, each a random text that was given for the token.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::form::Form;
use super::refusal::{self, Answer, Refusal};
use crate::server::doors::Secrets;
use crate::server::{AppState, guard};

/// The name of the cookie (qBittorrent, docs of its Web API).
const COOKIE: &str = "SID";

/// How many tools may be logged in at once; who was silent for longest has to log in again. Arbitrary.
const MAX_LOGINS: usize = 64;

/// How long a log-in lasts without a request (qBittorrent's default).
const IDLE: Duration = Duration::from_secs(3600);

/// Who asks: the cookie's text, or nothing where the token was shown. What a tool saw last is kept by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Caller(pub(super) String);

/// Returns the log-ins of a node that begins. However long one is used, it does not end: qBittorrent's do not.
pub(super) fn nobody() -> Secrets {
    Secrets::new(MAX_LOGINS, Duration::MAX, IDLE)
}

/// Logs a tool in: any user, and the token as the password.
pub(super) async fn log_in(
    State(state): State<AppState>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    form: Form,
) -> Answer {
    let password = form.get("password").unwrap_or_default();
    if !guard::is_token(password.as_bytes(), &state) {
        return match state.doors().wrong(from.ip()) {
            Some(wait) => Err(Refusal::too_often(wait)),
            None => Ok(refusal::text("Fails.")),
        };
    }
    let cookie = state.qbittorrent().logins().draw(Instant::now());
    let cookie = cookie.map_err(|error| Refusal::local(format!("no random numbers: {error}")))?;
    // A page elsewhere can neither read it nor have it sent.
    let set = format!("{COOKIE}={cookie}; HttpOnly; SameSite=Strict; path=/");
    Ok(([(header::SET_COOKIE, set)], refusal::text("Ok.")).into_response())
}

/// Ends a log-in.
pub(super) async fn log_out(State(state): State<AppState>, headers: HeaderMap) -> Answer {
    if let Some(cookie) = cookie(&headers) {
        state.qbittorrent().logins().take(cookie, Instant::now());
        state.qbittorrent().deltas().forget(&Caller(cookie.to_owned()));
    }
    let gone = format!("{COOKIE}=; HttpOnly; SameSite=Strict; path=/; Max-Age=0");
    Ok(([(header::SET_COOKIE, gone)], StatusCode::OK).into_response())
}

/// Lets a request pass of who is logged in or shows the token.
pub(super) async fn guard(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let shown = cookie(request.headers()).map(str::to_owned);
    let known = shown.filter(|shown| state.qbittorrent().logins().renew(shown, Instant::now()));
    if known.is_none() && !guard::shows_token(request.headers(), &state) {
        return Err(Refusal::forbidden());
    }
    request.extensions_mut().insert(Caller(known.unwrap_or_default()));
    Ok(next.run(request).await)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.trim_matches('"')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers), None);
        headers.insert(header::COOKIE, "XSID=1; SID=abc; x".parse().unwrap());
        assert_eq!(cookie(&headers), Some("abc"));
    }
}
