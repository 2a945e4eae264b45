//! Reading requests, with errors that say what is wrong.

use std::error::Error;
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use futures_util::StreamExt as _;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use torrent::TorrentId;

use super::AppState;
use super::problem::ApiError;

/// How long a body may take to arrive, beside what its bytes earn. Arbitrary.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How slowly a body may arrive after that. Arbitrary: slower than the upload of any line that is sold.
const MIN_BYTES_PER_S: f64 = 16384.0;

/// A JSON body. Only `application/json` is read: a form of a foreign page cannot send that.
pub(crate) struct Body<T>(pub(crate) T);

/// The torrent, or another 160-bit name, that the path names.
pub(crate) struct Id(pub(crate) TorrentId);

/// What the path names, whatever it is.
pub(crate) struct Word(pub(crate) String);

/// The two things that the path names.
pub(crate) struct Words(pub(crate) (String, String));

/// The query.
pub(crate) struct Params<T>(pub(crate) T);

/// The bytes of a body, bounded by the router's limit and in time.
pub(crate) async fn bytes(request: Request) -> Result<Bytes, ApiError> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > super::MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let (mut parts, mut deadline) = (request.into_limited_body().into_data_stream(), Instant::now() + BODY_TIMEOUT);
    let mut body = Vec::new();
    loop {
        let part = match tokio::time::timeout_at(deadline, parts.next()).await {
            Ok(Some(Ok(part))) => part,
            Ok(Some(Err(error))) if is_limit(&error) => return Err(too_large()),
            Ok(Some(Err(error))) => {
                return Err(ApiError::bad_request(format!("the body did not arrive: {error}; send it again")));
            }
            Ok(None) => return Ok(body.into()),
            Err(_) => return Err(too_slow()),
        };
        deadline += Duration::from_secs_f64(part.len() as f64 / MIN_BYTES_PER_S);
        body.extend_from_slice(&part);
    }
}

fn is_limit(error: &axum::Error) -> bool {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    causes.any(|error| error.is::<LengthLimitError>())
}

fn too_large() -> ApiError {
    let most = super::MAX_BODY_BYTES;
    let detail = format!("this call takes less; a request has at most {most} bytes anywhere: send less at a time");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large", detail)
}

fn too_slow() -> ApiError {
    let detail = "the body did not arrive in time: send it again, all of it at once";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The request takes too long", detail)
}

/// Tells whether a request has a body of this type.
pub(crate) fn is_type(request: &Request, wanted: &str) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(wanted)
}

/// Says that a request is not what the call takes.
pub(crate) fn misread(why: &str) -> ApiError {
    ApiError::bad_request(format!("{why}; {}/openapi.json says what the call takes", rpc::PREFIX))
}

/// Reads JSON.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| misread(&format!("the JSON is wrong: {error}")))
}

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &AppState) -> Result<Body<T>, ApiError> {
        if !is_type(&request, "application/json") {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The body has the wrong type",
                "send JSON, with the header Content-Type: application/json",
            ));
        }
        json(&bytes(request).await?).map(Body)
    }
}

impl FromRequestParts<AppState> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Id, ApiError> {
        let Word(text) = Word::from_request_parts(parts, state).await?;
        text.parse()
            .map(Id)
            .map_err(|_| ApiError::not_found(format!("{text:?} is no id: it has 40 hexadecimal digits")))
    }
}

impl FromRequestParts<AppState> for Word {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Word, ApiError> {
        let Path(text) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|error| misread(&error.body_text()))?;
        Ok(Word(text))
    }
}

impl FromRequestParts<AppState> for Words {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Words, ApiError> {
        let Path(words) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|error| misread(&error.body_text()))?;
        Ok(Words(words))
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Params<T>, ApiError> {
        let Query(params) =
            Query::<T>::from_request_parts(parts, state).await.map_err(|error| misread(&error.body_text()))?;
        Ok(Params(params))
    }
}
