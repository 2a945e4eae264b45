//! UDP trackers (BEP 15) on the shared sockets: the handle, and the part of the UDP task that serves it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Instant, Now};
use tokio::sync::{mpsc, oneshot};
use torrent_proto::tracker::udp::{Client, Input, Output, RequestId, Task};
use torrent_proto::tracker::{AnnounceRequest, AnnounceResponse, Retry, ScrapeResponse, TrackerError, UdpTarget};

use super::outbox::Outbox;
use crate::Egress;

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
pub(super) struct Ask {
    to: SocketAddr,
    task: Task,
    reply: Reply,
}

/// Asks UDP trackers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct UdpTrackers {
    asks: mpsc::Sender<Ask>,
    families: (bool, bool),
    egress: Egress,
}

impl UdpTrackers {
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
        let found = self.egress.lookup(&target.host, target.port).await;
        let found = found.map_err(|e| unreachable(format!("{} cannot be resolved: {e}", target.host)))?;
        let (has_v4, has_v6) = self.families;
        let usable = found.into_iter().filter(|to| if to.is_ipv4() { has_v4 } else { has_v6 });
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

/// What the UDP task keeps for trackers. Owns the client's state machine and who waits for which answer.
#[derive(Debug)]
pub(super) struct TrackerPart {
    client: Client,
    queue: mpsc::Receiver<Ask>,
    waiting: BTreeMap<RequestId, Reply>,
    next: u64,
}

impl TrackerPart {
    /// Builds the part and its handle. `families`: whether there is an IPv4 and an IPv6 socket; `egress` asks for names. `seed` draws the
    /// transaction ids.
    pub(super) fn new(families: (bool, bool), egress: Egress, seed: u64) -> (TrackerPart, UdpTrackers) {
        let (asks, queue) = mpsc::channel(QUEUE);
        let client = Client::new(fastrand::Rng::with_seed(seed));
        (TrackerPart { client, queue, waiting: BTreeMap::new(), next: 0 }, UdpTrackers { asks, families, egress })
    }

    /// Waits for an order; `None` once all handles are gone. Cancel safe.
    pub(super) async fn next_order(&mut self) -> Option<Ask> {
        self.queue.recv().await
    }

    /// Takes an order.
    pub(super) fn obey(&mut self, now: Now, ask: Ask) {
        // Those whose caller went away make no more work.
        let gone: Vec<RequestId> = self.waiting.iter().filter(|(_, r)| r.is_closed()).map(|(&id, _)| id).collect();
        for id in gone {
            self.waiting.remove(&id);
            self.client.handle(now, Input::Cancel(id));
        }
        let id = RequestId(self.next);
        self.next += 1;
        self.waiting.insert(id, ask.reply);
        self.client.handle(now, Input::Ask { id, to: ask.to, task: ask.task });
    }

    /// Takes a datagram that is for nobody else.
    pub(super) fn received(&mut self, now: Now, from: SocketAddr, packet: &[u8]) {
        self.client.handle(now, Input::Received { from, packet });
    }

    /// Returns when [`TrackerPart::time_passed`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// Says that time has passed.
    pub(super) fn time_passed(&mut self, now: Now) {
        self.client.handle(now, Input::Timeout);
    }

    /// Moves what is to be sent to the outbox, and answers to those who wait.
    pub(super) fn drain(&mut self, outbox: &mut Outbox) {
        while let Some(output) = self.client.poll_output() {
            let (id, answer) = match output {
                Output::Send { to, packet } => {
                    outbox.push(to, &packet);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Udp, UdpConfig};
    use metainfo::InfoHashV1;
    use std::net::Ipv4Addr;
    use std::time::Duration;
    use tokio::net::UdpSocket;
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
        let config = UdpConfig {
            egress: Egress { address: Some(Ipv4Addr::LOCALHOST.into()), ..Egress::default() },
            listen: Vec::new(),
            utp: false,
            accept: false,
            memory_bytes: 64 << 20,
            seed: 1,
            dht: None,
            gate: None,
        };
        let udp = Udp::start(config, Clock::start()).unwrap().trackers;
        let target = UdpTarget { host: "127.0.0.1".into(), port, url_data: String::new() };
        let response = udp.announce(&target, announce()).await.unwrap();
        assert_eq!((response.seeders, response.peers.len()), (Some(3), 1));
        let nowhere = UdpTarget { host: "nowhere.invalid".into(), port: 1, url_data: String::new() };
        let error = udp.announce(&nowhere, announce()).await.unwrap_err().to_string();
        assert!(error.contains("nowhere.invalid cannot be resolved"), "{error}");
    }
}
