//! Links to what changes: they name a key, and an item of the DHT that the key signs names the newest torrent (BEP 46).

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use percent_encoding::utf8_percent_encode;

use super::parse::{Rest, decoded, parameters};
use super::{ENCODED, ENCODED_ADDRESS, MagnetError, PeerHint};
use crate::InfoHashV1;
use crate::bencode::{self, Tree};

/// The longest salt, in bytes (BEP 44).
const MAX_SALT_LEN: usize = 64;

/// A magnet link to the newest of several torrents: `xs=urn:btpk:` and a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateLink {
    /// The Ed25519 key that signs which torrent is the newest.
    pub key: [u8; 32],
    /// `s`: which of the key's torrents; at most 64 bytes, may be empty.
    pub salt: Vec<u8>,
    /// `dn`: what to call it. Not made safe.
    pub name: Option<String>,
    /// `tr`: tracker URLs, for every version.
    pub trackers: Vec<String>,
    /// `x.pe`: peers to try.
    pub peers: Vec<PeerHint>,
}

impl UpdateLink {
    /// Builds a link that names nothing but the key.
    pub fn new(key: [u8; 32]) -> UpdateLink {
        UpdateLink { key, salt: Vec::new(), name: None, trackers: Vec::new(), peers: Vec::new() }
    }

    /// Tells whether a text is meant as such a link, right or wrong.
    pub fn is_meant(text: &str) -> bool {
        parameters(text)
            .is_some_and(|mut all| all.any(|(kind, value)| kind == "xs" && key_of(&decoded(value)).is_some()))
    }
}

/// Returns what the item of a key says: this torrent is the newest (BEP 46).
pub fn encode_newest(hash: InfoHashV1) -> Vec<u8> {
    bencode::encode(&Tree::dict([("ih", Tree::bytes(&hash.0))]))
}

/// Reads such an item; `None`: it says something else.
pub fn decode_newest(value: &[u8]) -> Option<InfoHashV1> {
    let value = bencode::decode(value).ok()?;
    let hash = value.as_dict()?.bytes(b"ih")?;
    hash.try_into().ok().map(InfoHashV1)
}

/// Returns what follows `urn:btpk:`.
fn key_of(topic: &str) -> Option<&str> {
    topic.get(..9).filter(|urn| urn.eq_ignore_ascii_case("urn:btpk:")).map(|_| &topic[9..])
}

impl FromStr for UpdateLink {
    type Err = MagnetError;

    /// Reads a link. Unknown parameters, and peers that are no addresses, are skipped.
    fn from_str(text: &str) -> Result<UpdateLink, MagnetError> {
        let (mut key, mut salt) = (None, Vec::new());
        let mut rest = Rest::default();
        for (kind, value) in parameters(text).ok_or(MagnetError::NotMagnet)? {
            let value_text = decoded(value);
            let bad = |parameter, expected| MagnetError::BadParameter {
                parameter,
                value: value_text.clone().into_owned(),
                expected,
            };
            match (kind, key_of(&value_text)) {
                ("xs", Some(digits)) => {
                    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
                    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                    key = Some(bytes.ok_or_else(|| bad("xs", "after urn:btpk: come 64 hexadecimal digits"))?);
                }
                ("s", _) => {
                    let bytes = HEXLOWER_PERMISSIVE.decode(value_text.as_bytes()).ok();
                    let bytes = bytes.filter(|bytes| bytes.len() <= MAX_SALT_LEN);
                    salt = bytes.ok_or_else(|| bad("s", "at most 64 bytes, as hexadecimal digits"))?;
                }
                _ => rest.take(kind, value)?,
            }
        }
        let key = key.ok_or(MagnetError::NoTorrent)?;
        let Rest { name, trackers, peers, .. } = rest;
        Ok(UpdateLink { key, salt, name, trackers, peers })
    }
}

impl fmt::Display for UpdateLink {
    /// Writes the link; equal links are written equally.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "magnet:?xs=urn:btpk:{}", HEXLOWER.encode(&self.key))?;
        if !self.salt.is_empty() {
            write!(f, "&s={}", HEXLOWER.encode(&self.salt))?;
        }
        if let Some(name) = &self.name {
            write!(f, "&dn={}", utf8_percent_encode(name, ENCODED))?;
        }
        for tracker in &self.trackers {
            write!(f, "&tr={}", utf8_percent_encode(tracker, ENCODED))?;
        }
        for peer in &self.peers {
            write!(f, "&x.pe={}", utf8_percent_encode(&peer.to_string(), ENCODED_ADDRESS))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The key and salt of BEP 46's test vectors.
    const KEY: &str = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";

    #[test]
    fn the_links_of_the_specification_are_read_and_written() {
        let plain = format!("magnet:?xs=urn:btpk:{KEY}");
        let link: UpdateLink = plain.parse().unwrap();
        assert_eq!((HEXLOWER.encode(&link.key), link.salt.len()), (KEY.to_owned(), 0));
        assert_eq!(link.to_string(), plain);
        let salted = format!("{plain}&s=6e");
        let link: UpdateLink = salted.parse().unwrap();
        assert_eq!(link.salt, b"n");
        assert_eq!(link.to_string(), salted);
        assert!(UpdateLink::is_meant(&salted));
        assert!(!UpdateLink::is_meant("magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"));
    }

    #[test]
    fn names_trackers_and_peers_come_along() {
        let text =
            format!("magnet:?xs=urn:btpk:{KEY}&dn=a%20b&tr=udp%3A%2F%2Ft%3A1&x.pe=192.0.2.1:5&x.pe=[2001:db8::1]:6");
        let link: UpdateLink = text.parse().unwrap();
        assert_eq!((link.name.as_deref(), link.trackers.len(), link.peers.len()), (Some("a b"), 1, 2));
        assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = "00".repeat(65);
        for (text, words) in [
            ("http://x".to_owned(), "magnet:?"),
            ("magnet:?dn=x".to_owned(), "names no torrent"),
            ("magnet:?xs=urn:btpk:12".to_owned(), "64 hexadecimal digits"),
            (format!("magnet:?xs=urn:btpk:{KEY}&s=xyz"), "hexadecimal digits"),
            (format!("magnet:?xs=urn:btpk:{KEY}&s={long}"), "at most 64 bytes"),
        ] {
            let error = text.parse::<UpdateLink>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn an_item_names_the_newest_torrent() {
        let hash = InfoHashV1(*b"abcdefghijklmnopqrst");
        assert_eq!(encode_newest(hash), b"d2:ih20:abcdefghijklmnopqrste");
        assert_eq!(decode_newest(&encode_newest(hash)), Some(hash));
        for other in [&b"d2:ih3:abce"[..], b"de", b"20:abcdefghijklmnopqrst", b"x"] {
            assert_eq!(decode_newest(other), None);
        }
    }
}
