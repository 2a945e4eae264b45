//! A message as its author signed it.
//!
//! Layout: the author's node id (32 bytes), the time in microseconds since the UNIX epoch (8, big endian), the signature
//! (64), the payload. The signature (Ed25519, RFC 8032) is over a fixed prefix, the topic, the time and the payload, so
//! that it means nothing elsewhere. The time rises with every message of an author: it is the message's name as well.

use base::NodeId;
use bytes::{BufMut, Bytes, BytesMut};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::TopicId;
use crate::limits::MAX_PAYLOAD;

/// What makes a signature one of gossip.
const PREFIX: &[u8] = b"compeer/gossip/1\0";

/// The bytes before the payload.
const HEADER: usize = 32 + 8 + 64;

/// What a message carries: at most [`MAX_PAYLOAD`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Bytes);

/// A payload is longer than a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a message of {length} bytes is too long for gossip: {MAX_PAYLOAD} are possible; send its hash and let it be fetched"
)]
pub struct TooLong {
    /// How long it is, in bytes.
    pub length: usize,
}

impl Payload {
    /// Checks the length.
    pub fn new(bytes: Bytes) -> Result<Payload, TooLong> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(TooLong { length: bytes.len() });
        }
        Ok(Payload(bytes))
    }
}

/// A message taken apart, its signature not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) author: NodeId,
    /// In microseconds since the UNIX epoch.
    pub(crate) time: u64,
    signature: [u8; 64],
    pub(crate) payload: Bytes,
}

impl Envelope {
    /// Signs a message.
    pub(crate) fn sign(key: &SigningKey, topic: &TopicId, time: u64, Payload(payload): Payload) -> Envelope {
        let signature = key.sign(&signed(topic, time, &payload)).to_bytes();
        Envelope { author: NodeId(key.verifying_key().to_bytes()), time, signature, payload }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER + self.payload.len());
        bytes.put_slice(&self.author.0);
        bytes.put_u64(self.time);
        bytes.put_slice(&self.signature);
        bytes.put_slice(&self.payload);
        bytes.freeze()
    }

    /// Takes a message apart; `None`: it is too short or too long for one.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Envelope> {
        let (author, rest) = bytes.split_first_chunk::<32>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (signature, payload) = rest.split_first_chunk::<64>()?;
        (payload.len() <= MAX_PAYLOAD).then(|| Envelope {
            author: NodeId(*author),
            time: u64::from_be_bytes(*time),
            signature: *signature,
            payload: bytes.slice(HEADER..),
        })
    }

    /// Whether the author signed it for this topic.
    pub(crate) fn is_genuine(&self, topic: &TopicId) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.author.0) else { return false };
        // Strict: weak keys and signatures that can be bent into others are refused.
        key.verify_strict(&signed(topic, self.time, &self.payload), &Signature::from_bytes(&self.signature)).is_ok()
    }
}

fn signed(topic: &TopicId, time: u64, payload: &[u8]) -> Vec<u8> {
    [PREFIX, topic, &time.to_be_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: TopicId = [1; 32];

    fn ada() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn message() -> Bytes {
        Envelope::sign(&ada(), &TOPIC, 42, Payload::new(Bytes::from_static(b"hello")).unwrap()).encode()
    }

    #[test]
    fn what_was_signed_is_read_again() {
        let envelope = Envelope::decode(&message()).unwrap();
        assert!(envelope.is_genuine(&TOPIC));
        assert_eq!(envelope.author.0, ada().verifying_key().to_bytes());
        assert_eq!((envelope.time, &envelope.payload[..]), (42, &b"hello"[..]));
    }

    #[test]
    fn a_changed_bit_or_another_topic_breaks_the_signature() {
        assert!(!Envelope::decode(&message()).unwrap().is_genuine(&[2; 32]));
        for i in 0..message().len() {
            let mut bytes = message().to_vec();
            bytes[i] ^= 1;
            assert!(!Envelope::decode(&bytes.into()).unwrap().is_genuine(&TOPIC), "byte {i}");
        }
    }

    #[test]
    fn every_length_that_is_none_is_refused() {
        for length in 0..HEADER {
            assert_eq!(Envelope::decode(&message().slice(..length)), None, "{length}");
        }
        assert!(Envelope::decode(&message().slice(..HEADER)).is_some());
        assert_eq!(Envelope::decode(&vec![0; HEADER + MAX_PAYLOAD + 1].into()), None);
        assert_eq!(Payload::new(vec![0; MAX_PAYLOAD + 1].into()), Err(TooLong { length: MAX_PAYLOAD + 1 }));
    }

    #[test]
    fn a_weak_key_signs_nothing() {
        // The identity element as a key makes a signature of zeros fit many messages.
        let mut bytes = vec![0; HEADER];
        bytes[0] = 1;
        bytes[40] = 1;
        assert!(!Envelope::decode(&bytes.into()).unwrap().is_genuine(&TOPIC));
    }
}
