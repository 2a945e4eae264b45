//! What contacts keep for a person: its book, sealed, so that contacts come back by the recovery phrase although every node
//! of the person is lost.
//!
//! A parcel holds the person's contacts, with their nodes and where those may be reached. Its key is derived from the phrase
//! (HKDF-SHA256 of the backup key), so that whoever keeps it reads nothing of it, not even how many contacts there are but
//! for its length; it is sealed by XChaCha20-Poly1305, bound to the person and to its stamp. The parcel with the later stamp
//! holds. Only contacts are asked to keep one, and only a person's own nodes and the person itself are given it back.

use std::fmt;

use base::{NodeId, PersonId};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::book::Book;
use super::codec::{DecodeError, Reader, Writer};
use super::contact::{MAX_RECORD_BYTES, Record};
use super::link::{MAX_HINT_BYTES, MAX_HINTS};
use super::nodes::{MAX_LIST_BYTES, SignedNodeList};
use super::phrase::Phrase;

/// The longest parcel: some hundred contacts with a node or two each. What does not fit is left out, the contacts that were
/// changed longest ago first. Arbitrary.
pub const MAX_PARCEL_BYTES: usize = 128 << 10;

/// How much is kept for all contacts together. Arbitrary.
pub const MAX_KEPT_BYTES: usize = 8 << 20;

/// How many random bytes [`ParcelKey::seal`] needs.
pub const PARCEL_NONCE_BYTES: usize = 24;

/// What sealing adds: the nonce and the tag.
const OVERHEAD_BYTES: usize = PARCEL_NONCE_BYTES + 16;

const KEY_INFO: &[u8] = b"compeer kept book 1";
const DOMAIN: &[u8] = b"compeer parcel 1\n";

/// A sealed book.
#[derive(Clone, PartialEq, Eq)]
pub struct Parcel {
    /// When it was sealed: Unix time in milliseconds, by the clock of whoever did.
    pub stamp: u64,
    /// At most [`MAX_PARCEL_BYTES`].
    pub sealed: Vec<u8>,
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parcel({}, {} bytes)", self.stamp, self.sealed.len())
    }
}

/// The key of a person's parcels. Never shown by `Debug`.
#[derive(Clone)]
pub struct ParcelKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for ParcelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParcelKey(…)")
    }
}

impl ParcelKey {
    /// Derives the key of a phrase.
    pub fn derive(phrase: &Phrase) -> ParcelKey {
        let mut key = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, &*phrase.backup_key()).expand(KEY_INFO, &mut *key);
        expanded.expect("32 bytes are far below HKDF's limit of 8,160");
        ParcelKey(key)
    }

    /// Takes the key as it was kept.
    pub fn from_bytes(key: [u8; 32]) -> ParcelKey {
        ParcelKey(Zeroizing::new(key))
    }

    /// Returns the key, to be kept: who has it can read parcels, and learns nothing of the phrase.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals what [`pack`] returned.
    pub fn seal(&self, person: PersonId, stamp: u64, packed: &[u8], nonce: [u8; PARCEL_NONCE_BYTES]) -> Parcel {
        let aad = associated(person, stamp);
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), Payload { msg: packed, aad: &aad });
        let sealed = sealed.expect("a parcel is far shorter than the cipher's limit of 256 GiB");
        Parcel { stamp, sealed: [&nonce[..], &sealed].concat() }
    }

    /// Opens a parcel; `None` if it was not sealed by this key for this person.
    pub fn open(&self, person: PersonId, parcel: &Parcel) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = parcel.sealed.split_first_chunk::<PARCEL_NONCE_BYTES>()?;
        let aad = associated(person, parcel.stamp);
        self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.0).into())
    }
}

fn associated(person: PersonId, stamp: u64) -> Vec<u8> {
    [DOMAIN, &person.0, &stamp.to_be_bytes()].concat()
}

/// One contact of a parcel: the record, its list of nodes, and where those may be reached.
type Entry = (Vec<u8>, Vec<u8>, Vec<(NodeId, Vec<String>)>);

/// Writes the contacts of a book, with their nodes, as many as fit.
pub fn pack(book: &Book) -> Vec<u8> {
    let mut contacts: Vec<_> = book.contacts().collect();
    contacts.sort_by_key(|contact| std::cmp::Reverse(contact.changed));
    let mut packed = Vec::new();
    for contact in contacts {
        let known = book.person(&contact.person);
        let mut to = Writer::new();
        to.bytes(&Record::Contact(contact.clone()).encode());
        to.bytes(&known.map(|known| known.newest().encode()).unwrap_or_default());
        let places: Vec<_> = known
            .into_iter()
            .flat_map(|known| known.nodes().map(|(node, _)| (*node, book.hints(node))))
            .filter(|(_, hints)| !hints.is_empty())
            .collect();
        // A person has 32 nodes at most.
        to.u8(places.len() as u8);
        for (node, hints) in places {
            to.fixed(&node.0).u8(hints.len() as u8);
            for hint in hints {
                to.text(hint);
            }
        }
        let entry = to.finish();
        if packed.len() + entry.len() + OVERHEAD_BYTES <= MAX_PARCEL_BYTES {
            packed.extend(entry);
        }
    }
    packed
}

/// Takes in what [`pack`] wrote; returns whether it says anything new.
pub fn unpack(book: &mut Book, packed: &[u8]) -> Result<bool, DecodeError> {
    let mut from = Reader::new(packed);
    let mut entries = Vec::new();
    while from.left() > 0 {
        entries.push(read(&mut from)?);
    }
    let mut news = false;
    for (record, list, places) in entries {
        let record = Record::decode(&record)?;
        news |= book.merge(record);
        // A contact that was asked and never answered has no list.
        if let Ok(list) = SignedNodeList::decode(&list) {
            news |= book.learn(&list);
        }
        for (node, hints) in places {
            if book.hints(&node).is_empty() {
                book.learn_hints(node, &hints);
            }
        }
    }
    Ok(news)
}

fn read(from: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let (record, list) = (from.bytes(MAX_RECORD_BYTES)?.to_vec(), from.bytes(MAX_LIST_BYTES)?.to_vec());
    let mut places = Vec::new();
    for _ in 0..from.u8()? {
        let node = NodeId(from.fixed()?);
        let count = usize::from(from.u8()?);
        if count > MAX_HINTS {
            return Err(DecodeError::Limit);
        }
        let hints =
            (0..count).map(|_| Ok(from.text(MAX_HINT_BYTES)?.to_owned())).collect::<Result<_, DecodeError>>()?;
        places.push((node, hints));
    }
    Ok((record, list, places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Name, NodeKey, NodeList, PersonKey, Secret, Stored};

    fn list_of(person: u8, node: u8) -> SignedNodeList {
        let (person, node) = (PersonKey::from_secret(&[person; 32]), NodeKey::from_secret(&[node; 32]));
        let mut list = NodeList::new(person.id(), Name::new("somebody").unwrap()).next();
        list.add(node.id(), &Name::new("node").unwrap(), 0, node.consent(person.id())).unwrap();
        person.sign(list).unwrap()
    }

    fn book(person: u8, node: u8) -> Book {
        let mut book = Book::new(NodeKey::from_secret(&[node; 32]).id(), Stored::default());
        book.adopt(list_of(person, node));
        book
    }

    #[test]
    fn what_was_packed_comes_back_with_the_nodes_of_contacts_and_where_they_are() {
        let mut ada = book(1, 10);
        let bob = list_of(2, 20);
        ada.accept(bob.person(), 1000).unwrap();
        ada.rename(bob.person(), Some(Name::new("Bobby").unwrap()), 1001).unwrap();
        ada.learn(&bob);
        let node = NodeKey::from_secret(&[20; 32]).id();
        ada.learn_hints(node, &["127.0.0.1:1".into()]);
        ada.block(PersonId([9; 32]), true, 1002).unwrap();
        ada.invite(Secret([3; 16]), true, None, 1003).unwrap();

        let phrase = Phrase::from_entropy([7; 32]);
        let (key, person) = (ParcelKey::derive(&phrase), ada.own().unwrap().id());
        let parcel = key.seal(person, 5, &pack(&ada), [1; PARCEL_NONCE_BYTES]);
        assert!(!parcel.sealed.windows(5).any(|bytes| bytes == b"Bobby"));
        assert!(key.open(PersonId([1; 32]), &parcel).is_none(), "for another person");
        assert!(key.open(person, &Parcel { stamp: 6, ..parcel.clone() }).is_none(), "with another stamp");
        assert!(ParcelKey::derive(&Phrase::from_entropy([8; 32])).open(person, &parcel).is_none(), "by another phrase");

        let mut back = book(1, 11);
        let packed = ParcelKey::from_bytes(*key.bytes()).open(person, &parcel).unwrap();
        assert_eq!(unpack(&mut back, &packed), Ok(true));
        assert!(back.contacts().eq(ada.contacts()) && back.contacts().count() == 2);
        assert_eq!((back.person_of(&node), back.hints(&node)), (Some(bob.person()), ada.hints(&node)));
        assert_eq!(unpack(&mut back, &packed), Ok(false), "nothing new a second time");
        let mut untouched = book(1, 12);
        assert!(unpack(&mut untouched, &packed[..packed.len() - 1]).is_err());
        assert_eq!(untouched.contacts().count(), 0, "all of it or nothing");
    }

    #[test]
    fn what_does_not_fit_is_left_out_the_oldest_first() {
        let mut ada = book(1, 10);
        for n in 0..2000u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            ada.accept(PersonId(id), u64::from(n) + 1).unwrap();
        }
        let packed = pack(&ada);
        assert!(packed.len() + OVERHEAD_BYTES <= MAX_PARCEL_BYTES);
        let mut back = book(1, 11);
        unpack(&mut back, &packed).unwrap();
        let (kept, newest) = (back.contacts().count(), back.contacts().map(|contact| contact.changed).min());
        assert!((500..2000).contains(&kept) && newest == Some(2001 - kept as u64), "{kept} {newest:?}");
    }
}
