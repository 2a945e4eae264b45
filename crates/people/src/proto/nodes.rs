//! The nodes of a person: a list that the person key signs.
//!
//! Whoever has the list knows which nodes speak for the person. The newest list holds: the one with the higher number,
//! and of two with the same number (signed on two computers at once) the one whose hash is greater, so that everybody
//! who has seen both chooses alike. A revocation is for ever: a node that any signed list revokes is refused, also
//! where a later list names it again, so that no order of arrival brings a stolen node back.
//!
//! Each node signs as well that it belongs to the person ([`Consent`]): nobody can claim another's node, nor have it
//! refused by revoking it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base::id::begins;
use base::{NodeId, PersonId};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::codec::{DecodeError, Reader, Writer};
use super::name::Name;

#[cfg(test)]
mod tests;

/// How many nodes a person can have at once. Arbitrary.
pub const MAX_NODES: usize = 32;

/// How many revoked nodes a list names: what a person loses in a life. Each costs a reader one verification. Arbitrary.
pub const MAX_REVOKED: usize = 64;

/// How many revoked nodes of one person are remembered: old lists name others than the newest one. Arbitrary.
pub const MAX_EVER_REVOKED: usize = 16 * MAX_REVOKED;

/// The longest encoded list: person, number, name, every node, every revoked one, and the signature.
pub const MAX_LIST_BYTES: usize = 32
    + 8
    + 4
    + Name::MAX_BYTES
    + 2
    + MAX_NODES * (32 + 4 + Name::MAX_BYTES + 8 + 64)
    + 2
    + MAX_REVOKED * (32 + 64)
    + 64;

/// What is before the bytes that are signed, so that a signature for one purpose is none for another.
const DOMAIN: &[u8] = b"compeer node list 1\n";

/// The same for what a node signs.
const CONSENT_DOMAIN: &[u8] = b"compeer node of person 1\n";

/// Why a list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeListError {
    /// It cannot be read.
    #[error("the list of nodes cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// It is not signed by the person that it names.
    #[error("the list of nodes is not signed by the person that it names")]
    Signature,
    /// It names a node that did not agree.
    #[error("the list names a node that did not agree to belong to this person")]
    Consent,
    /// Too many nodes.
    #[error("a person has at most {MAX_NODES} nodes: revoke one that is no longer used")]
    Full,
    /// Too many revoked nodes.
    #[error("{MAX_REVOKED} nodes were revoked, and no more fit into the list: leave this one in it")]
    RevokedFull,
    /// The node was revoked before.
    #[error("this node was revoked, which is for ever: with another data directory it draws a new key")]
    Revoked,
    /// The name is another node's.
    #[error("another node has this name: choose another")]
    NameTaken,
}

/// What the list says about one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEntry {
    /// What its owner calls it.
    pub name: Name,
    /// When it was added: Unix time in seconds, by the clock of the one who signed.
    pub added: u64,
    /// That the node agreed.
    pub consent: Consent,
}

/// A node's signature under a person's id: the node belongs to that person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Consent(pub [u8; 64]);

impl Consent {
    /// Checks it.
    pub fn verify(&self, node: NodeId, person: PersonId) -> Result<(), NodeListError> {
        let key = VerifyingKey::from_bytes(&node.0).map_err(|_| NodeListError::Consent)?;
        let signature = Signature::from_bytes(&self.0);
        key.verify_strict(&consent_bytes(person), &signature).map_err(|_| NodeListError::Consent)
    }
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Consent(…)")
    }
}

fn consent_bytes(person: PersonId) -> Vec<u8> {
    [CONSENT_DOMAIN, &person.0].concat()
}

/// The key of a node. Its bytes are wiped when it drops.
#[derive(Clone)]
pub struct NodeKey(SigningKey);

impl NodeKey {
    /// Makes the key of its secret (RFC 8032, section 5.1.5), which the node drew for itself.
    pub fn from_secret(secret: &[u8; 32]) -> NodeKey {
        NodeKey(SigningKey::from_bytes(secret))
    }

    /// Returns the node.
    pub fn id(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// Agrees to belong to a person.
    pub fn consent(&self, person: PersonId) -> Consent {
        Consent(self.0.sign(&consent_bytes(person)).to_bytes())
    }

    /// Signs what another protocol says, which begins its bytes with a domain of its own.
    pub fn sign(&self, domain: &'static str, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(&[domain.as_bytes(), bytes].concat()).to_bytes()
    }

    /// Returns the secret, for the overlay.
    pub fn secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({:?})", self.id())
    }
}

/// The list, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeList {
    /// Whose nodes these are.
    pub person: PersonId,
    /// Grows by one with every change.
    pub seq: u64,
    /// The name that the person shows.
    pub name: Name,
    /// The nodes that speak for the person.
    pub nodes: BTreeMap<NodeId, NodeEntry>,
    /// Nodes that did once and never will again.
    pub revoked: BTreeMap<NodeId, Consent>,
}

impl NodeList {
    /// Returns a list without nodes, older than any other.
    pub fn new(person: PersonId, name: Name) -> NodeList {
        NodeList { person, seq: 0, name, nodes: BTreeMap::new(), revoked: BTreeMap::new() }
    }

    /// Returns the list that follows this one: with the next number, to be changed and signed.
    pub fn next(&self) -> NodeList {
        NodeList { seq: self.seq.saturating_add(1), ..self.clone() }
    }

    /// Adds a node. A name that another node has gets a number.
    pub fn add(&mut self, node: NodeId, name: &Name, added: u64, consent: Consent) -> Result<(), NodeListError> {
        consent.verify(node, self.person)?;
        if self.revoked.contains_key(&node) {
            return Err(NodeListError::Revoked);
        }
        if self.nodes.len() >= MAX_NODES && !self.nodes.contains_key(&node) {
            return Err(NodeListError::Full);
        }
        self.nodes.remove(&node);
        let name = self.free_name(name);
        self.nodes.insert(node, NodeEntry { name, added, consent });
        Ok(())
    }

    /// Takes a node out for ever; nothing happens to one that is not in the list.
    pub fn revoke(&mut self, node: NodeId) -> Result<(), NodeListError> {
        if self.revoked.len() >= MAX_REVOKED {
            return Err(NodeListError::RevokedFull);
        }
        if let Some(entry) = self.nodes.remove(&node) {
            self.revoked.insert(node, entry.consent);
        }
        Ok(())
    }

    /// Takes in what another list of the same person has: its nodes and its revocations. A computer that finds its list
    /// overtaken by one it did not know signs this, so that no change of either is lost.
    pub fn merge(&mut self, other: &NodeList) {
        self.seq = self.seq.max(other.seq);
        for (node, consent) in &other.revoked {
            if self.revoked.len() < MAX_REVOKED {
                self.revoked.insert(*node, *consent);
            }
        }
        self.nodes.retain(|node, _| !self.revoked.contains_key(node));
        for (node, entry) in &other.nodes {
            if !self.nodes.contains_key(node) {
                // Full, or revoked: both are answers.
                let _ = self.add(*node, &entry.name, entry.added, entry.consent);
            }
        }
    }

    /// Returns the node of this name.
    pub fn named(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().find(|(_, entry)| entry.name.as_str() == name).map(|(node, _)| *node)
    }

    /// Finds the node that is meant: by its name, else by its id or the beginning of that; `None` also where several are.
    pub fn find(&self, meant: &str) -> Option<NodeId> {
        let mut begun = self.nodes.keys().filter(|node| begins(&node.to_string(), meant)).copied();
        self.named(meant).or_else(|| begun.next().filter(|_| begun.next().is_none()))
    }

    fn free_name(&self, name: &Name) -> Name {
        let taken = |name: &Name| self.nodes.values().any(|entry| entry.name == *name);
        let numbered = |n: usize| {
            let end = format!(" {n}");
            let mut cut = name.as_str().len().min(Name::MAX_BYTES - end.len());
            while !name.as_str().is_char_boundary(cut) {
                cut -= 1;
            }
            Name::new(&format!("{}{end}", name.as_str()[..cut].trim_end()))
        };
        if !taken(name) {
            return name.clone();
        }
        // Among one name more than there can be nodes, one is free.
        let free = (2..=MAX_NODES + 2).filter_map(|n| numbered(n).ok()).find(|name| !taken(name));
        free.unwrap_or_else(|| name.clone())
    }

    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.fixed(&self.person.0).u64(self.seq).text(self.name.as_str());
        to.u16(self.nodes.len() as u16);
        for (node, entry) in &self.nodes {
            to.fixed(&node.0).text(entry.name.as_str()).u64(entry.added).fixed(&entry.consent.0);
        }
        to.u16(self.revoked.len() as u16);
        for (node, consent) in &self.revoked {
            to.fixed(&node.0).fixed(&consent.0);
        }
        to.finish()
    }

    fn decode(from: &mut Reader<'_>) -> Result<NodeList, DecodeError> {
        let name = |from: &mut Reader<'_>| Name::new(from.text(Name::MAX_BYTES)?).map_err(|_| DecodeError::Value);
        let mut list = NodeList {
            person: PersonId(from.fixed()?),
            seq: from.u64()?,
            name: name(from)?,
            nodes: BTreeMap::new(),
            revoked: BTreeMap::new(),
        };
        for _ in 0..limited(from.u16()?, MAX_NODES)? {
            let node = NodeId(from.fixed()?);
            let entry = NodeEntry { name: name(from)?, added: from.u64()?, consent: Consent(from.fixed()?) };
            if list.nodes.last_key_value().is_some_and(|(last, _)| *last >= node) {
                return Err(DecodeError::Value);
            }
            list.nodes.insert(node, entry);
        }
        for _ in 0..limited(from.u16()?, MAX_REVOKED)? {
            let (node, consent) = (NodeId(from.fixed()?), Consent(from.fixed()?));
            let sorted = list.revoked.last_key_value().is_none_or(|(last, _)| *last < node);
            if !sorted || list.nodes.contains_key(&node) {
                return Err(DecodeError::Value);
            }
            list.revoked.insert(node, consent);
        }
        Ok(list)
    }
}

fn limited(count: u16, limit: usize) -> Result<usize, DecodeError> {
    let count = usize::from(count);
    if count > limit { Err(DecodeError::Limit) } else { Ok(count) }
}

fn signed_bytes(body: &[u8]) -> Vec<u8> {
    [DOMAIN, body].concat()
}

/// A list with the signature of its person: a value of this type was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedNodeList {
    list: NodeList,
    signature: [u8; 64],
}

impl SignedNodeList {
    /// Returns what is signed.
    pub fn list(&self) -> &NodeList {
        &self.list
    }

    /// Returns whose list this is.
    pub fn person(&self) -> PersonId {
        self.list.person
    }

    /// Returns the bytes, at most [`MAX_LIST_BYTES`]: the list, then the signature.
    pub fn encode(&self) -> Vec<u8> {
        [self.list.encode().as_slice(), &self.signature].concat()
    }

    /// Reads and verifies.
    pub fn decode(bytes: &[u8]) -> Result<SignedNodeList, NodeListError> {
        ShownList::read(bytes)?.verify()
    }

    /// Returns what orders the lists of one person: the greatest is the newest.
    pub fn rank(&self) -> (u64, [u8; 32]) {
        (self.list.seq, Sha256::digest(self.encode()).into())
    }
}

/// A list that somebody showed: it was read, and nothing of it is verified. To verify all of a list takes up to
/// 1 + [`MAX_NODES`] + [`MAX_REVOKED`] signatures, which no stranger is worth.
#[derive(Clone)]
pub struct ShownList<'a> {
    list: NodeList,
    body: &'a [u8],
    signature: &'a [u8; 64],
}

impl<'a> ShownList<'a> {
    /// Reads.
    pub fn read(bytes: &'a [u8]) -> Result<ShownList<'a>, NodeListError> {
        if bytes.len() > MAX_LIST_BYTES {
            return Err(DecodeError::Limit.into());
        }
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(DecodeError::Short)?;
        let mut from = Reader::new(body);
        let list = NodeList::decode(&mut from)?;
        from.finish()?;
        Ok(ShownList { list, body, signature })
    }

    /// Returns whose list this claims to be.
    pub fn person(&self) -> PersonId {
        self.list.person
    }

    /// Whether it names a node, rightly or not.
    pub fn names(&self, node: &NodeId) -> bool {
        self.list.nodes.contains_key(node)
    }

    /// Whether the person signed the list, and the node that it belongs to that person: two signatures.
    pub fn proves(&self, node: &NodeId) -> bool {
        let agreed = |entry: &NodeEntry| entry.consent.verify(*node, self.list.person).is_ok();
        self.is_signed() && self.list.nodes.get(node).is_some_and(agreed)
    }

    /// Verifies all of it.
    pub fn verify(self) -> Result<SignedNodeList, NodeListError> {
        if !self.is_signed() {
            return Err(NodeListError::Signature);
        }
        let agreed = self.list.nodes.iter().map(|(node, entry)| (node, &entry.consent)).chain(&self.list.revoked);
        for (node, consent) in agreed {
            consent.verify(*node, self.list.person)?;
        }
        Ok(SignedNodeList { list: self.list, signature: *self.signature })
    }

    fn is_signed(&self) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.list.person.0) else { return false };
        key.verify_strict(&signed_bytes(self.body), &Signature::from_bytes(self.signature)).is_ok()
    }
}

impl fmt::Debug for SignedNodeList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}

/// The key of a person. Its bytes are wiped when it drops.
#[derive(Clone)]
pub struct PersonKey(SigningKey);

impl PersonKey {
    /// Makes the key of its secret (RFC 8032, section 5.1.5).
    pub fn from_secret(secret: &[u8; 32]) -> PersonKey {
        PersonKey(SigningKey::from_bytes(secret))
    }

    /// Returns the person.
    pub fn id(&self) -> PersonId {
        PersonId(self.0.verifying_key().to_bytes())
    }

    /// Returns the signing key, for what groups sign and derive.
    pub(super) fn signing(&self) -> &SigningKey {
        &self.0
    }

    /// Signs a list. It has to be this person's.
    pub fn sign(&self, list: NodeList) -> Result<SignedNodeList, NodeListError> {
        if list.person != self.id() {
            return Err(NodeListError::Signature);
        }
        if list.nodes.len() > MAX_NODES {
            return Err(NodeListError::Full);
        }
        if list.revoked.len() > MAX_REVOKED {
            return Err(NodeListError::RevokedFull);
        }
        let signature = self.0.sign(&signed_bytes(&list.encode())).to_bytes();
        Ok(SignedNodeList { list, signature })
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonKey({:?})", self.id())
    }
}

/// What is known of a person: the newest list, and every revocation ever seen.
///
/// A join of sets and a greatest element: the same lists give the same value in whatever order and however often they
/// come, as long as the person revoked no more than [`MAX_EVER_REVOKED`] nodes. Beyond that, only nodes that speak for the
/// person now are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPerson {
    newest: SignedNodeList,
    revoked: BTreeSet<NodeId>,
}

impl KnownPerson {
    /// Begins with one list.
    pub fn new(list: SignedNodeList) -> KnownPerson {
        let revoked = list.list.revoked.keys().copied().collect();
        KnownPerson { newest: list, revoked }
    }

    /// Takes a list in; returns whether anything changed. Another person's list changes nothing.
    pub fn learn(&mut self, list: &SignedNodeList) -> bool {
        if list.person() != self.newest.person() {
            return false;
        }
        let before = self.revoked.len();
        // The person and the node signed each of these: nobody else can make the set grow.
        for node in list.list.revoked.keys() {
            if self.revoked.len() < MAX_EVER_REVOKED || self.newest.list.nodes.contains_key(node) {
                self.revoked.insert(*node);
            }
        }
        let newer = list.rank() > self.newest.rank();
        if newer {
            self.newest = list.clone();
        }
        newer || self.revoked.len() > before
    }

    /// Returns the person.
    pub fn id(&self) -> PersonId {
        self.newest.person()
    }

    /// Returns the newest list.
    pub fn newest(&self) -> &SignedNodeList {
        &self.newest
    }

    /// Puts together again what was stored: a list, and the nodes that were ever revoked.
    pub fn stored(newest: SignedNodeList, revoked: BTreeSet<NodeId>) -> KnownPerson {
        let mut known = KnownPerson::new(newest);
        known.revoked.extend(revoked);
        known
    }

    /// Returns every node that was ever revoked.
    pub fn revoked(&self) -> &BTreeSet<NodeId> {
        &self.revoked
    }

    /// Whether a node speaks for the person.
    pub fn has(&self, node: &NodeId) -> bool {
        self.newest.list.nodes.contains_key(node) && !self.is_revoked(node)
    }

    /// Whether a node was revoked.
    pub fn is_revoked(&self, node: &NodeId) -> bool {
        self.revoked.contains(node)
    }

    /// Returns the nodes that speak for the person.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeId, &NodeEntry)> {
        self.newest.list.nodes.iter().filter(|(node, _)| !self.is_revoked(node))
    }
}
