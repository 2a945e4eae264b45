//! What people do to a group, and what those do who were expelled from it.

use std::time::Duration;

use people::proto::group::change::link_key;
use people::proto::group::{Action, Change, ChangeId, Command, Identity, Input, Invitee, Message, Role};
use people::proto::{Name, PersonKey};

use super::network::{Happens, RosterSim};

/// When something that was not possible is tried again.
const LATER: Duration = Duration::from_secs(1800);

/// Somebody who is awake does something.
pub(super) fn act(sim: &mut RosterSim) {
    match sim.rng.u8(..25) {
        0..=7 => {
            if let Some(by) = sim.any(|sim, node| sim.awake_member(node)) {
                sim.newcomer(by);
            }
        }
        8..=12 => expel_somebody(sim),
        13..=15 => sim.promote_somebody(),
        16 => {
            let Some((by, whom)) = sim.admin_and_other() else { return };
            let person = sim.nodes[whom].person;
            if sim.command(by, Command::Role(person, Role::Member)) {
                sim.touched.insert(person);
            }
        }
        17 => {
            let Some((by, _)) = sim.admin_and_other() else { return };
            let name = Name::new(&format!("The group {}", sim.rng.u32(..1000))).expect("a good name");
            sim.command(by, Command::Rename(name));
        }
        18 => {
            if let Some(who) = sim.any(|sim, node| node != 0 && sim.awake_member(node))
                && sim.command(who, Command::Leave)
            {
                let person = sim.nodes[who].person;
                sim.touched.insert(person);
            }
        }
        19 => {
            if let Some(by) = sim.any(|sim, node| sim.awake_member(node)) {
                sim.command(by, Command::NewEpoch);
            }
        }
        20..=22 => {
            let uses = sim.rng.u16(1..=3);
            if let Some(by) = sim.any(|sim, node| sim.awake_admin(node)) {
                sim.invite(by, uses);
            }
        }
        _ => take_back_somebody(sim),
    }
}

/// An admin invites somebody by name who was expelled, and lets them in.
fn take_back_somebody(sim: &mut RosterSim) {
    let Some(by) = sim.any(|sim, node| sim.awake_admin(node)) else { return };
    let is_out = |sim: &RosterSim, node: usize| {
        let person = &sim.nodes[node].person;
        sim.nodes[node].awake && sim.nodes[by].replica.roster().is_some_and(|roster| roster.expelled.contains(person))
    };
    let Some(whom) = sim.any(is_out) else { return };
    let (now, person) = (sim.now(), sim.nodes[whom].person);
    let invite = Command::Invite { to: Invitee::Person(person), uses: 1, role: Role::Member };
    let Ok(invitation) = sim.nodes[by].replica.command(now, invite) else { return };
    sim.drain(by);
    let me = Identity::new(sim.nodes[whom].key.clone());
    let request = me.request(sim.group, Some((invitation, None)), now).expect("the key is there");
    if sim.command(by, Command::Admit(Box::new(request))) {
        sim.touched.insert(person);
        sim.back += 1;
        sim.connect(whom, by);
    }
}

fn expel_somebody(sim: &mut RosterSim) {
    let Some((by, whom)) = sim.admin_and_other() else { return };
    // The group does not get lonely.
    let few = sim.nodes[by].replica.roster().is_none_or(|roster| roster.members.len() < sim.scenario.members / 2);
    let person = sim.nodes[whom].person;
    if !few && sim.command(by, Command::Expel(person)) {
        sim.touched.insert(person);
    }
}

/// Two admins who are not connected expel one another.
pub(super) fn duel(sim: &mut RosterSim, tries: u8) {
    let admins: Vec<usize> = (0..sim.nodes.len()).filter(|node| sim.awake_admin(*node)).collect();
    let mut pairs = Vec::new();
    for one in &admins {
        for other in &admins {
            let (a, b) = (&sim.nodes[*one], &sim.nodes[*other]);
            if one < other && a.replica.has(&b.person) && b.replica.has(&a.person) {
                pairs.push((*one, *other));
            }
        }
    }
    let Some((one, other)) = sim.rng.choice(pairs) else {
        if tries > 0 {
            sim.queue.add(sim.clock + LATER, Happens::Duel { tries: tries - 1 });
        }
        return;
    };
    let people = [sim.nodes[one].person, sim.nodes[other].person];
    sim.touched.extend(people);
    // In the same instant: neither can know.
    sim.command(one, Command::Expel(people[1]));
    sim.command(other, Command::Expel(people[0]));
}

/// Somebody whom nearly everybody knows to be expelled writes what would have been allowed before, in many ways, and
/// a member who does not know better passes it on.
pub(super) fn treason(sim: &mut RosterSim, tries: u8) {
    let members: Vec<usize> = (0..sim.nodes.len()).filter(|node| sim.nodes[*node].replica.is_member()).collect();
    let is_out = |traitor: usize| {
        let person = sim.nodes[traitor].person;
        let out = |node: &&usize| {
            let roster = sim.nodes[**node].replica.roster();
            roster.is_some_and(|roster| roster.expelled.contains(&person))
        };
        members.iter().filter(out).count() * 10 >= members.len() * 8
    };
    let traitors: Vec<usize> = (0..sim.nodes.len()).filter(|node| is_out(*node)).collect();
    let Some(traitor) = sim.rng.choice(traitors) else {
        if tries > 0 {
            sim.queue.add(sim.clock + LATER, Happens::Treason { tries: tries - 1 });
        }
        return;
    };
    let person = sim.nodes[traitor].person;
    // Someone who knows of the expulsion takes it from a stream, as if another member had it.
    let accomplice = sim.any(|sim, node| {
        let knows = sim.nodes[node].replica.roster().is_some_and(|roster| roster.expelled.contains(&person));
        knows && sim.awake_member(node) && sim.streams_of(node).next().is_some()
    });
    let Some(to) = accomplice else { return };
    let written = betray(sim, traitor, to);
    sim.note(traitor, format_args!("writes {} back-dated changes", written.len()));
    let session = sim.streams_of(to).next().map(|(session, _)| session);
    let changes = written.iter().map(|(_, bytes)| bytes.as_slice().into()).collect();
    if let Some(session) = session {
        sim.back_dated.extend(written.iter().map(|(id, _)| (*id, person)));
        sim.handle(to, Input::Received { session, message: Message::Changes(changes) });
    }
}

/// Writes, from a point of the past at which the traitor was in: a friend comes in and becomes an admin, everybody
/// else goes out, the friend helps.
fn betray(sim: &mut RosterSim, traitor: usize, to: usize) -> Vec<(ChangeId, Vec<u8>)> {
    let key = sim.nodes[traitor].key.clone();
    let friend = PersonKey::from_secret(&[sim.rng.u8(200..), 7].repeat(16).try_into().expect("32 bytes"));
    let (now, group) = (sim.now(), sim.group);
    let log = sim.nodes[to].replica.log();
    // Her last own change, or anything that she was there for: what she hides is not hidden from those who saw it.
    let own = log.by(&key.id());
    let expels =
        |place: &usize| matches!(&log.at(*place).change.action, Action::Remove { person } if *person == key.id());
    let expulsion = (0..log.len()).rfind(expels).expect("she was expelled");
    let past: Vec<usize> = log.at(expulsion).past.iter().collect();
    let from = match own.last() {
        Some(last) if sim.rng.bool() => *last,
        _ => past[sim.rng.usize(..past.len())],
    };
    let mut line = log.at(from).id;
    let people: Vec<_> =
        sim.nodes[to].replica.roster().map(|roster| roster.members.keys().copied().collect()).unwrap_or_default();
    let mut written = Vec::new();
    let mut write = |key: &PersonKey, action: Action| {
        let change = Change { group, author: key.id(), predecessors: vec![line], wall: now.wall, action };
        let (id, bytes) = change.sign(key);
        line = id;
        written.push((id, bytes));
    };
    let request = Identity::new(friend.clone()).request(group, None, now).expect("the key is there");
    write(&key, Action::Admit { request });
    write(&key, Action::Role { person: friend.id(), role: Role::Admin });
    for (n, person) in people.into_iter().enumerate() {
        write(if n % 2 == 0 { &key } else { &friend }, Action::Remove { person });
    }
    write(&friend, Action::Seen);
    written
}

impl RosterSim {
    /// Chooses a node of which something holds.
    fn any(&mut self, holds: impl Fn(&RosterSim, usize) -> bool) -> Option<usize> {
        let fit: Vec<usize> = (0..self.nodes.len()).filter(|node| holds(self, *node)).collect();
        self.rng.choice(fit)
    }

    fn awake_member(&self, node: usize) -> bool {
        self.nodes[node].awake && self.nodes[node].replica.is_member()
    }

    fn awake_admin(&self, node: usize) -> bool {
        let here = &self.nodes[node];
        here.awake && here.replica.roster().is_some_and(|roster| roster.is_admin(&here.person))
    }

    /// Chooses an admin and somebody else whom the admin takes for a member.
    fn admin_and_other(&mut self) -> Option<(usize, usize)> {
        let by = self.any(|sim, node| sim.awake_admin(node))?;
        let other = self.any(|sim, node| node != by && sim.nodes[by].replica.has(&sim.nodes[node].person))?;
        Some((by, other))
    }

    pub(super) fn promote_somebody(&mut self) {
        let Some((by, whom)) = self.admin_and_other() else { return };
        let person = self.nodes[whom].person;
        self.command(by, Command::Role(person, Role::Admin));
    }

    /// Writes an invitation for whoever has its link; 0 uses: any number.
    pub(super) fn invite(&mut self, by: usize, uses: u16) {
        let mut secret = [3; 32];
        secret[..8].copy_from_slice(&self.rng.u64(..).to_le_bytes());
        let now = self.now();
        let invite = Command::Invite { to: Invitee::Link(link_key(&secret)), uses, role: Role::Member };
        if let Ok(invitation) = self.nodes[by].replica.command(now, invite) {
            self.note(by, format_args!("invites {uses}"));
            self.links.push((invitation, secret));
        }
        self.drain(by);
    }

    fn command(&mut self, node: usize, command: Command) -> bool {
        let now = self.now();
        let text = format!("{command:?}");
        let done = self.nodes[node].replica.command(now, command).is_ok();
        self.note(node, format_args!("{text}: {done}"));
        self.drain(node);
        done
    }
}
