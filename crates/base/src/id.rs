//! Names of nodes, persons and groups: 32 bytes each, written in z-base-32.
//!
//! z-base-32 (Zooko Wilcox-O'Hearn, "Human-oriented base-32 encoding") is what pkarr writes such keys in, so that a node
//! id that Compeer prints can be handed to any tool of that family as it is: 52 characters, lower case.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::fmt;
use std::str::FromStr;

/// The alphabet of z-base-32, in the order of the values.
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// How many characters 32 bytes take.
const LEN: usize = 52;

/// The first byte of every stand-in address: the half of the unique local addresses that is not defined (RFC 4193,
/// section 3.1), so that no computer has one.
const STAND_IN: u8 = 0xfc;

/// The port of every stand-in address. Any would do.
const STAND_IN_PORT: u16 = 1;

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id: one has {LEN} letters and digits (z-base-32)")]
pub struct ParseIdError {
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), &encode(&self.0)[..8])
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<$name, ParseIdError> {
                decode(text).map($name).ok_or_else(|| ParseIdError { text: text.to_owned() })
            }
        }
    };
}

id! {
    /// A node: the Ed25519 public key that the node drew for itself.
    NodeId
}
id! {
    /// A person: the Ed25519 public key that signs the list of the person's nodes.
    PersonId
}
id! {
    /// A group.
    GroupId
}

impl NodeId {
    /// Returns the address that stands for this node where an address is asked for and only the id is known: in the list
    /// of a torrent's peers, in logs. It is a name: nothing is ever sent to it, and it is told to nobody.
    pub fn stand_in(&self) -> SocketAddr {
        let mut octets = [STAND_IN; 16];
        octets[1..].copy_from_slice(&self.0[..15]);
        SocketAddr::new(IpAddr::V6(Ipv6Addr::from(octets)), STAND_IN_PORT)
    }
}

/// Whether an address is the stand-in of a node, [`NodeId::stand_in`].
pub fn is_stand_in(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.octets()[0] == STAND_IN)
}

fn encode(bytes: &[u8; 32]) -> String {
    let digit = |at: usize| {
        let bit = |i: usize| bytes.get(i / 8).map_or(0, |byte| byte >> (7 - i % 8) & 1);
        let value = (at * 5..at * 5 + 5).fold(0, |value, i| value << 1 | bit(i));
        char::from(ALPHABET[usize::from(value)])
    };
    (0..LEN).map(digit).collect()
}

fn decode(text: &str) -> Option<[u8; 32]> {
    if text.len() != LEN {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, character) in text.bytes().enumerate() {
        let value = ALPHABET.iter().position(|&known| known == character)?;
        for offset in 0..5 {
            if value >> (4 - offset) & 1 == 0 {
                continue;
            }
            // The last digit has four bits more than there are bytes for; a text that sets them is not canonical.
            let i = at * 5 + offset;
            *bytes.get_mut(i / 8)? |= 1 << (7 - i % 8);
        }
    }
    Some(bytes)
}

/// How many characters of an id are enough, where they are of one alone. Arbitrary: what one reads off a list and types.
const MIN_BEGINNING: usize = 4;

/// Whether a text is the beginning of an id of whatever kind, long enough to mean it. Capital letters are not told apart:
/// where both are ids, the text means several.
pub fn begins(id: &str, text: &str) -> bool {
    text.len() >= MIN_BEGINNING && id.get(..text.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_letters_of_an_id_are_enough_to_mean_it() {
        for (text, means) in
            [("ybnd", true), ("YbNdR", true), ("ybn", false), ("bndr", false), ("ybndrf", false), ("ybé", false)]
        {
            assert_eq!(begins("ybndr", text), means, "{text}");
        }
    }

    #[test]
    fn ids_are_written_as_pkarr_writes_keys() {
        // The key and its text from the documentation of pkarr's relays.
        let text = "o4dksfbqk85ogzdb5osziw6befigbuxmuxkuxq8434q89uj56uyy";
        let id: NodeId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("{id:?}"), "NodeId(o4dksfbq)");
        assert_eq!(NodeId([0; 32]).to_string(), "y".repeat(52));
        assert_eq!(PersonId([255; 32]).to_string(), format!("{}o", "9".repeat(51)));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "y", &"y".repeat(53), &"l".repeat(52), &"9".repeat(52), &"Y".repeat(52)] {
            assert!(text.parse::<PersonId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_stand_in_is_told_from_an_address() {
        let id = NodeId([7; 32]);
        assert!(is_stand_in(id.stand_in().ip()));
        assert_ne!(id.stand_in(), NodeId([8; 32]).stand_in());
        assert!(!is_stand_in("fd77::1".parse().unwrap()) && !is_stand_in("127.0.0.1".parse().unwrap()));
    }
}
