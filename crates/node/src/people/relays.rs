//! The relays of people: those that nodes of ours, of contacts and of fellow members offer are used before any public one.
//!
//! A node that offers a relay names it among the places where it may be reached, and the relay proves that node's own key.
//! So a relay counts as offered by a node if its text names that node's id, whoever passed the text on: nobody else can
//! run it. A relay that refuses us (it is offered to others) is left alone by the overlay.

use std::collections::BTreeMap;
use std::time::Duration;

use base::NodeId;
use overlay::{Hint, Relay};

use super::{People, lock};

/// How many relays are used beside those of the settings; each is measured every half minute or so. Arbitrary: one that
/// works is enough.
const MAX_RELAYS: usize = 8;

/// How often it is looked whose relays these are: groups change without a word to us.
const LOOK: Duration = Duration::from_secs(30);

/// How near we are to whoever offers a relay; the nearest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    Ourselves,
    Contact,
    Fellow,
}

impl People {
    /// Says which relays this node offers; tells those that we know.
    #[cfg_attr(not(feature = "relay"), expect(dead_code, reason = "nothing else offers any"))]
    pub(crate) fn offer_relays(&self, relays: Vec<Relay>) {
        let Some(overlay) = self.overlay() else { return };
        {
            let mut offered = lock(&self.0.offered);
            if *offered == relays {
                return;
            }
            offered.clone_from(&relays);
        }
        overlay.offer_relays(relays);
        self.0.places.notify_one();
        self.has_news();
    }

    /// Tells the overlay which relays there are, whenever that changes. Runs until it is dropped.
    pub(super) async fn keep_relays(self, configured: Vec<Relay>) {
        loop {
            if let Some(overlay) = self.overlay() {
                // Through its own one a node that offers a relay is reached by those who can reach nothing else.
                let mut relays = lock(&self.0.offered).clone();
                relays.extend(configured.iter().cloned());
                relays.extend(self.relays_of_people().into_iter().map(|(relay, _)| relay));
                overlay.set_relays(relays);
            }
            tokio::select! {
                () = self.0.places.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Returns the relays that people we know offer, the nearest first, with the nodes that do.
    pub(crate) fn relays_of_people(&self) -> Vec<(Relay, NodeId)> {
        let offered: Vec<(Relay, NodeId)> = {
            let book = self.book();
            let admitted = book.places().filter(|(node, _)| book.admits(node));
            admitted.flat_map(|(node, hints)| offered_by(node, hints)).collect()
        };
        // Who is near is asked without the book: groups know some of it.
        nearest(offered, |node| self.near(node))
    }

    fn near(&self, node: NodeId) -> Option<Near> {
        if node == self.key().id() {
            return None;
        }
        let (person, own, contact) = {
            let book = self.book();
            let person = book.person_of(&node)?;
            (person, book.own().is_some_and(|own| own.id() == person), book.is_contact(&person))
        };
        if own {
            Some(Near::Ourselves)
        } else if contact {
            Some(Near::Contact)
        } else {
            (!self.groups_with(person).is_empty()).then_some(Near::Fellow)
        }
    }
}

/// Returns the relays among a node's hints that the node itself runs.
fn offered_by(node: NodeId, hints: &[String]) -> impl Iterator<Item = (Relay, NodeId)> {
    hints.iter().filter_map(move |hint| match hint.parse() {
        Ok(Hint::Relay(relay)) if relay.node() == Some(node) => Some((relay, node)),
        _ => None,
    })
}

fn nearest(offered: Vec<(Relay, NodeId)>, near: impl Fn(NodeId) -> Option<Near>) -> Vec<(Relay, NodeId)> {
    let mut found: BTreeMap<(Near, NodeId), Vec<Relay>> = BTreeMap::new();
    for (relay, node) in offered {
        if let Some(near) = near(node) {
            found.entry((near, node)).or_default().push(relay);
        }
    }
    let all = found.into_iter().flat_map(|((_, node), relays)| relays.into_iter().map(move |relay| (relay, node)));
    all.take(MAX_RELAYS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(number: u8, node: NodeId) -> Relay {
        Relay::new(&format!("https://192.0.2.{number}:3340/"), Some(node), Some(3340)).unwrap()
    }

    #[test]
    fn a_node_speaks_for_its_own_relay_only() {
        let (carol, mallory) = (NodeId([3; 32]), NodeId([66; 32]));
        let hints = [
            "192.0.2.3:4001".to_owned(),
            relay(3, carol).to_string(),
            relay(66, mallory).to_string(),
            "https://relay.example/".to_owned(),
        ];
        let found: Vec<_> = offered_by(carol, &hints).collect();
        assert_eq!(found, [(relay(3, carol), carol)], "others and unnamed ones are ways to Carol, nothing more");
    }

    #[test]
    fn the_nearest_are_taken_and_strangers_never() {
        let nodes: Vec<NodeId> = (0..20).map(|i| NodeId([i; 32])).collect();
        let offered = nodes.iter().map(|node| (relay(node.0[0], *node), *node)).collect();
        let near = |node: NodeId| match node.0[0] {
            0 => None,
            5 => Some(Near::Contact),
            9 => Some(Near::Ourselves),
            _ => Some(Near::Fellow),
        };
        let found: Vec<u8> = nearest(offered, near).iter().map(|(_, node)| node.0[0]).collect();
        assert_eq!(found, [9, 5, 1, 2, 3, 4, 6, 7]);
    }
}
