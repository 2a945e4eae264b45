//! What is seen of a node, and what keys do to it.

use std::time::{Duration, Instant};

use console::Key;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use rpc::{
    Budget, BudgetInfo, Delta, Event, GateInfo, NodeConnection, PeerInfo, TorrentDetail, TorrentState, TorrentSummary,
    UsageConnection, UsageInfo, Way,
};

use super::draw;
use super::feed::{Reading, Told};
use super::look::Look;
use super::view::{LooksAt, Order, Pane, Press, View};

fn film() -> TorrentSummary {
    TorrentSummary {
        id: "aa11".into(),
        name: "a film".into(),
        state: TorrentState::Downloading,
        total_bytes: 4 << 30,
        wanted_bytes: 4 << 30,
        done_bytes: 1 << 30,
        left_s: Some(3_000),
        download_bytes_per_s: 3 << 20,
        upload_bytes_per_s: 512 << 10,
        ratio: 0.25,
        peers: 7,
        seeds: 2,
        added_at_s: 100,
        path: Some("/home/alice/a film".into()),
        ..TorrentSummary::default()
    }
}

fn photos() -> TorrentSummary {
    TorrentSummary {
        id: "bb22".into(),
        name: "photos".into(),
        state: TorrentState::Seeding,
        total_bytes: 10 << 20,
        wanted_bytes: 10 << 20,
        done_bytes: 10 << 20,
        complete: true,
        upload_bytes_per_s: 4 << 20,
        ratio: 2.5,
        peers: 1,
        added_at_s: 200,
        ..TorrentSummary::default()
    }
}

fn snapshot(torrents: Vec<TorrentSummary>) -> Told {
    let (jobs, groups, inbox, chats) = Default::default();
    Told::Event(Box::new(Event::Snapshot { torrents, jobs, groups, inbox, chats, node: Default::default() }))
}

/// A view that was told of two torrents.
fn view() -> (View, Instant) {
    view_with(Look::new(true, true))
}

fn view_with(look: Look) -> (View, Instant) {
    let now = Instant::now();
    let mut view = View::new(look, now);
    view.take(snapshot(vec![photos(), film()]), now);
    (view, now)
}

fn press(view: &mut View, key: Key) -> Press {
    view.press(&key)
}

fn typed(view: &mut View, keys: &str) -> Press {
    keys.chars().map(|key| press(view, Key::Char(key))).last().unwrap()
}

fn buffer(view: &mut View, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::screen(frame, view)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(view: &mut View, width: u16, height: u16) -> Vec<String> {
    let buffer = buffer(view, width, height);
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect()
}

#[test]
fn the_list_shows_what_each_torrent_does() {
    let (mut view, _) = view();
    let lines = lines(&mut view, 110, 8);
    assert!(lines[0].contains("1 Transfers") && lines[0].contains("↓3.0 MiB/s") && lines[0].contains("↑4.5 MiB/s"));
    for words in ["a film", "━━────────", "25 %", "downloading", "3.0 MiB/s", "512.0 KiB/s", "50m", "0.25", "4.0 GiB"]
    {
        assert!(lines[2].contains(words), "{words}: {lines:#?}");
    }
    assert!(lines[3].contains("photos") && lines[3].contains("100 %") && lines[3].contains("seeding"), "{lines:#?}");
    assert!(lines[7].starts_with("q quit") && lines[7].contains("p pause"), "{lines:#?}");
}

#[test]
fn what_changes_is_seen_and_the_choice_stays_where_it_was() {
    let (mut view, now) = view();
    assert_eq!(view.chosen().unwrap().name, "a film");
    press(&mut view, Key::ArrowDown);
    assert_eq!(view.chosen().unwrap().name, "photos");
    let new = TorrentSummary { name: "zebras".into(), id: "cc33".into(), ..TorrentSummary::default() };
    view.take(Told::Event(Box::new(Event::Added(Box::new(new)))), now);
    let renamed = TorrentSummary { name: "alpine photos".into(), peers: 9, ..photos() };
    let delta = Delta::between(&photos(), &renamed).unwrap();
    view.take(Told::Event(Box::new(Event::Changed(delta))), now);
    assert_eq!((view.chosen().unwrap().id.as_str(), view.place()), ("bb22", Some(1)));
    // What is removed gives its place to the next.
    view.take(Told::Event(Box::new(Event::Removed { id: "bb22".into() })), now);
    assert_eq!(view.chosen().unwrap().name, "zebras");
    view.take(Told::Event(Box::new(Event::Removed { id: "cc33".into() })), now);
    assert_eq!(view.chosen().unwrap().name, "a film");
    view.take(Told::Event(Box::new(Event::Removed { id: "aa11".into() })), now);
    assert!(view.chosen().is_none() && lines(&mut view, 80, 5)[1].contains("compeer add LINK"));
}

#[test]
fn the_order_is_the_users_and_what_has_no_time_left_comes_last() {
    let (mut view, now) = view();
    let names = |view: &View| view.torrents().map(|torrent| torrent.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&view), ["a film", "photos"]);
    typed(&mut view, "S");
    assert_eq!(names(&view), ["photos", "a film"]);
    // By rate, the fastest first; by time left.
    typed(&mut view, "s");
    assert_eq!(names(&view), ["photos", "a film"]);
    assert!(lines(&mut view, 120, 5)[4].contains("s by rate"));
    // What gets faster rises.
    let faster = TorrentSummary { download_bytes_per_s: 8 << 20, ..film() };
    let delta = Delta::between(&film(), &faster).unwrap();
    view.take(Told::Event(Box::new(Event::Changed(delta))), now);
    assert!(lines(&mut view, 120, 5)[2].contains("a film"));
    typed(&mut view, "s");
    assert_eq!(names(&view), ["a film", "photos"]);
}

#[test]
fn what_is_paused_and_resumed_is_the_chosen_one() {
    let (mut view, now) = view();
    let order = |press| if let Press::Order(order) = press { order } else { panic!("{press:?}") };
    let (id, name) = ("aa11".to_owned(), "a film".to_owned());
    assert_eq!(order(typed(&mut view, "p")), Order::Pause { id: id.clone(), name: name.clone() });
    let paused = TorrentSummary { state: TorrentState::Paused, ..film() };
    let delta = Delta::between(&film(), &paused).unwrap();
    view.take(Told::Event(Box::new(Event::Changed(delta))), now);
    assert!(lines(&mut view, 80, 6)[5].contains("p resume"));
    assert_eq!(order(typed(&mut view, "p")), Order::Resume { id, name });
    assert_eq!(typed(&mut view, "P"), Press::Seen);
    assert_eq!(order(typed(&mut view, "y")), Order::Rest(true));
    let gate = GateInfo { paused: true, resting: true, ..GateInfo::default() };
    view.take(Told::Read(Reading::Nothing, Box::new(gate)), now);
    assert!(lines(&mut view, 80, 6)[0].contains("paused"));
    typed(&mut view, "P");
    assert_eq!(order(typed(&mut view, "y")), Order::Rest(false));
}

#[test]
fn nothing_is_removed_before_a_yes() {
    let (mut view, now) = view();
    assert_eq!(typed(&mut view, "x"), Press::Seen);
    assert!(lines(&mut view, 110, 6)[4].contains("Remove a film? y: yes, its files stay"));
    assert_eq!(typed(&mut view, "n"), Press::Seen);
    assert!(!lines(&mut view, 110, 6)[4].contains("Remove"));
    // No key is taken for an answer but those that were named.
    for keys in ["xd", "xq", "x "] {
        assert_eq!(typed(&mut view, keys), Press::Seen, "{keys:?}");
    }
    let remove = |with_data| Press::Order(Order::Remove { id: "aa11".into(), name: "a film".into(), with_data });
    assert_eq!(typed(&mut view, "xy"), remove(false));
    assert_eq!(typed(&mut view, "xD"), remove(true));
    // What another program removed meanwhile is not asked about.
    typed(&mut view, "x");
    view.take(Told::Event(Box::new(Event::Removed { id: "aa11".into() })), now);
    assert_eq!(typed(&mut view, "y"), Press::Seen);
}

#[test]
fn the_details_show_the_peers_of_the_chosen_one() {
    let (mut view, now) = view();
    press(&mut view, Key::Enter);
    assert_eq!((view.pane, view.looks_at()), (Pane::Details, LooksAt::Torrent("aa11".into())));
    let peer = |number: u8| PeerInfo {
        address: format!("192.0.2.{number}:6881"),
        client: "Transmission 4.1\u{1b}[2J".into(),
        carrier: "utp".into(),
        source: "dht".into(),
        progress: 0.5,
        download_bytes_per_s: 1 << 20,
        ..PeerInfo::default()
    };
    let detail = TorrentDetail { summary: film(), ..TorrentDetail::default() };
    let told = |peers| Told::Read(Reading::Torrent(Box::new((detail.clone(), peers))), Box::default());
    view.take(told((1..=40).map(peer).collect()), now);
    let seen = lines(&mut view, 120, 20);
    assert!(seen[1].contains("a film") && seen[2].contains("50m 00s left"), "{seen:#?}");
    assert!(seen.iter().any(|line| line.contains("/home/alice/a film")), "{seen:#?}");
    let first = seen.iter().find(|line| line.contains("192.0.2.1:")).unwrap();
    for words in ["Transmission 4.1", "50 %", "1.0 MiB/s", "uTP", "DHT"] {
        assert!(first.contains(words), "{words}: {first}");
    }
    // The end of the list is the end: further down there is nothing.
    press(&mut view, Key::End);
    let seen = lines(&mut view, 120, 20);
    assert!(seen[18].contains("192.0.2.40:"), "{seen:#?}");
    press(&mut view, Key::ArrowUp);
    assert!(lines(&mut view, 120, 20)[18].contains("192.0.2.39:"));
    // What was read of another torrent is not shown as this one's.
    press(&mut view, Key::Escape);
    press(&mut view, Key::ArrowDown);
    press(&mut view, Key::Enter);
    view.take(told(vec![peer(1)]), now);
    assert!(!lines(&mut view, 120, 20).iter().any(|line| line.contains("192.0.2.1:")));
}

#[test]
fn people_stand_before_strangers_with_their_way() {
    let (mut view, now) = view();
    typed(&mut view, "2");
    assert_eq!(view.looks_at(), LooksAt::People);
    let stranger = UsageConnection {
        service: "files".into(),
        address: Some("192.0.2.9:6881".into()),
        carrier: "tcp".into(),
        incoming: true,
        download_bytes_per_s: 9 << 20,
        ..UsageConnection::default()
    };
    let bob = UsageConnection {
        service: "chat".into(),
        person: Some("p".repeat(52)),
        name: Some("bob".into()),
        node: Some("n".repeat(52)),
        carrier: "quic".into(),
        age_s: 61,
        ..UsageConnection::default()
    };
    let node = NodeConnection {
        node: "n".repeat(52),
        node_name: Some("laptop".into()),
        person: None,
        person_name: Some("bob".into()),
        service: "chat".into(),
        incoming: false,
        way: Some(Way::Direct("192.0.2.1:7000".into())),
        rtt_ms: Some(12.4),
        sent_bytes: 0,
        received_bytes: 0,
        streams: 1,
        age_s: 61,
    };
    let usage = UsageInfo { connections: vec![stranger, bob], totals: Vec::new() };
    view.take(Told::Read(Reading::People(Box::new((usage, vec![node]))), Box::default()), now);
    let seen = lines(&mut view, 130, 8);
    for words in ["bob (laptop)", "chat", "direct 192.0.2.1:7000", "12 ms", "1m 01s"] {
        assert!(seen[2].contains(words), "{words}: {seen:#?}");
    }
    for words in ["192.0.2.9:6881", "files", "TCP in", "9.0 MiB/s"] {
        assert!(seen[3].contains(words), "{words}: {seen:#?}");
    }
}

#[test]
fn the_budget_has_a_curve_of_the_last_minutes() {
    let (mut view, mut now) = view();
    typed(&mut view, "3");
    for rate in [0, 1 << 20, 2 << 20] {
        let faster = TorrentSummary { download_bytes_per_s: rate, ..film() };
        view.take(snapshot(vec![faster]), now);
        now += Duration::from_secs(1);
        view.tick(now);
    }
    let budget = BudgetInfo {
        now: Budget { connections: Some(500), download_bytes_per_s: Some(4 << 20), ..Budget::default() },
        disk_used_bytes: 5 << 30,
        ..BudgetInfo::default()
    };
    let gate = GateInfo { connections: 12, ..GateInfo::default() };
    view.take(Told::Read(Reading::Budget(Box::new(budget)), Box::new(gate)), now);
    let seen = lines(&mut view, 60, 24);
    assert!(seen[1].starts_with("↓2.0 MiB/s · most 2.0 MiB/s in 3s · limit 4.0 MiB/s"), "{seen:#?}");
    // The newest stands at the right and is the highest; half of it stands beside it.
    let curve: Vec<Vec<char>> = seen[2..8].iter().map(|line| format!("{line:60}").chars().collect()).collect();
    assert!(curve[0][59] == '█' && curve[0][58] == ' ' && curve[5][58] == '█' && curve[5][57] == ' ', "{seen:#?}");
    for words in ["12 of 500", "5.0 GiB, no limit"] {
        assert!(seen.iter().any(|line| line.contains(words)), "{words}: {seen:#?}");
    }
}

#[test]
fn a_node_that_is_gone_is_said_to_be_and_its_return_heals() {
    let (mut view, now) = view();
    view.tick(now);
    view.take(Told::Lost("the node does not answer: connection refused".into()), now);
    let later = now + Duration::from_secs(5);
    view.take(Told::Lost("again".into()), later);
    view.tick(later);
    let seen = lines(&mut view, 120, 8);
    assert!(seen[6].starts_with("gone for 5s") && seen[6].contains("connection refused"), "{seen:#?}");
    assert!(seen[0].contains("no node") && seen[2].contains("a film"), "{seen:#?}");
    // The curve does not go on with what is not known.
    assert_eq!(view.rates.len(), 1);
    view.take(snapshot(vec![photos()]), later);
    let seen = lines(&mut view, 120, 8);
    assert!(!seen[6].contains("gone") && !seen.join("").contains("a film") && seen[2].contains("photos"), "{seen:#?}");
}

#[test]
fn an_answer_is_shown_for_a_while_without_escape_sequences() {
    let (mut view, now) = view();
    view.take(Told::Answer("paused a\u{1b}]0;film".into()), now);
    assert!(lines(&mut view, 80, 6)[4].contains("paused a\u{fffd}]0;film"));
    view.tick(now + Duration::from_secs(7));
    assert!(!lines(&mut view, 80, 6)[4].contains("paused"));
}

#[test]
fn every_size_of_terminal_can_be_drawn() {
    for pane in ["1", "2", "3", "1\n"] {
        let (mut view, now) = view();
        view.take(Told::Lost("gone".into()), now);
        for key in pane.chars() {
            press(&mut view, if key == '\n' { Key::Enter } else { Key::Char(key) });
        }
        let usage = UsageInfo { connections: vec![UsageConnection::default(); 3], totals: Vec::new() };
        for reading in [
            Reading::People(Box::new((usage, Vec::new()))),
            Reading::Budget(Box::default()),
            Reading::Torrent(Box::new((
                TorrentDetail { summary: film(), ..TorrentDetail::default() },
                vec![PeerInfo::default(); 3],
            ))),
        ] {
            view.take(Told::Read(reading, Box::default()), now);
        }
        view.tick(now);
        for (width, height) in [(1, 1), (2, 3), (5, 2), (10, 4), (20, 6), (39, 9), (80, 24), (400, 100)] {
            let seen = lines(&mut view, width, height);
            assert_eq!(seen.len(), usize::from(height));
        }
    }
    // The keys and the rates are what is left of a small one.
    let (mut view, _) = view();
    let seen = lines(&mut view, 30, 4);
    assert!(seen[0].contains("↓3.0 MiB/s") && seen[2].contains("a film") && seen[3].starts_with("q quit"), "{seen:#?}");
}

#[test]
fn a_long_list_follows_the_choice() {
    let now = Instant::now();
    let mut view = View::new(Look::new(true, true), now);
    let torrent = |number: u32| TorrentSummary {
        id: format!("{number:04}"),
        name: format!("number {number:04}"),
        ..TorrentSummary::default()
    };
    view.take(snapshot((0..5000).map(torrent).collect()), now);
    lines(&mut view, 80, 24);
    press(&mut view, Key::PageDown);
    assert_eq!(view.place(), Some(21));
    press(&mut view, Key::End);
    let seen = lines(&mut view, 80, 24);
    assert!(seen[22].contains("number 4999") && seen[2].contains("number 4979"), "{seen:#?}");
    press(&mut view, Key::ArrowUp);
    assert!(lines(&mut view, 80, 24)[22].contains("number 4999"));
    press(&mut view, Key::Home);
    assert!(lines(&mut view, 80, 24)[2].contains("number 0000"));
}

#[test]
fn without_colours_there_are_none_and_without_unicode_only_ascii() {
    for pane in ["1", "2", "3"] {
        let (mut view, now) = view_with(Look::new(false, false));
        typed(&mut view, pane);
        view.take(Told::Read(Reading::Budget(Box::default()), Box::default()), now);
        view.tick(now);
        let buffer = buffer(&mut view, 100, 20);
        for cell in buffer.content() {
            assert!(cell.fg == Color::Reset && cell.bg == Color::Reset, "{cell:?}");
            assert!(cell.symbol().is_ascii(), "{cell:?}");
        }
    }
    let (mut view, _) = view();
    assert!(buffer(&mut view, 100, 20).content().iter().any(|cell| cell.fg == Color::Green));
}

#[test]
fn the_keys_that_end_it() {
    let (mut view, _) = view();
    assert_eq!(typed(&mut view, "q"), Press::Quit);
    // A sequence that a slow line cut in two begins with it.
    assert_eq!(press(&mut view, Key::Escape), Press::Seen);
    assert_eq!(press(&mut view, Key::CtrlC), Press::Quit);
    // Also where something is asked.
    typed(&mut view, "x");
    assert_eq!(press(&mut view, Key::CtrlC), Press::Quit);
}
