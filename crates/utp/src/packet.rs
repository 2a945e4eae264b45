//! The header of a packet and its extensions (BEP 29, header format).
//!
//! Invariant: what [`Packet::decode`] returns points into the datagram; nothing is copied and nothing allocated.

/// The length of a header without extensions, in bytes.
pub const HEADER_LEN: usize = 20;

/// The version of the protocol that is spoken.
const VERSION: u8 = 1;

/// The extension that acknowledges packets behind a gap.
const SELECTIVE_ACK: u8 = 1;

/// An extension that says nothing and makes a packet longer: everybody skips what they do not know. Arbitrary, but no number
/// that others use (libutp: 2, libtorrent: 3).
const PADDING: u8 = 0x70;

/// The lengths that [`pad`] can add, in bytes: those of the extension's head, and of what its length byte holds.
pub const PADDING_LEN: core::ops::RangeInclusive<usize> = 2..=257;

/// The most bytes of a selective acknowledgement that are sent: the largest multiple of four that its length byte holds.
pub const MAX_SACK_LEN: usize = 252;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Carries payload.
    Data = 0,
    /// The last packet of a direction.
    Fin = 1,
    /// Acknowledges, without payload.
    State = 2,
    /// Ends the connection at once.
    Reset = 3,
    /// Begins a connection.
    Syn = 4,
}

/// The fields of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub kind: Kind,
    /// The receiver's id of the connection; in a SYN, the sender's.
    pub connection: u16,
    /// The sender's clock, in microseconds.
    pub timestamp_us: u32,
    /// The sender's last measurement of the way from the receiver to it, in microseconds; 0 without one.
    pub timestamp_difference_us: u32,
    /// How many more bytes the sender takes.
    pub window: u32,
    /// The packet's number.
    pub seq: u16,
    /// The number of the last packet received without a gap.
    pub ack: u16,
}

/// A packet, borrowed from a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// Packets behind a gap: the lowest bit of the first byte is `ack + 2`. Empty without the extension.
    pub sack: &'a [u8],
    /// What follows the extensions.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram; `None` when it is not uTP version 1. Unknown extensions are skipped.
    pub fn decode(datagram: &'a [u8]) -> Option<Packet<'a>> {
        let (head, mut rest) = datagram.split_first_chunk::<HEADER_LEN>()?;
        if head[0] & 0x0f != VERSION {
            return None;
        }
        let kind = match head[0] >> 4 {
            0 => Kind::Data,
            1 => Kind::Fin,
            2 => Kind::State,
            3 => Kind::Reset,
            4 => Kind::Syn,
            _ => return None,
        };
        let mut sack: &[u8] = &[];
        let mut extension = head[1];
        while extension != 0 {
            let (&[next, length], after) = rest.split_first_chunk::<2>()?;
            let (body, after) = after.split_at_checked(usize::from(length))?;
            // One of each: the first counts.
            if extension == SELECTIVE_ACK && sack.is_empty() {
                sack = body;
            }
            (extension, rest) = (next, after);
        }
        let u32_at = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let u16_at = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let header = Header {
            kind,
            connection: u16_at(2),
            timestamp_us: u32_at(4),
            timestamp_difference_us: u32_at(8),
            window: u32_at(12),
            seq: u16_at(16),
            ack: u16_at(18),
        };
        Some(Packet { header, sack, payload: rest })
    }

    /// Returns the bit of the selective acknowledgement that stands for a packet, `distance` behind `ack + 2`.
    #[cfg(test)]
    pub fn is_acked(&self, distance: usize) -> bool {
        self.sack.get(distance / 8).is_some_and(|byte| byte >> (distance % 8) & 1 == 1)
    }
}

impl Header {
    /// Appends the header and, unless it is empty, a selective acknowledgement of at most [`MAX_SACK_LEN`] bytes.
    pub fn encode(&self, sack: &[u8], out: &mut Vec<u8>) {
        debug_assert!(sack.len() <= MAX_SACK_LEN, "the length byte holds no more");
        let mut head = [0; HEADER_LEN];
        head[0] = (self.kind as u8) << 4 | VERSION;
        head[1] = if sack.is_empty() { 0 } else { SELECTIVE_ACK };
        head[2..4].copy_from_slice(&self.connection.to_be_bytes());
        head[4..8].copy_from_slice(&self.timestamp_us.to_be_bytes());
        head[8..12].copy_from_slice(&self.timestamp_difference_us.to_be_bytes());
        head[12..16].copy_from_slice(&self.window.to_be_bytes());
        head[16..18].copy_from_slice(&self.seq.to_be_bytes());
        head[18..20].copy_from_slice(&self.ack.to_be_bytes());
        out.extend_from_slice(&head);
        if !sack.is_empty() {
            out.extend_from_slice(&[0, sack.len() as u8]);
            out.extend_from_slice(sack);
        }
    }
}

/// Makes a packet `length` bytes longer (see [`PADDING_LEN`]) that has no extension; `header` is its header, the last thing
/// written.
pub fn pad(header: &mut Vec<u8>, length: usize) {
    debug_assert!(PADDING_LEN.contains(&length), "one extension, and no more than its length byte holds");
    let at = header.len() - HEADER_LEN + 1;
    header[at] = PADDING;
    header.extend_from_slice(&[0, (length - 2) as u8]);
    header.resize(header.len() + length - 2, 0);
}

/// Tells whether a datagram has the form of uTP: what is left are other protocols of a shared socket.
pub fn is_utp(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER_LEN && datagram[0] & 0x0f == VERSION && datagram[0] >> 4 <= Kind::Syn as u8
}

#[cfg(test)]
mod tests;
