//! Torrents that other programs made (`golden/make.py`): read, and made again to the byte.

mod support;

use metainfo::create::{Mode, Options, SourceFile};
use metainfo::{Magnet, TorrentFile};
use support::{content, create, source};

const LIBTORRENT_V1: &[u8] = include_bytes!("golden/libtorrent-v1.torrent");
const LIBTORRENT_V2: &[u8] = include_bytes!("golden/libtorrent-v2.torrent");
const LIBTORRENT_HYBRID: &[u8] = include_bytes!("golden/libtorrent-hybrid.torrent");
const LIBTORRENT_SINGLE_HYBRID: &[u8] = include_bytes!("golden/libtorrent-single-hybrid.torrent");
const LIBTORRENT_SINGLE_V2: &[u8] = include_bytes!("golden/libtorrent-single-v2.torrent");
const MKTORRENT: &[u8] = include_bytes!("golden/mktorrent.torrent");

/// The files of `golden/make.py`, in an order of no meaning.
fn album(executable: bool) -> Vec<(SourceFile, Vec<u8>)> {
    let file = |path: &str, length: usize| {
        (source(path, length as u64, executable && path == "run.sh"), content(path, length))
    };
    vec![
        file("a/z.txt", 3),
        file("a/empty", 0),
        file("a-b/q", 2),
        file("a.txt", 70_000),
        file("B/k", 16_384),
        file("run.sh", 40_000),
        file("ünï.txt", 20_000),
    ]
}

fn single() -> Vec<(SourceFile, Vec<u8>)> {
    vec![(source("", 40_000, true), content("run.sh", 40_000))]
}

fn options(mode: Mode, piece_length: u32) -> Options {
    Options { mode, piece_length: Some(piece_length), ..Options::default() }
}

#[test]
fn a_v1_torrent_is_the_one_that_mktorrent_makes() {
    let ours = Options { created_by: Some("mktorrent 1.1".to_owned()), ..options(Mode::V1, 32_768) };
    let ours = create("album", album(false), ours).unwrap();
    assert_eq!(ours.hashes().to_owned(), TorrentFile::from_bytes(MKTORRENT).unwrap().hashes());
    assert_eq!(ours.to_bytes(), MKTORRENT);
    assert_eq!(ours.hashes().v1().unwrap().to_string(), "46bcfa6684a025080f776e1463044ace02ccf311");
}

#[test]
fn a_v1_torrent_is_the_one_that_libtorrent_makes() {
    let ours = create("album", album(true), options(Mode::V1, 32_768)).unwrap();
    assert_eq!(ours.to_bytes(), LIBTORRENT_V1);
    assert_eq!(ours.hashes().v1().unwrap().to_string(), "86ff3221a85c64f4d36e0ca0379d68e769a9d7ee");
    assert_eq!(ours.hashes().v2(), None);
}

#[test]
fn a_v2_torrent_is_the_one_that_libtorrent_makes() {
    let ours = create("album", album(true), options(Mode::V2, 32_768)).unwrap();
    assert_eq!(ours.to_bytes(), LIBTORRENT_V2);
    let hash = "17cedd3b17c8b2f7c3f85d99fd5cb3a5eba2d2c75a4beefacf1d6618838bb9b4";
    assert_eq!(ours.hashes().v2().unwrap().to_string(), hash);
    assert_eq!(ours.hashes().v1(), None);
}

#[test]
fn a_hybrid_is_the_one_that_libtorrent_makes() {
    let ours = create("album", album(true), options(Mode::Hybrid, 16_384)).unwrap();
    assert_eq!(ours.to_bytes(), LIBTORRENT_HYBRID);
    let (v1, v2) = (ours.hashes().v1().unwrap(), ours.hashes().v2().unwrap());
    assert_eq!(v1.to_string(), "1f8db73cb12691035f1deaf4d632cf2d0f08a2ca");
    assert_eq!(v2.to_string(), "69af7281a858443494285c14a3f987700f1e6f5c51da3cde290c2c53be844559");
}

#[test]
fn single_files_and_everything_around_the_info_are_written_alike() {
    let around = Options {
        private: true,
        comment: Some("A comment".to_owned()),
        created_by: Some("A program".to_owned()),
        creation_date: Some(1_700_000_000),
        trackers: vec![vec!["http://one.example/announce".to_owned()], vec!["udp://two.example:6969".to_owned()]],
        web_seeds: vec!["http://seed.example/a/".to_owned(), "http://seed.example/b/".to_owned()],
        ..options(Mode::Hybrid, 16_384)
    };
    assert_eq!(create("run.sh", single(), around).unwrap().to_bytes(), LIBTORRENT_SINGLE_HYBRID);
    // A file within one piece has no layer: its root is the piece's hash.
    let small = create("run.sh", single(), options(Mode::V2, 65_536)).unwrap();
    assert_eq!(small.to_bytes(), LIBTORRENT_SINGLE_V2);
    assert!(small.piece_layers.is_empty() && small.piece_layers.is_complete(&small.info));
}

#[test]
fn every_golden_torrent_is_read_without_a_deviation_and_written_unchanged() {
    let all =
        [LIBTORRENT_V1, LIBTORRENT_V2, LIBTORRENT_HYBRID, LIBTORRENT_SINGLE_HYBRID, LIBTORRENT_SINGLE_V2, MKTORRENT];
    for bytes in all {
        let (file, deviations) = TorrentFile::from_bytes_noting(bytes).unwrap();
        assert_eq!(deviations, []);
        assert_eq!(file.to_bytes(), bytes);
        assert!(file.piece_layers.is_complete(&file.info));
        metainfo::fuzzing::layout(file.info.layout());
        for cut in 0..bytes.len() {
            let error = TorrentFile::from_bytes(&bytes[..cut]).expect_err("a torrent file that is cut off");
            assert!(error.offset <= cut, "{error}");
        }
    }
}

#[test]
fn a_hybrid_read_back_knows_its_files_twice() {
    let file = TorrentFile::from_bytes(LIBTORRENT_HYBRID).unwrap();
    let layout = file.info.layout();
    let listed: Vec<_> = layout.files().iter().map(|file| (file.path.join("/"), file.length, file.position)).collect();
    let expected = [
        ("album/B/k", 16_384, 0),
        ("album/a/empty", 0, 1),
        ("album/a/z.txt", 3, 2),
        ("album/a-b/q", 2, 4),
        ("album/a.txt", 70_000, 6),
        ("album/run.sh", 40_000, 8),
        ("album/ünï.txt", 20_000, 10),
    ];
    assert_eq!(listed, expected.map(|(path, length, position)| (path.to_owned(), length, position)));
    assert_eq!(layout.total_length(), 146_389);
    assert!(layout.files()[5].executable && layout.files()[1].pieces_root.is_none());
    for piece in layout.pieces() {
        assert!(file.info.piece_hash_v1(piece).is_some());
        assert!(file.piece_layers.piece_hash(&file.info, piece).is_some());
        assert_eq!(layout.piece_len(piece), 16_384, "padding counts, also behind the last file");
    }
}

#[test]
fn the_magnet_of_the_reference_hybrid_is_read() {
    // The magnet of the hybrid test torrent that libtorrent's authors published with BEP 52.
    let text = "magnet:?xt=urn:btih:631a31dd0a46257d5078c0dee4e66e26f73e42ac\
        &xt=urn:btmh:1220d8dd32ac93357c368556af3ac1d95c9d76bd0dff6fa9833ecdac3d53134efabb\
        &dn=bittorrent-v1-v2-hybrid-test";
    let magnet: Magnet = text.parse().unwrap();
    assert_eq!(magnet.name.as_deref(), Some("bittorrent-v1-v2-hybrid-test"));
    assert_eq!(magnet.hashes.v1().unwrap().to_string(), "631a31dd0a46257d5078c0dee4e66e26f73e42ac");
    assert!(magnet.hashes.v2().unwrap().to_string().starts_with("d8dd32ac93357c36"));
    assert_eq!(magnet.to_string(), text);
}
