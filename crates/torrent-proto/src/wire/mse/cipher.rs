//! RC4 as the stream's cipher.

use std::fmt;

use rc4::{KeyInit, Rc4, StreamCipher};

/// How much of the key stream is thrown away: its first bytes tell something of the key.
const DISCARDED: usize = 1024;

/// One direction of an encrypted stream.
pub struct Cipher(Rc4);

impl Cipher {
    /// Begins a stream.
    pub(super) fn new(key: &[u8; 20]) -> Cipher {
        // RC4 takes keys of 1 to 256 bytes.
        let mut cipher = Cipher(Rc4::new_from_slice(key).expect("twenty bytes are a key"));
        cipher.apply(&mut [0; DISCARDED]);
        cipher
    }

    /// Enciphers or deciphers the next bytes of the stream, in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// Both directions of an encrypted stream, seen from one end.
#[derive(Debug)]
pub struct Ciphers {
    /// For what arrives.
    pub incoming: Cipher,
    /// For what is sent.
    pub outgoing: Cipher,
}
