//! A `.torrent` file: an info dictionary and what belongs around it (BEP 3, 12, 19, 52).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::bencode::{self, Dict, Tree, Value};
use crate::{Info, InfoHashes, Magnet, MetainfoError, PieceLayers, Problem};

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

    /// Parses and validates a torrent file.
    pub fn from_bytes(bytes: &[u8]) -> Result<TorrentFile, MetainfoError> {
        let value = bencode::decode(bytes)?;
        let dict = value.as_dict().ok_or(MetainfoError::invalid(0, "a torrent file is a dictionary"))?;
        let raw = dict.raw(b"info").ok_or(MetainfoError::new(0, Problem::Missing("info")))?;
        let at = dict.offset_of(b"info");
        let info = Info::from_bytes(Bytes::copy_from_slice(raw)).map_err(|error| error.shifted(at))?;
        let mut file = TorrentFile::from_info(Arc::new(info));
        file.trackers = trackers(dict);
        file.web_seeds = strings(dict.get(b"url-list"));
        file.comment = text(dict, b"comment");
        file.created_by = text(dict, b"created by");
        file.creation_date = dict.int(b"creation date").and_then(|date| u64::try_from(date).ok());
        file.piece_layers = piece_layers(dict, &file.info)?;
        Ok(file)
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
            put("announce-list", Tree::List(self.trackers.iter().map(|tier| list(tier)).collect()));
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
            put("creation date", Tree::Int(date as i64));
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
            trackers: self.trackers.iter().flatten().cloned().collect(),
            web_seeds: self.web_seeds.clone(),
            ..Magnet::new(self.info.hashes())
        }
    }
}

fn trackers(dict: &Dict<'_>) -> Vec<Vec<String>> {
    let tiers = dict.get(b"announce-list").and_then(Value::as_list).unwrap_or_default();
    let tiers: Vec<Vec<String>> =
        tiers.iter().map(|tier| strings(Some(tier))).filter(|tier| !tier.is_empty()).collect();
    if !tiers.is_empty() {
        return tiers;
    }
    text(dict, b"announce").filter(|url| !url.is_empty()).map(|url| vec![vec![url]]).unwrap_or_default()
}

/// Reads a list of strings, or one string in place of a list.
fn strings(value: Option<&Value<'_>>) -> Vec<String> {
    let one = value.and_then(Value::as_bytes);
    let many = value.and_then(Value::as_list).unwrap_or_default().iter().filter_map(Value::as_bytes);
    one.into_iter().chain(many).filter(|s| !s.is_empty()).map(|s| String::from_utf8_lossy(s).into_owned()).collect()
}

fn text(dict: &Dict<'_>, key: &[u8]) -> Option<String> {
    dict.bytes(key).map(|text| String::from_utf8_lossy(text).into_owned())
}

fn piece_layers(dict: &Dict<'_>, info: &Info) -> Result<PieceLayers, MetainfoError> {
    let mut layers = PieceLayers::default();
    let Some(given) = dict.get(b"piece layers").and_then(Value::as_dict) else { return Ok(layers) };
    let layout = info.layout();
    for file in layout.files().iter().filter(|file| file.length > u64::from(layout.piece_length())) {
        let Some(root) = file.pieces_root else { continue };
        let Some(bytes) = given.bytes(&root) else { continue };
        let (hashes, rest) = bytes.as_chunks::<32>();
        let pieces = file.length.div_ceil(u64::from(layout.piece_length()));
        let right = rest.is_empty()
            && hashes.len() as u64 == pieces
            && layers.insert(root, hashes.to_vec(), layout.piece_length());
        if !right {
            return Err(MetainfoError::invalid(given.offset_of(&root), "a piece layer does not hash to its root"));
        }
    }
    Ok(layers)
}
