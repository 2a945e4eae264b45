//! The sockets of the UDP task: one an address family, with the kernel's means to move many datagrams in one call
//! (recvmmsg and GRO, GSO) where it has them.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use noq_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, SockRef, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::UdpConfig;
use crate::Egress;

/// What the kernel is asked to hold for us, each way, in bytes; it gives what its own limit allows (`net.core.rmem_max`).
/// At 1 Gbit/s it is 30 ms, about the longest that the task lets a socket wait on a busy machine.
const KERNEL_BUFFER: usize = 4 << 20;

/// The longest that one receive buffer is filled: what GRO joins at most, the length of an IP packet.
const BUFFER_LEN: usize = 1 << 16;

/// How many remote ends are remembered by the address of ours that they speak to. Arbitrary; some 300 KiB.
const MAX_REPLIES: usize = 8192;

/// A bound socket.
#[derive(Debug)]
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// Of a socket bound to everything: to which of our addresses who speaks. Answers leave from there, or a machine with
    /// several (IPv6 with privacy addresses is one) would answer as somebody else.
    replies: HashMap<SocketAddr, IpAddr>,
    last: Option<(SocketAddr, IpAddr)>,
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
        let egress = &config.egress;
        let wanted = |any: IpAddr| {
            let alike = |ip: &IpAddr| ip.is_ipv4() == any.is_ipv4();
            let listen = config.listen.iter().find(|address| alike(&address.ip()));
            let ip = match egress.address {
                Some(bind) => Some(bind).filter(alike)?,
                None => listen.map_or(any, |address| address.ip()),
            };
            let port = listen.or(config.listen.first()).map_or(0, |address| address.port());
            Some(SocketAddr::new(ip, port))
        };
        let v4 = wanted(Ipv4Addr::UNSPECIFIED.into()).map(|address| Socket::open(address, egress)).transpose()?;
        // The same port for both, where it may be any.
        let drawn = v4.as_ref().map_or(0, |socket: &Socket| socket.local.port());
        let v6 = wanted(Ipv6Addr::UNSPECIFIED.into()).and_then(|mut address| {
            if address.port() == 0 {
                address.set_port(drawn);
            }
            // A machine may have no IPv6 at all.
            Socket::open(address, egress).ok()
        });
        Ok(Sockets { v4, v6 })
    }

    /// Returns the socket of an address's family.
    pub(super) fn of(&self, to: SocketAddr) -> Option<&Socket> {
        if to.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    /// Returns the socket of an address's family, to be changed.
    pub(super) fn of_mut(&mut self, to: SocketAddr) -> Option<&mut Socket> {
        if to.is_ipv4() { self.v4.as_mut() } else { self.v6.as_mut() }
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
    fn open(wanted: SocketAddr, egress: &Egress) -> io::Result<Socket> {
        let bind = |port| -> io::Result<socket2::Socket> {
            let address = SocketAddr::new(wanted.ip(), port);
            let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
            if wanted.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            egress.bind_device(SockRef::from(&socket))?;
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
        Ok(Socket { io, state, local, replies: HashMap::new(), last: None })
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
        let src_ip = match self.last {
            Some((last, ip)) if last == to => Some(ip),
            _ => self.replies.get(&to).copied(),
        };
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip };
        self.io.try_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit))
    }

    /// Notes to which of our addresses a remote end speaks.
    fn spoken_to(&mut self, from: SocketAddr, ours: IpAddr) {
        if !self.local.ip().is_unspecified() || self.last == Some((from, ours)) || ours.is_multicast() {
            return;
        }
        if self.replies.len() >= MAX_REPLIES && !self.replies.contains_key(&from) {
            // Those that still speak are noted again.
            self.replies.clear();
        }
        self.replies.insert(from, ours);
        self.last = Some((from, ours));
    }

    /// Forgets to which of our addresses a remote end spoke: it may be ours no more.
    pub(super) fn forget(&mut self, to: SocketAddr) {
        self.replies.remove(&to);
        self.last = None;
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
    pub(super) fn receive(&mut self, socket: &mut Socket) -> io::Result<()> {
        self.filled = 0;
        let mut chunks = self.memory.chunks_exact_mut(BUFFER_LEN);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let metas = &mut self.metas;
        self.filled =
            socket.io.try_io(Interest::READABLE, || socket.state.recv((&socket.io).into(), &mut slices, metas))?;
        for meta in &self.metas[..self.filled] {
            if let Some(ours) = meta.dst_ip {
                socket.spoken_to(meta.addr, ours);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_leave_from_the_address_that_was_spoken_to() {
        let listen = vec!["0.0.0.0:0".parse().unwrap()];
        let (egress, dht, gate, memory_bytes) = (Egress::default(), None, None, 64 << 20);
        let config = UdpConfig { egress, listen, utp: false, accept: false, memory_bytes, seed: 1, dht, gate };
        let mut sockets = Sockets::open(&config).unwrap();
        let bob = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = sockets.local_addrs().0.unwrap().port();
        let mut inbox = Inbox::new();
        for ours in ["127.0.0.2", "127.0.0.3"] {
            let ours = SocketAddr::new(ours.parse().unwrap(), port);
            bob.send_to(b"who?", ours).await.unwrap();
            // Readiness may be said too early.
            while inbox.receive(sockets.v4.as_mut().unwrap()).is_err() {
                readable(&sockets.v4).await;
            }
            let (from, data, stride) = inbox.received().next().unwrap();
            assert_eq!((from, data, stride), (bob.local_addr().unwrap(), &b"who?"[..], 4));
            sockets.of(from).unwrap().send(from, b"me", 2).unwrap();
            // Where the system does not say whom it was sent to, the answer comes from where its routes lead.
            if inbox.metas[0].dst_ip.is_some() {
                assert_eq!(bob.recv_from(&mut [0; 8]).await.unwrap(), (2, ours));
            }
        }
        sockets.of_mut(bob.local_addr().unwrap()).unwrap().forget(bob.local_addr().unwrap());
        assert!(sockets.v4.unwrap().replies.is_empty());
    }
}
