//! Changing a torrent file without its content.

use std::sync::Arc;

use bytes::Bytes;

use crate::bencode::{self, Tree};
use crate::{Info, MetainfoError, TorrentFile};

/// What to change; `None` leaves a field as it is, `Some(None)` removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Tracker URLs in tiers.
    pub trackers: Option<Vec<Vec<String>>>,
    /// Web seeds.
    pub web_seeds: Option<Vec<String>>,
    /// The remark.
    pub comment: Option<Option<String>>,
    /// The program that made it.
    pub created_by: Option<Option<String>>,
    /// Seconds since the UNIX epoch.
    pub creation_date: Option<Option<u64>>,
    /// Whether it is private (BEP 27). Gives another info-hash.
    pub private: Option<bool>,
    /// The source tag. Gives another info-hash.
    pub source: Option<Option<String>>,
}

impl TorrentFile {
    /// Returns the torrent file with the changes made. The info-hash stays unless `private` or `source` really changes;
    /// the info dictionary is then written anew, everything else in it as it was.
    pub fn edited(&self, edit: &Edit) -> Result<TorrentFile, MetainfoError> {
        let mut file = self.clone();
        set(&mut file.trackers, &edit.trackers);
        set(&mut file.web_seeds, &edit.web_seeds);
        set(&mut file.comment, &edit.comment);
        set(&mut file.created_by, &edit.created_by);
        set(&mut file.creation_date, &edit.creation_date);
        let private = edit.private.filter(|&private| private != self.info.is_private());
        let source = edit.source.as_ref().filter(|source| source.as_deref() != self.info.source());
        if private.is_some() || source.is_some() {
            file.info = Arc::new(edited_info(&self.info, private, source.map(Option::as_deref))?);
        }
        Ok(file)
    }
}

fn set<T: Clone>(field: &mut T, change: &Option<T>) {
    if let Some(value) = change {
        field.clone_from(value);
    }
}

fn edited_info(info: &Info, private: Option<bool>, source: Option<Option<&str>>) -> Result<Info, MetainfoError> {
    let mut tree = Tree::from(&bencode::decode(info.raw())?);
    if let Tree::Dict(dict) = &mut tree {
        let mut put = |key: &'static [u8], value: Option<Tree>| match value {
            Some(value) => drop(dict.insert(Bytes::from_static(key), value)),
            None => drop(dict.remove(key)),
        };
        if let Some(private) = private {
            put(b"private", private.then_some(Tree::Int(1)));
        }
        if let Some(source) = source {
            put(b"source", source.map(Tree::from));
        }
    }
    Info::from_bytes(bencode::encode(&tree).into())
}
