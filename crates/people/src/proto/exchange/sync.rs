//! The second half of an exchange: which lists are known, and what is newer; and the parcels that contacts keep for one another.

use std::collections::BTreeMap;

use base::PersonId;
use sha2::{Digest, Sha256};

use super::message::{KnownList, LISTS_PER_FRAME, MAX_KNOWN, Message, RECORDS_PER_FRAME};
use super::{Exchange, Failure, Met, Output, Stage};
use crate::proto::book::Book;
use crate::proto::nodes::{KnownPerson, SignedNodeList};

/// What the hash of a person begins with.
const DOMAIN: &[u8] = b"compeer known 1\n";

/// Where it stands.
#[derive(Debug)]
pub(super) struct Sync {
    person: PersonId,
    /// Whether the other end is a node of ours.
    own: bool,
    /// Whether we have told everything.
    told: bool,
    /// Whether the other has.
    heard: bool,
    /// Whether the other gave us back what it kept.
    given_back: bool,
}

impl Exchange {
    /// Tells what we know of, and to a node of ours the book.
    pub(super) fn begin_sync(&mut self, book: &Book, person: PersonId) -> Stage {
        let own = book.own().is_some_and(|own| own.id() == person);
        if own {
            let records: Vec<_> = book.records().collect();
            for some in records.chunks(RECORDS_PER_FRAME) {
                self.send(Message::Records(some.to_vec()));
            }
            let places: Vec<_> = book.places().map(|(node, hints)| (node, hints.to_vec())).collect();
            for some in places.chunks(RECORDS_PER_FRAME) {
                self.send(Message::Places(some.to_vec()));
            }
        }
        let persons = book.persons().filter(|known| tells(book, &person, known)).take(MAX_KNOWN);
        let lists = persons.map(|known| known_list(&self.salt, known)).collect();
        let stamp = |person: &PersonId| book.kept(person).map_or(0, |parcel| parcel.stamp);
        let ours = book.own().map_or(0, |own| stamp(&own.id()));
        self.send(Message::Known { salt: self.salt, lists, kept: stamp(&person), own: ours });
        Stage::Sync(Sync { person, own, told: false, heard: false, given_back: false })
    }

    pub(super) fn sync(&mut self, book: &mut Book, mut sync: Sync, message: Message) -> Result<Stage, Failure> {
        match message {
            Message::Records(records) if sync.own => {
                for record in records {
                    self.news |= book.merge(record);
                }
            }
            Message::Places(places) if sync.own => {
                // What we heard of the node itself is better than what another one heard.
                for (node, hints) in places {
                    if book.hints(&node).is_empty() {
                        book.learn_hints(node, &hints);
                    }
                }
            }
            Message::Lists(lists) => {
                for bytes in &lists {
                    // The first bytes are the person: nothing is verified that nobody wants.
                    let wanted = bytes.first_chunk().is_some_and(|id| book.is_of_interest(&PersonId(*id)));
                    if let Some(Ok(list)) = wanted.then(|| SignedNodeList::decode(bytes)) {
                        self.news |= book.learn(&list);
                    }
                }
            }
            Message::Keep(parcel) if sync.own || book.is_contact(&sync.person) => {
                // For a contact it is no news to others; our own nodes pass on what is ours.
                self.news |= book.keep(sync.person, parcel) && sync.own;
            }
            Message::Keep(_) => {}
            Message::Kept(parcel) if !sync.own && !sync.given_back => {
                sync.given_back = true;
                self.outputs.push_back(Output::GivenBack(parcel));
            }
            Message::Known { salt, lists, kept, own } if !sync.told => {
                self.send_parcels(book, &sync, kept, own);
                let newer = newer(book, &salt, &lists, &sync);
                for some in newer.chunks(LISTS_PER_FRAME) {
                    self.send(Message::Lists(some.to_vec()));
                }
                self.send(Message::Done);
                sync.told = true;
            }
            Message::Done if !sync.heard => sync.heard = true,
            _ => return Err(Failure::Protocol("a message out of turn")),
        }
        if sync.told && sync.heard {
            self.finish(Ok(Met { person: sync.person, news: self.news }));
            return Ok(Stage::Over);
        }
        Ok(Stage::Sync(sync))
    }
}

impl Exchange {
    /// Asks a contact, or a node of ours, to keep our parcel, where it has an older one; gives a contact's person back what is
    /// kept for it, where it knows of none so new.
    fn send_parcels(&mut self, book: &Book, sync: &Sync, kept: u64, own: u64) {
        let contact = book.is_contact(&sync.person);
        let ours = book.own().and_then(|own| book.kept(&own.id())).filter(|_| sync.own || contact);
        if let Some(parcel) = ours.filter(|parcel| parcel.stamp > kept) {
            self.send(Message::Keep(parcel.clone()));
        }
        let theirs = book.kept(&sync.person).filter(|_| !sync.own && contact);
        if let Some(parcel) = theirs.filter(|parcel| parcel.stamp > own) {
            self.send(Message::Kept(parcel.clone()));
        }
    }
}

/// Returns the lists that we know and the other does not, of those persons that it knows; to a node of ours all of them.
fn newer(book: &Book, salt: &[u8; 16], known: &[KnownList], sync: &Sync) -> Vec<Vec<u8>> {
    let theirs: BTreeMap<_, _> = known.iter().map(|list| (list.who, (list.seq, list.hash))).collect();
    let is_newer = |person: &&KnownPerson| {
        let ours = known_list(salt, person);
        match theirs.get(&ours.who) {
            Some(theirs) => (ours.seq, ours.hash) > *theirs,
            None => sync.own,
        }
    };
    let persons = book.persons().filter(|known| tells(book, &sync.person, known));
    persons.filter(is_newer).map(|known| known.newest().encode()).collect()
}

/// Whether somebody hears that we know a person: whoever tries the ids of others must not find out.
fn tells(book: &Book, listener: &PersonId, known: &KnownPerson) -> bool {
    book.is_of_interest(&known.id()) && book.tells(listener, &known.id())
}

fn known_list(salt: &[u8; 16], known: &KnownPerson) -> KnownList {
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(salt).chain_update(known.id().0).finalize();
    let (seq, rank) = known.newest().rank();
    let (mut who, mut first) = ([0; 16], [0; 8]);
    who.copy_from_slice(&hash[..16]);
    first.copy_from_slice(&rank[..8]);
    KnownList { who, seq, hash: first }
}
