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

        let mut ranked: Vec<(usize, Who)> =
            judge.everybody().filter_map(|who| Some((judge.admission(&verdict, &everything, who)?, who))).collect();
        ranked.sort_by_key(|(place, who)| (judge.rank[*place], judge.people[*who].id));
        // Admissions at the same moment may make too many: those who came last are out.
        ranked.truncate(MAX_MEMBERS);
        let mut members = BTreeMap::new();
        for (place, who) in &ranked {
            let entry = log.at(*place);
            let role = if judge.is_admin(&verdict, &everything, *who) { Role::Admin } else { Role::Member };
            let sealing = match &entry.change.action {
                Action::Create { sealing, .. } => *sealing,
                Action::Admit { request } => request.sealing,
                _ => continue,
            };
            members.insert(judge.people[*who].id, Member { role, sealing, by: entry.id, since: entry.change.wall });
        }
        // Who was taken back in and then left, left.
        let expelled = |person: &&Person| {
            let is_back = |removal: usize| {
                let mut admissions = person.admissions.iter();
                admissions.any(|admission| counts.has(*admission) && log.knew(*admission, removal))
            };
            let mut removals = person.removals.iter();
            !members.contains_key(&person.id)
                && removals.any(|r| decided.stand.has(*r) && judge.deposed[*r].is_some() && !is_back(*r))
        };
        let expelled = judge.people.iter().filter(expelled).map(|person| person.id).collect();
        let last = |wanted: &dyn Fn(usize) -> bool| {
            let mut latest = judge.order.iter().rev().copied();
            latest.find(|place| counts.has(*place) && wanted(*place)).map(|place| log.at(place).id)
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

/// A person that changes are about or by: a place in [`Judge::people`].
pub(super) type Who = usize;

/// Where the events of one person are, in the order in which they count.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub id: PersonId,
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
    /// The places in the log's order.
    order: Vec<usize>,
    /// Of each place, its position in that order.
    pub rank: Vec<usize>,
    pub people: Vec<Person>,
    who: BTreeMap<PersonId, Who>,
    /// Of each place, who wrote it.
    pub author: Vec<Who>,
    /// Of each place, whom it expels or demotes.
    pub deposed: Vec<Option<Who>>,
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
            order: log.order().collect(),
            rank: vec![0; log.len()],
            people: Vec::new(),
            who: BTreeMap::new(),
            author: vec![0; log.len()],
            deposed: vec![None; log.len()],
            depositions: Vec::new(),
            uses: BTreeMap::new(),
            cancels: BTreeMap::new(),
        };
        for rank in 0..judge.order.len() {
            let place = judge.order[rank];
            judge.rank[place] = rank;
            let change = &log.at(place).change;
            judge.author[place] = judge.number(change.author);
            if let Some(person) = log.deposes(place) {
                judge.deposed[place] = Some(judge.number(person));
                judge.depositions.push(place);
            }
            let about = match &change.action {
                Action::Create { .. } => change.author,
                Action::Admit { request } => request.person,
                Action::Role { person, .. } | Action::Remove { person } => *person,
                Action::Cancel { invitation } => {
                    judge.cancels.entry(*invitation).or_default().push(place);
                    continue;
                }
                Action::Invite { .. } | Action::Rename { .. } | Action::Epoch { .. } | Action::Seen => continue,
            };
            let who = judge.number(about);
            let person = &mut judge.people[who];
            match &change.action {
                Action::Create { .. } => {
                    person.admissions.push(place);
                    person.grants.push(place);
                }
                Action::Admit { request } => {
                    person.admissions.push(place);
                    if let Some(invitation) = request.invitation {
                        judge.uses.entry(invitation).or_default().push(place);
                    }
                }
                Action::Role { role: Role::Admin, .. } => person.grants.push(place),
                Action::Role { role: Role::Member, .. } => person.demotions.push(place),
                _ => person.removals.push(place),
            }
        }
        judge
    }

    fn number(&mut self, id: PersonId) -> Who {
        *self.who.entry(id).or_insert_with(|| {
            let (admissions, removals, grants, demotions) = Default::default();
            self.people.push(Person { id, admissions, removals, grants, demotions });
            self.people.len() - 1
        })
    }

    /// Returns all persons.
    pub fn everybody(&self) -> std::ops::Range<Who> {
        0..self.people.len()
    }

    /// Returns the changes that count, given what was decided. What was not decided yet is taken not to hold.
    pub fn counts(&self, decided: &Decided) -> Places {
        self.counts_from(0, &Places::default(), decided)
    }

    /// Returns what would count if one more deposition stood, where `counts` do if it does not.
    pub fn counts_with(&self, counts: &Places, decided: &Decided, deposition: usize) -> Places {
        let mut then = decided.clone();
        then.stand.add(deposition);
        // What it takes back did not know it; all else that it changes did.
        let unknown = |place: &&usize| !self.log.knew(deposition, **place);
        let target = self.deposed[deposition].map_or(&[][..], |who| self.log.by(&self.people[who].id));
        let ranks = target.iter().filter(unknown).map(|place| self.rank[*place]);
        let first = ranks.chain([self.rank[deposition]]).min().unwrap_or(0);
        self.counts_from(first, counts, &then)
    }

    /// Judges the places from the one of rank `first` on; those before it are as in `before`.
    fn counts_from(&self, first: usize, before: &Places, decided: &Decided) -> Places {
        let mut counts = Places::default();
        self.order[..first].iter().filter(|place| before.has(**place)).for_each(|place| counts.add(*place));
        for place in self.order[first..].iter().copied() {
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
        self.deposed[deposition] == Some(self.author[place])
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
        let author = &self.people[self.author[place]];
        let mut against = author.removals.iter().chain(&author.demotions);
        against.any(|deposition| decided.stand.has(*deposition) && self.voids(*deposition, place))
    }

    fn is_authorised(&self, verdict: &Verdict<'_>, place: usize) -> bool {
        let entry = self.log.at(place);
        let (author, past) = (self.author[place], &entry.past);
        if let Action::Create { .. } = entry.change.action {
            return true;
        }
        if self.admission(verdict, past, author).is_none() {
            return false;
        }
        if needs_admin(&entry.change.action, entry.change.author) && !self.is_admin(verdict, past, author) {
            return false;
        }
        !matches!(entry.change.action, Action::Admit { .. }) || self.may_come_in(verdict, place)
    }

    /// Returns by which admission a person is a member where `past` is known, if by any: the first one that knew every
    /// removal.
    pub fn admission(&self, verdict: &Verdict<'_>, past: &Places, who: Who) -> Option<usize> {
        let person = &self.people[who];
        let knew_all = |place: usize| self.removals(verdict, past, person).all(|removal| self.log.knew(place, removal));
        let counts = |place: &usize| past.has(*place) && verdict.counts.has(*place);
        person.admissions.iter().copied().filter(counts).find(|place| knew_all(*place))
    }

    /// Whether a person is an admin where `past` is known.
    pub fn is_admin(&self, verdict: &Verdict<'_>, past: &Places, who: Who) -> bool {
        self.is_granted(verdict, past, who) || self.is_successor(verdict, past, who)
    }

    fn is_granted(&self, verdict: &Verdict<'_>, past: &Places, who: Who) -> bool {
        self.seniority(verdict, past, who).is_some()
    }

    fn first_grant(&self, verdict: &Verdict<'_>, past: &Places, person: &Person) -> Option<usize> {
        let counts = |place: &usize| past.has(*place) && verdict.counts.has(*place);
        let holds = |demotion: &usize| past.has(*demotion) && self.holds(verdict, *demotion);
        let knew_all = |grant: usize| {
            self.removals(verdict, past, person).all(|removal| self.log.knew(grant, removal))
                && person.demotions.iter().copied().filter(holds).all(|demotion| self.log.knew(grant, demotion))
        };
        let by_invitation = person.admissions.iter().copied().filter(|place| self.makes_admin(*place));
        let mut grants: Vec<usize> = person.grants.iter().copied().chain(by_invitation).filter(counts).collect();
        grants.sort_by_key(|place| self.rank[*place]);
        grants.into_iter().find(|place| knew_all(*place))
    }

    /// Whether a person, who has been there longest, is an admin because nobody else is.
    fn is_successor(&self, verdict: &Verdict<'_>, past: &Places, who: Who) -> bool {
        let Some(own) = self.admission(verdict, past, who) else { return false };
        let since = |place: usize, who: Who| (self.rank[place], self.people[who].id);
        self.everybody().filter(|other| *other != who).all(|other| {
            self.admission(verdict, past, other)
                .is_none_or(|place| since(place, other) > since(own, who) && !self.is_granted(verdict, past, other))
        })
    }

    /// Returns how long a person has been an admin where `past` is known: the rank of the grant, the lower the longer.
    pub fn seniority(&self, verdict: &Verdict<'_>, past: &Places, who: Who) -> Option<usize> {
        self.admission(verdict, past, who)?;
        self.first_grant(verdict, past, &self.people[who]).map(|place| self.rank[place])
    }

    fn removals<'b>(
        &'b self,
        verdict: &'b Verdict<'_>,
        past: &'b Places,
        person: &'b Person,
    ) -> impl Iterator<Item = usize> + 'b {
        person.removals.iter().copied().filter(move |place| past.has(*place) && self.holds(verdict, *place))
    }

    /// Whether a removal or demotion has effect: one by others if it was decided so, one's own if it counts.
    fn holds(&self, verdict: &Verdict<'_>, place: usize) -> bool {
        if self.deposed[place].is_some() { verdict.decided.stand.has(place) } else { verdict.counts.has(place) }
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
        let person = &self.people[self.who[&request.person]];
        let removals: Vec<usize> = self.removals(verdict, &entry.past, person).collect();
        let left_later =
            |removal: &usize| self.deposed[*removal].is_none() && self.log.at(*removal).change.wall >= request.wall;
        if removals.iter().any(left_later) {
            return false;
        }
        let expulsions = removals.iter().filter(|removal| self.deposed[**removal].is_some());
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
            Invitee::Link(_) => {
                expulsions.count() == 0
                    && entry.proven
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
