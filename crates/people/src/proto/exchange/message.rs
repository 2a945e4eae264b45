//! The messages of an exchange. A list of nodes is bytes here: it is verified where somebody wants it, not before.

use base::NodeId;

use crate::proto::codec::{DecodeError, Reader, Writer};
use crate::proto::contact::{MAX_RECORD_BYTES, Record};
use crate::proto::kept::{MAX_PARCEL_BYTES, Parcel};
use crate::proto::link::{MAX_HINT_BYTES, MAX_HINTS, Secret};
use crate::proto::name::Name;
use crate::proto::nodes::{Consent, MAX_LIST_BYTES};

/// The longest frame of somebody who greets: a list, hints, a secret.
pub const MAX_HELLO_BYTES: usize = MAX_LIST_BYTES + MAX_HINTS * (MAX_HINT_BYTES + 4) + 256;

/// The longest frame of somebody who is no stranger any more: two lists, hints, a secret.
pub const MAX_FIRST_FRAME_BYTES: usize = 2 * MAX_LIST_BYTES + MAX_HINTS * (MAX_HINT_BYTES + 4) + 256;

/// The longest frame: [`LISTS_PER_FRAME`] lists.
pub const MAX_FRAME_BYTES: usize = LISTS_PER_FRAME * (MAX_LIST_BYTES + 4) + 64;

/// How many lists one message holds. Arbitrary.
pub(super) const LISTS_PER_FRAME: usize = 16;

/// How many records one message holds. Arbitrary, and as many as fit into a frame.
pub(super) const RECORDS_PER_FRAME: usize = 64;

/// How many lists one end tells that it knows: those of the contacts and fellow members that fit into a frame.
pub(super) const MAX_KNOWN: usize = 4096;

const _: () = assert!(
    RECORDS_PER_FRAME * (MAX_RECORD_BYTES + 4) < MAX_FRAME_BYTES
        && RECORDS_PER_FRAME * (33 + MAX_HINTS * (MAX_HINT_BYTES + 4)) < MAX_FRAME_BYTES
        && MAX_KNOWN * 32 + 64 < MAX_FRAME_BYTES
        && MAX_PARCEL_BYTES + 64 < MAX_FRAME_BYTES
);

/// Why one node refuses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No contact, or a blocked one.
    #[error("the other does not have you among its contacts: ask for an invitation")]
    Unknown,
    /// The invitation is used, revoked, over, or was never made.
    #[error("the invitation is no longer good: ask for another")]
    Invitation,
    /// The person's own list does not name the node, or is no list.
    #[error("the list of nodes does not name this node: add it from another of your nodes")]
    List,
    /// The node was revoked.
    #[error("this node was revoked by its person: with another data directory it can be added again")]
    Revoked,
    /// No node is awaited, or it shows another code.
    #[error("the code is wrong, or no longer good: let the other computer show a new one")]
    Code,
}

/// What the dialler wants, on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Meet,
    Ask(Secret),
    Join([u8; 32], Name),
    Return,
}

/// What one end says of a list that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KnownList {
    /// A salted hash of the person.
    pub who: [u8; 16],
    /// The number of the list.
    pub seq: u64,
    /// The beginning of its hash, which decides between lists of one number.
    pub hash: [u8; 8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Hello {
        list: Vec<u8>,
        hints: Vec<String>,
        wish: Wish,
    },
    Welcome {
        list: Vec<u8>,
        hints: Vec<String>,
        /// The newest list of the dialler's person, where that does not name the dialler; else empty.
        yours: Vec<u8>,
        /// Whether the dialler's person is a contact.
        contact: bool,
    },
    Refuse(Refused),
    /// The receiver's person revoked it: by this list, the newest.
    Revoked(Vec<u8>),
    Consent(Consent),
    Update(Vec<u8>),
    Known {
        salt: [u8; 16],
        lists: Vec<KnownList>,
        /// The stamp of the parcel that is kept for the other end's person; 0: none.
        kept: u64,
        /// The stamp of the newest parcel of one's own that one knows of; 0: none.
        own: u64,
    },
    Lists(Vec<Vec<u8>>),
    Records(Vec<Record>),
    Done,
    /// Where nodes may be reached.
    Places(Vec<(NodeId, Vec<String>)>),
    /// A parcel of the sender's person: keep it.
    Keep(Parcel),
    /// A parcel of the receiver's person, which was kept.
    Kept(Parcel),
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Message::Hello { list, hints, wish } => {
                write_hints(to.u8(0).bytes(list), hints);
                match wish {
                    Wish::Meet => to.u8(0),
                    Wish::Ask(secret) => to.u8(1).fixed(&secret.0),
                    Wish::Join(proof, name) => to.u8(2).fixed(proof).text(name.as_str()),
                    Wish::Return => to.u8(3),
                };
            }
            Message::Welcome { list, hints, yours, contact } => {
                write_hints(to.u8(1).bytes(list), hints);
                to.bytes(yours).u8(u8::from(*contact));
            }
            Message::Refuse(why) => drop(to.u8(2).u8(*why as u8)),
            Message::Revoked(list) => drop(to.u8(12).bytes(list)),
            Message::Consent(consent) => drop(to.u8(3).fixed(&consent.0)),
            Message::Update(list) => drop(to.u8(4).bytes(list)),
            Message::Known { salt, lists, kept, own } => {
                to.u8(5).fixed(salt).u64(*kept).u64(*own).u16(lists.len() as u16);
                for list in lists {
                    to.fixed(&list.who).u64(list.seq).fixed(&list.hash);
                }
            }
            Message::Lists(lists) => {
                to.u8(6).u8(lists.len() as u8);
                for list in lists {
                    to.bytes(list);
                }
            }
            Message::Records(records) => {
                to.u8(7).u8(records.len() as u8);
                for record in records {
                    to.bytes(&record.encode());
                }
            }
            Message::Done => drop(to.u8(8)),
            Message::Places(places) => {
                to.u8(9).u8(places.len() as u8);
                for (node, hints) in places {
                    write_hints(to.fixed(&node.0), hints);
                }
            }
            Message::Keep(parcel) => drop(to.u8(10).u64(parcel.stamp).bytes(&parcel.sealed)),
            Message::Kept(parcel) => drop(to.u8(11).u64(parcel.stamp).bytes(&parcel.sealed)),
        }
        to.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
        let mut from = Reader::new(bytes);
        let message = match from.u8()? {
            0 => {
                let (list, hints) = (from.bytes(MAX_LIST_BYTES)?.to_vec(), read_hints(&mut from)?);
                let wish = match from.u8()? {
                    0 => Wish::Meet,
                    1 => Wish::Ask(Secret(from.fixed()?)),
                    2 => {
                        let proof = from.fixed()?;
                        let name = Name::new(from.text(Name::MAX_BYTES)?).map_err(|_| DecodeError::Value)?;
                        Wish::Join(proof, name)
                    }
                    3 => Wish::Return,
                    _ => return Err(DecodeError::Value),
                };
                Message::Hello { list, hints, wish }
            }
            1 => Message::Welcome {
                list: from.bytes(MAX_LIST_BYTES)?.to_vec(),
                hints: read_hints(&mut from)?,
                yours: from.bytes(MAX_LIST_BYTES)?.to_vec(),
                contact: from.flag()?,
            },
            2 => Message::Refuse(match from.u8()? {
                0 => Refused::Unknown,
                1 => Refused::Invitation,
                2 => Refused::List,
                3 => Refused::Revoked,
                4 => Refused::Code,
                _ => return Err(DecodeError::Value),
            }),
            3 => Message::Consent(Consent(from.fixed()?)),
            4 => Message::Update(from.bytes(MAX_LIST_BYTES)?.to_vec()),
            5 => {
                let (salt, kept, own) = (from.fixed()?, from.u64()?, from.u64()?);
                let count = limited(usize::from(from.u16()?), MAX_KNOWN)?;
                let one = |_| Ok(KnownList { who: from.fixed()?, seq: from.u64()?, hash: from.fixed()? });
                let lists = (0..count).map(one).collect::<Result<_, DecodeError>>()?;
                Message::Known { salt, lists, kept, own }
            }
            6 => {
                let count = limited(usize::from(from.u8()?), LISTS_PER_FRAME)?;
                let one = |_| Ok(from.bytes(MAX_LIST_BYTES)?.to_vec());
                Message::Lists((0..count).map(one).collect::<Result<_, DecodeError>>()?)
            }
            7 => {
                let count = limited(usize::from(from.u8()?), RECORDS_PER_FRAME)?;
                let one = |_| Record::decode(from.bytes(MAX_RECORD_BYTES)?);
                Message::Records((0..count).map(one).collect::<Result<_, _>>()?)
            }
            8 => Message::Done,
            9 => {
                let count = limited(usize::from(from.u8()?), RECORDS_PER_FRAME)?;
                let one = |_| Ok((NodeId(from.fixed()?), read_hints(&mut from)?));
                Message::Places((0..count).map(one).collect::<Result<_, DecodeError>>()?)
            }
            10 => Message::Keep(read_parcel(&mut from)?),
            11 => Message::Kept(read_parcel(&mut from)?),
            12 => Message::Revoked(from.bytes(MAX_LIST_BYTES)?.to_vec()),
            _ => return Err(DecodeError::Value),
        };
        from.finish()?;
        Ok(message)
    }
}

fn read_parcel(from: &mut Reader<'_>) -> Result<Parcel, DecodeError> {
    Ok(Parcel { stamp: from.u64()?, sealed: from.bytes(MAX_PARCEL_BYTES)?.to_vec() })
}

fn limited(count: usize, limit: usize) -> Result<usize, DecodeError> {
    if count > limit { Err(DecodeError::Limit) } else { Ok(count) }
}

fn write_hints(to: &mut Writer, hints: &[String]) {
    // As many as a reader takes; nobody has more than a few.
    let hints = &hints[..hints.len().min(MAX_HINTS)];
    to.u8(hints.len() as u8);
    for hint in hints {
        to.text(hint);
    }
}

fn read_hints(from: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let count = limited(usize::from(from.u8()?), MAX_HINTS)?;
    (0..count).map(|_| Ok(from.text(MAX_HINT_BYTES)?.to_owned())).collect()
}
