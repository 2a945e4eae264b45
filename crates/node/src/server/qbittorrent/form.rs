//! The parameters of a request: of the query, a form, or a form with files; read with errors that name what is wrong.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use percent_encoding::percent_decode_str;

use super::multipart;
use super::refusal::Refusal;
use crate::server::{AppState, body};

/// How many parameters a request may have. Arbitrary: the longest list of the protocol is some thirty.
const MAX_FIELDS: usize = 1000;

/// All that came with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    fields: BTreeMap<String, String>,
    pub(super) files: Vec<Bytes>,
}

impl FromRequest<AppState> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &AppState) -> Result<Form, Refusal> {
        let mut form = Form::default();
        form.read(request.uri().query().unwrap_or_default())?;
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if let Some(boundary) = multipart::boundary(kind) {
            let body = body::bytes(request).await?;
            for part in multipart::read(&body, &boundary).map_err(Refusal::bad)? {
                match part.is_file {
                    true => form.files.push(part.content),
                    false => form.put(part.name, String::from_utf8_lossy(&part.content).into_owned())?,
                }
            }
        } else if body::is_type(&request, "application/x-www-form-urlencoded") {
            let body = body::bytes(request).await?;
            form.read(&String::from_utf8_lossy(&body))?;
        }
        Ok(form)
    }
}

impl Form {
    /// Reads `name=value&name=value` (URL Standard, "application/x-www-form-urlencoded parsing").
    fn read(&mut self, text: &str) -> Result<(), Refusal> {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.put(decode(name), decode(value))?;
        }
        Ok(())
    }

    fn put(&mut self, name: String, value: String) -> Result<(), Refusal> {
        if self.fields.len() >= MAX_FIELDS {
            return Err(Refusal::bad(format!("a request has at most {MAX_FIELDS} parameters")));
        }
        self.fields.insert(name, value);
        Ok(())
    }

    /// Returns a parameter, also an empty one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Returns a parameter that says something.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Returns a parameter that has to be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::bad(format!("Missing required parameter: {name}")))
    }

    /// Returns whether; the words are those of all versions, and those that tools write.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.said(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("none" | "null") => Ok(None),
            Some("true" | "1" | "yes" | "on") => Ok(Some(true)),
            Some("false" | "0" | "no" | "off") => Ok(Some(false)),
            Some(_) => Err(Refusal::bad(format!("{name} has to be true or false"))),
        }
    }

    /// Returns a number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.said(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::bad(format!("{name} has to be a number")))
    }

    /// Returns the parts of a list.
    pub(super) fn list(&self, name: &str, between: char) -> Vec<&str> {
        let parts = self.get(name).unwrap_or_default().split(between);
        parts.map(str::trim).filter(|part| !part.is_empty()).collect()
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Form {
        let mut form = Form::default();
        form.read(text).unwrap();
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_named_when_they_are_wrong() {
        let form = Form::of("urls=magnet%3A%3Fxt%3Da%26dn%3Db+c&paused=TRUE&empty=&limit=7&bad=x&tags=a,%20b,,c");
        assert_eq!(form.get("urls"), Some("magnet:?xt=a&dn=b c"));
        assert_eq!((form.get("empty"), form.said("empty"), form.get("none")), (Some(""), None, None));
        assert_eq!((form.flag("paused"), form.flag("none")), (Ok(Some(true)), Ok(None)));
        assert_eq!((form.number("limit"), form.number::<u64>("empty")), (Ok(Some(7_i64)), Ok(None)));
        assert_eq!(form.list("tags", ','), ["a", "b", "c"]);
        assert_eq!(form.needed("hash").unwrap_err().words, "Missing required parameter: hash");
        assert!(form.flag("bad").is_err() && form.number::<u64>("bad").is_err());
        let many: String = (0..=MAX_FIELDS).map(|n| format!("{n}=&")).collect();
        assert!(Form::default().read(&many).unwrap_err().words.contains("at most"));
    }
}
