//! Cards: how they come to whoever needs them, and what came from nodes that are not known yet.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use base::{NodeId, Now, PersonId};

use super::super::card::MAX_CARD;
use super::super::cipher::Cipher;
use super::super::parcel::{MAX_CARDS, MAX_TELLS, MAX_WANTED_CARDS, Parcel, Tell};
use super::Chat;
use super::agenda::Due;
use super::peer::Link;

/// After what time who is there is asked again for missing cards. It doubles each time while no other is missing: whoever
/// comes meanwhile is asked at once.
const WANT_AGAIN: Duration = Duration::from_secs(60);

/// How often it doubles: up to about an hour. Arbitrary.
const MAX_DOUBLED: u32 = 6;

/// How many nodes are asked at once. Arbitrary.
const MAX_GIVERS: usize = 16;

/// How often one node is given cards. Arbitrary.
const GIVE_AGAIN: Duration = Duration::from_secs(10);

/// How many nodes may be missing a card. Arbitrary: the rest has its turn later.
const MAX_CARDLESS: usize = 1024;

/// How many cards and how many parcels of nodes that are not known yet are kept, and how many bytes of parcels. Arbitrary:
/// a new member's first words may be faster than the roster that names them.
const MAX_STRANGE: usize = 64;
/// See [`MAX_STRANGE`].
const MAX_STRANGE_BYTES: usize = 1 << 20;

/// Nodes whose card is missing.
#[derive(Debug, Default)]
pub(super) struct Cardless {
    nodes: BTreeSet<NodeId>,
    /// How often who is there was asked since the last of them was missed.
    rounds: u32,
}

/// What came from nodes that are not known yet. It is not acknowledged, so nothing is lost with it.
#[derive(Debug, Default)]
pub(super) struct Strange {
    cards: VecDeque<(NodeId, Vec<u8>)>,
    parcels: VecDeque<(NodeId, Parcel, usize)>,
    bytes: usize,
}

impl Strange {
    fn keep_card(&mut self, node: NodeId, card: &[u8]) {
        self.cards.retain(|(other, _)| *other != node);
        if self.cards.len() >= MAX_STRANGE {
            self.cards.pop_front();
        }
        self.cards.push_back((node, card.to_vec()));
    }

    /// Keeps a parcel, the oldest ones making room.
    pub(super) fn keep_parcel(&mut self, node: NodeId, parcel: Parcel) {
        let bytes = parcel.items.iter().map(|item| item.len() + size_of::<Vec<u8>>()).sum();
        self.bytes += bytes;
        self.parcels.push_back((node, parcel, bytes));
        while self.parcels.len() > MAX_STRANGE || self.bytes > MAX_STRANGE_BYTES {
            let Some((_, _, bytes)) = self.parcels.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    fn take_parcels(&mut self, node: NodeId) -> Vec<Parcel> {
        let all = std::mem::take(&mut self.parcels).into_iter();
        let (theirs, others): (Vec<_>, Vec<_>) = all.partition(|(other, ..)| *other == node);
        self.parcels = others.into();
        self.bytes -= theirs.iter().map(|(_, _, bytes)| bytes).sum::<usize>();
        theirs.into_iter().map(|(_, parcel, _)| parcel).collect()
    }

    fn take_card(&mut self, node: NodeId) -> Option<Vec<u8>> {
        let at = self.cards.iter().position(|(other, _)| *other == node)?;
        self.cards.remove(at).map(|(_, card)| card)
    }
}

impl<C: Cipher> Chat<C> {
    /// Takes a card, whoever brought it; `stream`: the node on whose stream it came.
    pub(super) fn learn_card(&mut self, card: &[u8], stream: Option<NodeId>) {
        if card.len() > MAX_CARD {
            return;
        }
        if let Some(node) = stream.filter(|node| !self.peers.contains_key(node) || !self.is_introduced) {
            // Whoever is not known yet may be in a moment.
            return self.strange.keep_card(node, card);
        }
        let Ok((node, is_new)) = self.cipher.learn(card) else { return };
        if self.peers.get(&node).is_some_and(|peer| stream.is_some() && peer.link == Link::Connected) {
            // Something may wait for it, though an envelope brought it before.
            self.ready.insert(node);
        }
        if node == self.node() || !is_new {
            return;
        }
        if !self.peers.contains_key(&node) {
            // The cards of all the world are not kept.
            return self.cipher.forget(node);
        }
        self.cardless.nodes.remove(&node);
        self.ready.insert(node);
    }

    /// A node became known: takes what came from it before.
    pub(super) fn no_longer_strange(&mut self, now: Now, node: NodeId) {
        if let Some(card) = self.strange.take_card(node) {
            self.learn_card(&card, Some(node));
        }
        for parcel in self.strange.take_parcels(node) {
            self.take_parcel(now, node, parcel);
        }
    }

    /// The card of a node is missing, for which something waits or which sent something.
    pub(super) fn miss_card(&mut self, now: Now, node: NodeId) {
        let nodes = &mut self.cardless.nodes;
        if self.peers.contains_key(&node) && nodes.len() < MAX_CARDLESS && nodes.insert(node) {
            self.cardless.rounds = 0;
            self.agenda.set_by(Due::WantCards, now.mono);
        }
    }

    /// Asks who is there for the cards that are missing.
    pub(super) fn want_cards(&mut self, now: Now) {
        self.cardless.nodes.retain(|node| self.peers.contains_key(node));
        if self.cardless.nodes.is_empty() {
            return;
        }
        let wanted = self.wanted_cards();
        let is_there = |(_, peer): &(&NodeId, &super::Peer)| peer.link == Link::Connected;
        let mut there: Vec<_> = self.peers.iter().filter(is_there).map(|(node, _)| *node).collect();
        self.rng.shuffle(&mut there);
        for node in there.into_iter().take(MAX_GIVERS) {
            self.tell(node, Tell::WantCards(wanted.clone()));
        }
        let after = WANT_AGAIN.saturating_mul(1 << self.cardless.rounds.min(MAX_DOUBLED));
        self.cardless.rounds = self.cardless.rounds.saturating_add(1);
        self.agenda.set(Due::WantCards, now.mono + after);
    }

    /// Returns some of the nodes whose card is missing.
    fn wanted_cards(&mut self) -> Vec<NodeId> {
        let mut wanted: Vec<_> = self.cardless.nodes.iter().copied().collect();
        self.rng.shuffle(&mut wanted);
        wanted.truncate(MAX_WANTED_CARDS);
        wanted
    }

    /// A node came, and may have cards that are missing.
    pub(super) fn want_cards_of(&mut self, node: NodeId) {
        if !self.cardless.nodes.is_empty() {
            let wanted = self.wanted_cards();
            self.tell(node, Tell::WantCards(wanted));
        }
    }

    /// A node misses cards: it gets those that it may hear of from us.
    pub(super) fn give_cards(&mut self, now: Now, node: NodeId, person: PersonId, wanted: &[NodeId]) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        if peer.gave_cards.is_some_and(|at| now.mono - at < GIVE_AGAIN) {
            return;
        }
        peer.gave_cards = Some(now.mono);
        let may = wanted.iter().filter(|wanted| self.people.may_hear_of(person, **wanted));
        let cards: Vec<_> = may.filter_map(|wanted| self.cipher.card_of(*wanted)).collect();
        for cards in cards.chunks(MAX_CARDS) {
            self.tell(node, Tell::Cards(cards.to_vec()));
        }
    }

    /// Tells a node something on its stream, if there is room: nothing of it is kept.
    pub(super) fn tell(&mut self, node: NodeId, tell: Tell) {
        let Some(peer) = self.peers.get_mut(&node).filter(|peer| peer.link == Link::Connected) else { return };
        if peer.tells.len() < MAX_TELLS {
            peer.tells.push(tell);
            self.ready.insert(node);
        }
    }

    /// Our card names other mailboxes: all whom we speak with hear of it, away or not.
    pub(super) fn spread_card(&mut self) {
        if !self.is_introduced || !std::mem::take(&mut self.card_is_news) {
            return;
        }
        let nodes: Vec<_> = self.people.nodes().map(|(node, _)| node).collect();
        nodes.into_iter().for_each(|node| self.queue_card(node));
    }
}
