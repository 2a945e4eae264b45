//! The announces of local service discovery (BEP 14, Protocol).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use metainfo::InfoHashV1;

/// The group of IPv4 (BEP 14).
pub const V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);

/// The group of IPv6 (BEP 14).
pub const V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);

/// The port of both groups (BEP 14).
pub const PORT: u16 = 6771;

/// The longest datagram that is read: one Ethernet frame. BEP 14 wants at most 1,400 bytes sent.
pub const MAX_PACKET_LEN: usize = 1500;

/// How many torrents are named in a datagram, sent or read: each line takes 52 of the 1,400 bytes of BEP 14.
pub const MAX_INFO_HASHES: usize = 24;

/// The longest cookie that is read. Arbitrary; those of known clients have 8 to 16 characters.
const MAX_COOKIE_LEN: usize = 64;

/// To whom an announce goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// [`V4`].
    V4,
    /// [`V6`].
    V6,
}

impl Group {
    /// Returns the group's address.
    pub fn address(self) -> SocketAddr {
        match self {
            Group::V4 => (V4, PORT).into(),
            Group::V6 => (V6, PORT).into(),
        }
    }
}

/// An announce: who sends it has these torrents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Where the sender listens; never 0.
    pub port: u16,
    /// One to [`MAX_INFO_HASHES`] torrents.
    pub info_hashes: Vec<InfoHashV1>,
    /// By which the sender knows its own announces.
    pub cookie: Option<String>,
}

/// Why bytes are no announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin as an announce does.
    #[error("not a BT-SEARCH message")]
    Other,
    /// A header is missing or makes no sense.
    #[error("the header {0} is missing or makes no sense")]
    Header(&'static str),
}

impl Announce {
    /// Writes the datagram for a group.
    pub fn encode(&self, group: Group) -> Vec<u8> {
        let mut text = format!("BT-SEARCH * HTTP/1.1\r\nHost: {}\r\nPort: {}\r\n", group.address(), self.port);
        for info_hash in self.info_hashes.iter().take(MAX_INFO_HASHES) {
            text.push_str("Infohash: ");
            text.push_str(&HEXLOWER.encode(&info_hash.0));
            text.push_str("\r\n");
        }
        if let Some(cookie) = &self.cookie {
            let _ = fmt::Write::write_fmt(&mut text, format_args!("cookie: {cookie}\r\n"));
        }
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }

    /// Reads a datagram. Unknown headers, and torrents beyond [`MAX_INFO_HASHES`], are passed over.
    pub fn decode(packet: &[u8]) -> Result<Announce, DecodeError> {
        let text = packet.get(..packet.len().min(MAX_PACKET_LEN)).unwrap_or_default();
        let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
        let mut first = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ');
        let starts = first.next() == Some(b"BT-SEARCH") && first.next() == Some(b"*");
        if !starts || !first.next().is_some_and(|version| version.starts_with(b"HTTP/1.")) {
            return Err(DecodeError::Other);
        }
        let (mut port, mut info_hashes, mut cookie) = (None, Vec::new(), None);
        for line in lines.take_while(|line| !line.is_empty()) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"port") {
                let number = core::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                port = Some(number.filter(|port| *port != 0).ok_or(DecodeError::Header("Port"))?);
            } else if name.eq_ignore_ascii_case(b"infohash") && info_hashes.len() < MAX_INFO_HASHES {
                let bytes = HEXLOWER_PERMISSIVE.decode(value).ok().and_then(|bytes| bytes.try_into().ok());
                info_hashes.push(InfoHashV1(bytes.ok_or(DecodeError::Header("Infohash"))?));
            } else if name.eq_ignore_ascii_case(b"cookie") && value.len() <= MAX_COOKIE_LEN {
                cookie = core::str::from_utf8(value).ok().map(str::to_owned);
            }
        }
        if info_hashes.is_empty() {
            return Err(DecodeError::Header("Infohash"));
        }
        Ok(Announce { port: port.ok_or(DecodeError::Header("Port"))?, info_hashes, cookie })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As BEP 14 lays it out.
    const BEP: &[u8] = b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
        Infohash: 0123456789abcdef0123456789abcdef01234567\r\ncookie: name=value\r\n\r\n\r\n";

    #[test]
    fn the_layout_of_the_specification_is_written_and_read() {
        let announce = Announce::decode(BEP).unwrap();
        assert_eq!((announce.port, announce.cookie.as_deref()), (6881, Some("name=value")));
        assert_eq!(announce.info_hashes[0].to_string(), "0123456789abcdef0123456789abcdef01234567");
        assert_eq!(announce.encode(Group::V4), BEP);
        assert!(announce.encode(Group::V6).windows(26).any(|part| part == b"Host: [ff15::efc0:988f]:67"));
    }

    #[test]
    fn what_others_write_differently_is_read() {
        // libtorrent: upper-case hexadecimal digits, and no cookie in old versions; anything else may stand between.
        let packet =
            b"BT-SEARCH * HTTP/1.1\nhost: 239.192.152.143:6771\nINFOHASH:0123456789ABCDEF0123456789ABCDEF01234567\n\
            X-New: \xff\nPort:  51413 \nInfohash: ffffffffffffffffffffffffffffffffffffffff\n\nPort: 1\n";
        let announce = Announce::decode(packet).unwrap();
        assert_eq!((announce.port, announce.info_hashes.len(), announce.cookie), (51413, 2, None));
    }

    #[test]
    fn what_is_no_announce_is_refused() {
        let refused = |packet: &str| Announce::decode(packet.as_bytes()).unwrap_err();
        assert_eq!(refused(""), DecodeError::Other);
        assert_eq!(refused("M-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n"), DecodeError::Other);
        assert_eq!(refused("BT-SEARCH * HTTP/1.1\r\n\r\n"), DecodeError::Header("Infohash"));
        let hash = "Infohash: 0123456789abcdef0123456789abcdef01234567\r\n";
        for port in ["", "Port: 0\r\n", "Port: 65536\r\n", "Port: -1\r\n", "Port: ftp\r\n"] {
            assert_eq!(refused(&format!("BT-SEARCH * HTTP/1.1\r\n{port}{hash}\r\n")), DecodeError::Header("Port"));
        }
        let short = "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: 0123\r\n\r\n";
        assert_eq!(refused(short), DecodeError::Header("Infohash"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(port in 1..=u16::MAX, hashes in proptest::collection::vec(any::<[u8; 20]>(), 1..=MAX_INFO_HASHES)) {
            let info_hashes = hashes.into_iter().map(InfoHashV1).collect();
            let announce = Announce { port, info_hashes, cookie: Some("0123456789abcdef".to_owned()) };
            for group in [Group::V4, Group::V6] {
                let packet = announce.encode(group);
                prop_assert!(packet.len() <= 1400);
                prop_assert_eq!(Announce::decode(&packet), Ok(announce.clone()));
            }
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            crate::fuzzing::lsd(&bytes);
            crate::fuzzing::lsd(&[b"BT-SEARCH * HTTP/1.1\r\n", bytes.as_slice()].concat());
        }
    }
}
