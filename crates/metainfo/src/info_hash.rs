//! Info-hashes: the names of torrents (BEP 3 and 52).

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// The SHA-1 of the info dictionary, or the first 20 bytes of a v2 hash: what handshakes and trackers carry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV1(pub [u8; 20]);

/// The SHA-256 of a v2 info dictionary (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2(pub [u8; 32]);

/// The one or two names of a torrent. Invariant: at least one is present; a hybrid has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashes {
    v1: Option<InfoHashV1>,
    v2: Option<InfoHashV2>,
}

/// Why a text is no info-hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an info-hash: it needs 40 or 64 hexadecimal digits, or 32 characters of base32")]
pub struct ParseInfoHashError(String);

impl InfoHashV2 {
    /// Returns the 20 bytes that stand for this hash on the peer wire and at trackers (BEP 52).
    pub fn truncated(self) -> InfoHashV1 {
        let mut out = [0; 20];
        out.copy_from_slice(&self.0[..20]);
        InfoHashV1(out)
    }
}

impl InfoHashes {
    /// Names a v1 torrent.
    pub fn v1_only(v1: InfoHashV1) -> InfoHashes {
        InfoHashes { v1: Some(v1), v2: None }
    }

    /// Names a v2 torrent.
    pub fn v2_only(v2: InfoHashV2) -> InfoHashes {
        InfoHashes { v1: None, v2: Some(v2) }
    }

    /// Names a hybrid torrent.
    pub fn hybrid(v1: InfoHashV1, v2: InfoHashV2) -> InfoHashes {
        InfoHashes { v1: Some(v1), v2: Some(v2) }
    }

    /// Names a torrent by what is known; `None` when nothing is.
    pub fn from_parts(v1: Option<InfoHashV1>, v2: Option<InfoHashV2>) -> Option<InfoHashes> {
        (v1.is_some() || v2.is_some()).then_some(InfoHashes { v1, v2 })
    }

    /// Returns the v1 name.
    pub fn v1(&self) -> Option<InfoHashV1> {
        self.v1
    }

    /// Returns the v2 name.
    pub fn v2(&self) -> Option<InfoHashV2> {
        self.v2
    }

    /// Returns the 20-byte names under which this torrent's swarms meet: the v1 hash first, then the truncated v2 one.
    pub fn wire(&self) -> impl Iterator<Item = InfoHashV1> + use<> {
        self.v1.into_iter().chain(self.v2.map(InfoHashV2::truncated))
    }

    /// Returns the name that stands for the torrent in keys and lists: the v1 hash, or else the truncated v2 one.
    pub fn key(&self) -> InfoHashV1 {
        self.wire().next().expect("an InfoHashes holds at least one hash")
    }

    /// Tells whether an info dictionary, in its raw form, is the one that each known hash names.
    pub fn verify(&self, raw_info: &[u8]) -> bool {
        self.v1.is_none_or(|v1| v1.0 == <[u8; 20]>::from(Sha1::digest(raw_info)))
            && self.v2.is_none_or(|v2| v2.0 == <[u8; 32]>::from(Sha256::digest(raw_info)))
    }

    /// Tells whether both name the same torrent by at least one hash.
    pub fn matches(&self, other: &InfoHashes) -> bool {
        (self.v1.is_some() && self.v1 == other.v1) || (self.v2.is_some() && self.v2 == other.v2)
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}

text_form!(InfoHashV1);
text_form!(InfoHashV2);

impl FromStr for InfoHashV1 {
    type Err = ParseInfoHashError;

    /// Reads 40 hexadecimal digits or 32 characters of base32 (BEP 9).
    fn from_str(text: &str) -> Result<InfoHashV1, ParseInfoHashError> {
        let bytes = match text.len() {
            40 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
            32 => BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok(),
            _ => None,
        };
        let bytes = bytes.and_then(|b| <[u8; 20]>::try_from(b).ok());
        bytes.map(InfoHashV1).ok_or_else(|| ParseInfoHashError(text.to_owned()))
    }
}

impl FromStr for InfoHashV2 {
    type Err = ParseInfoHashError;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<InfoHashV2, ParseInfoHashError> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
        bytes.map(InfoHashV2).ok_or_else(|| ParseInfoHashError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_base32_name_the_same_hash() {
        let hex: InfoHashV1 = "0123456789abcdef0123456789ABCDEF01234567".parse().unwrap();
        let base32: InfoHashV1 = BASE32_NOPAD.encode(&hex.0).to_lowercase().parse().unwrap();
        assert_eq!(hex, base32);
        assert_eq!(hex.to_string(), "0123456789abcdef0123456789abcdef01234567");
        assert!("0123".parse::<InfoHashV1>().is_err());
    }

    #[test]
    fn a_hybrid_meets_two_swarms() {
        let hybrid = InfoHashes::hybrid(InfoHashV1([1; 20]), InfoHashV2([2; 32]));
        assert_eq!(hybrid.wire().collect::<Vec<_>>(), [InfoHashV1([1; 20]), InfoHashV1([2; 20])]);
        assert!(hybrid.matches(&InfoHashes::v2_only(InfoHashV2([2; 32]))));
        assert!(!hybrid.matches(&InfoHashes::v1_only(InfoHashV1([2; 20]))));
    }
}
