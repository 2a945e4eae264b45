//! The pairs of sockets of a service that is spoken to over TCP and UDP: one of each at every address, with one port.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

use crate::{Contradiction, Egress};

/// How many TCP connections wait for being accepted (arbitrary; the usual one).
const BACKLOG: i32 = 1_024;

/// How often a port that is free for TCP is tried for UDP, where any port will do (arbitrary).
const TRIES: u32 = 20;

/// Listens at one address over TCP and UDP.
#[derive(Debug)]
pub struct Pair {
    /// The address, with the port that both got.
    pub address: SocketAddr,
    /// What listens over TCP.
    pub tcp: TcpListener,
    /// What listens over UDP; does not block.
    pub udp: UdpSocket,
}

/// Opens a pair at each address, or where `egress` says instead; with port 0 both sockets of a pair get the same free port.
/// An IPv6 socket takes IPv6 alone, so that every address is shown as what it is. Of several addresses, those of a family
/// that the computer lacks are left out.
///
/// # Errors
/// The first address that cannot be listened on, and why; the last one, if all were left out.
pub fn pairs(addresses: &[SocketAddr], egress: &Egress) -> Result<Vec<Pair>, (SocketAddr, io::Error)> {
    let contradiction = |error: Contradiction| (error.listen, io::Error::new(io::ErrorKind::InvalidInput, error));
    let addresses = egress.place(addresses).map_err(contradiction)?;
    let (mut pairs, mut missing) = (Vec::new(), None);
    for &address in &addresses {
        match pair(address, egress) {
            Ok(pair) => pairs.push(pair),
            Err(error) if addresses.len() > 1 && is_missing_family(&error) => {
                tracing::debug!(%address, %error, "an address is left out");
                missing = Some((address, error));
            }
            Err(error) => return Err((address, error)),
        }
    }
    if pairs.is_empty() { missing.map_or(Ok(pairs), Err) } else { Ok(pairs) }
}

fn pair(address: SocketAddr, egress: &Egress) -> io::Result<Pair> {
    let mut tries = TRIES;
    loop {
        let tcp = socket(address, Type::STREAM, egress)?;
        tcp.listen(BACKLOG)?;
        let tcp = TcpListener::from_std(tcp.into())?;
        let got = tcp.local_addr()?;
        match socket(SocketAddr::new(address.ip(), got.port()), Type::DGRAM, egress) {
            Ok(udp) => return Ok(Pair { address: got, tcp, udp: udp.into() }),
            Err(error) if address.port() != 0 || tries == 0 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

fn socket(address: SocketAddr, kind: Type, egress: &Egress) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    #[cfg(unix)]
    if kind == Type::STREAM {
        // A port whose last connections are still being wound up is free for a new listener.
        socket.set_reuse_address(true)?;
    }
    egress.bind_device(SockRef::from(&socket))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether the system lacks the address family, or has no such address.
fn is_missing_family(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable)
        || error.to_string().contains("not supported")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(addresses: &[SocketAddr]) -> Result<Vec<Pair>, (SocketAddr, io::Error)> {
        pairs(addresses, &Egress::default())
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn pairs_are_bound_to_the_interface_and_to_the_address() {
        let ours: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let by = |device: &str| Egress { device: Some(device.to_owned()), ..Egress::default() };
        let pair = pairs(&[ours], &by("lo")).unwrap().remove(0);
        assert_eq!(SockRef::from(&pair.tcp).device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert_eq!(SockRef::from(&pair.udp).device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert!(pairs(&[ours], &by("no-such-card")).is_err());
        let at = Egress { address: Some(ours.ip()), ..Egress::default() };
        let found = pairs(&["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()], &at).unwrap();
        assert_eq!(found.iter().map(|pair| pair.address.ip()).collect::<Vec<_>>(), [ours.ip()]);
        assert!(pairs(&["127.0.0.2:0".parse().unwrap()], &at).is_err());
    }

    #[tokio::test]
    async fn both_sockets_of_a_pair_have_one_port() {
        let found = open(&["127.0.0.1:0".parse().unwrap(), "127.0.0.2:0".parse().unwrap()]).unwrap();
        assert_eq!(found.len(), 2);
        for pair in found {
            assert_eq!(pair.tcp.local_addr().unwrap(), pair.address);
            assert_eq!(pair.udp.local_addr().unwrap(), pair.address);
            assert_ne!(pair.address.port(), 0);
        }
    }

    #[tokio::test]
    async fn what_this_computer_lacks_is_left_out_unless_nothing_is_left() {
        // RFC 5737: no computer has it.
        let (ours, missing): (SocketAddr, SocketAddr) =
            ("127.0.0.1:0".parse().unwrap(), "192.0.2.1:0".parse().unwrap());
        assert_eq!(open(&[missing, ours]).unwrap().len(), 1);
        assert_eq!(open(&[missing]).unwrap_err().0, missing);
        assert_eq!(open(&[missing, missing]).unwrap_err().0, missing);
        let taken = open(&[ours]).unwrap();
        assert_eq!(open(&[taken[0].address]).unwrap_err().1.kind(), io::ErrorKind::AddrInUse);
    }
}
