//! Stories of who gets a place in the table and who keeps it.

use super::*;

const RTT: Duration = Duration::from_millis(50);

fn own() -> Id {
    Id([0; 20])
}

fn at(minutes: u64) -> Instant {
    Instant::START + Duration::from_secs(60 * minutes)
}

/// A node that shares `bits` bits with us, at an address of its own.
fn node(bits: usize, n: u32, rng: &mut fastrand::Rng) -> NodeAddress {
    let id = own().random_sharing(bits, rng);
    NodeAddress { id, address: (core::net::Ipv4Addr::from(0x0a00_0000 + n), 6881).into() }
}

fn fill(table: &mut Table, bits: usize, count: u32, first: u32) -> Vec<NodeAddress> {
    let mut rng = fastrand::Rng::with_seed(u64::from(first));
    let nodes: Vec<NodeAddress> = (0..count).map(|i| node(bits, first + i, &mut rng)).collect();
    nodes.iter().for_each(|&node| table.answered(at(1), node, RTT));
    nodes
}

fn has(table: &Table, node: &NodeAddress) -> bool {
    table.nodes(at(1)).iter().any(|status| status.id == node.id && !status.replacement)
}

#[test]
fn many_nodes_near_us_are_known_and_few_far_away() {
    let mut table = Table::new(own());
    for bits in 0..10 {
        fill(&mut table, bits, 20, bits as u32 * 100);
    }
    let buckets = table.buckets(at(1));
    assert_eq!(buckets.len(), 11, "{buckets:?}");
    let buckets = &buckets[..10];
    assert!(buckets.iter().all(|bucket| bucket.good == 8), "{buckets:?}");
    assert!(buckets[..9].iter().all(|bucket| bucket.replacements == 8), "{buckets:?}");
}

#[test]
fn who_answers_keeps_its_place() {
    let mut table = Table::new(own());
    fill(&mut table, 1, 8, 100);
    let first = fill(&mut table, 0, 8, 0);
    let later = fill(&mut table, 0, 100, 1000);
    assert!(first.iter().all(|node| has(&table, node)));
    assert!(!later.iter().any(|node| has(&table, node)));
}

#[test]
fn a_silent_node_is_asked_before_it_goes_and_then_makes_place() {
    let mut table = Table::new(own());
    fill(&mut table, 1, 8, 100);
    let first = fill(&mut table, 0, 8, 0);
    let waiting = fill(&mut table, 0, 1, 50);
    assert_eq!(table.due(at(15)), None);
    let due = table.due(at(16)).unwrap().node;
    table.asked(at(16), due.address, &due.id);
    assert_ne!(table.due(at(16)).unwrap().node, due, "one at a time");
    table.failed(due.address, &due.id);
    assert!(has(&table, &due), "once is no proof");
    table.failed(due.address, &due.id);
    assert!(!has(&table, &due));
    if first.contains(&due) {
        assert!(has(&table, &waiting[0]));
    }
}

#[test]
fn an_id_that_suits_its_address_is_preferred() {
    let mut rng = fastrand::Rng::with_seed(1);
    let public = |n: u32| SocketAddr::from((core::net::Ipv4Addr::from(0x5000_0000 + (n << 8)), 1));
    let mut table = Table::new(own());
    // So that the first bucket cannot split.
    fill(&mut table, 1, 9, 100);
    let unsuited: Vec<NodeAddress> =
        (0..8).map(|n| NodeAddress { id: own().random_sharing(0, &mut rng), address: public(n) }).collect();
    unsuited.iter().for_each(|&node| table.answered(at(1), node, RTT));
    assert!(unsuited.iter().all(|node| has(&table, node)));
    for n in 100..200 {
        let id = Id::for_address(public(n).ip(), &mut rng);
        table.answered(at(2), NodeAddress { id, address: public(n) }, RTT);
    }
    assert!(!unsuited.iter().any(|node| has(&table, node)));
}

#[test]
fn one_network_cannot_fill_the_table() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut table = Table::new(own());
    for n in 0..256 {
        let address: SocketAddr = (core::net::Ipv4Addr::from(0x5000_0000 + n), 1).into();
        table.answered(at(1), NodeAddress { id: Id::for_address(address.ip(), &mut rng), address }, RTT);
        // The same address again, with other ids and ports.
        let other = NodeAddress { id: Id::for_address(address.ip(), &mut rng), address: (address.ip(), 2).into() };
        table.answered(at(1), other, RTT);
    }
    assert!(table.len() <= NEIGHBOURS_IN_TABLE, "{}", table.len());
    // On a machine of ours any number may run.
    for port in 1..=100 {
        let id = Id::random(&mut rng);
        table.answered(at(1), NodeAddress { id, address: ([127, 0, 0, 1], port).into() }, RTT);
    }
    assert!(table.len() > 20, "{}", table.len());
}

#[test]
fn the_nearest_come_first_and_the_doubtful_last() {
    let mut table = Table::new(own());
    for bits in 0..6 {
        fill(&mut table, bits, 8, bits as u32 * 100);
    }
    let target = own().random_sharing(3, &mut fastrand::Rng::with_seed(9));
    let closest = table.closest(at(1), &target, K);
    assert_eq!(closest.len(), K);
    assert!(closest.windows(2).all(|pair| target.distance(&pair[0].id) < target.distance(&pair[1].id)));
    let nearest = closest[0];
    table.failed(nearest.address, &nearest.id);
    assert!(!table.closest(at(1), &target, K).contains(&nearest));
    assert_eq!(table.closest(at(100), &target, 100).len(), table.len() - 1, "better doubtful than none");
}

#[test]
fn a_new_id_of_ours_keeps_the_nodes() {
    let mut table = Table::new(own());
    for bits in 0..4 {
        fill(&mut table, bits, 8, bits as u32 * 100);
    }
    let before = table.len();
    table.rename(Id([0x55; 20]));
    assert!(table.len() > before / 2);
    assert_eq!(table.own(), Id([0x55; 20]));
}
