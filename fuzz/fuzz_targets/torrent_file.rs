//! Torrent files.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metainfo::fuzzing::torrent_file(data));
