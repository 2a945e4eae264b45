//! The people change: nodes come and go, members too, somebody is blocked.

use base::{NodeId, Now, PersonId};

use super::super::cipher::Cipher;
use super::super::conversation::Standing;
use super::super::id::Conversation;
use super::super::io::{Change, Known};
use super::peer::Peer;
use super::people::People;
use super::{ASK_AFTER, Chat};

impl<C: Cipher> Chat<C> {
    /// The people are these now.
    pub(super) fn introduce(&mut self, now: Now, known: Known) {
        let people = People::new(self.me, self.people.node(), known);
        let before = std::mem::replace(&mut self.people, people);
        let is_first = !std::mem::replace(&mut self.is_introduced, true);
        self.part_from_nodes(is_first);
        if is_first || self.people.lacks_some_of(&before) {
            self.part_from_people();
        }
        let new: Vec<_> = self.people.nodes().filter(|(node, _)| !self.peers.contains_key(node)).collect();
        for (node, person) in &new {
            let incarnation = self.rng.u64(1..);
            self.peers.insert(*node, Peer::new(*person, incarnation));
            self.queue_owed(*node, *person);
            if *person == self.me {
                self.own_begins(*node);
                // That it is known is stored, so that it begins once.
                self.changed_peers.insert(*node);
            }
        }
        let met: Vec<_> = if is_first { self.peers.keys().copied().collect() } else { nodes(&new) };
        for node in &met {
            self.ready.insert(*node);
            if self.connected.contains(node) {
                self.link_up(now, *node);
            }
        }
        self.welcome_members(now);
        self.trust_members(now);
        if is_first || self.people.blocks_others_than(&before) {
            self.silence_blocked(now);
        }
        let accepted = self.requests.iter().filter(|conversation| self.is_welcome(conversation));
        for conversation in accepted.cloned().collect::<Vec<_>>() {
            self.decide(now, &conversation, Standing::Accepted);
        }
        if is_first {
            self.ask_again(now);
        }
        for node in met {
            self.no_longer_strange(now, node);
        }
        self.spread_card();
    }

    /// Drops the nodes that speak for nobody any more, or for somebody else.
    fn part_from_nodes(&mut self, is_first: bool) {
        let mut gone = Vec::new();
        for (node, peer) in &mut self.peers {
            match self.people.person_of(*node) {
                Some(person) if is_first => peer.person = person,
                Some(person) if person == peer.person => {}
                _ => gone.push(*node),
            }
        }
        gone.into_iter().for_each(|node| self.drop_peer(node));
    }

    /// Drops what is owed to, and waits for, those who may not have it any more.
    fn part_from_people(&mut self) {
        for person in self.posts.creditors() {
            let may = |post: &u64| {
                let conversation = self.posts.get(*post).map(|post| &post.conversation);
                conversation.is_some_and(|conversation| self.may_have(person, conversation))
            };
            let forfeit: Vec<_> = self.posts.owed_to(person).into_iter().filter(|post| !may(post)).collect();
            forfeit.into_iter().for_each(|post| self.settle_debt(person, post));
        }
        let others = self.peers.iter().filter(|(_, peer)| peer.person != self.me);
        for (node, person) in others.map(|(node, peer)| (*node, peer.person)).collect::<Vec<_>>() {
            self.withdraw(node, |people, conversation| !people.takes_part(person, conversation));
        }
    }

    fn may_have(&self, person: PersonId, conversation: &Conversation) -> bool {
        !self.people.is_blocked(person) && self.people.takes_part(person, conversation)
    }

    /// Shows what waited since its author was no member yet.
    fn trust_members(&mut self, now: Now) {
        for (conversation, id) in self.doubted.iter().cloned().collect::<Vec<_>>() {
            let course = self.courses.get(&conversation);
            let author = course.and_then(|course| course.held_one(id)).map(|held| held.message.author);
            if author.is_none_or(|author| self.people.takes_part(author, &conversation)) {
                self.doubted.remove(&(conversation.clone(), id));
                let shown = self.course(&conversation, |course| course.trust(id, now.mono + ASK_AFTER));
                self.show(now, shown, false);
            }
        }
    }

    /// Drops what waits of those who are blocked, and waits for nothing of theirs.
    fn silence_blocked(&mut self, now: Now) {
        let waits = self.courses.iter().filter(|(_, course)| course.held().next().is_some());
        for conversation in waits.map(|(conversation, _)| conversation.clone()).collect::<Vec<_>>() {
            let course = &self.courses[&conversation];
            let is_blocked = |person: PersonId| self.people.is_blocked(person);
            let theirs = course.held().filter(|held| is_blocked(held.message.author)).map(|held| held.message.id);
            let theirs: Vec<_> = theirs.collect();
            let causes = course.missing().filter(|id| self.people.holder_of(id.pen).is_some_and(is_blocked));
            let causes: Vec<_> = causes.collect();
            let shown = self.course(&conversation, |course| {
                let dropped = theirs.into_iter().flat_map(|id| course.drop_held(id)).collect::<Vec<_>>();
                let freed = causes.into_iter().flat_map(|id| course.void(id)).collect::<Vec<_>>();
                [dropped, freed].concat()
            });
            self.show(now, shown, false);
        }
    }

    /// Whether whoever speaks there with us may do so without being asked.
    pub(super) fn is_welcome(&self, conversation: &Conversation) -> bool {
        conversation.partner(self.me).is_none_or(|partner| self.people.is_contact(partner))
    }

    /// Whether the conversation is a request, or one that was refused: nothing of ours is told there.
    pub(super) fn is_pending(&self, conversation: &Conversation) -> bool {
        !self.is_welcome(conversation) && self.standing(conversation) != Standing::Accepted
    }

    /// Returns how it is with the partner.
    pub(super) fn standing(&self, conversation: &Conversation) -> Standing {
        self.courses.get(conversation).map_or(Standing::Unheard, |course| course.standing())
    }

    /// The user let somebody write, or does not want to hear them. What they wrote beyond a request is asked for then.
    pub(super) fn decide(&mut self, now: Now, conversation: &Conversation, standing: Standing) {
        if conversation.partner(self.me).is_none() {
            return;
        }
        let beyond = self.course(conversation, |course| {
            if standing == Standing::Accepted && matches!(course.standing(), Standing::Asking(_)) {
                course.hope_again(now.mono + ASK_AFTER);
            }
            course.set_standing(standing);
            course.take_beyond()
        });
        if standing == Standing::Accepted {
            self.ask_partner(conversation, &beyond);
        }
        if self.requests.remove(conversation) {
            self.changes.push(Change::Request(conversation.clone(), false));
        }
    }
}

fn nodes(of: &[(NodeId, PersonId)]) -> Vec<NodeId> {
    of.iter().map(|(node, _)| *node).collect()
}
