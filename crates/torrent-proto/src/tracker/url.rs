//! Tracker addresses.

use std::fmt;
use std::str::FromStr;

/// The longest tracker URL read, in bytes (arbitrary; private trackers put keys of a few hundred into theirs).
const MAX_URL_LEN: usize = 2_048;

/// The URL of a tracker that we can talk to. Invariant: printable ASCII or UTF-8 without spaces, with a host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackerUrl {
    text: String,
    transport: Transport,
}

/// How a tracker is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// HTTP, or HTTPS (BEP 3).
    Http,
    /// UDP (BEP 15).
    Udp(UdpTarget),
}

/// Whom to send UDP packets to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UdpTarget {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query, sent along as BEP 41 says; may be empty.
    pub url_data: String,
}

/// Why a text is no tracker URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTrackerUrlError {
    /// Another scheme, or none.
    #[error("{url:?} is not a tracker we can ask: only http://, https:// and udp:// trackers are supported")]
    Scheme {
        /// The text.
        url: String,
    },
    /// The rest is malformed.
    #[error("{url:?} is not a tracker URL: {why}")]
    Malformed {
        /// The text.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl TrackerUrl {
    /// Returns the URL as it was given, without spaces around it and without its fragment.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how the tracker is reached.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns the URL to show: user name and password, query and path after the host are left out where they may hold a
    /// key that is the user's secret.
    pub fn public(&self) -> String {
        let (scheme, rest) = self.text.split_once("://").unwrap_or(("", &self.text));
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}")
    }
}

impl FromStr for TrackerUrl {
    type Err = ParseTrackerUrlError;

    fn from_str(given: &str) -> Result<TrackerUrl, ParseTrackerUrlError> {
        let trimmed = given.trim();
        let malformed = |why| {
            let url = trimmed.chars().take(MAX_URL_LEN).collect();
            Err(ParseTrackerUrlError::Malformed { url, why })
        };
        if trimmed.len() > MAX_URL_LEN {
            return malformed("it is too long");
        }
        if trimmed.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return malformed("it contains a space or a control character");
        }
        let text = trimmed.split('#').next().unwrap_or(trimmed);
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https" | "udp") {
            return Err(ParseTrackerUrlError::Scheme { url: trimmed.to_owned() });
        }
        let (authority, url_data) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match split_authority(authority) {
            Ok(parts) => parts,
            Err(why) => return malformed(why),
        };
        let text = format!("{scheme}://{rest}");
        if scheme != "udp" {
            return Ok(TrackerUrl { text, transport: Transport::Http });
        }
        let Some(port) = port else { return malformed("a udp:// tracker needs a port") };
        let target = UdpTarget { host: host.to_owned(), port, url_data: url_data.to_owned() };
        Ok(TrackerUrl { text, transport: Transport::Udp(target) })
    }
}

/// Splits `user@host:port` into host and port.
fn split_authority(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("an IPv6 address lacks its closing bracket")?;
        host.parse::<core::net::Ipv6Addr>().map_err(|_| "what stands in brackets is not an IPv6 address")?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err("something follows the closing bracket"),
        }
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    if host.is_empty() {
        return Err("it names no host");
    }
    match port.filter(|port| !port.is_empty()).map(str::parse::<u16>) {
        None => Ok((host, None)),
        Some(Ok(0) | Err(_)) => Err("its port is not a number from 1 to 65535"),
        Some(Ok(port)) => Ok((host, Some(port))),
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_is_recognised() {
        let http: TrackerUrl = " HTTP://user:pw@Tracker.example:8080/x/announce?key=1#part ".parse().unwrap();
        assert_eq!(http.as_str(), "http://user:pw@Tracker.example:8080/x/announce?key=1");
        assert_eq!(*http.transport(), Transport::Http);
        assert_eq!(http.public(), "http://Tracker.example:8080");

        let udp: TrackerUrl = "udp://[2001:db8::1]:6969/dir?a=b&c=d".parse().unwrap();
        let target = UdpTarget { host: "2001:db8::1".into(), port: 6969, url_data: "/dir?a=b&c=d".into() };
        assert_eq!(*udp.transport(), Transport::Udp(target));
        assert_eq!("https://t.example".parse::<TrackerUrl>().unwrap().to_string(), "https://t.example");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_a_reason() {
        let refused = [
            ("wss://tracker.example", "only http://, https:// and udp://"),
            ("tracker.example:80/announce", "only http://"),
            ("", "only http://"),
            ("http://", "names no host"),
            ("http://:80/announce", "names no host"),
            ("udp://tracker.example/announce", "needs a port"),
            ("udp://tracker.example:0", "port is not a number"),
            ("udp://tracker.example:65536", "port is not a number"),
            ("udp://[::1:80", "closing bracket"),
            ("udp://[name]:80", "not an IPv6 address"),
            ("udp://[::1]80", "follows the closing bracket"),
            ("http://a b/announce", "a space"),
            ("http://a/\u{7}", "control character"),
        ];
        for (url, why) in refused {
            let error = url.parse::<TrackerUrl>().unwrap_err().to_string();
            assert!(error.contains(why), "{url:?} gave {error:?}");
        }
        assert!(format!("http://a/{}", "x".repeat(3_000)).parse::<TrackerUrl>().is_err());
    }
}
