//! The tracker task of a torrent: carries what its announcer wants over HTTP and UDP.
//!
//! Owns the announcer. It awaits its orders, the exchanges under way and its timer; what it learns goes to the torrent
//! as asks, by `try_send`: peers that find no room there are named again by the next announce.
//!
//! Invariant: while the gate's policy seeks nobody among strangers, no tracker is asked for anything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Instant, WallTime};
use metainfo::InfoHashes;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use torrent_proto::torrent::Source;
use torrent_proto::tracker::announcer::{
    AnnounceId, Announcer, AnnouncerConfig, Input, Output, Progress, TierPolicy, TrackerState,
};
use torrent_proto::tracker::{
    AnnounceRequest, AnnounceResponse, ParseTrackerUrlError, ScrapeResponse, TrackerError, TrackerUrl, Transport, http,
};

use crate::ask::Ask;
use crate::queue::{Receiver, Sender, WeakSender};
use crate::shared::Shared;
use crate::types::{Encryption, SessionEvent, TorrentId, TrackerStatus};

/// How many orders may wait; the torrent's `try_send` drops what finds no room, which a later one makes good.
const QUEUE: usize = 32;

/// How long an HTTP announce may take. Arbitrary; busy trackers need some seconds.
const HTTP_TIMEOUT: Duration = Duration::from_secs(45);

/// How often a tracker is scraped at most. Arbitrary; it is what most trackers name for announces.
const SCRAPE_REST: Duration = Duration::from_secs(30 * 60);

/// How many announces and scrapes of one torrent may be under way. The announcer has one a track; this bounds goodbyes.
const MAX_EXCHANGES: usize = 64;

/// What is said of UDP trackers behind a proxy.
const BESIDE_THE_PROXY: &str = "UDP trackers are not asked: the proxy carries TCP only";

/// What is said of trackers while only certain people are met.
const NOT_ASKED: &str = "not asked: only certain people are met";

/// What is said of a tracker while public torrents are switched off.
const SWITCHED_OFF: &str = "not asked: public torrents (the service files) are switched off";

/// Says why nobody is asked for peers.
pub(crate) fn not_asked(gate: &net::Gate) -> String {
    if gate.policy().has_files() { NOT_ASKED.to_owned() } else { SWITCHED_OFF.to_owned() }
}

/// What the torrent orders.
#[derive(Debug)]
pub(crate) enum TrackerOrder {
    Start,
    Completed,
    WantPeers,
    Retry,
    Hashes(InfoHashes),
    Trackers(Vec<Vec<String>>),
    Status(oneshot::Sender<Vec<TrackerStatus>>),
    /// Say goodbye; answered when the trackers were told or had their time.
    Stop(Option<oneshot::Sender<()>>),
}

/// The torrent's handle to the task, which ends with it. A torrent without trackers has none.
#[derive(Debug)]
pub(crate) struct Trackers {
    /// `None`: there is no tracker, and no task.
    orders: Option<Sender<TrackerOrder>>,
    /// How far the torrent is; read when an announce is made.
    pub progress: watch::Sender<Progress>,
}

impl Trackers {
    /// Builds the handle, without a task.
    pub(crate) fn none() -> Trackers {
        Trackers { orders: None, progress: watch::Sender::new(Progress::default()) }
    }

    /// Tells whether there is a task.
    pub(crate) fn are_there(&self) -> bool {
        self.orders.is_some()
    }

    /// Spawns the task, if there is a tracker to ask.
    pub(crate) fn spawn(
        &mut self,
        shared: Arc<Shared>,
        id: TorrentId,
        hashes: InfoHashes,
        tiers: &[Vec<String>],
        asks: WeakSender<Ask>,
    ) {
        if tiers.is_empty() {
            return;
        }
        let mut announced = shared.announced.subscribe();
        let config = AnnouncerConfig {
            info_hashes: hashes,
            peer_id: shared.peer_id,
            port: tracker_port(*announced.borrow_and_update()),
            tiers: parse(tiers),
            policy: TierPolicy::default(),
        };
        let (orders, queue) = crate::queue::queue(QUEUE);
        let announcer = Announcer::new(config, fastrand::Rng::new());
        let task = Box::new(TrackerTask {
            asking: shared.gate.seeks_strangers(),
            shared,
            id,
            hashes,
            announcer,
            refused: refused(tiers),
            queue,
            progress: self.progress.subscribe(),
            announced,
            asks,
            exchanges: JoinSet::new(),
            running: false,
            scrapes: HashMap::new(),
            farewells: Vec::new(),
        });
        tokio::spawn(task.run());
        self.orders = Some(orders);
    }

    /// Gives an order; see [`QUEUE`].
    pub(crate) fn order(&self, order: TrackerOrder) {
        match (&self.orders, order) {
            (Some(orders), order) => {
                if orders.try_send(order).is_err() {
                    tracing::debug!("the tracker task takes no more orders");
                }
            }
            (None, TrackerOrder::Status(reply)) => drop(reply.send(Vec::new())),
            (None, TrackerOrder::Stop(Some(reply))) => drop(reply.send(())),
            (None, _) => {}
        }
    }
}

/// Turns texts into addresses; what cannot be asked is left out (an `add` refuses what the user typed wrong).
fn parse(tiers: &[Vec<String>]) -> Vec<Vec<TrackerUrl>> {
    tiers.iter().map(|tier| tier.iter().filter_map(|url| url.parse().ok()).collect()).collect()
}

/// Returns those that [`parse`] leaves out, each with its reason.
fn refused(tiers: &[Vec<String>]) -> Vec<TrackerStatus> {
    let all = tiers.iter().enumerate().flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url)));
    let status = |(tier, url): (usize, &String)| {
        let reason = match url.parse::<TrackerUrl>() {
            Ok(_) => return None,
            Err(ParseTrackerUrlError::Scheme { .. }) => "only http://, https:// and udp:// are supported".to_owned(),
            Err(ParseTrackerUrlError::Malformed { why, .. }) => format!("this is no tracker's URL: {why}"),
        };
        Some(TrackerStatus {
            url: url.clone(),
            tier: tier as u32,
            message: Some(reason),
            failing: true,
            last_announce: None,
            next_announce: None,
            seeds: None,
            leechers: None,
            peers: 0,
        })
    };
    all.filter_map(status).collect()
}

/// How an exchange with a tracker ended.
#[derive(Debug)]
enum Exchange {
    Announced { id: AnnounceId, tracker: TrackerUrl, outcome: Result<AnnounceResponse, TrackerError> },
    Scraped { tracker: TrackerUrl, outcome: Result<ScrapeResponse, TrackerError> },
}

#[derive(Debug)]
struct TrackerTask {
    shared: Arc<Shared>,
    id: TorrentId,
    hashes: InfoHashes,
    announcer: Announcer,
    /// Those that cannot be asked.
    refused: Vec<TrackerStatus>,
    queue: Receiver<TrackerOrder>,
    progress: watch::Receiver<Progress>,
    announced: watch::Receiver<Option<u16>>,
    asks: WeakSender<Ask>,
    exchanges: JoinSet<Exchange>,
    /// Started and not stopped.
    running: bool,
    /// Whether trackers may be asked at all.
    asking: bool,
    /// When each tracker was last asked for its numbers.
    scrapes: HashMap<TrackerUrl, Instant>,
    /// Who waits for the goodbyes.
    farewells: Vec<oneshot::Sender<()>>,
}

impl TrackerTask {
    async fn run(mut self: Box<Self>) {
        loop {
            let due = self.announcer.poll_timeout();
            tokio::select! {
                order = self.queue.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some(done) = self.exchanges.join_next() => match done {
                    Ok(exchange) => self.done(exchange),
                    // The announcer's own time limit ends what panicked.
                    Err(error) => tracing::debug!(%error, "an announce ended badly"),
                },
                Ok(()) = self.announced.changed() => {
                    let port = tracker_port(*self.announced.borrow_and_update());
                    self.input(Input::Port(port));
                }
                () = self.shared.gate.seeking_strangers(!self.asking) => self.ask(!self.asking),
                () = self.shared.clock.sleep_until(due) => self.input(Input::Timeout),
            }
            self.drain();
        }
    }

    /// Every input may lead to an announce, which is to say how far the torrent is at that moment.
    fn input(&mut self, input: Input) {
        let now = self.shared.clock.now();
        let progress = *self.progress.borrow();
        self.announcer.handle(now, Input::Progress(progress));
        self.announcer.handle(now, input);
    }

    /// Begins to ask trackers, or takes leave of them.
    fn ask(&mut self, asking: bool) {
        self.asking = asking;
        if self.running {
            self.input(if asking { Input::Start } else { Input::Stop });
        }
    }

    fn done(&mut self, exchange: Exchange) {
        match exchange {
            Exchange::Announced { id, tracker, outcome: Ok(response) } => {
                let silent = response.seeders.is_none() && response.leechers.is_none();
                self.input(Input::Answered { id, response });
                if silent && self.running {
                    self.scrape(tracker);
                }
            }
            Exchange::Announced { id, outcome: Err(error), .. } => self.input(Input::Failed { id, error }),
            Exchange::Scraped { tracker, outcome: Ok(response) } => {
                for (info_hash, entry) in response.entries {
                    self.input(Input::Scraped { tracker: tracker.clone(), info_hash, entry });
                }
            }
            // Numbers are a courtesy: whoever does not give them is not failing.
            Exchange::Scraped { tracker, outcome: Err(error) } => {
                tracing::debug!(torrent = %self.id, tracker = %tracker.public(), %error, "a scrape came to nothing");
            }
        }
    }

    /// Asks a tracker for the numbers of the swarms, unless it was asked a short while ago.
    fn scrape(&mut self, tracker: TrackerUrl) {
        let now = self.shared.clock.mono();
        let rests = self.scrapes.get(&tracker).is_some_and(|&last| now - last < SCRAPE_REST);
        if rests || !self.asking || self.exchanges.len() >= MAX_EXCHANGES {
            return;
        }
        self.scrapes.insert(tracker.clone(), now);
        let (shared, hashes) = (self.shared.clone(), self.hashes);
        self.exchanges.spawn(async move {
            let outcome = scrape(&shared, &tracker, hashes).await;
            Exchange::Scraped { tracker, outcome }
        });
    }

    /// Asks for numbers that somebody looks at and that no announce brings.
    fn scrape_idle(&mut self) {
        if !self.running {
            let trackers: Vec<TrackerUrl> = self.announcer.status().into_iter().map(|status| status.url).collect();
            trackers.into_iter().for_each(|tracker| self.scrape(tracker));
        }
    }

    fn obey(&mut self, order: TrackerOrder) {
        match order {
            TrackerOrder::Start => {
                self.running = true;
                if self.asking {
                    self.input(Input::Start);
                }
            }
            TrackerOrder::Completed => self.input(Input::Completed),
            TrackerOrder::WantPeers => self.input(Input::WantPeers),
            TrackerOrder::Retry => self.input(Input::Retry),
            TrackerOrder::Hashes(hashes) => {
                self.hashes = hashes;
                self.input(Input::InfoHashes(hashes));
            }
            TrackerOrder::Trackers(tiers) => {
                // Also bounds the list: what was scraped is at most what is in the tiers.
                self.scrapes.clear();
                self.refused = refused(&tiers);
                self.input(Input::Trackers(parse(&tiers)));
            }
            TrackerOrder::Status(reply) => {
                let _ = reply.send(self.status());
                self.scrape_idle();
            }
            TrackerOrder::Stop(reply) => {
                self.running = false;
                self.farewells.extend(reply);
                self.input(Input::Stop);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.announcer.poll_output() {
            match output {
                Output::Announce { id, tracker, request } => {
                    if self.exchanges.len() >= MAX_EXCHANGES {
                        let error = TrackerError::Unreachable("too many announces are under way".to_owned());
                        let now = self.shared.clock.now();
                        self.announcer.handle(now, Input::Failed { id, error });
                        continue;
                    }
                    let shared = self.shared.clone();
                    self.exchanges.spawn(async move {
                        let outcome = announce(&shared, &tracker, request).await;
                        Exchange::Announced { id, tracker, outcome }
                    });
                }
                Output::Peers(addresses) => self.found(addresses),
                Output::ExternalIp(ip) => tracing::debug!(torrent = %self.id, %ip, "a tracker names our address"),
                Output::Warned { tracker, warning } => {
                    tracing::info!(torrent = %self.id, tracker = %tracker.public(), %warning, "a tracker warns");
                    let text = format!("{}: {warning}", tracker.public());
                    self.shared.event(SessionEvent::Tracker(self.id, text));
                }
                Output::TrackerFailed { tracker, error } => {
                    tracing::debug!(torrent = %self.id, tracker = %tracker.public(), %error, "a tracker failed");
                    let text = format!("{}: {error}", tracker.public());
                    self.shared.event(SessionEvent::Tracker(self.id, text));
                }
                Output::Stopped => {
                    for reply in self.farewells.drain(..) {
                        let _ = reply.send(());
                    }
                }
            }
        }
    }

    fn found(&self, addresses: Vec<SocketAddr>) {
        let Some(asks) = self.asks.upgrade() else { return };
        if asks.try_send(Ask::Candidates(Source::Tracker, addresses)).is_err() {
            tracing::debug!(torrent = %self.id, "no room for a tracker's peers");
        }
    }

    fn status(&self) -> Vec<TrackerStatus> {
        let now = self.shared.clock.now();
        let status = |s: torrent_proto::tracker::announcer::TrackerStatus| TrackerStatus {
            url: s.url.as_str().to_owned(),
            tier: s.tier as u32,
            message: if self.asking {
                (!s.words.is_empty()).then_some(s.words)
            } else {
                Some(not_asked(&self.shared.gate))
            },
            failing: matches!(s.state, TrackerState::Failed | TrackerState::GivenUp),
            last_announce: s.last.map(|at| WallTime(now.wall.0.saturating_sub((now.mono - at).as_secs()))),
            next_announce: s.next.map(|at| at - now.mono),
            seeds: s.seeders,
            leechers: s.leechers,
            peers: s.peers.unwrap_or(0),
        };
        let mut all: Vec<TrackerStatus> = self.announcer.status().into_iter().map(status).collect();
        all.extend(self.refused.iter().cloned());
        all.sort_by_key(|tracker| tracker.tier);
        all
    }
}

/// Port 0 would be refused by some trackers; 9 is "discard", where nothing of ours answers.
fn tracker_port(announced: Option<u16>) -> u16 {
    announced.unwrap_or(9)
}

async fn announce(
    shared: &Shared,
    tracker: &TrackerUrl,
    request: AnnounceRequest,
) -> Result<AnnounceResponse, TrackerError> {
    match tracker.transport() {
        Transport::Udp(_) if shared.egress.proxy.is_some() => {
            Err(TrackerError::Unreachable(BESIDE_THE_PROXY.to_owned()))
        }
        Transport::Udp(target) => shared.udp.trackers.announce(target, request).await,
        Transport::Http => {
            let mut url = http::announce_url(tracker, &request);
            // Trackers that know these words give peers that answer; the others ignore them.
            url.push_str(match shared.network.encryption {
                Encryption::Off => "",
                Encryption::Prefer => "&supportcrypto=1",
                Encryption::Require => "&requirecrypto=1",
            });
            let unreachable = |error: net::HttpError| TrackerError::Unreachable(error.to_string());
            let (failure, body) =
                shared.http.get_any(&url, http::MAX_RESPONSE_LEN, HTTP_TIMEOUT).await.map_err(unreachable)?;
            match (http::parse_announce(&body), failure) {
                // An error page: its status says more than that it is no tracker's answer.
                (Err(TrackerError::Malformed(_)), Some(failure)) => Err(unreachable(failure)),
                (answer, _) => answer,
            }
        }
    }
}

async fn scrape(shared: &Shared, tracker: &TrackerUrl, hashes: InfoHashes) -> Result<ScrapeResponse, TrackerError> {
    let names: Vec<_> = hashes.wire().collect();
    match tracker.transport() {
        Transport::Udp(_) if shared.egress.proxy.is_some() => {
            Err(TrackerError::Unreachable(BESIDE_THE_PROXY.to_owned()))
        }
        Transport::Udp(target) => shared.udp.trackers.scrape(target, names).await,
        Transport::Http => {
            let refused = || TrackerError::Unreachable("its address has no form that can be scraped".to_owned());
            let url = http::scrape_url(tracker, &names).ok_or_else(refused)?;
            let body = shared.http.get(&url, http::MAX_RESPONSE_LEN, HTTP_TIMEOUT).await;
            http::parse_scrape(&body.map_err(|error| TrackerError::Unreachable(error.to_string()))?, &names)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_that_cannot_be_asked_is_listed_with_its_reason() {
        let tiers = [vec!["http://a.example/".to_owned(), "ftp://x/".to_owned()], vec!["udp://y".to_owned()]];
        let words: Vec<_> = refused(&tiers).into_iter().map(|t| (t.tier, t.url, t.message.unwrap())).collect();
        let [(0, ftp, scheme), (1, udp, port)] = &words[..] else { panic!("{words:?}") };
        assert_eq!((ftp.as_str(), udp.as_str()), ("ftp://x/", "udp://y"));
        assert!(scheme.contains("udp://") && port.contains("needs a port"), "{words:?}");
        assert_eq!(parse(&tiers).concat().len(), 1);
    }
}
