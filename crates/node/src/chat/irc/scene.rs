//! What clients see: looked at again when people, groups or rooms change, and now and then for who is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::chat::irc::{Group, Member, Person, Scene, View};
use ::chat::proto::{Conversation, Event, RoomName};
use base::{GroupId, PersonId};
use overlay::Overlay;
use tokio::sync::{broadcast, watch};

use super::super::{ChatHandle, Happening};
use crate::groups::Groups;

/// How often it is looked who is there. Arbitrary: soon enough for people.
const LOOK: Duration = Duration::from_secs(5);

/// For how long somebody is there after the last connection ended, so that one that starts anew is not told.
const LINGERS: Duration = Duration::from_secs(30);

/// Looks, and publishes what is new.
pub(super) struct Looker {
    chat: ChatHandle,
    groups: Groups,
    overlay: Overlay,
    events: broadcast::Receiver<Arc<Happening>>,
    /// Where something was said.
    conversations: BTreeSet<Conversation>,
    /// When somebody was connected last.
    seen: BTreeMap<PersonId, Instant>,
    scene: Scene,
    views: watch::Sender<Arc<View>>,
}

impl Looker {
    /// Looks for the first time.
    pub(super) async fn new(chat: ChatHandle, groups: Groups, overlay: Overlay) -> Looker {
        let scene = Scene { me: chat.me(), people: Vec::new(), groups: Vec::new() };
        let views = watch::Sender::new(Arc::new(View::new(scene.clone())));
        let (conversations, seen, events) = (BTreeSet::new(), BTreeMap::new(), chat.subscribe());
        let mut looker = Looker { chat, groups, overlay, events, conversations, seen, scene, views };
        looker.look_at_conversations().await;
        looker.look();
        looker
    }

    /// Follows what is seen.
    pub(super) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.subscribe()
    }

    /// Looks again whenever there is reason to, until the conversations end.
    pub(super) async fn run(mut self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                happening = self.events.recv() => match happening.as_deref() {
                    Ok(Happening::Chat(Event::Shown(message))) => {
                        if !self.conversations.insert(message.conversation.clone()) {
                            continue;
                        }
                    }
                    Ok(Happening::People) => {}
                    Ok(_) => continue,
                    Err(broadcast::error::RecvError::Lagged(_)) => self.look_at_conversations().await,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = looks.tick() => {}
            }
            self.look();
        }
    }

    async fn look_at_conversations(&mut self) {
        match self.chat.conversations().await {
            Ok(all) => self.conversations = all.into_iter().map(|summary| summary.conversation).collect(),
            Err(error) => tracing::warn!(%error, "IRC clients may not see all rooms"),
        }
    }

    fn look(&mut self) {
        let scene = self.see();
        if scene != self.scene {
            self.scene = scene.clone();
            self.views.send_replace(Arc::new(View::new(scene)));
        }
    }

    fn see(&mut self) -> Scene {
        let circle = self.chat.circle().clone();
        let (me, known) = (self.chat.me(), circle.known());
        let now = Instant::now();
        let connected = self.overlay.connections().into_iter();
        let connected = connected.filter_map(|connection| circle.person_of(connection.node).or(connection.person));
        self.seen.extend(connected.map(|person| (person, now)));
        self.seen.retain(|_, seen| now.duration_since(*seen) < LINGERS);

        let contacts = known.people.iter().filter(|person| person.is_contact && person.person != me);
        let contacts: BTreeSet<PersonId> = contacts.map(|person| person.person).collect();
        let partners = self.conversations.iter().filter_map(|conversation| conversation.partner(me));
        let everybody: BTreeSet<PersonId> =
            known.people.iter().map(|person| person.person).chain(partners).chain([me]).collect();
        let people = everybody.into_iter().map(|person| Person {
            person,
            name: self.chat.person_name(person),
            is_contact: contacts.contains(&person),
            is_here: self.seen.contains_key(&person),
        });
        let groups = known.groups.iter().map(|fellowship| {
            let roster = self.groups.view(fellowship.group).and_then(|view| view.roster);
            let is_admin = |person: &PersonId| roster.as_ref().is_some_and(|roster| roster.is_admin(person));
            let members = fellowship.members.iter();
            Group {
                group: fellowship.group,
                name: circle.group_name(fellowship.group),
                members: members.map(|person| Member { person: *person, is_admin: is_admin(person) }).collect(),
                rooms: self.rooms(fellowship.group),
            }
        });
        Scene { me, people: people.collect(), groups: groups.collect() }
    }

    fn rooms(&self, wanted: GroupId) -> BTreeSet<RoomName> {
        let rooms = self.conversations.iter().filter_map(|conversation| match conversation {
            Conversation::Room(group, room) if *group == wanted => Some(room.clone()),
            _ => None,
        });
        rooms.collect()
    }
}
