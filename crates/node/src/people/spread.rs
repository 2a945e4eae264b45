//! Meeting contacts and our own other nodes now and then, and soon after there is news: so lists of nodes, revocations
//! and answers to invitations come around although not everybody is always there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base::{NodeId, PersonId};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use people::proto::exchange::Purpose;
use people::proto::{ContactLink, Relation};

use super::{People, lock};

/// How many are dialled at a time. Arbitrary: a dialling waits most of its time.
const AT_ONCE: usize = 32;

/// The first pause after a start or after news; each further one is twice as long. Arbitrary.
const SHORTEST: Duration = Duration::from_secs(15);

/// The longest pause. Arbitrary: who comes meets us as well.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// How long nobody is asked again why we are refused. Arbitrary: who refuses us for another reason is not bothered.
const ASK_WHY_AGAIN: Duration = Duration::from_secs(30);

/// How long news is collected before it is told: an exchange of own nodes brings many. Arbitrary.
const COLLECT: Duration = Duration::from_millis(500);

impl People {
    /// Runs until it is dropped.
    pub(super) async fn spread(self) {
        let mut pause = SHORTEST;
        loop {
            let round = async {
                self.meet_everybody().await;
                tokio::time::sleep(pause).await;
            };
            // News does not wait for those who do not answer: the round begins again.
            let woken = tokio::select! {
                () = round => false,
                () = self.0.news.notified() => true,
            };
            if woken {
                tokio::time::sleep(COLLECT).await;
                pause = SHORTEST;
            } else {
                pause = (pause * 2).min(LONGEST);
            }
        }
    }

    /// Says that there is something to tell.
    pub(crate) fn has_news(&self) {
        self.0.news.notify_one();
    }

    /// Asks a node of a person that knows us why it refuses us: it may be that this node was revoked. Now and then, whoever
    /// it is.
    pub(super) fn ask_why(&self, node: NodeId) {
        let person = {
            let book = self.book();
            let is_known =
                |person: &PersonId| book.is_contact(person) || book.own().is_some_and(|own| own.id() == *person);
            book.person_of(&node).filter(is_known).filter(|_| !book.is_out())
        };
        let Some(person) = person else { return };
        {
            let mut asked = lock(&self.0.asked_why);
            if asked.is_some_and(|at| at.elapsed() < ASK_WHY_AGAIN) {
                return;
            }
            *asked = Some(Instant::now());
        }
        let people = self.clone();
        tokio::spawn(async move { drop(people.meet(node, Purpose::Meet(person), &[]).await) });
    }

    async fn meet_everybody(&self) {
        if let Err(error) = self.seal_book().await {
            tracing::warn!(%error, "what contacts are to keep for us is not stored");
        }
        let (own, siblings, contacts): (_, Vec<NodeId>, BTreeSet<PersonId>) = {
            let book = self.book();
            let own = book.own().map(people::proto::KnownPerson::id);
            let siblings = book.own().map(|own| own.nodes().map(|(node, _)| *node).collect()).unwrap_or_default();
            (own, siblings, book.contacts().filter(|c| c.is_live()).map(|c| c.person).collect())
        };
        let Some(own) = own.filter(|_| !self.book().is_out()) else { return };
        let others = siblings.into_iter().filter(|node| *node != self.key().id());
        // Bounded by the book: 32 nodes and 8,192 contacts.
        let mut meetings: Vec<BoxFuture<'static, ()>> = Vec::new();
        for node in others {
            let people = self.clone();
            meetings.push(Box::pin(async move { drop(people.meet(node, Purpose::Meet(own), &[]).await) }));
        }
        let connections = self.overlay().map(overlay::Overlay::connections).unwrap_or_default();
        let connected = connections.into_iter().map(|connection| connection.node).collect();
        for person in who_is_here_first(contacts, &connected, |person| self.places(person).0) {
            let people = self.clone();
            meetings.push(Box::pin(async move { drop(people.meet_person(person).await) }));
        }
        futures_util::stream::iter(meetings).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    /// Where a person may be met, and what for.
    pub(super) fn places(&self, person: PersonId) -> (Vec<NodeId>, Purpose) {
        let book = self.book();
        let known = book.person(&person).map(|known| known.nodes().map(|(node, _)| *node).collect::<Vec<_>>());
        let contact = book.contact(&person).filter(|contact| contact.relation == Relation::Asked);
        let link = contact.and_then(|contact| contact.link.as_ref()?.parse::<ContactLink>().ok());
        match link {
            Some(link) => {
                let mut nodes: Vec<_> = link.nodes.iter().map(|node| node.node).collect();
                nodes.extend(known.unwrap_or_default());
                (nodes, Purpose::Ask(person, link.secret))
            }
            None => (known.unwrap_or_default(), Purpose::Meet(person)),
        }
    }

    /// Ends what is no longer admitted now that the book has changed.
    pub(super) fn enforce(&self) {
        if let Some(gate) = self.0.gate.get() {
            gate.review();
        }
        let Some(overlay) = self.overlay() else { return };
        overlay.review();
        // A node that was revoked comes again to be told so; what it had ends now.
        for node in overlay.connections().into_iter().map(|connection| connection.node).collect::<BTreeSet<_>>() {
            if !self.book().admits(&node) {
                overlay.close(node);
            }
        }
    }
}

/// Puts those first of whom a node is connected: who sleeps takes long to dial, and news such as a revocation should not wait
/// for that.
fn who_is_here_first(
    people: BTreeSet<PersonId>,
    connected: &BTreeSet<NodeId>,
    nodes: impl Fn(PersonId) -> Vec<NodeId>,
) -> Vec<PersonId> {
    let (here, away): (Vec<_>, Vec<_>) =
        people.into_iter().partition(|person| nodes(*person).iter().any(|node| connected.contains(node)));
    here.into_iter().chain(away).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_connected_hears_news_before_those_who_may_be_asleep() {
        let person = |n| PersonId([n; 32]);
        let node = |n| NodeId([n; 32]);
        let order =
            who_is_here_first((1..=4).map(person).collect(), &[node(3)].into(), |id| vec![node(99), NodeId(id.0)]);
        assert_eq!(order, [3, 1, 2, 4].map(person));
    }
}
