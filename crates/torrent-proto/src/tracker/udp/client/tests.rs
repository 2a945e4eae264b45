//! A client, the tracker Tess, and what may go wrong between them.

use super::*;
use crate::tracker::request::{AnnounceEvent, ScrapeEntry};
use crate::wire::PeerId;

/// The client, its clock, and what it wants sent.
struct Story {
    client: Client,
    now: Now,
}

fn tess() -> SocketAddr {
    "192.0.2.1:6969".parse().unwrap()
}

fn announce() -> Task {
    let announce = AnnounceRequest {
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
    };
    Task::Announce { announce, url_data: "/announce".to_owned() }
}

impl Story {
    fn new() -> Story {
        Story { client: Client::new(fastrand::Rng::with_seed(1)), now: Now::default() }
    }

    fn ask(&mut self, id: u64, task: Task) {
        self.client.handle(self.now, Input::Ask { id: RequestId(id), to: tess(), task });
    }

    fn wait(&mut self, seconds: u64) {
        self.now.mono = self.now.mono + Duration::from_secs(seconds);
        while self.client.poll_timeout().is_some_and(|due| due <= self.now.mono) {
            self.client.handle(self.now, Input::Timeout);
        }
    }

    fn receive_from(&mut self, from: &str, answer: &Answer) {
        let packet = answer.encode(Family::V4);
        self.client.handle(self.now, Input::Received { from: from.parse().unwrap(), packet: &packet });
    }

    fn receive(&mut self, answer: &Answer) {
        self.receive_from("192.0.2.1:6969", answer);
    }

    /// Returns the packets that the client wants sent to Tess; nothing else may be wanted.
    fn sent(&mut self) -> Vec<Request> {
        let request = |output| match output {
            Output::Send { to, packet } => {
                assert_eq!(to, tess());
                Request::decode(&packet).unwrap()
            }
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| self.client.poll_output()).map(request).collect()
    }

    /// Answers the connect request that must be the only thing sent.
    fn connect(&mut self, connection: u64) {
        let [Request::Connect { transaction }] = self.sent()[..] else { panic!("no connect request") };
        self.receive(&Answer::Connected { transaction, connection: ConnectionId(connection) });
    }

    /// Returns connection and transaction of the announce that must be the only thing sent.
    fn announced(&mut self) -> (u64, TransactionId) {
        let sent = self.sent();
        let [Request::Announce { connection, transaction, url_data, .. }] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(url_data, "/announce");
        (connection.0, *transaction)
    }
}

fn answer(transaction: TransactionId) -> Answer {
    let peers = vec!["198.51.100.1:1".parse().unwrap()];
    let response = AnnounceResponse { interval: Duration::from_secs(1800), peers, ..AnnounceResponse::default() };
    Answer::Announced { transaction, response }
}

#[test]
fn an_announce_connects_first_and_then_asks() {
    let mut story = Story::new();
    story.ask(1, announce());
    story.connect(77);
    let (connection, transaction) = story.announced();
    assert_eq!(connection, 77);
    story.receive(&answer(transaction));
    let Some(Output::Announced { id: RequestId(1), response }) = story.client.poll_output() else { panic!() };
    assert_eq!(response.peers, ["198.51.100.1:1".parse().unwrap()]);
    assert_eq!(story.client.poll_timeout(), None);
}

#[test]
fn a_connection_serves_all_requests_for_a_minute() {
    let mut story = Story::new();
    story.ask(1, announce());
    story.ask(2, announce());
    story.connect(77);
    assert_eq!(story.sent().len(), 2, "both waited for the one connect exchange");
    story.wait(10);
    story.ask(3, Task::Scrape { info_hashes: vec![InfoHashV1([1; 20]), InfoHashV1([2; 20])] });
    let [Request::Scrape { connection: ConnectionId(77), transaction, .. }] = story.sent()[..] else { panic!() };
    let entry = ScrapeEntry { seeders: 4, ..ScrapeEntry::default() };
    story.receive(&Answer::Scraped { transaction, entries: vec![entry] });
    let Some(Output::Scraped { id: RequestId(3), response }) = story.client.poll_output() else { panic!() };
    assert_eq!(response.entries, [(InfoHashV1([1; 20]), entry)]);
    for id in [1, 2] {
        story.client.handle(story.now, Input::Cancel(RequestId(id)));
    }
    story.wait(51);
    story.ask(4, announce());
    story.connect(78);
    assert_eq!(story.announced().0, 78);
}

#[test]
fn what_gets_lost_is_sent_again_and_given_up_in_the_end() {
    let mut story = Story::new();
    story.ask(1, announce());
    assert_eq!(story.sent().len(), 1);
    story.wait(14);
    assert!(story.sent().is_empty());
    story.wait(1);
    story.connect(77);
    story.announced();
    story.wait(15);
    let (_, transaction) = story.announced();
    story.wait(30);
    let given_up = story.client.poll_output();
    assert!(matches!(given_up, Some(Output::Failed { id: RequestId(1), error: TrackerError::Unreachable(_) })));
    story.receive(&answer(transaction));
    assert_eq!(story.client.poll_output(), None, "too late");
    assert_eq!(story.client.poll_timeout(), None);
}

#[test]
fn an_expired_connection_is_renewed_before_a_retransmission() {
    let mut story = Story::new();
    story.ask(1, announce());
    story.connect(77);
    story.announced();
    story.client.handle(story.now, Input::Cancel(RequestId(1)));
    story.wait(50);
    story.ask(2, announce());
    assert_eq!(story.announced().0, 77);
    story.wait(15);
    story.connect(78);
    let (connection, transaction) = story.announced();
    assert_eq!(connection, 78);
    story.receive(&answer(transaction));
    assert!(matches!(story.client.poll_output(), Some(Output::Announced { id: RequestId(2), .. })));
}

#[test]
fn a_stranger_cannot_answer_for_tess() {
    let mut story = Story::new();
    story.ask(1, announce());
    let [Request::Connect { transaction }] = story.sent()[..] else { panic!() };
    let connected = Answer::Connected { transaction, connection: ConnectionId(66) };
    story.receive_from("203.0.113.9:6969", &connected);
    story.receive(&Answer::Connected { transaction: TransactionId(transaction.0 ^ 1), connection: ConnectionId(66) });
    story.client.handle(story.now, Input::Received { from: tess(), packet: b"?" });
    assert_eq!(story.client.poll_output(), None);

    story.receive_from("[::ffff:192.0.2.1]:6969", &Answer::Connected { transaction, connection: ConnectionId(77) });
    let (connection, transaction) = story.announced();
    assert_eq!(connection, 77, "a dual-stack socket shows Tess by another spelling of her address");
    story.receive_from("203.0.113.9:6969", &answer(transaction));
    assert_eq!(story.client.poll_output(), None);
}

#[test]
fn a_refusal_ends_a_request_unless_the_connection_was_old() {
    let mut story = Story::new();
    let no = |transaction| Answer::Error { transaction, message: "no".to_owned() };
    story.ask(1, announce());
    story.connect(77);
    let (_, transaction) = story.announced();
    story.receive(&no(transaction));
    let refused = TrackerError::Refused { reason: "no".to_owned(), retry: Retry::Unsaid };
    assert_eq!(story.client.poll_output(), Some(Output::Failed { id: RequestId(1), error: refused.clone() }));

    // Tess is restarted and has forgotten the connection.
    story.ask(2, announce());
    let (connection, transaction) = story.announced();
    assert_eq!(connection, 77);
    story.receive(&no(transaction));
    story.connect(78);
    let (connection, transaction) = story.announced();
    assert_eq!(connection, 78);
    story.receive(&no(transaction));
    assert_eq!(story.client.poll_output(), Some(Output::Failed { id: RequestId(2), error: refused.clone() }));

    story.wait(61);
    story.ask(3, announce());
    let [Request::Connect { transaction }] = story.sent()[..] else { panic!() };
    story.receive(&no(transaction));
    assert_eq!(story.client.poll_output(), Some(Output::Failed { id: RequestId(3), error: refused }));
    assert_eq!(story.client.poll_timeout(), None);
}

#[test]
fn requests_beyond_the_limit_fail_at_once() {
    let mut story = Story::new();
    for id in 0..=MAX_WAITING as u64 {
        story.ask(id, announce());
    }
    assert!(matches!(story.client.poll_output(), Some(Output::Send { .. })));
    let last = RequestId(MAX_WAITING as u64);
    assert!(matches!(story.client.poll_output(), Some(Output::Failed { id, .. }) if id == last));
}
