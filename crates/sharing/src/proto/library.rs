//! Libraries: folders that others may look into, and take files of. The service `library` carries one request a stream,
//! and its answer back.

use metainfo::bencode::{self, Tree};
use metainfo::names;

use super::fields::{self, MessageError};
use super::notice::{MAX_NAME_LEN, MAX_NOTICE_LEN, Notice};

/// The longest request, in bytes: a path as deep as one may be.
pub const MAX_REQUEST_LEN: usize = 2 * names::MAX_PATH_LEN;

/// Components of a path at most. Arbitrary.
pub const MAX_DEPTH: usize = 64;

/// Entries in one answer at most; what follows is asked for from there on. Arbitrary: a screenful is far less.
pub const MAX_ENTRIES: usize = 1000;

/// The longest answer, in bytes: a notice, or entries with their longest names.
pub const MAX_ANSWER_LEN: usize = if MAX_NOTICE_LEN > LONGEST_LIST { MAX_NOTICE_LEN + 64 } else { LONGEST_LIST };

const LONGEST_LIST: usize = MAX_ENTRIES * (MAX_NAME_LEN + 96) + 64;

/// The longest explanation of a refusal, in bytes. Arbitrary.
const MAX_REASON_LEN: usize = 512;

/// A question. The first component of a path names a library; no component names all libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// What is in this folder, from this entry on?
    List {
        /// The folder.
        path: Vec<String>,
        /// How many entries to leave out.
        from: u64,
    },
    /// Share this file or folder with me.
    Fetch {
        /// What.
        path: Vec<String>,
    },
}

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size in bytes; of a folder 0.
    pub bytes: u64,
    /// It is a folder.
    pub folder: bool,
    /// When it was changed last, in seconds since 1970; 0: not known.
    pub modified: u64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What is in a folder.
    Entries {
        /// At most [`MAX_ENTRIES`].
        entries: Vec<Entry>,
        /// More follow.
        more: bool,
    },
    /// It is shared: this is the notice of it.
    Share(Box<Notice>),
    /// It is being hashed: ask again in a moment.
    Wait {
        /// Bytes hashed.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// No, and why.
    Refused(String),
}

impl Request {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let path = |path: &[String]| Tree::List(path.iter().map(|part| Tree::from(part.as_str())).collect());
        bencode::encode(&match self {
            Request::List { path: p, from } => Tree::dict([("from", fields::int(*from)), ("list", path(p))]),
            Request::Fetch { path: p } => Tree::dict([("fetch", path(p))]),
        })
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Request, MessageError> {
        let value = fields::dict(bytes, MAX_REQUEST_LEN)?;
        let dict = value.as_dict().ok_or(MessageError::Field("dictionary"))?;
        let path = |key: &'static str| {
            let list = dict.get(key.as_bytes()).and_then(|value| value.as_list()).ok_or(MessageError::Field(key))?;
            let parts = list.iter().map(|part| part.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>();
            parts.filter(|path| check_path(path)).ok_or(MessageError::Field(key))
        };
        if dict.get(b"list").is_some() {
            return Ok(Request::List { path: path("list")?, from: fields::number(dict, "from")? });
        }
        Ok(Request::Fetch { path: path("fetch")? })
    }
}

/// Tells whether all components are plain names, so that a path stays below where it begins.
pub fn check_path(path: &[String]) -> bool {
    path.len() <= MAX_DEPTH && path.iter().all(|part| part.len() <= MAX_NAME_LEN && names::travels(part))
}

impl Answer {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        bencode::encode(&match self {
            Answer::Entries { entries, more } => {
                let entry = |entry: &Entry| {
                    let mut fields = vec![
                        ("modified", fields::int(entry.modified)),
                        ("name", Tree::from(entry.name.as_str())),
                        ("bytes", fields::int(entry.bytes)),
                    ];
                    fields.extend(entry.folder.then_some(("folder", Tree::Int(1))));
                    Tree::dict(fields)
                };
                let list = Tree::List(entries.iter().take(MAX_ENTRIES).map(entry).collect());
                Tree::dict([("entries", list), ("more", Tree::Int(i64::from(*more)))])
            }
            Answer::Share(notice) => Tree::dict([("share", Tree::bytes(&notice.encode()))]),
            Answer::Wait { done, total } => Tree::dict([("done", fields::int(*done)), ("total", fields::int(*total))]),
            Answer::Refused(reason) => Tree::dict([("refused", Tree::from(reason.as_str()))]),
        })
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Answer, MessageError> {
        let value = fields::dict(bytes, MAX_ANSWER_LEN)?;
        let dict = value.as_dict().ok_or(MessageError::Field("dictionary"))?;
        if let Some(reason) = fields::text(dict, "refused", MAX_REASON_LEN)? {
            return Ok(Answer::Refused(reason));
        }
        if let Some(share) = dict.get(b"share") {
            let bytes = share.as_bytes().ok_or(MessageError::Field("share"))?;
            return Ok(Answer::Share(Box::new(Notice::decode(bytes)?)));
        }
        let Some(entries) = dict.get(b"entries") else {
            return Ok(Answer::Wait { done: fields::number(dict, "done")?, total: fields::number(dict, "total")? });
        };
        let list = entries.as_list().filter(|list| list.len() <= MAX_ENTRIES).ok_or(MessageError::Field("entries"))?;
        let entry = |value: &bencode::Value<'_>| {
            let dict = value.as_dict().ok_or(MessageError::Field("entries"))?;
            let name = fields::text(dict, "name", MAX_NAME_LEN)?.filter(|name| names::travels(name));
            Ok(Entry {
                name: name.ok_or(MessageError::Field("name"))?,
                bytes: fields::number(dict, "bytes")?,
                folder: fields::number(dict, "folder")? != 0,
                modified: fields::number(dict, "modified")?,
            })
        };
        let entries = list.iter().map(entry).collect::<Result<_, MessageError>>()?;
        Ok(Answer::Entries { entries, more: fields::number(dict, "more")? != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::InfoHashV2;

    fn path(text: &str) -> Vec<String> {
        text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn requests_read_back() {
        for request in [
            Request::List { path: Vec::new(), from: 0 },
            Request::List { path: path("music/live"), from: 1000 },
            Request::Fetch { path: path("music/live/a b.flac") },
        ] {
            assert_eq!(Request::decode(&request.encode()).unwrap(), request);
        }
    }

    #[test]
    fn a_path_stays_below_its_folder() {
        for parts in [&[".."][..], &["a", "..", "b"], &["a/b"], &[""], &["."], &["a\0"], &["c\\d"]] {
            let path: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            assert!(Request::decode(&Request::Fetch { path }.encode()).is_err(), "{parts:?}");
        }
        let deep = Request::Fetch { path: vec!["a".to_owned(); MAX_DEPTH + 1] };
        assert!(Request::decode(&deep.encode()).is_err());
    }

    #[test]
    fn answers_read_back() {
        let entry = Entry { name: "a".into(), bytes: 7, folder: false, modified: 9 };
        let folder = Entry { name: "b".into(), bytes: 0, folder: true, modified: 0 };
        let notice = Notice {
            hash: InfoHashV2([7; 32]),
            name: "a".into(),
            bytes: 7,
            files: 1,
            note: None,
            group: None,
            version: 1,
            nodes: Vec::new(),
            hints: Vec::new(),
            withdrawn: false,
            attached: false,
        };
        for answer in [
            Answer::Entries { entries: vec![entry, folder], more: true },
            Answer::Entries { entries: Vec::new(), more: false },
            Answer::Share(Box::new(notice)),
            Answer::Wait { done: 1, total: 2 },
            Answer::Refused("there is no such file".into()),
        ] {
            assert_eq!(Answer::decode(&answer.encode()).unwrap(), answer);
        }
    }

    #[test]
    fn the_longest_answers_fit() {
        let entry = Entry { name: "x".repeat(MAX_NAME_LEN), bytes: u64::MAX, folder: true, modified: u64::MAX };
        let answer = Answer::Entries { entries: vec![entry; MAX_ENTRIES], more: true };
        assert!(answer.encode().len() <= MAX_ANSWER_LEN);
        assert!(Answer::decode(&answer.encode()).is_ok());
    }
}
