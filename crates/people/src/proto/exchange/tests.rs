//! Ada and Bob have a laptop each; Ada gets a phone, Eve wants in.

use std::collections::BTreeMap;

use base::WallTime;
use proptest::prelude::*;

use super::*;
use crate::proto::book::Stored;
use crate::proto::contact::Relation;
use crate::proto::kept::ParcelKey;
use crate::proto::link::{ContactLink, LinkNode};
use crate::proto::nodes::PersonKey;

fn key(n: u8) -> NodeKey {
    NodeKey::from_secret(&[n; 32])
}

fn person(n: u8) -> PersonKey {
    PersonKey::from_secret(&[n; 32])
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn now() -> Now {
    Now { mono: Instant::START, wall: WallTime(1_700_000_000) }
}

/// A book of person `of` on node `node`, who has `nodes`.
fn book(of: u8, node: u8, nodes: &[u8]) -> Book {
    let mut list = NodeList::new(person(of).id(), name("somebody")).next();
    for n in nodes {
        list.add(key(*n).id(), &name("node"), 0, key(*n).consent(person(of).id())).unwrap();
    }
    let mut book = Book::new(key(node).id(), Stored::default());
    book.adopt(person(of).sign(list).unwrap());
    book
}

fn link(of: u8, node: u8, secret: Secret) -> ContactLink {
    let nodes = vec![LinkNode { node: key(node).id(), hints: vec!["127.0.0.1:1".into()] }];
    ContactLink { person: person(of).id(), name: None, nodes, secret }
}

/// What came of it at the dialler and at the listener. `signer`: the persons whose keys are at hand.
fn run(
    dialler: &mut Book,
    purpose: Purpose,
    listener: &mut Book,
    joining: Option<Secret>,
    signers: &[u8],
) -> [Result<Met, Failure>; 2] {
    let hint = |n: u8| vec![format!("127.0.0.1:{n}")];
    let mut ends = [
        Exchange::new(now(), dialler, listener.node(), Role::Dialler(purpose), hint(1), [1; 16]),
        Exchange::new(now(), listener, dialler.node(), Role::Listener(joining), hint(2), [2; 16]),
    ];
    let mut books = [dialler, listener];
    let mut results = BTreeMap::new();
    while results.len() < 2 {
        let mut quiet = true;
        for at in 0..2 {
            while let Some(output) = ends[at].poll_output() {
                quiet = false;
                match output {
                    Output::Send(frame) => {
                        assert!(frame.len() <= ends[1 - at].frame_limit() || results.contains_key(&(1 - at)));
                        ends[1 - at].handle(now(), books[1 - at], Input::Frame(frame));
                    }
                    Output::Sign(list) => {
                        let key = signers.iter().map(|n| person(*n)).find(|key| key.id() == list.person);
                        let signed = key.map(|key| Input::Signed(Box::new(key.sign(*list).unwrap())));
                        ends[at].handle(now(), books[at], signed.unwrap_or(Input::CannotSign));
                    }
                    Output::GivenBack(parcel) => given_back(books[at], &parcel),
                    Output::Finished(result) => {
                        results.insert(at, result);
                    }
                }
            }
        }
        if quiet {
            // One end is over: the stream closes.
            (0..2).for_each(|at| ends[at].handle(now(), books[at], Input::Closed));
        }
    }
    [results.remove(&0).unwrap(), results.remove(&1).unwrap()]
}

/// What a driver does with a parcel: every person's phrase is the same here.
fn given_back(book: &mut Book, parcel: &Parcel) {
    let own = book.own().unwrap().id();
    if let Some(packed) = parcel_key().open(own, parcel) {
        crate::proto::kept::unpack(book, &packed).unwrap();
        book.keep(own, parcel.clone());
    }
}

fn parcel_key() -> ParcelKey {
    ParcelKey::from_bytes([5; 32])
}

fn deposit(book: &mut Book, stamp: u64) {
    let own = book.own().unwrap().id();
    let parcel = parcel_key().seal(own, stamp, &crate::proto::kept::pack(book), [0; 24]);
    assert!(book.keep(own, parcel));
}

fn ids(book: &Book) -> Vec<PersonId> {
    book.contacts().filter(|contact| contact.relation == Relation::Mutual).map(|contact| contact.person).collect()
}

#[test]
fn bob_takes_adas_invitation_and_both_know_one_another() {
    let (mut ada, mut bob) = (book(1, 10, &[10]), book(2, 20, &[20]));
    let secret = Secret([7; 16]);
    ada.invite(secret, false, None, 1000).unwrap();
    bob.ask(&link(1, 10, secret), Some(name("Ada")), 1000).unwrap();
    let ask = Purpose::Ask(person(1).id(), secret);
    let results = run(&mut bob, ask.clone(), &mut ada, None, &[]);
    assert_eq!(results[0], Ok(Met { person: person(1).id(), news: true }));
    assert_eq!(results[1], Ok(Met { person: person(2).id(), news: true }));
    assert_eq!((ids(&ada), ids(&bob)), (vec![person(2).id()], vec![person(1).id()]));
    assert_eq!(ada.person_of(&key(20).id()), Some(person(2).id()));
    assert_eq!(
        (ada.hints(&key(20).id()), bob.hints(&key(10).id())),
        (&["127.0.0.1:1".into()][..], &["127.0.0.1:2".into()][..])
    );

    // Again, after the answer was lost: they are contacts already.
    assert!(run(&mut bob, ask.clone(), &mut ada, None, &[])[0].is_ok());
    // Eve has seen the link.
    let mut eve = book(3, 30, &[30]);
    eve.ask(&link(1, 10, secret), None, 1000).unwrap();
    let results = run(&mut eve, ask, &mut ada, None, &[]);
    assert_eq!(results[0], Err(Failure::Refused(Refused::Invitation)));
    assert!(!ada.is_contact(&person(3).id()) && ada.person(&person(3).id()).is_none());
}

fn befriend(one: &mut Book, of: u8, node: u8, other: &mut Book) {
    let secret = Secret([of; 16]);
    other.invite(secret, false, None, 1000).unwrap();
    let them = other.own().unwrap().id();
    let nodes = vec![LinkNode { node: other.node(), hints: vec![] }];
    one.ask(&ContactLink { person: them, name: None, nodes, secret }, None, 1000).unwrap();
    assert!(run(one, Purpose::Ask(them, secret), other, None, &[])[0].is_ok(), "{of} {node}");
}

#[test]
fn strangers_and_the_blocked_are_told_alike_that_nobody_knows_them() {
    let (mut ada, mut bob) = (book(1, 10, &[10]), book(2, 20, &[20]));
    let meet = || Purpose::Meet(person(1).id());
    assert_eq!(run(&mut bob, meet(), &mut ada, None, &[])[0], Err(Failure::Refused(Refused::Unknown)));
    befriend(&mut bob, 2, 20, &mut ada);
    assert!(run(&mut bob, meet(), &mut ada, None, &[])[0].is_ok());
    ada.block(person(2).id(), true, 2000).unwrap();
    assert_eq!(run(&mut bob, meet(), &mut ada, None, &[])[0], Err(Failure::Refused(Refused::Unknown)));
    ada.block(person(2).id(), false, 3000).unwrap();
    ada.remove(person(2).id(), 4000).unwrap();
    assert_eq!(run(&mut bob, meet(), &mut ada, None, &[])[0], Err(Failure::Refused(Refused::Unknown)));
}

#[test]
fn a_node_that_answers_for_somebody_else_is_left() {
    let (mut eve, mut bob) = (book(3, 30, &[30]), book(2, 20, &[20]));
    let secret = Secret([7; 16]);
    eve.invite(secret, true, None, 1000).unwrap();
    // The link says Ada; the node is Eve's.
    bob.ask(&link(1, 30, secret), None, 1000).unwrap();
    assert_eq!(run(&mut bob, Purpose::Ask(person(1).id(), secret), &mut eve, None, &[])[0], Err(Failure::NotTheirs));
    assert!(ids(&bob).is_empty());
}

#[test]
fn a_phone_joins_with_the_code_and_has_the_whole_book() {
    let (mut laptop, mut bob) = (book(1, 10, &[10]), book(2, 20, &[20]));
    befriend(&mut bob, 2, 20, &mut laptop);
    let code = Secret([9; 16]);
    let join = |secret| Purpose::Join(secret, name("phone"), Box::new(key(11)));
    let mut phone = Book::new(key(11).id(), Stored::default());
    let wrong = run(&mut phone, join(Secret([8; 16])), &mut laptop, Some(code), &[1]);
    assert_eq!(wrong[0], Err(Failure::Refused(Refused::Code)));
    let late = run(&mut phone, join(code), &mut laptop, None, &[1]);
    assert_eq!(late[0], Err(Failure::Refused(Refused::Code)));
    let locked = run(&mut phone, join(code), &mut laptop, Some(code), &[]);
    assert!(locked[0].is_err() && phone.own().is_none());

    let results = run(&mut phone, join(code), &mut laptop, Some(code), &[1]);
    assert_eq!(results[0], Ok(Met { person: person(1).id(), news: true }));
    assert!(results[1].is_ok() && laptop.own().unwrap().has(&key(11).id()));
    assert_eq!(phone.own(), laptop.own());
    assert_eq!(ids(&phone), [person(2).id()]);
    assert_eq!(phone.person_of(&key(20).id()), Some(person(2).id()), "with the lists of contacts");
    assert_eq!(phone.hints(&key(20).id()), laptop.hints(&key(20).id()), "and where they are");
    assert!(!phone.hints(&key(20).id()).is_empty());
    // Bob hears of the phone from the phone itself.
    assert!(run(&mut phone, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    assert_eq!(bob.person_of(&key(11).id()), Some(person(1).id()));
}

#[test]
fn a_revoked_phone_is_refused_by_whoever_has_heard_of_it_and_the_news_spreads_by_contacts_in_common() {
    let (mut laptop, mut phone) = (book(1, 10, &[10, 11]), book(1, 11, &[10, 11]));
    let (mut bob, mut carol) = (book(2, 20, &[20]), book(4, 40, &[40]));
    befriend(&mut bob, 2, 20, &mut laptop);
    befriend(&mut carol, 4, 40, &mut laptop);
    befriend(&mut bob, 5, 20, &mut carol);
    assert!(run(&mut phone, Purpose::Meet(person(1).id()), &mut laptop, None, &[])[0].is_ok());
    assert!(run(&mut phone, Purpose::Meet(person(4).id()), &mut carol, None, &[])[0].is_ok());

    let mut next = laptop.own().unwrap().newest().list().next();
    next.revoke(key(11).id()).unwrap();
    laptop.learn(&person(1).sign(next).unwrap());
    // Ada's laptop meets Bob alone; Carol hears it of Bob.
    assert!(run(&mut laptop, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    let met = run(&mut bob, Purpose::Meet(person(4).id()), &mut carol, None, &[]);
    assert_eq!(met[1], Ok(Met { person: person(2).id(), news: true }));
    assert!(carol.is_revoked(&key(11).id()));
    assert!(!phone.is_out() && phone.admits(&key(20).id()));
    let refused = run(&mut phone, Purpose::Meet(person(4).id()), &mut carol, None, &[]);
    assert_eq!(refused[0], Err(Failure::Refused(Refused::Revoked)));
    // Carol has shown it what Ada signed: it knows by itself from now on, and speaks to nobody.
    assert!(phone.is_out() && !phone.admits(&key(20).id()) && !phone.admits(&key(10).id()));
    assert_eq!(phone.own().unwrap().newest(), laptop.own().unwrap().newest());
    let refused = run(&mut phone, Purpose::Meet(person(1).id()), &mut laptop, None, &[]);
    assert_eq!(refused[0], Err(Failure::Refused(Refused::Revoked)));
}

#[test]
fn nobody_makes_a_node_believe_that_it_was_revoked_but_its_own_person() {
    let (mut phone, mut bob) = (book(1, 11, &[10, 11]), book(2, 20, &[20]));
    befriend(&mut phone, 1, 11, &mut bob);
    let said = |list: SignedNodeList, phone: &mut Book| {
        let now = Now::default();
        let role = Role::Dialler(Purpose::Meet(person(2).id()));
        let mut exchange = Exchange::new(now, phone, key(20).id(), role, Vec::new(), [0; 16]);
        exchange.handle(now, phone, Input::Frame(Message::Revoked(list.encode()).encode()));
        let is_end = |output: Output| match output {
            Output::Finished(result) => Some(result),
            _ => None,
        };
        std::iter::from_fn(|| exchange.poll_output()).find_map(is_end).unwrap()
    };
    // Bob's own list says nothing of Ada's phone; Ada's list does not revoke it.
    for list in [bob.own().unwrap().newest().clone(), phone.own().unwrap().newest().clone()] {
        assert!(matches!(said(list, &mut phone), Err(Failure::Protocol(_))));
        assert!(!phone.is_out() && phone.admits(&key(10).id()));
    }
}

#[test]
fn nobody_learns_of_contacts_that_the_other_has_alone() {
    let (mut ada, mut bob, mut carol) = (book(1, 10, &[10]), book(2, 20, &[20]), book(4, 40, &[40]));
    befriend(&mut bob, 2, 20, &mut ada);
    befriend(&mut carol, 4, 40, &mut ada);
    assert!(run(&mut bob, Purpose::Meet(person(1).id()), &mut ada, None, &[])[0].is_ok());
    assert!(bob.person(&person(4).id()).is_none());
}

#[test]
fn a_fellow_member_hears_of_common_groups_and_of_nobody_else_we_know() {
    let (mut ada, mut carol) = (book(1, 10, &[10]), book(4, 40, &[40]));
    let (mut mallory, dave, erin) = (book(6, 60, &[60]), book(7, 70, &[70]), book(8, 80, &[80]));
    befriend(&mut carol, 4, 40, &mut ada);
    let [own, fellow, common, other] = [1, 6, 7, 8].map(|n| person(n).id());
    ada.watch(vec![[own, fellow, common].into(), [own, other].into()]);
    for member in [&mallory, &dave, &erin] {
        ada.learn(member.own().unwrap().newest());
    }
    // Mallory guesses whom Ada may know, and says to have old lists of them.
    mallory.watch(vec![[own, common, other, person(4).id()].into()]);
    for n in [4, 7, 8] {
        mallory.learn(&person(n).sign(NodeList::new(person(n).id(), name("old"))).unwrap());
    }
    let results = run(&mut mallory, Purpose::Meet(own), &mut ada, None, &[]);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let nodes = |n: u8| mallory.person(&person(n).id()).unwrap().nodes().count();
    assert_eq!((nodes(7), nodes(8), nodes(4)), (1, 0, 0), "of Dave alone, who is in the group with her");

    // Nor does Ada say by any hash that she knows the others.
    let mut exchange = Exchange::new(now(), &ada, key(60).id(), Role::Listener(None), vec![], [2; 16]);
    let list = mallory.own().unwrap().newest().encode();
    let hello = Message::Hello { list, hints: vec![], wish: message::Wish::Meet };
    exchange.handle(now(), &mut ada, Input::Frame(hello.encode()));
    let known = std::iter::from_fn(|| exchange.poll_output()).find_map(|output| match output {
        Output::Send(frame) => match Message::decode(&frame) {
            Ok(Message::Known { lists, .. }) => Some(lists.len()),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(known, Some(3), "Ada, Mallory and Dave");
}

/// The book of a node that was restored from the phrase: its list is older than any, and names it alone.
fn restored(of: u8, node: u8) -> Book {
    let mut list = NodeList::new(person(of).id(), name("somebody"));
    list.add(key(node).id(), &name("new"), 0, key(node).consent(person(of).id())).unwrap();
    let mut book = Book::new(key(node).id(), Stored::default());
    book.adopt(person(of).sign(list).unwrap());
    book
}

#[test]
fn a_restored_node_comes_back_into_the_list_and_gets_the_book() {
    let (mut laptop, mut bob) = (book(1, 10, &[10]), book(2, 20, &[20]));
    befriend(&mut bob, 2, 20, &mut laptop);
    let mut new = restored(1, 40);
    let locked = run(&mut new, Purpose::Meet(person(1).id()), &mut laptop, None, &[]);
    assert_eq!(locked[0], Err(Failure::CannotSign));
    let mut new = restored(1, 40);
    let results = run(&mut new, Purpose::Meet(person(1).id()), &mut laptop, None, &[1]);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(laptop.own().unwrap().has(&key(40).id()) && laptop.own().unwrap().has(&key(10).id()));
    assert_eq!((ids(&new), new.own()), (vec![person(2).id()], laptop.own()));
    // Somebody who does not have the phrase cannot.
    let mut eve = Book::new(key(41).id(), Stored::default());
    eve.adopt(laptop.own().unwrap().newest().clone());
    let refused = run(&mut eve, Purpose::Meet(person(1).id()), &mut laptop, None, &[]);
    assert_eq!(refused[0], Err(Failure::Refused(Refused::List)));
}

#[test]
fn with_every_node_lost_a_contact_gives_back_the_list_and_itself_but_nobody_else() {
    let (mut laptop, mut bob, mut carol) = (book(1, 10, &[10, 11]), book(2, 20, &[20]), book(4, 30, &[30]));
    let mut next = laptop.own().unwrap().newest().list().next();
    next.revoke(key(11).id()).unwrap();
    laptop.learn(&person(1).sign(next).unwrap());
    befriend(&mut bob, 2, 20, &mut laptop);
    befriend(&mut carol, 4, 30, &mut laptop);
    befriend(&mut carol, 4, 30, &mut bob);
    let mut new = restored(1, 40);
    let results = run(&mut new, Purpose::Return, &mut bob, None, &[1]);
    assert_eq!(results[0], Ok(Met { person: person(2).id(), news: true }));
    assert!(results[1].is_ok());
    let list = new.own().unwrap().clone();
    assert!(list.has(&key(40).id()) && list.has(&key(10).id()) && list.is_revoked(&key(11).id()));
    assert_eq!(bob.person(&person(1).id()), Some(&list), "Bob knows the new node");
    assert_eq!(ids(&new), [person(2).id()]);
    assert!(run(&mut new, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok(), "from now on as ever");
    // Carol hears of the node from Bob.
    assert!(run(&mut bob, Purpose::Meet(person(4).id()), &mut carol, None, &[])[0].is_ok());
    assert_eq!(carol.person_of(&key(40).id()), Some(person(1).id()));

    // By an invitation, which the other has no need of any more.
    let mut again = restored(1, 41);
    let secret = Secret([7; 16]);
    bob.invite(secret, false, None, 1000).unwrap();
    again.ask(&link(2, 20, secret), None, 1000).unwrap();
    assert!(run(&mut again, Purpose::Ask(person(2).id(), secret), &mut bob, None, &[1])[0].is_ok());
    assert!(again.own().unwrap().has(&key(40).id()) && ids(&again) == [person(2).id()]);
    assert!(bob.invite_of(&secret.invite()).unwrap().is_open(2), "it was not used up");
}

#[test]
fn a_contact_keeps_the_sealed_book_and_gives_it_back_to_its_person_alone() {
    let (mut laptop, mut bob, mut carol) = (book(1, 10, &[10]), book(2, 20, &[20]), book(4, 30, &[30]));
    befriend(&mut bob, 2, 20, &mut laptop);
    befriend(&mut carol, 4, 30, &mut laptop);
    befriend(&mut carol, 4, 30, &mut bob);
    deposit(&mut laptop, 50);
    let ada = person(1).id();
    assert!(run(&mut laptop, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    assert_eq!(bob.kept(&ada).map(|parcel| parcel.stamp), Some(50));
    // Carol, who asks Bob next, gets nothing of it.
    assert!(run(&mut carol, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    assert!(carol.kept(&ada).is_none());

    let mut new = restored(1, 40);
    assert!(run(&mut new, Purpose::Return, &mut bob, None, &[1])[0].is_ok());
    assert_eq!(ids(&new).len(), 2, "Carol is back although only Bob was asked");
    assert_eq!(new.person_of(&key(30).id()), Some(person(4).id()));
    // A later parcel replaces it; an earlier one does not.
    deposit(&mut new, 60);
    assert!(run(&mut new, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    assert!(run(&mut laptop, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    assert_eq!(bob.kept(&ada).map(|parcel| parcel.stamp), Some(60));
    // Whom Ada removes keeps nothing for her.
    bob.remove(ada, 5000).unwrap();
    assert!(!bob.keep(ada, Parcel { stamp: 70, sealed: vec![] }));
}

#[test]
fn a_fellow_member_gives_back_the_list_without_becoming_a_contact_and_a_stranger_gives_nothing() {
    let (laptop, mut bob) = (book(1, 10, &[10]), book(2, 20, &[20]));
    let mut new = restored(1, 40);
    let refused = run(&mut new, Purpose::Return, &mut bob, None, &[1]);
    assert_eq!(refused[0], Err(Failure::Refused(Refused::Unknown)));
    bob.watch(vec![[person(1).id()].into()]);
    bob.learn(laptop.own().unwrap().newest());
    let mut new = restored(1, 40);
    assert!(run(&mut new, Purpose::Return, &mut bob, None, &[1])[0].is_ok());
    assert!(new.own().unwrap().has(&key(10).id()) && ids(&new).is_empty());
    assert!(bob.person(&person(1).id()).unwrap().has(&key(40).id()));
    // Eve has another phrase.
    let mut eve = restored(3, 41);
    assert_eq!(run(&mut eve, Purpose::Return, &mut bob, None, &[3])[0], Err(Failure::Refused(Refused::Unknown)));
}

#[test]
fn a_revoked_node_does_not_come_back_by_the_phrase() {
    let (mut laptop, mut bob) = (book(1, 10, &[10, 11]), book(2, 20, &[20]));
    befriend(&mut bob, 2, 20, &mut laptop);
    let mut next = laptop.own().unwrap().newest().list().next();
    next.revoke(key(11).id()).unwrap();
    laptop.learn(&person(1).sign(next).unwrap());
    assert!(run(&mut laptop, Purpose::Meet(person(2).id()), &mut bob, None, &[])[0].is_ok());
    let mut thief = restored(1, 11);
    for other in [&mut laptop, &mut bob] {
        let refused = run(&mut thief, Purpose::Return, other, None, &[1]);
        assert_eq!(refused[0], Err(Failure::Refused(Refused::Revoked)));
    }
    assert!(ids(&thief).is_empty());
}

#[test]
fn nothing_that_a_stranger_signed_is_verified() {
    let mut ada = book(1, 10, &[10]);
    let hello = |list: Vec<u8>, wish| Input::Frame(Message::Hello { list, hints: vec![], wish }.encode());
    let mut answers = |input| {
        let mut exchange = Exchange::new(now(), &ada, key(30).id(), Role::Listener(None), vec![], [0; 16]);
        assert_eq!(exchange.frame_limit(), MAX_HELLO_BYTES);
        exchange.handle(now(), &mut ada, input);
        while let Some(output) = exchange.poll_output() {
            if let Output::Finished(result) = output {
                return result.unwrap_err();
            }
        }
        panic!("Eve is let in");
    };
    // Of Eve's list, and of one that says to be Ada's, the signature is wrong: that of Eve's is not even looked at.
    let forged = |of: u8| {
        let mut list = book(of, 30, &[30]).own().unwrap().newest().encode();
        *list.last_mut().unwrap() ^= 1;
        list
    };
    assert_eq!(answers(hello(forged(3), message::Wish::Meet)), Failure::WeRefused(Refused::Unknown));
    let guess = message::Wish::Ask(Secret([1; 16]));
    assert_eq!(answers(hello(forged(3), guess)), Failure::WeRefused(Refused::Invitation));
    assert_eq!(answers(hello(forged(1), message::Wish::Meet)), Failure::WeRefused(Refused::List));
}

#[test]
fn whoever_says_nothing_is_left() {
    let mut ada = book(1, 10, &[10]);
    let mut exchange = Exchange::new(now(), &ada, key(20).id(), Role::Listener(None), vec![], [0; 16]);
    assert_eq!(exchange.poll_timeout(), Some(Instant::START + FIRST_TIME_LIMIT));
    exchange.handle(now(), &mut ada, Input::Timeout);
    assert!(exchange.poll_output().is_none(), "too early");
    let late = Now { mono: Instant::START + TIME_LIMIT, ..now() };
    exchange.handle(late, &mut ada, Input::Timeout);
    assert!(matches!(exchange.poll_output(), Some(Output::Finished(Err(Failure::Timeout)))));
    assert_eq!(exchange.poll_timeout(), None);
}

proptest! {
    #[test]
    fn a_stranger_changes_nothing_whatever_it_sends(
        frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 1..8),
        kinds in proptest::collection::vec(0..12u8, 8),
    ) {
        let mut ada = book(1, 10, &[10]);
        ada.invite(Secret([1; 16]), true, None, 1000).unwrap();
        ada.take_changes();
        let mut exchange = Exchange::new(now(), &ada, key(20).id(), Role::Listener(None), vec![], [0; 16]);
        for (frame, kind) in frames.into_iter().zip(kinds) {
            let frame = [vec![kind], frame].concat();
            exchange.handle(now(), &mut ada, Input::Frame(frame));
        }
        prop_assert!(ada.take_changes().is_empty());
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}
