//! What a mailbox knows of what it keeps: who receives, under which tags, and the number, length and age of each
//! envelope. The envelopes themselves are in the store.
//!
//! Invariant: `used` and each person's share of it are the sums over what is indexed.

use std::collections::{BTreeMap, BTreeSet};

use base::{NodeId, PersonId, WallTime};
use people::proto::codec::{DecodeError, Reader, Writer};

use super::message::{MAX_FETCHED, MAX_FETCHED_BYTES, MAX_TAGS, Refusal, Tag};
use super::{Change, Limits};

/// How many nodes have a box at most. Arbitrary: the people whom somebody knows.
pub const MAX_RECIPIENTS: usize = 1_000;

/// How many nodes of one person have a box: as many as a person has.
const MAX_OF_PERSON: usize = people::proto::nodes::MAX_NODES;

/// How many envelopes one person has here at most. Arbitrary: a month of many.
pub const MAX_ENVELOPES: usize = 10_000;

/// How many envelopes are here at most: the index of one takes some 60 bytes. Arbitrary.
pub const MAX_KEPT: usize = 200_000;

/// How many persons may await envelopes under the same tag. Nobody does so by chance; somebody who has another's card
/// can, and gets envelopes that they cannot open. If only the first could, they would keep the other from getting any.
const MAX_HOLDERS: usize = 4;

/// Which part of a person's quota one node may fill of one box in a day: half, so that a single sender never keeps all
/// others out. Arbitrary.
const PART: u64 = 2;

/// How many senders and boxes are counted for that; with more, counting begins again. Arbitrary: some 2 MB.
const MAX_GIVEN: usize = 16_384;

/// How many numbers are set aside by one write, so that none is used twice after a restart. Arbitrary.
const NUMBERS: u64 = 1_024;

/// An envelope that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub len: u32,
    /// When it came.
    pub when: WallTime,
}

/// A node with a box.
#[derive(Debug)]
struct Recipient {
    person: PersonId,
    registered: WallTime,
    tags: BTreeSet<Tag>,
    /// The number of the next envelope.
    next: u64,
    /// Where numbers end that were set aside.
    reserved: u64,
    entries: BTreeMap<u64, Entry>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nodes with a box.
    pub recipients: usize,
    /// Envelopes.
    pub envelopes: usize,
    /// Bytes of them.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    recipients: BTreeMap<NodeId, Recipient>,
    holders: BTreeMap<Tag, Vec<NodeId>>,
    persons: BTreeMap<PersonId, Usage>,
    used: Usage,
    /// What each node deposited in each box on the day `given_on`. In memory alone: who sent is not written down.
    given: BTreeMap<(NodeId, NodeId), (usize, u64)>,
    given_on: u64,
}

impl Shelf {
    /// Takes a stored recipient; what cannot be read is left out, and the node registers again.
    pub fn restore_recipient(&mut self, node: NodeId, fact: &[u8]) -> bool {
        let Ok(recipient) = read(fact) else { return false };
        let tags: Vec<Tag> = recipient.tags.iter().copied().collect();
        let person = recipient.person;
        self.recipients.insert(node, Recipient { tags: BTreeSet::new(), ..recipient });
        self.used.recipients += 1;
        self.persons.entry(person).or_default().recipients += 1;
        self.hold(node, &tags);
        true
    }

    /// Takes what is stored of an envelope, after the recipients. False if nobody has it: it is to be deleted.
    pub fn restore_envelope(&mut self, node: NodeId, id: u64, entry: Entry) -> bool {
        let Some(recipient) = self.recipients.get_mut(&node) else { return false };
        recipient.next = recipient.next.max(id.saturating_add(1));
        if recipient.entries.insert(id, entry).is_none() {
            let person = recipient.person;
            self.count(person, entry.len);
        }
        true
    }

    fn count(&mut self, person: PersonId, len: u32) {
        for usage in [&mut self.used, self.persons.entry(person).or_default()] {
            usage.envelopes += 1;
            usage.bytes += u64::from(len);
        }
    }

    fn discount(&mut self, person: PersonId, len: u32) {
        for usage in [&mut self.used, self.persons.entry(person).or_default()] {
            usage.envelopes -= 1;
            usage.bytes -= u64::from(len);
        }
    }

    pub fn used(&self) -> Usage {
        self.used
    }

    pub fn has(&self, node: NodeId) -> bool {
        self.recipients.contains_key(&node)
    }

    /// Whose the node is that has a box.
    pub fn person_of(&self, node: NodeId) -> Option<PersonId> {
        self.recipients.get(&node).map(|recipient| recipient.person)
    }

    /// Gives a node of a person a box, or its box other tags. Those that as many others hold as may are left out.
    /// Returns what is to be stored, and how many tags it got.
    pub fn register(
        &mut self,
        now: WallTime,
        node: NodeId,
        person: PersonId,
        tags: &[Tag],
    ) -> Result<(Change, usize), Refusal> {
        if !self.has(node) {
            let of_person = self.persons.get(&person).map_or(0, |usage| usage.recipients);
            if self.used.recipients >= MAX_RECIPIENTS || of_person >= MAX_OF_PERSON {
                return Err(Refusal::TooManyRecipients);
            }
            // Beyond all numbers of an earlier box of the node, so that nothing is taken for what was fetched then.
            let first = now.0 << 20;
            let (tags, entries) = (BTreeSet::new(), BTreeMap::new());
            let recipient = Recipient { person, registered: now, tags, next: first, reserved: first, entries };
            self.recipients.insert(node, recipient);
            self.used.recipients += 1;
            self.persons.entry(person).or_default().recipients += 1;
        }
        self.release(node);
        let held = self.hold(node, tags);
        if let Some(recipient) = self.recipients.get_mut(&node) {
            recipient.registered = now;
        }
        Ok((self.change(node), held))
    }

    /// Ends the node's hold on its tags.
    fn release(&mut self, node: NodeId) {
        let Some(recipient) = self.recipients.get_mut(&node) else { return };
        for tag in std::mem::take(&mut recipient.tags) {
            if let Some(holders) = self.holders.get_mut(&tag) {
                holders.retain(|holder| *holder != node);
                if holders.is_empty() {
                    self.holders.remove(&tag);
                }
            }
        }
    }

    /// Has the node hold tags, and returns how many it got.
    fn hold(&mut self, node: NodeId, tags: &[Tag]) -> usize {
        let Some(person) = self.recipients.get(&node).map(|recipient| recipient.person) else { return 0 };
        let of_person = |holder: &NodeId| self.recipients.get(holder).is_some_and(|other| other.person == person);
        let mut held = BTreeSet::new();
        for tag in tags.iter().take(MAX_TAGS) {
            let holders = self.holders.entry(*tag).or_default();
            // One a person: nobody fills all the places alone.
            if holders.len() < MAX_HOLDERS && !holders.iter().any(of_person) {
                holders.push(node);
                held.insert(*tag);
            }
            if holders.is_empty() {
                self.holders.remove(tag);
            }
        }
        let count = held.len();
        if let Some(recipient) = self.recipients.get_mut(&node) {
            recipient.tags = held;
        }
        count
    }

    /// Keeps an envelope for all who hold the tag and have room. Returns for whom, and what is to be stored.
    pub fn deposit(
        &mut self,
        now: WallTime,
        limits: &Limits,
        from: NodeId,
        tag: Tag,
        envelope: &[u8],
    ) -> Result<(Vec<NodeId>, Vec<Change>), Refusal> {
        let today = now.0 / 86_400;
        if self.given_on != today || self.given.len() >= MAX_GIVEN {
            self.given.clear();
            self.given_on = today;
        }
        let holders = self.holders.get(&tag).cloned().ok_or(Refusal::UnknownTag)?;
        let (mut kept, mut changes, len) = (Vec::new(), Vec::new(), envelope.len() as u32);
        for node in holders {
            let Some(recipient) = self.recipients.get_mut(&node) else { continue };
            let person = recipient.person;
            let of_person = self.persons.get(&person).copied().unwrap_or_default();
            let given = self.given.entry((from, node)).or_default();
            let (count, bytes) = (given.0 + 1, given.1 + u64::from(len));
            let has_room = bytes <= limits.quota_bytes / PART
                && count <= MAX_ENVELOPES / PART as usize
                && of_person.bytes + u64::from(len) <= limits.quota_bytes
                && of_person.envelopes < MAX_ENVELOPES
                && self.used.bytes + u64::from(len) <= limits.total_bytes
                && self.used.envelopes < MAX_KEPT;
            if !has_room {
                continue;
            }
            *given = (count, bytes);
            let id = recipient.next;
            recipient.next += 1;
            recipient.entries.insert(id, Entry { len, when: now });
            if id >= recipient.reserved {
                recipient.reserved = id + NUMBERS;
                changes.push(self.change(node));
            }
            self.count(person, len);
            changes.push(Change::Envelope(node, id, Some((now, envelope.to_vec()))));
            kept.push(node);
        }
        if kept.is_empty() { Err(Refusal::Full) } else { Ok((kept, changes)) }
    }

    /// Returns the numbers of what one answer brings of a node's envelopes beyond `after`, and whether there is more.
    pub fn list(&self, node: NodeId, after: u64) -> (Vec<u64>, bool) {
        let Some(recipient) = self.recipients.get(&node) else { return (Vec::new(), false) };
        let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for (id, entry) in recipient.entries.range(from) {
            bytes += entry.len as usize;
            if ids.len() >= MAX_FETCHED || bytes > MAX_FETCHED_BYTES {
                return (ids, true);
            }
            ids.push(*id);
        }
        (ids, false)
    }

    /// Deletes envelopes of a node.
    pub fn delete(&mut self, node: NodeId, ids: &[u64]) -> Vec<Change> {
        let Some(recipient) = self.recipients.get_mut(&node) else { return Vec::new() };
        let person = recipient.person;
        let gone: Vec<(u64, Entry)> =
            ids.iter().filter_map(|id| recipient.entries.remove(id).map(|entry| (*id, entry))).collect();
        gone.iter().for_each(|(_, entry)| self.discount(person, entry.len));
        gone.into_iter().map(|(id, _)| Change::Envelope(node, id, None)).collect()
    }

    /// Ends a node's box, with all that is in it.
    pub fn forget(&mut self, node: NodeId) -> Vec<Change> {
        self.release(node);
        let Some(recipient) = self.recipients.get(&node) else { return Vec::new() };
        let (person, ids): (_, Vec<u64>) = (recipient.person, recipient.entries.keys().copied().collect());
        let mut changes = self.delete(node, &ids);
        self.recipients.remove(&node);
        self.used.recipients -= 1;
        if let Some(usage) = self.persons.get_mut(&person) {
            usage.recipients -= 1;
            if usage.recipients == 0 {
                self.persons.remove(&person);
            }
        }
        changes.push(Change::Recipient(node, None));
        changes
    }

    /// Returns the nodes of a person that have a box.
    pub fn nodes_of(&self, person: PersonId) -> Vec<NodeId> {
        self.recipients.iter().filter(|(_, recipient)| recipient.person == person).map(|(node, _)| *node).collect()
    }

    /// Returns up to `limit` envelopes that came before a time.
    pub fn older(&self, than: WallTime, limit: usize) -> Vec<(NodeId, u64)> {
        let of = |(node, recipient): (&NodeId, &'_ Recipient)| -> Vec<(NodeId, u64)> {
            let old = recipient.entries.iter().filter(|(_, entry)| entry.when < than);
            old.take(limit).map(|(id, _)| (*node, *id)).collect()
        };
        self.recipients.iter().flat_map(of).take(limit).collect()
    }

    /// Returns the nodes that registered last before a time.
    pub fn absent(&self, since: WallTime) -> Vec<NodeId> {
        self.recipients.iter().filter(|(_, recipient)| recipient.registered < since).map(|(node, _)| *node).collect()
    }

    fn change(&self, node: NodeId) -> Change {
        Change::Recipient(node, self.recipients.get(&node).map(write))
    }
}

fn write(recipient: &Recipient) -> Vec<u8> {
    let mut to = Writer::new();
    to.fixed(&recipient.person.0).u64(recipient.registered.0).u64(recipient.reserved).u16(recipient.tags.len() as u16);
    recipient.tags.iter().for_each(|tag| _ = to.fixed(tag));
    to.finish()
}

fn read(bytes: &[u8]) -> Result<Recipient, DecodeError> {
    let mut from = Reader::new(bytes);
    let (person, registered, reserved) = (PersonId(from.fixed()?), WallTime(from.u64()?), from.u64()?);
    let count = from.u16()?;
    let tags = (0..count).map(|_| from.fixed()).collect::<Result<_, _>>()?;
    from.finish()?;
    Ok(Recipient { person, registered, tags, next: reserved, reserved, entries: BTreeMap::new() })
}
