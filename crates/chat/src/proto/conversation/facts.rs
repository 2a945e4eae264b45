//! How the course of a conversation is stored: a fact for each part that changes by itself, so that a message costs two
//! short ones however long the conversation is.

use std::time::Duration;

use base::{Instant, NodeId, Now, WallTime};
use people::proto::codec::{DecodeError, Reader, Writer};

use super::super::id::{Conversation, MessageId, Pen};
use super::super::ids::{Ids, Ranges};
use super::super::item::{read_audience, write_audience};
use super::super::message::Message;
use super::{Course, Hand, Held, PATIENCE, PATIENCE_ANEW, Standing};

/// Which part of a course a fact is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactOf {
    /// Its time, its newest, its timer, its standing.
    Head,
    /// What is known of the messages of a pen.
    Hand(Pen),
    /// A message that waits.
    Held(MessageId),
    /// For whom the messages of a pen are.
    Audience(Pen),
    /// What was shown when another node of ours became known.
    Before(NodeId),
    /// What of a pen was given up since whoever wrote it seemed to be no member.
    Strange(Pen),
    /// What the partner wrote beyond what a request may have.
    Beyond,
}

/// The first bytes of the keys.
const HEAD: u8 = b'c';
const HAND: u8 = b'r';
const HELD: u8 = b'w';
const AUDIENCE: u8 = b'j';
const BEFORE: u8 = b'b';
const STRANGE: u8 = b'u';
const BEYOND: u8 = b'e';

impl FactOf {
    fn key(&self, conversation: &Conversation) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            FactOf::Head => conversation.write(to.u8(HEAD)),
            FactOf::Hand(pen) => {
                conversation.write(to.u8(HAND));
                to.fixed(&pen.0);
            }
            FactOf::Held(id) => {
                conversation.write(to.u8(HELD));
                id.write(&mut to);
            }
            FactOf::Audience(pen) => {
                conversation.write(to.u8(AUDIENCE));
                to.fixed(&pen.0);
            }
            FactOf::Before(node) => {
                conversation.write(to.u8(BEFORE));
                to.fixed(&node.0);
            }
            FactOf::Strange(pen) => {
                conversation.write(to.u8(STRANGE));
                to.fixed(&pen.0);
            }
            FactOf::Beyond => conversation.write(to.u8(BEYOND)),
        }
        to.finish()
    }
}

/// Reads whose fact a key names; `None` for keys of other kinds.
pub fn read_fact(key: &[u8]) -> Option<(Conversation, FactOf)> {
    let mut from = Reader::new(key);
    let kind = from.u8().ok().filter(|kind| [HEAD, HAND, HELD, AUDIENCE, BEFORE, STRANGE, BEYOND].contains(kind))?;
    let conversation = Conversation::read(&mut from).ok()?;
    let fact = match kind {
        HEAD => FactOf::Head,
        HAND => FactOf::Hand(Pen(from.fixed().ok()?)),
        HELD => FactOf::Held(MessageId::read(&mut from).ok()?),
        AUDIENCE => FactOf::Audience(Pen(from.fixed().ok()?)),
        BEFORE => FactOf::Before(NodeId(from.fixed().ok()?)),
        BEYOND => FactOf::Beyond,
        _ => FactOf::Strange(Pen(from.fixed().ok()?)),
    };
    from.finish().ok()?;
    Some((conversation, fact))
}

impl Course {
    /// Returns what has to be stored since the last call.
    pub fn facts(&mut self, conversation: &Conversation) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|fact| (fact.key(conversation), self.value(fact))).collect()
    }

    /// Forgets all: nothing was ever shown, and what waited is gone.
    pub fn erase(&mut self) {
        debug_assert!(self.is_blank());
        let hands = std::mem::take(&mut self.hands).into_keys().map(FactOf::Hand);
        let audiences = std::mem::take(&mut self.audiences).into_keys().map(FactOf::Audience);
        let before = std::mem::take(&mut self.before).into_keys().map(FactOf::Before);
        let strange = std::mem::take(&mut self.strange).into_keys().map(FactOf::Strange);
        self.beyond = Ids::default();
        let rest = [FactOf::Head, FactOf::Beyond];
        self.changed.extend(hands.chain(audiences).chain(before).chain(strange).chain(rest));
    }

    fn value(&self, fact: FactOf) -> Option<Vec<u8>> {
        let mut to = Writer::new();
        match fact {
            FactOf::Head if self.is_blank() => return None,
            FactOf::Head => self.write_head(&mut to),
            FactOf::Hand(pen) => {
                let hand = self.hands.get(&pen)?;
                [&hand.shown, &hand.void, &hand.read].into_iter().for_each(|ranges| ranges.write(&mut to));
            }
            FactOf::Held(id) => {
                let held = self.held.get(&id)?;
                to.fixed(&held.from.0).u64(held.since.0).u8(u8::from(held.doubted));
                write_audience(&mut to, &held.audience);
                to.bytes(&held.message.encode());
            }
            FactOf::Audience(pen) => {
                for (number, audience) in self.audiences.get(&pen)? {
                    write_audience(to.u32(*number), audience);
                }
            }
            FactOf::Before(node) => {
                for (pen, last) in self.before.get(&node)? {
                    to.fixed(&pen.0).u32(*last);
                }
            }
            FactOf::Strange(pen) => self.strange.get(&pen)?.write(&mut to),
            FactOf::Beyond if self.beyond.is_empty() => return None,
            FactOf::Beyond => self.beyond.write(&mut to),
        }
        Some(to.finish())
    }

    fn write_head(&self, to: &mut Writer) {
        to.u64(self.time);
        let (standing, asked) = match self.standing {
            Standing::Unheard => (0, 0),
            Standing::Asking(asked) => (1, asked),
            Standing::Accepted => (2, 0),
            Standing::Refused => (3, 0),
        };
        to.u8(standing).u32(asked);
        to.u8(u8::from(self.timer.is_some()));
        if let Some((time, id, expires_s)) = self.timer {
            id.write(to.u64(time));
            to.u32(expires_s.unwrap_or(0));
        }
        to.u16(self.frontier.len() as u16);
        self.frontier.iter().for_each(|(id, time)| {
            id.write(to);
            to.u64(*time);
        });
    }

    /// Takes a fact that was stored. [`Course::wake`] follows the last one.
    pub fn restore(&mut self, fact: FactOf, value: &[u8]) -> Result<(), DecodeError> {
        let mut from = Reader::new(value);
        match fact {
            FactOf::Head => self.read_head(&mut from)?,
            FactOf::Hand(pen) => {
                let mut ranges = || Ranges::read(&mut from);
                let hand = Hand { shown: ranges()?, void: ranges()?, read: ranges()? };
                self.hands.insert(pen, hand);
            }
            FactOf::Held(id) => {
                let (node, since, doubted) = (NodeId(from.fixed()?), WallTime(from.u64()?), from.flag()?);
                let audience = read_audience(&mut from)?;
                let message = Message::decode(from.bytes(usize::MAX)?)?;
                // When its time is over is known as soon as the clock is.
                self.held.insert(id, Held { message, from: node, since, until: Instant::START, doubted, audience });
            }
            FactOf::Audience(pen) => {
                let parts = self.audiences.entry(pen).or_default();
                while from.left() > 0 {
                    parts.insert(from.u32()?, read_audience(&mut from)?);
                }
            }
            FactOf::Before(node) => {
                let before = self.before.entry(node).or_default();
                while from.left() > 0 {
                    before.insert(Pen(from.fixed()?), from.u32()?);
                }
            }
            FactOf::Strange(pen) => _ = self.strange.insert(pen, Ranges::read(&mut from)?),
            FactOf::Beyond => self.beyond = Ids::read(&mut from)?,
        }
        from.finish()
    }

    fn read_head(&mut self, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.time = from.u64()?;
        let (standing, asked) = (from.u8()?, from.u32()?);
        self.standing = match standing {
            0 => Standing::Unheard,
            1 => Standing::Asking(asked),
            2 => Standing::Accepted,
            3 => Standing::Refused,
            _ => return Err(DecodeError::Value),
        };
        if from.flag()? {
            let (time, id) = (from.u64()?, MessageId::read(from)?);
            self.timer = Some((time, id, Some(from.u32()?).filter(|seconds| *seconds > 0)));
        }
        for _ in 0..from.u16()? {
            self.frontier.insert(MessageId::read(from)?, from.u64()?);
        }
        Ok(())
    }

    /// All facts are restored: what waits asks for its causes at that time.
    pub fn wake(&mut self, now: Now, ask_at: Instant) {
        self.held_cost = 0;
        self.missing.clear();
        self.due.clear();
        for mut held in std::mem::take(&mut self.held).into_values() {
            let waited = Duration::from_secs(now.wall.0.saturating_sub(held.since.0));
            held.until = now.mono + PATIENCE.saturating_sub(waited).max(PATIENCE_ANEW);
            self.hold(held, ask_at);
        }
    }
}
