//! Who seals: the plain cipher or the real one, made of what a node stored.

use chat::proto::{Cipher, Vault, testing::Plain};
use people::proto::NodeKey;

/// A cipher that can be made anew at each start of a node.
pub(super) trait Sealer: Cipher + Sized {
    /// Makes it of what was stored.
    fn begin(key: &NodeKey, seed: u64, facts: &[(Vec<u8>, Vec<u8>)]) -> Self;
}
impl Sealer for Plain {
    fn begin(key: &NodeKey, seed: u64, facts: &[(Vec<u8>, Vec<u8>)]) -> Plain {
        Plain::new(key.id(), seed, facts)
    }
}

impl Sealer for Vault {
    fn begin(key: &NodeKey, seed: u64, facts: &[(Vec<u8>, Vec<u8>)]) -> Vault {
        let mut wide = [0; 32];
        wide[..8].copy_from_slice(&seed.to_le_bytes());
        Vault::new(key.clone(), wide, facts)
    }
}
