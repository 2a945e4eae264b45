//! Ada, who has a laptop and a phone, and loses the phone.

use proptest::prelude::*;

use super::*;

fn ada() -> PersonKey {
    PersonKey::from_secret(&[1; 32])
}

fn key(n: u8) -> NodeKey {
    NodeKey::from_secret(&[n; 32])
}

fn id(n: u8) -> NodeId {
    key(n).id()
}

fn add(list: &mut NodeList, n: u8, called: &str) {
    list.add(id(n), &name(called), u64::from(n), key(n).consent(ada().id())).unwrap();
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn first() -> NodeList {
    let mut list = NodeList::new(ada().id(), name("Ada"));
    add(&mut list, 10, "laptop");
    list
}

#[test]
fn a_signed_list_is_read_back_and_every_change_of_a_byte_is_refused() {
    let mut list = first();
    add(&mut list, 20, "phone");
    add(&mut list, 30, "old phone");
    list.revoke(id(30)).unwrap();
    let signed = ada().sign(list).unwrap();
    let bytes = signed.encode();
    assert_eq!(SignedNodeList::decode(&bytes).unwrap(), signed);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(SignedNodeList::decode(&changed).is_err(), "byte {at}");
        assert!(SignedNodeList::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    assert!(SignedNodeList::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn nobody_signs_for_another() {
    let bob = PersonKey::from_secret(&[2; 32]);
    assert_eq!(bob.sign(first()), Err(NodeListError::Signature));
}

#[test]
fn the_phone_is_lost_and_never_comes_back() {
    let phone = id(20);
    let mut with_phone = first().next();
    add(&mut with_phone, 20, "phone");
    let mut without = with_phone.next();
    without.revoke(phone).unwrap();
    assert_eq!(
        without.clone().add(phone, &name("phone"), 300, key(20).consent(ada().id())),
        Err(NodeListError::Revoked)
    );
    // Whoever stole the phrase as well writes it in again.
    let mut forged = with_phone.next().next();
    forged.revoked.clear();
    let sign = |list: &NodeList| ada().sign(list.clone()).unwrap();

    let mut known = KnownPerson::new(sign(&with_phone));
    assert!(known.has(&phone));
    assert!(known.learn(&sign(&without)));
    assert!(!known.has(&phone) && known.is_revoked(&phone));
    assert!(!known.learn(&sign(&with_phone)), "the older list says nothing new");
    assert!(known.learn(&sign(&forged)));
    assert!(!known.has(&phone) && known.has(&id(10)));
}

#[test]
fn two_changes_at_once_are_merged() {
    let (mut at_home, mut abroad) = (first().next(), first().next());
    add(&mut at_home, 20, "phone");
    abroad.revoke(id(10)).unwrap();
    add(&mut abroad, 30, "phone");
    let mut merged = at_home.clone();
    merged.merge(&abroad);
    let names: BTreeSet<_> = merged.nodes.values().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["phone", "phone 2"]));
    assert!(merged.revoked.contains_key(&id(10)));
}

#[test]
fn nobody_takes_anothers_node_nor_has_it_refused() {
    let eve = PersonKey::from_secret(&[3; 32]);
    let mut list = NodeList::new(eve.id(), name("Eve"));
    let entry = first().nodes[&id(10)].clone();
    let refused = list.add(id(10), &entry.name, 0, entry.consent);
    assert_eq!(refused, Err(NodeListError::Consent));
    for place in [true, false] {
        let mut list = list.clone();
        if place {
            list.nodes.insert(id(10), entry.clone());
        } else {
            list.revoked.insert(id(10), entry.consent);
        }
        let bytes = eve.sign(list).unwrap().encode();
        assert_eq!(SignedNodeList::decode(&bytes), Err(NodeListError::Consent));
    }
}

#[test]
fn a_list_has_a_limit() {
    let mut list = NodeList::new(ada().id(), name(&"y".repeat(64)));
    for n in 0..MAX_REVOKED as u8 {
        add(&mut list, n, "x");
        list.revoke(id(n)).unwrap();
    }
    let last = MAX_REVOKED as u8 + MAX_NODES as u8;
    for n in MAX_REVOKED as u8..last {
        add(&mut list, n, &"x".repeat(64));
    }
    assert_eq!(list.revoke(id(last - 1)), Err(NodeListError::RevokedFull));
    let full = list.add(id(last), &name("one more"), 0, key(last).consent(ada().id()));
    assert_eq!(full, Err(NodeListError::Full));
    let bytes = ada().sign(list).unwrap().encode();
    assert!(bytes.len() <= MAX_LIST_BYTES, "{}", bytes.len());
    assert!(SignedNodeList::decode(&bytes).is_ok());
}

fn any_list() -> impl Strategy<Value = SignedNodeList> {
    let ids = || proptest::collection::btree_set(0..8u8, 0..4);
    (0..4u64, ids(), ids(), "[a-z]{1,3}").prop_map(|(seq, nodes, revoked, text)| {
        let mut list = NodeList::new(ada().id(), name(&text));
        list.seq = seq;
        for node in revoked {
            add(&mut list, node, &text);
            list.revoke(id(node)).unwrap();
        }
        for node in nodes {
            if !list.revoked.contains_key(&id(node)) {
                add(&mut list, node, &text);
            }
        }
        ada().sign(list).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everybody_who_saw_the_same_lists_knows_the_same(lists in proptest::collection::vec(any_list(), 1..6)) {
        let forth = lists.iter().fold(KnownPerson::new(lists[0].clone()), |mut known, list| { known.learn(list); known });
        let last = lists[lists.len() - 1].clone();
        let mut back = KnownPerson::new(last);
        for list in lists.iter().rev().chain(&lists) {
            back.learn(list);
        }
        prop_assert_eq!(&forth, &back);
        for list in &lists {
            prop_assert!(!back.learn(list));
            prop_assert!(list.list().revoked.keys().all(|node| !back.has(node)));
        }
    }

    #[test]
    fn bytes_are_the_list_and_the_list_is_the_bytes(list in any_list()) {
        let bytes = list.encode();
        let read = SignedNodeList::decode(&bytes).unwrap();
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SignedNodeList::decode(&bytes);
    }
}
