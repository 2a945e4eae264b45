//! The key exchange and what is derived of it.

use std::fmt;

use crypto_bigint::modular::ConstMontyParams;
use crypto_bigint::{U192, U768, const_monty_form, const_monty_params};
use metainfo::InfoHashV1;
use sha1::{Digest, Sha1};

use super::cipher::{Cipher, Ciphers};

const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
     ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    "P of the specification."
);
const_monty_form!(Residue, Prime, "A number modulo P.");

/// G of the specification.
const GENERATOR: U768 = U768::from_u8(2);

/// The length of a public key and of the secret: P has 768 bits.
pub const PUBLIC_KEY_LEN: usize = 96;

/// The length of a private key. The specification asks for 128 to 160 bits.
const PRIVATE_KEY_LEN: usize = 20;

/// HASH('req2', SKEY): what a torrent is called by in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObfuscatedName(pub [u8; 20]);

/// Returns what a torrent is called by in the handshake.
pub fn obfuscated_name(name: InfoHashV1) -> ObfuscatedName {
    ObfuscatedName(hash(&[b"req2", &name.0]))
}

/// One end's secret number, drawn anew for each handshake from the system's random source.
pub struct PrivateKey(U192);

impl PrivateKey {
    /// Takes random bytes.
    pub fn new(random: [u8; PRIVATE_KEY_LEN]) -> PrivateKey {
        let mut padded = [0; U192::BYTES];
        padded[U192::BYTES - PRIVATE_KEY_LEN..].copy_from_slice(&random);
        PrivateKey(U192::from_be_slice(&padded))
    }

    /// Returns what the other end is told.
    pub(super) fn public(&self) -> [u8; PUBLIC_KEY_LEN] {
        to_bytes(&self.power_of(&GENERATOR))
    }

    /// Returns what both ends know; `None` for a key that is no member of the group, or one of the three whose secret
    /// does not depend on ours.
    pub(super) fn shared(&self, theirs: &[u8; PUBLIC_KEY_LEN]) -> Option<Secret> {
        let theirs = U768::from_be_slice(theirs);
        let greatest = Prime::PARAMS.modulus().wrapping_sub(&U768::ONE);
        (theirs > U768::ONE && theirs < greatest).then(|| Secret(to_bytes(&self.power_of(&theirs))))
    }

    fn power_of(&self, base: &U768) -> U768 {
        Residue::new(base).pow_bounded_exp(&self.0, 8 * PRIVATE_KEY_LEN as u32).retrieve()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

/// S: what both ends know after the exchange.
pub(super) struct Secret([u8; PUBLIC_KEY_LEN]);

impl Secret {
    /// HASH('req1', S): the mark that ends the initiator's first padding.
    pub(super) fn mark(&self) -> [u8; 20] {
        hash(&[b"req1", &self.0])
    }

    /// Covers a torrent's name, or uncovers it: xor with HASH('req3', S).
    pub(super) fn cover(&self, mut name: [u8; 20]) -> [u8; 20] {
        let mask = hash(&[b"req3", &self.0]);
        name.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        name
    }

    /// Returns the streams' ciphers, as the initiator sees them.
    pub(super) fn initiators_ciphers(&self, name: InfoHashV1) -> Box<Ciphers> {
        let cipher = |label: &[u8]| Cipher::new(&hash(&[label, &self.0, &name.0]));
        Box::new(Ciphers { outgoing: cipher(b"keyA"), incoming: cipher(b"keyB") })
    }

    /// Returns the streams' ciphers, as the responder sees them.
    pub(super) fn responders_ciphers(&self, name: InfoHashV1) -> Box<Ciphers> {
        let Ciphers { incoming, outgoing } = *self.initiators_ciphers(name);
        Box::new(Ciphers { incoming: outgoing, outgoing: incoming })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn to_bytes(number: &U768) -> [u8; PUBLIC_KEY_LEN] {
    let mut bytes = [0; PUBLIC_KEY_LEN];
    bytes.copy_from_slice(number.to_be_bytes().as_ref());
    bytes
}

fn hash(parts: &[&[u8]]) -> [u8; 20] {
    let mut sha = Sha1::new();
    parts.iter().for_each(|part| sha.update(part));
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    /// Computed with Python's `pow` from the numbers of the specification.
    #[test]
    fn both_ends_come_to_the_secret_that_arithmetic_says() {
        let alice = PrivateKey::new(std::array::from_fn(|n| n as u8 + 1));
        let bob = PrivateKey::new(std::array::from_fn(|n| 0xff - n as u8));
        assert_eq!(alice.public().to_vec(), hex(ALICE));
        assert_eq!(bob.public().to_vec(), hex(BOB));
        assert_eq!(alice.shared(&bob.public()).unwrap().0.to_vec(), hex(SECRET));
        assert_eq!(bob.shared(&alice.public()).unwrap().0.to_vec(), hex(SECRET));
    }
    const ALICE: &str = "96e112dab29e8c5272accb9b17b26887ce54a144a4e3b697c7d159b7a817e556b0918db2b4c658e02a87f7e5fb14b18a\
        553e084cbf3dad2d30f16596ccb982d406258c61b30c5c1dae2ddc60bdbd48d79896312aad63238c39e1a633821eb693";
    const BOB: &str = "8f562741c6ccfd456d848c7655bdab6469b509a78f7ec72ed0f2ff5c96364ef6695ad9ba806b565650e08a05802ca8ad\
        739f51dde1f7bf9cd0cceda29478445637743d2dd212526cbc24790f6df3ac88d8b1bc8320af443fe75edb807f3bd7c5";
    const SECRET: &str = "ce17231bfc8346c19ee2aef13b8ba9db4fd4cce722698acfcf175df0c1cda51bd8d8c3239da408d05fe475e31fdc2a54\
        01955a4270c5e5fcb9d8317f0e5c74ba78325b9d2c6a8bf5dc67465d64d771980757300a65cdaed7bb2172eb594d5171";

    #[test]
    fn keys_that_leave_no_secret_are_refused() {
        let key = PrivateKey::new([7; 20]);
        let modulus = *Prime::PARAMS.modulus().as_ref();
        let below = |n: u8| modulus.wrapping_sub(&U768::from_u8(n));
        for bad in [U768::ZERO, U768::ONE, below(1), modulus, modulus.wrapping_add(&U768::ONE), U768::MAX] {
            assert!(key.shared(&to_bytes(&bad)).is_none(), "{bad:x}");
        }
        for good in [GENERATOR, below(2)] {
            assert!(key.shared(&to_bytes(&good)).is_some());
        }
    }
}
