//! Stories of the gate: Alice and Bob are contacts with a node each, Mallory is a stranger.

use super::*;
use base::GroupId;

const LIMITS: GateLimits = GateLimits { connections: 4, per_torrent: 1, per_address: 2, per_person: 2 };
const TORRENT: InfoHashV1 = InfoHashV1([7; 20]);
const ALICE: PersonId = PersonId([1; 32]);
const BOB: PersonId = PersonId([2; 32]);
const MALLORY: PersonId = PersonId([3; 32]);
const CHOIR: GroupId = GroupId([9; 32]);

/// Alice and Bob are contacts, Bob sings in the choir. A node's first byte is its person's.
#[derive(Debug)]
struct Friends;

impl Acquaintances for Friends {
    fn person_of(&self, node: NodeId) -> Option<PersonId> {
        Some(PersonId([node.0[0]; 32]))
    }

    fn is_contact(&self, person: PersonId) -> bool {
        [ALICE, BOB].contains(&person)
    }

    fn is_member(&self, person: PersonId, group: GroupId) -> bool {
        (person, group) == (BOB, CHOIR)
    }

    fn is_fellow(&self, person: PersonId) -> bool {
        self.is_member(person, CHOIR)
    }
}

fn from(address: &str) -> Asking {
    Asking::peer(address.parse().unwrap(), Carrier::Tcp, Direction::Incoming)
}

fn with(person: PersonId, service: &'static str) -> Asking {
    let (node, person) = (Some(NodeId([person.0[0]; 32])), Some(person));
    Asking { address: None, node, person, service, carrier: Carrier::Quic, direction: Direction::Incoming }
}

fn friendly(policy: Policy) -> Gate {
    let gate = Gate::new(GateLimits { connections: 50, per_torrent: 50, per_address: 50, per_person: 50 });
    gate.know(Arc::new(Friends));
    gate.set_policy(policy);
    gate
}

fn rules(addresses: &[&str]) -> Rules {
    Rules { addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(), ..Rules::default() }
}

#[test]
fn each_limit_refuses_and_a_dropped_pass_makes_room() {
    let gate = Gate::new(LIMITS);
    let mut first = gate.admit(&from("192.0.2.1:1")).unwrap();
    let mut second = gate.admit(&from("[::ffff:192.0.2.1]:2")).unwrap();
    assert_eq!(gate.admit(&from("192.0.2.1:3")).unwrap_err(), Refusal::Address);
    let third = gate.admit(&from("192.0.2.2:1")).unwrap();
    let _fourth = gate.admit(&from("192.0.2.3:1")).unwrap();
    assert_eq!(gate.admit(&from("192.0.2.4:1")).unwrap_err(), Refusal::Connections);

    first.join(TORRENT, None).unwrap();
    assert_eq!(second.join(TORRENT, None).unwrap_err(), Refusal::Torrent);
    drop(first);
    second.join(TORRENT, None).unwrap();
    assert_eq!(gate.connections(), 3);
    drop((second, third, _fourth));
    assert!(gate.state().counts.is_empty() && gate.state().standing.is_empty());
}

#[test]
fn a_subnet_of_ipv6_is_one_address_and_keys_of_nobody_known_take_a_part_only() {
    let gate = Gate::new(LIMITS);
    let _held = (gate.admit(&from("[2001:db8::1]:1")).unwrap(), gate.admit(&from("[2001:db8::2]:1")).unwrap());
    assert_eq!(gate.admit(&from("[2001:db8::3]:1")).unwrap_err(), Refusal::Address);
    assert!(gate.admit(&from("[2001:db8:0:1::1]:1")).is_ok() && gate.admit(&from("[fd00::1]:1")).is_ok());

    let gate = Gate::new(GateLimits { connections: 50, per_address: 50, ..LIMITS });
    let stranger = |n| Asking::node(NodeId([n; 32]), "people", Direction::Incoming);
    let held: Vec<_> = (100..200).filter_map(|n| gate.admit(&stranger(n)).ok()).collect();
    assert_eq!(held.len(), 12, "a quarter of fifty");
    gate.know(Arc::new(Friends));
    assert!(gate.admit(&with(ALICE, "people")).is_ok() && gate.admit(&from("192.0.2.1:1")).is_ok());
    drop(held);
    assert!(gate.admit(&stranger(7)).is_ok());
}

#[test]
fn a_person_and_a_service_have_limits_of_their_own() {
    let offers = [("chat".to_owned(), Offer { connections: Some(1), ..Offer::default() })].into();
    let gate = friendly(Policy { offers, ..Policy::default() });
    gate.set_limits(LIMITS);
    let _chat = gate.admit(&with(ALICE, "chat")).unwrap();
    assert_eq!(gate.admit(&with(BOB, "chat")).unwrap_err(), Refusal::Service);
    let _wire = gate.admit(&with(ALICE, "wire")).unwrap();
    assert_eq!(gate.admit(&with(ALICE, "wire")).unwrap_err(), Refusal::Person);
}

#[test]
fn a_certain_person_has_a_limit_of_its_own_over_all_its_nodes() {
    let gate = friendly(Policy { persons: [(ALICE, 1), (BOB, 3)].into(), ..Policy::default() });
    gate.set_limits(GateLimits { connections: 50, per_address: 50, ..LIMITS });
    // A node's first byte is its person's.
    let phone = |person: PersonId| {
        let node = NodeId(std::array::from_fn(|at| if at == 0 { person.0[0] } else { 99 }));
        Asking { node: Some(node), ..with(person, "wire") }
    };
    let _alice = gate.admit(&with(ALICE, "people")).unwrap();
    assert_eq!(gate.admit(&phone(ALICE)).unwrap_err(), Refusal::Person);
    let _bob = [with(BOB, "wire"), with(BOB, "people"), phone(BOB)].map(|asking| gate.admit(&asking).unwrap());
    assert_eq!(gate.admit(&phone(BOB)).unwrap_err(), Refusal::Person);
    let _mallory = [(); 2].map(|()| gate.admit(&with(MALLORY, "wire")).unwrap());
    assert_eq!(gate.admit(&phone(MALLORY)).unwrap_err(), Refusal::Person, "two, as everybody else");
}

#[tokio::test]
async fn a_lower_limit_of_a_person_sends_its_newest_away_also_who_was_not_known_before() {
    let gate = friendly(Policy::default());
    gate.know(Arc::new(MostlyStrangers));
    let node = Asking::node(NodeId([BOB.0[0]; 32]), "people", Direction::Incoming);
    let (first, second) = (gate.admit(&node).unwrap(), gate.admit(&node).unwrap());
    gate.know(Arc::new(Friends));
    let alice = gate.admit(&with(ALICE, "wire")).unwrap();
    gate.set_policy(Policy { persons: [(BOB, 1)].into(), ..Policy::default() });
    assert_eq!(second.revoked().await, Refusal::Person);
    assert_eq!((first.refusal(), alice.refusal()), (None, None));
    drop((first, second, alice));
    assert!(gate.state().counts.is_empty() && gate.state().standing.is_empty());
}

#[test]
fn a_refused_connection_is_not_counted() {
    let gate = Gate::new(GateLimits { per_address: 0, ..LIMITS });
    assert_eq!(gate.admit(&from("192.0.2.1:1")).unwrap_err(), Refusal::Address);
    assert_eq!(gate.connections(), 0);
}

#[test]
fn the_closest_entry_of_the_lists_decides() {
    let mut allow = rules(&["10.0.0.0/8", "192.0.2.7"]);
    let mut block = rules(&["10.1.0.0/16", "192.0.2.0/24", "198.51.100.0/24"]);
    block.groups.insert(CHOIR);
    block.persons.insert(ALICE);
    allow.nodes.insert(NodeId([1; 32]));
    let listed = Addresses::new(["203.0.113.0/24".parse().unwrap(), "10.0.0.0/24".parse().unwrap()]);
    let gate = friendly(Policy { allow, block, listed, ..Policy::default() });
    for (address, blocked) in [
        ("10.0.0.1:1", false),
        ("10.1.0.1:1", true),
        ("192.0.2.7:1", false),
        ("192.0.2.8:1", true),
        ("198.51.100.255:1", true),
        ("198.51.101.0:1", false),
        ("203.0.113.9:1", true),
    ] {
        assert_eq!(gate.refuses(&from(address)) == Some(Refusal::Blocked), blocked, "{address}");
        assert_eq!(gate.refuses_address(from(address).address.unwrap().ip()), blocked, "{address}");
    }
    assert_eq!(gate.refuses(&with(BOB, "wire")), Some(Refusal::Blocked), "a member of a blocked group");
    assert_eq!(gate.refuses(&with(ALICE, "wire")), None, "this node of a blocked person is allowed");
    let other = Asking { node: Some(NodeId([1; 32])), person: Some(MALLORY), ..with(ALICE, "wire") };
    assert_eq!(gate.refuses(&other), Some(Refusal::NotTheirs));
}

#[test]
fn a_mode_keeps_strangers_away_and_the_list_makes_exceptions() {
    let asked = [from("192.0.2.1:1"), with(ALICE, "wire"), with(BOB, "wire"), with(MALLORY, "wire")];
    for (meet, met) in [
        (Meet::Everyone, [true, true, true, true]),
        (Meet::Acquaintances, [false, true, true, false]),
        (Meet::Contacts, [false, true, true, false]),
        (Meet::Groups([CHOIR].into()), [false, false, true, false]),
        (Meet::Listed, [false, false, false, false]),
    ] {
        let gate = friendly(Policy { meet: meet.clone(), ..Policy::default() });
        assert_eq!(asked.map(|asking| gate.refuses(&asking).is_none()), met, "{meet:?}");
        let gate = friendly(Policy { meet, allow: rules(&["192.0.2.0/24"]), ..Policy::default() });
        assert_eq!(gate.refuses(&asked[0]), None);
    }
}

#[test]
fn a_mode_keeps_new_people_out_though_they_have_an_invitation_until_the_list_names_their_node() {
    let new = NodeId([77; 32]);
    let modes = [Meet::Acquaintances, Meet::Contacts, Meet::Groups([CHOIR].into()), Meet::Listed];
    for (meet, service) in modes.into_iter().flat_map(|meet| ["people", "group"].map(|service| (meet.clone(), service)))
    {
        // They come with ours, and we come with theirs.
        let asked = [Direction::Incoming, Direction::Outgoing].map(|direction| Asking::node(new, service, direction));
        let gate = Gate::new(LIMITS);
        gate.set_policy(Policy { meet: meet.clone(), ..Policy::default() });
        assert!(asked.iter().all(|asking| gate.refuses(asking) == Some(Refusal::Stranger)), "{meet:?} {service}");
        let allow = Rules { nodes: [new].into(), ..Rules::default() };
        gate.set_policy(Policy { meet, allow, ..Policy::default() });
        assert!(asked.iter().all(|asking| gate.refuses(asking).is_none()));
    }
}

#[test]
fn a_service_is_for_those_to_whom_it_is_offered() {
    let to = Audience::Chosen(Rules { groups: [CHOIR].into(), ..Rules::default() });
    let offers = [
        ("relay".to_owned(), Offer { to, ..Offer::default() }),
        ("chat".to_owned(), Offer { off: true, ..Offer::default() }),
    ];
    let policy = Policy { offers: offers.into(), forbidden_services: ["wire".to_owned()].into(), ..Policy::default() };
    let gate = friendly(policy);
    assert_eq!(gate.refuses(&with(BOB, "relay")), None);
    assert_eq!(gate.refuses(&with(ALICE, "relay")), Some(Refusal::NotOffered));
    let asked_for = Asking { direction: Direction::Outgoing, ..with(ALICE, "relay") };
    assert_eq!(gate.refuses(&asked_for), None, "an offer says who may come, not where we go");
    assert_eq!(gate.refuses(&with(BOB, "chat")), Some(Refusal::Off));
    assert_eq!(gate.refuses(&with(BOB, "wire")), Some(Refusal::Forbidden));
}

#[tokio::test]
async fn what_stands_and_is_refused_by_now_is_revoked() {
    let gate = friendly(Policy::default());
    let stranger = gate.admit(&from("192.0.2.1:1")).unwrap();
    let bob = gate.admit(&with(BOB, "wire")).unwrap();
    assert_eq!((stranger.refusal(), bob.refusal()), (None, None));
    gate.set_policy(Policy { block: rules(&["192.0.2.1"]), ..Policy::default() });
    assert_eq!(stranger.revoked().await, Refusal::Blocked);
    assert_eq!(bob.refusal(), None);
    gate.set_policy(Policy { paused: true, ..Policy::default() });
    assert_eq!(bob.revoked().await, Refusal::Paused);
    assert_eq!(stranger.revoked().await, Refusal::Blocked, "the first reason stays");
    gate.paused(true).await;
    gate.set_policy(Policy::default());
    gate.paused(false).await;
    assert!(gate.admit(&with(BOB, "wire")).is_ok());
}

#[tokio::test]
async fn whom_nobody_knows_any_more_is_revoked() {
    let gate = friendly(Policy { meet: Meet::Contacts, ..Policy::default() });
    let alice = gate.admit(&with(ALICE, "wire")).unwrap();
    gate.know(Arc::new(MostlyStrangers));
    assert_eq!(alice.revoked().await, Refusal::NotTheirs);
}

#[tokio::test]
async fn who_became_known_while_connected_is_judged_as_who_they_are() {
    let gate = friendly(Policy::default());
    gate.know(Arc::new(MostlyStrangers));
    let node = NodeId([MALLORY.0[0]; 32]);
    let pass = gate.admit(&Asking::node(node, "people", Direction::Incoming)).unwrap();
    gate.know(Arc::new(Friends));
    assert_eq!((pass.refusal(), gate.person_of(node)), (None, Some(MALLORY)));
    let block = Rules { persons: [MALLORY].into(), ..Rules::default() };
    gate.set_policy(Policy { block, ..Policy::default() });
    assert_eq!(pass.revoked().await, Refusal::Blocked);
}

#[tokio::test]
async fn lower_limits_send_the_newest_away() {
    let gate = Gate::new(LIMITS);
    let mut first = gate.admit(&from("192.0.2.1:1")).unwrap();
    first.join(TORRENT, None).unwrap();
    let second = gate.admit(&from("192.0.2.2:1")).unwrap();
    gate.set_limits(GateLimits { connections: 1, ..LIMITS });
    assert_eq!(second.revoked().await, Refusal::Connections);
    assert_eq!(first.refusal(), None);
    gate.set_limits(GateLimits { per_torrent: 0, ..LIMITS });
    assert_eq!(first.revoked().await, Refusal::Torrent);
}

#[test]
fn strangers_are_not_sought_while_public_torrents_are_off_or_forbidden() {
    let gate = Gate::new(LIMITS);
    assert!(gate.seeks_strangers());
    let off = Offer { off: true, ..Offer::default() };
    gate.set_policy(Policy { offers: [(FILES.to_owned(), off.clone())].into(), ..Policy::default() });
    assert!(!gate.seeks_strangers() && !gate.policy().has_files());
    gate.set_policy(Policy { forbidden_services: [FILES.to_owned()].into(), ..Policy::default() });
    assert!(!gate.seeks_strangers());
    gate.set_policy(Policy { offers: [(WIRE.to_owned(), off)].into(), ..Policy::default() });
    assert!(gate.seeks_strangers() && gate.policy().has_files());
}
