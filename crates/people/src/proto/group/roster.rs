//! Who belongs to a group: a function of the set of its changes.
//!
//! A change counts if its author had the right to make it, as far as the author could know: judged by what counts of the
//! change's own past. On top of that:
//!
//! * An expulsion takes back what the expelled wrote without the expulsion's author knowing it; [`Judge::voids`].
//! * Somebody is a member by an admission that knew every expulsion of them, and an admin by a grant that knew every
//!   demotion: between two that did not know one another, taking away wins.
//! * Expulsions and demotions against one another are decided in [`super::contest`].
//! * Where no admin is left, the member who has been there longest acts as one.
//!
//! Where one of two has to be chosen without any such reason (two renames, the last use of a link), [`Log::order`] does.

use std::collections::{BTreeMap, BTreeSet};

use base::{PersonId, WallTime};

use super::change::{Action, Change, ChangeId, Invitee, Kind, MAX_MEMBERS, Role};
use super::contest;
use super::keys::SealingPublic;
use super::log::{Log, Places};

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the member may do. Somebody who acts as admin because there is none is an admin here.
    pub role: Role,
    /// Where the member's copies of secrets are sealed to.
    pub sealing: SealingPublic,
    /// The admission.
    pub by: ChangeId,
    /// When the member was let in, by the clock of whoever did it.
    pub since: WallTime,
}

/// An invitation that still lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// For whom.
    pub to: Invitee,
    /// How many more persons can come in by it; `None`: any number.
    pub left: Option<u16>,
    /// What they become.
    pub role: Role,
    /// Who invited.
    pub author: PersonId,
}

/// The state of a group. Equal for equal sets of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// Who can come in.
    pub kind: Kind,
    /// Who belongs to it.
    pub members: BTreeMap<PersonId, Member>,
    /// Who was expelled and is not back.
    pub expelled: BTreeSet<PersonId>,
    /// What lets others in.
    pub invitations: BTreeMap<ChangeId, Invitation>,
    /// The epoch whose secret exactly the members were given; `None` while the next is due.
    pub epoch: Option<ChangeId>,
    /// The change that stated name and description last: a [`Action::Rename`] or an [`Action::Epoch`].
    pub meta: Option<ChangeId>,
    /// The changes that count.
    pub counted: BTreeSet<ChangeId>,
}

impl Roster {
    /// Whether a person belongs to the group.
    pub fn has(&self, person: &PersonId) -> bool {
        self.members.contains_key(person)
    }

    /// Whether a person is an admin.
    pub fn is_admin(&self, person: &PersonId) -> bool {
        self.members.get(person).is_some_and(|member| member.role == Role::Admin)
    }

    /// Computes the state of a group; `None` while its first change is not there.
    pub fn of(log: &Log) -> Option<Roster> {
        let first = log.order().next()?;
        let Action::Create { kind, .. } = log.at(first).change.action else { return None };
        let judge = Judge::new(log);
        let decided = contest::decide(&judge);
        let counts = judge.counts(&decided);
        let verdict = Verdict { counts: &counts, decided: &decided };
        let everything = Places::all(log.len());

        let mut ranked: Vec<(usize, PersonId)> = judge
            .people
            .keys()
            .filter_map(|person| Some((judge.admission(&verdict, &everything, person)?, *person)))
            .collect();
        ranked.sort_by_key(|(place, person)| (judge.rank[*place], *person));
        // Admissions at the same moment may make too many: those who came last are out.
        ranked.truncate(MAX_MEMBERS);
        let mut members = BTreeMap::new();
        for (place, person) in &ranked {
            let entry = log.at(*place);
            let role = if judge.is_admin(&verdict, &everything, person) { Role::Admin } else { Role::Member };
            let sealing = match &entry.change.action {
                Action::Create { sealing, .. } => *sealing,
                Action::Admit { request } => request.sealing,
                _ => continue,
            };
            members.insert(*person, Member { role, sealing, by: entry.id, since: entry.change.wall });
        }
        let expelled = |person: &PersonId| {
            let removals = judge.people[person].removals.iter();
            !members.contains_key(person)
                && removals.into_iter().any(|r| decided.stand.has(*r) && log.deposes(*r).is_some())
        };
        let expelled = judge.people.keys().filter(|person| expelled(person)).copied().collect();
        let last = |wanted: &dyn Fn(usize) -> bool| {
            log.order().rev().find(|place| counts.has(*place) && wanted(*place)).map(|place| log.at(place).id)
        };
        // A secret that somebody drew who is out by now is not the members' own, whomever it was given to. And who was out and
        // came back gets a new one: what was said meanwhile was not for them, and the name is told anew.
        let is_for_members = |place: usize| {
            let Change { author, action, .. } = &log.at(place).change;
            match action {
                Action::Epoch { recipients, .. } => {
                    members.contains_key(author)
                        && recipients.iter().map(|r| &r.person).eq(members.keys())
                        && ranked.iter().all(|(admission, _)| log.knew(place, *admission))
                }
                _ => false,
            }
        };
        let states_meta = |place: usize| match &log.at(place).change.action {
            Action::Rename { .. } => true,
            Action::Epoch { meta, .. } => !meta.is_empty(),
            _ => false,
        };
        Some(Roster {
            kind,
            expelled,
            invitations: judge.invitations(&verdict),
            epoch: last(&is_for_members),
            meta: last(&states_meta),
            counted: counts.iter().map(|place| log.at(place).id).collect(),
            members,
        })
    }
}

/// Where the events of one person are, in the order in which they count.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    admissions: Vec<usize>,
    removals: Vec<usize>,
    grants: Vec<usize>,
    demotions: Vec<usize>,
}

/// What was decided of expulsions and demotions.
#[derive(Clone, Debug, Default)]
pub(super) struct Decided {
    /// These hold.
    pub stand: Places,
    /// These lost.
    pub fall: Places,
}

/// What counts, as far as it is known.
#[derive(Clone, Copy)]
pub(super) struct Verdict<'a> {
    pub counts: &'a Places,
    pub decided: &'a Decided,
}

/// A log, with what is needed to judge its changes.
pub(super) struct Judge<'a> {
    pub log: &'a Log,
    /// Of each place, its position in the log's order.
    pub rank: Vec<usize>,
    pub people: BTreeMap<PersonId, Events>,
    /// Expulsions and demotions by others, in the log's order.
    pub depositions: Vec<usize>,
    /// Who is let in by which invitation, in the log's order.
    uses: BTreeMap<ChangeId, Vec<usize>>,
    cancels: BTreeMap<ChangeId, Vec<usize>>,
}

impl<'a> Judge<'a> {
    pub fn new(log: &'a Log) -> Judge<'a> {
        let mut judge = Judge {
            log,
            rank: vec![0; log.len()],
            people: BTreeMap::new(),
            depositions: Vec::new(),
            uses: BTreeMap::new(),
            cancels: BTreeMap::new(),
        };
        for (rank, place) in log.order().enumerate() {
            judge.rank[place] = rank;
            let change = &log.at(place).change;
            if log.deposes(place).is_some() {
                judge.depositions.push(place);
            }
            match &change.action {
                Action::Create { .. } => {
                    let events = judge.people.entry(change.author).or_default();
                    events.admissions.push(place);
                    events.grants.push(place);
                }
                Action::Admit { request } => {
                    judge.people.entry(request.person).or_default().admissions.push(place);
                    if let Some(invitation) = request.invitation {
                        judge.uses.entry(invitation).or_default().push(place);
                    }
                }
                Action::Role { person, role: Role::Admin } => {
                    judge.people.entry(*person).or_default().grants.push(place)
                }
                Action::Role { person, role: Role::Member } => {
                    judge.people.entry(*person).or_default().demotions.push(place)
                }
                Action::Remove { person } => judge.people.entry(*person).or_default().removals.push(place),
                Action::Cancel { invitation } => judge.cancels.entry(*invitation).or_default().push(place),
                Action::Invite { .. } | Action::Rename { .. } | Action::Epoch { .. } | Action::Seen => {}
            }
        }
        judge
    }

    /// Returns the changes that count, given what was decided. What was not decided yet is taken not to hold.
    pub fn counts(&self, decided: &Decided) -> Places {
        let mut counts = Places::default();
        for place in self.log.order() {
            if decided.fall.has(place) {
                continue;
            }
            let may = decided.stand.has(place)
                || !self.is_void(decided, place) && self.is_authorised(&Verdict { counts: &counts, decided }, place);
            if may {
                counts.add(place);
            }
        }
        counts
    }

    /// Whether an expulsion or demotion takes a change back: it is against the change's author, neither knew the other,
    /// and the change does not prove the expulsion back-dated by knowing something of its author that the expulsion
    /// itself does not know. A demotion takes back only what an admin alone may do.
    pub fn voids(&self, deposition: usize, place: usize) -> bool {
        let (by, change) = (&self.log.at(deposition).change, &self.log.at(place).change);
        self.log.deposes(deposition) == Some(change.author)
            && self.log.concurrent(deposition, place)
            && (matches!(by.action, Action::Remove { .. }) || needs_admin(&change.action, change.author))
            && !self.betrays(place, deposition)
    }

    /// Whether `witness` knew a change by the author of `place` that `place` does not know: whoever wrote `place` hid
    /// what was written before.
    pub fn betrays(&self, witness: usize, place: usize) -> bool {
        let author = &self.log.at(place).change.author;
        let hidden = |other: &usize| {
            *other != place
                && self.log.knew(witness, *other)
                && !self.log.knew(place, *other)
                && !self.log.knew(*other, place)
        };
        self.log.by(author).iter().any(hidden)
    }

    fn is_void(&self, decided: &Decided, place: usize) -> bool {
        let Some(events) = self.people.get(&self.log.at(place).change.author) else { return false };
        let mut against = events.removals.iter().chain(&events.demotions);
        against.any(|deposition| decided.stand.has(*deposition) && self.voids(*deposition, place))
    }

    fn is_authorised(&self, verdict: &Verdict<'_>, place: usize) -> bool {
        let entry = self.log.at(place);
        let (author, past) = (&entry.change.author, &entry.past);
        if let Action::Create { .. } = entry.change.action {
            return true;
        }
        if self.admission(verdict, past, author).is_none() {
            return false;
        }
        if needs_admin(&entry.change.action, *author) && !self.is_admin(verdict, past, author) {
            return false;
        }
        !matches!(entry.change.action, Action::Admit { .. }) || self.may_come_in(verdict, place)
    }

    /// Returns by which admission a person is a member where `past` is known, if by any: the first one that knew every
    /// removal.
    pub fn admission(&self, verdict: &Verdict<'_>, past: &Places, person: &PersonId) -> Option<usize> {
        let events = self.people.get(person)?;
        let knew_all = |place: usize| self.removals(verdict, past, events).all(|removal| self.log.knew(place, removal));
        let counts = |place: &usize| past.has(*place) && verdict.counts.has(*place);
        events.admissions.iter().copied().filter(counts).find(|place| knew_all(*place))
    }

    /// Whether a person is an admin where `past` is known.
    pub fn is_admin(&self, verdict: &Verdict<'_>, past: &Places, person: &PersonId) -> bool {
        self.is_granted(verdict, past, person) || self.is_successor(verdict, past, person)
    }

    fn is_granted(&self, verdict: &Verdict<'_>, past: &Places, person: &PersonId) -> bool {
        let Some(events) = self.people.get(person) else { return false };
        if self.admission(verdict, past, person).is_none() {
            return false;
        }
        self.first_grant(verdict, past, events).is_some()
    }

    fn first_grant(&self, verdict: &Verdict<'_>, past: &Places, events: &Events) -> Option<usize> {
        let counts = |place: &usize| past.has(*place) && verdict.counts.has(*place);
        let holds = |demotion: &usize| past.has(*demotion) && self.holds(verdict, *demotion);
        let knew_all = |grant: usize| {
            self.removals(verdict, past, events).all(|removal| self.log.knew(grant, removal))
                && events.demotions.iter().copied().filter(holds).all(|demotion| self.log.knew(grant, demotion))
        };
        let by_invitation = events.admissions.iter().copied().filter(|place| self.makes_admin(*place));
        let mut grants: Vec<usize> = events.grants.iter().copied().chain(by_invitation).filter(counts).collect();
        grants.sort_by_key(|place| self.rank[*place]);
        grants.into_iter().find(|place| knew_all(*place))
    }

    /// Whether a person, who has been there longest, is an admin because nobody else is.
    fn is_successor(&self, verdict: &Verdict<'_>, past: &Places, person: &PersonId) -> bool {
        let Some(own) = self.admission(verdict, past, person) else { return false };
        self.people.keys().filter(|other| *other != person).all(|other| {
            self.admission(verdict, past, other).is_none_or(|place| {
                (self.rank[place], other) > (self.rank[own], person) && !self.is_granted(verdict, past, other)
            })
        })
    }

    /// Returns how long a person has been an admin where `past` is known: the rank of the grant, the lower the longer.
    pub fn seniority(&self, verdict: &Verdict<'_>, past: &Places, person: &PersonId) -> Option<usize> {
        self.admission(verdict, past, person)?;
        self.first_grant(verdict, past, self.people.get(person)?).map(|place| self.rank[place])
    }

    fn removals<'b>(
        &'b self,
        verdict: &'b Verdict<'_>,
        past: &'b Places,
        events: &'b Events,
    ) -> impl Iterator<Item = usize> + 'b {
        events.removals.iter().copied().filter(move |place| past.has(*place) && self.holds(verdict, *place))
    }

    /// Whether a removal or demotion has effect: one by others if it was decided so, one's own if it counts.
    fn holds(&self, verdict: &Verdict<'_>, place: usize) -> bool {
        if self.log.deposes(place).is_some() { verdict.decided.stand.has(place) } else { verdict.counts.has(place) }
    }

    fn makes_admin(&self, admission: usize) -> bool {
        let Action::Admit { request } = &self.log.at(admission).change.action else { return false };
        let invitation = request.invitation.and_then(|id| self.log.place(&id));
        invitation
            .is_some_and(|place| matches!(self.log.at(place).change.action, Action::Invite { role: Role::Admin, .. }))
    }

    /// Whether an admission lets in whom it may.
    fn may_come_in(&self, verdict: &Verdict<'_>, place: usize) -> bool {
        let entry = self.log.at(place);
        let Action::Admit { request } = &entry.change.action else { return false };
        let events = &self.people[&request.person];
        let removals: Vec<usize> = self.removals(verdict, &entry.past, events).collect();
        let left_later =
            |removal: &usize| self.log.deposes(*removal).is_none() && self.log.at(*removal).change.wall >= request.wall;
        if removals.iter().any(left_later) {
            return false;
        }
        let expulsions = removals.iter().filter(|removal| self.log.deposes(**removal).is_some());
        let Some(id) = request.invitation else {
            let open = self.log.order().next().map(|first| &self.log.at(first).change.action);
            return matches!(open, Some(Action::Create { kind: Kind::Open, .. })) && expulsions.count() == 0;
        };
        let Some(invitation) = self.log.place(&id).filter(|at| entry.past.has(*at) && verdict.counts.has(*at)) else {
            return false;
        };
        let Action::Invite { to, uses, .. } = &self.log.at(invitation).change.action else { return false };
        let cancelled = self.cancels.get(&id).into_iter().flatten();
        if cancelled.into_iter().any(|cancel| entry.past.has(*cancel) && verdict.counts.has(*cancel)) {
            return false;
        }
        match to {
            Invitee::Person(person) => {
                // Invited by name after every expulsion: the one way back.
                *person == request.person
                    && expulsions.into_iter().all(|expulsion| self.log.knew(invitation, *expulsion))
            }
            Invitee::Link(key) => {
                expulsions.count() == 0
                    && request.proves(self.log.group(), key)
                    && (*uses == 0 || self.users(verdict, &id, place, &request.person) < usize::from(*uses))
            }
        }
    }

    /// Returns how many persons other than `person` were let in by an invitation before `place`, in the log's order.
    fn users(&self, verdict: &Verdict<'_>, id: &ChangeId, place: usize, person: &PersonId) -> usize {
        let earlier = self.uses.get(id).into_iter().flatten().take_while(|other| **other != place);
        let users: BTreeSet<PersonId> = earlier
            .filter(|other| verdict.counts.has(**other))
            .filter_map(|other| match &self.log.at(*other).change.action {
                Action::Admit { request } => Some(request.person),
                _ => None,
            })
            .collect();
        users.len() - usize::from(users.contains(person))
    }

    fn invitations(&self, verdict: &Verdict<'_>) -> BTreeMap<ChangeId, Invitation> {
        let mut open = BTreeMap::new();
        for place in verdict.counts.iter() {
            let entry = self.log.at(place);
            let Action::Invite { to, uses, role } = &entry.change.action else { continue };
            let mut cancelled = self.cancels.get(&entry.id).into_iter().flatten();
            if cancelled.any(|cancel| verdict.counts.has(*cancel)) {
                continue;
            }
            let used = self
                .uses
                .get(&entry.id)
                .into_iter()
                .flatten()
                .filter(|admission| verdict.counts.has(**admission))
                .count();
            let limit = if matches!(to, Invitee::Person(_)) { 1 } else { usize::from(*uses) };
            if limit != 0 && used >= limit {
                continue;
            }
            let left = (limit != 0).then(|| u16::try_from(limit - used).unwrap_or(u16::MAX));
            open.insert(entry.id, Invitation { to: *to, left, role: *role, author: entry.change.author });
        }
        open
    }
}

/// Whether only an admin may do this.
fn needs_admin(action: &Action, author: PersonId) -> bool {
    match action {
        Action::Invite { .. } | Action::Cancel { .. } | Action::Rename { .. } => true,
        Action::Remove { person } => *person != author,
        // Whoever is an admin may step down.
        Action::Role { person, role } => *person != author || *role == Role::Admin,
        Action::Create { .. } | Action::Admit { .. } | Action::Epoch { .. } | Action::Seen => false,
    }
}
