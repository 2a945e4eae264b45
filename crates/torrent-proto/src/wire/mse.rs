//! Message Stream Encryption: a handshake that looks like noise, in front of the peer wire protocol ("Message Stream
//! Encryption", version 1.0, of the Vuze wiki; there is no BEP).
//!
//! The two ends agree on a secret (Diffie-Hellman), the one that dialled shows that it knows the torrent's info-hash
//! (SKEY), and they choose what the rest of the stream is: plain, or RC4. It hides the protocol from equipment that
//! looks for it. It does not authenticate anybody, and whoever knows the info-hash can read along as a man in the
//! middle.
//!
//! ```text
//! 1 A→B  Ya, PadA
//! 2 B→A  Yb, PadB
//! 3 A→B  HASH('req1', S), HASH('req2', SKEY) xor HASH('req3', S),
//!        ENCRYPT(VC, crypto_provide, len(PadC), PadC, len(IA)), ENCRYPT(IA)
//! 4 B→A  ENCRYPT(VC, crypto_select, len(PadD), PadD), the stream
//! 5 A→B  the stream
//! ```
//!
//! [`Initiator`] is A, [`Responder`] B. Both are fed what arrives and drained by `poll_output`; both end with exactly
//! one [`Output::Done`] or [`Output::Failed`] and ignore what comes after. They know no time: whoever drives them limits
//! how long a handshake may take. What they hold is bounded by [`MAX_INITIAL_PAYLOAD`] and one read.

mod cipher;
mod course;
mod initiator;
mod keys;
mod responder;
#[cfg(test)]
mod tests;

use metainfo::InfoHashV1;

pub use cipher::{Cipher, Ciphers};
pub use initiator::Initiator;
pub use keys::{ObfuscatedName, PUBLIC_KEY_LEN, PrivateKey, obfuscated_name};
pub use responder::Responder;

/// The longest padding in each of the four places. We send none in the last two.
pub const MAX_PAD: usize = 512;

/// Within how many bytes the initiator's HASH('req1', S) must have come: key, padding, hash.
pub const RESPONDER_SYNC_LEN: usize = PUBLIC_KEY_LEN + MAX_PAD + 20;

/// Within how many bytes the responder's encrypted VC must have come: key, padding, constant.
pub const INITIATOR_SYNC_LEN: usize = PUBLIC_KEY_LEN + MAX_PAD + VC.len();

/// The longest initial payload (IA): what its length field can say.
pub const MAX_INITIAL_PAYLOAD: usize = u16::MAX as usize;

/// The verification constant.
const VC: [u8; 8] = [0; 8];

/// What the stream is after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not encrypted.
    Plaintext,
    /// RC4.
    Rc4,
}

/// A set of methods: what one end is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods {
    /// [`Method::Plaintext`] is among them.
    pub plaintext: bool,
    /// [`Method::Rc4`] is among them.
    pub rc4: bool,
}

const PLAINTEXT_BIT: u32 = 1;
const RC4_BIT: u32 = 2;

impl Methods {
    /// Either method.
    pub const BOTH: Methods = Methods { plaintext: true, rc4: true };
    /// RC4 and nothing else.
    pub const RC4: Methods = Methods { plaintext: false, rc4: true };

    fn bits(self) -> u32 {
        u32::from(self.plaintext) * PLAINTEXT_BIT + u32::from(self.rc4) * RC4_BIT
    }

    /// Reads `crypto_provide`; bits of methods to come are ignored.
    fn from_bits(bits: u32) -> Methods {
        Methods { plaintext: bits & PLAINTEXT_BIT != 0, rc4: bits & RC4_BIT != 0 }
    }

    /// Picks one that both ends are ready for: plaintext, which costs nothing, rather than RC4.
    fn choose(self, offered: Methods) -> Option<Method> {
        match () {
            () if self.plaintext && offered.plaintext => Some(Method::Plaintext),
            () if self.rc4 && offered.rc4 => Some(Method::Rc4),
            () => None,
        }
    }

    /// Reads `crypto_select`, which must be one of these.
    fn selected(self, bits: u32) -> Option<Method> {
        match bits {
            PLAINTEXT_BIT if self.plaintext => Some(Method::Plaintext),
            RC4_BIT if self.rc4 => Some(Method::Rc4),
            _ => None,
        }
    }
}

/// What a handshake wants of whoever drives it.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Look for the torrent of this name and answer with [`Responder::found`]. A responder's only.
    Find(ObfuscatedName),
    /// The handshake is over.
    Done(Box<Agreed>),
    /// The handshake came to nothing: close the connection.
    Failed(MseError),
}

/// What a handshake led to.
#[derive(Debug)]
pub struct Agreed {
    /// The name that the initiator knew the torrent by.
    pub name: InfoHashV1,
    /// What the stream is from now on.
    pub method: Method,
    /// The streams' ciphers where the method is [`Method::Rc4`]; what was sent and received so far is behind them.
    pub ciphers: Option<Box<Ciphers>>,
    /// What has come of the other end's stream, deciphered: its initial payload, and what lay behind it.
    pub early: Vec<u8>,
}

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MseError {
    /// A public key of the few whose secret anybody can guess, or none of the group.
    #[error("the peer's public key is not usable")]
    BadKey,
    /// The mark that ends the padding did not come in time.
    #[error("the peer does not encrypt as we do")]
    NoSync,
    /// The initiator asks for none of our torrents.
    #[error("the peer asked for a torrent that is not here")]
    UnknownTorrent,
    /// What is encrypted begins with anything but the constant.
    #[error("the peer does not know the torrent's name")]
    WrongConstant,
    /// A padding is longer than [`MAX_PAD`].
    #[error("the peer announces too long a padding")]
    PadTooLong,
    /// The ends have no method in common, or the responder selected one that was not offered.
    #[error("the peer encrypts in no way that is allowed here")]
    NoMethod,
}

/// What has arrived and was not looked at yet. Invariant: `at <= bytes.len()`.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    at: usize,
}

impl Inbox {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Takes the next `len` bytes, once they are all there.
    fn take(&mut self, len: usize) -> Option<&mut [u8]> {
        let end = self.at.checked_add(len).filter(|&end| end <= self.bytes.len())?;
        let taken = &mut self.bytes[self.at..end];
        self.at = end;
        Some(taken)
    }

    /// Takes the next `N` bytes.
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    /// Takes the next `N` bytes, deciphered.
    fn decipher<const N: usize>(&mut self, cipher: &mut Cipher) -> Option<[u8; N]> {
        let mut taken = self.array()?;
        cipher.apply(&mut taken);
        Some(taken)
    }

    /// Goes behind `mark`, which must end within the next `left` bytes; they become fewer as bytes are gone by.
    fn seek(&mut self, mark: &[u8], left: &mut usize) -> Seek {
        let window = &self.rest()[..self.rest().len().min(*left)];
        if let Some(at) = window.windows(mark.len()).position(|bytes| bytes == mark) {
            self.at += at + mark.len();
            return Seek::Found;
        }
        if window.len() == *left {
            return Seek::Never;
        }
        // The last bytes may be the beginning of the mark.
        let over = window.len().saturating_sub(mark.len() - 1);
        self.at += over;
        *left -= over;
        Seek::NotYet
    }

    /// Takes everything.
    fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(self.at);
        *self = Inbox::default();
        rest
    }
}

/// What [`Inbox::seek`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seek {
    Found,
    NotYet,
    Never,
}
