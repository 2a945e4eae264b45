//! `[network]` of the settings: how peers are found and reached. Everything is on unless it is switched off by name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// Hosts that bring a node without any known address into the DHT. Each is run by the people of a client: BitTorrent,
/// µTorrent, Transmission, libtorrent; the defaults of most clients are a choice of these.
const BOOTSTRAP: [&str; 4] = [
    "router.bittorrent.com:6881",
    "router.utorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
];

/// How many bootstrap hosts can be named: each is resolved and asked at a start. Arbitrary.
const MAX_BOOTSTRAP: usize = 32;

/// How peers are found and reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Take part in the DHT (BEP 5).
    pub dht: bool,
    /// Ask the DHT, but answer nobody there (BEP 43).
    pub dht_read_only: bool,
    /// Exchange peers with peers (BEP 11).
    pub pex: bool,
    /// Find peers of the local network (BEP 14).
    pub lsd: bool,
    /// Connect by TCP.
    pub tcp: bool,
    /// Connect by uTP (BEP 29).
    pub utp: bool,
    /// Ask the router to let peers in (NAT-PMP, PCP, UPnP).
    pub mapping: bool,
    /// Meet peers behind routers with the help of a third (BEP 55).
    pub holepunch: bool,
    /// Meet other nodes by their keys, where the node has an identity.
    pub overlay: bool,
    /// Use the public relays of iroh where there is no other way to a node.
    pub relays: bool,
    /// The carrier that is tried first, where both are on.
    pub prefer: Option<Carrier>,
    /// Whether connections are obfuscated ("protocol encryption").
    pub encryption: Encryption,
    /// Where the DHT is entered, as `host:port`, while no node of it is known; empty: nowhere.
    pub bootstrap: Vec<String>,
    /// The address that everything leaves from and comes in at.
    pub address: Option<IpAddr>,
    /// The interface that everything leaves and comes in by; Linux only.
    pub interface: Option<String>,
    /// The SOCKS5 proxy that everything goes through; what is not TCP is off then.
    pub proxy: Option<String>,
    /// The name servers that are asked, instead of the system's.
    pub dns: Vec<IpAddr>,
}

/// What a connection to a peer runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// TCP.
    Tcp,
    /// uTP.
    Utp,
}

/// Whether connections to peers are obfuscated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Where the peer can; without it otherwise.
    #[default]
    Prefer,
    /// Only with peers that can.
    Require,
    /// Never.
    Off,
}

/// A part of the network that can be switched off by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The DHT.
    Dht,
    /// Peer exchange.
    Pex,
    /// Local service discovery.
    Lsd,
    /// TCP.
    Tcp,
    /// uTP.
    Utp,
    /// Port mapping.
    Mapping,
    /// Hole punching.
    Holepunch,
    /// Meeting other nodes by their keys.
    Overlay,
    /// The public relays.
    Relays,
}

/// What a command says about the network; the rest is in the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkOptions {
    /// What is switched off.
    pub without: Vec<Part>,
    /// The carrier that is tried first.
    pub prefer: Option<Carrier>,
    /// Whether connections are obfuscated.
    pub encryption: Option<Encryption>,
    /// Where the DHT is entered.
    pub bootstrap: Option<Vec<String>>,
    /// The node ends soon: others need not learn of it (BEP 43).
    pub brief: bool,
}

impl Default for NetworkConfig {
    fn default() -> NetworkConfig {
        NetworkConfig {
            dht: true,
            dht_read_only: false,
            pex: true,
            lsd: true,
            tcp: true,
            utp: true,
            mapping: true,
            holepunch: true,
            overlay: true,
            relays: true,
            prefer: None,
            encryption: Encryption::default(),
            bootstrap: BOOTSTRAP.map(str::to_owned).to_vec(),
            address: None,
            interface: None,
            proxy: None,
            dns: Vec::new(),
        }
    }
}

impl NetworkConfig {
    /// Returns these settings with what a command says instead. The error is one sentence.
    pub(crate) fn with(&self, options: &NetworkOptions) -> Result<NetworkConfig, String> {
        let mut config = self.clone();
        for part in &options.without {
            *config.part(*part) = false;
        }
        config.dht_read_only |= options.brief;
        config.prefer = options.prefer.or(config.prefer);
        config.encryption = options.encryption.unwrap_or(config.encryption);
        config.bootstrap = options.bootstrap.clone().unwrap_or(config.bootstrap);
        config.check()?;
        Ok(config)
    }

    /// Returns the engine's form of it. `snapshot`: what the DHT of an earlier run saved.
    pub(crate) fn engine(&self, snapshot: net::dht::Snapshot) -> torrent::NetworkConfig {
        torrent::NetworkConfig {
            dht: self.dht.then(|| torrent::DhtConfig {
                bootstrap: self.bootstrap.clone(),
                snapshot,
                read_only: self.dht_read_only,
            }),
            pex: self.pex,
            lsd: self.lsd,
            tcp: self.tcp,
            utp: self.utp,
            prefer: self.prefer.map(|carrier| match carrier {
                Carrier::Tcp => net::Carrier::Tcp,
                Carrier::Utp => net::Carrier::Utp,
            }),
            encryption: match self.encryption {
                Encryption::Prefer => torrent::Encryption::Prefer,
                Encryption::Require => torrent::Encryption::Require,
                Encryption::Off => torrent::Encryption::Off,
            },
            port_mapping: self.mapping,
            holepunch: self.holepunch,
        }
    }

    /// Returns by which way everything leaves.
    pub(crate) fn egress(&self) -> Result<net::Egress, String> {
        let proxy = self.proxy.as_ref().map(|proxy| proxy.parse()).transpose();
        let proxy = proxy.map_err(|error: net::ParseProxyError| format!("proxy: {error}"))?;
        // IFNAMSIZ of Linux, less the end of the string.
        if let Some(name) = self.interface.as_ref().filter(|name| name.is_empty() || name.len() > 15) {
            return Err(format!("interface: no interface is called {name:?}"));
        }
        Ok(net::Egress { address: self.address, device: self.interface.clone(), proxy, dns: self.dns.clone() })
    }

    /// Checks what the types do not. The error is one sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.tcp && !self.utp {
            return Err("without TCP and uTP there is no way to any peer: leave one of them on".into());
        }
        if self.bootstrap.len() > MAX_BOOTSTRAP {
            return Err(format!("at most {MAX_BOOTSTRAP} bootstrap hosts can be named"));
        }
        self.egress()?;
        self.bootstrap.iter().try_for_each(|host| check_host_port(host))
    }

    fn part(&mut self, part: Part) -> &mut bool {
        match part {
            Part::Dht => &mut self.dht,
            Part::Pex => &mut self.pex,
            Part::Lsd => &mut self.lsd,
            Part::Tcp => &mut self.tcp,
            Part::Utp => &mut self.utp,
            Part::Mapping => &mut self.mapping,
            Part::Holepunch => &mut self.holepunch,
            Part::Overlay => &mut self.overlay,
            Part::Relays => &mut self.relays,
        }
    }
}

impl Part {
    /// The names of all parts, as they are written in the settings and on the command line.
    pub const NAMES: [&str; 9] = ["dht", "pex", "lsd", "tcp", "utp", "mapping", "holepunch", "overlay", "relays"];

    const ALL: [Part; 9] = [
        Part::Dht,
        Part::Pex,
        Part::Lsd,
        Part::Tcp,
        Part::Utp,
        Part::Mapping,
        Part::Holepunch,
        Part::Overlay,
        Part::Relays,
    ];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        Part::NAMES[self as usize]
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Part, String> {
        let found = Part::ALL.into_iter().find(|part| part.name() == text);
        found.ok_or_else(|| format!("there is no {text:?} to switch off: {} are there", Part::NAMES.join(", ")))
    }
}

impl FromStr for Carrier {
    type Err = String;

    fn from_str(text: &str) -> Result<Carrier, String> {
        match text {
            "tcp" => Ok(Carrier::Tcp),
            "utp" => Ok(Carrier::Utp),
            _ => Err(format!("{text:?} is no carrier: write tcp or utp")),
        }
    }
}

impl FromStr for Encryption {
    type Err = String;

    fn from_str(text: &str) -> Result<Encryption, String> {
        match text {
            "prefer" => Ok(Encryption::Prefer),
            "require" => Ok(Encryption::Require),
            "off" => Ok(Encryption::Off),
            _ => Err(format!("{text:?} is no policy: write prefer, require or off")),
        }
    }
}

/// Checks that a text is `host:port`, with an IPv6 address in brackets. The error is one sentence that names it.
pub fn check_host_port(text: &str) -> Result<(), String> {
    let error = || format!("{text:?}: write HOST:PORT, for example 192.0.2.7:6881 or [2001:db8::7]:6881");
    let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
    let port: u16 = port.parse().map_err(|_| error())?;
    let open = host.starts_with('[') == host.ends_with(']');
    let bare_v6 = host.contains(':') && !host.starts_with('[');
    if host.is_empty() || port == 0 || !open || bare_v6 || host.contains(char::is_whitespace) {
        return Err(error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_on_until_it_is_switched_off_by_name() {
        let every = NetworkConfig::default();
        assert!(every.dht && every.pex && every.lsd && every.tcp && every.utp && every.mapping && every.holepunch);
        assert!(every.overlay && every.relays);
        assert_eq!(every.check(), Ok(()));
        for name in Part::NAMES {
            let part: Part = name.parse().unwrap();
            assert_eq!(part.to_string(), name);
            let mut without = every.with(&NetworkOptions { without: vec![part], ..Default::default() }).unwrap();
            assert!(!*without.part(part));
            *without.part(part) = true;
            assert_eq!(without, every, "{name} switches off itself alone");
        }
        assert!("wifi".parse::<Part>().unwrap_err().contains("holepunch"));
    }

    #[test]
    fn no_way_to_any_peer_is_refused() {
        let options = NetworkOptions { without: vec![Part::Tcp, Part::Utp], ..Default::default() };
        assert!(NetworkConfig::default().with(&options).unwrap_err().contains("leave one"));
    }

    #[test]
    fn what_a_command_says_stands_before_the_settings() {
        let settings: NetworkConfig = toml::from_str(
            "dht = false\nprefer = \"tcp\"\nencryption = \"require\"\nbootstrap = [\"a.example:1\", \"[2001:db8::7]:2\"]",
        )
        .unwrap();
        assert_eq!(settings.with(&NetworkOptions::default()), Ok(settings.clone()));
        let options = NetworkOptions {
            prefer: Some(Carrier::Utp),
            encryption: Some(Encryption::Off),
            bootstrap: Some(vec![]),
            ..Default::default()
        };
        let both = settings.with(&options).unwrap();
        assert_eq!((both.prefer, both.encryption, both.dht), (Some(Carrier::Utp), Encryption::Off, false));
        assert!(both.bootstrap.is_empty());
    }

    #[test]
    fn addresses_need_a_host_and_a_port() {
        for good in ["example.org:80", "192.0.2.7:6881", "[2001:db8::7]:6881"] {
            assert_eq!(check_host_port(good), Ok(()));
        }
        for bad in ["", "example.org", ":80", "a:0", "a:b", "2001:db8::7", "[::1:80", "a b:80"] {
            assert!(check_host_port(bad).is_err(), "{bad}");
            let config = NetworkConfig { bootstrap: vec![bad.into()], ..Default::default() };
            assert!(config.check().is_err(), "{bad}");
        }
    }
}
