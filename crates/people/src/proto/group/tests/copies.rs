//! Copies of a group that speak to one another.

use super::*;
use crate::proto::group::message::Message;
use crate::proto::group::{Command, Event, Identity, Input, Output, Refusal, Replica, Standing};
use crate::proto::name::Name;

/// Copies that are all connected, by sessions without delay.
struct Circle {
    copies: Vec<(u8, Replica)>,
    /// Sessions (lower place, higher place) that stand.
    links: Vec<(usize, usize)>,
    /// Whether what is published is heard by all.
    gossip: bool,
    /// Whether each change travels in a message of its own.
    bit_by_bit: bool,
    /// Who heard of what is not there.
    behind: Vec<u8>,
    clock: u64,
}

fn session(from: usize, to: usize) -> u64 {
    (from.min(to) * 100 + from.max(to)) as u64
}

impl Circle {
    /// Alice begins a group.
    fn new(kind: Kind) -> Circle {
        let me = Identity::new(key(ALICE));
        let alice = Replica::create(me, kind, &Name::new("Tea").unwrap(), [1; 32], at(0)).unwrap();
        Circle {
            copies: vec![(ALICE, alice)],
            links: Vec::new(),
            gossip: false,
            bit_by_bit: false,
            behind: Vec::new(),
            clock: 0,
        }
    }

    fn copy(&mut self, who: u8) -> &mut Replica {
        &mut self.copies.iter_mut().find(|(person, _)| *person == who).unwrap().1
    }

    fn roster(&self, who: u8) -> &Roster {
        self.copies.iter().find(|(person, _)| *person == who).unwrap().1.roster().unwrap()
    }

    fn command(&mut self, who: u8, command: Command) -> Result<ChangeId, Refusal> {
        let now = at(self.clock);
        let done = self.copy(who).command(now, command);
        self.settle();
        done
    }

    /// Somebody comes in by a member of an open group.
    fn join(&mut self, who: u8, by: u8) {
        let (group, now) = (self.copies[0].1.group(), at(self.clock));
        let me = Identity::new(key(who));
        let request = me.request(group, None, now).unwrap();
        self.command(by, Command::Admit(Box::new(request))).unwrap();
        self.copies.push((who, Replica::new(group, me, [who; 32])));
        self.connect(who, by);
    }

    /// An admin invites somebody by name, and a member lets them in.
    fn take_back(&mut self, who: u8, by: u8, lets_in: u8) {
        let (group, now) = (self.copies[0].1.group(), at(self.clock));
        let invite = Command::Invite { to: Invitee::Person(id(who)), uses: 1, role: Role::Member };
        let invitation = self.command(by, invite).unwrap();
        let request = Identity::new(key(who)).request(group, Some((invitation, None)), now).unwrap();
        self.command(lets_in, Command::Admit(Box::new(request))).unwrap();
    }

    fn connect(&mut self, one: u8, other: u8) {
        let place = |who| self.copies.iter().position(|(person, _)| *person == who).unwrap();
        let (a, b) = (place(one), place(other));
        self.links.push((a.min(b), a.max(b)));
        let now = at(self.clock);
        for (here, there) in [(a, b), (b, a)] {
            let person = id(self.copies[there].0);
            self.copies[here].1.handle(now, Input::Connected { session: session(a, b), person });
        }
        self.settle();
    }

    /// Delivers everything.
    fn settle(&mut self) -> Vec<(u8, Event)> {
        let (now, mut events) = (at(self.clock), Vec::new());
        loop {
            let mut quiet = true;
            for from in 0..self.copies.len() {
                while let Some(output) = self.copies[from].1.poll_output() {
                    quiet = false;
                    match output {
                        Output::Send { session: over, message } => {
                            let message = Message::decode(&message.encode()).unwrap();
                            let to =
                                self.links.iter().find(|(a, b)| session(*a, *b) == over && (*a == from || *b == from));
                            if let Some((a, b)) = to {
                                let to = if *a == from { *b } else { *a };
                                for message in self.parts(message) {
                                    self.copies[to].1.handle(now, Input::Received { session: over, message });
                                }
                            }
                        }
                        Output::Disconnect { session: over, .. } => {
                            if let Some(at) = self.links.iter().position(|(a, b)| session(*a, *b) == over) {
                                let (a, b) = self.links.remove(at);
                                let other = if a == from { b } else { a };
                                self.copies[other].1.handle(now, Input::Closed { session: over });
                            }
                        }
                        Output::Event(event) => events.push((self.copies[from].0, event)),
                        Output::Publish(message) if self.gossip => {
                            let message = Message::decode(&message.encode()).unwrap();
                            for (_, copy) in self.copies.iter_mut().enumerate().filter(|(to, _)| *to != from) {
                                copy.1.handle(now, Input::Heard(message.clone()));
                            }
                        }
                        Output::Behind => self.behind.push(self.copies[from].0),
                        Output::Persist(_) | Output::Keep(_) | Output::Publish(_) => {}
                    }
                }
            }
            if quiet {
                return events;
            }
        }
    }

    fn parts(&self, message: Message) -> Vec<Message> {
        match message {
            Message::Changes(changes) if self.bit_by_bit => {
                changes.into_iter().map(|change| Message::Changes(vec![change])).collect()
            }
            message => vec![message],
        }
    }

    /// All streams end.
    fn cut(&mut self) {
        self.links.clear();
        let now = at(self.clock);
        for (_, copy) in &mut self.copies {
            (0..9).for_each(|a| (0..9).for_each(|b| copy.handle(now, Input::Closed { session: session(a, b) })));
        }
    }

    /// Lets time pass, for what copies do by themselves.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock += 1;
            let now = at(self.clock);
            for (_, copy) in &mut self.copies {
                if copy.poll_timeout().is_some_and(|due| due <= now.mono) {
                    copy.handle(now, Input::Timeout);
                }
            }
            self.settle();
        }
    }
}

#[test]
fn who_comes_in_reads_what_follows_and_not_what_was() {
    let mut circle = Circle::new(Kind::Open);
    let before = circle.copy(ALICE).seal(b"before").unwrap();
    circle.join(BOB, ALICE);
    let after = circle.copy(ALICE).seal(b"after").unwrap();
    let bob = circle.copy(BOB);
    assert_eq!(bob.open(&after).as_deref(), Ok(b"after".as_slice()));
    assert!(bob.open(&before).is_err());
    assert_eq!(bob.name().unwrap().as_str(), "Tea", "the name is told anew with each key");
}

#[test]
fn a_member_who_is_no_admin_gives_the_group_no_name() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(MALLORY, ALICE);
    let now = at(circle.clock);
    circle.copy(MALLORY).write_epoch(now, Some(&Name::new("Mallory's").unwrap())).unwrap();
    circle.copy(MALLORY).refresh(now);
    circle.settle();
    let hers = circle.copy(MALLORY).epoch().map(|(id, _)| id);
    assert_eq!(circle.copy(ALICE).epoch().map(|(id, _)| id), hers, "the secret counts");
    assert_eq!(circle.copy(ALICE).name().unwrap().as_str(), "Tea");
}

#[test]
fn who_is_expelled_reads_nothing_that_follows() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(MALLORY, BOB);
    circle.connect(MALLORY, ALICE);
    assert!(circle.copy(MALLORY).is_member());
    let topic = |circle: &mut Circle, who| circle.copy(who).epoch().unwrap().1.topic();
    let before = topic(&mut circle, MALLORY);
    circle.command(ALICE, Command::Expel(id(MALLORY))).unwrap();
    circle.command(ALICE, Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    let secret = circle.copy(BOB).seal(b"without her").unwrap();
    assert_eq!(circle.copy(ALICE).open(&secret).as_deref(), Ok(b"without her".as_slice()));
    assert!(circle.copy(MALLORY).open(&secret).is_err());
    assert_eq!(circle.links.len(), 1, "nobody speaks to her");
    assert_ne!(topic(&mut circle, BOB), before);
    assert_eq!(topic(&mut circle, BOB), topic(&mut circle, ALICE));
    assert_eq!(circle.copy(BOB).name().unwrap().as_str(), "Coffee");
    assert!(!circle.copy(BOB).has(&id(MALLORY)));
    // She comes back and asks: no answer but an end.
    circle.connect(MALLORY, BOB);
    assert_eq!(circle.links.len(), 1);
    assert_eq!(circle.copy(MALLORY).name().unwrap().as_str(), "Tea");
}

#[test]
fn a_member_who_leaves_says_so_and_another_hands_out_the_next_key() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.command(ALICE, Command::Leave).unwrap();
    assert_eq!(circle.roster(BOB).members.len(), 2);
    assert!(circle.roster(BOB).is_admin(&id(BOB)), "the only admin left, and Bob was there longer");
    circle.connect(BOB, CAROL);
    circle.pass(30);
    let sealed = circle.copy(CAROL).seal(b"still here").unwrap();
    assert_eq!(circle.copy(BOB).open(&sealed).as_deref(), Ok(b"still here".as_slice()));
    assert!(circle.copy(ALICE).open(&sealed).is_err());
    assert_eq!(circle.command(ALICE, Command::NewEpoch), Err(Refusal::NotMember));
}

#[test]
fn two_parts_that_changed_apart_agree_when_they_meet() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.cut();
    circle.join(DAVE, BOB);
    circle.join(ERIN, CAROL);
    circle.command(ALICE, Command::Expel(id(CAROL))).unwrap();
    circle.connect(ALICE, BOB);
    circle.pass(30);
    // Carol did not know that she was out when she let Erin in.
    let expected: Vec<PersonId> = circle.roster(ALICE).members.keys().copied().collect();
    assert_eq!(expected.len(), 3);
    assert_eq!(circle.roster(DAVE), circle.roster(ALICE));
    assert_eq!(circle.roster(BOB), circle.roster(ALICE));
    let sealed = circle.copy(DAVE).seal(b"x").unwrap();
    assert!(circle.copy(ALICE).open(&sealed).is_ok() && circle.copy(ERIN).open(&sealed).is_err());
}

#[test]
fn a_copy_comes_back_from_its_store_and_from_the_phrase_alone() {
    let mut circle = Circle::new(Kind::Private);
    let group = circle.copies[0].1.group();
    let invite = Command::Invite { to: Invitee::Person(id(BOB)), uses: 1, role: Role::Admin };
    let invite = circle.command(ALICE, invite).unwrap();
    let me = Identity::new(key(BOB));
    let request = me.request(group, Some((invite, None)), at(0)).unwrap();
    circle.command(ALICE, Command::Admit(Box::new(request))).unwrap();
    let sealed = circle.copy(ALICE).seal(b"hello").unwrap();

    let alice = circle.copies.remove(0).1;
    let stored: Vec<&[u8]> = alice.log().iter().map(|entry| entry.bytes.as_ref()).collect();
    let restored = Replica::restore(group, Identity::new(key(ALICE)), [9; 32], stored, at(1));
    assert_eq!(restored.roster(), alice.roster());
    assert_eq!(restored.open(&sealed).as_deref(), Ok(b"hello".as_slice()));

    // A new computer with nothing but the phrase: the other members' copies bring it all back.
    circle.copies = vec![(ALICE, restored), (BOB, Replica::new(group, me, [3; 32]))];
    circle.connect(ALICE, BOB);
    assert!(circle.roster(BOB).is_admin(&id(BOB)));
    assert_eq!(circle.copy(BOB).open(&sealed).as_deref(), Ok(b"hello".as_slice()));
    assert_eq!(circle.copy(BOB).name().unwrap().as_str(), "Tea");
}

#[test]
fn commands_that_may_not_be_are_refused_and_leave_nothing() {
    let mut circle = Circle::new(Kind::ByInvitation);
    let group = circle.copies[0].1.group();
    let uninvited = Identity::new(key(BOB)).request(group, None, at(0)).unwrap();
    let before = circle.copy(ALICE).log().len();
    assert_eq!(circle.command(ALICE, Command::Admit(Box::new(uninvited))), Err(Refusal::NotInvited));
    assert_eq!(circle.command(ALICE, Command::Expel(id(BOB))), Err(Refusal::NoSuchMember));
    assert_eq!(circle.command(ALICE, Command::Cancel(ChangeId([1; 32]))), Err(Refusal::NoSuchInvitation));
    assert_eq!(circle.copy(ALICE).log().len(), before);
}

#[test]
fn who_sends_what_is_no_change_is_cut_off() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(MALLORY, ALICE);
    let now = at(0);
    let alice = circle.copy(ALICE);
    let garbage = Message::Changes(vec![Arc::from([0; 40].as_slice()); 4]);
    alice.handle(now, Input::Received { session: session(0, 1), message: garbage });
    assert_eq!(alice.poll_output(), Some(Output::Disconnect { session: session(0, 1), blame: true }));
}

#[test]
fn a_locked_copy_follows_and_reads_once_it_is_unlocked() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    let (group, sealed) = (circle.copies[0].1.group(), circle.copy(ALICE).seal(b"hello").unwrap());
    circle.copies[1] = (BOB, Replica::new(group, Identity::locked(id(BOB)), [5; 32]));
    circle.connect(BOB, ALICE);
    assert_eq!(circle.roster(BOB), circle.roster(ALICE));
    assert!(circle.copy(BOB).is_member() && circle.copy(BOB).open(&sealed).is_err());
    assert_eq!(circle.command(BOB, Command::Leave), Err(Refusal::Locked));
    circle.pass(30);
    circle.copy(BOB).unlock(key(CAROL), at(40));
    assert!(circle.copy(BOB).open(&sealed).is_err());
    circle.copy(BOB).unlock(key(BOB), at(40));
    assert_eq!(circle.copy(BOB).open(&sealed).as_deref(), Ok(b"hello".as_slice()));
    assert!(circle.settle().contains(&(BOB, Event::Epoch(circle.copies[0].1.epoch().unwrap().0))));
}

#[test]
fn whoever_was_away_listens_to_members_who_came_in_meanwhile() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.cut();
    // Bob sleeps. Carol comes in, and Alice goes.
    circle.join(CAROL, ALICE);
    circle.command(ALICE, Command::Leave).unwrap();
    circle.cut();
    circle.connect(BOB, CAROL);
    assert_eq!(circle.roster(BOB), circle.roster(CAROL));
    assert_eq!(circle.roster(BOB).members.len(), 2);
    // Mallory knows what the group is called, and is told nothing.
    let group = circle.copies[0].1.group();
    circle.copies.push((MALLORY, Replica::new(group, Identity::new(key(MALLORY)), [7; 32])));
    circle.connect(MALLORY, BOB);
    assert!(circle.copy(MALLORY).log().is_empty());
}

#[test]
fn who_is_expelled_while_asleep_is_told_so_and_nothing_else() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(MALLORY, ALICE);
    circle.cut();
    circle.connect(ALICE, BOB);
    circle.command(ALICE, Command::Expel(id(MALLORY))).unwrap();
    circle.command(ALICE, Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    circle.command(BOB, Command::NewEpoch).unwrap();
    assert_eq!(circle.copy(MALLORY).standing(), Standing::Member, "nobody said anything else");
    let before = circle.copy(MALLORY).log().len();
    circle.connect(MALLORY, BOB);
    let mallory = circle.copy(MALLORY);
    assert_eq!(mallory.standing(), Standing::Expelled);
    assert_eq!(mallory.log().len(), before + 1, "the expulsion, and nothing that came after it");
    assert_eq!(mallory.name().unwrap().as_str(), "Tea");
    assert_eq!(circle.links, [(0, 1)], "she is spoken to no more");
    // By an invitation in her name she comes back.
    let invite = Command::Invite { to: Invitee::Person(id(MALLORY)), uses: 1, role: Role::Member };
    let invite = circle.command(ALICE, invite).unwrap();
    let (group, now) = (circle.copies[0].1.group(), at(circle.clock));
    let request = Identity::new(key(MALLORY)).request(group, Some((invite, None)), now).unwrap();
    circle.command(ALICE, Command::Admit(Box::new(request))).unwrap();
    circle.connect(MALLORY, ALICE);
    assert_eq!(circle.copy(MALLORY).standing(), Standing::Member);
    assert_eq!(circle.copy(MALLORY).name().unwrap().as_str(), "Coffee");
}

#[test]
fn who_was_expelled_and_taken_back_while_asleep_hears_all_of_it() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.cut();
    circle.command(ALICE, Command::Expel(id(BOB))).unwrap();
    circle.take_back(BOB, ALICE, ALICE);
    assert!(circle.roster(ALICE).has(&id(BOB)));
    // First comes that he is out, then that he is in.
    circle.bit_by_bit = true;
    circle.connect(BOB, ALICE);
    assert_eq!(circle.roster(BOB), circle.roster(ALICE));
    assert!(circle.copy(BOB).epoch().is_some());
}

#[test]
fn who_was_taken_back_and_leaves_says_so() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.command(ALICE, Command::Expel(id(BOB))).unwrap();
    circle.take_back(BOB, ALICE, ALICE);
    circle.connect(BOB, ALICE);
    circle.cut();
    circle.command(BOB, Command::Leave).unwrap();
    assert_eq!(circle.copy(BOB).standing(), Standing::Left);
    circle.connect(BOB, ALICE);
    assert!(!circle.roster(ALICE).has(&id(BOB)));
    assert!(!circle.roster(ALICE).expelled.contains(&id(BOB)));
}

#[test]
fn who_was_out_while_the_name_changed_takes_what_a_member_repeats() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.command(ALICE, Command::Expel(id(CAROL))).unwrap();
    circle.command(ALICE, Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    // Bob, who is no admin, hands out the key that she can read; the older name, which she can read too, is an admin's.
    circle.take_back(CAROL, ALICE, BOB);
    circle.connect(CAROL, ALICE);
    assert_eq!(circle.copy(CAROL).name().unwrap().as_str(), "Coffee");
}

#[test]
fn a_name_said_apart_is_repeated_for_those_who_came_in_meanwhile() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.cut();
    circle.command(ALICE, Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    circle.join(CAROL, BOB);
    assert_eq!(circle.copy(CAROL).name().unwrap().as_str(), "Tea");
    circle.connect(ALICE, BOB);
    // She lets somebody in before she knows better: of that nobody learns an old name.
    circle.cut();
    circle.join(DAVE, CAROL);
    circle.connect(ALICE, CAROL);
    circle.connect(BOB, CAROL);
    circle.pass(20);
    for who in [ALICE, BOB, CAROL, DAVE] {
        assert_eq!(circle.copy(who).name().unwrap().as_str(), "Coffee");
    }
    let changes = circle.copy(ALICE).log().len();
    circle.pass(60);
    assert_eq!(circle.copy(ALICE).log().len(), changes, "once is enough");
}

#[test]
fn a_name_that_fell_with_its_author_is_forgotten_and_the_old_one_not_repeated_for_ever() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.command(ALICE, Command::Role(id(BOB), Role::Admin)).unwrap();
    circle.cut();
    circle.command(BOB, Command::Rename(Name::new("Milk").unwrap())).unwrap();
    circle.connect(BOB, CAROL);
    assert_eq!(circle.copy(CAROL).name().unwrap().as_str(), "Milk");
    circle.command(ALICE, Command::Expel(id(BOB))).unwrap();
    circle.connect(ALICE, CAROL);
    circle.join(DAVE, CAROL);
    circle.pass(30);
    let changes = circle.copy(ALICE).log().len();
    circle.pass(120);
    assert_eq!(circle.copy(ALICE).log().len(), changes);
    for who in [ALICE, CAROL, DAVE] {
        assert_eq!(circle.copy(who).name().unwrap().as_str(), "Tea");
    }
}

#[test]
fn who_hears_elsewhere_that_they_are_out_tells_those_who_do_not_know() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.command(ALICE, Command::Role(id(CAROL), Role::Admin)).unwrap();
    circle.cut();
    circle.command(CAROL, Command::Expel(id(BOB))).unwrap();
    circle.connect(CAROL, BOB);
    assert_eq!(circle.copy(BOB).standing(), Standing::Expelled);
    assert!(circle.roster(ALICE).has(&id(BOB)));
    circle.connect(BOB, ALICE);
    assert!(circle.roster(ALICE).expelled.contains(&id(BOB)));
}

#[test]
fn a_newcomer_hears_all_from_somebody_who_was_out_for_a_while() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.command(ALICE, Command::Expel(id(BOB))).unwrap();
    circle.take_back(BOB, ALICE, ALICE);
    circle.connect(BOB, ALICE);
    circle.bit_by_bit = true;
    circle.join(DAVE, BOB);
    assert_eq!(circle.roster(DAVE), circle.roster(ALICE));
    assert!(circle.copy(DAVE).epoch().is_some());
}

#[test]
fn a_farewell_that_nobody_heard_is_said_again() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.cut();
    circle.command(CAROL, Command::Leave).unwrap();
    assert_eq!(circle.copy(CAROL).standing(), Standing::Left);
    assert_eq!(circle.roster(BOB).members.len(), 3);
    // It outlives a restart.
    let carol = circle.copy(CAROL);
    let stored: Vec<Arc<[u8]>> = carol.log().iter().map(|entry| entry.bytes.clone()).collect();
    let stored = stored.iter().map(AsRef::as_ref);
    *carol = Replica::restore(carol.group(), Identity::new(key(CAROL)), [9; 32], stored, at(5));
    assert_eq!(carol.standing(), Standing::Left);
    circle.copy(CAROL).handle(at(5), Input::Connected { session: session(1, 2), person: id(BOB) });
    circle.copy(BOB).handle(at(5), Input::Connected { session: session(1, 2), person: id(CAROL) });
    circle.links.push((1, 2));
    assert!(circle.settle().contains(&(CAROL, Event::Released)), "Bob heard it and said so");
    assert_eq!(circle.roster(BOB).members.len(), 2);
    assert_eq!(circle.links, []);
    // Whoever meets somebody who heard it elsewhere learns that, too.
    circle.connect(BOB, ALICE);
    let carol = circle.copies.pop().unwrap().1;
    circle.copies.push((CAROL, carol));
    circle.copy(CAROL).handle(at(9), Input::Connected { session: session(0, 2), person: id(ALICE) });
    circle.copy(ALICE).handle(at(9), Input::Connected { session: session(0, 2), person: id(CAROL) });
    circle.links.push((0, 2));
    assert!(circle.settle().contains(&(CAROL, Event::Released)));
}

#[test]
fn the_last_one_who_leaves_tells_nobody() {
    let mut circle = Circle::new(Kind::Open);
    let now = at(0);
    circle.copy(ALICE).command(now, Command::Leave).unwrap();
    assert!(circle.settle().contains(&(ALICE, Event::Released)));
}

#[test]
fn gossip_alone_brings_a_change_to_all_and_what_it_lost_is_asked_for() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.join(CAROL, ALICE);
    circle.cut();
    circle.gossip = true;
    circle.command(ALICE, Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    for who in [BOB, CAROL] {
        assert_eq!(circle.copy(who).name().unwrap().as_str(), "Coffee");
    }
    assert_eq!(circle.behind, []);
    // Now a message is lost, and the next one shows it.
    circle.gossip = false;
    circle.command(ALICE, Command::Role(id(BOB), Role::Admin)).unwrap();
    circle.gossip = true;
    circle.command(ALICE, Command::Rename(Name::new("Milk").unwrap())).unwrap();
    assert_eq!(circle.behind, [BOB, CAROL]);
    assert_eq!(circle.copy(BOB).name().unwrap().as_str(), "Coffee");
    circle.connect(ALICE, BOB);
    assert_eq!(circle.copy(BOB).name().unwrap().as_str(), "Milk");
    assert_eq!(circle.roster(BOB), circle.roster(ALICE));
}

#[test]
fn halves_that_only_hear_one_another_notice_that_they_differ() {
    let mut circle = Circle::new(Kind::Open);
    circle.join(BOB, ALICE);
    circle.cut();
    circle.command(ALICE, Command::Rename(Name::new("Coffee").unwrap())).unwrap();
    circle.gossip = true;
    circle.pass(300);
    assert!(circle.behind.contains(&BOB));
    assert!(!circle.behind.contains(&ALICE), "she has all that he has");
    circle.connect(BOB, ALICE);
    circle.behind.clear();
    circle.pass(600);
    assert_eq!(circle.behind, []);
}
