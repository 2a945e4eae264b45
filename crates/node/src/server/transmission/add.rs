//! `torrent_add`: a magnet, a URL, a torrent file of this computer, or one that comes along.

use std::path::Path;

use axum::body::Bytes;
use metainfo::{FileIndex, TorrentFile};
use serde_json::{Map, json};
use torrent::{Add, AddSource, Priority};

use super::envelope::Outcome;
use super::fault::{Code, Fault};
use super::get::meant_number;
use super::params::Params;
use crate::labels;
use crate::server::{AppState, MAX_BODY_BYTES, orders};

/// Answers `torrent_add`.
pub(super) async fn torrent_add(state: &AppState, params: &Params) -> Outcome {
    let (source, file) = source(params).await?;
    let labels = params.texts("labels")?.map(labels::read).transpose().map_err(Fault::params)?;
    let add = order(params, source, file.as_ref())?;
    let added = orders::take_up(state, add).await?;
    if let Some(labels) = labels.filter(|_| !added.known) {
        state.labels().set(added.id, labels).await.map_err(|error| Fault::new(Code::System, error.to_string()))?;
    }
    let status = state.session().status(added.id).await?;
    let it = json!({
        "hash_string": added.id.to_string(),
        "id": meant_number(state, added.id),
        "name": status.name,
    });
    let name = if added.known { "torrent_duplicate" } else { "torrent_added" };
    Ok(Map::from_iter([(name.to_owned(), it)]))
}

/// Returns where the torrent comes from, and the torrent file, if it is at hand.
async fn source(params: &Params) -> Result<(AddSource, Option<TorrentFile>), Fault> {
    let given = |name| Ok::<_, Fault>(params.text(name)?.filter(|text| !text.is_empty()));
    let bytes = match (given("filename")?, given("metainfo")?) {
        (Some(name), _) if Path::new(name).is_absolute() => read(name).await?,
        (Some(link), _) => return Ok((AddSource::Link(link.to_owned()), None)),
        (None, Some(text)) => decode(text)?,
        (None, None) => return Err(Fault::params("no filename or metainfo specified")),
    };
    let file = TorrentFile::from_bytes(&bytes);
    let file = file.map_err(|error| Fault::new(Code::UnrecognizedInfo, error.to_string()))?;
    Ok((AddSource::File(bytes), Some(file)))
}

/// Reads base64, which some tools break into lines.
fn decode(text: &str) -> Result<Bytes, Fault> {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = data_encoding::BASE64.decode(&text);
    bytes.map(Bytes::from).map_err(|error| Fault::new(Code::UnrecognizedInfo, format!("metainfo: {error}")))
}

/// Reads a torrent file of this computer.
async fn read(name: &str) -> Result<Bytes, Fault> {
    use tokio::io::AsyncReadExt as _;
    let failed = |error: std::io::Error| Fault::new(Code::System, format!("{name}: {error}"));
    let file = tokio::fs::File::open(name).await.map_err(failed)?;
    if !file.metadata().await.map_err(failed)?.is_file() {
        return Err(Fault::new(Code::UnrecognizedInfo, format!("{name} is no file")));
    }
    let (mut bytes, most) = (Vec::new(), MAX_BODY_BYTES as u64);
    file.take(most + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(Fault::new(Code::UnrecognizedInfo, format!("{name} is longer than {most} bytes")));
    }
    Ok(bytes.into())
}

/// Makes the order of the parameters.
fn order(params: &Params, source: AddSource, file: Option<&TorrentFile>) -> Result<Add, Fault> {
    if params.text("cookies")?.is_some_and(|cookies| !cookies.is_empty()) {
        return Err(Fault::unsupported("torrent files are fetched without cookies: fetch it, and send it as metainfo"));
    }
    for (name, words) in [
        ("bandwidth_priority", "torrents have no priorities among one another here; limit one instead"),
        ("sequential_download_from_piece", "pieces in order begin with the first"),
    ] {
        if params.number(name)?.is_some_and(|number| number != 0) {
            return Err(Fault::unsupported(words));
        }
    }
    let mut add = Add::new(source);
    add.priorities = priorities(params, matches!(add.source, AddSource::Link(_)), file)?;
    if let Some(folder) = params.text("download_dir")?.filter(|folder| !folder.is_empty()) {
        add.folder = Some(absolute(folder, "download directory path is not absolute")?);
    }
    add.paused = params.flag("paused")?.unwrap_or(false);
    add.sequential = params.flag("sequential_download")?.unwrap_or(false);
    add.limits.connections = peer_limit(params)?;
    Ok(add)
}

/// Reads how many connections a torrent may have.
pub(super) fn peer_limit(params: &Params) -> Result<Option<u32>, Fault> {
    match params.count("peer_limit")? {
        Some(0) => Err(Fault::params("0 peers would stop the torrent: stop it instead")),
        limit => Ok(limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))),
    }
}

/// Checks a path of this computer.
pub(super) fn absolute(path: &str, words: &str) -> Result<std::path::PathBuf, Fault> {
    let path = std::path::PathBuf::from(path);
    if path.is_absolute() { Ok(path) } else { Err(Fault::new(Code::PathNotAbsolute, words)) }
}

/// Reads which files are fetched, and in which order. All are wanted that are not named as unwanted.
fn priorities(params: &Params, is_link: bool, file: Option<&TorrentFile>) -> Result<Vec<(FileIndex, Priority)>, Fault> {
    let mut priorities = std::collections::BTreeMap::new();
    for (name, priority) in [
        ("priority_low", Priority::Low),
        ("priority_normal", Priority::Normal),
        ("priority_high", Priority::High),
        ("files_unwanted", Priority::Skip),
    ] {
        for index in params.files(name)?.unwrap_or_default() {
            priorities.insert(index, priority);
        }
    }
    for index in params.files("files_wanted")?.unwrap_or_default() {
        let priority = priorities.entry(index).or_insert(Priority::Normal);
        if *priority == Priority::Skip {
            *priority = Priority::Normal;
        }
    }
    if let Some(file) = file {
        let count = file.info.layout().files().len();
        if priorities.keys().any(|index| *index as usize >= count) {
            return Err(Fault::new(Code::NoSuchFile, ""));
        }
    } else if is_link && priorities.values().any(|priority| *priority != Priority::Normal) {
        return Err(Fault::unsupported(
            "the files behind a link are not known yet: add it paused, and choose when they are",
        ));
    }
    Ok(priorities.into_iter().map(|(index, priority)| (FileIndex(index), priority)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(value: serde_json::Value) -> Params {
        Params::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn files_are_wanted_that_nobody_names_as_unwanted() {
        let it = params(json!({ "files-unwanted": [0, 1], "files-wanted": [1, 2], "priority-high": [2] }));
        let found = priorities(&it, false, None).unwrap();
        let expected = [(0, Priority::Skip), (1, Priority::Normal), (2, Priority::High)];
        assert_eq!(found, expected.map(|(index, priority)| (FileIndex(index), priority)));
        assert_eq!(priorities(&it, true, None).unwrap_err().code, Code::Unsupported);
        assert_eq!(priorities(&params(json!({ "files-wanted": [0] })), true, None).unwrap().len(), 1);
    }

    #[test]
    fn what_would_be_a_silent_lie_is_refused() {
        let link = || AddSource::Link("magnet:?".to_owned());
        for (value, code) in [
            (json!({ "cookies": "a=b" }), Code::Unsupported),
            (json!({ "bandwidthPriority": 1 }), Code::Unsupported),
            (json!({ "download-dir": "here" }), Code::PathNotAbsolute),
            (json!({ "peer-limit": 0 }), Code::InvalidParams),
            (json!({ "paused": "soon" }), Code::InvalidParams),
        ] {
            assert_eq!(order(&params(value.clone()), link(), None).unwrap_err().code, code, "{value}");
        }
        let fine = params(json!({ "bandwidthPriority": 0, "cookies": "", "paused": true, "peer-limit": 7 }));
        let add = order(&fine, link(), None).unwrap();
        assert_eq!((add.paused, add.limits.connections), (true, Some(7)));
    }

    #[test]
    fn base64_may_be_broken_into_lines() {
        assert_eq!(decode("aGVs\r\nbG8=\n").unwrap(), "hello");
        assert_eq!(decode("?").unwrap_err().code, Code::UnrecognizedInfo);
    }
}
