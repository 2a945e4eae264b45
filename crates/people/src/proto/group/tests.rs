//! Stories of groups: what is written, by whom, knowing what, and who belongs in the end, in every order of arrival.

mod copies;
mod disputes;
mod hostile;
mod outsiders;
mod own_nodes;

use std::sync::Arc;

use base::{GroupId, Now, PersonId, WallTime};

use super::change::{Action, Change, ChangeError, ChangeId, Invitee, JoinRequest, Kind, Role, link_key};
use super::keys::SealingKey;
use super::log::{Insert, Log};
use super::roster::Roster;
use crate::proto::nodes::PersonKey;

pub(super) const ALICE: u8 = 1;
pub(super) const BOB: u8 = 2;
pub(super) const CAROL: u8 = 3;
pub(super) const DAVE: u8 = 4;
pub(super) const ERIN: u8 = 5;
pub(super) const MALLORY: u8 = 13;

pub(super) fn key(who: u8) -> PersonKey {
    PersonKey::from_secret(&[who; 32])
}

pub(super) fn id(who: u8) -> PersonId {
    key(who).id()
}

pub(super) fn at(seconds: u64) -> Now {
    Now { mono: base::Instant::START + std::time::Duration::from_secs(seconds), wall: WallTime(1_000_000 + seconds) }
}

/// Everything that anybody wrote.
pub(super) struct World {
    pub group: GroupId,
    pub first: ChangeId,
    written: Vec<Arc<[u8]>>,
    log: Log,
    clock: u64,
}

impl World {
    /// Alice begins a group.
    pub fn new(kind: Kind) -> World {
        let alice = key(ALICE);
        let (group, bytes) =
            Change::create(&alice, kind, [0; 16], SealingKey::derive(&alice).public(), WallTime(1_000_000));
        let mut log = Log::new(group);
        assert_eq!(log.insert(&bytes), Insert::New(0));
        World { group, first: ChangeId(group.0), written: vec![bytes.into()], log, clock: 0 }
    }

    /// Alice begins a group and lets others in, some as admins; returns the last change too.
    pub fn with(admins: &[u8], members: &[u8]) -> (World, ChangeId) {
        let mut world = World::new(Kind::Open);
        let mut last = world.first;
        for who in admins.iter().chain(members) {
            last = world.admit(ALICE, &[last], *who);
        }
        for who in admins {
            last = world.write(ALICE, &[last], Action::Role { person: id(*who), role: Role::Admin });
        }
        (world, last)
    }

    /// Somebody writes a change, knowing some others.
    pub fn write(&mut self, who: u8, knowing: &[ChangeId], action: Action) -> ChangeId {
        self.try_write(who, knowing, action).unwrap()
    }

    /// The same; `None` if it is refused because nobody ever let the author in.
    pub fn try_write(&mut self, who: u8, knowing: &[ChangeId], action: Action) -> Option<ChangeId> {
        self.clock += 1;
        let mut predecessors = knowing.to_vec();
        predecessors.sort();
        let change =
            Change { group: self.group, author: id(who), predecessors, wall: WallTime(1_000_000 + self.clock), action };
        let (id, bytes) = change.sign(&key(who));
        match self.log.insert(&bytes) {
            Insert::New(_) => self.written.push(bytes.into()),
            Insert::Refused(ChangeError::Stranger) => return None,
            other => panic!("{other:?}"),
        }
        Some(id)
    }

    pub fn admit(&mut self, by: u8, knowing: &[ChangeId], who: u8) -> ChangeId {
        let request = self.request(who, None);
        self.write(by, knowing, Action::Admit { request })
    }

    pub fn request(&self, who: u8, invitation: Option<(ChangeId, Option<[u8; 32]>)>) -> JoinRequest {
        let key = key(who);
        let wall = WallTime(1_000_000 + self.clock);
        JoinRequest::sign(self.group, &key, SealingKey::derive(&key).public(), invitation, wall)
    }

    pub fn expel(&mut self, by: u8, knowing: &[ChangeId], who: u8) -> ChangeId {
        self.write(by, knowing, Action::Remove { person: id(who) })
    }

    pub fn seen(&mut self, by: u8, knowing: &[ChangeId]) -> ChangeId {
        self.write(by, knowing, Action::Seen)
    }

    pub fn promote(&mut self, by: u8, knowing: &[ChangeId], who: u8) -> ChangeId {
        self.write(by, knowing, Action::Role { person: id(who), role: Role::Admin })
    }

    pub fn bytes(&self) -> &[Arc<[u8]>] {
        &self.written
    }

    /// Who belongs; the same in whatever order the changes come.
    pub fn roster(&self) -> Roster {
        let roster = Roster::of(&self.log).unwrap();
        for seed in 0..8 {
            assert_eq!(Roster::of(&shuffled(self.group, &self.written, seed)).as_ref(), Some(&roster), "order {seed}");
        }
        roster
    }

    pub fn members(&self) -> Vec<u8> {
        let roster = self.roster();
        (1..=50).filter(|who| roster.has(&id(*who))).collect()
    }

    pub fn admins(&self) -> Vec<u8> {
        let roster = self.roster();
        (1..=50).filter(|who| roster.is_admin(&id(*who))).collect()
    }

    pub fn counts(&self, change: ChangeId) -> bool {
        self.roster().counted.contains(&change)
    }
}

/// A log of the same changes that came in another order.
pub(super) fn shuffled(group: GroupId, written: &[Arc<[u8]>], seed: u64) -> Log {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut left: Vec<&Arc<[u8]>> = written.iter().collect();
    rng.shuffle(&mut left);
    let mut log = Log::new(group);
    while !left.is_empty() {
        let before = left.len();
        left.retain(|bytes| matches!(log.insert(bytes), Insert::Missing(_)));
        assert!(left.len() < before, "every change comes with what it names");
    }
    log
}

#[test]
fn an_open_group_lets_in_whoever_asks_a_member() {
    let mut world = World::new(Kind::Open);
    let bob = world.admit(ALICE, &[world.first], BOB);
    world.admit(BOB, &[bob], CAROL);
    assert_eq!((world.members(), world.admins()), (vec![ALICE, BOB, CAROL], vec![ALICE]));
}

#[test]
fn a_closed_group_lets_in_who_was_invited_and_as_often_as_it_says() {
    let mut world = World::new(Kind::ByInvitation);
    let secret = [77; 32];
    let to = Invitee::Link(link_key(&secret));
    let invite = world.write(ALICE, &[world.first], Action::Invite { to, uses: 1, role: Role::Member });
    assert_eq!(world.roster().invitations[&invite].left, Some(1));
    world.admit(ALICE, &[invite], DAVE);
    let request = world.request(ERIN, Some((invite, Some([78; 32]))));
    world.write(ALICE, &[invite], Action::Admit { request });
    assert_eq!(world.members(), [ALICE], "without an invitation, or with a guessed secret");
    let request = world.request(BOB, Some((invite, Some(secret))));
    let bob = world.write(ALICE, &[invite], Action::Admit { request });
    assert_eq!(world.members(), [ALICE, BOB]);
    assert!(world.roster().invitations.is_empty());
    let request = world.request(CAROL, Some((invite, Some(secret))));
    world.write(BOB, &[bob], Action::Admit { request });
    assert_eq!(world.members(), [ALICE, BOB], "once is once");
}

#[test]
fn of_two_who_use_one_link_at_once_everybody_chooses_the_same() {
    let mut world = World::new(Kind::Private);
    let secret = [77; 32];
    let to = Invitee::Link(link_key(&secret));
    let invite = world.write(ALICE, &[world.first], Action::Invite { to, uses: 1, role: Role::Member });
    for who in [BOB, CAROL] {
        let request = world.request(who, Some((invite, Some(secret))));
        world.write(ALICE, &[invite], Action::Admit { request });
    }
    assert_eq!(world.members().len(), 2);
}

#[test]
fn who_is_no_admin_neither_invites_nor_expels_nor_promotes() {
    let (mut world, last) = World::with(&[], &[BOB, CAROL]);
    let to = Invitee::Person(id(DAVE));
    world.write(BOB, &[last], Action::Invite { to, uses: 1, role: Role::Admin });
    world.expel(BOB, &[last], CAROL);
    world.promote(BOB, &[last], BOB);
    assert_eq!(world.try_write(DAVE, &[last], Action::Seen), None, "nobody let Dave in");
    assert_eq!((world.members(), world.admins()), (vec![ALICE, BOB, CAROL], vec![ALICE]));
    assert_eq!(world.roster().counted.len(), 3);
}

#[test]
fn an_expelled_member_returns_by_a_new_invitation_in_person_only() {
    let (mut world, last) = World::with(&[], &[BOB, MALLORY]);
    let out = world.expel(ALICE, &[last], MALLORY);
    assert_eq!(world.roster().expelled, [id(MALLORY)].into());
    let again = world.admit(BOB, &[out], MALLORY);
    assert_eq!(world.members(), [ALICE, BOB], "an open group is not open to whom it expelled");
    let secret = [7; 32];
    let to = Invitee::Link(link_key(&secret));
    let link = world.write(ALICE, &[again], Action::Invite { to, uses: 0, role: Role::Member });
    let request = world.request(MALLORY, Some((link, Some(secret))));
    let again = world.write(BOB, &[link], Action::Admit { request });
    assert_eq!(world.members(), [ALICE, BOB], "nor by a link");
    let to = Invitee::Person(id(MALLORY));
    let invite = world.write(ALICE, &[again], Action::Invite { to, uses: 1, role: Role::Member });
    let request = world.request(MALLORY, Some((invite, None)));
    world.write(BOB, &[invite], Action::Admit { request });
    assert_eq!(world.members(), [ALICE, BOB, MALLORY]);
    assert!(world.roster().expelled.is_empty());
}

#[test]
fn who_left_comes_back_by_a_request_from_after_that_only() {
    let (mut world, last) = World::with(&[], &[BOB, CAROL]);
    let old = world.request(CAROL, None);
    let gone = world.expel(CAROL, &[last], CAROL);
    let replayed = world.write(BOB, &[gone], Action::Admit { request: old });
    assert_eq!(world.members(), [ALICE, BOB]);
    world.admit(BOB, &[replayed], CAROL);
    assert_eq!(world.members(), [ALICE, BOB, CAROL]);
}

#[test]
fn a_group_without_admins_has_the_one_who_has_been_there_longest() {
    let (mut world, last) = World::with(&[], &[BOB, CAROL, DAVE]);
    let gone = world.expel(ALICE, &[last], ALICE);
    assert_eq!((world.members(), world.admins()), (vec![BOB, CAROL, DAVE], vec![BOB]));
    let out = world.expel(BOB, &[gone], DAVE);
    let gone = world.expel(BOB, &[out], BOB);
    assert_eq!((world.members(), world.admins()), (vec![CAROL], vec![CAROL]));
    world.expel(CAROL, &[gone], CAROL);
    assert_eq!(world.members(), [0; 0]);
}

#[test]
fn other_admins_go_on_without_the_creator() {
    let (mut world, last) = World::with(&[BOB], &[CAROL]);
    let invited = world.admit(BOB, &[last], DAVE);
    world.expel(BOB, &[invited], ALICE);
    assert_eq!((world.members(), world.admins()), (vec![BOB, CAROL, DAVE], vec![BOB]));
}
