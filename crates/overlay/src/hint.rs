//! Hints: where a node may be reached, as links and groups carry it. A hint is a claim of whoever wrote it: it costs a
//! dialling attempt if it is wrong, nothing else, because the node's key is checked in every handshake.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use base::NodeId;
use iroh::{RelayUrl, TransportAddr};

/// The longest text of a relay, in bytes: a host name has at most 253 (RFC 1035), and a signed record of 1,000 bytes has
/// to hold it (BEP 44). Arbitrary within that.
pub const MAX_RELAY_LEN: usize = 200;

/// The most hints that are kept for one node; what is beyond is ignored. Arbitrary: a node with several networks and
/// two relays has fewer.
pub const MAX_HINTS: usize = 16;

/// Where a node may be reached.
///
/// Its text is an address and port (`192.0.2.1:4001`, `[2001:db8::1]:4001`) or a relay, [`Relay`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// At this UDP address.
    Address(SocketAddr),
    /// By this relay.
    Relay(Relay),
}

/// A relay: a public node that passes on what two others send each other, which it cannot read.
///
/// Its text is the URL, and where the relay is another node of Compeer, behind `#` the node's id and the UDP port that
/// tells others their own address: `https://192.0.2.1:3340/#KEY.7842`. With an id the relay has to prove that key; without
/// one, that it owns the name (WebPKI).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relay {
    url: RelayUrl,
    node: Option<NodeId>,
    quic_port: Option<u16>,
}

/// Why a text is no hint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither an address (192.0.2.1:4001) nor a relay (https://relay.example/)")]
pub struct ParseHintError {
    text: String,
}

impl Relay {
    /// Names the relay that `node` runs at an `http` or `https` URL. `quic_port`: where it tells others their own address.
    pub fn new(url: &str, node: Option<NodeId>, quic_port: Option<u16>) -> Result<Relay, ParseHintError> {
        let base = url.split('#').next().unwrap_or_default();
        let text = match (node, quic_port) {
            (Some(node), Some(port)) => format!("{base}#{node}.{port}"),
            (Some(node), None) => format!("{base}#{node}"),
            (None, Some(port)) => format!("{base}#.{port}"),
            (None, None) => base.to_owned(),
        };
        text.parse()
    }

    /// Returns the URL without what stands behind `#`.
    pub fn url(&self) -> String {
        self.url.as_str().split('#').next().unwrap_or_default().to_owned()
    }

    /// Returns the id of the node that runs it, where it is said.
    pub fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// Returns the UDP port that tells others their own address.
    pub fn quic_port(&self) -> Option<u16> {
        self.quic_port
    }

    /// Returns the host of the URL: a name or an address, without a port.
    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Returns the port of the URL.
    pub(crate) fn port(&self) -> u16 {
        // Both schemes have one by default.
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Returns the address, where the host is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host().trim_matches(['[', ']']).parse().ok()?;
        Some(SocketAddr::new(ip, self.port()))
    }

    pub(crate) fn as_iroh(&self) -> &RelayUrl {
        &self.url
    }

    pub(crate) fn from_iroh(url: &RelayUrl) -> Result<Relay, ParseHintError> {
        url.as_str().parse()
    }
}

impl Hint {
    pub(crate) fn to_iroh(&self) -> TransportAddr {
        match self {
            Hint::Address(address) => TransportAddr::Ip(*address),
            Hint::Relay(relay) => TransportAddr::Relay(relay.as_iroh().clone()),
        }
    }

    /// `None`: of a kind that we do not use, or a relay that we would not take from a text either.
    pub(crate) fn from_iroh(address: &TransportAddr) -> Option<Hint> {
        match address {
            TransportAddr::Ip(address) => Some(Hint::Address(*address)),
            TransportAddr::Relay(url) => Relay::from_iroh(url).ok().map(Hint::Relay),
            _ => None,
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Address(address) => address.fmt(f),
            Hint::Relay(relay) => relay.fmt(f),
        }
    }
}

impl FromStr for Hint {
    type Err = ParseHintError;

    fn from_str(text: &str) -> Result<Hint, ParseHintError> {
        match text.parse() {
            Ok(address) => Ok(Hint::Address(address)),
            Err(_) => text.parse().map(Hint::Relay),
        }
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({self})")
    }
}

impl FromStr for Relay {
    type Err = ParseHintError;

    fn from_str(text: &str) -> Result<Relay, ParseHintError> {
        parse_relay(text).ok_or_else(|| ParseHintError { text: text.chars().take(MAX_RELAY_LEN).collect() })
    }
}

fn parse_relay(text: &str) -> Option<Relay> {
    if text.len() > MAX_RELAY_LEN {
        return None;
    }
    let url: RelayUrl = text.parse().ok()?;
    // Credentials and queries mean nothing to a relay; a second `=` would break the signed record.
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain || url.as_str().contains('=') {
        return None;
    }
    let (node, port) = match url.fragment().unwrap_or_default().split_once('.') {
        Some((node, port)) => (node, Some(port.parse::<u16>().ok().filter(|&port| port != 0)?)),
        None => (url.fragment().unwrap_or_default(), None),
    };
    let node = match node {
        "" => None,
        node => Some(node.parse().ok()?),
    };
    Some(Relay { url, node, quic_port: port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_as_they_are_written() {
        let node = NodeId([7; 32]);
        for text in [
            "192.0.2.1:4001".to_owned(),
            "[2001:db8::1]:4001".to_owned(),
            "https://relay.example/".to_owned(),
            format!("http://192.0.2.1:3340/#{node}"),
            format!("https://[2001:db8::1]:3340/#{node}.7842"),
            "https://relay.example/#.7842".to_owned(),
        ] {
            let hint: Hint = text.parse().unwrap();
            assert_eq!(hint.to_string(), text);
            assert_eq!(Hint::from_iroh(&hint.to_iroh()), Some(hint));
        }
        let relay = Relay::new("https://192.0.2.1:3340", Some(node), Some(7842)).unwrap();
        assert_eq!((relay.node(), relay.quic_port(), relay.host()), (Some(node), Some(7842), "192.0.2.1"));
        assert_eq!(relay.url(), "https://192.0.2.1:3340/");
    }

    #[test]
    fn what_is_no_hint_is_refused() {
        for text in [
            "",
            "192.0.2.1",
            "relay.example",
            "ftp://relay.example/",
            "https://user@relay.example/",
            "https://relay.example/?a=b",
            "https://relay.example/#nobody",
            "https://relay.example/#.0",
            &format!("https://{}.example/", "a".repeat(MAX_RELAY_LEN)),
        ] {
            assert!(text.parse::<Hint>().is_err(), "{text}");
        }
    }
}
