//! The fuzz targets' bodies, driven by random and by damaged input.

use metainfo::fuzzing;
use proptest::prelude::*;

const SEEDS: [&[u8]; 6] = [
    include_bytes!("golden/libtorrent-v1.torrent"),
    include_bytes!("golden/libtorrent-v2.torrent"),
    include_bytes!("golden/libtorrent-hybrid.torrent"),
    include_bytes!("golden/libtorrent-single-hybrid.torrent"),
    include_bytes!("golden/libtorrent-single-v2.torrent"),
    include_bytes!("golden/mktorrent.torrent"),
];

/// A good torrent with a few bytes overwritten, cut out or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"0123456789deil:-"[..])];
    let damage = (any::<prop::sample::Index>(), byte, 0..3u8);
    (prop::sample::select(&SEEDS[..]), proptest::collection::vec(damage, 1..4)).prop_map(|(seed, damages)| {
        let mut bytes = seed.to_vec();
        for (at, byte, kind) in damages {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn torrents_that_are_damaged(bytes in damaged()) {
        fuzzing::torrent_file(&bytes);
        fuzzing::bencode(&bytes);
        if let Some(info) = bytes.windows(7).position(|window| window == b"4:infod") {
            // The rest of the file follows it: prefixes too.
            fuzzing::info(&bytes[info + 6..]);
            fuzzing::info(&bytes[info + 6..bytes.len() - 1]);
        }
    }

    #[test]
    fn bencode_of_any_bytes(bytes in "[0-9deil:a-]{0,60}") {
        fuzzing::bencode(bytes.as_bytes());
    }

    #[test]
    fn magnets(text in "magnet:\\?(xt=urn:bt[im]h:[0-9a-f]{40}|(1220)?[0-9a-f]{64})?(&(dn|tr|so|x\\.pe|ws|xt\\.1|q)=[\\[\\]a-z0-9:%,+. -]{0,20}){0,4}") {
        fuzzing::magnet(text.as_bytes());
    }

    #[test]
    fn updates(text in "(magnet:\\?xs=urn:btpk:[0-9a-f]{64}(&(s|dn|tr|x\\.pe)=[a-f0-9:]{0,12}){0,3}|d2:ih20:[a-z]{20}(1:x1:y)?e)") {
        fuzzing::updates(text.as_bytes());
    }

    #[test]
    fn peers(text in "\\[?[0-9a-f:.]{0,12}\\]?:[0-9]{0,6}") {
        fuzzing::magnet(text.as_bytes());
    }

    #[test]
    fn names(bytes in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        "[./\\\\a-zA-Z:\u{202e}\u{e9}\n ]{0,40}".prop_map(String::into_bytes),
        "((con|NUL|lpt1|COM²)[. ]{0,2}[a-z]{0,3}\n?){0,3}".prop_map(String::into_bytes),
        "\u{e4}{120,140}(\\.[a-z]{0,20})?".prop_map(String::into_bytes),
    ]) {
        fuzzing::names(&bytes);
    }
}
