//! Names of contacts and groups where the settings want ids; and whom the user blocks, which stands in one place: persons in
//! the book, which all nodes of the user share, and the rest in the settings of this node.

use std::collections::BTreeMap;

use base::{GroupId, PersonId};
use net::Target;
use rpc::{GateChange, GateInfo};

use super::AppState;
use super::problem::ApiError;
use crate::groups::GroupError;
use crate::people::People;

/// Returns the entry of a list that is meant: an address, a range, an id, or the name of a contact or group.
pub(super) fn target(state: &AppState, text: &str) -> Result<Target, ApiError> {
    if let Ok(target) = text.parse() {
        return Ok(target);
    }
    match text.split_once(':') {
        Some(("person", name)) => return person(state, name).map(Target::Person),
        Some(("group", name)) => return group(state, name).map(Target::Group),
        _ => {}
    }
    match (find_person(state, text)?, group(state, text)) {
        (Some(_), Ok(_)) => {
            Err(ApiError::conflict(format!("{text:?} is a contact and a group: write person:{text} or group:{text}")))
        }
        (Some(person), Err(_)) => Ok(Target::Person(person)),
        (None, Ok(group)) => Ok(Target::Group(group)),
        (None, Err(_)) => Err(ApiError::bad_request(format!(
            "{:?} is neither an address, a range such as 192.0.2.0/24, node:ID, person:ID or group:ID, nor a contact or group \
             of yours",
            text.chars().take(80).collect::<String>()
        ))),
    }
}

/// Returns the person that is meant, by its id or as a contact.
pub(super) fn person(state: &AppState, text: &str) -> Result<PersonId, ApiError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let nobody = || {
        format!(
            "{text:?} is neither the id of a person nor a contact: `compeer contact list` and GET /api/v1/contacts \
             show yours"
        )
    };
    find_person(state, text)?.ok_or_else(|| ApiError::bad_request(nobody()))
}

/// Returns the group that is meant, by its id or name.
pub(super) fn group(state: &AppState, text: &str) -> Result<GroupId, ApiError> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let groups = state.groups().ok_or(GroupError::Unknown)?;
    groups.find(text).map_err(ApiError::not_found)
}

fn find_person(state: &AppState, text: &str) -> Result<Option<PersonId>, ApiError> {
    let Some(people) = state.people() else { return Ok(None) };
    let book = people.book();
    match book.find(text) {
        Ok(person) => Ok(Some(person)),
        Err(several) if several.is_empty() => Ok(None),
        Err(several) => Err(super::people::ambiguous(text, &several)),
    }
}

/// Puts ids in place of names, and carries out in the book what the change says of persons.
pub(super) async fn change_gate(state: &AppState, mut change: GateChange) -> Result<(), ApiError> {
    for text in change.groups.iter_mut().flatten() {
        *text = group(state, text)?.to_string();
    }
    let lists = [&mut change.allow.add, &mut change.allow.remove, &mut change.block.add, &mut change.block.remove];
    for text in lists.into_iter().flatten() {
        *text = target(state, text)?.to_string();
    }
    stands(state, &change)?;
    let persons = |texts: &[String]| -> Vec<PersonId> {
        let person = |text: &String| match text.parse() {
            Ok(Target::Person(person)) => Some(person),
            _ => None,
        };
        texts.iter().filter_map(person).collect()
    };
    if let Some(people) = state.people().filter(|people| people.book().own().is_some()) {
        let blocked = persons(&change.block.add);
        let freed = [persons(&change.block.remove), persons(&change.allow.add)].concat();
        for person in &blocked {
            let entry = Target::Person(*person).to_string();
            change.block.add.retain(|text| *text != entry);
            change.allow.remove.push(entry);
        }
        block(people, &blocked, true).await?;
        block(people, &freed, false).await?;
    }
    state.controls().change_gate(change).await?;
    Ok(())
}

/// Refuses to take away what is not there: most likely it is a mistake in writing.
fn stands(state: &AppState, change: &GateChange) -> Result<(), ApiError> {
    let shown = state.controls().shown();
    let meet = &shown.config.meet;
    let same =
        |a: &str, b: &str| a == b || a.parse::<Target>().is_ok_and(|a| b.parse::<Target>().is_ok_and(|b| a == b));
    let is_listed = |list: &[String], text: &str| list.iter().any(|entry| same(entry, text));
    let is_blocked = |text: &str| match (text.parse(), state.people()) {
        (Ok(Target::Person(person)), Some(people)) => people.book().contact(&person).is_some_and(|it| it.blocked),
        _ => false,
    };
    let missing = |text: &str, list: &str, command: &str| {
        ApiError::not_found(format!("{text} is not {list}: `compeer {command}` and GET /api/v1/gate show what is"))
    };
    if let Some(text) = change.allow.remove.iter().find(|text| !is_listed(&meet.allow, text)) {
        return Err(missing(text, "on the list of those who are met in any case", "allow"));
    }
    if let Some(text) = change.block.remove.iter().find(|text| !is_listed(&meet.block, text) && !is_blocked(text)) {
        return Err(missing(text, "blocked", "block"));
    }
    let has_list = |text: &String| meet.lists.iter().any(|path| path.as_os_str() == text.as_str());
    match change.lists.remove.iter().find(|text| !has_list(text)) {
        Some(text) => Err(missing(text, "a list that is used", "block")),
        None => Ok(()),
    }
}

/// Blocks persons, or admits them again.
async fn block(people: &People, persons: &[PersonId], blocked: bool) -> Result<(), ApiError> {
    let changes: Vec<PersonId> = {
        let book = people.book();
        let stands = |person: &PersonId| book.contact(person).is_some_and(|contact| contact.blocked);
        persons.iter().copied().filter(|person| stands(person) != blocked).collect()
    };
    for person in changes {
        let done = people.update(|book, now| book.block(person, blocked, now)).await;
        done.map_err(|error| ApiError::local(error.to_string()))??;
        people.has_news();
    }
    Ok(())
}

/// Takes a person that was blocked or admitted again out of the settings' lists, where they say otherwise.
pub(super) async fn agree(state: &AppState, person: PersonId, blocked: bool) -> Result<(), ApiError> {
    let shown = state.controls().shown();
    let meet = &shown.config.meet;
    let names = |text: &&String| text.parse() == Ok(Target::Person(person));
    let list = if blocked { &meet.allow } else { &meet.block };
    let remove: Vec<String> = list.iter().filter(names).cloned().collect();
    if remove.is_empty() {
        return Ok(());
    }
    let mut change = GateChange::default();
    if blocked { &mut change.allow } else { &mut change.block }.remove = remove;
    state.controls().change_gate(change).await?;
    Ok(())
}

/// Returns what a person is called here; `None` where there is no book.
pub(super) fn called(state: &AppState, person: PersonId) -> Option<String> {
    Some(state.people()?.book().name_of(&person))
}

/// Adds whom the book blocks, and what persons and groups are called here.
pub(super) fn complete(state: &AppState, info: &mut GateInfo) {
    let Some(people) = state.people() else { return };
    let book = people.book();
    for contact in book.contacts().filter(|contact| contact.blocked) {
        let entry = Target::Person(contact.person).to_string();
        if !info.block.contains(&entry) {
            info.block.push(entry);
        }
    }
    drop(book);
    let mut names = names(state, info.allow.iter().chain(&info.block));
    for text in &info.groups {
        let group = text.strip_prefix("group:").unwrap_or(text).parse().ok();
        names.extend(group.and_then(|group| group_name(state, group)).map(|name| (text.clone(), name)));
    }
    info.names = names;
}

/// Returns what the persons and groups of a list are called here, by their entries.
pub(super) fn names<'a>(state: &AppState, entries: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
    let name = |text: &String| match text.parse() {
        Ok(Target::Person(person)) => called(state, person),
        Ok(Target::Group(group)) => group_name(state, group),
        _ => None,
    };
    entries.filter_map(|text| Some((text.clone(), name(text)?))).collect()
}

fn group_name(state: &AppState, group: GroupId) -> Option<String> {
    state.groups()?.view(group)?.name.map(|name| name.to_string())
}
