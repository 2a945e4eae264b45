//! A file of a torrent as an HTTP resource, also while it is fetched: ranges (RFC 9110, section 14), read at the pace of the
//! client, with what it is at fetched first.
//!
//! Programs that play films cannot send the token. For them there are *tickets*: secret paths, each of which opens one file
//! until the node ends. Invariant: a ticket opens nothing but its file; what is served can run no script of the API's origin.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use metainfo::FileIndex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rpc::{Problem, StreamLink};
use torrent::{FileReader, TorrentId};

use super::body::Words;
use super::guard;
use super::problem::ApiError;
use super::serve::Line;
use super::{AppState, etag};

/// How many tickets are good at once; the oldest goes first. Arbitrary.
const MAX_TICKETS: usize = 1024;

/// How long the secret of a ticket is: 128 bits, which nobody guesses.
const TICKET_BYTES: usize = 16;

/// What a content is called whose name says nothing, or something that a browser would run.
const ANYTHING: &str = "application/octet-stream";

/// Types by the end of the name (IANA, and for Matroska its makers). Pages and pictures that can hold scripts are left out.
const TYPES: &[(&str, &str)] = &[
    ("aac", "audio/aac"),
    ("avi", "video/x-msvideo"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("mka", "audio/x-matroska"),
    ("mkv", "video/x-matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("srt", "application/x-subrip"),
    ("ts", "video/mp2t"),
    ("txt", "text/plain; charset=utf-8"),
    ("vtt", "text/vtt"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("wmv", "video/x-ms-wmv"),
    ("zip", "application/zip"),
];

/// Marks the answer that is a file, which a player may leave for a while without reading on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Playable;

/// The tickets given out, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<VecDeque<(String, TorrentId, FileIndex)>>);

impl Tickets {
    fn give(&self, torrent: TorrentId, file: FileIndex) -> Result<String, ApiError> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((ticket, ..)) = tickets.iter().find(|(_, t, f)| (*t, *f) == (torrent, file)) {
            return Ok(ticket.clone());
        }
        let mut secret = [0; TICKET_BYTES];
        getrandom::fill(&mut secret).map_err(|error| ApiError::local(error.to_string()))?;
        let ticket = data_encoding::HEXLOWER.encode(&secret);
        if tickets.len() == MAX_TICKETS {
            tickets.pop_front();
        }
        tickets.push_back((ticket.clone(), torrent, file));
        Ok(ticket)
    }

    fn find(&self, ticket: &str) -> Option<(TorrentId, FileIndex)> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.iter().find(|(known, ..)| known == ticket).map(|(_, torrent, file)| (*torrent, *file))
    }
}

/// Reads a file, also while it is fetched: what is read comes first. `Range` and `HEAD` work.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/files/{file}/content", params(
    ("id" = String, Path, description = "The torrent"),
    ("file" = String, Path, description = "The number of the file"),
), responses(
    (status = 200, description = "All of it", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, description = "The range asked for", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "As the caller has it (If-None-Match)"),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent or file", body = Problem),
    (status = 409, description = "It is not here and will not come as things are", body = Problem),
    (status = 416, description = "The range lies behind the end", body = Problem),
))]
pub(crate) async fn content(
    State(state): State<AppState>,
    Words((id, file)): Words,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (id, file) = named(&id, &file)?;
    serve(&state, id, file, &headers).await
}

/// Makes a link to a file that needs no token, for a player. It is good until the node ends.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/files/{file}/link", params(
    ("id" = String, Path, description = "The torrent"),
    ("file" = String, Path, description = "The number of the file"),
), responses(
    (status = 200, description = "The link", body = StreamLink),
    (status = 400, description = "Not understood", body = Problem),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent or file", body = Problem),
    (status = 409, description = "There is no metadata yet, or the torrent is paused", body = Problem),
))]
pub(crate) async fn link(
    State(state): State<AppState>,
    Words((id, file)): Words,
    Extension(line): Extension<Line>,
    headers: HeaderMap,
) -> Result<Json<StreamLink>, ApiError> {
    let (id, file) = named(&id, &file)?;
    let reader = state.session().open_file(id, file).await.map_err(missing)?;
    reader.is_coming(0).await?;
    let ticket = state.tickets().give(id, file)?;
    let name = utf8_percent_encode(reader.name(), NON_ALPHANUMERIC);
    Ok(Json(StreamLink {
        url: format!("{}/stream/{ticket}/{name}", guard::origin(&state, line, &headers)),
        name: reader.name().to_owned(),
        size_bytes: reader.length(),
        content_type: content_type(reader.name()).to_owned(),
    }))
}

/// Reads a file as `/api/v1/torrents/{id}/files/{file}/content` does, at a short address.
///
/// A link that needs no token has the same form: its secret in place of the torrent, and a name, for players that go by it,
/// in place of the number.
#[utoipa::path(get, path = "/stream/{torrent}/{file}", params(
    ("torrent" = String, Path, description = "The torrent"),
    ("file" = String, Path, description = "The number of the file"),
), responses(
    (status = 200, description = "All of it", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 206, description = "The range asked for", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 304, description = "As the caller has it (If-None-Match)"),
    (status = 401, description = "No token", body = Problem),
    (status = 404, description = "No such torrent or file, or the link is good no longer", body = Problem),
    (status = 409, description = "It is not here and will not come as things are", body = Problem),
    (status = 416, description = "The range lies behind the end", body = Problem),
))]
pub(crate) async fn play(
    State(state): State<AppState>,
    Words((of, file)): Words,
    Extension(line): Extension<Line>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_torrent(&of) {
        let gone = "this link is good no longer: `compeer stream` makes a new one, as does POST \
                    /api/v1/torrents/ID/files/FILE/link";
        let (id, file) = state.tickets().find(&of).ok_or_else(|| ApiError::not_found(gone))?;
        return serve(&state, id, file, &headers).await;
    }
    guard::caller(&state, line, &method, &headers)?;
    let (id, file) = named(&of, &file)?;
    serve(&state, id, file, &headers).await
}

/// Tells a torrent from a ticket, of which some could be read as an info-hash in base32.
fn is_torrent(text: &str) -> bool {
    let is_ticket = data_encoding::HEXLOWER.decode(text.as_bytes()).is_ok_and(|bytes| bytes.len() == TICKET_BYTES);
    !is_ticket && text.parse::<TorrentId>().is_ok()
}

fn named(id: &str, file: &str) -> Result<(TorrentId, FileIndex), ApiError> {
    let torrent =
        id.parse().map_err(|_| ApiError::not_found(format!("{id:?} is no id: it has 40 hexadecimal digits")))?;
    let no_number = || {
        ApiError::not_found(format!("{file:?} is no number of a file: {}/torrents/{id}/files lists them", rpc::PREFIX))
    };
    let file = file.parse().map_err(|_| no_number())?;
    Ok((torrent, FileIndex(file)))
}

/// A file that the path names and that does not exist is like any other thing that does not exist.
fn missing(error: torrent::TorrentError) -> ApiError {
    match error {
        torrent::TorrentError::NoSuchFile(_) => ApiError::not_found(error.to_string()),
        error => error.into(),
    }
}

/// Returns what tells a file from any other: the content never changes under its info-hash (RFC 9110, section 8.8.3).
pub(super) fn tag(id: TorrentId, file: FileIndex) -> String {
    format!("\"{id}-{}\"", file.0)
}

/// Answers with a file, or the part of it that the head asks for.
pub(super) async fn serve(
    state: &AppState,
    id: TorrentId,
    file: FileIndex,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let reader = state.session().open_file(id, file).await.map_err(missing)?;
    let length = reader.length();
    let tag = tag(id, file);
    if etag::is_known(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, value(tag))]).into_response());
    }
    let asked = match headers.get(header::IF_RANGE) {
        Some(condition) if condition.as_bytes() != tag.as_bytes() => None,
        _ => headers.get(header::RANGE).and_then(|range| range.to_str().ok()),
    };
    let (status, range) = match asked.map_or(Asked::All, |text| range(text, length)) {
        Asked::All => (StatusCode::OK, 0..length),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => {
            let detail = format!("the file has {length} bytes: ask for some of those");
            let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", "There are no such bytes", detail);
            let mut response = error.into_response();
            response.headers_mut().insert(header::CONTENT_RANGE, value(format!("bytes */{length}")));
            return Ok(response);
        }
    };
    if !range.is_empty() {
        reader.is_coming(range.start).await?;
    }
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type(reader.name()))
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, value(tag))
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CONTENT_SECURITY_POLICY, "sandbox")
        .extension(Playable);
    if status == StatusCode::PARTIAL_CONTENT {
        response =
            response.header(header::CONTENT_RANGE, value(format!("bytes {}-{}/{length}", range.start, range.end - 1)));
    }
    response.body(body(reader, range)).map_err(|error| ApiError::local(error.to_string()))
}

/// Reads as the client takes; ends when it goes. A failure cuts the answer off, which the client sees by its length.
fn body(reader: FileReader, range: Range<u64>) -> Body {
    let parts = futures_util::stream::try_unfold((reader, range), |(reader, mut range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let bytes = reader.read(range.start, range.end).await.inspect_err(|error| {
            tracing::info!(%error, "a file cannot be read on");
        })?;
        range.start += bytes.len() as u64;
        Ok::<_, torrent::TorrentError>(Some((bytes, (reader, range))))
    });
    Body::from_stream(parts)
}

/// Writes a header of digits and ASCII words.
fn value(text: String) -> HeaderValue {
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// What a client wants of a file.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    All,
    Part(Range<u64>),
    /// Nothing of it is there.
    Beyond,
}

/// Reads a `Range`. What is not understood, and several ranges at once, are answered with all, as RFC 9110 (14.2) allows.
fn range(text: &str, length: u64) -> Asked {
    let Some(set) = text.trim().strip_prefix("bytes=") else { return Asked::All };
    let Some((first, last)) = set.split_once('-') else { return Asked::All };
    let number = |text: &str| {
        let text = text.trim();
        // `parse` would take a sign.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    let range = match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            Some(count) => length.saturating_sub(count)..length,
            None => return Asked::All,
        },
        (first, "") => match number(first) {
            Some(first) => first..length,
            None => return Asked::All,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
            _ => return Asked::All,
        },
    };
    if range.start >= range.end { Asked::Beyond } else { Asked::Part(range) }
}

pub(crate) fn content_type(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end).to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == end).map_or(ANYTHING, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=10-19", Asked::Part(10..20)),
            ("bytes=90-", Asked::Part(90..100)),
            ("bytes=90-1000", Asked::Part(90..100)),
            ("bytes=-5", Asked::Part(95..100)),
            ("bytes=-500", Asked::Part(0..100)),
            ("bytes= 1 - 2 ", Asked::Part(1..3)),
            ("bytes=0-18446744073709551615", Asked::Part(0..100)),
            ("bytes=100-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=5-4", Asked::All),
            ("bytes=0-1,5-6", Asked::All),
            ("bytes=+1-2", Asked::All),
            ("bytes=-", Asked::All),
            ("bytes=99999999999999999999-", Asked::All),
            ("pieces=1-2", Asked::All),
            ("", Asked::All),
        ] {
            assert_eq!(range(text, 100), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), Asked::Beyond);
    }

    #[test]
    fn the_name_tells_the_type_but_never_one_that_runs_scripts() {
        assert_eq!(content_type("A film.MKV"), "video/x-matroska");
        assert_eq!(content_type("a.tar.gz"), ANYTHING);
        for name in ["mp4", "page.html", "drawing.svg", "feed.xml", "code.js", ""] {
            assert_eq!(content_type(name), ANYTHING, "{name}");
        }
        assert!(TYPES.is_sorted());
    }

    #[test]
    fn a_torrent_is_never_taken_for_a_ticket_nor_a_ticket_for_a_torrent() {
        for torrent in ["00112233445566778899aabbccddeeff00112233", "CZQ4BPKGT7JW2YMVJ6ZRAXKNOIHDFE5S"] {
            assert!(is_torrent(torrent), "{torrent}");
        }
        // The second could be base32 as well.
        for other in
            ["00112233445566778899aabbccddeeff", "abcdef234567abcdef234567abcdef23", "0", "..", "/etc/passwd", ""]
        {
            assert!(!is_torrent(other), "{other}");
        }
        let tickets = Tickets::default();
        let id: TorrentId = "00112233445566778899aabbccddeeff00112233".parse().unwrap();
        assert!(!is_torrent(&tickets.give(id, FileIndex(0)).unwrap()));
    }

    #[test]
    fn a_file_has_one_ticket_and_old_ones_make_room() {
        let tickets = Tickets::default();
        let id: TorrentId = "00112233445566778899aabbccddeeff00112233".parse().unwrap();
        let first = tickets.give(id, FileIndex(0)).unwrap();
        assert_eq!(tickets.give(id, FileIndex(0)).unwrap(), first);
        assert_eq!(tickets.find(&first), Some((id, FileIndex(0))));
        assert_eq!(tickets.find("0"), None);
        for file in 1..=MAX_TICKETS as u32 {
            tickets.give(id, FileIndex(file)).unwrap();
        }
        assert_eq!(tickets.find(&first), None);
    }
}
