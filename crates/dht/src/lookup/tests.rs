//! Stories of looking for the nearest nodes among honest ones, dead ones and liars.

use super::*;

const KEY: Id = Id([0x55; 20]);

/// A node at an address and in a neighbourhood of its own, whose id suits it.
fn node(n: u32) -> NodeAddress {
    let mut rng = fastrand::Rng::with_seed(u64::from(n));
    let ip = IpAddr::V4((0x2000_0000 + (n << 8)).into());
    NodeAddress { id: Id::for_address(ip, &mut rng), address: (ip, 6881).into() }
}

/// A node right beside the key, where its address does not allow it to be.
fn intruder(n: u32) -> NodeAddress {
    let mut rng = fastrand::Rng::with_seed(u64::from(n));
    NodeAddress { id: KEY.random_sharing(80, &mut rng), ..node(1_000_000 + n) }
}

fn nearest(mut nodes: Vec<NodeAddress>, count: usize) -> Vec<NodeAddress> {
    nodes.sort_by_key(|node| KEY.distance(&node.id));
    nodes.truncate(count);
    nodes
}

fn answer(lookup: &mut Lookup, node: NodeAddress, named: &[NodeAddress]) {
    lookup.answered(node, Some(node.id), false, Answer { named, token: Some(b"token"), seq: None });
}

/// Runs a look-up: `behave` says what a node names, or `None` if it is dead. Returns whom it asked.
fn run(lookup: &mut Lookup, behave: impl Fn(SocketAddr) -> Option<(NodeAddress, Vec<NodeAddress>)>) -> Vec<SocketAddr> {
    let mut asked = Vec::new();
    while !lookup.is_over() {
        let batch: Vec<(SocketAddr, Option<Id>)> = std::iter::from_fn(|| lookup.next()).collect();
        assert!(!batch.is_empty(), "not over, and nobody to ask");
        for (address, id) in batch {
            asked.push(address);
            match behave(address) {
                Some((node, named)) => {
                    let answer = Answer { named: &named, token: Some(b"token"), seq: None };
                    lookup.answered(node, id, false, answer);
                }
                None => {
                    lookup.is_slow(address, id);
                    lookup.failed(address, id, true);
                }
            }
        }
    }
    asked
}

#[test]
fn the_nearest_of_a_thousand_are_found_with_few_questions() {
    let all: Vec<NodeAddress> = (0..1_000).map(node).collect();
    // Everybody knows the nearest ones a little better than chance: a few near it, a few near the key.
    let behave = |address: SocketAddr| {
        let own = *all.iter().find(|node| node.address == address)?;
        let mut rng = fastrand::Rng::with_seed(u64::from(own.id.0[19]));
        let mut known: Vec<NodeAddress> = all
            .iter()
            .filter(|other| rng.usize(..1_000) < 8 << own.id.common_bits(&other.id).min(20))
            .copied()
            .collect();
        known.retain(|other| other.id != own.id);
        Some((own, nearest(known, 8)))
    };
    let mut lookup = Lookup::new(KEY, all[..8].to_vec(), Vec::new());
    let asked = run(&mut lookup, behave);
    let found = lookup.closest(K);
    let hits = nearest(all.clone(), K).iter().filter(|node| found.contains(node)).count();
    assert!(hits >= 7, "{hits} of the nearest {K}");
    assert!(asked.len() < 40, "{} questions", asked.len());
}

#[test]
fn the_dead_are_passed_over() {
    let all: Vec<NodeAddress> = (0..40).map(node).collect();
    let alive = |address: &SocketAddr| all.iter().position(|node| node.address == *address).is_some_and(|i| i % 2 == 0);
    let mut lookup = Lookup::new(KEY, all.clone(), Vec::new());
    run(&mut lookup, |address| {
        alive(&address).then(|| (*all.iter().find(|node| node.address == address).unwrap(), Vec::new()))
    });
    let living = all.iter().copied().filter(|node| alive(&node.address)).collect();
    assert_eq!(lookup.closest(K), nearest(living, K));
}

#[test]
fn intruders_beside_the_key_do_not_end_the_look_up() {
    let honest: Vec<NodeAddress> = (0..40).map(node).collect();
    let intruders: Vec<NodeAddress> = (0..40).map(intruder).collect();
    let mut lookup = Lookup::new(KEY, [&honest[..8], &intruders[..4]].concat(), Vec::new());
    run(&mut lookup, |address| {
        if let Some(own) = intruders.iter().find(|node| node.address == address) {
            return Some((*own, intruders.clone()));
        }
        Some((*honest.iter().find(|node| node.address == address)?, nearest(honest.clone(), 8)))
    });
    let stores: Vec<NodeAddress> = lookup.storage().into_iter().map(|storage| storage.node).collect();
    for node in nearest(honest, K) {
        assert!(stores.contains(&node), "an honest node near the key was left out");
    }
    assert!(stores.len() <= 2 * K);
}

#[test]
fn who_names_nodes_that_do_not_exist_is_not_followed() {
    let honest: Vec<NodeAddress> = (0..30).map(node).collect();
    let liar = node(5_000);
    // Beside the key, and at addresses that allow it: found by trying, and nobody is there.
    let made_up = |n: u32| NodeAddress { id: node(n).id, address: node(n).address };
    let near: Vec<NodeAddress> = nearest((10_000..30_000).map(made_up).collect(), 100);
    let mut lookup = Lookup::new(KEY, [&honest[..8], &[liar]].concat(), Vec::new());
    let asked = run(&mut lookup, |address| {
        if address == liar.address {
            return Some((liar, near.clone()));
        }
        Some((*honest.iter().find(|node| node.address == address)?, nearest(honest.clone(), 8)))
    });
    let wasted = asked.iter().filter(|address| near.iter().any(|node| node.address == **address)).count();
    assert!(wasted <= PARALLEL_AT_THE_END + PATIENCE as usize, "{wasted} of {} questions", asked.len());
    assert_eq!(lookup.closest(K).len(), K);
}

#[test]
fn colluders_who_name_one_another_and_the_made_up_do_not_end_the_look_up() {
    // Each has tried addresses until one allowed an id near the key; it answers, and names four of the others and four
    // that do not exist.
    let honest: Vec<NodeAddress> = (0..60).map(node).collect();
    let colluders: Vec<NodeAddress> = nearest((5_000..9_000).map(node).collect(), 12);
    let near = nearest((10_000..30_000).map(node).collect(), 200);
    let turn = std::cell::Cell::new(0);
    let mut lookup = Lookup::new(KEY, [&honest[..4], &colluders[..4]].concat(), Vec::new());
    run(&mut lookup, |address| {
        if let Some(own) = colluders.iter().find(|node| node.address == address) {
            let first = turn.replace(turn.get() + 4) % near.len();
            return Some((*own, [&colluders[first % 8..first % 8 + 4], &near[first..first + 4]].concat()));
        }
        Some((*honest.iter().find(|node| node.address == address)?, nearest(honest.clone(), 8)))
    });
    let stores: Vec<NodeAddress> = lookup.storage().into_iter().map(|storage| storage.node).collect();
    let reached = nearest(honest, K).iter().filter(|node| stores.contains(node)).count();
    assert!(reached >= 6, "{reached} of the honest ones near the key");
}

#[test]
fn one_neighbourhood_is_asked_a_few_times_only() {
    let honest: Vec<NodeAddress> = (0..30).map(node).collect();
    let crowd: Vec<NodeAddress> = (0..200)
        .map(|n| {
            let ip = IpAddr::V4((0x6000_0000 + n).into());
            NodeAddress { id: KEY.random_sharing(40, &mut fastrand::Rng::with_seed(n.into())), address: (ip, 1).into() }
        })
        .collect();
    let mut lookup = Lookup::new(KEY, [&honest[..8], &crowd[..20]].concat(), Vec::new());
    let asked = run(&mut lookup, |address| {
        if let Some(own) = crowd.iter().find(|node| node.address == address) {
            return Some((*own, crowd[20..40].to_vec()));
        }
        Some((*honest.iter().find(|node| node.address == address)?, nearest(honest.clone(), 8)))
    });
    let crowded = asked.iter().filter(|address| crowd.iter().any(|node| node.address == **address)).count();
    assert!(crowded <= NEIGHBOURS as usize, "{crowded}");
}

#[test]
fn a_slow_node_is_not_waited_for_but_listened_to() {
    let nodes: Vec<NodeAddress> = nearest((0..9).map(node).collect(), 9);
    let mut lookup = Lookup::new(KEY, nodes.clone(), Vec::new());
    let first: Vec<_> = std::iter::from_fn(|| lookup.next()).collect();
    assert_eq!(first.len(), PARALLEL);
    lookup.is_slow(nodes[0].address, Some(nodes[0].id));
    assert!(lookup.next().is_some(), "another takes its turn");
    for &node in &nodes[1..] {
        while lookup.next().is_some() {}
        answer(&mut lookup, node, &[]);
    }
    assert!(lookup.is_over());
    lookup.answered(nodes[0], Some(nodes[0].id), true, Answer::default());
    assert_eq!(lookup.closest(1), [nodes[0]]);
}

#[test]
fn where_only_slow_nodes_are_they_are_waited_for() {
    let only = node(1);
    let mut lookup = Lookup::new(KEY, vec![only], Vec::new());
    assert!(lookup.next().is_some());
    lookup.is_slow(only.address, Some(only.id));
    assert!(!lookup.is_over());
    lookup.failed(only.address, Some(only.id), true);
    assert!(lookup.is_over());
}

#[test]
fn it_ends_however_many_nodes_are_made_up() {
    let liars: Vec<NodeAddress> = (0..8).map(node).collect();
    let next = std::cell::Cell::new(100);
    let mut lookup = Lookup::new(KEY, liars.clone(), Vec::new());
    let asked = run(&mut lookup, |address| {
        // Each answer names ever new members, which answer in the same way.
        let own = liars.iter().copied().chain((100..next.get()).map(node)).find(|node| node.address == address)?;
        let first = next.replace(next.get() + 8);
        Some((own, (first..first + 8).map(node).collect()))
    });
    assert!(asked.len() <= MAX_QUERIES as usize);
}

#[test]
fn addresses_without_ids_are_a_beginning() {
    let all: Vec<NodeAddress> = (0..20).map(node).collect();
    let blind = all[..3].iter().map(|node| node.address).collect();
    let mut lookup = Lookup::new(KEY, Vec::new(), blind);
    run(&mut lookup, |address| {
        let own = all[1..].iter().find(|node| node.address == address)?;
        Some((*own, all[1..].to_vec()))
    });
    assert_eq!(lookup.closest(K), nearest(all[1..].to_vec(), K));
}

#[test]
fn nobody_to_ask_is_over_at_once() {
    let lookup = Lookup::new(KEY, Vec::new(), Vec::new());
    assert!(lookup.is_over() && lookup.storage().is_empty());
}
