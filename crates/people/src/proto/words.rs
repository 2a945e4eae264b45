//! Words that two persons compare aloud, to know that each has the other's key and not somebody's between them.
//!
//! Twelve words of BIP-39's English list, the first 132 bits of a hash over both person keys. Whoever wants to stand
//! between the two has to find a pair of keys for which both see the same words: 2⁶⁶ attempts, since two hashes have to
//! meet. With six words it would be 2³³, which a computer does in an hour.

use base::PersonId;
use sha2::{Digest, Sha256};

use super::phrase::word;

/// How many words are compared.
pub const COMPARED: usize = 12;

/// What the hash begins with.
const DOMAIN: &[u8] = b"compeer verification words 1\n";

/// Returns the words of two persons: the same for both, in the same order.
pub fn verification_words(one: PersonId, other: PersonId) -> [&'static str; COMPARED] {
    let (first, second) = (one.min(other), one.max(other));
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(first.0).chain_update(second.0).finalize();
    let bit = |at: usize| usize::from(hash[at / 8] >> (7 - at % 8) & 1);
    std::array::from_fn(|n| word((n * 11..n * 11 + 11).fold(0, |value, at| value << 1 | bit(at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_see_the_same_words_and_a_stranger_between_them_others() {
        let (ada, bob, eve) = (PersonId([1; 32]), PersonId([2; 32]), PersonId([3; 32]));
        assert_eq!(verification_words(ada, bob), verification_words(bob, ada));
        assert_ne!(verification_words(ada, bob), verification_words(ada, eve));
        assert_ne!(verification_words(ada, eve), verification_words(eve, bob));
    }
}
