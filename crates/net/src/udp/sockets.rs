//! The sockets of the UDP task: one an address family.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

/// Opens a socket for each family that `bind` (or the system) has, on `port` where it is free.
pub(super) fn open(bind: Option<IpAddr>, port: u16) -> io::Result<(Option<UdpSocket>, Option<UdpSocket>)> {
    let v4 = match bind {
        Some(IpAddr::V6(_)) => None,
        other => Some(open_one(other.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port)?),
    };
    // A machine may have no IPv6 at all.
    let v6 = match bind {
        Some(IpAddr::V4(_)) => None,
        other => open_one(other.unwrap_or(Ipv6Addr::UNSPECIFIED.into()), port).ok(),
    };
    Ok((v4, v6))
}

fn open_one(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let bind = |port| -> io::Result<UdpSocket> {
        let address = SocketAddr::new(ip, port);
        let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
        if ip.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    bind(port).or_else(|_| bind(0))
}

/// Receives a datagram; waits for ever without a socket. Cancel safe.
pub(super) async fn receive(socket: &Option<UdpSocket>, packet: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(packet).await,
        None => std::future::pending().await,
    }
}
