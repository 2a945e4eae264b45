//! Local service discovery (BEP 14): the sockets of its two multicast groups, for all torrents of a node.
//!
//! Owns the sockets and the state machine. It awaits its sockets, its orders, the receivers that were dropped, and its
//! timer. Invariant: groups are joined, and announces sent, only on interfaces with an address that is listened on,
//! and never on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use metainfo::InfoHashV1;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, Instant};
use torrent_proto::lsd::{self, Group, Input, MAX_PACKET_LEN, Output, PORT};

use crate::Clock;

/// How many joins may wait for the task; a caller beyond that waits itself. Arbitrary.
const QUEUE: usize = 64;

/// How many peers of a torrent may wait to be read; more are lost, and announced again in five minutes.
const FOUND_QUEUE: usize = 64;

/// How often the interfaces are looked at again, and members looked for that left. Arbitrary.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What local discovery did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LsdStatus {
    /// The addresses by which this computer is in the groups now.
    pub interfaces: Vec<IpAddr>,
    /// How many datagrams went out, counted once an interface.
    pub sent: u64,
    /// How many datagrams came in, our own included.
    pub received: u64,
    /// How many times a peer of one of our torrents was heard.
    pub found: u64,
    /// What went wrong last, if anything.
    pub last_words: Option<String>,
}

/// Finds peers in this network. Cheap to clone; the task ends with the last clone.
#[derive(Clone, Debug)]
pub struct Lsd {
    joins: mpsc::Sender<(InfoHashV1, mpsc::Sender<SocketAddr>)>,
    status: watch::Receiver<LsdStatus>,
}

impl Lsd {
    /// Joins the groups on the interfaces of the `listen` addresses and spawns the task. Their first port is announced.
    /// Where nothing can be joined the reason is in the status, and it is tried again now and then. `seed` draws the
    /// cookie.
    pub fn start(listen: &[SocketAddr], clock: Clock, seed: u64) -> Lsd {
        let port = listen.first().map_or(0, SocketAddr::port);
        let (joins, queue) = mpsc::channel(QUEUE);
        let (publish, status) = watch::channel(LsdStatus::default());
        let task = LsdTask {
            listen: listen.to_vec(),
            clock,
            machine: lsd::Lsd::new(port, fastrand::Rng::with_seed(seed)),
            v4: Side::new(Group::V4),
            v6: Side::new(Group::V6),
            members: BTreeMap::new(),
            queue,
            publish,
        };
        tokio::spawn(task.run());
        Lsd { joins, status }
    }

    /// Announces a torrent, now and every few minutes, and returns where its peers in this network listen. Dropping the
    /// receiver ends it. A second join of the same torrent takes the place of the first.
    pub async fn join(&self, info_hash: InfoHashV1) -> mpsc::Receiver<SocketAddr> {
        let (sender, receiver) = mpsc::channel(FOUND_QUEUE);
        // Fails when the task is gone: then the receiver ends at once.
        let _ = self.joins.send((info_hash, sender)).await;
        receiver
    }

    /// Returns what was done so far.
    pub fn status(&self) -> LsdStatus {
        self.status.borrow().clone()
    }
}

/// One family's socket, opened with the first interface.
#[derive(Debug)]
struct Side {
    group: Group,
    socket: Option<UdpSocket>,
    interfaces: BTreeSet<Interface>,
}

/// An interface that the group was joined on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Interface {
    address: IpAddr,
    index: u32,
}

#[derive(Debug)]
struct LsdTask {
    listen: Vec<SocketAddr>,
    clock: Clock,
    machine: lsd::Lsd,
    v4: Side,
    v6: Side,
    members: BTreeMap<InfoHashV1, mpsc::Sender<SocketAddr>>,
    queue: mpsc::Receiver<(InfoHashV1, mpsc::Sender<SocketAddr>)>,
    publish: watch::Sender<LsdStatus>,
}

impl LsdTask {
    async fn run(mut self) {
        let mut packet_v4 = vec![0; MAX_PACKET_LEN];
        let mut packet_v6 = vec![0; MAX_PACKET_LEN];
        let mut look = Instant::now();
        loop {
            let due = self.machine.poll_timeout();
            tokio::select! {
                join = self.queue.recv() => match join {
                    Some((info_hash, found)) => {
                        self.members.insert(info_hash, found);
                        self.machine.handle(self.clock.now(), Input::Join(info_hash));
                    }
                    None => return,
                },
                read = self.v4.receive(&mut packet_v4) => self.received(read, &packet_v4),
                read = self.v6.receive(&mut packet_v6) => self.received(read, &packet_v6),
                () = self.clock.sleep_until(due) => {
                    self.sweep();
                    self.machine.handle(self.clock.now(), Input::Timeout);
                }
                () = tokio::time::sleep_until(look) => {
                    look = Instant::now() + LOOK_AGAIN;
                    self.sweep();
                    self.look_at_interfaces();
                }
            }
            self.drain();
        }
    }

    /// Leaves the torrents whose receivers are gone.
    fn sweep(&mut self) {
        let gone: Vec<InfoHashV1> = self.members.iter().filter(|(_, m)| m.is_closed()).map(|(&hash, _)| hash).collect();
        for info_hash in gone {
            self.members.remove(&info_hash);
            self.machine.handle(self.clock.now(), Input::Leave(info_hash));
        }
    }

    fn look_at_interfaces(&mut self) {
        let (all, mut words) = match if_addrs::get_if_addrs() {
            Ok(all) => (all, None),
            Err(error) => (Vec::new(), Some(format!("this computer's interfaces cannot be read: {error}"))),
        };
        let all: Vec<Interface> = all
            .into_iter()
            .filter_map(|interface| Some(Interface { address: interface.ip(), index: interface.index? }))
            .filter(|interface| is_listened_on(&self.listen, interface.address))
            .collect();
        for side in [&mut self.v4, &mut self.v6] {
            let v4 = side.group == Group::V4;
            let wanted = all.iter().filter(|i| i.address.is_ipv4() == v4).copied();
            if let Err(error) = side.set(wanted) {
                words = Some(format!("{} cannot be joined: {error}", side.group.address()));
            }
        }
        if all.is_empty() && words.is_none() {
            words = Some("no interface to search on: only loopback is listened on".to_owned());
        }
        if let Some(words) = &words {
            tracing::debug!(words, "local discovery is not everywhere");
        }
        let joined = self.v4.interfaces.iter().chain(&self.v6.interfaces).map(|i| i.address).collect();
        self.publish.send_modify(|status| {
            status.interfaces = joined;
            status.last_words = words;
        });
    }

    fn received(&mut self, read: io::Result<(usize, SocketAddr)>, packet: &[u8]) {
        match read {
            Ok((length, from)) => {
                self.publish.send_modify(|status| status.received += 1);
                self.machine.handle(self.clock.now(), Input::Received { from, packet: &packet[..length] });
            }
            Err(error) => tracing::debug!(%error, "a multicast socket reports an error"),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { group, packet } => {
                    let side = if group == Group::V4 { &self.v4 } else { &self.v6 };
                    let sent = side.send(&packet);
                    self.publish.send_modify(|status| status.sent += sent);
                }
                Output::Found { info_hash, peer } => {
                    tracing::debug!(%info_hash, %peer, "a peer is in this network");
                    self.publish.send_modify(|status| status.found += 1);
                    if let Some(member) = self.members.get(&info_hash) {
                        // See FOUND_QUEUE.
                        let _ = member.try_send(peer);
                    }
                }
            }
        }
    }
}

impl Side {
    fn new(group: Group) -> Side {
        Side { group, socket: None, interfaces: BTreeSet::new() }
    }

    /// Joins the group on these interfaces; the system itself leaves it on those that went away. The first error is
    /// returned after all were tried.
    fn set(&mut self, wanted: impl Iterator<Item = Interface>) -> io::Result<()> {
        // One address an interface: a group is joined once on each.
        let mut wanted: Vec<Interface> = wanted.collect();
        wanted.sort_by_key(|interface| (interface.index, interface.address));
        wanted.dedup_by_key(|interface| interface.index);
        self.interfaces.retain(|interface| wanted.contains(interface));
        let mut result = Ok(());
        for interface in wanted {
            if self.interfaces.contains(&interface) {
                continue;
            }
            match self.join(interface) {
                Ok(()) => drop(self.interfaces.insert(interface)),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    fn join(&mut self, interface: Interface) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(open(self.group)?),
        };
        let joined = match interface.address {
            IpAddr::V4(address) => socket.join_multicast_v4(lsd::V4, address),
            IpAddr::V6(_) => socket.join_multicast_v6(&lsd::V6, interface.index),
        };
        match joined {
            // An interface whose address changed: its membership is still there.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
            other => other,
        }
    }

    async fn receive(&self, packet: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.socket {
            Some(socket) => socket.recv_from(packet).await,
            None => std::future::pending().await,
        }
    }

    /// Sends on every interface; returns on how many it went.
    fn send(&self, packet: &[u8]) -> u64 {
        let Some(socket) = &self.socket else { return 0 };
        let send = |interface: &Interface| -> io::Result<usize> {
            let options = SockRef::from(socket);
            match interface.address {
                IpAddr::V4(address) => options.set_multicast_if_v4(&address)?,
                IpAddr::V6(_) => options.set_multicast_if_v6(interface.index)?,
            }
            socket.try_send_to(packet, self.group.address())
        };
        let sent = self.interfaces.iter().filter(|interface| match send(interface) {
            Ok(_) => true,
            Err(error) => {
                // An interface that is down or has no route; it may be back in five minutes.
                tracing::debug!(address = %interface.address, %error, "an announce was not sent");
                false
            }
        });
        sent.count() as u64
    }
}

/// Tells whether BitTorrent connections are listened for on an address of this computer that is not loopback.
fn is_listened_on(listen: &[SocketAddr], address: IpAddr) -> bool {
    let hears = |ip: IpAddr| ip == address || (ip.is_unspecified() && ip.is_ipv4() == address.is_ipv4());
    !address.is_loopback() && listen.iter().any(|listen| hears(listen.ip()))
}

/// Opens the group's port, which all clients of a computer share.
fn open(group: Group) -> io::Result<UdpSocket> {
    let address: SocketAddr = match group {
        Group::V4 => (Ipv4Addr::UNSPECIFIED, PORT).into(),
        Group::V6 => (Ipv6Addr::UNSPECIFIED, PORT).into(),
    };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    // BSD systems want this one for sharing; on Linux it would keep out those that do not set it.
    #[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
    socket.set_reuse_port(true)?;
    match group {
        Group::V4 => {
            // Otherwise Linux hands us what any program of this computer joined for, on any interface.
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v4(false)?;
        }
        Group::V6 => {
            socket.set_only_v6(true)?;
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v6(false)?;
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_that_are_listened_on_take_part() {
        let listened = |listen: &[&str], address: &str| {
            let listen: Vec<SocketAddr> = listen.iter().map(|a| a.parse().unwrap()).collect();
            is_listened_on(&listen, address.parse().unwrap())
        };
        assert!(listened(&["0.0.0.0:1", "[::]:1"], "10.0.0.1"));
        assert!(listened(&["0.0.0.0:1", "[::]:1"], "fe80::1"));
        assert!(!listened(&["0.0.0.0:1"], "fe80::1"));
        assert!(listened(&["10.0.0.1:1"], "10.0.0.1"));
        assert!(!listened(&["10.0.0.1:1"], "10.0.0.2"));
        assert!(!listened(&["0.0.0.0:1", "127.0.0.1:1"], "127.0.0.1"));
        assert!(!listened(&[], "10.0.0.1"));
    }

    #[tokio::test]
    async fn on_loopback_alone_nothing_is_joined() {
        let lsd = Lsd::start(&["127.0.0.1:7".parse().unwrap()], Clock::start(), 1);
        let mut found = lsd.join(InfoHashV1([1; 20])).await;
        let mut status = lsd.status.clone();
        status.wait_for(|status| status.last_words.is_some()).await.unwrap();
        assert_eq!(lsd.status().interfaces, [] as [IpAddr; 0]);
        drop((lsd, status));
        assert_eq!(found.recv().await, None, "the task ends with the last handle");
    }
}
