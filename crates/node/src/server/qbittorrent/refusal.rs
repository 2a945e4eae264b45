//! Answers, and why there is none of them: a status and a sentence, as the tools show it.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use torrent::{AddError, TorrentError};

use crate::categories::CategoryError;
use crate::labels::LabelError;
use crate::server::problem::ApiError;

/// What a request is answered with.
pub(super) type Answer = Result<Response, Refusal>;

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) words: String,
}

impl Refusal {
    fn new(status: StatusCode, words: impl Into<String>) -> Refusal {
        Refusal { status, words: words.into() }
    }

    pub(super) fn bad(words: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, words)
    }

    pub(super) fn not_found(words: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, words)
    }

    /// What cannot be done as things are, or is not done by this program at all.
    pub(super) fn conflict(words: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, words)
    }

    /// Tools that are told so log in again.
    pub(super) fn forbidden() -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "Forbidden: log in, with the token of the node's home as the password")
    }

    /// As qBittorrent refuses whoever guesses.
    pub(super) fn too_often(wait: Duration) -> Refusal {
        let words = format!("Too many wrong passwords: try again in {} s", wait.as_secs().max(1));
        Refusal::new(StatusCode::FORBIDDEN, words)
    }

    /// Something that comes along is no torrent file.
    pub(super) fn no_torrent_file(words: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words)
    }

    pub(super) fn local(words: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, words)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::debug!(status = self.status.as_u16(), words = %self.words, "a tool's request is refused");
        (self.status, self.words).into_response()
    }
}

impl From<TorrentError> for Refusal {
    fn from(error: TorrentError) -> Refusal {
        let words = error.to_string();
        match error {
            TorrentError::Unknown(_) => Refusal::not_found(words),
            TorrentError::Disk(_) | TorrentError::Database(_) => Refusal::local(words),
            _ => Refusal::conflict(words),
        }
    }
}

impl From<AddError> for Refusal {
    fn from(error: AddError) -> Refusal {
        Refusal::conflict(error.to_string())
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        let problem = error.into_problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal::new(status, problem.detail)
    }
}

impl From<db::DbError> for Refusal {
    fn from(error: db::DbError) -> Refusal {
        Refusal::local(error.to_string())
    }
}

impl From<LabelError> for Refusal {
    fn from(error: LabelError) -> Refusal {
        match error {
            LabelError::Input(words) => Refusal::conflict(words),
            LabelError::Db(error) => error.into(),
        }
    }
}

impl From<CategoryError> for Refusal {
    fn from(error: CategoryError) -> Refusal {
        match error {
            CategoryError::Input(words @ "Category cannot be empty") => Refusal::bad(words),
            CategoryError::Input(words) => Refusal::conflict(words),
            CategoryError::Db(error) => error.into(),
        }
    }
}

/// Answers an order that was carried out.
pub(super) fn done() -> Answer {
    Ok(text(""))
}

/// Answers with a text.
pub(super) fn text(words: impl Into<String>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], words.into()).into_response()
}

/// Answers with JSON.
pub(super) fn json(value: Value) -> Answer {
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(value)).into_response())
}

pub(super) async fn no_such_path() -> Refusal {
    Refusal::not_found("Endpoint does not exist")
}

/// Tools know this one, and pass over it.
pub(super) async fn no_queue() -> Refusal {
    Refusal::conflict("Torrent queueing must be enabled: this node has no queue, all torrents run at once")
}

pub(super) async fn no_first_and_last() -> Refusal {
    Refusal::conflict("first and last pieces are not fetched first: whoever plays a file gets what the player asks for")
}

pub(super) async fn no_taking_trackers() -> Refusal {
    Refusal::conflict("trackers can be added, not taken away or replaced")
}

pub(super) async fn no_renaming() -> Refusal {
    Refusal::conflict("torrents and files keep the names that the torrent gives them")
}
