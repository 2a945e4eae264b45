//! Which mailboxes keep messages for this node: those that the settings name, as far as they are offered.
//!
//! A person's name means those of their nodes that offer a mailbox, which are asked. One that cannot be asked now counts
//! as before; one of which nothing was ever heard counts as well, after the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use chat::Circle;
use chat::proto::card::MAX_MAILBOXES;
use chat::proto::{Settings, Whereabouts};
use tokio::sync::{Notify, mpsc, watch};

use super::driver::Word;
use super::post::{Offered, Post};
use crate::controls::Controls;

/// How many nodes are asked whether they offer one. Arbitrary: those of four people, who have a few each.
const MAX_CANDIDATES: usize = 32;

/// How long until all are asked again. Arbitrary: a mailbox begins or ends seldom.
const ASK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// How long until those that could not be asked, or offered none, are asked again; twice as long each time, up to
/// [`ASK_AGAIN`]. Arbitrary: a node that has just started may answer before its mailbox is open.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A mailbox that is used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Which node's.
    pub(crate) node: NodeId,
    /// What the settings say.
    pub(crate) named: String,
}

/// Follows the settings of the conversations, and who offers the mailboxes that they name.
pub(super) struct Chooser {
    pub(super) circle: Arc<dyn Circle>,
    pub(super) controls: Controls,
    pub(super) post: Post,
    /// What came of it.
    pub(super) chosen: watch::Sender<Vec<Chosen>>,
    /// Woken when the people changed.
    pub(super) people: Arc<Notify>,
}

impl Chooser {
    /// Runs until the conversations end.
    pub(super) async fn run(self) {
        let words = self.post.words();
        let mut applied = self.controls.applied();
        let mut offered: BTreeMap<NodeId, Offered> = BTreeMap::new();
        let mut settings = None;
        let mut again = TRY_AGAIN;
        loop {
            let config = self.controls.shown().config.chat;
            let wanted = Settings { receipts: config.receipts, typing: config.typing };
            if settings != Some(wanted) && words.send(Word::Settings(wanted)).await.is_err() {
                return;
            }
            settings = Some(wanted);
            let candidates = self.candidates(&config.mailboxes);
            offered.retain(|node, _| candidates.iter().any(|(candidate, _)| candidate.node == *node));
            let are_all_there = tokio::select! {
                are_all_there = self.ask(&candidates, &mut offered, &words) => are_all_there,
                // What is asked now may not be wanted any more.
                _ = applied.changed() => continue,
                () = words.closed() => return,
            };
            if are_all_there {
                again = TRY_AGAIN;
            }
            tokio::select! {
                _ = applied.changed() => again = TRY_AGAIN,
                () = self.people.notified() => again = TRY_AGAIN,
                () = tokio::time::sleep(if are_all_there { ASK_AGAIN } else { again }) => {
                    again = ASK_AGAIN.min(again * 2);
                }
                () = words.closed() => return,
            }
        }
    }

    /// Asks those who have to be asked, and tells what came of it. Returns whether all of them offer a mailbox.
    async fn ask(
        &self,
        candidates: &[(Chosen, bool)],
        offered: &mut BTreeMap<NodeId, Offered>,
        words: &mpsc::Sender<Word>,
    ) -> bool {
        // Those that the user named themselves are not asked: they are used as soon as they are there.
        let asking = candidates.iter().filter(|(_, is_asked)| *is_asked).map(|(chosen, _)| chosen.node);
        let answers =
            asking.map(|node| async move { (node, self.post.find_out(node, &self.circle.hints(node)).await) });
        for (node, answer) in futures_util::future::join_all(answers).await {
            let before = offered.entry(node).or_insert(Offered::Unknown);
            if answer != Offered::Unknown {
                *before = answer;
            }
        }
        let state = |(chosen, is_asked): &(Chosen, bool)| match is_asked {
            true => offered.get(&chosen.node).copied().unwrap_or(Offered::Unknown),
            false => Offered::Yes,
        };
        let with = |wanted: Offered| candidates.iter().filter(move |it| state(it) == wanted).map(|(it, _)| it.clone());
        let chosen: Vec<Chosen> = with(Offered::Yes).chain(with(Offered::Unknown)).take(MAX_MAILBOXES).collect();
        let told: Vec<(NodeId, Whereabouts)> =
            chosen.iter().map(|chosen| (chosen.node, self.circle.hints(chosen.node))).collect();
        self.chosen.send_replace(chosen);
        // The end of the conversations is heard by whoever called.
        let _ = words.send(Word::Mailboxes(told)).await;
        candidates.iter().all(|it| state(it) == Offered::Yes)
    }

    /// Returns the nodes that are meant, each with whether it has to be asked.
    fn candidates(&self, names: &[String]) -> Vec<(Chosen, bool)> {
        let (own, mut seen) = (self.circle.own_node(), BTreeSet::new());
        let mut candidates = Vec::new();
        for named in names {
            let (nodes, is_asked) = self.meant(named);
            if nodes.is_empty() {
                tracing::warn!(name = %named, "mailboxes in [chat] of config.toml names nobody who is known");
            }
            let fresh = nodes.into_iter().filter(|node| *node != own && seen.insert(*node));
            candidates.extend(fresh.map(|node| (Chosen { node, named: named.clone() }, is_asked)));
        }
        candidates.truncate(MAX_CANDIDATES);
        candidates
    }

    fn meant(&self, named: &str) -> (Vec<NodeId>, bool) {
        if let Ok(person) = self.circle.person(named) {
            return (self.circle.nodes_of(person), true);
        }
        let of_person = |(person, node): (&str, &str)| self.circle.node(self.circle.person(person).ok()?, node);
        if let Some(node) = named.rsplit_once('/').and_then(of_person) {
            return (vec![node], false);
        }
        (named.parse().into_iter().collect(), false)
    }
}
