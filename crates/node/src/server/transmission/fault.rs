//! Why a request fails, in the words and numbers of the specification (docs/rpc-spec.md of 4.1, rpcimpl.h). Pure.

use serde_json::{Map, Value, json};
use torrent::{AddError, TorrentError};

use super::super::problem::ApiError;

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Parse,
    InvalidRequest,
    NoSuchMethod,
    InvalidParams,
    /// Not in the specification, which leaves -32000 to -32099 to servers (JSON-RPC 2.0, section 5.1): this program does
    /// not do that.
    Unsupported,
    InvalidTrackers,
    PathNotAbsolute,
    UnrecognizedInfo,
    System,
    NoSuchFile,
    Http,
}

impl Code {
    fn number(self) -> i64 {
        match self {
            Code::Parse => -32700,
            Code::InvalidRequest => -32600,
            Code::NoSuchMethod => -32601,
            Code::InvalidParams => -32602,
            Code::Unsupported => -32000,
            Code::InvalidTrackers => 2,
            Code::PathNotAbsolute => 3,
            Code::UnrecognizedInfo => 4,
            Code::System => 5,
            Code::NoSuchFile => 6,
            Code::Http => 8,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Code::Parse => "Parse error",
            Code::InvalidRequest => "Invalid Request",
            Code::NoSuchMethod => "Method not found",
            Code::InvalidParams => "Invalid params",
            Code::Unsupported => "not supported",
            Code::InvalidTrackers => "Invalid tracker list",
            Code::PathNotAbsolute => "path is not absolute",
            Code::UnrecognizedInfo => "unrecognized info",
            Code::System => "system error",
            Code::NoSuchFile => "file index out of range",
            Code::Http => "HTTP error from backend service",
        }
    }
}

/// A failure, and what to say of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) code: Code,
    /// One sentence; empty: the code says it.
    pub(super) words: String,
    /// What is answered all the same.
    pub(super) result: Map<String, Value>,
}

impl Fault {
    pub(super) fn new(code: Code, words: impl Into<String>) -> Fault {
        Fault { code, words: words.into(), result: Map::new() }
    }

    pub(super) fn params(words: impl Into<String>) -> Fault {
        Fault::new(Code::InvalidParams, words)
    }

    pub(super) fn unsupported(words: impl Into<String>) -> Fault {
        Fault::new(Code::Unsupported, words)
    }

    /// Returns it as the `error` of JSON-RPC.
    pub(super) fn error(&self) -> Value {
        let mut error = json!({ "code": self.code.number(), "message": self.code.message() });
        let mut data = Map::new();
        if !self.words.is_empty() {
            data.insert("error_string".to_owned(), json!(self.words));
        }
        if !self.result.is_empty() {
            data.insert("result".to_owned(), Value::Object(self.result.clone()));
        }
        if !data.is_empty() {
            error["data"] = Value::Object(data);
        }
        error
    }

    /// Returns it as the `result` of the protocol before.
    pub(super) fn sentence(&self) -> String {
        match (self.code, self.words.is_empty()) {
            // As 3.00 says it; tools look for it.
            (Code::NoSuchMethod, _) => "method name not recognized".to_owned(),
            (code, true) => code.message().to_owned(),
            (_, false) => self.words.clone(),
        }
    }
}

impl From<TorrentError> for Fault {
    fn from(error: TorrentError) -> Fault {
        let code = match &error {
            TorrentError::NoSuchFile(_) => Code::NoSuchFile,
            TorrentError::Input(_) => Code::InvalidParams,
            _ => Code::System,
        };
        Fault::new(code, error.to_string())
    }
}

impl From<AddError> for Fault {
    fn from(error: AddError) -> Fault {
        let code = match &error {
            AddError::Source { .. } => Code::UnrecognizedInfo,
            AddError::Hint(_) => Code::InvalidParams,
            AddError::Fetch { .. } => Code::Http,
            _ => Code::System,
        };
        Fault::new(code, error.to_string())
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Fault {
        let problem = error.into_problem();
        let code = if problem.status < 500 { Code::InvalidParams } else { Code::System };
        Fault::new(code, problem.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_said_in_both_ways() {
        let fault = Fault::new(Code::Http, "no answer");
        let error = json!({ "code": 8, "message": "HTTP error from backend service",
            "data": { "error_string": "no answer" } });
        assert_eq!((fault.error(), fault.sentence()), (error, "no answer".to_owned()));
        let silent = Fault::new(Code::NoSuchFile, "");
        assert_eq!(silent.error(), json!({ "code": 6, "message": "file index out of range" }));
        assert_eq!(silent.sentence(), "file index out of range");
        assert_eq!(Fault::new(Code::NoSuchMethod, "").sentence(), "method name not recognized");
    }
}
