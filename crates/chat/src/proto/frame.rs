//! What goes over a stream of the service `chat`. Whoever runs this puts the length of four bytes before each.

use super::card::MAX_CARD;
use super::cipher::MAX_ENVELOPE;

/// The longest frame, its kind included.
pub const MAX_FRAME: usize = MAX_ENVELOPE + 1;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The sender's card, at most [`MAX_CARD`].
    Card(&'a [u8]),
    /// Something sealed for the recipient, at most [`MAX_ENVELOPE`].
    Envelope(&'a [u8]),
    /// The signed list of the nodes of a person whom the recipient may not know. It is for whoever keeps the book of
    /// people: the state machine passes over it.
    List(&'a [u8]),
}

impl<'a> Frame<'a> {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, bytes) = match self {
            Frame::Card(bytes) => (1, bytes),
            Frame::Envelope(bytes) => (2, bytes),
            Frame::List(bytes) => (3, bytes),
        };
        [&[kind], *bytes].concat()
    }

    /// Reads what [`Frame::encode`] wrote; `None` for what is no frame, or longer than one.
    pub fn decode(bytes: &'a [u8]) -> Option<Frame<'a>> {
        if bytes.len() > MAX_FRAME {
            return None;
        }
        match bytes.split_first()? {
            (1, card) if card.len() <= MAX_CARD => Some(Frame::Card(card)),
            (2, envelope) => Some(Frame::Envelope(envelope)),
            (3, list) => Some(Frame::List(list)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_went() {
        for frame in [Frame::Card(b"card"), Frame::Envelope(b""), Frame::List(b"list")] {
            assert_eq!(Frame::decode(&frame.encode()), Some(frame));
        }
        let too_long = Frame::Card(&[0; MAX_CARD + 1]).encode();
        let unknown = [9, 1];
        for bytes in [&[][..], &unknown, &too_long, &[2; MAX_FRAME + 1]] {
            assert_eq!(Frame::decode(bytes), None);
        }
    }
}
