//! A group's topics in gossip: the one of the present members' key, and for a while those of the keys before.
//!
//! Whoever has not heard of a new key listens on the topic of the old one, where it was handed out; what comes after that
//! is said on the new one only. Nodes of those who are no members any more are cut off from each. A task a topic takes what
//! comes; what it says is queued, and dropped where the queue is full: whoever misses it catches up by a stream.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::NodeId;
use overlay::gossip::{Event, Gossip, Members, Topic, TopicId};
use people::proto::group::{Input, Message, Replica, Standing};
use tokio::sync::mpsc;

use super::circle::Circle;
use super::{Groups, Inner, now};

/// How long the topic of an earlier key is followed. Arbitrary: longer than gossip repeats what a neighbour missed.
const OLD_TOPIC: Duration = Duration::from_secs(120);

/// How many topics a group follows at most: a member who is expelled each minute makes as many.
const MAX_TOPICS: usize = 4;

/// How many messages wait for gossip to take them. Arbitrary: the changes of some commands.
const QUEUE: usize = 64;

/// The topics of a group.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// The one to follow now; `None` while there is no key, and for who is no member.
    wanted: Option<TopicId>,
    followed: Vec<Followed>,
}

#[derive(Debug)]
struct Followed {
    id: TopicId,
    orders: mpsc::Sender<Order>,
    members: Members,
    /// Since when it is not the wanted one.
    old_since: Option<Instant>,
}

#[derive(Debug)]
enum Order {
    Say(Message),
    Admit(Members),
}

impl Topics {
    pub(super) fn of(replica: &Replica) -> Topics {
        let mut topics = Topics::default();
        topics.turn(replica);
        topics
    }

    /// Notes which topic the replica's key leads to.
    pub(super) fn turn(&mut self, replica: &Replica) {
        let is_member = replica.standing() == Standing::Member;
        // While the next key is on its way the last topic is the one where it is heard of.
        match replica.epoch() {
            Some((_, secret)) if is_member => self.wanted = Some(secret.topic()),
            _ if !is_member => self.wanted = None,
            _ => {}
        }
    }

    /// Says something on the topic that was turned to last and is followed already.
    pub(super) fn publish(&self, messages: &[Message]) {
        let wanted = self.followed.iter().find(|topic| Some(topic.id) == self.wanted);
        let Some(topic) = wanted.or(self.followed.last()) else { return };
        for message in messages {
            // Full: the members catch up.
            let _ = topic.orders.try_send(Order::Say(message.clone()));
        }
    }
}

impl Groups {
    /// Follows the topic that the group has come to, lets the old ones go in time, and tells gossip who may take part.
    pub(super) fn follow(&self, circle: &Arc<Circle>) {
        let Some(gossip) = &self.0.gossip else { return };
        let nodes = self.member_nodes(circle);
        let members = Members::Only(nodes.iter().copied().collect());
        let mut topics = circle.topics();
        let Some(wanted) = topics.wanted else {
            // What was said last is in the queues, which are emptied before the tasks end.
            topics.followed.clear();
            return;
        };
        topics.followed.retain(|topic| topic.old_since.is_none_or(|since| since.elapsed() < OLD_TOPIC));
        for topic in &mut topics.followed {
            topic.old_since = (topic.id != wanted).then(|| topic.old_since.unwrap_or_else(Instant::now));
            if topic.members != members && topic.orders.try_send(Order::Admit(members.clone())).is_ok() {
                topic.members = members.clone();
            }
        }
        if topics.followed.iter().all(|topic| topic.id != wanted) {
            if topics.followed.len() >= MAX_TOPICS {
                topics.followed.remove(0);
            }
            let (orders, queue) = mpsc::channel(QUEUE);
            let following = Following { groups: Arc::downgrade(&self.0), circle: Arc::downgrade(circle) };
            tokio::spawn(following.run(gossip.clone(), wanted, members.clone(), nodes, queue));
            topics.followed.push(Followed { id: wanted, orders, members, old_since: None });
        }
    }

    /// Says something on the topics of a group.
    pub(super) fn say(&self, circle: &Circle, message: Message) {
        circle.topics().publish(&[message]);
    }
}

/// What the task of a topic holds of the rest.
struct Following {
    groups: Weak<Inner>,
    circle: Weak<Circle>,
}

impl Following {
    async fn run(
        self,
        gossip: Gossip,
        topic: TopicId,
        members: Members,
        bootstrap: Vec<NodeId>,
        mut orders: mpsc::Receiver<Order>,
    ) {
        let mut topic = gossip.join(topic, members, bootstrap).await;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => obey(&topic, order).await,
                    None => return,
                },
                event = topic.next() => match event {
                    Some(Event::Message { from, bytes }) => self.heard(from, &bytes).await,
                    // Which is also what happens when too much comes at once: streams and later announcements tell the rest.
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }

    async fn heard(&self, from: NodeId, bytes: &[u8]) {
        let (Some(groups), Some(circle)) = (self.groups.upgrade().map(Groups), self.circle.upgrade()) else { return };
        let result = match Message::decode(bytes) {
            Ok(Message::People(fellows)) => groups.learn(&circle, Some(from), fellows).await,
            Ok(message) => {
                let heard = groups.drive_and_see(&circle, |replica| replica.handle(now(), Input::Heard(message))).await;
                heard.map(|((), settled)| {
                    if settled.behind {
                        groups.catch_up(&circle, from);
                    }
                })
            }
            Err(error) => return tracing::debug!(node = ?from, %error, "a member says what is no message of a group"),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "what was heard of a group is not stored");
        }
    }
}

async fn obey(topic: &Topic, order: Order) {
    match order {
        Order::Say(message) => {
            if let Err(error) = topic.broadcast(message.encode().into()).await {
                tracing::debug!(%error, "a message of a group does not go by gossip");
            }
        }
        Order::Admit(members) => topic.admit(members).await,
    }
}
