//! What conversations are called: a person's name, `GROUP`, `GROUP/ROOM`.
//!
//! Every conversation has an id of the same form that outlives names: `person:ID`, `group:ID/ROOM`.

use base::{GroupId, PersonId};
use chat::Circle;
use chat::proto::{Conversation, RoomName};

use super::handle::ChatFailure;

/// What a name begins with that can only be a person's.
const PERSON: &str = "person:";

/// What a name begins with that can only be a group's.
const GROUP: &str = "group:";

/// Where the link of a stranger is.
const LINK: &str = "by their link, which `compeer id show` and the page show there";

/// Finds a conversation; see [`super::ChatHandle::find`].
pub(super) fn find(circle: &dyn Circle, me: PersonId, name: &str) -> Result<Conversation, ChatFailure> {
    if let Some(name) = name.strip_prefix(PERSON) {
        // Also somebody who is not known any more: what was said is here.
        let person = name.parse().map_or_else(|_| person(circle, name), Ok)?;
        return Ok(Conversation::between(me, person));
    }
    if let Some(name) = name.strip_prefix(GROUP) {
        return room(name, |name| name.parse().map_or_else(|_| group(circle, name), Ok));
    }
    match (person(circle, name), room(name, |name| group(circle, name))) {
        (Ok(_), Ok(_)) => Err(ChatFailure::Input(format!(
            "{name:?} is somebody you know and a group: write {PERSON}{name} or {GROUP}{name}"
        ))),
        (Ok(person), Err(_)) => Ok(Conversation::between(me, person)),
        (Err(_), Ok(room)) => Ok(room),
        (Err(_), Err(other)) if name.contains('/') => Err(other),
        (Err(ChatFailure::NotFound(error)), Err(_)) if name.parse::<PersonId>().is_err() => {
            Err(ChatFailure::NotFound(format!("{error}; nor is a group called so")))
        }
        (Err(error), Err(_)) => Err(error),
    }
}

/// Returns what the user calls a conversation; its id where that would mean another one, or nobody.
pub(super) fn name(circle: &dyn Circle, me: PersonId, of: &Conversation) -> String {
    let called = match of {
        Conversation::Direct(..) => of.partner(me).and_then(|person| circle.person_name(person)),
        Conversation::Room(group, room) => circle.group_name(*group).map(|group| match room.as_str() {
            RoomName::MAIN => group,
            room => format!("{group}/{room}"),
        }),
    };
    match called {
        Some(called) if find(circle, me, &called).is_ok_and(|found| found == *of) => called,
        _ => id(me, of),
    }
}

/// Returns what a conversation is called whatever names change.
pub(super) fn id(me: PersonId, of: &Conversation) -> String {
    match of {
        Conversation::Direct(one, _) => format!("{PERSON}{}", of.partner(me).unwrap_or(*one)),
        Conversation::Room(group, room) => format!("{GROUP}{group}/{room}"),
    }
}

fn person(circle: &dyn Circle, name: &str) -> Result<PersonId, ChatFailure> {
    let unknown = |error| match name.parse::<PersonId>() {
        Ok(_) => format!("nobody of this id is known here: begin the conversation {LINK}"),
        Err(_) => error,
    };
    circle.person(name).map_err(|error| ChatFailure::NotFound(unknown(error)))
}

fn group(circle: &dyn Circle, name: &str) -> Result<GroupId, ChatFailure> {
    circle.group(name).map_err(ChatFailure::NotFound)
}

fn room(name: &str, group: impl Fn(&str) -> Result<GroupId, ChatFailure>) -> Result<Conversation, ChatFailure> {
    // The name of a group may have a `/`.
    if let Ok(group) = group(name) {
        return Ok(Conversation::Room(group, RoomName::main()));
    }
    let (of, room) = name.rsplit_once('/').unwrap_or((name, RoomName::MAIN));
    let group = group(of)?;
    let room = RoomName::new(room).map_err(|error| ChatFailure::Input(error.to_string()))?;
    Ok(Conversation::Room(group, room))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use base::NodeId;
    use chat::proto::Known;

    use super::*;

    const ME: PersonId = PersonId([1; 32]);
    const ALICE: PersonId = PersonId([2; 32]);
    const TEA: GroupId = GroupId([3; 32]);

    /// Knows Alice, and the groups Tea and Alice.
    #[derive(Debug)]
    struct Village;

    impl Circle for Village {
        fn own_node(&self) -> NodeId {
            NodeId([9; 32])
        }

        fn own_person(&self) -> Option<PersonId> {
            Some(ME)
        }

        fn person(&self, name: &str) -> Result<PersonId, String> {
            match name {
                "Alice" | "Ann" => Ok(ALICE),
                _ => Err(format!("nobody is called {name}")),
            }
        }

        fn group(&self, name: &str) -> Result<GroupId, String> {
            match name {
                "Tea" | "Ann" => Ok(TEA),
                _ => Err(format!("no group is called {name}")),
            }
        }

        fn person_name(&self, person: PersonId) -> Option<String> {
            (person == ALICE).then(|| "Alice".to_owned())
        }

        fn group_name(&self, group: GroupId) -> Option<String> {
            (group == TEA).then(|| "Tea".to_owned())
        }

        fn known(&self) -> Known {
            Known::default()
        }

        fn person_of(&self, _: NodeId) -> Option<PersonId> {
            None
        }

        fn nodes_of(&self, _: PersonId) -> Vec<NodeId> {
            Vec::new()
        }

        fn node(&self, _: PersonId, _: &str) -> Option<NodeId> {
            None
        }

        fn hints(&self, _: NodeId) -> Vec<String> {
            Vec::new()
        }

        fn learn_hints(&self, _: NodeId, _: &[String]) {}

        fn own_list(&self) -> Option<Vec<u8>> {
            None
        }

        fn admit<'a>(&'a self, _: NodeId, _: &'a [u8]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
            Box::pin(async { false })
        }

        fn speak_with<'a>(&'a self, _: &'a [PersonId]) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
            Box::pin(async {})
        }
    }

    fn found(text: &str) -> Result<Conversation, String> {
        find(&Village, ME, text).map_err(|error| error.to_string())
    }

    fn tea(room: &str) -> Conversation {
        Conversation::Room(TEA, RoomName::new(room).unwrap())
    }

    #[test]
    fn people_groups_and_rooms_are_found_by_name() {
        let alice = Conversation::between(ME, ALICE);
        assert_eq!(found("Alice"), Ok(alice.clone()));
        assert_eq!(found("Tea"), Ok(tea("main")));
        assert_eq!(found("Tea/Black"), Ok(tea("black")));
        assert_eq!((found("person:Ann"), found("group:Ann/x")), (Ok(alice), Ok(tea("x"))));
        assert!(found("Ann").unwrap_err().contains("person:Ann or group:Ann"));
        assert!(found("Nobody").unwrap_err().starts_with("nobody is called Nobody; nor is a group"));
        assert_eq!(found("No/such"), Err("no group is called No".to_owned()));
        assert!(found("Tea/a b").unwrap_err().contains("no name of a room"));
    }

    #[test]
    fn whatever_a_conversation_is_called_finds_it() {
        let stranger = Conversation::between(ME, PersonId([7; 32]));
        let left = Conversation::Room(GroupId([8; 32]), RoomName::main());
        for conversation in [Conversation::between(ME, ALICE), tea("main"), tea("black"), stranger, left] {
            assert_eq!(found(&name(&Village, ME, &conversation)), Ok(conversation.clone()));
            assert_eq!(found(&id(ME, &conversation)), Ok(conversation));
        }
        assert_eq!(name(&Village, ME, &tea("main")), "Tea");
    }
}
