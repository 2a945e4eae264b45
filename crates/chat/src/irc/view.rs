//! What a client sees without asking: people as nicks, rooms as channels, and what changes from one look to the next.

use std::collections::{BTreeMap, BTreeSet};

use base::{GroupId, PersonId};

use super::names::{self, Candidate, fold};
use crate::proto::{Conversation, RoomName};

/// How much of a person's id stands for where they are, in each line.
const HOST: usize = 16;

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub person: PersonId,
    /// What they are called here.
    pub name: String,
    /// Whether they are a contact.
    pub is_contact: bool,
    /// Whether a node of theirs is connected now.
    pub is_here: bool,
}

/// A member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub person: PersonId,
    /// Whether they may change the group.
    pub is_admin: bool,
}

/// A group that the user is a member of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub group: GroupId,
    /// What it is called, where that can be read.
    pub name: Option<String>,
    /// Its present members, the user among them.
    pub members: Vec<Member>,
    /// Its rooms; the main room is there even if it is not named.
    pub rooms: BTreeSet<RoomName>,
}

/// All that a client can see, as the node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The user.
    pub me: PersonId,
    /// The user, contacts, fellow members and whoever else there is a conversation with.
    pub people: Vec<Person>,
    /// The groups.
    pub groups: Vec<Group>,
}

/// A room as a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Which.
    pub conversation: Conversation,
    /// Its name, with `#`.
    pub name: String,
    /// What the group is called, and the room.
    pub topic: String,
    /// Who belongs to it, and whether as an admin.
    pub members: BTreeMap<PersonId, bool>,
}

/// All that a client can see, under names that are fit for IRC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    me: PersonId,
    people: BTreeMap<PersonId, Person>,
    nicks: BTreeMap<PersonId, String>,
    by_nick: BTreeMap<String, PersonId>,
    channels: BTreeMap<Conversation, Channel>,
    by_channel: BTreeMap<String, Conversation>,
}

impl View {
    /// Gives everything its name.
    pub fn new(scene: Scene) -> View {
        let Scene { me, people, groups } = scene;
        let standing = |person: &Person| match person {
            person if person.person == me => 0,
            person if person.is_contact => 1,
            _ => 2,
        };
        let candidates = people.iter().map(|person| Candidate {
            key: person.person,
            name: names::fit_nick(&person.name),
            id: person.person.to_string(),
            standing: standing(person),
        });
        let nicks = names::allot(&candidates.collect::<Vec<_>>());
        let by_nick = nicks.iter().map(|(person, nick)| (fold(nick), *person)).collect();
        let channels = channels(&groups);
        let by_channel = channels.values().map(|channel| (fold(&channel.name), channel.conversation.clone())).collect();
        let people = people.into_iter().map(|person| (person.person, person)).collect();
        View { me, people, nicks, by_nick, channels, by_channel }
    }

    /// Returns the user.
    pub fn me(&self) -> PersonId {
        self.me
    }

    /// Returns everybody who can be seen.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Returns somebody who can be seen.
    pub fn person(&self, person: PersonId) -> Option<&Person> {
        self.people.get(&person)
    }

    /// Returns what somebody is called.
    pub fn nick(&self, person: PersonId) -> String {
        self.nicks.get(&person).cloned().unwrap_or_else(|| format!("_{}", &person.to_string()[..HOST]))
    }

    /// Returns from whom a line is, as lines say it.
    pub fn source(&self, person: PersonId) -> String {
        format!("{}!person@{}", self.nick(person), host(person))
    }

    /// Finds who is called so.
    pub fn by_nick(&self, nick: &str) -> Option<&Person> {
        self.people.get(self.by_nick.get(&fold(nick))?)
    }

    /// Returns all channels by their names: the main room of a group first.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.by_channel.values().filter_map(|conversation| self.channels.get(conversation))
    }

    /// Returns the channel of a room.
    pub fn channel(&self, conversation: &Conversation) -> Option<&Channel> {
        self.channels.get(conversation)
    }

    /// Finds a channel by its name; that of a main room may be written out.
    pub fn by_channel(&self, name: &str) -> Option<&Channel> {
        let name = fold(name);
        let main = || name.strip_suffix(RoomName::MAIN)?.strip_suffix('/');
        let found = self.by_channel.get(&name).or_else(|| self.by_channel.get(main()?))?;
        self.channels.get(found)
    }

    /// Whether somebody is there.
    pub fn is_here(&self, person: PersonId) -> bool {
        person == self.me || self.people.get(&person).is_some_and(|person| person.is_here)
    }
}

/// Returns what stands for where somebody is: the beginning of the id, which is theirs alone.
pub(super) fn host(person: PersonId) -> String {
    person.to_string()[..HOST].to_owned()
}

/// Makes channels of all rooms.
fn channels(groups: &[Group]) -> BTreeMap<Conversation, Channel> {
    let candidates = groups.iter().map(|group| Candidate {
        key: group.group,
        name: names::fit_channel(group.name.as_deref().unwrap_or_default()),
        id: group.group.to_string(),
        standing: 0,
    });
    let names = names::allot(&candidates.collect::<Vec<_>>());
    let mut channels = BTreeMap::new();
    for group in groups {
        let main = RoomName::main();
        let rooms = group.rooms.iter().filter(|room| **room != main).chain([&main]);
        for room in rooms {
            let called = group.name.as_deref().unwrap_or("a group whose name cannot be read here");
            let (name, topic) = match *room == main {
                true => (format!("#{}", names[&group.group]), called.to_owned()),
                false => (format!("#{}/{room}", names[&group.group]), format!("{called}: {room}")),
            };
            let members = group.members.iter().map(|member| (member.person, member.is_admin)).collect();
            let conversation = Conversation::Room(group.group, room.clone());
            channels.insert(conversation.clone(), Channel { conversation, name, topic, members });
        }
    }
    channels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u8, name: &str, is_contact: bool) -> Person {
        Person { person: PersonId([n; 32]), name: name.into(), is_contact, is_here: n.is_multiple_of(2) }
    }

    fn group(n: u8, name: Option<&str>, rooms: &[&str]) -> Group {
        let members = vec![Member { person: PersonId([1; 32]), is_admin: true }];
        let rooms = rooms.iter().map(|room| RoomName::new(room).unwrap()).collect();
        Group { group: GroupId([n; 32]), name: name.map(str::to_owned), members, rooms }
    }

    fn view() -> View {
        let people = vec![person(1, "alice", false), person(2, "Bob", true), person(3, "bob", false)];
        let groups =
            vec![group(1, Some("Tea & Cake"), &["main", "cups"]), group(2, Some("tea cake"), &[]), group(3, None, &[])];
        View::new(Scene { me: PersonId([1; 32]), people, groups })
    }

    #[test]
    fn rooms_are_channels_and_groups_of_one_name_are_told_apart() {
        let view = view();
        let names: BTreeSet<_> = view.channels().map(|channel| channel.name.clone()).collect();
        let tails = [1, 2].map(|n| GroupId([n; 32]).to_string()[..4].to_owned());
        let expected = [
            format!("#Tea-Cake-{}", tails[0]),
            format!("#Tea-Cake-{}/cups", tails[0]),
            format!("#tea-cake-{}", tails[1]),
            "#group".to_owned(),
        ];
        assert_eq!(names, BTreeSet::from(expected.clone()));
        let main = view.by_channel(&expected[0].to_uppercase()).unwrap();
        assert_eq!(main.topic, "Tea & Cake");
        assert_eq!(view.by_channel(&format!("{}/main", expected[0])), Some(main));
        assert_eq!(view.by_channel("#tea"), None);
    }

    #[test]
    fn people_are_nicks_who_belong_to_one_person() {
        let view = view();
        assert_eq!(view.by_nick("BOB").map(|person| person.person), Some(PersonId([2; 32])));
        assert_eq!(view.nick(PersonId([3; 32])), format!("bob-{}", &PersonId([3; 32]).to_string()[..4]));
        let source = view.source(PersonId([1; 32]));
        assert_eq!(source, format!("alice!person@{}", &PersonId([1; 32]).to_string()[..16]));
        assert!(view.is_here(view.me()) && view.is_here(PersonId([2; 32])) && !view.is_here(PersonId([3; 32])));
        assert!(view.nick(PersonId([9; 32])).starts_with('_'));
    }
}
