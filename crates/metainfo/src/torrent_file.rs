//! A `.torrent` file: an info dictionary and what belongs around it (BEP 3, 5, 12, 19, 52).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::bencode::{self, Dict, Fault, Tree, Value};
use crate::deviation::{self, Deviation, Deviations};
use crate::magnet::distinct;
use crate::{Info, InfoHashes, Magnet, MetainfoError, PieceLayers, Problem};

/// Keys with a field of their own; all others are kept in [`TorrentFile::extra`].
const KNOWN: [&str; 9] = [
    "announce",
    "announce-list",
    "comment",
    "created by",
    "creation date",
    "info",
    "nodes",
    "piece layers",
    "url-list",
];

/// A torrent file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorrentFile {
    /// What it is.
    pub info: Arc<Info>,
    /// Tracker URLs in tiers (BEP 12), `announce` alone where there is no list.
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// What its maker says about it.
    pub comment: Option<String>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// When it was made, in seconds since the UNIX epoch.
    pub creation_date: Option<u64>,
    /// DHT nodes to begin from (BEP 5), as host and port.
    pub nodes: Vec<(String, u16)>,
    /// The piece layers (v2), those that are known.
    pub piece_layers: PieceLayers,
    /// Other keys, kept as they are.
    pub extra: BTreeMap<Bytes, Tree>,
}

impl TorrentFile {
    /// Wraps an info dictionary that came by other ways, such as from peers.
    pub fn from_info(info: Arc<Info>) -> TorrentFile {
        TorrentFile {
            info,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            comment: None,
            created_by: None,
            creation_date: None,
            nodes: Vec::new(),
            piece_layers: PieceLayers::default(),
            extra: BTreeMap::new(),
        }
    }

    /// Parses and validates a torrent file. Error offsets count from its first byte.
    pub fn from_bytes(bytes: &[u8]) -> Result<TorrentFile, MetainfoError> {
        TorrentFile::from_bytes_noting(bytes).map(|(file, _)| file)
    }

    /// Parses and validates a torrent file; also returns what was accepted although it should not be there.
    pub fn from_bytes_noting(bytes: &[u8]) -> Result<(TorrentFile, Vec<Deviation>), MetainfoError> {
        let mut deviations = Deviations::new();
        let (value, end) = bencode::decode_prefix(bytes)?;
        let rest = &bytes[end..];
        if !rest.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            return Err(MetainfoError::new(end, Problem::Bencode(Fault::TrailingData)));
        }
        if !rest.is_empty() {
            deviations.insert(Deviation::TrailingSpace);
        }
        if !deviation::is_sorted(&value) {
            deviations.insert(Deviation::UnsortedKeys);
        }
        let dict = value.as_dict().ok_or(MetainfoError::invalid(0, "a torrent file is a dictionary"))?;
        let raw = dict.raw(b"info").ok_or(MetainfoError::new(0, Problem::Missing("info")))?;
        let at = dict.offset_of(b"info");
        let info = Info::from_bytes_noting(Bytes::copy_from_slice(raw), &mut deviations);
        let info = Arc::new(info.map_err(|error| error.shifted(at))?);
        let mut reader = Reader { dict, deviations: &mut deviations };
        let file = TorrentFile {
            trackers: reader.trackers(),
            web_seeds: reader.urls("url-list"),
            comment: reader.text("comment"),
            created_by: reader.text("created by"),
            creation_date: reader.creation_date(),
            nodes: reader.nodes(),
            piece_layers: reader.piece_layers(&info)?,
            extra: reader.extra(),
            info,
        };
        Ok((file, deviations.into_iter().collect()))
    }

    /// Encodes it; equal torrents have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut dict = self.extra.clone();
        let mut put = |key: &'static str, value: Tree| {
            dict.insert(Bytes::from_static(key.as_bytes()), value);
        };
        put("info", Tree::Raw(self.info.raw().clone()));
        let list = |urls: &[String]| Tree::List(urls.iter().map(|url| Tree::from(url.as_str())).collect());
        if let Some(first) = self.trackers.iter().flatten().next() {
            put("announce", Tree::from(first.as_str()));
        }
        if self.trackers.iter().flatten().count() > 1 {
            let tiers = self.trackers.iter().filter(|tier| !tier.is_empty());
            put("announce-list", Tree::List(tiers.map(|tier| list(tier)).collect()));
        }
        if !self.web_seeds.is_empty() {
            put("url-list", list(&self.web_seeds));
        }
        if let Some(comment) = &self.comment {
            put("comment", Tree::from(comment.as_str()));
        }
        if let Some(created_by) = &self.created_by {
            put("created by", Tree::from(created_by.as_str()));
        }
        if let Some(date) = self.creation_date {
            put("creation date", Tree::Int(i64::try_from(date).unwrap_or(i64::MAX)));
        }
        if !self.nodes.is_empty() {
            let node = |(host, port): &(String, u16)| Tree::List(vec![host.as_str().into(), u32::from(*port).into()]);
            put("nodes", Tree::List(self.nodes.iter().map(node).collect()));
        }
        if self.info.has_v2() {
            let layers = self.piece_layers.iter();
            let layers = layers.map(|(root, layer)| (Bytes::copy_from_slice(root), Tree::bytes(layer.as_flattened())));
            put("piece layers", Tree::Dict(layers.collect()));
        }
        bencode::encode(&Tree::Dict(dict))
    }

    /// Returns its names.
    pub fn hashes(&self) -> InfoHashes {
        self.info.hashes()
    }

    /// Returns a magnet that leads to it.
    pub fn magnet(&self) -> Magnet {
        Magnet {
            name: Some(self.info.name().to_owned()),
            trackers: distinct(self.trackers.iter().flatten()),
            web_seeds: distinct(&self.web_seeds),
            ..Magnet::new(self.info.hashes())
        }
    }
}

/// Reads the keys around the info dictionary, of which none is needed: what is malformed is ignored and noted, but for
/// hashes that are wrong.
struct Reader<'d, 'a> {
    dict: &'d Dict<'a>,
    deviations: &'d mut Deviations,
}

impl Reader<'_, '_> {
    fn trackers(&mut self) -> Vec<Vec<String>> {
        let mut tiers = Vec::new();
        match self.dict.get(b"announce-list") {
            None => {}
            Some(Value::List(list)) => {
                if list.iter().any(|tier| tier.as_bytes().is_some()) {
                    self.deviations.insert(Deviation::FlatTrackerList);
                }
                tiers.extend(list.iter().map(|tier| self.strings(tier)).filter(|tier| !tier.is_empty()));
            }
            Some(_) => self.ignored(),
        }
        if tiers.is_empty() {
            // BEP 12: `announce` counts only where there is no list.
            tiers.extend(Some(self.urls("announce")).filter(|urls| !urls.is_empty()));
        }
        tiers
    }

    fn urls(&mut self, key: &'static str) -> Vec<String> {
        self.dict.get(key.as_bytes()).map(|value| self.strings(value)).unwrap_or_default()
    }

    /// Reads a list of strings, or one string in place of a list (which BEP 19 allows).
    fn strings(&mut self, value: &Value<'_>) -> Vec<String> {
        let items = match value {
            Value::List(list) => &list[..],
            one => std::slice::from_ref(one),
        };
        let mut strings = Vec::new();
        for item in items {
            match item.as_bytes() {
                Some(b"") => drop(self.deviations.insert(Deviation::EmptyUrl)),
                Some(url) => strings.push(deviation::text(url, self.deviations)),
                None => self.ignored(),
            }
        }
        strings
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.dict.get(key.as_bytes())?;
        let text = value.as_bytes().map(|text| deviation::text(text, self.deviations));
        if text.is_none() {
            self.ignored();
        }
        text
    }

    fn creation_date(&mut self) -> Option<u64> {
        let value = self.dict.get(b"creation date")?;
        let date = value.as_int().and_then(|date| u64::try_from(date).ok());
        if date.is_none() {
            self.ignored();
        }
        date
    }

    fn nodes(&mut self) -> Vec<(String, u16)> {
        let Some(value) = self.dict.get(b"nodes") else { return Vec::new() };
        let mut nodes = Vec::new();
        for node in value.as_list().unwrap_or_default() {
            match node.as_list() {
                Some([host, port]) if host.as_str().is_some() && port.as_int().is_some() => {
                    let host = host.as_str().unwrap_or_default().to_owned();
                    nodes.extend(port.as_int().and_then(|port| u16::try_from(port).ok()).map(|port| (host, port)));
                }
                _ => self.ignored(),
            }
        }
        nodes
    }

    fn piece_layers(&mut self, info: &Info) -> Result<PieceLayers, MetainfoError> {
        let mut layers = PieceLayers::default();
        if !info.has_v2() {
            return Ok(layers);
        }
        let given = match self.dict.get(b"piece layers") {
            None => {
                self.deviations.insert(Deviation::MissingPieceLayer);
                return Ok(layers);
            }
            Some(value) => value.as_dict().ok_or(MetainfoError::new(
                self.dict.offset_of(b"piece layers"),
                Problem::WrongType { key: "piece layers", expected: "a dictionary" },
            ))?,
        };
        let piece_length = u64::from(info.layout().piece_length());
        for file in info.layout().files().iter().filter(|file| file.length > piece_length) {
            let Some(root) = file.pieces_root else { continue };
            let Some(bytes) = given.bytes(&root) else {
                self.deviations.insert(Deviation::MissingPieceLayer);
                continue;
            };
            let (hashes, rest) = bytes.as_chunks::<32>();
            let fits = rest.is_empty() && hashes.len() as u64 == file.length.div_ceil(piece_length);
            if !fits || !layers.insert(root, hashes.to_vec(), info.layout().piece_length()) {
                let why = "a piece layer does not hash to the \"pieces root\" of its file";
                return Err(MetainfoError::invalid(given.offset_of(&root), why));
            }
        }
        if given.len() > layers.len() {
            self.deviations.insert(Deviation::ExtraPieceLayer);
        }
        Ok(layers)
    }

    fn extra(&self) -> BTreeMap<Bytes, Tree> {
        let others = self.dict.iter().filter(|(key, _)| !KNOWN.iter().any(|known| known.as_bytes() == *key));
        others.map(|(key, value)| (Bytes::copy_from_slice(key), Tree::from(value))).collect()
    }

    fn ignored(&mut self) {
        self.deviations.insert(Deviation::BadOptionalKey);
    }
}

#[cfg(test)]
mod tests;
