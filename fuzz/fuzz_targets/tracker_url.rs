//! Tracker addresses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| torrent_proto::fuzzing::tracker_url(data));
