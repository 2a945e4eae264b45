//! Hole punching on the wire (BEP 55): a type, an address, an error code.

use core::net::SocketAddr;

use super::frame::{WireError, id, u32_at};
use super::pex;

/// What a relay and those that it brings together say to one another (BEP 55).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolepunchMessage {
    /// To a relay: bring us together with this peer of yours.
    Rendezvous(SocketAddr),
    /// From a relay: dial this address over uTP now; its owner is told the same of you.
    Connect(SocketAddr),
    /// From a relay: that rendezvous cannot be had.
    Error(SocketAddr, HolepunchError),
}

/// Why a relay cannot bring two peers together (BEP 55, error codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolepunchError {
    /// The address is none.
    NoSuchPeer,
    /// The relay is not connected to it.
    NotConnected,
    /// The peer there does not take part in hole punching.
    NoSupport,
    /// The address is the relay's own.
    NoSelf,
    /// A code that BEP 55 does not know.
    Other(u32),
}

const RENDEZVOUS: u8 = 0;
const CONNECT: u8 = 1;
const ERROR: u8 = 2;
const V4: u8 = 0;
const V6: u8 = 1;

impl HolepunchError {
    fn from_code(code: u32) -> HolepunchError {
        match code {
            1 => HolepunchError::NoSuchPeer,
            2 => HolepunchError::NotConnected,
            3 => HolepunchError::NoSupport,
            4 => HolepunchError::NoSelf,
            other => HolepunchError::Other(other),
        }
    }

    fn code(self) -> u32 {
        match self {
            HolepunchError::NoSuchPeer => 1,
            HolepunchError::NotConnected => 2,
            HolepunchError::NoSupport => 3,
            HolepunchError::NoSelf => 4,
            HolepunchError::Other(code) => code,
        }
    }
}

/// Reads a message; `None` for a kind, a family or an address that is none, all of which are ignored. An error code that
/// is missing counts as 0: some leave it away where it says nothing.
pub(super) fn decode(body: &[u8]) -> Result<Option<HolepunchMessage>, WireError> {
    let bad_length = WireError::BadLength { id: id::EXTENDED, length: body.len() as u32 + 2 };
    let (&[kind, family], rest) = body.split_first_chunk::<2>().ok_or(bad_length)?;
    let length = match family {
        V4 => 6,
        V6 => 18,
        _ => return Ok(None),
    };
    let (address, rest) = rest.split_at_checked(length).ok_or(bad_length)?;
    let Some(address) = pex::address(address) else { return Ok(None) };
    Ok(match kind {
        RENDEZVOUS => Some(HolepunchMessage::Rendezvous(address)),
        CONNECT => Some(HolepunchMessage::Connect(address)),
        ERROR => {
            let code = if rest.len() < 4 { 0 } else { u32_at(rest, 0) };
            Some(HolepunchMessage::Error(address, HolepunchError::from_code(code)))
        }
        _ => None,
    })
}

/// Writes a message.
pub(super) fn encode(message: HolepunchMessage) -> Vec<u8> {
    let (kind, address, code) = match message {
        HolepunchMessage::Rendezvous(address) => (RENDEZVOUS, address, 0),
        HolepunchMessage::Connect(address) => (CONNECT, address, 0),
        HolepunchMessage::Error(address, error) => (ERROR, address, error.code()),
    };
    let mut out = vec![kind, if address.is_ipv4() { V4 } else { V6 }];
    out.extend(pex::compact(address));
    out.extend(code.to_be_bytes());
    out
}
