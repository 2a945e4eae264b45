//! What the conversations ask of whoever seals. The real one is `Vault`; simulations use a plain one for speed.

use base::{NodeId, Now};

/// The longest parcel that is sealed: a parcel's items (48 KiB) and what is around them.
pub const MAX_PARCEL: usize = 56 << 10;

/// The longest envelope: a parcel, the sender's card and what sealing adds, padded to the last bucket.
pub const MAX_ENVELOPE: usize = 64 << 10;

/// A sealed box was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Who sealed it: proven by the session, whose keys are those of the node's card.
    pub from: NodeId,
    /// What was in it.
    pub parcel: Vec<u8>,
}

/// Why an envelope cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not for us, or damaged.
    #[error("the envelope is not for this node, or damaged")]
    Foreign,
    /// Its sender used a session that is not here (any more); a new one has to be begun with whoever it says to be
    /// from.
    #[error("the envelope is of a session that is not here")]
    NoSession {
        /// Whom it says to be from, which nobody proved.
        claims: NodeId,
    },
    /// It was opened before, or comes so late that its keys were given up: what it brings and is still missing its
    /// sender seals anew.
    #[error("the envelope was opened before, or comes too late")]
    Again,
    /// No card of its sender is here, which would prove who that is.
    #[error("the envelope is from a node whose card is not here")]
    NoCard {
        /// Whom it says to be from.
        claims: NodeId,
    },
}

/// Why a card is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// It cannot be read.
    #[error("the card cannot be read")]
    Decode,
    /// The node that it names did not sign it.
    #[error("the card is not signed by the node that it names")]
    Signature,
}

/// What is to be stored: a key, and its value or that it is gone.
pub type Facts = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Seals parcels for nodes and opens theirs.
///
/// Invariant: whatever it changed by sealing or opening is in [`Cipher::facts`] until it is taken, and is stored before
/// the envelope leaves or what was opened takes effect.
pub trait Cipher {
    /// Returns this node's card as it is now: what others need in order to seal something for it, and where its
    /// mailboxes are; signed. It changes by itself now and then, when a key is rotated: whoever gives it away asks for
    /// it daily.
    fn card(&mut self, now: Now) -> Vec<u8>;

    /// Names the mailboxes that the card names from now on, each with where it may be reached. True when that is new.
    fn set_mailboxes(&mut self, now: Now, mailboxes: &[(NodeId, Vec<String>)]) -> bool;

    /// Takes a card, whoever brought it; of two of one node the newer one stays. Returns whose it is and whether it was
    /// new.
    fn learn(&mut self, card: &[u8]) -> Result<(NodeId, bool), CardError>;

    /// Returns a node's card, to be passed on.
    fn card_of(&self, node: NodeId) -> Option<Vec<u8>>;

    /// Returns the mailboxes that a node's card names.
    fn mailboxes_of(&self, node: NodeId) -> Vec<(NodeId, Vec<String>)>;

    /// Returns the tag that envelopes for a node carry now in a mailbox; `None` without its card.
    fn tag_of(&self, node: NodeId, now: Now) -> Option<[u8; 16]>;

    /// Returns the tags that this node awaits envelopes under, for as many days past and to come as clocks and
    /// absences need, so that others may deposit while it is away.
    fn own_tags(&self, now: Now) -> Vec<[u8; 16]>;

    /// Seals for a node; `None` without its card, or if the parcel is longer than [`MAX_PARCEL`].
    fn seal(&mut self, now: Now, to: NodeId, parcel: &[u8]) -> Option<Vec<u8>>;

    /// Opens an envelope.
    fn open(&mut self, now: Now, envelope: &[u8]) -> Result<Opened, OpenError>;

    /// Lets the next envelope to a node begin a new session.
    fn renew(&mut self, node: NodeId);

    /// Forgets a node: its sessions and its card.
    fn forget(&mut self, node: NodeId);

    /// Returns what has to be stored since the last call.
    fn facts(&mut self) -> Facts;
}
