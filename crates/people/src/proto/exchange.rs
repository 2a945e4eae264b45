//! What two nodes say to one another about people: who we are, what lists we know, and, between the nodes of one person,
//! the whole book.
//!
//! One exchange is one stream of the overlay's service `people`. The overlay has proven the keys of both nodes. The
//! dialler greets with its person's list of nodes and what it wants (to meet, to take an invitation, to join); the
//! listener welcomes it with its own list, or refuses. Then both tell which lists they know, by salted hashes, so that
//! neither learns of contacts that the other has alone; each sends what is newer, and both are done:
//!
//! ```text
//! dialler   Hello                [Consent | Update]  [Records… Places…] Known   [Keep] [Kept] Lists… Done
//! listener         Welcome|Refuse [Update]           [Records… Places…] Known   [Keep] [Kept] Lists… Done
//! ```
//!
//! A node that was restored from the recovery phrase alone shows a list that is older than the one others have. Whoever
//! has a newer one, a node of the same person or of a contact or fellow member, gives it back with its welcome; the
//! restored node signs one that names itself as well. A contact also gives back the parcel that it kept ([`super::kept`]).
//! A node that its person revoked is shown the list that says so in place of a welcome, and hears nothing else.
//!
//! A stranger can make the listener compare one secret and verify one signature, nothing more. Invariant: before the other
//! end is known (a contact with a list that names its node, or a node of ours), nothing but `Hello` changes the book.

use std::collections::VecDeque;
use std::time::Duration;

use base::{Instant, NodeId, Now, PersonId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::book::Book;
use super::kept::Parcel;
use super::link::Secret;
use super::name::Name;
use super::nodes::{Consent, KnownPerson, NodeKey, NodeList, ShownList, SignedNodeList};
use message::Message;
pub use message::{MAX_FIRST_FRAME_BYTES, MAX_FRAME_BYTES, MAX_HELLO_BYTES, Refused};

mod message;
mod sync;
#[cfg(test)]
mod tests;

/// How long an exchange may take. Arbitrary: with a relay in between, a whole book of 8,000 contacts takes seconds.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How long the listener waits for a greeting, and the dialler for the answer. Arbitrary: seconds for the slowest relay.
const FIRST_TIME_LIMIT: Duration = Duration::from_secs(15);

/// How many frames the other end may send: all lists of contacts in common, or of a whole book.
const MAX_FRAMES: u32 = 4096;

/// What the proof of joining begins with.
const JOIN_DOMAIN: &[u8] = b"compeer join 1\n";

/// What the dialler wants.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// To tell news and hear some: the other is a node of this person, a contact or ourselves.
    Meet(PersonId),
    /// To take an invitation of this person.
    Ask(PersonId, Secret),
    /// To become a node of the other's person, under this name.
    Join(Secret, Name, Box<NodeKey>),
    /// To be given back what the other has of us after we were restored from the phrase: whoever it is, a node of ours, of
    /// a contact or of a fellow member.
    Return,
}

/// Which end this is.
#[derive(Clone, Debug)]
pub enum Role {
    /// We opened the stream.
    Dialler(Purpose),
    /// The other did. The secret: what a node that may join now has to show.
    Listener(Option<Secret>),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A frame came: the bytes behind its length.
    Frame(Vec<u8>),
    /// The list that was asked for by [`Output::Sign`].
    Signed(Box<SignedNodeList>),
    /// Nobody can sign it here now.
    CannotSign,
    /// The other end has closed the stream.
    Closed,
    /// [`Exchange::poll_timeout`] is due.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a frame: the length in four bytes, big-endian, then these.
    Send(Vec<u8>),
    /// Sign this list with the person key, if that is at hand.
    Sign(Box<NodeList>),
    /// A contact gives back what it kept for us: to be opened, and taken into the book if it is genuine.
    GivenBack(Parcel),
    /// It is over; the stream can be closed. Everything to send was said before.
    Finished(Result<Met, Failure>),
}

/// Whom we met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// The person of the other node.
    pub person: PersonId,
    /// Whether anything new was learnt that others may want to hear.
    pub news: bool,
}

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The other said no.
    #[error("{0}")]
    Refused(Refused),
    /// We said no.
    #[error("refused: {0}")]
    WeRefused(Refused),
    /// Its list does not name it, or is another person's.
    #[error("the node that answered does not belong to that person: ask them for a new link")]
    NotTheirs,
    /// Its list does not name us, and the person's secret is not at hand to change that.
    #[error("the person's list does not name this node: unlock the secret, or add the node from another one")]
    CannotSign,
    /// It does not speak as it should.
    #[error("the other node does not keep to the protocol ({0}): is it of another version?")]
    Protocol(&'static str),
    /// It broke off.
    #[error("the other node broke off: try again")]
    Closed,
    /// It took too long.
    #[error("the other node took too long: try again")]
    Timeout,
}

/// One exchange.
#[derive(Debug)]
pub struct Exchange {
    peer: NodeId,
    own_hints: Vec<String>,
    salt: [u8; 16],
    stage: Stage,
    outputs: VecDeque<Output>,
    frames: u32,
    news: bool,
    /// Whether the other end is known: it has more time then.
    known: bool,
    deadline: Instant,
}

#[derive(Debug)]
enum Stage {
    /// The dialler has greeted.
    Greeted(Purpose),
    /// The dialler has agreed to be this person's, and waits for the list that names it.
    Joining(PersonId),
    /// The dialler has been welcomed by a node of this person, with a list of its own person that does not name it yet, and
    /// waits for its own driver's signature.
    Merging(PersonId),
    /// The listener waits for the greeting.
    Listening(Option<Secret>),
    /// The listener waits for the consent of a node that may join.
    Agreeing(Name),
    /// The listener waits for its driver's signature.
    Admitting,
    /// The listener waits for a list that names a node which restored this person.
    Restoring(PersonId),
    /// Both tell what they know.
    Sync(sync::Sync),
    Over,
}

impl Exchange {
    /// Begins an exchange with a node whose key is proven. `own_hints`: where this node may be reached. `salt`: from the
    /// system's generator.
    pub fn new(now: Now, book: &Book, peer: NodeId, role: Role, own_hints: Vec<String>, salt: [u8; 16]) -> Exchange {
        let outputs = VecDeque::new();
        let deadline = now.mono + FIRST_TIME_LIMIT;
        let stage = Stage::Over;
        let mut exchange =
            Exchange { peer, own_hints, salt, stage, outputs, frames: 0, news: false, known: false, deadline };
        match role {
            Role::Listener(joining) => exchange.stage = Stage::Listening(joining),
            Role::Dialler(purpose) => {
                let own = book.own().map(|own| own.newest().encode()).unwrap_or_default();
                let (list, wish) = match &purpose {
                    Purpose::Meet(_) => (own, message::Wish::Meet),
                    Purpose::Ask(_, secret) => (own, message::Wish::Ask(*secret)),
                    Purpose::Return => (own, message::Wish::Return),
                    Purpose::Join(secret, name, _) => {
                        let proof = join_proof(secret, peer, book.node(), name);
                        (Vec::new(), message::Wish::Join(proof, name.clone()))
                    }
                };
                exchange.send(Message::Hello { list, hints: exchange.own_hints.clone(), wish });
                exchange.stage = Stage::Greeted(purpose);
            }
        }
        exchange
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, book: &mut Book, input: Input) {
        let ms = now.wall.0.saturating_mul(1000);
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let next = match (stage, input) {
            (Stage::Over, _) => Ok(Stage::Over),
            (_, Input::Timeout) if now.mono >= self.deadline => Err(Failure::Timeout),
            (stage, Input::Timeout) => Ok(stage),
            (_, Input::Closed) => Err(Failure::Closed),
            (stage, Input::Frame(bytes)) => self.frame(ms, book, stage, &bytes),
            (Stage::Admitting, Input::Signed(list)) => self.signed(book, &list, list.person()),
            (Stage::Merging(person), Input::Signed(list)) => self.signed(book, &list, person),
            (Stage::Admitting, Input::CannotSign) => self.refuse(Refused::Unknown),
            (Stage::Merging(_), Input::CannotSign) => Err(Failure::CannotSign),
            (stage, Input::Signed(_) | Input::CannotSign) => Ok(stage),
        };
        match next {
            Ok(stage) => {
                if matches!(stage, Stage::Sync(_)) && !self.known {
                    self.known = true;
                    self.deadline = now.mono + TIME_LIMIT;
                }
                self.stage = stage;
            }
            Err(failure) => self.finish(Err(failure)),
        }
    }

    /// Returns what is to be done next. Drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!matches!(self.stage, Stage::Over)).then_some(self.deadline)
    }

    /// Returns how long a frame may be now: a stranger's one is short.
    pub fn frame_limit(&self) -> usize {
        match self.stage {
            Stage::Listening(_) => MAX_HELLO_BYTES,
            Stage::Sync(_) => MAX_FRAME_BYTES,
            _ => MAX_FIRST_FRAME_BYTES,
        }
    }

    fn frame(&mut self, now: u64, book: &mut Book, stage: Stage, bytes: &[u8]) -> Result<Stage, Failure> {
        self.frames += 1;
        if self.frames > MAX_FRAMES {
            return Err(Failure::Protocol("too many frames"));
        }
        let message = Message::decode(bytes).map_err(|_| Failure::Protocol("a frame that cannot be read"))?;
        match (stage, message) {
            (Stage::Listening(joining), Message::Hello { list, hints, wish }) => {
                self.hello(now, book, joining, &list, &hints, wish)
            }
            (Stage::Greeted(_) | Stage::Joining(_) | Stage::Merging(_), Message::Refuse(why)) => {
                Err(Failure::Refused(why))
            }
            (Stage::Greeted(_), Message::Revoked(list)) => Err(self.told_revoked(book, &list)),
            (Stage::Greeted(purpose), Message::Welcome { list, hints, yours, contact }) => {
                self.welcome(now, book, purpose, &Welcome { list, hints, yours, contact })
            }
            (Stage::Agreeing(name), Message::Consent(consent)) => self.consent(now, book, &name, consent),
            (Stage::Joining(person), Message::Update(list)) => self.joined(book, person, &list),
            (Stage::Restoring(person), Message::Update(list)) => self.restored(book, person, &list),
            (Stage::Sync(sync), message) => self.sync(book, sync, message),
            _ => Err(Failure::Protocol("a message out of turn")),
        }
    }

    /// The listener hears who is there.
    fn hello(
        &mut self,
        now: u64,
        book: &mut Book,
        joining: Option<Secret>,
        list: &[u8],
        hints: &[String],
        wish: message::Wish,
    ) -> Result<Stage, Failure> {
        let Some(own) = book.own().map(KnownPerson::id) else { return self.refuse(Refused::Unknown) };
        if let message::Wish::Join(proof, name) = wish {
            let good = joining.is_some_and(|secret| join_proof_holds(&secret, book.node(), self.peer, &name, &proof));
            if !good || book.is_revoked(&self.peer) {
                return self.refuse(Refused::Code);
            }
            self.say_welcome(book, Vec::new(), false);
            return Ok(Stage::Agreeing(name));
        }
        let Ok(shown) = ShownList::read(list) else { return self.refuse(Refused::List) };
        let person = shown.person();
        if is_blocked(book, &person) {
            return self.refuse(Refused::Unknown);
        }
        // Before anything is verified: whoever is not of interest, and shows no invitation, is not worth it.
        match &wish {
            message::Wish::Ask(secret) if person != own && !book.is_contact(&person) && !book.is_good(secret, now) => {
                return self.refuse(Refused::Invitation);
            }
            message::Wish::Ask(_) => {}
            _ if book.is_of_interest(&person) => {}
            _ => return self.refuse(Refused::Unknown),
        }
        let known = book.person(&person);
        if let Some(known) = known.filter(|known| known.is_revoked(&self.peer)) {
            return self.refuse_revoked(known);
        }
        if !shown.names(&self.peer) && !known.is_some_and(|known| known.has(&self.peer)) {
            return self.refuse(Refused::List);
        }
        let list = match known.map(KnownPerson::newest).filter(|newest| newest.encode() == list) {
            Some(newest) => newest.clone(),
            None => match shown.verify() {
                Ok(list) => list,
                Err(_) => return self.refuse(Refused::List),
            },
        };
        self.news |= book.learn(&list);
        let known = book.person(&person).cloned().unwrap_or_else(|| KnownPerson::new(list.clone()));
        if known.is_revoked(&self.peer) {
            return self.refuse_revoked(&known);
        }
        // Its list is genuine, but older than the one that we have: it was restored from the phrase.
        let listed = known.has(&self.peer);
        let returning = list.list().nodes.contains_key(&self.peer) && book.is_of_interest(&person);
        if !listed && !returning {
            return self.refuse(Refused::List);
        }
        if person == own {
            book.learn_hints(self.peer, hints);
            self.say_welcome(book, Vec::new(), false);
            return Ok(if listed { self.begin_sync(book, person) } else { Stage::Restoring(person) });
        }
        let invited = match &wish {
            message::Wish::Ask(secret) => book.is_contact(&person) || book.redeem(secret, person, now),
            _ => book.is_of_interest(&person),
        };
        if !invited {
            let asked = matches!(wish, message::Wish::Ask(_));
            return self.refuse(if asked { Refused::Invitation } else { Refused::Unknown });
        }
        let contact = book.is_contact(&person);
        if contact {
            // It has us among its contacts, or it would not have come.
            self.news |= book.accept(person, now).is_ok() && matches!(wish, message::Wish::Ask(_));
        }
        self.news |= book.learn(&list);
        book.learn_hints(self.peer, hints);
        if listed {
            self.say_welcome(book, Vec::new(), contact);
            return Ok(self.begin_sync(book, person));
        }
        self.say_welcome(book, known.newest().encode(), contact);
        Ok(Stage::Restoring(person))
    }

    /// The dialler was let in.
    fn welcome(&mut self, now: u64, book: &mut Book, purpose: Purpose, welcome: &Welcome) -> Result<Stage, Failure> {
        let list = SignedNodeList::decode(&welcome.list).map_err(|_| Failure::NotTheirs)?;
        let person = list.person();
        if !list.list().nodes.contains_key(&self.peer) {
            return Err(Failure::NotTheirs);
        }
        match &purpose {
            Purpose::Join(_, _, key) => {
                // The code named this node, and it answered: its person is the one that we join.
                self.send(Message::Consent(key.consent(person)));
                book.learn_hints(self.peer, &welcome.hints);
                return Ok(Stage::Joining(person));
            }
            Purpose::Meet(wanted) | Purpose::Ask(wanted, _) if *wanted != person => return Err(Failure::NotTheirs),
            Purpose::Meet(_) | Purpose::Ask(..) | Purpose::Return => {}
        }
        if book.own().is_some_and(|own| own.id() == person) {
            let before = book.own().map(|own| own.newest().list().clone());
            book.learn_hints(self.peer, &welcome.hints);
            return self.reclaim(book, &list, before, person);
        }
        let returning = matches!(purpose, Purpose::Return);
        if returning && welcome.contact && !welcome.yours.is_empty() && !is_blocked(book, &person) {
            // It has us among its contacts, and we were told to trust it with who we are.
            self.news |= book.accept(person, now).is_ok();
        }
        if book.is_of_interest(&person) {
            if book.is_contact(&person) {
                self.news |= book.accept(person, now).is_ok() && matches!(purpose, Purpose::Ask(..));
            }
            self.news |= book.learn(&list);
            if !book.person(&person).is_some_and(|known| known.has(&self.peer)) {
                return Err(Failure::NotTheirs);
            }
            book.learn_hints(self.peer, &welcome.hints);
        } else if !returning || is_blocked(book, &person) {
            // Removed or blocked while we dialled.
            return Err(Failure::WeRefused(Refused::Unknown));
        }
        if welcome.yours.is_empty() {
            return Ok(self.begin_sync(book, person));
        }
        let ours = SignedNodeList::decode(&welcome.yours).map_err(|_| Failure::NotTheirs)?;
        let before = book.own().filter(|own| own.id() == ours.person()).ok_or(Failure::NotTheirs)?;
        let before = before.newest().list().clone();
        self.reclaim(book, &ours, Some(before), person)
    }

    /// The dialler hears the newest list of its own person. Where that does not name it, since it was restored from the
    /// phrase, or added on two computers at once, its driver signs one that does.
    fn reclaim(
        &mut self,
        book: &mut Book,
        ours: &SignedNodeList,
        before: Option<NodeList>,
        person: PersonId,
    ) -> Result<Stage, Failure> {
        self.news |= book.learn(ours);
        let node = book.node();
        if let Some((own, before)) = book.own().zip(before) {
            if own.is_revoked(&node) {
                return Err(Failure::Refused(Refused::Revoked));
            }
            if !own.has(&node) {
                let mut merged = own.newest().list().next();
                merged.merge(&before);
                self.outputs.push_back(Output::Sign(Box::new(merged)));
                return Ok(Stage::Merging(person));
            }
        }
        if book.own().is_some_and(|own| own.id() != person) {
            self.send_own_list(book);
        }
        Ok(self.begin_sync(book, person))
    }

    /// The listener hears that the node that joins agrees: its driver has to sign.
    fn consent(&mut self, now: u64, book: &Book, name: &Name, consent: Consent) -> Result<Stage, Failure> {
        let Some(own) = book.own() else { return self.refuse(Refused::Unknown) };
        let mut next = own.newest().list().next();
        if next.add(self.peer, name, now / 1000, consent).is_err() {
            return self.refuse(Refused::List);
        }
        self.outputs.push_back(Output::Sign(Box::new(next)));
        Ok(Stage::Admitting)
    }

    /// The driver has signed the list that names the other end, or the one that names us again.
    fn signed(&mut self, book: &mut Book, list: &SignedNodeList, person: PersonId) -> Result<Stage, Failure> {
        book.learn(list);
        self.news = true;
        self.send(Message::Update(list.encode()));
        Ok(self.begin_sync(book, person))
    }

    /// The dialler has become a node of the person.
    fn joined(&mut self, book: &mut Book, person: PersonId, list: &[u8]) -> Result<Stage, Failure> {
        let list = SignedNodeList::decode(list).map_err(|_| Failure::NotTheirs)?;
        let names_both = [self.peer, book.node()].iter().all(|node| list.list().nodes.contains_key(node));
        if list.person() != person || !names_both {
            return Err(Failure::NotTheirs);
        }
        book.adopt(list);
        self.news = true;
        Ok(self.begin_sync(book, person))
    }

    /// The listener hears a list that names a node which had restored its person from the phrase.
    fn restored(&mut self, book: &mut Book, person: PersonId, list: &[u8]) -> Result<Stage, Failure> {
        let Ok(list) = SignedNodeList::decode(list) else { return self.refuse(Refused::List) };
        if list.person() != person {
            return self.refuse(Refused::List);
        }
        self.news |= book.learn(&list);
        if !book.person(&person).is_some_and(|known| known.has(&self.peer)) {
            return self.refuse(Refused::List);
        }
        Ok(self.begin_sync(book, person))
    }

    /// `yours`: what the other has to hear of its own person. `contact`: whether that is a contact.
    fn say_welcome(&mut self, book: &Book, yours: Vec<u8>, contact: bool) {
        let list = book.own().map(|own| own.newest().encode()).unwrap_or_default();
        self.send(Message::Welcome { list, hints: self.own_hints.clone(), yours, contact });
    }

    fn send_own_list(&mut self, book: &Book) {
        let list = book.own().map(|own| own.newest().encode()).unwrap_or_default();
        self.send(Message::Update(list));
    }

    fn refuse(&mut self, why: Refused) -> Result<Stage, Failure> {
        self.send(Message::Refuse(why));
        Err(Failure::WeRefused(why))
    }

    /// Refuses a node that its person revoked, and shows it the list that says so: nobody else tells it.
    fn refuse_revoked(&mut self, known: &KnownPerson) -> Result<Stage, Failure> {
        let newest = known.newest();
        // What only an older list says proves nothing to whoever has a newer one.
        self.send(match newest.list().revoked.contains_key(&self.peer) {
            true => Message::Revoked(newest.encode()),
            false => Message::Refuse(Refused::Revoked),
        });
        Err(Failure::WeRefused(Refused::Revoked))
    }

    /// The dialler hears that its own person revoked it, and believes that person alone.
    fn told_revoked(&mut self, book: &mut Book, list: &[u8]) -> Failure {
        let own = book.own().map(KnownPerson::id);
        match SignedNodeList::decode(list) {
            Ok(list) if Some(list.person()) == own && list.list().revoked.contains_key(&book.node()) => {
                book.learn(&list);
                Failure::Refused(Refused::Revoked)
            }
            _ => Failure::Protocol("it says that this node was revoked, and does not prove it"),
        }
    }

    fn send(&mut self, message: Message) {
        self.outputs.push_back(Output::Send(message.encode()));
    }

    fn finish(&mut self, result: Result<Met, Failure>) {
        self.stage = Stage::Over;
        self.outputs.push_back(Output::Finished(result));
    }
}

/// What the listener says when it lets the dialler in.
struct Welcome {
    list: Vec<u8>,
    hints: Vec<String>,
    yours: Vec<u8>,
    contact: bool,
}

fn is_blocked(book: &Book, person: &PersonId) -> bool {
    book.contact(person).is_some_and(|contact| contact.blocked)
}

fn join_mac(secret: &Secret, listener: NodeId, dialler: NodeId, name: &Name) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("HMAC takes a key of any length (RFC 2104)");
    for part in [JOIN_DOMAIN, &listener.0, &dialler.0, name.as_str().as_bytes()] {
        mac.update(part);
    }
    mac
}

/// Proves to have the code, without telling it: the listener has proven to be the node that the code names, and the
/// proof is for this dialler alone.
fn join_proof(secret: &Secret, listener: NodeId, dialler: NodeId, name: &Name) -> [u8; 32] {
    join_mac(secret, listener, dialler, name).finalize().into_bytes().into()
}

fn join_proof_holds(secret: &Secret, listener: NodeId, dialler: NodeId, name: &Name, proof: &[u8; 32]) -> bool {
    join_mac(secret, listener, dialler, name).verify_slice(proof).is_ok()
}
