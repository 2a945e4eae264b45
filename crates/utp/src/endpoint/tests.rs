//! Stories of endpoints that talk over a way that can be told what to do.

mod world;

use std::time::Duration;

use super::*;
use world::{World, ms};

#[test]
fn alice_sends_bob_a_megabyte() {
    let mut world = World::new(1);
    let alice = world.connect();
    world.write(0, alice, b"hello");
    world.run(ms(1_000));
    let bob = world.accepted(1);
    assert_eq!(world.read(1, bob), b"hello");
    let data = world.random(1 << 20);
    let got = world.transfer(0, alice, 1, bob, &data);
    assert!(got == data);
    world.ends[0].close(world.now(), alice);
    world.run(ms(1_000));
    assert_eq!(world.read_end(1, bob), Ok(0));
    world.ends[1].close(world.now(), bob);
    world.run(Duration::from_secs(10));
    assert_eq!(world.ends.each_ref().map(|end| end.counts()), [Counts::default(); 2]);
}

#[test]
fn a_bad_way_loses_repeats_and_reorders_and_the_stream_stays_whole() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        (world.loss, world.duplication, world.jitter) = (0.05, 0.05, ms(20));
        let alice = world.connect();
        let data = world.random(100_000);
        world.write(0, alice, &data[..100]);
        world.run(Duration::from_secs(5));
        let bob = world.accepted(1);
        let got = world.transfer(0, alice, 1, bob, &data[100..]);
        assert!(got == data, "{seed}: {} of {}", got.len(), data.len());
    }
}

/// A packet as a stranger writes it.
fn packet(kind: Kind, connection: u16, seq: u16, ack: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { kind, connection, timestamp_us: 1, timestamp_difference_us: 0, window: 1 << 20, seq, ack };
    let mut out = Vec::new();
    header.encode(&[], &mut out);
    out.extend_from_slice(payload);
    out
}

/// What an end sends next, decoded.
fn sent(world: &World, from: usize, since: usize) -> Vec<Header> {
    let seen = world.seen[since..].iter().filter(|(of, _)| *of == from);
    seen.map(|(_, bytes)| Packet::decode(bytes).unwrap().header).collect()
}

fn pair(seed: u64) -> (World, Key, Key) {
    let mut world = World::new(seed);
    let alice = world.connect();
    world.write(0, alice, b"x");
    world.run(ms(1_000));
    let bob = world.accepted(1);
    assert_eq!(world.read(1, bob), b"x");
    (world, alice, bob)
}

#[test]
fn nobody_answers_so_alice_asks_four_times_and_gives_up() {
    let mut world = World::new(1);
    world.loss = 1.0;
    let alice = world.connect();
    world.run(Duration::from_secs(20));
    let kinds: Vec<Kind> = sent(&world, 0, 0).iter().map(|header| header.kind).collect();
    assert_eq!(kinds, [Kind::Syn; 4]);
    assert_eq!(world.events[0], [Event::Readable(alice), Event::Failed { key: alice, error: StreamError::TimedOut }]);
    assert_eq!(world.read_end(0, alice), Err(StreamError::TimedOut));
    world.ends[0].close(world.now(), alice);
    assert_eq!((world.ends[0].counts(), world.ends[0].poll_timeout()), (Counts::default(), None));
}

#[test]
fn a_flood_of_connection_requests_is_bounded_and_no_amplifier() {
    let mut world = World::new(1);
    let mut sent = 0;
    for n in 0..10_000_u32 {
        let from = SocketAddr::from((n.to_be_bytes(), 1));
        let data = packet(Kind::Syn, n as u16, 1, 0, b"");
        world.ends[1].handle(world.now(), Input::Received { from, data: &data, stride: data.len() });
        let mut buffer = Vec::new();
        while world.ends[1].poll_transmit(world.now(), 8, &mut buffer).is_some() {}
        sent += buffer.len();
    }
    assert!(sent <= 10_000 * HEADER_LEN);
    assert_eq!(world.ends[1].counts(), Counts { half_open: 128, ..Counts::default() });
    // Nobody hears of those that prove nothing, and they are forgotten.
    world.run(Duration::from_secs(11));
    assert_eq!((world.ends[1].counts(), world.events[1].len()), (Counts::default(), 0));
}

#[test]
fn packets_of_unknown_connections_are_answered_with_resets_but_not_without_end() {
    let mut world = World::new(1);
    for n in 0..1_000 {
        let data = packet(Kind::Data, n, 77, 5, b"hello");
        let input = Input::Received { from: World::address(0), data: &data, stride: data.len() };
        world.ends[1].handle(world.now(), input);
        let mut buffer = Vec::new();
        while world.ends[1].poll_transmit(world.now(), 8, &mut buffer).is_some() {}
        assert!(buffer.len() <= HEADER_LEN);
        if n == 0 {
            let reset = Packet::decode(&buffer).unwrap().header;
            assert_eq!((reset.kind, reset.connection, reset.ack), (Kind::Reset, 0, 77));
        }
        assert_eq!(buffer.is_empty(), n >= 100, "{n}");
    }
    // A reset is never answered: two that know nothing of one another fall silent.
    let data = packet(Kind::Reset, 1, 1, 1, b"");
    world.ends[0].handle(world.now(), Input::Received { from: World::address(1), data: &data, stride: data.len() });
    assert!(!world.ends[0].is_transmit_due());
}

#[test]
fn a_reset_that_was_guessed_ends_nothing_and_a_real_one_does() {
    let (mut world, alice, bob) = pair(3);
    let last = sent(&world, 0, 0).last().copied().unwrap();
    let to_bob = |ack: u16| packet(Kind::Reset, last.connection, 9, ack, b"");
    for (ack, counts) in [(last.ack.wrapping_add(20_000), 1), (last.ack, 1)] {
        let data = to_bob(ack);
        let input = Input::Received { from: World::address(0), data: &data, stride: data.len() };
        world.ends[1].handle(world.now(), input);
        world.flush();
        assert_eq!(world.ends[1].counts().open, counts);
    }
    assert_eq!(world.read_end(1, bob), Err(StreamError::Reset));
    world.ends[1].reset(world.now(), bob);
    // Alice learns of it when she says something.
    world.write(0, alice, b"still there?");
    world.run(ms(100));
    assert_eq!(world.read_end(0, alice), Err(StreamError::Reset));
}

#[test]
fn data_that_overtakes_the_answer_is_left_and_a_repeated_request_gets_the_same_answer() {
    let mut world = World::new(5);
    let key = world.ends[0].connect(world.now(), World::address(1)).unwrap();
    world.loss = 1.0;
    world.flush();
    let syn = sent(&world, 0, 0)[0];
    for (kind, seq) in [(Kind::Data, 501), (Kind::State, 500)] {
        let data = packet(kind, syn.connection, seq, syn.seq, b"");
        let input = Input::Received { from: World::address(1), data: &data, stride: data.len() };
        world.ends[0].handle(world.now(), input);
    }
    world.flush();
    assert_eq!(world.events[0], [Event::Connected(key)]);
    let since = world.seen.len();
    world.write(0, key, b"hello");
    world.flush();
    // The stream begins with the number that the answer carries.
    assert_eq!(sent(&world, 0, since)[0].ack, 499);
    for _ in 0..2 {
        let data = packet(Kind::Syn, 7_000, 30, 0, b"");
        let input = Input::Received { from: World::address(0), data: &data, stride: data.len() };
        world.ends[1].handle(world.now(), input);
        world.flush();
    }
    let answers = sent(&world, 1, 0);
    assert_eq!((answers.len(), answers[0].seq, answers[0].ack), (2, answers[1].seq, 30));
}

#[test]
fn bob_reads_nothing_so_alice_waits_and_goes_on_when_he_does() {
    let (mut world, alice, bob) = pair(6);
    let data = world.random(600_000);
    let mut taken = 0;
    for _ in 0..100 {
        taken += world.write(0, alice, &data[taken..]);
        world.run(ms(100));
    }
    let status = world.ends[0].status(alice).unwrap();
    assert!(status.peer_window < 2_000 && taken < data.len(), "{status:?}");
    // A minute later nobody has given up.
    world.run(Duration::from_secs(60));
    let mut got = world.read(1, bob);
    assert!((120_000..140_000).contains(&got.len()), "{}", got.len());
    while got.len() < data.len() {
        taken += world.write(0, alice, &data[taken..]);
        assert!(world.step(world.now().mono + ms(60_000)));
        got.extend(world.read(1, bob));
    }
    assert!(got == data);
}

#[test]
fn each_half_ends_for_itself() {
    let (mut world, alice, bob) = pair(7);
    world.write(0, alice, b"the question");
    world.ends[0].shutdown(world.now(), alice);
    let now = world.now();
    assert_eq!(world.ends[0].write(now, alice, &[IoSlice::new(b"more")]), Err(StreamError::Closed));
    world.run(ms(500));
    assert_eq!(world.read(1, bob), b"the question");
    assert_eq!(world.read_end(1, bob), Ok(0));
    world.write(1, bob, b"the answer");
    world.ends[1].close(world.now(), bob);
    world.run(ms(500));
    assert_eq!(world.read(0, alice), b"the answer");
    assert_eq!(world.read_end(0, alice), Ok(0));
    world.ends[0].close(world.now(), alice);
    world.run(Duration::from_secs(10));
    assert_eq!(world.ends.each_ref().map(|end| end.counts()), [Counts::default(); 2]);
}

#[test]
fn one_who_goes_on_repeating_his_end_is_answered_the_other_way() {
    // libtorrent drops acknowledgements whose number is above that of our end, libutp those that repeat it.
    let (mut world, alice, bob) = pair(8);
    world.ends[0].close(world.now(), alice);
    world.run(ms(200));
    let end = *sent(&world, 0, 0).iter().find(|header| header.kind == Kind::Fin).unwrap();
    let since = world.seen.len();
    world.ends[1].close(world.now(), bob);
    world.run(ms(30));
    let fin = *sent(&world, 1, since).iter().find(|header| header.kind == Kind::Fin).unwrap();
    let answer = *sent(&world, 0, since).last().unwrap();
    assert_eq!((answer.ack, answer.seq), (fin.seq, end.seq.wrapping_add(1)));
    let since = world.seen.len();
    let again = packet(Kind::Fin, fin.connection, fin.seq, fin.ack, b"");
    world.ends[0].handle(world.now(), Input::Received { from: World::address(1), data: &again, stride: 20 });
    world.flush();
    assert_eq!(sent(&world, 0, since)[0].seq, end.seq);
}

#[test]
fn small_writes_are_packed_while_another_is_on_its_way() {
    let (mut world, alice, bob) = pair(9);
    let since = world.seen.len();
    for n in 0..100_u8 {
        world.write(0, alice, &[n; 17]);
        world.flush();
    }
    world.run(ms(500));
    assert_eq!(world.read(1, bob).len(), 1_700);
    let data = sent(&world, 0, since).iter().filter(|header| header.kind == Kind::Data).count();
    assert!(data <= 5, "{data}");
}

#[test]
fn the_longest_datagram_that_passes_is_found_and_no_stream_waits_for_one_that_does_not() {
    for mtu in [548, 800, 1_200, 1_232, 1_300, 1_464, 1_472, 1_500] {
        let (mut world, alice, bob) = pair(10);
        world.mtu = mtu;
        let data = world.random(400_000);
        let got = world.transfer(0, alice, 1, bob, &data);
        assert!(got == data);
        let length = world.ends[0].status(alice).unwrap().datagram_len;
        assert!(length <= mtu && length + 16 > mtu.min(MAX_DATAGRAM_LEN), "{length} of {mtu}");
    }
}

#[test]
fn a_word_now_and_then_keeps_a_silent_connection_known_to_routers() {
    let (mut world, _, _) = pair(11);
    let since = world.seen.len();
    world.run(Duration::from_secs(300));
    let words = sent(&world, 0, since);
    assert!((9..=11).contains(&words.len()) && words.iter().all(|header| header.kind == Kind::State), "{words:?}");
}

fn at(seconds: u64) -> Now {
    Now { mono: Instant::START + Duration::from_secs(seconds), wall: base::WallTime(0) }
}

#[test]
fn who_begins_connections_without_end_leaves_no_list_behind() {
    let mut bob = Endpoint::new(Config::default(), fastrand::Rng::with_seed(1));
    let mallory = World::address(0);
    let say = |bob: &mut Endpoint, kind, id, seq, ack| {
        let datagram = packet(kind, id, seq, ack, &[]);
        bob.handle(at(1), Input::Received { from: mallory, data: &datagram, stride: datagram.len() });
        let mut answers = Vec::new();
        while bob.poll_transmit(at(1), 1, &mut answers).is_some() {}
        let last = &answers[answers.len().saturating_sub(HEADER_LEN)..];
        Packet::decode(last).map_or(0, |packet| packet.header.seq)
    };
    // One that is never opened, and stands before all others.
    say(&mut bob, Kind::Syn, 1, 1, 0);
    for round in 0..50 {
        let id = 100 + round * 2;
        let seq = say(&mut bob, Kind::Syn, id, 1, 0);
        say(&mut bob, Kind::Data, id + 1, 2, seq.wrapping_sub(1));
        let mut events = std::iter::from_fn(|| bob.poll_event());
        let opened = events.find_map(|event| if let Event::Incoming { key, .. } = event { Some(key) } else { None });
        let key = opened.expect("the connection is open");
        bob.reset(at(1), key);
        assert!(bob.half_open.len() <= 2, "{}", bob.half_open.len());
    }
}

#[test]
fn writers_whose_reader_never_answers_share_the_memory() {
    const READERS: u16 = 8;
    let config = Config { send_memory: 1 << 20, ..Config::default() };
    let mut alice = Endpoint::new(config, fastrand::Rng::with_seed(1));
    // Readers of their own addresses, who answer the SYN and nothing more.
    let mut keys = Vec::new();
    let mut buffer = Vec::new();
    for reader in 0..READERS {
        let to = SocketAddr::from(([10, 0, 1, 1], 1_000 + reader));
        keys.push(alice.connect(at(1), to).unwrap());
        alice.poll_transmit(at(1), 1, &mut buffer).unwrap();
        let syn = Packet::decode(&buffer).unwrap().header;
        let answer = packet(Kind::State, syn.connection, 77, syn.seq, &[]);
        alice.handle(at(1), Input::Received { from: to, data: &answer, stride: answer.len() });
        // However large the windows become.
        let slot = keys[usize::from(reader)].slot;
        alice.connection(slot).unwrap().open_window(64 << 20);
        buffer.clear();
    }
    let block = vec![0; 16 << 10];
    let mut kept = Vec::new();
    for &key in &keys {
        let mut taken = 0;
        while let Ok(length) = alice.write(at(1), key, &[IoSlice::new(&block)]) {
            taken += length;
        }
        kept.push(taken);
    }
    assert_eq!(kept, [(1 << 20) / usize::from(READERS); READERS as usize]);
    // They never acknowledge anything, and cost nothing any more when that is certain.
    for second in 2..200 {
        alice.handle(at(second), Input::Timeout);
        while alice.poll_transmit(at(second), 64, &mut buffer).is_some() {
            buffer.clear();
        }
        alice.check();
    }
    for key in keys {
        assert_eq!(alice.write(at(200), key, &[IoSlice::new(&block)]), Err(StreamError::TimedOut));
        assert_eq!(alice.status(key).unwrap().unsent, 0);
        alice.close(at(200), key);
    }
    assert_eq!(alice.counts(), Counts::default());
}
