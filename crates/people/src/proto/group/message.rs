//! What two nodes say to one another on a stream of the overlay's service "group".
//!
//! A message is a length of four bytes and that many bytes. The side that opened the stream names the group without
//! naming it: by a hash over the group and both nodes' ids, which tells nothing to whoever does not know the group. The
//! answer to a stranger and to somebody who names a group that is not there is the same silence; whoever then says
//! [`Message::Belongs`] hears in both cases that the other end has nothing.

use std::sync::Arc;

use base::{GroupId, NodeId};
use sha2::{Digest, Sha256};

use super::change::{ChangeId, JoinRequest, MAX_CHANGE_BYTES};
use super::keys::EpochSecret;
use crate::proto::codec::{DecodeError, Reader, Writer};
use crate::proto::nodes::MAX_LIST_BYTES;

/// How many changes a [`Message::Have`] names: all heads that a change can name, and a sample of the past.
pub const MAX_HAVE: usize = 128;

/// How many bytes of changes travel in one message, unless a single change is longer. Arbitrary.
pub const BATCH_BYTES: usize = 64 << 10;

/// How many changes travel in one message: the shortest take some 140 bytes. Arbitrary.
pub const MAX_BATCH: usize = 512;

/// How many secrets travel in one message. Arbitrary.
pub const MAX_SECRETS: usize = 512;

/// How many fellow members one message tells of. Arbitrary.
pub const MAX_FELLOWS: usize = 8;

/// How many hints one message tells of one fellow member. Arbitrary: some for each of a few nodes.
pub const MAX_FELLOW_HINTS: usize = 32;

/// The longest hint, as in a link.
const MAX_HINT_BYTES: usize = super::link::MAX_HINT_BYTES;

/// The longest message, without its length.
pub const MAX_MESSAGE_BYTES: usize = {
    let changes = 1 + 2 + BATCH_BYTES + MAX_CHANGE_BYTES + 4 * MAX_BATCH;
    let people = 1 + 2 + MAX_FELLOWS * (4 + MAX_LIST_BYTES + 2 + MAX_FELLOW_HINTS * (32 + 4 + MAX_HINT_BYTES));
    if changes > people { changes } else { people }
};

/// The longest message that opens a stream: a list of nodes, the name of a group, and a request to come in.
pub const MAX_FIRST_MESSAGE_BYTES: usize = MAX_LIST_BYTES + 1024;

const HELLO: &[u8] = b"compeer group hello 1\n";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Opens a stream between members: which group it is about.
    Hello {
        /// See [`tag`].
        tag: [u8; 32],
        /// The list of nodes of the sender's person, signed.
        list: Vec<u8>,
    },
    /// Opens a stream of somebody who wants to come in.
    Join {
        /// See [`tag`].
        tag: [u8; 32],
        /// What the person signed.
        request: Box<JoinRequest>,
        /// The list of nodes of the sender's person, signed.
        list: Vec<u8>,
    },
    /// Tells a member's node, which said nothing to [`Message::Hello`], of a group that its person belongs to: it does
    /// not know the group yet, or does not know the sender as a member. Opens a stream.
    Belongs {
        /// The group.
        group: GroupId,
        /// The list of nodes of the sender's person, signed.
        list: Vec<u8>,
    },
    /// The group is known, and the other end is welcome.
    Welcome {
        /// The list of nodes of the sender's person, signed.
        list: Vec<u8>,
    },
    /// The request to come in is refused.
    Refused,
    /// What the sender has: its heads, and every so many changes of the past.
    Have(Vec<ChangeId>),
    /// Changes that the other end lacks, each after everything that it names.
    Changes(Vec<Arc<[u8]>>),
    /// Changes that something that came names, and that did not come.
    Want(Vec<ChangeId>),
    /// Which nodes members have, and where those may be reached. May come at any time after the welcome.
    People(Vec<Fellow>),
    /// Secrets of epochs: from one node of a person to another one of the same person alone.
    Secrets(Vec<(ChangeId, EpochSecret)>),
}

/// What a member tells of a fellow member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fellow {
    /// The list of nodes, signed by the person that it is about.
    pub list: Vec<u8>,
    /// Hints, each with a node: where it was heard of last.
    pub hints: Vec<(NodeId, String)>,
}

/// Returns what names a group between two nodes; `from` is the one that opened the stream.
pub fn tag(group: GroupId, from: NodeId, to: NodeId) -> [u8; 32] {
    Sha256::new().chain_update(HELLO).chain_update(group.0).chain_update(from.0).chain_update(to.0).finalize().into()
}

impl Message {
    /// Returns the bytes, without the length before them.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Message::Hello { tag, list } => {
                to.u8(0).fixed(tag).bytes(list);
            }
            Message::Join { tag, request, list } => {
                to.u8(1).fixed(tag);
                request.write(&mut to);
                to.bytes(list);
            }
            Message::Belongs { group, list } => {
                to.u8(2).fixed(&group.0).bytes(list);
            }
            Message::Welcome { list } => {
                to.u8(3).bytes(list);
            }
            Message::Refused => {
                to.u8(4);
            }
            Message::Have(ids) => write_ids(to.u8(5), ids),
            Message::Changes(changes) => {
                to.u8(6).u16(changes.len() as u16);
                for bytes in changes {
                    to.bytes(bytes);
                }
            }
            Message::Want(ids) => write_ids(to.u8(7), ids),
            Message::Secrets(secrets) => {
                to.u8(9).u16(secrets.len() as u16);
                for (epoch, secret) in secrets {
                    to.fixed(&epoch.0).fixed(secret.bytes());
                }
            }
            Message::People(fellows) => {
                to.u8(8).u16(fellows.len() as u16);
                for fellow in fellows {
                    to.bytes(&fellow.list).u16(fellow.hints.len() as u16);
                    for (node, hint) in &fellow.hints {
                        to.fixed(&node.0).text(hint);
                    }
                }
            }
        }
        to.finish()
    }

    /// Reads a message.
    pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
        let mut from = Reader::new(bytes);
        let message = match from.u8()? {
            0 => Message::Hello { tag: from.fixed()?, list: list(&mut from)? },
            1 => {
                let (tag, request) = (from.fixed()?, Box::new(JoinRequest::read(&mut from)?));
                Message::Join { tag, request, list: list(&mut from)? }
            }
            2 => Message::Belongs { group: GroupId(from.fixed()?), list: list(&mut from)? },
            3 => Message::Welcome { list: list(&mut from)? },
            4 => Message::Refused,
            5 => Message::Have(read_ids(&mut from)?),
            6 => {
                let count = limited(from.u16()?, MAX_BATCH)?;
                let mut changes = Vec::with_capacity(count.min(from.left() / 4));
                for _ in 0..count {
                    changes.push(from.bytes(MAX_CHANGE_BYTES)?.into());
                }
                Message::Changes(changes)
            }
            7 => Message::Want(read_ids(&mut from)?),
            8 => {
                let count = limited(from.u16()?, MAX_FELLOWS)?;
                Message::People((0..count).map(|_| read_fellow(&mut from)).collect::<Result<_, _>>()?)
            }
            9 => {
                let count = limited(from.u16()?, MAX_SECRETS)?;
                let one = |_| Ok((ChangeId(from.fixed()?), EpochSecret::from_bytes(from.fixed()?)));
                Message::Secrets((0..count).map(one).collect::<Result<_, DecodeError>>()?)
            }
            _ => return Err(DecodeError::Value),
        };
        from.finish()?;
        Ok(message)
    }
}

fn write_ids(to: &mut Writer, ids: &[ChangeId]) {
    to.u16(ids.len() as u16);
    for id in ids {
        to.fixed(&id.0);
    }
}

fn read_ids(from: &mut Reader<'_>) -> Result<Vec<ChangeId>, DecodeError> {
    let count = limited(from.u16()?, MAX_HAVE)?;
    (0..count).map(|_| Ok(ChangeId(from.fixed()?))).collect()
}

fn list(from: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    from.bytes(MAX_LIST_BYTES).map(<[u8]>::to_vec)
}

fn read_fellow(from: &mut Reader<'_>) -> Result<Fellow, DecodeError> {
    let list = list(from)?;
    let count = limited(from.u16()?, MAX_FELLOW_HINTS)?;
    let hint = |from: &mut Reader<'_>| Ok((NodeId(from.fixed()?), from.text(MAX_HINT_BYTES)?.to_owned()));
    Ok(Fellow { list, hints: (0..count).map(|_| hint(from)).collect::<Result<_, DecodeError>>()? })
}

fn limited(count: u16, limit: usize) -> Result<usize, DecodeError> {
    let count = usize::from(count);
    if count > limit { Err(DecodeError::Limit) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_went() {
        let changes = vec![Arc::from([1, 2, 3].as_slice()), Arc::from([].as_slice())];
        for message in [
            Message::Hello { tag: [7; 32], list: vec![1, 2] },
            Message::Secrets(vec![(ChangeId([8; 32]), EpochSecret::from_bytes([9; 32]))]),
            Message::People(vec![Fellow { list: vec![3], hints: vec![(NodeId([4; 32]), "[::1]:1".into())] }]),
            Message::Belongs { group: GroupId([3; 32]), list: vec![4] },
            Message::Welcome { list: Vec::new() },
            Message::Refused,
            Message::Have(vec![ChangeId([1; 32]), ChangeId([0; 32])]),
            Message::Changes(changes),
            Message::Want(Vec::new()),
        ] {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes).as_ref(), Ok(&message));
            assert!(Message::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
            assert!((0..bytes.len()).all(|end| Message::decode(&bytes[..end]).is_err()), "{message:?}");
        }
    }

    #[test]
    fn the_longest_first_message_fits() {
        let group = GroupId([1; 32]);
        let person = crate::proto::nodes::PersonKey::from_secret(&[1; 32]);
        let sealing = crate::proto::group::SealingKey::derive(&person).public();
        let invitation = Some((ChangeId([2; 32]), Some([3; 32])));
        let request = Box::new(JoinRequest::sign(group, &person, sealing, invitation, base::WallTime(1)));
        let message = Message::Join { tag: [7; 32], request, list: vec![0; MAX_LIST_BYTES] };
        assert!(message.encode().len() <= MAX_FIRST_MESSAGE_BYTES);
    }

    #[test]
    fn counts_beyond_their_limits_are_refused() {
        let ids = Message::Have(vec![ChangeId([1; 32]); MAX_HAVE + 1]).encode();
        assert_eq!(Message::decode(&ids), Err(DecodeError::Limit));
        let changes = Message::Changes(vec![Arc::from([].as_slice()); MAX_BATCH + 1]).encode();
        assert_eq!(Message::decode(&changes), Err(DecodeError::Limit));
    }

    #[test]
    fn a_group_has_another_tag_between_other_nodes() {
        let (group, one, two) = (GroupId([1; 32]), NodeId([2; 32]), NodeId([3; 32]));
        assert_ne!(tag(group, one, two), tag(group, two, one));
        assert_ne!(tag(group, one, two), tag(GroupId([4; 32]), one, two));
    }
}
