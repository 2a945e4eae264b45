//! Torrent files: every deviation that is accepted, what is refused, and that nothing is lost.

use super::*;
use crate::magnet::MAX_VALUES;

const GOOD: &str = "d6:lengthi1e4:name1:n12:piece lengthi16384e6:pieces20:01234567890123456789e";
const V2: &[u8] = include_bytes!("../../tests/golden/libtorrent-v2.torrent");

fn noting(text: &[u8]) -> (TorrentFile, Vec<Deviation>) {
    TorrentFile::from_bytes_noting(text).unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(text)))
}

/// A torrent file with one more key in its info dictionary, which has to sort last but for `zz`.
fn info_with(extra: &str) -> Vec<u8> {
    format!("d4:info{}{extra}ee", &GOOD[..GOOD.len() - 1]).into_bytes()
}

#[test]
fn every_known_deviation_is_accepted_and_told() {
    let files = |path: &[u8]| {
        let head: &[u8] = b"d4:infod5:filesld6:lengthi1e";
        [head, path, b"ee4:name1:n12:piece lengthi16384e6:pieces20:01234567890123456789ee"].concat()
    };
    let empty_with_root = {
        let root = "11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr";
        let tree = format!("d1:ad0:d6:lengthi1e{root}ee1:bd0:d6:lengthi0e{root}eee");
        format!("d4:infod9:file tree{tree}12:meta versioni2e4:name1:n12:piece lengthi16384ee12:piece layersdee")
    };
    let v2 = TorrentFile::from_bytes(V2).unwrap();
    let without_layers = TorrentFile { piece_layers: PieceLayers::default(), ..v2.clone() }.to_bytes();
    let mut more_layers = v2;
    assert!(more_layers.piece_layers.insert([7; 32], vec![[7; 32]], 16_384));
    let rows: Vec<(Vec<u8>, Deviation)> = vec![
        (format!("d4:info{GOOD}7:comment1:ce").into(), Deviation::UnsortedKeys),
        (info_with("5:extrai1e"), Deviation::UnsortedKeys),
        (format!("d4:info{GOOD}e\r\n \0").into(), Deviation::TrailingSpace),
        ([b"d7:comment1:\xff4:info", GOOD.as_bytes(), b"e"].concat(), Deviation::NotUtf8),
        (files(b"4:pathl2:\xe4\xf6e"), Deviation::NotUtf8),
        (files(b"4:pathl1:ae10:path.utf-8l2:\xc3\xa4e"), Deviation::Utf8Keys),
        (format!("d13:announce-listl8:http://a8:http://be4:info{GOOD}e").into(), Deviation::FlatTrackerList),
        (format!("d8:announce0:4:info{GOOD}e").into(), Deviation::EmptyUrl),
        (format!("d4:info{GOOD}8:url-listl0:8:http://aee").into(), Deviation::EmptyUrl),
        (format!("d7:commenti1e4:info{GOOD}e").into(), Deviation::BadOptionalKey),
        (format!("d13:creation datei-1e4:info{GOOD}e").into(), Deviation::BadOptionalKey),
        (format!("d4:info{GOOD}5:nodesll1:ai1eel1:aeee").into(), Deviation::BadOptionalKey),
        (info_with("7:privatei2e"), Deviation::OddPrivate),
        (files(b"4:pathl0:1:ae"), Deviation::EmptyComponent),
        (empty_with_root.into(), Deviation::RootOfEmptyFile),
        (without_layers, Deviation::MissingPieceLayer),
        (more_layers.to_bytes(), Deviation::ExtraPieceLayer),
    ];
    for (bytes, expected) in rows {
        let (file, deviations) = noting(&bytes);
        assert_eq!(deviations, [expected], "{}", String::from_utf8_lossy(&bytes));
        // What we write of it has no deviation left, but for the info dictionary, whose bytes are its name.
        let (again, left) = noting(&file.to_bytes());
        assert_eq!(again, file);
        assert!(
            left.is_empty() || left == noting(&TorrentFile::from_info(file.info).to_bytes()).1 || left == [expected]
        );
    }
}

#[test]
fn what_is_no_torrent_is_refused_with_its_place_in_the_file() {
    let layered = TorrentFile::from_bytes(V2).unwrap();
    let layer_at = V2.windows(12).position(|w| w == b"piece layers").unwrap();
    let mut wrong_hash = V2.to_vec();
    let last = wrong_hash.len() - 3;
    wrong_hash[last] ^= 1;
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "byte 0: not bencode: the data ends in the middle of a value"),
        (b"<html>".to_vec(), "byte 0: not bencode: 0x3c does not begin a value: i, l, d or a digit is expected"),
        (b"le".to_vec(), "byte 0: a torrent file is a dictionary"),
        (b"de".to_vec(), "byte 0: the key \"info\" is missing"),
        (b"d4:infoi1ee".to_vec(), "byte 7: \"info\" is not a dictionary"),
        (b"d4:infod6:lengthi1eee".to_vec(), "byte 7: the key \"piece length\" is missing"),
        (format!("d4:info{GOOD}e!").into(), "byte 83: not bencode: data follows the end of the value"),
        (b"d1:a1:b1:ai1ee".to_vec(), "byte 7: not bencode: a dictionary key is there twice"),
    ];
    for (bytes, message) in rows {
        let error = TorrentFile::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.to_string(), message, "{}", String::from_utf8_lossy(&bytes));
    }
    let error = TorrentFile::from_bytes(&wrong_hash).unwrap_err();
    assert!(
        error.offset > layer_at
            && error.to_string().ends_with("a piece layer does not hash to the \"pieces root\" of its file")
    );
    assert!(layered.piece_layers.len() > 1);
}

#[test]
fn unknown_keys_and_everything_else_survive() {
    let text = format!(
        "d8:announce8:http://a13:announce-listll8:http://ael8:http://b8:http://cee7:comment1:c10:created by1:p\
         13:creation datei5e8:encoding5:UTF-84:info{GOOD}5:nodesll7:1.2.3.4i5eee8:url-listl8:http://we2:zzli1eee"
    );
    let (file, deviations) = noting(text.as_bytes());
    assert_eq!(deviations, []);
    assert_eq!(file.trackers, [vec!["http://a"], vec!["http://b", "http://c"]]);
    assert_eq!(file.nodes, [("1.2.3.4".to_owned(), 5)]);
    assert_eq!(
        (file.creation_date, file.comment.as_deref(), file.created_by.as_deref()),
        (Some(5), Some("c"), Some("p"))
    );
    assert_eq!(String::from_utf8(file.to_bytes()).unwrap(), text);
    let magnet = file.magnet();
    assert_eq!((magnet.trackers.len(), magnet.web_seeds.len(), magnet.name.as_deref()), (3, 1, Some("n")));
}

#[test]
fn the_magnet_names_each_tracker_and_web_seed_once() {
    // The same tracker in two tiers, as many torrents have it, and more than a link takes. Found by fuzzing.
    let more: String = (0..600).map(|i| format!("12:http://c/{i:03}")).collect();
    let tiers = format!("ll8:http://a8:http://bel8:http://ael{more}ee");
    let (file, _) = noting(format!("d13:announce-list{tiers}4:info{GOOD}8:url-listl8:http://w8:http://wee").as_bytes());
    let magnet = file.magnet();
    assert_eq!(magnet.trackers[..3], ["http://a", "http://b", "http://c/000"]);
    assert_eq!((magnet.trackers.len(), &magnet.web_seeds[..]), (MAX_VALUES, &["http://w".to_owned()][..]));
    assert_eq!(magnet.to_string().parse(), Ok(magnet));
}

#[test]
fn one_url_needs_no_list() {
    let (file, deviations) = noting(format!("d8:announce8:http://a4:info{GOOD}8:url-list8:http://we").as_bytes());
    assert_eq!(
        (file.trackers, file.web_seeds, deviations),
        (vec![vec!["http://a".to_owned()]], vec!["http://w".to_owned()], vec![])
    );
}
