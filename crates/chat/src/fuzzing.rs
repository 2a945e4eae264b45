//! The bodies of the fuzz targets: cards, envelopes and mailboxes that are given anything. They panic where a promise
//! is broken. The property tests below drive them too, so that they cannot rot.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use base::{Instant, NodeId, Now, PersonId, WallTime};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use people::proto::NodeKey;

use crate::proto::card::{Card, MAX_CARD};
use crate::proto::mailbox::{self, Answer, Change, Limits, Mailbox, Request};
use crate::proto::vault::envelope::{Inside, wrap};
use crate::proto::{Cipher, OpenError, Vault};

mod changed;
mod irc;
mod said;

pub use changed::{Changed, changed};
pub use irc::irc;
pub use said::{frame, message, parcel};

/// How many commands of a history are looked at, so that a long input does not take long.
const COMMANDS: usize = 32;

/// A day in November 2026.
const NOW: Now = Now { mono: Instant::START, wall: WallTime(20_780 * 86_400) };

/// What is read as a card is written the same way; a card with other bytes than were signed is refused.
pub fn cards(data: &[u8]) {
    if let Ok(card) = Card::verify(data) {
        assert!(data.len() <= MAX_CARD);
        assert_eq!(card.encode(), data);
    }
    let scene = scene();
    let changed = altered(&scene.alices_card, data);
    assert_eq!(Card::verify(&changed).is_ok(), changed == scene.alices_card);
}

/// Bob, who knows Alice and not Carol, with a letter of each that he has not opened.
struct Scene {
    facts: Vec<(Vec<u8>, Vec<u8>)>,
    bob: Card,
    alices_card: Vec<u8>,
    letters: [(NodeId, Inside, Vec<u8>); 2],
}

const PARCEL: &[u8] = b"the parcel";

/// Sessions draw keys of their own, so that the bytes are others in each process; what an input does to them is the
/// same.
fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let [mut alice, mut bob, mut carol] = [1, 2, 3].map(|n| vault(n, &[]));
        let (alices_card, bobs_card) = (alice.card(NOW), bob.card(NOW));
        let bobs = Card::verify(&bobs_card).expect("a card that was just signed");
        let alices = Card::verify(&alices_card).expect("a card that was just signed");
        alice.learn(&bobs_card).expect("a card that was just signed");
        carol.learn(&bobs_card).expect("a card that was just signed");
        let sent = |from: &mut Vault| from.seal(NOW, bobs.node, PARCEL).expect("his card is known");
        bob.open(NOW, &sent(&mut alice)).expect("a first letter");
        let answer = bob.seal(NOW, alices.node, PARCEL).expect("her card came with it");
        alice.open(NOW, &answer).expect("an answer");
        let (later, first) = (sent(&mut alice), sent(&mut carol));
        let facts = bob.facts().into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let carols = Card::verify(&carol.card(NOW)).expect("a card that was just signed").node;
        let inside = |envelope: &[u8]| bob.look_inside(envelope).expect("it is for him");
        let letters = [(alices.node, inside(&later), later), (carols, inside(&first), first)];
        Scene { facts, bob: bobs, alices_card, letters }
    })
}

fn vault(n: u8, facts: &[(Vec<u8>, Vec<u8>)]) -> Vault {
    Vault::new(NodeKey::from_secret(&[n; 32]), [n; 32], facts)
}

/// Changes bytes as the input says: a place (two bytes) and what to add to the byte there.
fn altered(whole: &[u8], how: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for change in how.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]])) % whole.len().max(1);
        if let Some(byte) = bytes.get_mut(place) {
            *byte = byte.wrapping_add(change[2]);
        }
    }
    bytes
}

/// Envelopes of arbitrary bytes, envelopes with arbitrary bytes inside, and letters of real sessions that were changed
/// within. Nothing opens but what Alice or Carol sealed, once, and nothing keeps a real letter from opening.
pub fn envelopes(data: &[u8]) {
    let scene = scene();
    let mut stored: BTreeMap<_, _> = scene.facts.iter().cloned().collect();
    let mut bob = vault(2, &scene.facts);
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let mut put = |inside: Vec<u8>| wrap(inside, scene.bob.node, &scene.bob.content.sealing, &mut rng);
    let mut opened = [false; 2];
    let (which, commands) = data.split_first().unwrap_or((&0, &[]));
    for command in commands.chunks(96).take(COMMANDS) {
        let (what, rest) = command.split_first().unwrap_or((&0, &[]));
        match what % 8 {
            0 => assert_eq!(bob.open(NOW, rest), Err(OpenError::Foreign)),
            1 => {
                let envelope = put(rest.to_vec()).expect("it is short");
                assert!(bob.open(NOW, &envelope).is_err(), "nobody sealed that");
            }
            2 => {
                let letter = altered(&scene.letters[usize::from(*which % 2)].2, rest);
                let expected = scene.letters.iter().any(|(_, _, whole)| *whole == letter);
                assert!(expected || bob.open(NOW, &letter) == Err(OpenError::Foreign));
            }
            3 => {
                for (key, value) in bob.facts() {
                    match value {
                        Some(value) => stored.insert(key, value),
                        None => stored.remove(&key),
                    };
                }
                bob = vault(2, &stored.clone().into_iter().collect::<Vec<_>>());
            }
            n => {
                let at = usize::from(n % 2);
                let (from, inside, _) = &scene.letters[at];
                let envelope = put(altered(&inside.encode(), rest)).expect("as short as it was");
                if let Ok(letter) = bob.open(NOW, &envelope) {
                    assert!(!opened[at], "twice");
                    assert_eq!((letter.from, letter.parcel.as_slice()), (*from, PARCEL));
                    opened[at] = true;
                }
            }
        }
    }
    let at = usize::from(which % 2);
    let (from, _, whole) = &scene.letters[at];
    match bob.open(NOW, whole) {
        Ok(letter) => assert!(!opened[at] && letter.from == *from && letter.parcel == PARCEL),
        // What opened may have named another run than its sender's.
        Err(error) => assert!(opened[at] && matches!(error, OpenError::Again | OpenError::NoSession { .. }), "{error}"),
    }
}

/// What can be read can be written, within the limits, and means the same; and a mailbox that is asked anything keeps
/// what it says it keeps.
pub fn mailboxes(data: &[u8]) {
    if let Ok(request) = Request::decode(data) {
        assert_eq!(request.encode(), data);
        assert!(data.len() <= mailbox::MAX_REQUEST);
    }
    if let Ok(answer) = Answer::decode(data) {
        assert_eq!(answer.encode(), data);
        assert!(data.len() <= mailbox::MAX_ANSWER);
    }
    history(data);
}

/// What a small mailbox and its store come to by a history of questions.
fn history(data: &[u8]) {
    const LIMITS: Limits = Limits { total_bytes: 2_000, quota_bytes: 700 };
    let mut now = NOW;
    let mut mailbox = Mailbox::restore(now, LIMITS, &[], []);
    let mut stored: BTreeMap<(NodeId, u64), (WallTime, Vec<u8>)> = BTreeMap::new();
    let mut recipients: BTreeMap<NodeId, Vec<u8>> = BTreeMap::new();
    for (token, command) in data.chunks(24).take(COMMANDS * 4).enumerate() {
        let (&[what, who], rest) = command.split_first_chunk().unwrap_or((&[0, 0], &[]));
        let (node, person) = (NodeId([who % 8; 32]), PersonId([who % 4; 32]));
        let tags = || rest.iter().map(|byte| [byte % 16; 16]).collect();
        let first = rest.first().copied().unwrap_or(0);
        let number = || u64::from(first) + (NOW.wall.0 << 20);
        let request = match what % 8 {
            0 => Some(Request::Register { tags: tags() }),
            1 | 2 => Some(Request::Deposit { tag: [first % 16; 16], envelope: rest.repeat(usize::from(who)) }),
            3 => Some(Request::Fetch { after: if first < 128 { 0 } else { number() }, wait_s: first % 51 }),
            4 => Some(Request::Delete { ids: vec![number(), number() + 1] }),
            5 => Request::decode(rest).ok(),
            _ => None,
        };
        let input = match (request, what % 8) {
            (Some(request), _) => {
                let person = (who < 200).then_some(person);
                mailbox::Input::Request { token: token as u64, node, person, request }
            }
            (None, 6) if first < 16 => mailbox::Input::Withdraw(person),
            (None, _) => {
                let seconds = u64::from(first) * if who < 128 { 1 } else { 20_000 };
                now = Now { mono: now.mono + Duration::from_secs(seconds), wall: WallTime(now.wall.0 + seconds) };
                mailbox::Input::Timeout
            }
        };
        mailbox.handle(now, input);
        carry_out(&mut mailbox, &mut stored, &mut recipients);
        let (usage, bytes) = (mailbox.usage(), stored.values().map(|(_, bytes)| bytes.len() as u64).sum());
        assert_eq!((usage.recipients, usage.envelopes, usage.bytes), (recipients.len(), stored.len(), bytes));
        assert!(bytes <= LIMITS.total_bytes);
        assert!(mailbox.poll_timeout().is_none_or(|due| due > now.mono), "what was due is done");
    }
    let kept: Vec<_> = recipients.clone().into_iter().collect();
    let indexed = stored.iter().map(|(&(node, id), (when, bytes))| mailbox::Indexed {
        node,
        id,
        len: bytes.len() as u32,
        when: *when,
    });
    let again = Mailbox::restore(now, LIMITS, &kept, indexed);
    assert_eq!(again.usage(), mailbox.usage(), "a restart changes nothing");
}

fn carry_out(
    mailbox: &mut Mailbox,
    stored: &mut BTreeMap<(NodeId, u64), (WallTime, Vec<u8>)>,
    recipients: &mut BTreeMap<NodeId, Vec<u8>>,
) {
    while let Some(output) = mailbox.poll_output() {
        match output {
            mailbox::Output::Persist(changes) => {
                for change in changes {
                    match change {
                        Change::Recipient(node, Some(fact)) => _ = recipients.insert(node, fact),
                        Change::Recipient(node, None) => _ = recipients.remove(&node),
                        Change::Envelope(node, id, Some(envelope)) => {
                            assert!(stored.insert((node, id), envelope).is_none(), "a number is used once");
                        }
                        Change::Envelope(node, id, None) => _ = stored.remove(&(node, id)),
                    }
                }
            }
            mailbox::Output::Answer(_, answer) => assert_eq!(Answer::decode(&answer.encode()), Ok(answer)),
            mailbox::Output::Read { node, ids, .. } => {
                assert!(
                    !ids.is_empty() && ids.iter().all(|id| stored.contains_key(&(node, *id))),
                    "what it names is there"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_break_no_promise(data in any::<Vec<u8>>()) {
            cards(&data);
            envelopes(&data);
            mailboxes(&data);
        }

        #[test]
        fn arbitrary_histories_of_a_mailbox_break_no_promise(data in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            mailboxes(&data);
        }

        #[test]
        fn letters_changed_in_one_place_break_no_promise(which in 0u8..2, place in any::<u16>(), by in any::<u8>()) {
            let [high, low] = place.to_be_bytes();
            envelopes(&[which, 4 + which, high, low, by]);
            envelopes(&[which, 2, high, low, by]);
            cards(&[high, low, by]);
        }
    }
}
