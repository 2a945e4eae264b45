//! Ada, who has a laptop and a phone, and loses the phone.

use proptest::prelude::*;

use super::*;

fn ada() -> PersonKey {
    PersonKey::from_secret(&[1; 32])
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn first() -> NodeList {
    let mut list = NodeList::new(ada().id(), name("Ada"));
    list.add(NodeId([10; 32]), &name("laptop"), 100).unwrap();
    list
}

#[test]
fn a_signed_list_is_read_back_and_every_change_of_a_byte_is_refused() {
    let mut list = first();
    list.add(NodeId([20; 32]), &name("phone"), 200).unwrap();
    list.revoke(NodeId([30; 32])).unwrap();
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
    let phone = NodeId([20; 32]);
    let mut with_phone = first().next();
    with_phone.add(phone, &name("phone"), 200).unwrap();
    let mut without = with_phone.next();
    without.revoke(phone).unwrap();
    assert_eq!(without.clone().add(phone, &name("phone"), 300), Err(NodeListError::Revoked));
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
    assert!(!known.has(&phone) && known.has(&NodeId([10; 32])));
}

#[test]
fn two_changes_at_once_are_merged() {
    let (mut at_home, mut abroad) = (first().next(), first().next());
    at_home.add(NodeId([20; 32]), &name("phone"), 200).unwrap();
    abroad.revoke(NodeId([10; 32])).unwrap();
    abroad.add(NodeId([30; 32]), &name("phone"), 200).unwrap();
    let mut merged = at_home.clone();
    merged.merge(&abroad);
    let names: Vec<_> = merged.nodes.values().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["phone", "phone 2"]);
    assert!(merged.revoked.contains(&NodeId([10; 32])));
}

#[test]
fn a_list_has_a_limit() {
    let mut list = first();
    for n in 0..MAX_NODES as u8 - 1 {
        list.add(NodeId([100 + n; 32]), &name(&"x".repeat(64)), 0).unwrap();
    }
    assert_eq!(list.add(NodeId([99; 32]), &name("one more"), 0), Err(NodeListError::Full));
    for n in 0..MAX_REVOKED as u16 {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&n.to_be_bytes());
        list.revoke(NodeId(id)).unwrap();
    }
    assert_eq!(list.revoke(NodeId([99; 32])), Err(NodeListError::RevokedFull));
    list.name = name(&"y".repeat(64));
    let bytes = ada().sign(list).unwrap().encode();
    assert!(bytes.len() <= MAX_LIST_BYTES, "{}", bytes.len());
    assert!(SignedNodeList::decode(&bytes).is_ok());
}

fn any_list() -> impl Strategy<Value = SignedNodeList> {
    let ids = || proptest::collection::btree_set(0..8u8, 0..4);
    (0..4u64, ids(), ids(), "[a-z]{1,3}").prop_map(|(seq, nodes, revoked, text)| {
        let mut list = NodeList::new(ada().id(), name(&text));
        list.seq = seq;
        for node in nodes {
            list.add(NodeId([node; 32]), &name(&text), 0).unwrap();
        }
        for node in revoked {
            list.revoke(NodeId([node; 32])).unwrap();
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
            prop_assert!(list.list().revoked.iter().all(|node| !back.has(node)));
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
