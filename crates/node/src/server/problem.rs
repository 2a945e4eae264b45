//! Errors as answers.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rpc::Problem;
use torrent::{AddError, TorrentError};

use super::folders;
use crate::content::ContentError;

/// An error that becomes an `application/problem+json` answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    problem: Problem,
    /// When it is worth trying again (RFC 9110, section 10.2.3).
    retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> ApiError {
        let (kind, title, detail) = (kind.to_owned(), title.to_owned(), detail.into());
        ApiError { problem: Problem { kind, status: status.as_u16(), title, detail }, retry_after_s: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad-request", "The request is not understood", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, "conflict", "This does not fit what is there", detail)
    }

    /// Another computer, which the request needs, does not answer or says no (RFC 4918, section 11.4): nothing is wrong with this
    /// node.
    pub(crate) fn elsewhere(kind: &str, title: &str, detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FAILED_DEPENDENCY, kind, title, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "forbidden", "The request comes from the wrong place", detail)
    }

    pub(crate) fn busy(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much at once", detail)
    }

    /// Somebody guesses.
    pub(crate) fn too_often(wait: Duration) -> ApiError {
        let seconds = wait.as_secs() + 1;
        let error = ApiError::busy(format!(
            "a wrong token, password or code was shown too often: wait {seconds} s, then show the right one"
        ));
        ApiError { retry_after_s: Some(seconds), ..error }
    }

    pub(crate) fn shutting_down() -> ApiError {
        let detail = "the node is shutting down: start it again with `compeer up`";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "The node is shutting down", detail)
    }

    pub(crate) fn local(detail: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "local-failure", "This computer failed", detail)
    }

    pub(crate) fn into_problem(self) -> Problem {
        self.problem
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.problem)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<TorrentError> for ApiError {
    fn from(error: TorrentError) -> ApiError {
        let detail = error.to_string();
        match error {
            TorrentError::Unknown(_) => ApiError::not_found(detail),
            TorrentError::NoMetadata | TorrentError::Confined | TorrentError::NotComing(_) => {
                ApiError::conflict(detail)
            }
            TorrentError::NoSuchFile(_) | TorrentError::Input(_) => ApiError::bad_request(detail),
            TorrentError::Disk(_) | TorrentError::Database(_) => ApiError::local(detail),
        }
    }
}

impl From<AddError> for ApiError {
    fn from(error: AddError) -> ApiError {
        let detail = error.to_string();
        match error {
            AddError::Source { .. } | AddError::Hint(_) => ApiError::bad_request(detail),
            AddError::Fetch { .. } => {
                ApiError::elsewhere("fetch-failed", "The torrent file could not be fetched", detail)
            }
            AddError::OtherFolder { .. } | AddError::OtherAudience(_) => ApiError::conflict(detail),
            AddError::Database(_) => ApiError::local(detail),
            AddError::ShuttingDown => {
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting-down", "The node is shutting down", detail)
            }
        }
    }
}

impl From<ContentError> for ApiError {
    fn from(error: ContentError) -> ApiError {
        let detail = error.to_string();
        match error {
            ContentError::Create(_) => ApiError::bad_request(detail),
            ContentError::InTheWay(_) => ApiError::conflict(detail),
            ContentError::Damaged(_) => {
                ApiError::new(StatusCode::CONFLICT, "content-damaged", "The content is not what it was", detail)
            }
            ContentError::File { source, .. } => folders::refused(source.kind(), detail),
            ContentError::Cancelled | ContentError::Disk(_) => ApiError::local(detail),
        }
    }
}

pub(crate) async fn no_such_resource(uri: axum::http::Uri) -> ApiError {
    ApiError::not_found(format!("there is nothing at {}; see {}/openapi.json", uri.path(), rpc::PREFIX))
}

pub(crate) async fn no_such_method(method: axum::http::Method, uri: axum::http::Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no-such-method",
        "The method does not fit the resource",
        format!("{method} does not work on {}; see {}/openapi.json", uri.path(), rpc::PREFIX),
    )
}
