//! Real letters that somebody changed, in great numbers: what is refused leaves nothing behind.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::{NOW, PARCEL, Scene, scene, vault};
use crate::proto::vault::envelope::wrap;
use crate::proto::{Cipher, OpenError, Vault};

/// Of so many letters one is changed under the outer layer. Arbitrary: they take several times as long.
const ONE_INSIDE: u64 = 5;

/// How letters that were changed came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Changed as a mailbox can, or whoever listens: all refused.
    pub outside: u64,
    /// Changed under the outer layer, which takes the recipient's card.
    pub inside: u64,
    /// Of those, how many opened: what was changed was which start of its sender's a letter says to be of, which
    /// proves nothing. They said what their sender had sealed.
    pub opened: u64,
}

/// Changes letters to Bob `count` times, each time otherwise, as the seed has it. Panics where one opens that must not,
/// where a refused one leaves anything to be stored, or where a letter that was left alone does not open afterwards.
pub fn changed(seed: u64, count: u64) -> Changed {
    let scene = scene();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut sealing = ChaCha20Rng::seed_from_u64(seed);
    let mut bob = vault(2, &scene.facts);
    // What the start itself has to store.
    bob.facts();
    let mut tally = Changed::default();
    for number in 0..count {
        let (_, inside, whole) = &scene.letters[usize::from(rng.bool())];
        if number % ONE_INSIDE != 0 {
            tally.outside += 1;
            let result = bob.open(NOW, &mangled(whole, &mut rng));
            assert_eq!(result, Err(OpenError::Foreign), "letter {number} of seed {seed}");
        } else {
            tally.inside += 1;
            let bytes = mangled(&inside.encode(), &mut rng);
            let Some(envelope) = wrap(bytes, scene.bob.node, &scene.bob.content.sealing, &mut sealing) else {
                continue;
            };
            if let Ok(letter) = bob.open(NOW, &envelope) {
                tally.opened += 1;
                let meant = scene.letters.iter().find(|(from, ..)| *from == letter.from);
                assert!(meant.is_some() && letter.parcel == PARCEL, "letter {number} of seed {seed}");
                restart(&mut bob, scene);
            }
        }
        assert!(bob.facts().is_empty(), "letter {number} of seed {seed} left something behind");
    }
    for (from, _, whole) in &scene.letters {
        let opened = bob.open(NOW, whole).map(|letter| (letter.from, letter.parcel));
        assert_eq!(opened, Ok((*from, PARCEL.to_vec())), "seed {seed}: what was left alone");
    }
    tally
}

fn restart(bob: &mut Vault, scene: &Scene) {
    *bob = vault(2, &scene.facts);
    bob.facts();
}

/// Returns bytes that differ from these: in some bits, in a stretch, or in length.
fn mangled(whole: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let from = rng.usize(..bytes.len());
    let to = rng.usize(from..bytes.len());
    match rng.u8(..10) {
        0 => rng.fill(&mut bytes[from..=to]),
        1 => bytes[from..=to].fill(0),
        2 => bytes.truncate(from),
        3 => bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(to - from + 1)),
        4 => bytes.copy_within(from..=to, 0),
        _ => (0..rng.u8(1..4)).for_each(|_| {
            let place = rng.usize(..bytes.len());
            bytes[place] ^= 1 << rng.u8(..8);
        }),
    }
    if bytes == whole {
        bytes[from] ^= 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million are for `cargo xtask prove`.
    #[test]
    fn letters_that_were_changed_are_refused_and_leave_nothing_behind() {
        let tally = changed(1, 2_000);
        assert_eq!((tally.outside, tally.inside), (1_600, 400));
        assert!(tally.opened < tally.inside / 4, "{tally:?}");
    }
}
