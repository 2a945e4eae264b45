//! A cipher that hides nothing, for simulations and tests: thousands of nodes cost next to nothing, and every run with
//! the same seed has the same bytes. What the real one refuses it refuses too: what is for somebody else, what was
//! opened before, what is of a session that is not here.

use std::collections::{BTreeMap, BTreeSet};

use base::{NodeId, Now};
use people::proto::codec::{DecodeError, Reader, Writer};

use super::cipher::{CardError, Cipher, Facts, MAX_PARCEL, OpenError, Opened};
use super::ids::Ranges;

/// The longest of everything here, which comes from other nodes of the simulation alone.
const LIMIT: usize = MAX_PARCEL;

/// For how many days past and to come a node awaits envelopes, as the real one does.
const TAG_DAYS: [u64; 2] = [14, 32];

const DAY_S: u64 = 86_400;

type Mailboxes = Vec<(NodeId, Vec<String>)>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Card {
    made: u64,
    mailboxes: Mailboxes,
}

/// What is known of another node.
#[derive(Clone, Debug, Default)]
struct Peer {
    card: Option<Card>,
    /// The session that is sent with: that of what came last.
    current: Option<u64>,
    sessions: BTreeMap<u64, Session>,
}

#[derive(Clone, Debug, Default)]
struct Session {
    /// The number of the next envelope.
    next: u32,
    /// Whether nothing came back on it yet, so that each envelope may begin it.
    begins: bool,
    /// The numbers that were opened.
    opened: Ranges,
}

/// See the module.
#[derive(Debug)]
pub struct Plain {
    node: NodeId,
    rng: fastrand::Rng,
    own: Card,
    peers: BTreeMap<NodeId, Peer>,
    own_changed: bool,
    changed: BTreeSet<NodeId>,
    changed_sessions: BTreeSet<(NodeId, u64)>,
}

const OWN: &[u8] = b"vo";
const PEER: &[u8] = b"vp";
const SESSION: &[u8] = b"vs";

/// How many sessions of one node are kept, as by the real one.
const MAX_SESSIONS: usize = 5;

impl Plain {
    /// Restores it of its facts, whose keys begin with `v`; others are passed over. The seed is another in each run.
    pub fn new(node: NodeId, seed: u64, facts: &[(Vec<u8>, Vec<u8>)]) -> Plain {
        let rng = fastrand::Rng::with_seed(seed ^ u64::from_be_bytes(std::array::from_fn(|i| node.0[i])));
        let (own_changed, changed, changed_sessions) = (false, BTreeSet::new(), BTreeSet::new());
        let (own, peers) = (Card::default(), BTreeMap::new());
        let mut plain = Plain { node, rng, own, peers, own_changed, changed, changed_sessions };
        for (key, value) in facts {
            _ = plain.restore(key, &mut Reader::new(value));
        }
        plain
    }

    fn restore(&mut self, key: &[u8], value: &mut Reader<'_>) -> Result<(), DecodeError> {
        if key == OWN {
            self.own = Card::read(value)?;
        } else if let Some(mut key) = key.strip_prefix(PEER).map(Reader::new) {
            let peer = self.peers.entry(NodeId(key.fixed()?)).or_default();
            peer.card = value.flag()?.then(|| Card::read(value)).transpose()?;
            let has_current = value.flag()?;
            peer.current = Some(value.u64()?).filter(|_| has_current);
        } else if let Some(mut key) = key.strip_prefix(SESSION).map(Reader::new) {
            let peer = self.peers.entry(NodeId(key.fixed()?)).or_default();
            let session = Session { next: value.u32()?, begins: value.flag()?, opened: Ranges::read(value)? };
            peer.sessions.insert(key.u64()?, session);
        }
        Ok(())
    }

    fn tag(node: NodeId, day: u64) -> [u8; 16] {
        let day = day.to_be_bytes();
        std::array::from_fn(|i| if i < 8 { node.0[i] ^ node.0[31 - i] } else { day[i - 8] })
    }

    fn read_card(card: &[u8]) -> Result<(NodeId, Card), DecodeError> {
        let mut from = Reader::new(card);
        let node = NodeId(from.fixed()?);
        let card = Card::read(&mut from)?;
        from.finish()?;
        Ok((node, card))
    }

    fn learn_newer(&mut self, node: NodeId, card: Card) -> bool {
        let peer = self.peers.entry(node).or_default();
        let is_new = peer.card.as_ref().is_none_or(|known| known.made < card.made);
        if is_new {
            peer.card = Some(card);
            self.changed.insert(node);
        }
        is_new
    }
}

impl Card {
    fn write(&self, to: &mut Writer) {
        to.u64(self.made).u32(self.mailboxes.len() as u32);
        for (node, whereabouts) in &self.mailboxes {
            to.fixed(&node.0).u32(whereabouts.len() as u32);
            whereabouts.iter().for_each(|hint| _ = to.text(hint));
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Card, DecodeError> {
        let (made, count) = (from.u64()?, from.u32()?);
        let mut mailboxes = Vec::new();
        for _ in 0..count {
            let node = NodeId(from.fixed()?);
            let hints = from.u32()?;
            let hints = (0..hints).map(|_| Ok(from.text(LIMIT)?.to_owned())).collect::<Result<_, DecodeError>>()?;
            mailboxes.push((node, hints));
        }
        Ok(Card { made, mailboxes })
    }
}

impl Peer {
    fn write(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.u8(u8::from(self.card.is_some()));
        self.card.iter().for_each(|card| card.write(&mut to));
        to.u8(u8::from(self.current.is_some())).u64(self.current.unwrap_or(0)).finish()
    }
}

impl Session {
    fn write(&self) -> Vec<u8> {
        let mut to = Writer::new();
        self.opened.write(to.u32(self.next).u8(u8::from(self.begins)));
        to.finish()
    }
}

impl Cipher for Plain {
    fn card(&mut self, now: Now) -> Vec<u8> {
        if self.own.made == 0 {
            self.own.made = now.wall.0.saturating_mul(1000).max(1);
            self.own_changed = true;
        }
        let mut to = Writer::new();
        self.own.write(to.fixed(&self.node.0));
        to.finish()
    }

    fn set_mailboxes(&mut self, now: Now, mailboxes: &[(NodeId, Vec<String>)]) -> bool {
        if self.own.mailboxes == mailboxes {
            return false;
        }
        let made = now.wall.0.saturating_mul(1000).max(self.own.made + 1);
        self.own = Card { made, mailboxes: mailboxes.to_vec() };
        self.own_changed = true;
        true
    }

    fn learn(&mut self, card: &[u8]) -> Result<(NodeId, bool), CardError> {
        let (node, card) = Plain::read_card(card).map_err(|_| CardError::Decode)?;
        let is_new = node != self.node && self.learn_newer(node, card);
        Ok((node, is_new))
    }

    fn card_of(&self, node: NodeId) -> Option<Vec<u8>> {
        let card = self.peers.get(&node)?.card.as_ref()?;
        let mut to = Writer::new();
        card.write(to.fixed(&node.0));
        Some(to.finish())
    }

    fn mailboxes_of(&self, node: NodeId) -> Vec<(NodeId, Vec<String>)> {
        let card = self.peers.get(&node).and_then(|peer| peer.card.as_ref());
        card.map(|card| card.mailboxes.clone()).unwrap_or_default()
    }

    fn tag_of(&self, node: NodeId, now: Now) -> Option<[u8; 16]> {
        self.peers.get(&node)?.card.as_ref()?;
        Some(Plain::tag(node, now.wall.0 / DAY_S))
    }

    fn own_tags(&self, now: Now) -> Vec<[u8; 16]> {
        let today = now.wall.0 / DAY_S;
        (today.saturating_sub(TAG_DAYS[0])..=today + TAG_DAYS[1]).map(|day| Plain::tag(self.node, day)).collect()
    }

    fn seal(&mut self, now: Now, to: NodeId, parcel: &[u8]) -> Option<Vec<u8>> {
        self.peers.get(&to)?.card.as_ref()?;
        let new = self.rng.u64(..);
        let begun = self
            .peers
            .get(&to)
            .and_then(|peer| peer.sessions.get(&peer.current?))
            .is_some_and(|session| !session.begins);
        let own = if begun { Vec::new() } else { self.card(now) };
        let peer = self.peers.get_mut(&to)?;
        if peer.current.is_none() {
            self.changed.insert(to);
        }
        let name = *peer.current.get_or_insert(new);
        self.changed_sessions.insert((to, name));
        let session = peer.sessions.entry(name).or_insert(Session { next: 1, begins: true, ..Session::default() });
        let number = session.next;
        session.next += 1;
        let mut writer = Writer::new();
        writer.fixed(&to.0).fixed(&self.node.0).u64(name).u32(number);
        writer.bytes(&own).fixed(parcel);
        Some(writer.finish())
    }

    fn open(&mut self, _now: Now, envelope: &[u8]) -> Result<Opened, OpenError> {
        let (to, from, name, number, card, parcel) = read_envelope(envelope).map_err(|_| OpenError::Foreign)?;
        if to != self.node {
            return Err(OpenError::Foreign);
        }
        if !card.is_empty() {
            let (node, card) = Plain::read_card(card).map_err(|_| OpenError::Foreign)?;
            if node != from {
                return Err(OpenError::Foreign);
            }
            self.learn_newer(node, card);
        }
        let peer = self.peers.get_mut(&from).filter(|peer| peer.card.is_some());
        let Some(peer) = peer else { return Err(OpenError::NoCard { claims: from }) };
        if !peer.sessions.contains_key(&name) && card.is_empty() {
            return Err(OpenError::NoSession { claims: from });
        }
        let session = peer.sessions.entry(name).or_insert(Session { next: ANSWERS, ..Session::default() });
        // What comes says that the other end has it.
        session.begins = false;
        if !session.opened.insert(number) {
            return Err(OpenError::Again);
        }
        if peer.current.replace(name) != Some(name) {
            self.changed.insert(from);
        }
        self.changed_sessions.insert((from, name));
        while peer.sessions.len() > MAX_SESSIONS {
            let Some(other) = peer.sessions.keys().copied().find(|other| *other != name) else { break };
            peer.sessions.remove(&other);
            self.changed_sessions.insert((from, other));
        }
        Ok(Opened { from, parcel: parcel.to_vec() })
    }

    fn renew(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.current = None;
            self.changed.insert(node);
        }
    }

    fn forget(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.remove(&node) {
            self.changed.insert(node);
            self.changed_sessions.extend(peer.sessions.into_keys().map(|name| (node, name)));
        }
    }

    fn facts(&mut self) -> Facts {
        let mut facts = Facts::new();
        if std::mem::take(&mut self.own_changed) {
            let mut to = Writer::new();
            self.own.write(&mut to);
            facts.push((OWN.to_vec(), Some(to.finish())));
        }
        for node in std::mem::take(&mut self.changed) {
            facts.push(([PEER, &node.0].concat(), self.peers.get(&node).map(Peer::write)));
        }
        for (node, name) in std::mem::take(&mut self.changed_sessions) {
            let session = self.peers.get(&node).and_then(|peer| peer.sessions.get(&name));
            facts.push(([SESSION, &node.0, &name.to_be_bytes()].concat(), session.map(Session::write)));
        }
        facts
    }
}

/// The numbers of the end that answers begin here, so that both ends of a session count apart.
const ANSWERS: u32 = 1 << 31;

type Envelope<'a> = (NodeId, NodeId, u64, u32, &'a [u8], &'a [u8]);

fn read_envelope(envelope: &[u8]) -> Result<Envelope<'_>, DecodeError> {
    let mut from = Reader::new(envelope);
    let (to, sender) = (NodeId(from.fixed()?), NodeId(from.fixed()?));
    let (session, number, card) = (from.u64()?, from.u32()?, from.bytes(LIMIT)?);
    let parcel = &envelope[envelope.len() - from.left()..];
    Ok((to, sender, session, number, card, parcel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Instant, WallTime};

    const NOW: Now = Now { mono: Instant::START, wall: WallTime(20_780 * DAY_S) };
    const ALICE: NodeId = NodeId([1; 32]);
    const BOB: NodeId = NodeId([2; 32]);

    fn opened(from: NodeId, parcel: &[u8]) -> Result<Opened, OpenError> {
        Ok(Opened { from, parcel: parcel.to_vec() })
    }

    fn stored(plain: &mut Plain) -> Vec<(Vec<u8>, Vec<u8>)> {
        plain.facts().into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    #[test]
    fn what_was_opened_is_not_opened_again_even_after_a_restart() {
        let (mut alice, mut bob) = (Plain::new(ALICE, 1, &[]), Plain::new(BOB, 1, &[]));
        assert_eq!(alice.seal(NOW, BOB, b"early"), None, "without his card");
        alice.learn(&bob.card(NOW)).unwrap();
        let first = alice.seal(NOW, BOB, b"first").unwrap();
        assert_eq!(alice.open(NOW, &first), Err(OpenError::Foreign));
        assert_eq!(bob.open(NOW, &first), opened(ALICE, b"first"));
        let mut bob = Plain::new(BOB, 2, &stored(&mut bob));
        assert_eq!(bob.open(NOW, &first), Err(OpenError::Again));
        let answer = bob.seal(NOW, ALICE, b"answer").unwrap();
        assert_eq!(alice.open(NOW, &answer), opened(BOB, b"answer"));
        assert_eq!(alice.open(NOW, &answer), Err(OpenError::Again));
        let second = alice.seal(NOW, BOB, b"second").unwrap();
        assert_eq!(bob.open(NOW, &second), opened(ALICE, b"second"));
    }

    #[test]
    fn who_forgot_a_session_says_so_and_it_is_begun_anew() {
        let (mut alice, mut bob) = (Plain::new(ALICE, 1, &[]), Plain::new(BOB, 1, &[]));
        alice.learn(&bob.card(NOW)).unwrap();
        bob.open(NOW, &alice.seal(NOW, BOB, b"first").unwrap()).unwrap();
        alice.open(NOW, &bob.seal(NOW, ALICE, b"answer").unwrap()).unwrap();
        let lost = alice.seal(NOW, BOB, b"lost").unwrap();
        bob.forget(ALICE);
        assert_eq!(bob.open(NOW, &lost), Err(OpenError::NoCard { claims: ALICE }));
        bob.learn(&alice.card(NOW)).unwrap();
        assert_eq!(bob.open(NOW, &lost), Err(OpenError::NoSession { claims: ALICE }));
        bob.renew(ALICE);
        assert_eq!(alice.open(NOW, &bob.seal(NOW, ALICE, b"anew").unwrap()), opened(BOB, b"anew"));
    }

    #[test]
    fn the_newer_card_counts_and_names_the_mailboxes() {
        let (mut alice, mut bob) = (Plain::new(ALICE, 1, &[]), Plain::new(BOB, 1, &[]));
        let old = alice.card(NOW);
        let mailboxes = vec![(NodeId([9; 32]), vec!["here".to_owned()])];
        assert!(alice.set_mailboxes(NOW, &mailboxes) && !alice.set_mailboxes(NOW, &mailboxes));
        let new = alice.card(NOW);
        assert_eq!((bob.learn(&new), bob.learn(&old)), (Ok((ALICE, true)), Ok((ALICE, false))));
        assert_eq!((bob.mailboxes_of(ALICE), bob.card_of(ALICE)), (mailboxes, Some(new)));
        assert!(alice.own_tags(NOW).contains(&bob.tag_of(ALICE, NOW).unwrap()));
        assert_eq!(bob.learn(b"no card"), Err(CardError::Decode));
    }
}
