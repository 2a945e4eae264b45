//! A notice: somebody shares something with us. The service `notice` carries one a stream, and a receipt back.
//!
//! Only the sharer's own nodes are believed; that is for the receiver of the stream to see to. A later notice of the same
//! share, with a greater version, replaces the earlier one: it names who may have it now, or takes it back.

use base::{GroupId, NodeId};
use metainfo::bencode::{self, Dict, Tree, Value};
use metainfo::{InfoHashV2, names};

use super::fields::{self, MessageError};

/// The longest notice, in bytes: its nodes, where some of them are, and a page.
pub const MAX_NOTICE_LEN: usize = 32 * MAX_NODES + MAX_HINTED * (32 + MAX_HINTS * (MAX_HINT_LEN + 4) + 8) + 4096;

/// The longest name, in bytes: what file systems take.
pub const MAX_NAME_LEN: usize = 255;

/// The longest remark, in bytes. Arbitrary: a few sentences.
pub const MAX_NOTE_LEN: usize = 1024;

/// Nodes that one notice lists at most: as many as one torrent may have as an audience.
pub const MAX_NODES: usize = 2000;

/// Nodes that a notice says the whereabouts of, at most. Arbitrary: the others are looked up.
pub const MAX_HINTED: usize = 64;

/// Hints for one node at most, and bytes of one: see `overlay::Hint`.
pub const MAX_HINTS: usize = 4;

/// See [`MAX_HINTS`].
pub const MAX_HINT_LEN: usize = 256;

/// Somebody shares something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The torrent: v2, its info dictionary salted.
    pub hash: InfoHashV2,
    /// What it is called: a name that can be a file's.
    pub name: String,
    /// How much it is, in bytes.
    pub bytes: u64,
    /// How many files it has.
    pub files: u32,
    /// A remark of the sharer.
    pub note: Option<String>,
    /// The group that it is shared with; whoever knows its roster goes by that.
    pub group: Option<GroupId>,
    /// Grows with each change.
    pub version: u64,
    /// The nodes that may have it, those of the sharer included.
    pub nodes: Vec<NodeId>,
    /// Where some of them may be reached, as the overlay writes it: those who are no contacts of one another would not
    /// know.
    pub hints: Vec<(NodeId, Vec<String>)>,
    /// It is no longer shared.
    pub withdrawn: bool,
    /// It goes with a message, which brings the first notice of it: whoever has that finds it there, and nowhere else.
    pub attached: bool,
}

impl Notice {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries = vec![
            ("bytes", fields::int(self.bytes)),
            ("files", fields::int(u64::from(self.files))),
            ("hash", Tree::bytes(&self.hash.0)),
            ("name", Tree::from(self.name.as_str())),
            ("nodes", Tree::bytes(&self.nodes.iter().flat_map(|node| node.0).collect::<Vec<u8>>())),
            ("version", fields::int(self.version)),
        ];
        if !self.hints.is_empty() {
            let hint = |text: &String| Tree::from(text.as_str());
            let of_node = |(node, hints): &(NodeId, Vec<String>)| {
                let hints = hints.iter().filter(|text| text.len() <= MAX_HINT_LEN).take(MAX_HINTS).map(hint);
                Tree::List(std::iter::once(Tree::bytes(&node.0)).chain(hints).collect())
            };
            entries.push(("hints", Tree::List(self.hints.iter().take(MAX_HINTED).map(of_node).collect())));
        }
        entries.extend(self.note.as_deref().map(|note| ("note", Tree::from(note))));
        entries.extend(self.group.map(|group| ("group", Tree::bytes(&group.0))));
        if self.withdrawn {
            entries.push(("withdrawn", Tree::Int(1)));
        }
        if self.attached {
            entries.push(("attached", Tree::Int(1)));
        }
        bencode::encode(&Tree::dict(entries))
    }

    /// Returns how many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        let hints = self.hints.iter().flat_map(|(_, hints)| hints.iter().map(|hint| hint.len() + size_of::<String>()));
        size_of::<Notice>()
            + self.name.len()
            + self.note.as_ref().map_or(0, String::len)
            + self.nodes.len() * size_of::<NodeId>()
            + self.hints.len() * size_of::<(NodeId, Vec<String>)>()
            + hints.sum::<usize>()
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Notice, MessageError> {
        let value = fields::dict(bytes, MAX_NOTICE_LEN)?;
        // `fields::dict` has looked.
        let dict = value.as_dict().ok_or(MessageError::Field("dictionary"))?;
        let name = fields::text(dict, "name", MAX_NAME_LEN)?.filter(|name| names::travels(name));
        Ok(Notice {
            hash: fields::fixed(dict, "hash")?.map(InfoHashV2).ok_or(MessageError::Field("hash"))?,
            name: name.ok_or(MessageError::Field("name"))?,
            bytes: fields::number(dict, "bytes")?,
            files: u32::try_from(fields::number(dict, "files")?).map_err(|_| MessageError::Field("files"))?,
            note: fields::text(dict, "note", MAX_NOTE_LEN)?,
            group: fields::fixed(dict, "group")?.map(GroupId),
            version: fields::number(dict, "version")?,
            nodes: fields::nodes(dict, "nodes", MAX_NODES)?,
            hints: hints(dict)?,
            withdrawn: fields::number(dict, "withdrawn")? != 0,
            attached: fields::number(dict, "attached")? != 0,
        })
    }
}

fn hints(dict: &Dict<'_>) -> Result<Vec<(NodeId, Vec<String>)>, MessageError> {
    const WRONG: MessageError = MessageError::Field("hints");
    let Some(value) = dict.get(b"hints") else { return Ok(Vec::new()) };
    let list = value.as_list().filter(|list| list.len() <= MAX_HINTED).ok_or(WRONG)?;
    let of_node = |value: &Value<'_>| {
        let (node, hints) = value.as_list().and_then(<[_]>::split_first).ok_or(WRONG)?;
        let node = node.as_bytes().and_then(|bytes| bytes.try_into().ok()).map(NodeId).ok_or(WRONG)?;
        let text = |value: &Value<'_>| value.as_str().filter(|text| text.len() <= MAX_HINT_LEN).map(str::to_owned);
        let texts: Option<Vec<String>> = hints.iter().map(text).collect();
        texts.filter(|texts| texts.len() <= MAX_HINTS).map(|texts| (node, texts)).ok_or(WRONG)
    };
    list.iter().map(of_node).collect()
}

/// What the receiver says to a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is kept.
    Kept,
    /// It is not wanted: neither a contact nor a fellow member, or the inbox is full. To be tried again much later.
    Refused,
}

impl Receipt {
    /// Writes it: one byte.
    pub fn encode(self) -> Vec<u8> {
        vec![u8::from(self == Receipt::Kept)]
    }

    /// Reads it; whatever is not understood is a refusal.
    pub fn decode(bytes: &[u8]) -> Receipt {
        if bytes == [1] { Receipt::Kept } else { Receipt::Refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Notice {
        Notice {
            hash: InfoHashV2([7; 32]),
            name: "photos".into(),
            bytes: 1 << 40,
            files: 3,
            note: Some("from the lake".into()),
            group: Some(GroupId([8; 32])),
            version: 4,
            nodes: vec![NodeId([1; 32]), NodeId([2; 32])],
            hints: vec![(NodeId([1; 32]), vec!["192.0.2.7:4433".into(), "https://relay.example".into()])],
            withdrawn: true,
            attached: true,
        }
    }

    #[test]
    fn a_notice_reads_back() {
        let full = notice();
        assert_eq!(Notice::decode(&full.encode()).unwrap(), full);
        let bare =
            Notice { note: None, group: None, nodes: Vec::new(), hints: Vec::new(), withdrawn: false, ..notice() };
        let bare = Notice { attached: false, ..bare };
        assert_eq!(Notice::decode(&bare.encode()).unwrap(), bare);
        let hints = vec![(NodeId([9; 32]), vec!["x".repeat(MAX_HINT_LEN); MAX_HINTS]); MAX_HINTED];
        let large =
            Notice { nodes: vec![NodeId([9; 32]); MAX_NODES], hints, note: Some("x".repeat(MAX_NOTE_LEN)), ..notice() };
        assert_eq!(Notice::decode(&large.encode()).unwrap(), large);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        for bad in [
            Notice { name: "../../etc/passwd".into(), ..notice() },
            Notice { name: "..".into(), ..notice() },
            Notice { name: String::new(), ..notice() },
            Notice { name: "a\u{1b}[2J".into(), ..notice() },
            Notice { name: "x".repeat(MAX_NAME_LEN + 1), ..notice() },
            Notice { note: Some("x".repeat(MAX_NOTE_LEN + 1)), ..notice() },
            Notice { nodes: vec![NodeId([9; 32]); MAX_NODES + 1], ..notice() },
        ] {
            assert!(Notice::decode(&bad.encode()).is_err(), "{:?}", bad.name);
        }
        assert_eq!(Notice::decode(&vec![b'd'; MAX_NOTICE_LEN + 1]), Err(MessageError::TooLong));
    }

    #[test]
    fn no_beginning_of_a_notice_is_one() {
        let bytes = notice().encode();
        assert!((0..bytes.len()).all(|end| Notice::decode(&bytes[..end]).is_err()));
    }

    #[test]
    fn only_a_clear_word_is_a_receipt() {
        assert_eq!(Receipt::decode(&Receipt::Kept.encode()), Receipt::Kept);
        assert_eq!(Receipt::decode(&Receipt::Refused.encode()), Receipt::Refused);
        assert_eq!(Receipt::decode(&[1, 1]), Receipt::Refused);
    }
}
