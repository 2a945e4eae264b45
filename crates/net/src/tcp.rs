//! TCP: listening, with the options that every listening socket gets.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

use crate::Egress;

/// How many connections may wait to be accepted. The size at which Linux caps it by default since 5.4 is 4,096; other
/// clients ask for some hundreds at most.
const BACKLOG: i32 = 512;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has it.
    #[error(
        "{0} is taken by another program: choose another port, or port 0 for any free one (`listen` in config.toml)"
    )]
    Taken(SocketAddr),
    /// The address is not one of this machine, or the system refuses.
    #[error("cannot listen on {address}: {reason}; choose another address (`listen` in config.toml)")]
    Refused {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
}

/// Listens on `address`. Port 0 takes a free port; read it from the listener. IPv6 sockets take IPv6 only, so that both
/// families can have the same port.
pub fn listen(address: SocketAddr, egress: &Egress) -> Result<TcpListener, ListenError> {
    let open = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // On Windows the option would let two programs share the port; elsewhere it only skips the TIME_WAIT of an
        // earlier run.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        egress.bind_device(SockRef::from(&socket))?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|reason| match reason.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken(address),
        _ => ListenError::Refused { address, reason },
    })
}

/// Listens on every address. Where several share port 0, the port that the first one got is tried for the others, so
/// that IPv4 and IPv6 answer on the same one. An IPv6 wildcard on a machine without IPv6 is left out.
pub fn listen_all(addresses: &[SocketAddr], egress: &Egress) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for &wanted in addresses {
        let taken = listeners.first().and_then(|l| l.local_addr().ok()).map(|a| a.port());
        let listener = match taken {
            Some(port) if wanted.port() == 0 => {
                listen(SocketAddr::new(wanted.ip(), port), egress).or_else(|_| listen(wanted, egress))
            }
            _ => listen(wanted, egress),
        };
        match listener {
            Ok(listener) => listeners.push(listener),
            Err(ListenError::Refused { reason, .. })
                if wanted.is_ipv6() && wanted.ip().is_unspecified() && !listeners.is_empty() =>
            {
                tracing::debug!(%wanted, %reason, "no IPv6 here");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_and_port_0_finds_another() {
        let first = listen("127.0.0.1:0".parse().unwrap(), &Egress::default()).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address, &Egress::default()).unwrap_err();
        assert!(error.to_string().contains(&format!("{address} is taken")), "{error}");
        assert_ne!(listen("127.0.0.1:0".parse().unwrap(), &Egress::default()).unwrap().local_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn both_families_get_the_same_port() {
        let listeners = listen_all(&["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()], &Egress::default());
        // A machine without IPv6 refuses ::1; there is nothing to compare then.
        let Ok(listeners) = listeners else { return };
        let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert_eq!(ports[0], ports[1]);
    }

    #[tokio::test]
    async fn a_foreign_address_is_refused_with_its_name() {
        let error = listen("192.0.2.1:6881".parse().unwrap(), &Egress::default()).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:6881"), "{error}");
    }
}
