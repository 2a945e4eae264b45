//! By which way what this node sends leaves the computer: from an address, by an interface, through a SOCKS5 proxy.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpStream;
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;

/// How long a user name or password may be, in bytes (RFC 1929, section 2).
const MAX_SECRET: usize = 255;

/// The way out. The default is wherever the system's routes lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// The address that everything leaves from.
    pub address: Option<IpAddr>,
    /// The interface that everything leaves by and comes in by. Linux only.
    pub device: Option<String>,
    /// The proxy that TCP goes through; nothing else leaves then.
    pub proxy: Option<Proxy>,
    /// The name servers that are asked, by this way; empty: where there is an address or interface those of the system that
    /// are other computers, otherwise the system itself is asked.
    pub dns: Vec<IpAddr>,
}

/// A listening address is not the one that everything leaves from and comes in at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{listen} is not the address {address} that everything is to leave from and come in at; leave one of the two away"
)]
pub struct Contradiction {
    /// What was to be listened on.
    pub listen: SocketAddr,
    /// The address of [`Egress`].
    pub address: IpAddr,
}

/// A SOCKS5 proxy (RFC 1928). Written as `socks5://HOST:PORT` or `socks5://USER:PASSWORD@HOST:PORT`.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `host:port`.
    host: String,
    /// User name and password (RFC 1929).
    login: Option<(String, String)>,
}

/// Why a text is no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no SOCKS5 proxy: write socks5://HOST:PORT or socks5://USER:PASSWORD@HOST:PORT")]
pub struct ParseProxyError;

impl FromStr for Proxy {
    type Err = ParseProxyError;

    fn from_str(text: &str) -> Result<Proxy, ParseProxyError> {
        let rest = text.strip_prefix("socks5://").or_else(|| text.strip_prefix("socks5h://")).ok_or(ParseProxyError)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, host) = match rest.rsplit_once('@') {
            Some((login, host)) => {
                let (user, password) = login.split_once(':').ok_or(ParseProxyError)?;
                let fits = |text: &str| (1..=MAX_SECRET).contains(&text.len());
                // What a URL would have to escape has no place here: the same text goes to two libraries.
                let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !b"/?#[]@%".contains(&b));
                let good = fits(user) && fits(password) && plain(user) && plain(password);
                if !good {
                    return Err(ParseProxyError);
                }
                (Some((user.to_owned(), password.to_owned())), host)
            }
            None => (None, rest),
        };
        let (name, port) = host.rsplit_once(':').ok_or(ParseProxyError)?;
        let bare_v6 = name.contains(':') && !(name.starts_with('[') && name.ends_with(']'));
        let port = port.parse::<u16>().ok().filter(|port| *port != 0);
        if name.is_empty() || bare_v6 || port.is_none() || name.contains(['/', '?', '#', ' ']) {
            return Err(ParseProxyError);
        }
        Ok(Proxy { host: host.to_owned(), login })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socks5://{}", self.host)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        fmt::Display::fmt(self, f)
    }
}

impl Proxy {
    /// Returns the URL by which HTTP uses it: names are resolved by the proxy.
    pub(crate) fn url(&self) -> String {
        match &self.login {
            Some((user, password)) => format!("socks5h://{user}:{password}@{}", self.host),
            None => format!("socks5h://{}", self.host),
        }
    }
}

impl Egress {
    /// Binds a socket to the interface.
    pub(crate) fn bind_device(&self, socket: socket2::SockRef<'_>) -> io::Result<()> {
        let Some(device) = &self.device else { return Ok(()) };
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return socket.bind_device(Some(device.as_bytes()));
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        {
            let _ = socket;
            Err(io::Error::new(io::ErrorKind::Unsupported, format!("{device}: interfaces can be named on Linux only")))
        }
    }

    /// Returns what is listened on: `listen`, where an address that everything comes in at is set that address in place of
    /// every address, with the same ports.
    ///
    /// # Errors
    /// The first of `listen` that is another address.
    pub fn place(&self, listen: &[SocketAddr]) -> Result<Vec<SocketAddr>, Contradiction> {
        let Some(address) = self.address else { return Ok(listen.to_vec()) };
        let mut placed = Vec::new();
        for &listen in listen {
            if !listen.ip().is_unspecified() && listen.ip() != address {
                return Err(Contradiction { listen, address });
            }
            let at = SocketAddr::new(address, listen.port());
            if !placed.contains(&at) {
                placed.push(at);
            }
        }
        Ok(placed)
    }

    /// Opens a TCP connection, through the proxy if there is one. Has no time limit of its own. Cancel safe.
    ///
    /// # Errors
    /// When nobody answers, or the address is of another family than the one that everything leaves from.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(proxy) = &self.proxy else { return self.connect_directly(address).await };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for at in self.lookup_text(&proxy.host).await? {
            match self.connect_directly(at).await {
                Ok(stream) => return handshake(proxy, stream, address).await,
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_directly(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket =
            if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
        self.bind_device(socket2::SockRef::from(&socket))?;
        match self.address {
            Some(ip) if ip.is_ipv4() == address.is_ipv4() => socket.bind(SocketAddr::new(ip, 0))?,
            // What stays on this computer leaves from nowhere.
            Some(ip) if !address.ip().is_loopback() => {
                let words = format!("{address} cannot be reached from {ip}, from which everything is to leave");
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, words));
            }
            _ => {}
        }
        socket.connect(address).await
    }

    /// Returns the addresses of this computer that are listened on by `listen`: where that is every address, those of the
    /// interface alone.
    pub fn narrow(&self, listen: &[SocketAddr]) -> Vec<SocketAddr> {
        let Some(device) = &self.device else { return listen.to_vec() };
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        let ours: Vec<IpAddr> = all.into_iter().filter(|it| it.name == *device).map(|it| it.ip()).collect();
        let each = |listen: &SocketAddr| {
            let listen = *listen;
            let any = listen.ip().is_unspecified();
            let alike = move |ip: &&IpAddr| any && ip.is_ipv4() == listen.is_ipv4();
            let mut at: Vec<SocketAddr> =
                ours.iter().filter(alike).map(|ip| SocketAddr::new(*ip, listen.port())).collect();
            at.extend((!any).then_some(listen));
            at
        };
        listen.iter().flat_map(each).collect()
    }
}

async fn handshake(proxy: &Proxy, stream: TcpStream, address: SocketAddr) -> io::Result<TcpStream> {
    let target = TargetAddr::Ip(address);
    let connected = match &proxy.login {
        Some((user, password)) => Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await,
        None => Socks5Stream::connect_with_socket(stream, target).await,
    };
    Ok(connected.map_err(|error| io::Error::other(format!("the proxy {proxy}: {error}")))?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listened_on_is_the_address_or_a_contradiction() {
        let at = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let bound = Egress { address: Some("192.0.2.7".parse().unwrap()), ..Egress::default() };
        let every = at(&["0.0.0.0:7", "[::]:7"]);
        assert_eq!(Egress::default().place(&every), Ok(every.clone()));
        assert_eq!(bound.place(&every), Ok(at(&["192.0.2.7:7"])));
        assert_eq!(bound.place(&at(&["192.0.2.7:9", "0.0.0.0:8"])), Ok(at(&["192.0.2.7:9", "192.0.2.7:8"])));
        for other in ["192.0.2.8:7", "127.0.0.1:7", "[2001:db8::1]:7"] {
            let error = bound.place(&at(&["0.0.0.0:7", other])).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{other} is not the address 192.0.2.7")), "{error}");
        }
    }

    #[tokio::test]
    async fn nothing_leaves_from_an_address_of_another_family() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bound = Egress { address: Some("127.0.0.7".parse().unwrap()), ..Egress::default() };
        let (dialled, accepted) =
            tokio::join!(bound.connect(listener.local_addr().unwrap()), async { listener.accept().await.unwrap() });
        assert_eq!((accepted.1.ip(), accepted.1), (bound.address.unwrap(), dialled.unwrap().local_addr().unwrap()));
        let error = bound.connect("[2001:db8::1]:9".parse().unwrap()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "[2001:db8::1]:9 cannot be reached from 127.0.0.7, from which everything is to leave"
        );
    }

    #[test]
    fn a_proxy_is_read_and_its_password_not_shown() {
        for (text, url) in [
            ("socks5://127.0.0.1:1080", "socks5h://127.0.0.1:1080"),
            ("socks5h://proxy.example:9050/", "socks5h://proxy.example:9050"),
            ("socks5://me:secret@[::1]:1080", "socks5h://me:secret@[::1]:1080"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!(proxy.url(), url);
            assert!(!format!("{proxy} {proxy:?}").contains("secret"));
        }
        for text in [
            "",
            "http://a:1",
            "socks5://a",
            "socks5://a:0",
            "socks5://me@a:1",
            "socks5://::1:80",
            "socks5://a b:1",
            "socks5://m%:x@a:1",
        ] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
    }
}
