//! The sockets of the UDP task: one an address family, with the kernel's means to move many datagrams in one call
//! (recvmmsg and GRO, GSO) where it has them.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use noq_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::UdpConfig;

/// What the kernel is asked to hold for us, each way, in bytes; it gives what its own limit allows (`net.core.rmem_max`).
/// At 1 Gbit/s it is 30 ms, about the longest that the task lets a socket wait on a busy machine.
const KERNEL_BUFFER: usize = 4 << 20;

/// The longest that one receive buffer is filled: what GRO joins at most, the length of an IP packet.
const BUFFER_LEN: usize = 1 << 16;

/// A bound socket.
#[derive(Debug)]
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// The sockets of both families.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) v4: Option<Socket>,
    pub(super) v6: Option<Socket>,
}

impl Sockets {
    /// Opens a socket for each family that the configuration (or the system) has, on its port where that is free.
    pub(super) fn open(config: &UdpConfig) -> io::Result<Sockets> {
        let wanted = |any: IpAddr| {
            let alike = |ip: &IpAddr| ip.is_ipv4() == any.is_ipv4();
            let listen = config.listen.iter().find(|address| alike(&address.ip()));
            let ip = match config.bind {
                Some(bind) => Some(bind).filter(alike)?,
                None => listen.map_or(any, |address| address.ip()),
            };
            let port = listen.or(config.listen.first()).map_or(0, |address| address.port());
            Some(SocketAddr::new(ip, port))
        };
        let v4 = wanted(Ipv4Addr::UNSPECIFIED.into()).map(Socket::open).transpose()?;
        // A machine may have no IPv6 at all.
        let v6 = wanted(Ipv6Addr::UNSPECIFIED.into()).and_then(|address| Socket::open(address).ok());
        Ok(Sockets { v4, v6 })
    }

    /// Returns the socket of an address's family.
    pub(super) fn of(&self, to: SocketAddr) -> Option<&Socket> {
        if to.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    /// Returns how many datagrams of one length the sockets take at once.
    pub(super) fn most_segments(&self) -> usize {
        let most = |socket: &Option<Socket>| socket.as_ref().map(|s| s.state.max_gso_segments().get());
        most(&self.v4).into_iter().chain(most(&self.v6)).min().unwrap_or(1)
    }

    /// Returns the addresses of both.
    pub(super) fn local_addrs(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let local = |socket: &Option<Socket>| socket.as_ref().map(|s| s.local);
        (local(&self.v4), local(&self.v6))
    }
}

impl Socket {
    fn open(wanted: SocketAddr) -> io::Result<Socket> {
        let bind = |port| -> io::Result<socket2::Socket> {
            let address = SocketAddr::new(wanted.ip(), port);
            let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
            if wanted.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            Ok(socket)
        };
        let io = UdpSocket::from_std(bind(wanted.port()).or_else(|_| bind(0))?.into())?;
        // Forbids fragmentation too, so that what is too long for the path is lost and uTP finds the path's limit.
        let state = UdpSocketState::new((&io).into())?;
        let socket = SockRef::from(&io);
        for outcome in [socket.set_recv_buffer_size(KERNEL_BUFFER), socket.set_send_buffer_size(KERNEL_BUFFER)] {
            if let Err(error) = outcome {
                tracing::debug!(%error, "the system keeps its own size of UDP buffers");
            }
        }
        let local = io.local_addr()?;
        Ok(Socket { io, state, local })
    }

    /// Waits until something may be there. Cancel safe.
    async fn readable(&self) -> io::Result<()> {
        self.io.readable().await
    }

    /// Waits until there may be room again. Cancel safe.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// Sends datagrams of `segment` bytes each (the last may be shorter) to one address. `WouldBlock` when there is no
    /// room; none of them is out then.
    pub(super) fn send(&self, to: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
        let segment_size = (segment < contents.len()).then_some(segment);
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
        self.io.try_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit))
    }
}

/// Waits until a socket may have something; for ever without one. Cancel safe.
pub(super) async fn readable(socket: &Option<Socket>) {
    match socket {
        // An error is met again by the read.
        Some(socket) => drop(socket.readable().await),
        None => std::future::pending().await,
    }
}

/// Room for what one call brings. Only what was ever filled takes memory: 2 MiB at most.
#[derive(Debug)]
pub(super) struct Inbox {
    memory: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        // Zeroed memory is not touched by this: the system gives a page when it is first written.
        Inbox { memory: vec![0; BATCH_SIZE * BUFFER_LEN], metas: [RecvMeta::default(); BATCH_SIZE], filled: 0 }
    }

    /// Replaces the content by what is there; `WouldBlock` when that is nothing.
    pub(super) fn receive(&mut self, socket: &Socket) -> io::Result<()> {
        self.filled = 0;
        let mut chunks = self.memory.chunks_exact_mut(BUFFER_LEN);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let metas = &mut self.metas;
        self.filled =
            socket.io.try_io(Interest::READABLE, || socket.state.recv((&socket.io).into(), &mut slices, metas))?;
        Ok(())
    }

    /// Tells whether every buffer was used: more may be there.
    pub(super) fn is_full(&self) -> bool {
        self.filled == BATCH_SIZE
    }

    /// Returns what came: the sender, the datagrams end to end, and the length of each but the last.
    pub(super) fn received(&self) -> impl Iterator<Item = (SocketAddr, &[u8], usize)> {
        let read = self.metas[..self.filled].iter().zip(self.memory.chunks_exact(BUFFER_LEN));
        read.map(|(meta, buffer)| (meta.addr, &buffer[..meta.len], meta.stride.max(1)))
    }
}
