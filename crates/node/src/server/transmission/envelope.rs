//! What is around a request and its answer: JSON-RPC 2.0 since Transmission 4.1, an envelope of its own before. Pure.
//!
//! Invariant: every request has exactly one answer, and a notification (JSON-RPC without `id`) none.

use serde_json::{Map, Value, json};

use super::fault::{Code, Fault};
use super::names::{self, Family};
use super::params::Params;

/// How many requests one body may have. Arbitrary.
const MAX_BATCH: usize = 100;

/// Which envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// That of 3.00 and 4.0: `arguments`, `tag`, `result`.
    Old,
    /// JSON-RPC 2.0.
    New,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) dialect: Dialect,
    /// In the present spelling.
    pub(super) method: String,
    pub(super) params: Params,
    /// The `id`, or the `tag`, as it came.
    id: Option<Value>,
}

/// What a body has: requests, or why one is none.
#[derive(Debug, PartialEq)]
pub(super) enum Envelope {
    One(Result<Call, Value>),
    Many(Vec<Result<Call, Value>>),
}

/// What came of a request.
pub(super) type Outcome = Result<Map<String, Value>, Fault>;

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Envelope {
    let refuse = |code, words: &str| Envelope::One(Err(refusal(Fault::new(code, words))));
    match serde_json::from_slice::<Value>(body) {
        Err(error) => refuse(Code::Parse, &error.to_string()),
        Ok(Value::Array(list)) if list.is_empty() => refuse(Code::InvalidRequest, "there is no request"),
        Ok(Value::Array(list)) if list.len() > MAX_BATCH => {
            refuse(Code::InvalidRequest, &format!("at most {MAX_BATCH} requests come at once"))
        }
        Ok(Value::Array(list)) => Envelope::Many(list.into_iter().map(|value| call(value, true)).collect()),
        Ok(value) => Envelope::One(call(value, false)),
    }
}

fn refusal(fault: Fault) -> Value {
    json!({ "jsonrpc": "2.0", "error": fault.error(), "id": null })
}

fn call(value: Value, in_batch: bool) -> Result<Call, Value> {
    let refuse = |words: &str| Err(refusal(Fault::new(Code::InvalidRequest, words)));
    let Value::Object(mut map) = value else {
        return refuse(if in_batch { "request must be an Object" } else { "request must be an Array or Object" });
    };
    let dialect = match map.get("jsonrpc") {
        Some(version) if version == "2.0" => Dialect::New,
        None if !in_batch => Dialect::Old,
        _ => return refuse("JSON-RPC version is not 2.0"),
    };
    let (params, id) = match dialect {
        Dialect::New => ("params", "id"),
        Dialect::Old => ("arguments", "tag"),
    };
    let id = map.remove(id);
    if dialect == Dialect::New && id.as_ref().is_some_and(|id| !(id.is_null() || id.is_number() || id.is_string())) {
        return refuse("id type must be String, Number, or Null");
    }
    let params = match map.remove(params) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) if dialect == Dialect::New => return refuse("params must be an Object"),
        Some(_) => Map::new(),
    };
    let method = map.get("method").and_then(Value::as_str).map(names::current).unwrap_or_default();
    Ok(Call { dialect, method, params: Params::new(params), id })
}

impl Call {
    /// Returns the answer; `None`: nobody waits for one.
    pub(super) fn answer(&self, outcome: Outcome) -> Option<Value> {
        match self.dialect {
            Dialect::New => {
                let id = self.id.clone()?;
                Some(match outcome {
                    Ok(result) => json!({ "jsonrpc": "2.0", "result": result, "id": id }),
                    Err(fault) => json!({ "jsonrpc": "2.0", "error": fault.error(), "id": id }),
                })
            }
            Dialect::Old => {
                let (result, words) = match outcome {
                    Ok(result) => (result, "success".to_owned()),
                    Err(fault) => (fault.result.clone(), fault.sentence()),
                };
                let arguments = names::spell_old(Value::Object(result), self.family());
                let mut answer = json!({ "arguments": arguments, "result": words });
                // Other kinds of tags were never given back.
                if let Some(tag) = self.id.as_ref().filter(|tag| tag.is_number()) {
                    answer["tag"] = tag.clone();
                }
                Some(answer)
            }
        }
    }

    /// Returns how this request's keys were spelt before 4.1.
    pub(super) fn family(&self) -> Family {
        if self.method.starts_with("torrent_") || self.method == "session_stats" {
            Family::Torrent
        } else {
            Family::Session
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> Result<Call, Value> {
        match read(body.as_bytes()) {
            Envelope::One(call) => call,
            Envelope::Many(_) => panic!("{body} is a batch"),
        }
    }

    fn result(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_old_envelope_is_answered_as_it_was() {
        let call = one(r#"{"method":"torrent-get","arguments":{"fields":["id"]},"tag":7}"#).unwrap();
        assert_eq!((call.dialect, call.method.as_str()), (Dialect::Old, "torrent_get"));
        let answer = call.answer(Ok(result(json!({ "torrents": [{ "hash_string": "aa" }] })))).unwrap();
        assert_eq!(
            answer,
            json!({ "arguments": { "torrents": [{ "hashString": "aa" }] }, "result": "success", "tag": 7 })
        );
        let fault = call.answer(Err(Fault::params("no fields specified"))).unwrap();
        assert_eq!(fault, json!({ "arguments": {}, "result": "no fields specified", "tag": 7 }));
        let untagged = one(r#"{"method":"session-get"}"#).unwrap().answer(Ok(result(json!({ "peer_port": 1 }))));
        assert_eq!(untagged.unwrap(), json!({ "arguments": { "peer-port": 1 }, "result": "success" }));
    }

    #[test]
    fn json_rpc_is_answered_by_its_specification() {
        let call = one(r#"{"jsonrpc":"2.0","method":"session_get","params":{"fields":["version"]},"id":912313}"#);
        let call = call.unwrap();
        let answer = call.answer(Ok(result(json!({ "version": "4" })))).unwrap();
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "result": { "version": "4" }, "id": 912313 }));
        let fault = call.answer(Err(Fault::new(Code::NoSuchMethod, ""))).unwrap();
        assert_eq!(
            fault,
            json!({ "jsonrpc": "2.0", "error": { "code": -32601, "message": "Method not found" }, "id": 912313 })
        );
        let notification = one(r#"{"jsonrpc":"2.0","method":"torrent_start"}"#).unwrap();
        assert_eq!(notification.answer(Ok(Map::new())), None);
        let null = one(r#"{"jsonrpc":"2.0","method":"torrent_start","id":null}"#).unwrap();
        assert!(null.answer(Ok(Map::new())).is_some());
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_number() {
        for (body, code) in [
            ("{", -32700),
            ("7", -32600),
            ("[]", -32600),
            (r#"{"jsonrpc":"1.0","method":"x","id":1}"#, -32600),
            (r#"{"jsonrpc":"2.0","method":"x","id":[1]}"#, -32600),
            (r#"{"jsonrpc":"2.0","method":"x","id":1,"params":[1]}"#, -32600),
        ] {
            assert_eq!(one(body).unwrap_err()["error"]["code"], code, "{body}");
        }
        let Envelope::Many(calls) = read(br#"[{"jsonrpc":"2.0","method":"a","id":1},{"method":"torrent-get"},3]"#)
        else {
            panic!("no batch")
        };
        let good: Vec<bool> = calls.iter().map(Result::is_ok).collect();
        assert_eq!(good, [true, false, false]);
        let many = serde_json::to_vec(&vec![json!({ "jsonrpc": "2.0", "method": "a" }); MAX_BATCH + 1]).unwrap();
        assert!(matches!(read(&many), Envelope::One(Err(_))));
    }
}
