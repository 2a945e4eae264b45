//! Reading requests, with errors that say what is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use torrent::TorrentId;

use super::AppState;
use super::problem::ApiError;

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

/// The bytes of a body, bounded by the router's limit.
pub(crate) async fn bytes(request: Request, state: &AppState) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = format!("a request has at most {} bytes", super::MAX_BODY_BYTES);
            ApiError::new(error.status(), "too-large", "The request is too large", detail)
        } else {
            ApiError::bad_request(error.body_text())
        }
    })
}

/// Tells whether a request has a body of this type.
pub(crate) fn is_type(request: &Request, wanted: &str) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(wanted)
}

/// Reads JSON.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad_request(format!("the JSON is wrong: {error}")))
}

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Body<T>, ApiError> {
        if !is_type(&request, "application/json") {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The body has the wrong type",
                "send JSON, with the header Content-Type: application/json",
            ));
        }
        json(&bytes(request, state).await?).map(Body)
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
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::bad_request(error.body_text()))?;
        Ok(Word(text))
    }
}

impl FromRequestParts<AppState> for Words {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Words, ApiError> {
        let Path(words) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::bad_request(error.body_text()))?;
        Ok(Words(words))
    }
}

impl<T: DeserializeOwned> FromRequestParts<AppState> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Params<T>, ApiError> {
        let Query(params) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::bad_request(error.body_text()))?;
        Ok(Params(params))
    }
}
