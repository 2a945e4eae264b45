//! Alice dials Bob; both know the torrent, or not.

use super::*;

const NAME: InfoHashV1 = InfoHashV1(*b"the torrent's name!!");
const HELLO: &[u8] = b"a handshake of sixty-eight bytes stands here, or anything else";

/// What is left of a handshake at one end.
#[derive(Debug, Default)]
struct End {
    done: Option<Box<Agreed>>,
    failed: Option<MseError>,
}

impl End {
    fn note(&mut self, output: Output) {
        assert!(self.done.is_none() && self.failed.is_none(), "nothing follows the end: {output:?}");
        match output {
            Output::Done(agreed) => self.done = Some(agreed),
            Output::Failed(error) => self.failed = Some(error),
            other => panic!("unexpected {other:?}"),
        }
    }
}

struct Pair {
    alice: Initiator,
    bob: Responder,
    alice_end: End,
    bob_end: End,
    /// The torrents that Bob has.
    here: Vec<InfoHashV1>,
    /// What each sent so far.
    sent: [Vec<u8>; 2],
}

fn pair(offer: Methods, accept: Methods, payload: &[u8], seed: u64) -> Pair {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut key = || PrivateKey::new(std::array::from_fn(|_| rng.u8(..)));
    let (alices, bobs) = (key(), key());
    Pair {
        alice: Initiator::new(alices, NAME, offer, payload, fastrand::Rng::with_seed(seed)),
        bob: Responder::new(bobs, accept, fastrand::Rng::with_seed(seed + 1)),
        alice_end: End::default(),
        bob_end: End::default(),
        here: vec![InfoHashV1([9; 20]), NAME],
        sent: [Vec::new(), Vec::new()],
    }
}

impl Pair {
    /// Carries bytes to and fro, at most `step` at a time, until nobody has anything to say.
    fn run(mut self, step: usize) -> Pair {
        let (mut to_bob, mut to_alice): (Vec<u8>, Vec<u8>) = Default::default();
        loop {
            while let Some(output) = self.alice.poll_output() {
                match output {
                    Output::Send(bytes) => to_bob.extend(bytes),
                    other => self.alice_end.note(other),
                }
            }
            while let Some(output) = self.bob.poll_output() {
                match output {
                    Output::Send(bytes) => to_alice.extend(bytes),
                    Output::Find(asked) => {
                        self.bob.found(self.here.iter().copied().find(|&name| obfuscated_name(name) == asked));
                    }
                    other => self.bob_end.note(other),
                }
            }
            if to_bob.is_empty() && to_alice.is_empty() {
                return self;
            }
            let chunk: Vec<u8> = to_bob.drain(..step.min(to_bob.len())).collect();
            self.sent[0].extend(&chunk);
            self.bob.handle(&chunk);
            let chunk: Vec<u8> = to_alice.drain(..step.min(to_alice.len())).collect();
            self.sent[1].extend(&chunk);
            self.alice.handle(&chunk);
        }
    }

    fn agreed(self) -> (Agreed, Agreed) {
        (*self.alice_end.done.expect("Alice is done"), *self.bob_end.done.expect("Bob is done"))
    }
}

#[test]
fn they_agree_however_the_bytes_are_cut() {
    for seed in 0..12 {
        for step in [1, 2, 7, 96, 97, 500, usize::MAX] {
            let (alice, bob) = pair(Methods::RC4, Methods::BOTH, HELLO, seed).run(step).agreed();
            assert_eq!((alice.method, bob.method), (Method::Rc4, Method::Rc4));
            assert_eq!((alice.name, bob.name), (NAME, NAME));
            assert_eq!(bob.early, HELLO);
            assert!(alice.early.is_empty());
            let (mut alice, mut bob) = (alice.ciphers.unwrap(), bob.ciphers.unwrap());
            let mut word = *b"what follows";
            alice.outgoing.apply(&mut word);
            assert_ne!(&word, b"what follows");
            bob.incoming.apply(&mut word);
            assert_eq!(&word, b"what follows");
            bob.outgoing.apply(&mut word);
            alice.incoming.apply(&mut word);
            assert_eq!(&word, b"what follows");
        }
    }
}

/// Everything that Alice says in one read, split into two at each byte, and the same for Bob.
#[test]
fn they_agree_wherever_a_flight_is_split() {
    let whole = pair(Methods::RC4, Methods::RC4, HELLO, 3).run(usize::MAX);
    let [to_bob, to_alice] = &whole.sent;
    for at in 0..=to_bob.len() {
        let mut bob = pair(Methods::RC4, Methods::RC4, HELLO, 3).bob;
        let mut end = End::default();
        for part in [&to_bob[..at], &to_bob[at..]] {
            bob.handle(part);
            while let Some(output) = bob.poll_output() {
                match output {
                    Output::Send(_) => {}
                    Output::Find(_) => bob.found(Some(NAME)),
                    other => end.note(other),
                }
            }
        }
        assert_eq!(end.done.expect("Bob is done").early, HELLO, "split at {at}");
    }
    for at in 0..=to_alice.len() {
        let mut alice = pair(Methods::RC4, Methods::RC4, HELLO, 3).alice;
        alice.handle(&to_alice[..at]);
        alice.handle(&to_alice[at..]);
        let last = std::iter::from_fn(|| alice.poll_output()).last();
        assert!(matches!(last, Some(Output::Done(_))), "split at {at}: {last:?}");
    }
}

#[test]
fn plaintext_is_chosen_where_both_allow_it() {
    let plain = Methods { plaintext: true, rc4: false };
    let none = Methods { plaintext: false, rc4: false };
    for (offer, accept, chosen) in [
        (Methods::BOTH, Methods::BOTH, Some(Method::Plaintext)),
        (plain, Methods::BOTH, Some(Method::Plaintext)),
        (Methods::BOTH, Methods::RC4, Some(Method::Rc4)),
        (Methods::RC4, Methods::BOTH, Some(Method::Rc4)),
        (plain, Methods::RC4, None),
        (Methods::RC4, plain, None),
        (none, Methods::BOTH, None),
    ] {
        let end = pair(offer, accept, HELLO, 5).run(100);
        match chosen {
            Some(method) => {
                let (alice, bob) = end.agreed();
                assert_eq!((alice.method, bob.method), (method, method));
                assert_eq!(bob.ciphers.is_some(), method == Method::Rc4);
                assert_eq!(bob.early, HELLO, "the initial payload is read whatever the method");
            }
            None => assert_eq!(end.bob_end.failed, Some(MseError::NoMethod)),
        }
    }
}

/// Alice does not wait: what she says behind the handshake is Bob's stream, in the clear or not.
#[test]
fn what_lies_behind_the_handshake_is_kept() {
    for offer in [Methods::BOTH, Methods::RC4] {
        let first = pair(offer, Methods::BOTH, HELLO, 8).run(usize::MAX);
        let sent = first.sent.clone();
        let (mut alice, bob) = first.agreed();
        let mut more = b"more".to_vec();
        if let Some(ciphers) = &mut alice.ciphers {
            ciphers.outgoing.apply(&mut more);
        }
        let mut again = pair(offer, Methods::BOTH, HELLO, 8);
        again.bob.handle(&[&sent[0][..], &more].concat());
        while let Some(output) = again.bob.poll_output() {
            match output {
                Output::Send(_) => {}
                Output::Find(_) => again.bob.found(Some(NAME)),
                other => again.bob_end.note(other),
            }
        }
        assert_eq!(again.bob_end.done.unwrap().early, [HELLO, b"more"].concat());
        let mut more = b"more".to_vec();
        if let Some(mut ciphers) = bob.ciphers {
            ciphers.outgoing.apply(&mut more);
        }
        again.alice.handle(&[&sent[1][..], &more].concat());
        let last = std::iter::from_fn(|| again.alice.poll_output()).last();
        let Some(Output::Done(agreed)) = last else { panic!("{last:?}") };
        assert_eq!(agreed.early, b"more");
    }
}

#[test]
fn the_longest_payload_comes_through_and_more_is_left_out() {
    let payload: Vec<u8> = (0..MAX_INITIAL_PAYLOAD + 3).map(|n| n as u8).collect();
    let (_, bob) = pair(Methods::RC4, Methods::RC4, &payload, 1).run(1500).agreed();
    assert!(bob.early == payload[..MAX_INITIAL_PAYLOAD]);
}

#[test]
fn a_torrent_that_is_not_here_ends_it() {
    let mut pair = pair(Methods::BOTH, Methods::BOTH, HELLO, 2);
    pair.here.retain(|&name| name != NAME);
    let end = pair.run(200);
    assert_eq!(end.bob_end.failed, Some(MseError::UnknownTorrent));
    assert!(end.alice_end.done.is_none());
}

#[test]
fn noise_is_refused_as_soon_as_the_mark_cannot_come_any_more() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut noise = vec![0; 2000];
    rng.fill(&mut noise);
    let step = |bytes: &[u8], handle: &mut dyn FnMut(&[u8]) -> Option<MseError>| {
        bytes.iter().position(|byte| handle(std::slice::from_ref(byte)).is_some()).map(|at| at + 1)
    };
    let failed = |outputs: &mut dyn FnMut() -> Option<Output>| {
        std::iter::from_fn(outputs).find_map(|output| match output {
            Output::Failed(error) => Some(error),
            _ => None,
        })
    };
    let mut bob = pair(Methods::BOTH, Methods::BOTH, HELLO, 4).bob;
    let after = step(&noise, &mut |byte| {
        bob.handle(byte);
        failed(&mut || bob.poll_output())
    });
    assert_eq!(after, Some(RESPONDER_SYNC_LEN));
    let mut alice = pair(Methods::BOTH, Methods::BOTH, HELLO, 4).alice;
    let after = step(&noise, &mut |byte| {
        alice.handle(byte);
        failed(&mut || alice.poll_output())
    });
    assert_eq!(after, Some(INITIATOR_SYNC_LEN));
    // Nothing more is said.
    alice.handle(&noise);
    assert!(alice.poll_output().is_none());
}

#[test]
fn a_key_without_a_secret_is_refused() {
    let mut bob = pair(Methods::BOTH, Methods::BOTH, HELLO, 4).bob;
    bob.handle(&[0; PUBLIC_KEY_LEN]);
    assert!(matches!(bob.poll_output(), Some(Output::Failed(MseError::BadKey))));
}

/// A Bob who selects what was not offered, or announces too long a padding; an Alice whose constant is wrong.
#[test]
fn what_breaks_the_rules_is_refused() {
    let answer = |change: &dyn Fn(&mut Vec<u8>)| {
        let Pair { mut alice, .. } = pair(Methods::RC4, Methods::BOTH, HELLO, 6);
        let Some(Output::Send(first)) = alice.poll_output() else { panic!("Alice speaks first") };
        let bobs = PrivateKey::new([3; 20]);
        let secret = bobs.shared(first.first_chunk().unwrap()).unwrap();
        let mut ciphers = secret.responders_ciphers(NAME);
        let mut out = [&VC[..], &[0, 0, 0, 2], &[0, 0]].concat();
        change(&mut out);
        ciphers.outgoing.apply(&mut out);
        alice.handle(&[&bobs.public()[..], &out].concat());
        std::iter::from_fn(|| alice.poll_output()).last()
    };
    assert!(matches!(answer(&|_| {}), Some(Output::Done(_))));
    for bits in [0, 1, 3, 4, 0xff] {
        assert!(matches!(answer(&|out| out[11] = bits), Some(Output::Failed(MseError::NoMethod))), "{bits}");
    }
    assert!(matches!(
        answer(&|out| out[12..14].copy_from_slice(&513_u16.to_be_bytes())),
        Some(Output::Failed(MseError::PadTooLong))
    ));

    let ask = |change: &dyn Fn(&mut Vec<u8>)| {
        let key = || PrivateKey::new([4; 20]);
        let mut bob = Responder::new(key(), Methods::BOTH, fastrand::Rng::with_seed(6));
        let alices = PrivateKey::new([3; 20]);
        let secret = alices.shared(&key().public()).unwrap();
        let mut ciphers = secret.initiators_ciphers(NAME);
        let mut out = [&VC[..], &[0, 0, 0, 3], &[0, 0], &[0, 0]].concat();
        change(&mut out);
        ciphers.outgoing.apply(&mut out);
        let name = secret.cover(obfuscated_name(NAME).0);
        bob.handle(&[&alices.public()[..], &secret.mark(), &name, &out].concat());
        let mut last = None;
        while let Some(output) = bob.poll_output() {
            if matches!(output, Output::Find(_)) {
                bob.found(Some(NAME));
            }
            last = Some(output);
        }
        last
    };
    assert!(matches!(ask(&|_| {}), Some(Output::Done(_))));
    // Methods to come are no reason to refuse.
    assert!(matches!(ask(&|out| out[8] = 0x80), Some(Output::Done(_))));
    assert!(matches!(ask(&|out| out[3] = 1), Some(Output::Failed(MseError::WrongConstant))));
    // Padding of any length within the limit is gone by.
    for len in [1, 511, 512_u16] {
        let padded = |out: &mut Vec<u8>| {
            out[12..14].copy_from_slice(&len.to_be_bytes());
            out.splice(14..14, vec![0x55; len.into()]);
        };
        assert!(matches!(ask(&padded), Some(Output::Done(_))), "{len}");
        assert!(matches!(answer(&padded), Some(Output::Done(_))), "{len}");
    }
    assert!(matches!(
        ask(&|out| out[12..14].copy_from_slice(&513_u16.to_be_bytes())),
        Some(Output::Failed(MseError::PadTooLong))
    ));
}

/// RFC 6229 has the key stream at the offset 1024, which is where ours begins.
#[test]
fn the_key_stream_is_that_of_the_rfc() {
    // The keys of RFC 6229 are of other lengths than ours; what is checked is the place where the stream begins.
    let mut whole = <::rc4::Rc4 as ::rc4::KeyInit>::new_from_slice(&[1, 2, 3, 4, 5]).unwrap();
    let mut stream = [0; 1056];
    ::rc4::StreamCipher::apply_keystream(&mut whole, &mut stream);
    let hex = data_encoding::HEXLOWER.encode(&stream[1024..1040]);
    assert_eq!(hex, "30abbcc7c20b01609f23ee2d5f6bb7df");

    let key: [u8; 20] = std::array::from_fn(|n| n as u8);
    let mut whole = <::rc4::Rc4 as ::rc4::KeyInit>::new_from_slice(&key).unwrap();
    let mut stream = [0; 1056];
    ::rc4::StreamCipher::apply_keystream(&mut whole, &mut stream);
    let mut ours = [0; 32];
    Cipher::new(&key).apply(&mut ours);
    assert_eq!(ours, stream[1024..]);
}

/// What libtorrent 2.1.1 sent to an implementation in Python that knew the torrent and had this private key; the
/// capture ends with libtorrent's handshake of BEP 3.
mod libtorrent {
    use super::*;

    const KEY: [u8; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
    const NAME: &[u8] = b"82b63c11400fe91f443de9b4d02d607dd5db8dc3";

    fn capture(text: &str) -> (InfoHashV1, Vec<u8>) {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let hex = |digits: &[u8]| data_encoding::HEXLOWER.decode(digits).unwrap();
        (InfoHashV1(hex(NAME).try_into().unwrap()), hex(&digits))
    }

    fn is_its_handshake(bytes: &[u8], name: InfoHashV1) {
        let handshake = crate::wire::Handshake::decode(bytes.try_into().unwrap()).unwrap();
        assert_eq!(handshake.info_hash, name);
        assert!(handshake.peer_id.0.starts_with(b"-LT2110-"));
    }

    #[test]
    fn its_answer_is_understood_wherever_it_is_split() {
        let (name, bytes) = capture(include_str!("captures/libtorrent_answers.hex"));
        for at in 0..=bytes.len() {
            let rng = fastrand::Rng::with_seed(1);
            let mut alice = Initiator::new(PrivateKey::new(KEY), name, Methods::RC4, HELLO, rng);
            alice.handle(&bytes[..at]);
            let mut outputs: Vec<Output> = std::iter::from_fn(|| alice.poll_output()).collect();
            let (first, second) = bytes.split_at(at);
            alice.handle(second);
            outputs.extend(std::iter::from_fn(|| alice.poll_output()));
            let Some(Output::Done(mut agreed)) = outputs.pop() else { panic!("split at {at}") };
            assert_eq!((agreed.method, agreed.name), (Method::Rc4, name));
            // What had not come when the handshake was over is for whoever has the ciphers.
            if agreed.early.len() < crate::wire::Handshake::LEN {
                let missing = crate::wire::Handshake::LEN - agreed.early.len();
                let mut rest = bytes[bytes.len() - missing..].to_vec();
                assert!(first.len() >= bytes.len() - missing, "it was done before the split");
                agreed.ciphers.as_mut().unwrap().incoming.apply(&mut rest);
                agreed.early.append(&mut rest);
            }
            is_its_handshake(&agreed.early, name);
        }
    }

    #[test]
    fn its_dial_is_understood_wherever_it_is_split() {
        let (name, bytes) = capture(include_str!("captures/libtorrent_dials.hex"));
        for at in 0..=bytes.len() {
            let mut bob = Responder::new(PrivateKey::new(KEY), Methods::BOTH, fastrand::Rng::with_seed(1));
            let mut end = End::default();
            for part in [&bytes[..at], &bytes[at..]] {
                bob.handle(part);
                while let Some(output) = bob.poll_output() {
                    match output {
                        Output::Send(_) => {}
                        Output::Find(hidden) => bob.found((hidden == obfuscated_name(name)).then_some(name)),
                        other => end.note(other),
                    }
                }
            }
            let agreed = end.done.unwrap_or_else(|| panic!("split at {at}"));
            assert_eq!(agreed.method, Method::Rc4);
            is_its_handshake(&agreed.early, name);
        }
    }
}
