//! Ada's book, on her laptop.

use super::*;
use crate::proto::link::LinkNode;
use crate::proto::{NodeKey, NodeList, PersonKey};

fn key(n: u8) -> NodeKey {
    NodeKey::from_secret(&[n; 32])
}

fn person(n: u8) -> PersonKey {
    PersonKey::from_secret(&[n; 32])
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn list(of: u8, called: &str, nodes: &[u8]) -> NodeList {
    let mut list = NodeList::new(person(of).id(), name(called)).next();
    for n in nodes {
        list.add(key(*n).id(), &name("node"), 0, key(*n).consent(person(of).id())).unwrap();
    }
    list
}

fn ada() -> Book {
    let mut book = Book::new(key(10).id(), Stored::default());
    book.adopt(person(1).sign(list(1, "Ada", &[10])).unwrap());
    book
}

fn link_of(n: u8, secret: u8) -> ContactLink {
    let node = LinkNode { node: key(n * 10).id(), hints: vec!["127.0.0.1:4".into()] };
    ContactLink { person: person(n).id(), name: Some(name("Bob")), nodes: vec![node], secret: Secret([secret; 16]) }
}

#[test]
fn an_invitation_for_one_serves_one_and_a_standing_one_until_it_is_taken_back() {
    let mut book = ada();
    let (once, standing) = (Secret([1; 16]), Secret([2; 16]));
    book.invite(once, false, None, 1000).unwrap();
    let id = book.invite(standing, true, None, 1000).unwrap();
    let expired = Secret([3; 16]);
    book.invite(expired, true, Some(5), 1000).unwrap();
    let (bob, eve) = (person(2).id(), person(3).id());
    assert!(book.redeem(&once, bob, 2000));
    assert!(!book.redeem(&once, eve, 2000), "it was for one");
    assert!(book.is_contact(&bob) && !book.is_contact(&eve));
    assert!(book.redeem(&standing, bob, 2000) && book.redeem(&standing, eve, 2000));
    assert!(book.revoke_invite(id, 3000));
    assert!(!book.redeem(&standing, person(4).id(), 4000));
    assert!(!book.redeem(&expired, person(4).id(), 5000));
    assert!(!book.redeem(&Secret([9; 16]), person(4).id(), 4000));
}

#[test]
fn lists_of_strangers_are_not_kept() {
    let mut book = ada();
    let bob = person(2).sign(list(2, "Bob", &[20])).unwrap();
    assert!(!book.learn(&bob) && book.person_of(&key(20).id()).is_none());
    book.ask(&link_of(2, 1), None, 1000).unwrap();
    assert!(book.learn(&bob) && !book.learn(&bob));
    assert_eq!(book.person_of(&key(20).id()), Some(bob.person()));
    let eve = person(3).sign(list(3, "Eve", &[30])).unwrap();
    book.watch(vec![BTreeSet::from([eve.person()])]);
    assert!(book.learn(&eve));
}

#[test]
fn a_blocked_person_and_a_revoked_node_are_not_admitted() {
    let mut book = ada();
    let bob = list(2, "Bob", &[20, 21]);
    book.ask(&link_of(2, 1), None, 1000).unwrap();
    book.learn(&person(2).sign(bob.clone()).unwrap());
    assert!(book.admits(&key(20).id()) && book.admits(&key(99).id()), "strangers are the gate's business");
    let mut next = bob.next();
    next.revoke(key(21).id()).unwrap();
    book.learn(&person(2).sign(next).unwrap());
    assert!(book.admits(&key(20).id()) && !book.admits(&key(21).id()));
    book.block(person(2).id(), true, 2000).unwrap();
    assert!(!book.admits(&key(20).id()));
    book.remove(person(2).id(), 3000).unwrap();
    assert!(!book.admits(&key(20).id()), "a blocked person that is removed stays blocked");
    book.block(person(2).id(), false, 4000).unwrap();
    assert!(book.admits(&key(20).id()) && !book.is_contact(&person(2).id()));
}

#[test]
fn a_contact_is_found_by_every_name_it_has() {
    let mut book = ada();
    book.ask(&link_of(2, 1), None, 1000).unwrap();
    let bob = person(2).id();
    assert_eq!(book.find("bob"), Ok(bob), "by the name in the link");
    book.learn(&person(2).sign(list(2, "Robert", &[20])).unwrap());
    assert_eq!((book.find("Robert"), book.find("bob")), (Ok(bob), Err(vec![])));
    book.rename(bob, Some(name("Bobby")), 2000).unwrap();
    assert_eq!((book.find("Bobby"), book.name_of(&bob).as_str()), (Ok(bob), "Bobby"));
    assert_eq!(book.find(&bob.to_string()), Ok(bob));
    assert_eq!(book.find(&bob.to_string()[..8]), Ok(bob));
    book.ask(&link_of(3, 1), None, 1000).unwrap();
    assert_eq!(book.rename(person(3).id(), Some(name("Bobby")), 3000), Err(BookError::NameTaken));
    book.learn(&person(3).sign(list(3, "Bobby", &[30])).unwrap());
    assert_eq!(book.find("Bobby").unwrap_err().len(), 2);
}

#[test]
fn the_nodes_of_a_person_come_to_the_same_book() {
    let (mut laptop, mut phone) = (ada(), ada());
    laptop.ask(&link_of(2, 1), Some(name("Bobby")), 1000).unwrap();
    phone.ask(&link_of(2, 1), None, 2000).unwrap();
    phone.accept(person(2).id(), 2500).unwrap();
    phone.ask(&link_of(3, 1), None, 2000).unwrap();
    phone.remove(person(3).id(), 3000).unwrap();
    laptop.ask(&link_of(3, 1), None, 2000).unwrap();
    laptop.invite(Secret([5; 16]), false, None, 2000).unwrap();
    phone.merge(Record::Invite(laptop.invites()[0].clone()));
    assert!(phone.redeem(&Secret([5; 16]), person(4).id(), 4000));
    let (from_laptop, from_phone): (Vec<_>, Vec<_>) = (laptop.records().collect(), phone.records().collect());
    for record in from_phone {
        laptop.merge(record);
    }
    for record in from_laptop {
        phone.merge(record);
    }
    assert!(laptop.records().eq(phone.records()));
    assert!(laptop.is_contact(&person(2).id()) && laptop.is_contact(&person(4).id()));
    assert!(!laptop.is_contact(&person(3).id()));
    assert!(!laptop.redeem(&Secret([5; 16]), person(6).id(), 5000), "used on the phone");
}

#[test]
fn records_are_read_back() {
    let mut book = ada();
    book.ask(&link_of(2, 1), Some(name("Bobby")), 1000).unwrap();
    book.invite(Secret([5; 16]), true, Some(77), 2000).unwrap();
    for record in book.records() {
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record));
        for cut in 0..bytes.len() {
            assert!(Record::decode(&bytes[..cut]).is_err());
        }
    }
}

#[test]
fn a_node_keeps_a_few_hints_of_each_node() {
    let mut book = ada();
    let many: Vec<String> = (0..20).map(|n| format!("127.0.0.1:{n}")).collect();
    book.learn_hints(key(20).id(), &many);
    assert_eq!(book.hints(&key(20).id()).len(), MAX_HINTS);
    book.learn_hints(key(20).id(), &["no\nhint".to_owned()]);
    assert_eq!(book.hints(&key(20).id()).len(), MAX_HINTS, "nothing is no reason to forget");
    let own = ada().ask(&link_of(1, 1), None, 0);
    assert_eq!(own, Err(BookError::Self_));
}
