//! What a listener is told of two looks at a torrent, one after the other.

use base::Bitfield;
use metainfo::PieceIndex;

use super::*;

fn pieces(count: u32, have: &[u32], begun: &[u32]) -> PiecesStatus {
    let mut set = Bitfield::new(count);
    for piece in have {
        set.set(*piece);
    }
    PiecesStatus { have: set, begun: begun.iter().copied().map(PieceIndex).collect(), availability: vec![1, 2] }
}

fn seen() -> Seen {
    let source = SourceInfo { source: "dht".into(), last_s: Some(7), next_s: Some(100), ..Default::default() };
    Seen {
        torrent: TorrentSummary { id: "aa".into(), ..Default::default() },
        more: TorrentMore::default(),
        peers: vec![PeerInfo { number: 1, ..Default::default() }, PeerInfo { number: 2, ..Default::default() }],
        files: Some(vec![FileInfo::default(), FileInfo { index: 1, ..Default::default() }]),
        trackers: vec![TrackerInfo { next_announce_s: Some(50), ..Default::default() }],
        web_seeds: Vec::new(),
        sources: vec![source],
        pieces: Some((pieces(20, &[3], &[4, 5]), 16384)),
        log: Vec::new(),
    }
}

#[test]
fn what_stays_is_not_told() {
    let mut told = Told::new(seen());
    assert!(told.compare(seen()).is_empty());
    let mut later = seen();
    later.files = None;
    later.trackers[0].next_announce_s = Some(49);
    later.sources[0].last_s = Some(8);
    assert!(told.compare(later).is_empty());
}

#[test]
fn only_the_peers_files_and_pieces_that_changed_are_told() {
    let mut told = Told::new(seen());
    let mut next = seen();
    next.peers = vec![
        PeerInfo { number: 2, uploaded_bytes: 5, ..Default::default() },
        PeerInfo { number: 9, ..Default::default() },
    ];
    next.files.as_mut().unwrap()[1].done_bytes = 16384;
    next.pieces = Some((pieces(20, &[4, 17], &[5, 6]), 16384));
    let events = told.compare(next);
    let [TorrentEvent::Peers(peers), TorrentEvent::Progress(files), TorrentEvent::PieceChanges(changes)] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((peers.added[0].number, peers.changed[0].number, &peers.removed[..]), (9, 2, &[1][..]));
    assert_eq!((files.len(), files[0].index, files[0].done_bytes), (1, 1, 16384));
    let expected = PieceChanges { got: vec![4, 17], lost: vec![3], begun: vec![6], ended: vec![4], availability: None };
    assert_eq!(*changes, expected);
}

#[test]
fn words_and_times_that_jump_are_told() {
    let mut told = Told::new(seen());
    let mut next = seen();
    next.trackers[0].next_announce_s = Some(1800);
    next.sources[0].message = "no answer".into();
    let events = told.compare(next);
    assert!(matches!(&events[..], [TorrentEvent::Trackers(_), TorrentEvent::Sources(_)]), "{events:?}");
}

#[test]
fn pieces_that_are_known_or_change_in_numbers_are_told_all() {
    let mut first = seen();
    (first.pieces, first.files) = (None, Some(Vec::new()));
    let mut told = Told::new(first);
    assert!(told.has_other_pieces(Some(&pieces(20, &[], &[]))));
    let events = told.compare(seen());
    assert!(matches!(&events[..], [TorrentEvent::Files(_), TorrentEvent::Pieces(_)]), "{events:?}");
    let mut next = seen();
    next.pieces = Some((pieces(20, &[3, 9], &[]), 16384));
    assert_eq!(told.compare(next).len(), 1);
    let many: Vec<u32> = (0..4000).collect();
    let mut large = seen();
    large.pieces = Some((pieces(4000, &[], &[]), 16384));
    let mut told = Told::new(large);
    let mut next = seen();
    next.pieces = Some((pieces(4000, &many, &[]), 16384));
    assert!(matches!(&told.compare(next)[..], [TorrentEvent::Pieces(map)] if map.count == 4000));
}

#[test]
fn what_no_list_shows_is_told_when_it_changes() {
    let mut told = Told::new(seen());
    let more = TorrentMore { sequential: true, ..TorrentMore::default() };
    assert_eq!(told.compare(Seen { more: more.clone(), ..seen() }), [TorrentEvent::More(more.clone())]);
    assert!(told.compare(Seen { more, ..seen() }).is_empty());
}

#[test]
fn of_what_happened_each_thing_is_told_once() {
    let entry = |number| rpc::LogEntry { number, at_s: 7, kind: rpc::LogKind::Metadata, text: String::new() };
    let log = |numbers: &[u64]| Seen { log: numbers.iter().copied().map(entry).collect(), ..seen() };
    let mut told = Told::new(log(&[1, 2]));
    assert!(told.compare(log(&[1, 2])).is_empty());
    assert_eq!(told.compare(log(&[2, 3, 4])), [TorrentEvent::Log(vec![entry(3), entry(4)])]);
}
