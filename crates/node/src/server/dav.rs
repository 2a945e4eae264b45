//! The finished files as a folder that other programs open: WebDAV (RFC 4918), class 1, for reading alone, at `/dav/`.
//!
//! A program logs in by HTTP's Basic authentication: any user, and the token of the home or the chosen password; from other
//! computers the password alone. Invariant: a path is a name of a file that is shown, or of nothing; none reaches the disk.
//!
//! | file | concern |
//! | --- | --- |
//! | `tree` | what is shown, by which names |
//! | `xml` | what is asked and answered about it; pure |

mod tree;
mod xml;

use std::convert::Infallible;
use std::iter::once;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::problem::ApiError;
use super::{AppState, body, stream};
use tree::{Entry, Kind, Place};
use xml::Asked;

/// The longest question, in bytes. Arbitrary: what clients ask has some hundred.
pub(super) const MAX_BODY_BYTES: usize = 64 << 10;

/// Where it is.
const ROOT: &str = "/dav";

const METHODS: HeaderValue = HeaderValue::from_static("OPTIONS, GET, HEAD, PROPFIND");

const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// What stands in a path for something else than itself (RFC 3986, section 2.3, says what does not).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Serves the finished files to programs that speak WebDAV: a folder for each torrent, by `PROPFIND`, `GET` and `HEAD`. Nothing
/// is changed by it. The user is anything, the password the token or the one that was chosen.
#[utoipa::path(get, path = "/dav/{path}", params(
    ("path" = String, Path, description = "The torrent's name, and the file's path in it, with / between the parts"),
), responses(
    (status = 200, description = "The file; of a folder the names in it", content(
        (Vec<u8> = "application/octet-stream"),
        (String = "text/plain; charset=utf-8"),
    )),
    (status = 206, description = "The range asked for", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "As the caller has it (If-None-Match)"),
    (status = 401, description = "No token, and no password", body = rpc::Problem),
    (status = 404, description = "There is no such file, or it is not whole yet", body = rpc::Problem),
    (status = 409, description = "It is lost meanwhile, and will not come as things are", body = rpc::Problem),
    (status = 416, description = "The range lies behind the end", body = rpc::Problem),
))]
pub(crate) async fn door(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let path = segments(request.uri().path())?;
    let mut response = match request.method().as_str() {
        "GET" | "HEAD" => read(&state, &path, request.headers()).await?,
        "PROPFIND" => find(&state, &path, request).await?,
        "OPTIONS" => [(header::ALLOW, METHODS), (header::CONTENT_LENGTH, HeaderValue::from(0))].into_response(),
        method => refuse(method),
    };
    let headers = response.headers_mut();
    headers.insert("dav", HeaderValue::from_static("1"));
    // A browser that knows the password would send it for pages of other sites, too.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    Ok(response)
}

/// Reads the names that a path is made of. One at the end that is empty means a folder; others are names of nothing.
fn segments(path: &str) -> Result<Vec<String>, ApiError> {
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let decoded = path.split('/').map(|name| percent_decode_str(name).decode_utf8().map(Into::into));
    decoded.collect::<Result<_, _>>().map_err(|_| ApiError::bad_request("the path is not in UTF-8: write it so"))
}

async fn place(state: &AppState, path: &[String]) -> Result<Place, ApiError> {
    let found = tree::find(state.session(), path).await;
    found.ok_or_else(|| {
        ApiError::not_found("no file or folder is there, or it is not whole yet: look at the folder above")
    })
}

async fn read(state: &AppState, path: &[String], headers: &HeaderMap) -> Result<Response, ApiError> {
    let Place { entry, entries } = place(state, path).await?;
    let Kind::File(id, file, _) = entry.kind else { return Ok(names(&entries)) };
    let mut response = stream::serve(state, id, file, headers).await?;
    let since = entry.since.and_then(xml::http_date).and_then(|date| HeaderValue::try_from(date).ok());
    if let Some(since) = since {
        response.headers_mut().insert(header::LAST_MODIFIED, since);
    }
    Ok(response)
}

/// Lists a folder for whoever looks at it with a browser.
fn names(entries: &[Entry]) -> Response {
    let line = |entry: &Entry| entry.name.clone() + if entry.is_folder() { "/\n" } else { "\n" };
    let text: String = entries.iter().map(line).collect();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, text).into_response()
}

async fn find(state: &AppState, path: &[String], request: Request) -> Result<Response, ApiError> {
    let is_deep = match request.headers().get("depth").map(HeaderValue::as_bytes) {
        Some(b"0") => false,
        Some(b"1") => true,
        // None means the same (RFC 4918, section 9.1): everything at once, which nobody bounds.
        None => return Ok(no_end()),
        Some(depth) if depth.eq_ignore_ascii_case(b"infinity") => return Ok(no_end()),
        Some(_) => return Err(ApiError::bad_request("the Depth has to be 0 or 1: ask folder by folder")),
    };
    let asked = xml::read(&body::bytes(request).await?).map_err(ApiError::bad_request)?;
    let Place { entry, entries } = place(state, path).await?;
    let mut href = ROOT.to_owned();
    for name in path {
        href.push('/');
        href.extend(utf8_percent_encode(name, RESERVED));
    }
    if entry.is_folder() {
        href.push('/');
    }
    Ok(answers(href, &entry, if is_deep { entries } else { Vec::new() }, asked))
}

/// Answers about something and what is in it, written while it is sent: a folder can have a hundred thousand files.
fn answers(above: String, entry: &Entry, entries: Vec<Entry>, asked: Asked) -> Response {
    let this = xml::answer(&above, entry, &asked);
    let below = entries.into_iter().map(move |entry| {
        let end = if entry.is_folder() { "/" } else { "" };
        let href = format!("{above}{}{end}", utf8_percent_encode(&entry.name, RESERVED));
        xml::answer(&href, &entry, &asked)
    });
    let parts = once(xml::BEGIN.to_owned()).chain(once(this)).chain(below).chain(once(xml::END.to_owned()));
    let body = Body::from_stream(futures_util::stream::iter(parts.map(Ok::<_, Infallible>)));
    (StatusCode::MULTI_STATUS, [(header::CONTENT_TYPE, XML)], body).into_response()
}

/// Refuses to tell of all folders in folders at once, as RFC 4918 (9.1 and 16) has it.
fn no_end() -> Response {
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, XML)], xml::NO_END).into_response()
}

fn refuse(method: &str) -> Response {
    let detail = format!("{method} does not work here: files are read, and change by `compeer` alone");
    let (kind, title) = ("no-such-method", "The method does not fit the resource");
    let mut response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, kind, title, detail).into_response();
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}
