//! The UDP task: one socket an address family, shared by all that speaks UDP. Today that is the trackers of BEP 15;
//! what arrives is told apart by its form, so that the DHT and uTP can join.
//!
//! Owns the sockets and the client's state machine. It awaits only its sockets, its orders and its timer.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use torrent_proto::tracker::udp::{Client, Input, MAX_PACKET_LEN, Output, RequestId, Task};
use torrent_proto::tracker::{AnnounceRequest, AnnounceResponse, Retry, ScrapeResponse, TrackerError, UdpTarget};

use crate::Clock;

/// How many requests may wait for the task; a caller beyond that waits itself. Arbitrary.
const QUEUE: usize = 256;

/// The answer to a request.
#[derive(Debug)]
enum Answer {
    Announced(AnnounceResponse),
    Scraped(ScrapeResponse),
}

type Reply = oneshot::Sender<Result<Answer, TrackerError>>;

#[derive(Debug)]
struct Ask {
    to: SocketAddr,
    task: Task,
    reply: Reply,
}

/// Asks UDP trackers. Cheap to clone; the task ends with the last clone.
#[derive(Clone, Debug)]
pub struct UdpTrackers {
    asks: mpsc::Sender<Ask>,
    families: (bool, bool),
}

impl UdpTrackers {
    /// Opens the sockets on `bind` (or everywhere), on `port` where it is free, and spawns the task. `seed` draws the
    /// transaction ids.
    pub fn start(bind: Option<IpAddr>, port: u16, clock: Clock, seed: u64) -> io::Result<UdpTrackers> {
        let v4 = match bind {
            Some(IpAddr::V6(_)) => None,
            other => Some(open(other.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port)?),
        };
        // A machine may have no IPv6 at all.
        let v6 = match bind {
            Some(IpAddr::V4(_)) => None,
            other => open(other.unwrap_or(Ipv6Addr::UNSPECIFIED.into()), port).ok(),
        };
        let families = (v4.is_some(), v6.is_some());
        let (asks, queue) = mpsc::channel(QUEUE);
        let client = Client::new(fastrand::Rng::with_seed(seed));
        let task = UdpTask { v4, v6, clock, client, queue, waiting: BTreeMap::new(), next: 0 };
        tokio::spawn(task.run());
        Ok(UdpTrackers { asks, families })
    }

    /// Announces to a tracker. Every address of its name is tried until one answers.
    pub async fn announce(&self, to: &UdpTarget, announce: AnnounceRequest) -> Result<AnnounceResponse, TrackerError> {
        let task = Task::Announce { announce, url_data: to.url_data.clone() };
        match self.ask(to, task).await? {
            Answer::Announced(response) => Ok(response),
            Answer::Scraped(_) => Err(TrackerError::Malformed("a scrape instead of an announce")),
        }
    }

    /// Asks a tracker for the numbers of swarms.
    pub async fn scrape(
        &self,
        to: &UdpTarget,
        info_hashes: Vec<metainfo::InfoHashV1>,
    ) -> Result<ScrapeResponse, TrackerError> {
        match self.ask(to, Task::Scrape { info_hashes }).await? {
            Answer::Scraped(response) => Ok(response),
            Answer::Announced(_) => Err(TrackerError::Malformed("an announce instead of a scrape")),
        }
    }

    async fn ask(&self, target: &UdpTarget, task: Task) -> Result<Answer, TrackerError> {
        let unreachable = |why: String| TrackerError::Unreachable(why);
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let found = found.map_err(|e| unreachable(format!("{} cannot be resolved: {e}", target.host)))?;
        let (has_v4, has_v6) = self.families;
        let usable = found.filter(|to| if to.is_ipv4() { has_v4 } else { has_v6 });
        // One of each family: the first that answers serves. More would multiply the wait for a dead tracker.
        let mut tried: Vec<SocketAddr> = Vec::new();
        let mut last = unreachable(format!("{} has no address that can be reached from here", target.host));
        for to in usable {
            if tried.iter().any(|other| other.is_ipv4() == to.is_ipv4()) {
                continue;
            }
            tried.push(to);
            let (reply, answer) = oneshot::channel();
            let closed = || unreachable("the node is shutting down".to_owned());
            self.asks.send(Ask { to, task: task.clone(), reply }).await.map_err(|_| closed())?;
            match answer.await.map_err(|_| closed())? {
                Ok(answer) => return Ok(answer),
                Err(error @ TrackerError::Refused { retry: Retry::Never | Retry::After(_), .. }) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn open(ip: IpAddr, port: u16) -> io::Result<UdpSocket> {
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

#[derive(Debug)]
struct UdpTask {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    clock: Clock,
    client: Client,
    queue: mpsc::Receiver<Ask>,
    waiting: BTreeMap<RequestId, Reply>,
    next: u64,
}

impl UdpTask {
    async fn run(mut self) {
        let mut packet_v4 = vec![0; MAX_PACKET_LEN];
        let mut packet_v6 = vec![0; MAX_PACKET_LEN];
        loop {
            let due = self.client.poll_timeout().map(|at| self.clock.at(at));
            tokio::select! {
                ask = self.queue.recv() => match ask {
                    Some(ask) => self.ask(ask),
                    None => return,
                },
                read = receive(&self.v4, &mut packet_v4) => self.received(read, &packet_v4),
                read = receive(&self.v6, &mut packet_v6) => self.received(read, &packet_v6),
                () = sleep_until(due) => self.client.handle(self.clock.now(), Input::Timeout),
            }
            self.drain();
        }
    }

    fn ask(&mut self, ask: Ask) {
        // Those whose caller went away make no more work.
        let gone: Vec<RequestId> = self.waiting.iter().filter(|(_, r)| r.is_closed()).map(|(&id, _)| id).collect();
        for id in gone {
            self.waiting.remove(&id);
            self.client.handle(self.clock.now(), Input::Cancel(id));
        }
        let id = RequestId(self.next);
        self.next += 1;
        self.waiting.insert(id, ask.reply);
        self.client.handle(self.clock.now(), Input::Ask { id, to: ask.to, task: ask.task });
    }

    fn received(&mut self, read: io::Result<(usize, SocketAddr)>, packet: &[u8]) {
        match read {
            Ok((length, from)) => {
                self.client.handle(self.clock.now(), Input::Received { from, packet: &packet[..length] });
            }
            // An ICMP answer to something sent earlier: the request ends by its time limit.
            Err(error) => tracing::debug!(%error, "a UDP socket reports an error"),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            let (id, answer) = match output {
                Output::Send { to, packet } => {
                    let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
                    // A packet that does not fit the socket's buffer is lost like any other, and sent again.
                    if let Some(Err(error)) = socket.as_ref().map(|s| s.try_send_to(&packet, to)) {
                        tracing::debug!(%to, %error, "a UDP packet was not sent");
                    }
                    continue;
                }
                Output::Announced { id, response } => (id, Ok(Answer::Announced(response))),
                Output::Scraped { id, response } => (id, Ok(Answer::Scraped(response))),
                Output::Failed { id, error } => (id, Err(error)),
            };
            if let Some(reply) = self.waiting.remove(&id) {
                let _ = reply.send(answer);
            }
        }
    }
}

async fn receive(socket: &Option<UdpSocket>, packet: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(packet).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::InfoHashV1;
    use std::time::Duration;
    use torrent_proto::tracker::AnnounceEvent;
    use torrent_proto::tracker::udp::{Answer as Packet, ConnectionId, Family, Request};
    use torrent_proto::wire::PeerId;

    fn announce() -> AnnounceRequest {
        AnnounceRequest {
            info_hash: InfoHashV1([1; 20]),
            peer_id: PeerId([2; 20]),
            port: 6881,
            uploaded: 0,
            downloaded: 0,
            left: 1,
            event: AnnounceEvent::Started,
            key: 7,
            want: None,
            tracker_id: None,
        }
    }

    #[tokio::test]
    async fn a_tracker_on_loopback_answers() {
        let tracker = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = tracker.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut packet = [0; 2048];
            while let Ok((length, from)) = tracker.recv_from(&mut packet).await {
                let answer = match Request::decode(&packet[..length]).unwrap() {
                    Request::Connect { transaction } => Packet::Connected { transaction, connection: ConnectionId(9) },
                    Request::Announce { transaction, connection, .. } => {
                        assert_eq!(connection, ConnectionId(9));
                        let response = AnnounceResponse {
                            interval: Duration::from_secs(1800),
                            seeders: Some(3),
                            leechers: Some(4),
                            peers: vec!["192.0.2.1:6881".parse().unwrap()],
                            ..AnnounceResponse::default()
                        };
                        Packet::Announced { transaction, response }
                    }
                    other => panic!("not asked for: {other:?}"),
                };
                tracker.send_to(&answer.encode(Family::V4), from).await.unwrap();
            }
        });
        let udp = UdpTrackers::start(Some(Ipv4Addr::LOCALHOST.into()), 0, Clock::start(), 1).unwrap();
        let target = UdpTarget { host: "127.0.0.1".into(), port, url_data: String::new() };
        let response = udp.announce(&target, announce()).await.unwrap();
        assert_eq!((response.seeders, response.peers.len()), (Some(3), 1));
        let nowhere = UdpTarget { host: "nowhere.invalid".into(), port: 1, url_data: String::new() };
        let error = udp.announce(&nowhere, announce()).await.unwrap_err().to_string();
        assert!(error.contains("nowhere.invalid cannot be resolved"), "{error}");
    }
}
