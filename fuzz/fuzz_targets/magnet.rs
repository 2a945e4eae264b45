//! Magnets: what is read is written again and names the same torrent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metainfo::Magnet;

fuzz_target!(|text: &str| {
    let Ok(magnet) = text.parse::<Magnet>() else { return };
    let again: Magnet = magnet.to_string().parse().expect("what we write, we read");
    assert_eq!(again.hashes, magnet.hashes);
});
