//! The web page: the files of `web/`, inside the program.
//!
//! Invariant: what is served here runs scripts of this origin alone and asks this origin alone, so that neither a name of a
//! torrent nor a word of a peer can become code. In debug builds the files are read from the folder, so that a change of the
//! page needs no new build.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::problem::ApiError;
use super::{AppState, etag};

/// The files of the page.
#[derive(rust_embed::Embed)]
#[folder = "../../web"]
struct Files;

/// Types by the end of the name (IANA).
const TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

/// What every answer says beside its content: Content Security Policy Level 3, and Fetch's guards against other sites.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    // Asked for each time, and answered by "as it was": a new version of the program is a new page at once.
    ("cache-control", "no-cache"),
];

/// The folders of the page.
const FOLDERS: &[&str] = &["app", "style", "tabs", "texts", "vendor"];

/// Routes what the page is made of; nothing of it is secret.
pub(crate) fn router() -> Router<AppState> {
    let mut router = Router::new()
        .route("/", get(|headers: HeaderMap| async move { answer("index.html", &headers) }))
        .route("/icon.svg", get(|headers: HeaderMap| async move { answer("icon.svg", &headers) }));
    // The description of the API, to be read by people; it stands beside what it describes.
    router = router.route("/api", get(|| async { Redirect::permanent("/api/") }));
    for (path, file) in
        [("/api/", "api/index.html"), ("/api/docs.css", "api/docs.css"), ("/api/docs.js", "api/docs.js")]
    {
        router = router.route(path, get(move |headers: HeaderMap| async move { answer(file, &headers) }));
    }
    for folder in FOLDERS {
        let serve = move |Path(rest): Path<String>, headers: HeaderMap| async move {
            answer(&format!("{folder}/{rest}"), &headers)
        };
        router = router.route(&format!("/{folder}/{{*rest}}"), get(serve));
    }
    router
}

fn answer(path: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let kind = path.rsplit_once('.').and_then(|(_, end)| TYPES.iter().find(|(of, _)| *of == end));
    // What has no type here is not of the page: licences, and how things were fetched.
    let (Some((_, kind)), Some(file)) = (kind, Files::get(path)) else {
        return Err(ApiError::not_found(format!("the page has no file {path:?}: load it anew")));
    };
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&file.metadata.sha256_hash()));
    let mut response = match etag::is_known(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], file.data).into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
