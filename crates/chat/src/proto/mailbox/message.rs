//! What is asked of a mailbox, and what it answers: one question and one answer a stream, by `people::proto::codec`.
//!
//! Whoever asks is known by the key of their node, which the stream proves: [`Request::Register`], [`Request::Fetch`]
//! and [`Request::Delete`] are about the asking node's own box, [`Request::Deposit`] about the box that registered the
//! tag.

use people::proto::codec::{DecodeError, Reader, Writer};

use crate::proto::cipher::MAX_ENVELOPE;

/// What an envelope carries outside, so that the mailbox knows whose it is.
pub type Tag = [u8; 16];

/// How many tags a node registers at most: one a day for the longest absence, and what clocks need. `Cipher::own_tags`
/// gives fewer. Arbitrary beyond that.
pub const MAX_TAGS: usize = 64;

/// For how many seconds a question for envelopes may wait for the first one. Below a minute, after which many routers
/// forget a silent UDP mapping (RFC 4787, section 4.3, wants two minutes and says that many do not keep to it).
pub const MAX_WAIT_S: u8 = 50;

/// How many envelopes one answer brings. Arbitrary.
pub const MAX_FETCHED: usize = 128;

/// How many bytes of envelopes one answer brings: four of the longest. Arbitrary.
pub const MAX_FETCHED_BYTES: usize = 4 * MAX_ENVELOPE;

/// How many envelopes one request deletes. Arbitrary: more than one answer brings.
pub const MAX_DELETED: usize = 1024;

/// The longest request: a deposit of the longest envelope.
pub const MAX_REQUEST: usize = 1 + 16 + 4 + MAX_ENVELOPE;

/// The longest answer: envelopes, each with number and length.
pub const MAX_ANSWER: usize = 1 + 1 + 2 + MAX_FETCHED * (8 + 4) + MAX_FETCHED_BYTES;

/// What is asked of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Keep what comes under these tags for me, in place of those that I named before; at most [`MAX_TAGS`].
    Register {
        /// The tags.
        tags: Vec<Tag>,
    },
    /// Keep this for whoever registered the tag.
    Deposit {
        /// For whom.
        tag: Tag,
        /// At most [`MAX_ENVELOPE`].
        envelope: Vec<u8>,
    },
    /// Give me what is here for me, the oldest first.
    Fetch {
        /// Only those with greater numbers.
        after: u64,
        /// For how many seconds to wait for the first, when none is here; at most [`MAX_WAIT_S`].
        wait_s: u8,
    },
    /// Delete these of mine; at most [`MAX_DELETED`]. What is not here (any more) is no error.
    Delete {
        /// Their numbers.
        ids: Vec<u64>,
    },
}

/// What a mailbox answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The tags are registered.
    Registered {
        /// How many bytes of envelopes the asker's person may have here.
        quota_bytes: u64,
        /// After how many seconds an envelope is deleted that nobody fetched.
        expiry_s: u32,
    },
    /// The envelope is kept.
    Kept,
    /// What is here, the oldest first; with the numbers to delete them by. Empty when none came in time.
    Envelopes {
        /// At most [`MAX_FETCHED`] and [`MAX_FETCHED_BYTES`].
        envelopes: Vec<(u64, Vec<u8>)>,
        /// Whether there are more after the last.
        more: bool,
    },
    /// None of them is here any more.
    Deleted,
    /// It is not done.
    Refused(Refusal),
}

/// Why a mailbox does not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// The question cannot be read.
    #[error("the mailbox cannot read the question")]
    Malformed = 0,
    /// This mailbox is not offered to whoever asks.
    #[error("the mailbox is not offered to this person")]
    NotOffered = 1,
    /// Nobody registered the tag, or not for this day.
    #[error("nobody registered the tag")]
    UnknownTag = 2,
    /// What is kept for the recipient, or for all, is as much as may be.
    #[error("the mailbox is full")]
    Full = 3,
    /// As many recipients are registered as may be, or as many nodes of this person.
    #[error("the mailbox has as many recipients as it takes")]
    TooManyRecipients = 4,
    /// The asker registered no tags, or was forgotten after a long absence: register again.
    #[error("no tags are registered for this node")]
    NotRegistered = 5,
    /// As many others as may have registered each of these tags.
    #[error("others registered these tags")]
    TagTaken = 6,
    /// Too many ask at once.
    #[error("the mailbox is busy")]
    Busy = 7,
}

impl Refusal {
    const ALL: [Refusal; 8] = [
        Refusal::Malformed,
        Refusal::NotOffered,
        Refusal::UnknownTag,
        Refusal::Full,
        Refusal::TooManyRecipients,
        Refusal::NotRegistered,
        Refusal::TagTaken,
        Refusal::Busy,
    ];
}

impl Request {
    /// Returns the bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Request::Register { tags } => {
                to.u8(0).u16(tags.len() as u16);
                tags.iter().for_each(|tag| _ = to.fixed(tag));
            }
            Request::Deposit { tag, envelope } => _ = to.u8(1).fixed(tag).bytes(envelope),
            Request::Fetch { after, wait_s } => _ = to.u8(2).u64(*after).u8(*wait_s),
            Request::Delete { ids } => {
                to.u8(3).u16(ids.len() as u16);
                ids.iter().for_each(|id| _ = to.u64(*id));
            }
        }
        to.finish()
    }

    /// Reads a request.
    pub fn decode(bytes: &[u8]) -> Result<Request, DecodeError> {
        let mut from = Reader::new(bytes);
        let request = match from.u8()? {
            0 => {
                let count = limited(from.u16()?, MAX_TAGS)?;
                Request::Register { tags: (0..count).map(|_| from.fixed()).collect::<Result<_, _>>()? }
            }
            1 => Request::Deposit { tag: from.fixed()?, envelope: from.bytes(MAX_ENVELOPE)?.to_vec() },
            2 => Request::Fetch { after: from.u64()?, wait_s: from.u8()? },
            3 => {
                let count = limited(from.u16()?, MAX_DELETED)?;
                Request::Delete { ids: (0..count).map(|_| from.u64()).collect::<Result<_, _>>()? }
            }
            _ => return Err(DecodeError::Value),
        };
        from.finish()?;
        if matches!(request, Request::Fetch { wait_s, .. } if wait_s > MAX_WAIT_S) {
            return Err(DecodeError::Limit);
        }
        Ok(request)
    }
}

impl Answer {
    /// Returns the bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Answer::Registered { quota_bytes, expiry_s } => _ = to.u8(0).u64(*quota_bytes).u32(*expiry_s),
            Answer::Kept => _ = to.u8(1),
            Answer::Envelopes { envelopes, more } => {
                to.u8(2).u8(u8::from(*more)).u16(envelopes.len() as u16);
                envelopes.iter().for_each(|(id, envelope)| _ = to.u64(*id).bytes(envelope));
            }
            Answer::Deleted => _ = to.u8(3),
            Answer::Refused(refusal) => _ = to.u8(4).u8(*refusal as u8),
        }
        to.finish()
    }

    /// Reads an answer.
    pub fn decode(bytes: &[u8]) -> Result<Answer, DecodeError> {
        if bytes.len() > MAX_ANSWER {
            return Err(DecodeError::Limit);
        }
        let mut from = Reader::new(bytes);
        let answer = match from.u8()? {
            0 => Answer::Registered { quota_bytes: from.u64()?, expiry_s: from.u32()? },
            1 => Answer::Kept,
            2 => read_envelopes(&mut from)?,
            3 => Answer::Deleted,
            4 => {
                let reason = from.u8()?;
                let refusal = Refusal::ALL.into_iter().find(|refusal| *refusal as u8 == reason);
                Answer::Refused(refusal.ok_or(DecodeError::Value)?)
            }
            _ => return Err(DecodeError::Value),
        };
        from.finish()?;
        Ok(answer)
    }
}

fn read_envelopes(from: &mut Reader<'_>) -> Result<Answer, DecodeError> {
    let (more, count) = (from.flag()?, limited(from.u16()?, MAX_FETCHED)?);
    let (mut envelopes, mut total) = (Vec::new(), 0);
    for _ in 0..count {
        let (id, envelope) = (from.u64()?, from.bytes(MAX_ENVELOPE)?);
        total += envelope.len();
        if total > MAX_FETCHED_BYTES {
            return Err(DecodeError::Limit);
        }
        envelopes.push((id, envelope.to_vec()));
    }
    // Each number once, the least first: whoever reads them remembers the last as what was fetched so far.
    if !envelopes.is_sorted_by(|(one, _), (next, _)| one < next) {
        return Err(DecodeError::Value);
    }
    Ok(Answer::Envelopes { envelopes, more })
}

fn limited(count: u16, limit: usize) -> Result<usize, DecodeError> {
    let count = usize::from(count);
    if count > limit { Err(DecodeError::Limit) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_and_lengthened(bytes: &[u8], reads: impl Fn(&[u8]) -> bool) {
        assert!(reads(bytes));
        assert!((0..bytes.len()).all(|end| !reads(&bytes[..end])), "cut");
        assert!(!reads(&[bytes, &[0]].concat()), "lengthened");
    }

    #[test]
    fn requests_come_back_as_they_went() {
        for request in [
            Request::Register { tags: vec![[1; 16], [2; 16]] },
            Request::Register { tags: Vec::new() },
            Request::Deposit { tag: [3; 16], envelope: vec![4; 9] },
            Request::Fetch { after: u64::MAX, wait_s: MAX_WAIT_S },
            Request::Delete { ids: vec![5, 1] },
        ] {
            let bytes = request.encode();
            assert_eq!(Request::decode(&bytes).as_ref(), Ok(&request));
            cut_and_lengthened(&bytes, |bytes| Request::decode(bytes).is_ok());
        }
    }

    #[test]
    fn answers_come_back_as_they_went() {
        let refused = Refusal::ALL.map(Answer::Refused);
        let others = [
            Answer::Registered { quota_bytes: 1 << 40, expiry_s: 86_400 },
            Answer::Kept,
            Answer::Envelopes { envelopes: vec![(1, vec![2]), (3, Vec::new())], more: true },
            Answer::Envelopes { envelopes: Vec::new(), more: false },
            Answer::Deleted,
        ];
        for answer in refused.into_iter().chain(others) {
            let bytes = answer.encode();
            assert_eq!(Answer::decode(&bytes).as_ref(), Ok(&answer));
            cut_and_lengthened(&bytes, |bytes| Answer::decode(bytes).is_ok());
        }
    }

    #[test]
    fn the_longest_fit_and_one_more_does_not() {
        let longest = |more: usize| Request::Deposit { tag: [0; 16], envelope: vec![0; MAX_ENVELOPE + more] }.encode();
        assert_eq!(longest(0).len(), MAX_REQUEST);
        assert!(Request::decode(&longest(0)).is_ok());
        assert_eq!(Request::decode(&longest(1)), Err(DecodeError::Limit));

        let tags = |count| Request::Register { tags: vec![[0; 16]; count] }.encode();
        assert!(tags(MAX_TAGS).len() <= MAX_REQUEST && Request::decode(&tags(MAX_TAGS)).is_ok());
        assert_eq!(Request::decode(&tags(MAX_TAGS + 1)), Err(DecodeError::Limit));

        let ids = |count| Request::Delete { ids: (0..count).collect() }.encode();
        assert!(ids(MAX_DELETED as u64).len() <= MAX_REQUEST && Request::decode(&ids(MAX_DELETED as u64)).is_ok());
        assert_eq!(Request::decode(&ids(MAX_DELETED as u64 + 1)), Err(DecodeError::Limit));

        let late = Request::Fetch { after: 0, wait_s: MAX_WAIT_S + 1 };
        assert_eq!(Request::decode(&late.encode()), Err(DecodeError::Limit));
    }

    #[test]
    fn an_answer_brings_so_many_and_so_much_and_in_order() {
        let answer = |envelopes| Answer::decode(&Answer::Envelopes { envelopes, more: false }.encode());
        let of = |count: usize, len: usize| (0..count as u64).map(|id| (id, vec![0; len])).collect::<Vec<_>>();
        assert!(answer(of(MAX_FETCHED, MAX_FETCHED_BYTES / MAX_FETCHED)).is_ok());
        assert_eq!(answer(of(MAX_FETCHED + 1, 1)), Err(DecodeError::Limit));
        assert_eq!(answer(of(MAX_FETCHED_BYTES / MAX_ENVELOPE + 1, MAX_ENVELOPE)), Err(DecodeError::Limit));
        assert_eq!(answer(vec![(2, Vec::new()), (1, Vec::new())]), Err(DecodeError::Value));
        assert_eq!(answer(vec![(1, Vec::new()), (1, Vec::new())]), Err(DecodeError::Value));
    }
}
