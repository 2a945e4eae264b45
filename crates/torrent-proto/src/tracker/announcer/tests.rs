//! Stories of a torrent and its trackers Tess, Theo and Tina.

use metainfo::InfoHashV2;

use super::*;
use crate::tracker::error::Retry;

const V1: InfoHashV1 = InfoHashV1([1; 20]);
const V2: InfoHashV2 = InfoHashV2([2; 32]);
const MINUTE: u64 = 60;

fn url(name: &str) -> TrackerUrl {
    format!("http://{name}.example/announce").parse().unwrap()
}

fn tiers(names: &[&[&str]]) -> Vec<Vec<TrackerUrl>> {
    names.iter().map(|tier| tier.iter().map(|name| url(name)).collect()).collect()
}

/// An announcer, its clock, and the announces that nobody has answered yet.
struct Story {
    announcer: Announcer,
    now: Now,
    open: Vec<(AnnounceId, String, AnnounceRequest)>,
    others: Vec<Output>,
}

impl Story {
    fn new(policy: TierPolicy, names: &[&[&str]]) -> Story {
        Story::of(InfoHashes::v1_only(V1), policy, names)
    }

    fn of(info_hashes: InfoHashes, policy: TierPolicy, names: &[&[&str]]) -> Story {
        let peer_id = PeerId([9; 20]);
        let config = AnnouncerConfig { info_hashes, peer_id, port: 6881, tiers: tiers(names), policy };
        let announcer = Announcer::new(config, fastrand::Rng::with_seed(4));
        Story { announcer, now: Now::default(), open: Vec::new(), others: Vec::new() }
    }

    fn handle(&mut self, input: Input) {
        self.announcer.handle(self.now, input);
        while let Some(output) = self.announcer.poll_output() {
            match output {
                Output::Announce { id, tracker, request } => {
                    let name = tracker.public().trim_start_matches("http://").trim_end_matches(".example").to_owned();
                    self.open.push((id, name, request));
                }
                other => self.others.push(other),
            }
        }
    }

    fn start(&mut self) {
        self.handle(Input::Start);
    }

    /// Lets time pass, second by second where something is due.
    fn wait(&mut self, seconds: u64) {
        let end = self.now.mono + Duration::from_secs(seconds);
        while let Some(due) = self.announcer.poll_timeout().filter(|due| *due <= end) {
            self.now.mono = due.max(self.now.mono);
            self.handle(Input::Timeout);
            assert!(self.announcer.poll_timeout().is_none_or(|next| next > self.now.mono), "a timer that never ends");
        }
        self.now.mono = end;
    }

    /// Returns the announces that wait, as `name event`.
    fn asked(&self) -> Vec<String> {
        self.open.iter().map(|(_, name, request)| format!("{name} {:?}", request.event)).collect()
    }

    fn take(&mut self, name: &str) -> (AnnounceId, AnnounceRequest) {
        let at = self.open.iter().position(|(_, other, _)| other == name);
        let (id, _, request) =
            self.open.remove(at.unwrap_or_else(|| panic!("{name} was not asked: {:?}", self.asked())));
        (id, request)
    }

    /// A tracker answers with this many peers, to come back after half an hour, at the earliest after ten minutes.
    fn answer(&mut self, name: &str, peers: u8) -> AnnounceRequest {
        let (id, request) = self.take(name);
        let peers = (0..peers).map(|i| SocketAddr::from(([198, 51, 100, i], 6881))).collect();
        let response = AnnounceResponse {
            interval: Duration::from_secs(30 * MINUTE),
            min_interval: Some(Duration::from_secs(10 * MINUTE)),
            seeders: Some(3),
            leechers: Some(4),
            peers,
            ..AnnounceResponse::default()
        };
        self.handle(Input::Answered { id, response });
        request
    }

    fn fail(&mut self, name: &str) {
        let (id, _) = self.take(name);
        self.handle(Input::Failed { id, error: TrackerError::Unreachable("connection refused".to_owned()) });
    }

    fn refuse(&mut self, name: &str, retry: Retry) {
        let (id, _) = self.take(name);
        self.handle(Input::Failed { id, error: TrackerError::Refused { reason: "go away".to_owned(), retry } });
    }

    fn state(&self, name: &str) -> (TrackerState, String) {
        let status = self.announcer.status().into_iter().find(|status| status.url == url(name)).unwrap();
        (status.state, status.words)
    }
}

#[test]
fn a_torrent_starts_announces_regularly_completes_and_stops() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    assert_eq!(story.state("tess"), (TrackerState::Idle, "not asked yet".to_owned()));
    story.handle(Input::Progress(Progress { uploaded: 100, downloaded: 50, ..Progress::default() }));
    story.start();
    assert_eq!(story.asked(), ["tess Started"]);
    assert_eq!(story.state("tess").0, TrackerState::Announcing);
    let request = story.answer("tess", 2);
    assert_eq!((request.uploaded, request.downloaded), (0, 0), "counted since the start");
    assert_eq!(request.left, LEFT_UNKNOWN, "no seed, although nothing is known of the size");
    let Some(Output::Peers(peers)) = story.others.pop() else { panic!() };
    assert_eq!(peers.len(), 2);

    story.wait(30 * MINUTE - 1);
    assert!(story.asked().is_empty());
    story.handle(Input::Progress(Progress {
        uploaded: 110,
        downloaded: 70,
        left: Some(5),
        want: 12,
        ..Progress::default()
    }));
    story.wait(1);
    assert_eq!(story.asked(), ["tess Regular"]);
    let request = story.answer("tess", 0);
    assert_eq!((request.uploaded, request.downloaded, request.left, request.want), (10, 20, 5, Some(12)));

    story.handle(Input::Completed);
    assert_eq!(story.asked(), ["tess Completed"], "at once, whatever the interval");
    let key = story.answer("tess", 0).key;
    story.handle(Input::Stop);
    assert_eq!(story.asked(), ["tess Stopped"]);
    let goodbye = story.answer("tess", 0);
    assert_eq!((goodbye.want, goodbye.key), (Some(0), key));
    assert_eq!(story.others.pop(), Some(Output::Stopped));
    assert_eq!(story.announcer.poll_timeout(), None);
}

#[test]
fn the_minimal_interval_is_kept_even_when_peers_are_wanted() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    story.start();
    story.answer("tess", 0);
    story.handle(Input::WantPeers);
    story.handle(Input::Retry);
    story.wait(10 * MINUTE - 1);
    assert!(story.asked().is_empty());
    story.wait(1);
    assert_eq!(story.asked(), ["tess Regular"]);
    story.handle(Input::WantPeers);
    story.answer("tess", 1);
    story.wait(10 * MINUTE);
    assert!(story.asked().is_empty(), "what was wanted has come");
    story.wait(20 * MINUTE);
    assert_eq!(story.asked(), ["tess Regular"]);
}

#[test]
fn within_a_tier_the_next_is_asked_at_once_and_who_answers_comes_first() {
    let mut story = Story::new(TierPolicy::InOrder, &[&["tess", "theo"], &["tina"]]);
    story.start();
    let first = story.open[0].1.clone();
    let second = if first == "tess" { "theo" } else { "tess" };
    story.fail(&first);
    assert_eq!(story.asked(), [format!("{second} Started")]);
    story.answer(second, 1);
    assert!(story.asked().is_empty(), "the second tier is not needed");
    assert_eq!(story.state("tina").0, TrackerState::Idle);

    story.wait(30 * MINUTE);
    assert_eq!(story.asked(), [format!("{second} Regular")], "promoted");
    story.fail(second);
    story.fail(&first);
    story.answer("tina", 1);
    story.wait(30 * MINUTE);
    assert_eq!(story.asked(), [format!("{second} Regular")], "each announce begins with the first tier");
}

#[test]
fn tiers_are_shuffled() {
    let firsts: std::collections::BTreeSet<String> = (0..20)
        .map(|seed| {
            let mut story = Story::new(TierPolicy::InOrder, &[]);
            story.announcer.rng = fastrand::Rng::with_seed(seed);
            story.handle(Input::Trackers(tiers(&[&["tess", "theo", "tina"]])));
            story.start();
            story.open[0].1.clone()
        })
        .collect();
    assert_eq!(firsts.len(), 3);
}

#[test]
fn each_tier_is_asked_when_the_policy_says_so() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"], &["theo"], &["tess", "tina"]]);
    story.start();
    assert_eq!(story.asked(), ["tess Started", "theo Started", "tina Started"]);
    story.answer("tess", 1);
    story.fail("theo");
    story.answer("tina", 1);
    story.handle(Input::Completed);
    assert_eq!(story.asked(), ["tess Completed", "tina Completed"], "and Theo when he is back");
    story.answer("tess", 0);
    story.answer("tina", 0);
    story.wait(MINUTE);
    assert_eq!(story.asked(), ["theo Completed"]);
    story.handle(Input::Stop);
    assert_eq!(story.asked(), ["theo Completed", "tess Stopped", "theo Stopped", "tina Stopped"]);
}

#[test]
fn failures_back_off_up_to_an_hour_and_are_shown() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    story.start();
    let mut waits = Vec::new();
    for _ in 0..12 {
        let failed_at = story.now.mono;
        story.fail("tess");
        assert!(matches!(story.others.pop(), Some(Output::TrackerFailed { .. })));
        let due = story.announcer.poll_timeout().unwrap();
        waits.push((due - failed_at).as_secs());
        story.wait((due - failed_at).as_secs() + 1);
        assert_eq!(story.asked(), ["tess Started"]);
    }
    assert!((30..=38).contains(&waits[0]) && (60..=75).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 75 * MINUTE) && *waits.last().unwrap() >= 60 * MINUTE, "{waits:?}");
    story.fail("tess");
    let (state, words) = story.state("tess");
    assert_eq!(state, TrackerState::Failed);
    assert_eq!(words, "the tracker cannot be reached: connection refused (13 times in a row)");

    story.handle(Input::Retry);
    assert_eq!(story.asked(), ["tess Started"], "the user asked for it");
    story.answer("tess", 0);
    assert_eq!(story.state("tess"), (TrackerState::Working, "working".to_owned()));
}

#[test]
fn a_tracker_that_says_never_is_left_alone_and_one_that_says_when_is_obeyed() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"], &["theo"]]);
    story.start();
    story.refuse("tess", Retry::Never);
    story.refuse("theo", Retry::After(Duration::from_secs(3 * 60 * MINUTE)));
    assert_eq!(story.state("tess"), (TrackerState::GivenUp, "the tracker refuses: go away".to_owned()));
    story.wait(3 * 60 * MINUTE - 1);
    assert!(story.asked().is_empty());
    story.wait(1);
    assert_eq!(story.asked(), ["theo Started"]);
    story.answer("theo", 0);
    story.handle(Input::Stop);
    assert_eq!(story.asked(), ["theo Stopped"], "Tess never counted us");
    story.answer("theo", 0);
    story.start();
    assert_eq!(story.asked(), ["theo Started"]);
    story.handle(Input::Retry);
    assert_eq!(story.asked(), ["theo Started", "tess Started"], "unless the user insists");
}

#[test]
fn a_hybrid_announces_both_its_names() {
    let mut story = Story::of(InfoHashes::hybrid(V1, V2), TierPolicy::Each, &[&["tess"]]);
    story.start();
    let hashes: Vec<InfoHashV1> = story.open.iter().map(|(_, _, request)| request.info_hash).collect();
    assert_eq!(hashes, [V1, V2.truncated()]);
    assert_eq!(story.open[0].2.key, story.open[1].2.key);
    story.answer("tess", 1);
    story.refuse("tess", Retry::Unsaid);
    let status = &story.announcer.status()[0];
    assert_eq!((status.state, status.seeders, status.peers), (TrackerState::Working, Some(3), Some(1)));
    assert!(status.words.contains("go away"), "{}", status.words);
}

#[test]
fn a_magnet_that_turns_out_to_be_a_hybrid_joins_the_other_swarm() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    story.start();
    story.answer("tess", 1);
    story.handle(Input::InfoHashes(InfoHashes::hybrid(V1, V2)));
    assert_eq!(story.asked(), ["tess Started"]);
    assert_eq!(story.answer("tess", 0).info_hash, V2.truncated());
    story.wait(30 * MINUTE);
    assert_eq!(story.asked(), ["tess Regular", "tess Regular"], "the first swarm kept its interval");
}

#[test]
fn trackers_can_be_changed_while_the_torrent_runs() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"], &["theo"]]);
    story.start();
    story.answer("tess", 1);
    story.handle(Input::Trackers(tiers(&[&["tina"], &["theo"], &["tess"]])));
    assert_eq!(story.asked(), ["theo Started", "tina Started"], "Theo is still being asked, Tess was just asked");
    story.answer("theo", 1);
    story.answer("tina", 1);
    assert_eq!(story.state("theo").0, TrackerState::Working);
    let order: Vec<usize> = story.announcer.status().iter().map(|status| status.tier).collect();
    assert_eq!(order, [0, 1, 2]);
    story.wait(30 * MINUTE);
    assert_eq!(story.asked().len(), 3);
}

#[test]
fn an_answer_that_never_comes_counts_as_a_failure() {
    let mut story = Story::new(TierPolicy::InOrder, &[&["tess"], &["theo"]]);
    story.start();
    story.wait(ANSWER_LIMIT.as_secs());
    assert_eq!(story.asked(), ["tess Started", "theo Started"]);
    story.answer("tess", 3);
    assert!(!story.others.iter().any(|output| matches!(output, Output::Peers(_))), "too late");
    story.answer("theo", 3);
    assert!(matches!(story.others.pop(), Some(Output::Peers(_))));
}

#[test]
fn stopping_waits_for_goodbyes_but_not_long() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"], &["theo"], &["tina"]]);
    story.start();
    story.answer("tess", 0);
    story.fail("theo");
    story.handle(Input::Stop);
    assert_eq!(story.asked(), ["tina Started", "tess Stopped", "tina Stopped"], "Theo has never heard of us");
    story.answer("tess", 0);
    story.wait(STOP_LIMIT.as_secs() - 1);
    assert!(!story.others.contains(&Output::Stopped));
    story.wait(1);
    assert!(story.others.contains(&Output::Stopped));
    story.others.clear();
    story.handle(Input::Stop);
    assert_eq!(story.others, [Output::Stopped], "nothing is left to say");
}

#[test]
fn a_torrent_that_starts_again_is_announced_at_once() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    story.start();
    story.answer("tess", 0);
    story.handle(Input::Stop);
    story.start();
    story.start();
    assert_eq!(story.asked(), ["tess Stopped", "tess Started"]);
    story.answer("tess", 0);
    assert!(story.others.iter().all(|output| *output != Output::Stopped), "it runs again");
}

#[test]
fn a_partial_seed_says_so_in_every_announce() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    story.start();
    story.answer("tess", 0);
    story.handle(Input::Progress(Progress { left: Some(7), partial_seed: true, ..Progress::default() }));
    story.wait(30 * MINUTE);
    assert_eq!(story.asked(), ["tess Paused"]);
}

#[test]
fn warnings_our_address_and_tracker_ids_are_passed_on() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    story.start();
    let (id, _) = story.take("tess");
    let response = AnnounceResponse {
        interval: Duration::from_secs(MINUTE),
        warning: Some("disk full soon".to_owned()),
        external_ip: Some("203.0.113.5".parse().unwrap()),
        tracker_id: Some(b"abc".to_vec()),
        ..AnnounceResponse::default()
    };
    story.handle(Input::Answered { id, response });
    let warned = Output::Warned { tracker: url("tess"), warning: "disk full soon".to_owned() };
    assert_eq!(story.others, [Output::ExternalIp("203.0.113.5".parse().unwrap()), warned]);
    assert_eq!(story.state("tess"), (TrackerState::Working, "disk full soon".to_owned()));
    story.wait(MINUTE);
    assert_eq!(story.answer("tess", 0).tracker_id.as_deref(), Some(&b"abc"[..]));
}

#[test]
fn a_scrape_is_shown() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"]]);
    let entry = ScrapeEntry { seeders: 8, leechers: 9, completed: 100, downloaders: None };
    story.handle(Input::Scraped { tracker: url("tess"), info_hash: V1, entry });
    story.handle(Input::Scraped { tracker: url("tess"), info_hash: InfoHashV1([7; 20]), entry });
    story.handle(Input::Scraped { tracker: url("nobody"), info_hash: V1, entry });
    let status = &story.announcer.status()[0];
    assert_eq!((status.seeders, status.leechers, status.completed), (Some(8), Some(9), Some(100)));
}

#[test]
fn the_newer_of_an_announce_and_a_scrape_is_shown_over_both_swarms() {
    let mut story = Story::of(InfoHashes::hybrid(V1, V2), TierPolicy::Each, &[&["tess"]]);
    let entry = |seeders| ScrapeEntry { seeders, leechers: 1, completed: 2, downloaders: None };
    for name in InfoHashes::hybrid(V1, V2).wire() {
        story.handle(Input::Scraped { tracker: url("tess"), info_hash: name, entry: entry(8) });
    }
    let status = &story.announcer.status()[0];
    assert_eq!((status.seeders, status.leechers, status.completed), (Some(16), Some(2), Some(4)));
    story.start();
    story.wait(MINUTE);
    for _ in 0..2 {
        story.answer("tess", 0);
    }
    let announced = story.announcer.status()[0].seeders;
    assert_ne!(announced, Some(16), "the announce is newer");
    story.wait(MINUTE);
    story.handle(Input::Scraped { tracker: url("tess"), info_hash: V1, entry: entry(50) });
    assert_eq!(story.announcer.status()[0].seeders, Some(58));
}

#[test]
fn another_port_is_announced_at_once_to_whoever_counts_us_and_once() {
    let mut story = Story::new(TierPolicy::Each, &[&["tess"], &["theo"], &["tina"]]);
    story.handle(Input::Port(7000));
    assert!(story.asked().is_empty(), "not started");
    story.start();
    assert_eq!(story.answer("tess", 1).port, 7000);
    story.fail("tina");
    // Theo's answer is still awaited when the router gives us a port.
    story.handle(Input::Port(8000));
    assert_eq!(story.asked(), ["theo Started", "tess Regular"], "tina rests after its failure");
    assert_eq!(story.answer("tess", 0).port, 8000);
    assert_eq!(story.answer("theo", 0).port, 7000);
    assert_eq!(story.answer("theo", 0).port, 8000);
    story.handle(Input::Port(8000));
    assert!(story.asked().is_empty(), "{:?}", story.asked());
    story.wait(MINUTE);
    assert_eq!(story.answer("tina", 0).port, 8000);
    story.wait(28 * MINUTE);
    assert!(story.asked().is_empty(), "the intervals hold on: {:?}", story.asked());
}

#[test]
fn a_torrent_without_trackers_has_nothing_to_do() {
    let mut story = Story::new(TierPolicy::InOrder, &[&[]]);
    story.start();
    story.handle(Input::WantPeers);
    assert_eq!(story.announcer.poll_timeout(), None);
    story.handle(Input::Stop);
    assert_eq!(story.others, [Output::Stopped]);
}

proptest::proptest! {
    /// Whatever trackers do, an announcer never asks one of them twice within its minimal interval (goodbyes and
    /// completions aside), never spins, and always stops.
    #[test]
    fn whatever_trackers_do_intervals_are_kept(steps in proptest::collection::vec((0_u8..8, 0_u64..2000), 1..20)) {
        let mut story = Story::of(
            InfoHashes::hybrid(V1, V2), TierPolicy::InOrder, &[&["tess", "theo"], &["tina"]],
        );
        story.start();
        let mut allowed: BTreeMap<(String, InfoHashV1), Instant> = BTreeMap::new();
        for (step, seconds) in steps {
            let name = story.open.first().map(|(_, name, _)| name.clone());
            match (step, name) {
                (0, Some(name)) => story.fail(&name),
                (1 | 2, Some(name)) => {
                    let request = story.answer(&name, (seconds % 3) as u8);
                    let until = story.now.mono + Duration::from_secs(10 * MINUTE);
                    allowed.insert((name, request.info_hash), until);
                }
                (3, Some(name)) => story.refuse(&name, Retry::Unsaid),
                (4, _) => story.handle(Input::WantPeers),
                (5, _) => story.handle(Input::Retry),
                _ => {}
            }
            proptest::prop_assert!(story.open.len() <= 2, "one announce a swarm: {:?}", story.asked());
            for _ in 0..seconds {
                let known: Vec<AnnounceId> = story.open.iter().map(|(id, ..)| *id).collect();
                story.wait(1);
                let new = |(id, ..): &&(AnnounceId, String, AnnounceRequest)| !known.contains(id);
                for (_, name, request) in story.open.iter().filter(new) {
                    let until = allowed.get(&(name.clone(), request.info_hash));
                    proptest::prop_assert!(until.is_none_or(|until| *until <= story.now.mono));
                }
                // An announce that was given up is not answered any more.
                story.open.retain(|(id, ..)| story.announcer.tracks.iter().any(|track| track.waits_for(*id)));
            }
        }
        story.handle(Input::Stop);
        story.wait(STOP_LIMIT.as_secs());
        proptest::prop_assert!(story.others.contains(&Output::Stopped));
        proptest::prop_assert_eq!(story.announcer.poll_timeout(), None);
    }
}
