//! The parameters of a request, read with errors that name what is wrong. Pure.
//!
//! Keys that nobody knows are passed over, as Transmission does: tools of other versions send them.

use serde_json::{Map, Value};
use torrent::TorrentId;

use super::fault::Fault;
use super::names;

/// The word for torrents that changed lately; inside a list or instead of one.
const RECENTLY_ACTIVE: &str = "recently_active";

/// Parameters, by their names in the present spelling.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Params(Map<String, Value>);

/// Which torrents are meant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ids {
    All,
    /// Those that changed lately.
    Recent,
    /// These; a torrent that is not here is passed over.
    These(Vec<Which>),
}

/// One of several torrents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Number(i64),
    Id(TorrentId),
    Recent,
}

impl Params {
    pub(super) fn new(map: Map<String, Value>) -> Params {
        Params(map.into_iter().map(|(key, value)| (names::current(&key), value)).collect())
    }

    /// Returns what is given under a name. Null is nothing.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Returns all that is given.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let read = |value: &Value| value.as_bool().or(value.as_i64().map(|number| number != 0));
        self.read(name, "true or false", read)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.read(name, "a whole number", whole)
    }

    /// Returns a number that cannot be negative.
    pub(super) fn count(&self, name: &str) -> Result<Option<u64>, Fault> {
        self.read(name, "a whole number from 0", |value| whole(value)?.try_into().ok())
    }

    pub(super) fn real(&self, name: &str) -> Result<Option<f64>, Fault> {
        self.read(name, "a number", Value::as_f64)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        self.read(name, "a text", Value::as_str)
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Fault> {
        self.read(name, "a list of texts", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// Returns numbers of files.
    pub(super) fn files(&self, name: &str) -> Result<Option<Vec<u32>>, Fault> {
        let file = |value: &Value| u32::try_from(whole(value)?).ok();
        let read = |value: &Value| value.as_array()?.iter().map(file).collect();
        self.read(name, "a list of numbers of files", read)
    }

    /// Reads which torrents are meant.
    pub(super) fn ids(&self) -> Result<Ids, Fault> {
        let wrong = || Fault::params("ids has to be a number, a hash, a list of them, or recently_active");
        match self.value("ids") {
            None => Ok(Ids::All),
            Some(Value::Array(list)) => {
                let these = list.iter().map(|value| which(value).ok_or_else(wrong));
                Ok(Ids::These(these.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()))
            }
            Some(value) => match which(value).ok_or_else(wrong)? {
                Some(Which::Recent) => Ok(Ids::Recent),
                one => Ok(Ids::These(one.into_iter().collect())),
            },
        }
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        form: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| Fault::params(format!("{name} has to be {form}"))),
        }
    }
}

/// Some tools write whole numbers with a point.
fn whole(value: &Value) -> Option<i64> {
    let real = || value.as_f64().filter(|real| real.fract() == 0.0 && real.abs() < 9e15).map(|real| real as i64);
    value.as_i64().or_else(real)
}

/// Reads the name of a torrent; `Some(None)`: a text that no torrent has.
fn which(value: &Value) -> Option<Option<Which>> {
    match value {
        Value::String(text) if names::current(text) == RECENTLY_ACTIVE => Some(Some(Which::Recent)),
        Value::String(text) => Some(text.to_ascii_lowercase().parse().ok().map(Which::Id)),
        number => whole(number).map(|number| Some(Which::Number(number))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn params(value: Value) -> Params {
        Params::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn torrents_are_named_in_all_the_ways_of_the_specification() {
        let ids = |value: Value| params(json!({ "ids": value })).ids();
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let id = Which::Id(hash.parse().unwrap());
        assert_eq!(params(json!({})).ids(), Ok(Ids::All));
        assert_eq!(ids(json!(7)), Ok(Ids::These(vec![Which::Number(7)])));
        assert_eq!(ids(json!(hash.to_uppercase())), Ok(Ids::These(vec![id])));
        assert_eq!(ids(json!([7, hash])), Ok(Ids::These(vec![Which::Number(7), id])));
        for word in ["recently-active", "recently_active"] {
            assert_eq!(ids(json!(word)), Ok(Ids::Recent));
        }
        // Nobody is everybody only where nothing is said.
        assert_eq!(ids(json!([])), Ok(Ids::These(vec![])));
        assert_eq!(ids(json!("nonsense")), Ok(Ids::These(vec![])));
        assert!(ids(json!({})).is_err() && ids(json!([[1]])).is_err());
    }

    #[test]
    fn values_are_read_in_both_spellings_and_named_when_they_are_wrong() {
        let it = params(json!({ "downloadLimited": 1, "peer-limit": 7.0, "labels": ["a"], "paused": null,
            "files-wanted": [0, 2], "seedRatioLimit": 2 }));
        assert_eq!((it.flag("download_limited"), it.count("peer_limit")), (Ok(Some(true)), Ok(Some(7))));
        assert_eq!((it.flag("paused"), it.real("seed_ratio_limit")), (Ok(None), Ok(Some(2.0))));
        assert_eq!(it.files("files_wanted"), Ok(Some(vec![0, 2])));
        assert_eq!(it.texts("labels"), Ok(Some(vec!["a"])));
        let wrong = params(json!({ "peer-limit": -1, "labels": "a", "files-wanted": [-1], "paused": "yes" }));
        for words in [
            wrong.count("peer_limit").unwrap_err().words,
            wrong.texts("labels").unwrap_err().words,
            wrong.files("files_wanted").unwrap_err().words,
            wrong.flag("paused").unwrap_err().words,
        ] {
            assert!(words.contains("has to be"), "{words}");
        }
    }
}
