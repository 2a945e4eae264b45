//! Who seals: the plain cipher, the real one, or a careless one, made of what a node stored.

use std::collections::BTreeMap;

use base::{NodeId, Now};
use chat::proto::{CardError, Cipher, Facts, OpenError, Opened, Vault, testing::Plain};
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

/// A plain cipher that opens again what it opened before.
pub(super) struct Careless {
    plain: Plain,
    opened: BTreeMap<Vec<u8>, Opened>,
}

impl Sealer for Careless {
    fn begin(key: &NodeKey, seed: u64, facts: &[(Vec<u8>, Vec<u8>)]) -> Careless {
        Careless { plain: Plain::begin(key, seed, facts), opened: BTreeMap::new() }
    }
}

impl Cipher for Careless {
    fn card(&mut self, now: Now) -> Vec<u8> {
        self.plain.card(now)
    }

    fn set_mailboxes(&mut self, now: Now, mailboxes: &[(NodeId, Vec<String>)]) -> bool {
        self.plain.set_mailboxes(now, mailboxes)
    }

    fn learn(&mut self, card: &[u8]) -> Result<(NodeId, bool), CardError> {
        self.plain.learn(card)
    }

    fn card_of(&self, node: NodeId) -> Option<Vec<u8>> {
        self.plain.card_of(node)
    }

    fn mailboxes_of(&self, node: NodeId) -> Vec<(NodeId, Vec<String>)> {
        self.plain.mailboxes_of(node)
    }

    fn tag_of(&self, node: NodeId, now: Now) -> Option<[u8; 16]> {
        self.plain.tag_of(node, now)
    }

    fn own_tags(&self, now: Now) -> Vec<[u8; 16]> {
        self.plain.own_tags(now)
    }

    fn seal(&mut self, now: Now, to: NodeId, parcel: &[u8]) -> Option<Vec<u8>> {
        self.plain.seal(now, to, parcel)
    }

    fn open(&mut self, now: Now, envelope: &[u8]) -> Result<Opened, OpenError> {
        if let Some(opened) = self.opened.get(envelope) {
            return Ok(opened.clone());
        }
        let opened = self.plain.open(now, envelope)?;
        self.opened.insert(envelope.to_vec(), opened.clone());
        Ok(opened)
    }

    fn renew(&mut self, node: NodeId) {
        self.plain.renew(node);
    }

    fn forget(&mut self, node: NodeId) {
        self.plain.forget(node);
    }

    fn facts(&mut self) -> Facts {
        self.plain.facts()
    }
}
