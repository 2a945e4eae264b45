//! Links that follow a key, and the item that names the newest torrent.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metainfo::fuzzing::updates(data));
