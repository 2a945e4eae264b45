//! One other node: the channel with it, how it is reached, what lies in its mailboxes.

use std::time::Duration;

use base::{Instant, NodeId, PersonId, WallTime};
use people::proto::codec::{DecodeError, Reader, Writer};

use super::super::channel::{Incoming, Outgoing, Queued};
use super::super::parcel::{Ack, Tell};

/// How a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// No stream stands.
    Away,
    /// One is being opened.
    Dialling,
    /// One stands.
    Connected,
}

/// What is known of what lies in a node's mailboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    /// How many mailboxes did not answer yet.
    pub(super) asked: usize,
    /// Whether one of them kept it.
    pub(super) kept: bool,
    /// The last number in what is being deposited.
    pub(super) last: u64,
    /// How often in a row none kept it.
    pub(super) failures: u32,
    /// The mark that was acknowledged by mailbox last, and when in this run.
    pub(super) acknowledged: (u64, u64),
    pub(super) acknowledged_at: Option<Instant>,
    /// The mark in what is being deposited.
    pub(super) acknowledging: (u64, u64),
    /// How many of the days were tried that the tag may be of.
    pub(super) day: usize,
    /// Whether a mailbox knows no such tag.
    pub(super) is_unknown: bool,
    /// Whether what is being deposited says that something was lost.
    pub(super) tells_lost: bool,
    /// When what lies there was deposited, or some of it acknowledged last; to be stored, so by the wall clock.
    pub(super) at: WallTime,
    /// How often it was deposited again since something was acknowledged.
    pub(super) times: u32,
}

impl Mail {
    /// Returns after what time what lies there unacknowledged is deposited again: six hours after the first time, a day
    /// after it, then daily. Arbitrary: a mailbox may forget.
    pub(super) fn again_after(&self, now: WallTime) -> Duration {
        let hours = match self.times {
            0 => 6,
            1 => 18,
            _ => 24,
        };
        Duration::from_secs(hours * 3600).saturating_sub(Duration::from_secs(now.0.saturating_sub(self.at.0)))
    }
}

/// One other node. See the module.
#[derive(Debug)]
pub(super) struct Peer {
    /// For whom it speaks.
    pub(super) person: PersonId,
    pub(super) out: Outgoing,
    pub(super) inn: Incoming,
    pub(super) link: Link,
    /// How often in a row it could not be reached.
    pub(super) failures: u32,
    /// When it was dialled last, or the stream to it ended.
    pub(super) tried: Option<Instant>,
    /// Whether something was queued since it was dialled.
    pub(super) fresh: bool,
    /// Whether what came has to be acknowledged, and whether now.
    pub(super) ack: AckState,
    /// How many bytes came since something was acknowledged.
    pub(super) unacknowledged: usize,
    /// Whether something of theirs could not be opened.
    pub(super) lost: bool,
    /// When a session was begun anew last.
    pub(super) renewed: Option<Instant>,
    /// When all was sent again last since they lost something.
    pub(super) repeated: Option<Instant>,
    /// How often in a row what was sent was not acknowledged in time.
    pub(super) resends: u32,
    /// What is told by the next parcel on a stream.
    pub(super) tells: Vec<Tell>,
    /// When cards were given last.
    pub(super) gave_cards: Option<Instant>,
    pub(super) mail: Mail,
}

/// Whether what came has to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AckState {
    /// No.
    None,
    /// Yes, along with what is sent.
    Wanted,
    /// Yes, now.
    Ripe,
}

impl Peer {
    /// Makes a peer without history, whose numbers begin at 1.
    pub(super) fn new(person: PersonId, incarnation: u64) -> Peer {
        Peer::with(person, Outgoing::new(incarnation, 1, 0), Incoming::default(), Mail::default())
    }

    fn with(person: PersonId, out: Outgoing, inn: Incoming, mail: Mail) -> Peer {
        Peer {
            person,
            out,
            inn,
            link: Link::Away,
            failures: 0,
            tried: None,
            fresh: false,
            ack: AckState::None,
            unacknowledged: 0,
            lost: false,
            renewed: None,
            repeated: None,
            resends: 0,
            tells: Vec::new(),
            gave_cards: None,
            mail,
        }
    }

    /// Returns what is stored of it beside what waits.
    pub(super) fn fact(&self) -> Vec<u8> {
        let (theirs, taken) = self.inn.mark();
        let mut to = Writer::new();
        to.u64(self.out.incarnation()).u64(self.out.oldest()).u64(self.out.next()).u64(self.out.deposited);
        to.u64(theirs).u64(taken);
        to.u64(self.mail.acknowledged.0).u64(self.mail.acknowledged.1).u64(self.mail.at.0).u32(self.mail.times);
        to.finish()
    }

    /// Reads what was stored; nothing waits yet. Also returns the next number: what is missing up to there was nothing.
    pub(super) fn restore(value: &[u8]) -> Result<(Peer, u64), DecodeError> {
        let mut from = Reader::new(value);
        let (incarnation, oldest, next, deposited) = (from.u64()?, from.u64()?, from.u64()?, from.u64()?);
        let inn = Incoming::new(from.u64()?, from.u64()?);
        let acknowledged = (from.u64()?, from.u64()?);
        let mail = Mail { acknowledged, at: WallTime(from.u64()?), times: from.u32()?, ..Mail::default() };
        from.finish()?;
        if oldest == 0 || next < oldest || deposited >= next {
            return Err(DecodeError::Value);
        }
        // Whose it is says the first word of people.
        Ok((Peer::with(PersonId([0; 32]), Outgoing::new(incarnation, oldest, deposited), inn, mail), next))
    }

    /// Whether there is a reason to reach it.
    pub(super) fn has_something(&self) -> bool {
        !self.out.is_empty() || self.ack == AckState::Ripe
    }

    /// Returns the acknowledgement as it is now, if anything ever came.
    pub(super) fn mark(&self) -> Option<Ack> {
        let (incarnation, taken) = self.inn.mark();
        (incarnation != 0 || self.lost).then_some(Ack { incarnation, taken, lost: self.lost })
    }
}

/// Writes what waits under a number.
pub(super) fn write_queued(what: &Queued) -> Vec<u8> {
    match what {
        Queued::Post(post) => Writer::new().u8(1).u64(*post).finish(),
        Queued::Item(item) => Writer::new().u8(2).fixed(item).finish(),
        Queued::Card => vec![3],
        Queued::Nothing => vec![0],
    }
}

/// Reads what [`write_queued`] wrote.
pub(super) fn read_queued(bytes: &[u8]) -> Option<Queued> {
    let (kind, rest) = bytes.split_first()?;
    match kind {
        0 if rest.is_empty() => Some(Queued::Nothing),
        1 => rest.try_into().ok().map(|post| Queued::Post(u64::from_be_bytes(post))),
        2 => Some(Queued::Item(rest.to_vec())),
        3 if rest.is_empty() => Some(Queued::Card),
        _ => None,
    }
}

/// The key of what is stored of a node.
pub(super) fn peer_key(node: NodeId) -> Vec<u8> {
    Writer::new().u8(PEER).fixed(&node.0).finish()
}

/// The key of what waits for a node under a number.
pub(super) fn queued_key(node: NodeId, number: u64) -> Vec<u8> {
    Writer::new().u8(QUEUED).fixed(&node.0).u64(number).finish()
}

/// The first byte of a node's key.
pub(super) const PEER: u8 = b'h';
/// The first byte of the keys of what waits for nodes.
pub(super) const QUEUED: u8 = b'q';
