//! Other nodes: their cards, and the sessions with each.
//!
//! Invariant: all sessions with a node are with the identity key of the card that is here.
//!
//! Sessions are kept as they are stored, and unpickled when they are used; [`MAX_AWAKE`] of them stay so. What changed
//! is pickled once when it is asked for, however often it changed.

use std::collections::{BTreeMap, BTreeSet};

use base::NodeId;
use people::proto::codec::{DecodeError, Reader, Writer};
use vodozemac::olm::{Session, SessionPickle};
use zeroize::Zeroizing;

use super::envelope::SessionName;
use crate::proto::card::{Card, MAX_CARD};

/// How many sessions are kept with a node: Olm's advice for two that begin at once, lose their state or go back to an
/// older one ("Message recovery" of the Olm specification; Matrix's clients keep as many).
pub(super) const MAX_SESSIONS: usize = 5;

/// How many nodes have a card here. Arbitrary: the nodes of a thousand people; each takes some 5 KB.
pub(super) const MAX_PEERS: usize = 4_096;

/// How many nodes have sessions here that were never answered: strangers, until the caller has them forgotten.
/// Arbitrary; each may take some 30 KB.
pub(super) const MAX_STRANGERS: usize = 256;

/// How many sessions stay unpickled: more than speak at once; each takes some 5 KB. Arbitrary.
const MAX_AWAKE: usize = 64;

/// How many runs of the other end are remembered of a session. Arbitrary: what comes late or twice comes within fewer
/// starts.
const MAX_RUNS: usize = 16;

/// How many sessions that were replaced are remembered of a node, each with the last run of the other end, so that what
/// comes late does not begin one again. Arbitrary.
const MAX_GONE: usize = 64;

/// The longest pickle that is read: five chains of 40 skipped keys take some 30 KB.
const MAX_PICKLE: usize = 128 << 10;

/// A fact of the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Own,
    Peer(NodeId),
    Session(NodeId, SessionName),
}

impl Key {
    pub fn encode(self) -> Vec<u8> {
        match self {
            Key::Own => b"va".to_vec(),
            Key::Peer(node) => [b"vc".as_slice(), &node.0].concat(),
            Key::Session(node, name) => [b"vs".as_slice(), &node.0, &name].concat(),
        }
    }

    pub fn decode(bytes: &[u8]) -> Option<Key> {
        let (kind, rest) = bytes.split_at_checked(2)?;
        match kind {
            b"va" if rest.is_empty() => Some(Key::Own),
            b"vc" => Some(Key::Peer(NodeId(rest.try_into().ok()?))),
            b"vs" => {
                let (node, name) = rest.split_first_chunk::<32>()?;
                Some(Key::Session(NodeId(*node), name.try_into().ok()?))
            }
            _ => None,
        }
    }
}

/// Another node.
struct Peer {
    card: Card,
    /// Whether something was ever sealed for it: whoever has not been spoken to makes room first.
    spoken: bool,
    /// Whether the next envelope begins a session.
    renew: bool,
    /// When it was heard of: the least makes room first. Not stored.
    heard: u64,
    gone: Vec<(SessionName, u64)>,
    sessions: BTreeMap<SessionName, Kept>,
}

/// A session.
struct Kept {
    /// Of two sessions the one with the greater rank was received on later, or begun later.
    rank: u64,
    /// Runs of the other end that something was opened of, the latest last, each with the greatest number that was.
    runs: Vec<(u64, u64)>,
    /// How many envelopes were sealed with it since the start. Not stored.
    sealed: u64,
    state: State,
}

enum State {
    /// Pickled: JSON, as vodozemac writes it.
    Asleep(Zeroizing<Vec<u8>>),
    /// Unpickled, with its place in the order of use.
    Awake(Box<Session>, u64),
}

impl Kept {
    fn pickle(&self) -> Zeroizing<Vec<u8>> {
        match &self.state {
            State::Asleep(pickle) => pickle.clone(),
            State::Awake(session, _) => pickled(session),
        }
    }
}

fn pickled(session: &Session) -> Zeroizing<Vec<u8>> {
    // It fails for maps with other keys than texts only, and there are none.
    Zeroizing::new(serde_json::to_vec(&session.pickle()).unwrap_or_default())
}

/// All other nodes that a card is here of.
#[derive(Default)]
pub(super) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
    /// The sessions that are unpickled, the one that was used longest ago first.
    pub(super) awake: BTreeMap<u64, (NodeId, SessionName)>,
    clock: u64,
    /// What is to be stored, or is gone.
    changed: BTreeSet<Key>,
}

impl Peers {
    /// Takes a stored fact; sessions after the cards. What cannot be read is deleted.
    pub fn restore(&mut self, key: Key, value: &[u8]) {
        let restored = match key {
            Key::Own => return,
            Key::Peer(node) => read_peer(value).ok().filter(|peer| peer.card.node == node).map(|peer| {
                self.peers.insert(node, peer);
            }),
            Key::Session(node, name) => self.peers.get_mut(&node).and_then(|peer| {
                peer.sessions.insert(name, read_session(value).ok()?);
                Some(())
            }),
        };
        if restored.is_none() {
            self.changed.insert(key);
        }
    }

    /// Returns a node's card.
    pub fn card(&self, node: NodeId) -> Option<&Card> {
        self.peers.get(&node).map(|peer| &peer.card)
    }

    /// Takes a card whose signature holds, and that is not our own. True if it is newer than what was here; false also
    /// when no room can be made.
    pub fn learn(&mut self, card: Card) -> bool {
        let node = card.node;
        self.clock += 1;
        match self.peers.get_mut(&node) {
            Some(peer) if peer.card.made >= card.made => return false,
            Some(peer) => {
                if peer.card.content.identity != card.content.identity {
                    // The node lost its keys: nobody holds the other end of these sessions any more.
                    let sessions = std::mem::take(&mut peer.sessions);
                    self.changed.extend(sessions.keys().map(|name| Key::Session(node, *name)));
                    peer.gone.clear();
                    let awake = sessions.values().filter_map(|kept| kept.state.place());
                    awake.for_each(|place| _ = self.awake.remove(&place));
                }
                peer.card = card;
            }
            None => {
                if !self.make_room() {
                    return false;
                }
                let (gone, sessions) = (Vec::new(), BTreeMap::new());
                let peer = Peer { card, spoken: false, renew: false, heard: self.clock, gone, sessions };
                self.peers.insert(node, peer);
            }
        }
        self.changed.insert(Key::Peer(node));
        true
    }

    /// Forgets a node.
    pub fn forget(&mut self, node: NodeId) {
        let Some(peer) = self.peers.remove(&node) else { return };
        self.changed.insert(Key::Peer(node));
        for (name, kept) in peer.sessions {
            self.changed.insert(Key::Session(node, name));
            kept.state.place().map(|place| self.awake.remove(&place));
        }
    }

    fn make_room(&mut self) -> bool {
        self.peers.len() < MAX_PEERS || self.forget_a_stranger(|peer| !peer.spoken)
    }

    /// Forgets whoever was heard of longest ago of some.
    fn forget_a_stranger(&mut self, which: impl Fn(&Peer) -> bool) -> bool {
        let strangers = self.peers.iter().filter(|(_, peer)| which(peer));
        let longest_ago = strangers.min_by_key(|(_, peer)| peer.heard).map(|(node, _)| *node);
        longest_ago.map(|node| self.forget(node)).is_some()
    }

    /// Has the next envelope to a node begin a session.
    pub fn renew(&mut self, node: NodeId) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.renew = true;
        }
    }

    /// Returns the session that the next envelope to a node is sealed with: the one that was received on last. `None`
    /// if one has to begin.
    pub fn sending(&self, node: NodeId) -> Option<SessionName> {
        let peer = self.peers.get(&node).filter(|peer| !peer.renew)?;
        peer.sessions.iter().max_by_key(|(_, kept)| kept.rank).map(|(name, _)| *name)
    }

    /// Keeps a session that begins, and sends with it until another one is received on. The one that was not used for
    /// longest makes room.
    pub fn begin(&mut self, node: NodeId, name: SessionName, session: Session) {
        let is_stranger = |peer: &Peer| !peer.spoken && !peer.sessions.is_empty() && peer.card.node != node;
        if self.peers.values().filter(|peer| is_stranger(peer)).count() >= MAX_STRANGERS {
            self.forget_a_stranger(is_stranger);
        }
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.renew = false;
        while peer.sessions.len() >= MAX_SESSIONS {
            let Some((least, _)) = peer.sessions.iter().min_by_key(|(_, kept)| kept.rank) else { break };
            let least = *least;
            let Some(kept) = peer.sessions.remove(&least) else { break };
            let last_run = kept.runs.last().map_or(0, |(run, _)| *run);
            remember(&mut peer.gone, (least, last_run), MAX_GONE);
            self.changed.extend([Key::Session(node, least), Key::Peer(node)]);
            kept.state.place().map(|place| self.awake.remove(&place));
        }
        self.clock += 1;
        let state = State::Awake(Box::new(session), self.clock);
        let rank = peer.next_rank();
        peer.sessions.insert(name, Kept { rank, runs: Vec::new(), sealed: 0, state });
        self.awake.insert(self.clock, (node, name));
        self.changed.insert(Key::Session(node, name));
        self.put_to_sleep();
    }

    /// Returns a session, unpickled; `None` if it is not here, or cannot be read, which deletes it.
    pub fn session(&mut self, node: NodeId, name: SessionName) -> Option<&mut Session> {
        let kept = self.peers.get_mut(&node)?.sessions.get_mut(&name)?;
        self.clock += 1;
        let session = match std::mem::replace(&mut kept.state, State::Asleep(Zeroizing::default())) {
            State::Awake(session, place) => {
                self.awake.remove(&place);
                Some(session)
            }
            State::Asleep(pickle) => {
                serde_json::from_slice::<SessionPickle>(&pickle).ok().map(|it| Box::new(it.into()))
            }
        };
        let Some(session) = session else {
            self.peers.get_mut(&node)?.sessions.remove(&name);
            self.changed.insert(Key::Session(node, name));
            return None;
        };
        kept.state = State::Awake(session, self.clock);
        self.awake.insert(self.clock, (node, name));
        self.put_to_sleep();
        match &mut self.peers.get_mut(&node)?.sessions.get_mut(&name)?.state {
            State::Awake(session, _) => Some(session),
            State::Asleep(_) => None,
        }
    }

    fn put_to_sleep(&mut self) {
        while self.awake.len() > MAX_AWAKE {
            let Some((_, (node, name))) = self.awake.pop_first() else { return };
            let kept = self.peers.get_mut(&node).and_then(|peer| peer.sessions.get_mut(&name));
            if let Some(kept) = kept {
                kept.state = State::Asleep(kept.pickle());
            }
        }
    }

    /// Whether a session was here and was replaced.
    pub fn is_gone(&self, node: NodeId, name: SessionName) -> bool {
        self.peers.get(&node).is_some_and(|peer| peer.gone.iter().any(|(gone, _)| *gone == name))
    }

    /// Whether an envelope that does not open is one that was opened before, or that comes so late that its keys were
    /// given up: of the same run of the other end something as late or later was opened.
    pub fn is_late(&self, node: NodeId, name: SessionName, run: u64, number: u64) -> bool {
        let Some(peer) = self.peers.get(&node) else { return false };
        match peer.sessions.get(&name) {
            Some(kept) => kept.runs.iter().any(|(known, opened)| *known == run && number <= *opened),
            None => peer.gone.contains(&(name, run)),
        }
    }

    /// Takes note that something is sealed with a session, and returns its number.
    pub fn note_sealed(&mut self, node: NodeId, name: SessionName) -> u64 {
        let Some(peer) = self.peers.get_mut(&node) else { return 0 };
        self.changed.insert(Key::Session(node, name));
        if !peer.spoken {
            peer.spoken = true;
            self.changed.insert(Key::Peer(node));
        }
        peer.sessions.get_mut(&name).map_or(0, |kept| {
            kept.sealed += 1;
            kept.sealed
        })
    }

    /// Takes note that something was opened with a session.
    pub fn note_opened(&mut self, node: NodeId, name: SessionName, run: u64, number: u64) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        let next = peer.next_rank();
        let Some(kept) = peer.sessions.get_mut(&name) else { return };
        if kept.rank + 1 < next {
            kept.rank = next;
        }
        match kept.runs.iter_mut().find(|(known, _)| *known == run) {
            Some((_, opened)) => *opened = number.max(*opened),
            None => remember(&mut kept.runs, (run, number), MAX_RUNS),
        }
        self.changed.insert(Key::Session(node, name));
    }

    /// Takes note that the node's own fact changed.
    pub fn note_own(&mut self) {
        self.changed.insert(Key::Own);
    }

    /// Returns what is to be stored since the last call, but for the value of [`Key::Own`].
    pub fn take_changed(&mut self) -> Vec<(Key, Option<Vec<u8>>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (key, self.value(key))).collect()
    }

    fn value(&self, key: Key) -> Option<Vec<u8>> {
        match key {
            Key::Own => None,
            Key::Peer(node) => self.peers.get(&node).map(write_peer),
            Key::Session(node, name) => self.peers.get(&node)?.sessions.get(&name).map(write_session),
        }
    }
}

impl Peer {
    fn next_rank(&self) -> u64 {
        self.sessions.values().map(|kept| kept.rank + 1).max().unwrap_or(0)
    }
}

impl State {
    fn place(&self) -> Option<u64> {
        match self {
            State::Asleep(_) => None,
            State::Awake(_, place) => Some(*place),
        }
    }
}

/// Adds to a list of the latest.
fn remember<T>(list: &mut Vec<T>, value: T, limit: usize) {
    if list.len() >= limit {
        list.remove(0);
    }
    list.push(value);
}

fn write_peer(peer: &Peer) -> Vec<u8> {
    let mut to = Writer::new();
    to.bytes(&peer.card.encode()).u8(u8::from(peer.spoken)).u8(peer.gone.len() as u8);
    peer.gone.iter().for_each(|(name, run)| _ = to.fixed(name).u64(*run));
    to.finish()
}

fn read_peer(bytes: &[u8]) -> Result<Peer, DecodeError> {
    let mut from = Reader::new(bytes);
    let (card, spoken, count) = (Card::decode(from.bytes(MAX_CARD)?)?, from.flag()?, from.u8()?);
    let gone = (0..count).map(|_| Ok((from.fixed()?, from.u64()?))).collect::<Result<_, DecodeError>>()?;
    from.finish()?;
    Ok(Peer { card, spoken, renew: false, heard: 0, gone, sessions: BTreeMap::new() })
}

fn write_session(kept: &Kept) -> Vec<u8> {
    let mut to = Writer::new();
    to.u64(kept.rank).u8(kept.runs.len() as u8);
    kept.runs.iter().for_each(|(run, opened)| _ = to.u64(*run).u64(*opened));
    to.bytes(&kept.pickle()).finish()
}

fn read_session(bytes: &[u8]) -> Result<Kept, DecodeError> {
    let mut from = Reader::new(bytes);
    let (rank, count) = (from.u64()?, from.u8()?);
    let runs = (0..count).map(|_| Ok((from.u64()?, from.u64()?))).collect::<Result<_, DecodeError>>()?;
    let pickle = from.bytes(MAX_PICKLE)?;
    from.finish()?;
    Ok(Kept { rank, runs, sealed: 0, state: State::Asleep(Zeroizing::new(pickle.to_vec())) })
}
