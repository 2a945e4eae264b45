//! Names of hosts. Where everything has to leave by one interface or from one address, the system's resolver is not asked: it
//! asks by whatever way it likes. Then the servers are asked from here, over a socket that is bound like all others.
//!
//! A stub resolver (RFC 1034, 5.3.1; RFC 1035): servers that look further themselves are asked for A and AAAA over UDP.
//! `/etc/hosts` stands before them, as everywhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::Egress;

/// How long a server may take (arbitrary; resolvers of systems wait for 5 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How many servers are asked. As the system's resolver does (resolv.conf(5), MAXNS).
const MAX_SERVERS: usize = 3;

/// How often each is asked. As the system's resolver does (resolv.conf(5), `attempts`).
const ATTEMPTS: usize = 2;

/// How many addresses of a name are taken. Arbitrary.
const MAX_ADDRESSES: usize = 32;

/// The longest answer (RFC 1035, 4.2.1, is 512 bytes; some servers send what fits a packet).
const MAX_ANSWER: usize = 4096;

/// The port of DNS (RFC 1035, 4.2.1).
const PORT: u16 = 53;

/// Where the servers are named; the second where the first names this computer alone (systemd-resolved(8)).
const SERVER_FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Names that this computer knows by itself.
const HOSTS_FILE: &str = "/etc/hosts";

impl Egress {
    /// Resolves a name or reads an address, by the way that everything leaves. Takes up to 18 s. Cancel safe.
    ///
    /// # Errors
    /// When nobody knows the name or no server can be asked.
    pub async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let found: Vec<IpAddr> = if self.device.is_none() && self.address.is_none() && self.dns.is_empty() {
            tokio::net::lookup_host((host, port)).await?.map(|address| address.ip()).collect()
        } else {
            self.ask(host).await?
        };
        Ok(found.into_iter().take(MAX_ADDRESSES).map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// As [`Egress::lookup`], of `host:port`.
    ///
    /// # Errors
    /// As there; also for a text that is none.
    pub async fn lookup_text(&self, text: &str) -> io::Result<Vec<SocketAddr>> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is no HOST:PORT"))?;
        self.lookup(host, port).await
    }

    async fn ask(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let known = in_hosts(&read(HOSTS_FILE).await, host);
        if !known.is_empty() {
            return Ok(known);
        }
        let mut servers = self.dns.clone();
        for file in SERVER_FILES {
            if servers.is_empty() {
                servers = in_resolv_conf(&read(file).await);
            }
        }
        servers.retain(|server| self.address.is_none_or(|address| address.is_ipv4() == server.is_ipv4()));
        servers.truncate(MAX_SERVERS);
        let way = self.device.clone().or(self.address.map(|address| address.to_string())).unwrap_or_default();
        let mut last = io::Error::new(
            io::ErrorKind::NotFound,
            format!("no name server is known that can be asked by {way}; name some as dns in [network] of config.toml"),
        );
        for _ in 0..ATTEMPTS {
            for &server in &servers {
                match self.ask_server(server, host).await {
                    Ok(found) => return Ok(found),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                    Err(error) => last = io::Error::new(error.kind(), format!("the name server {server}: {error}")),
                }
            }
        }
        Err(last)
    }

    /// Asks one server for both families, or the one that can be used.
    async fn ask_server(&self, server: IpAddr, host: &str) -> io::Result<Vec<IpAddr>> {
        let socket = Socket::new(Domain::for_address(SocketAddr::new(server, PORT)), Type::DGRAM, None)?;
        self.bind_device(SockRef::from(&socket))?;
        socket.set_nonblocking(true)?;
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // The port is the system's choice, so that it cannot be guessed (RFC 5452, 9.2).
        socket.bind(&SocketAddr::new(self.address.unwrap_or(any), 0).into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        socket.connect(SocketAddr::new(server, PORT)).await?;
        let usable = |kind: &TYPE| self.address.is_none_or(|address| address.is_ipv4() == (*kind == TYPE::A));
        let mut open = Vec::new();
        for kind in [TYPE::A, TYPE::AAAA].into_iter().filter(usable) {
            let id = (getrandom::u32().map_err(io::Error::other)? & 0xffff) as u16;
            socket.send(&question(id, host, kind)?).await?;
            open.push((id, kind));
        }
        let (mut found, mut answer, mut failure) = (Vec::new(), vec![0; MAX_ANSWER], None);
        let answers = async {
            while !open.is_empty() {
                let length = socket.recv(&mut answer).await?;
                let Some((at, ips)) = open
                    .iter()
                    .enumerate()
                    .find_map(|(at, (id, kind))| Some((at, read_answer(&answer[..length], *id, host, *kind)?)))
                else {
                    continue;
                };
                open.remove(at);
                // A server may know one family and fail at the other (RFC 4074, 4).
                match ips {
                    Ok(ips) => found.extend(ips),
                    Err(error) => failure = Some(error),
                }
            }
            Ok::<(), io::Error>(())
        };
        match timeout(ANSWER_TIMEOUT, answers).await {
            Ok(outcome) => outcome?,
            // Some servers never answer for one of the families.
            Err(_) if found.is_empty() => return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer")),
            Err(_) => {}
        }
        let nothing = || io::Error::new(io::ErrorKind::NotFound, "no host has this name");
        if found.is_empty() { Err(failure.unwrap_or_else(nothing)) } else { Ok(found) }
    }
}

async fn read(path: &'static str) -> String {
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path));
    // Without the file nothing is known.
    read.await.ok().and_then(Result::ok).unwrap_or_default()
}

/// Returns the addresses of a name in the form of hosts(5).
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    let found = lines.filter_map(|mut words| {
        let ip = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(ip)
    });
    found.collect()
}

/// Returns the servers of resolv.conf(5), less those on this computer: they would ask by a way of their own.
fn in_resolv_conf(text: &str) -> Vec<IpAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    });
    servers.filter(|ip| !ip.is_loopback()).collect()
}

fn question(id: u16, host: &str, kind: TYPE) -> io::Result<Vec<u8>> {
    let no_name = |error| io::Error::new(io::ErrorKind::NotFound, format!("this is no name of a host: {error}"));
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(host.trim_end_matches('.')).map_err(no_name)?;
    packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(no_name)
}

/// Reads a datagram as the answer to a question; `None`: it is none.
fn read_answer(datagram: &[u8], id: u16, host: &str, kind: TYPE) -> Option<io::Result<Vec<IpAddr>>> {
    let packet = Packet::parse(datagram).ok()?;
    let asked = packet.questions.first()?;
    let same = asked.qname.to_string().eq_ignore_ascii_case(host.trim_end_matches('.')) && asked.qtype == kind.into();
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !same {
        return None;
    }
    let addresses = || packet.answers.iter().filter_map(|record| address(&record.rdata)).collect::<Vec<_>>();
    Some(match packet.rcode() {
        RCODE::NoError if packet.has_flags(PacketFlag::TRUNCATION) && addresses().is_empty() => {
            Err(io::Error::other("its answer does not fit a datagram"))
        }
        // Aliases come with what they stand for, as a server that looks further has to (RFC 1034, 4.3.2).
        RCODE::NoError => Ok(addresses()),
        RCODE::NameError => Err(io::Error::new(io::ErrorKind::NotFound, "no host has this name")),
        other => Err(io::Error::other(format!("it refuses ({other:?})"))),
    })
}

fn address(data: &RData<'_>) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(Ipv4Addr::from(a.address).into()),
        RData::AAAA(a) => Some(Ipv6Addr::from(a.address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::A;

    #[tokio::test]
    async fn addresses_need_nobody_and_names_of_this_computer_no_server() {
        let bound = Egress { device: Some("no-such-card".into()), ..Egress::default() };
        assert_eq!(bound.lookup("[2001:db8::1]", 7).await.unwrap(), ["[2001:db8::1]:7".parse().unwrap()]);
        assert_eq!(bound.lookup_text("192.0.2.1:7").await.unwrap(), ["192.0.2.1:7".parse().unwrap()]);
        assert!(bound.lookup_text("192.0.2.1").await.is_err());
        let text = "127.0.0.1 localhost # here\n::1\tlocalhost ip6-localhost\n#192.0.2.1 other\n";
        assert_eq!(in_hosts(text, "LOCALHOST."), ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]);
        assert_eq!(in_hosts(text, "other"), [] as [IpAddr; 0]);
    }

    #[tokio::test]
    async fn a_name_is_not_asked_of_the_system_past_the_interface() {
        let server = "192.0.2.53".parse().unwrap();
        let bound = Egress { device: Some("no-such-card".into()), dns: vec![server], ..Egress::default() };
        let error = bound.lookup("tracker.example", 80).await.unwrap_err().to_string();
        assert!(error.starts_with("the name server 192.0.2.53"), "{error}");
        let other_family =
            Egress { address: Some("2001:db8::1".parse().unwrap()), dns: vec![server], ..Egress::default() };
        let error = other_family.lookup("tracker.example", 80).await.unwrap_err().to_string();
        assert!(error.contains("no name server is known") && error.contains("dns in [network]"), "{error}");
    }

    #[test]
    fn servers_on_this_computer_are_left_out() {
        let text = "# by hand\nnameserver 127.0.0.53\nnameserver 192.0.2.53\noptions edns0\nnameserver fe80::1%eth0\n";
        assert_eq!(in_resolv_conf(text), ["192.0.2.53".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let bytes = question(7, "tracker.example", TYPE::A).unwrap();
        let asked = Packet::parse(&bytes).unwrap();
        assert!(asked.has_flags(PacketFlag::RECURSION_DESIRED));
        let mut reply = Packet::new_reply(7);
        reply.questions = asked.questions.clone();
        let a = RData::A(A { address: Ipv4Addr::new(192, 0, 2, 9).into() });
        reply.answers.push(ResourceRecord::new(Name::new("tracker.example").unwrap(), CLASS::IN, 60, a));
        let bytes = reply.build_bytes_vec().unwrap();
        let read = |id, host, kind| read_answer(&bytes, id, host, kind).map(Result::unwrap);
        assert_eq!(read(7, "tracker.example", TYPE::A), Some(vec!["192.0.2.9".parse().unwrap()]));
        assert_eq!(read(7, "Tracker.Example.", TYPE::A), Some(vec!["192.0.2.9".parse().unwrap()]));
        for (id, host, kind) in [(8, "tracker.example", TYPE::A), (7, "other.example", TYPE::A)] {
            assert_eq!(read(id, host, kind), None);
        }
        assert_eq!(read(7, "tracker.example", TYPE::AAAA), None);
        assert!(read_answer(&[0; 12], 0, "", TYPE::A).is_none() && read_answer(&[], 0, "", TYPE::A).is_none());
        let mut cut = Packet::new_reply(7);
        cut.questions = asked.questions.clone();
        cut.set_flags(PacketFlag::TRUNCATION);
        let bytes = cut.build_bytes_vec().unwrap();
        let error = read_answer(&bytes, 7, "tracker.example", TYPE::A).unwrap().unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::NotFound, "another server may know more");
        let mut none = Packet::new_reply(7);
        none.questions = asked.questions.clone();
        *none.rcode_mut() = RCODE::NameError;
        let bytes = none.build_bytes_vec().unwrap();
        let error = read_answer(&bytes, 7, "tracker.example", TYPE::A).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
