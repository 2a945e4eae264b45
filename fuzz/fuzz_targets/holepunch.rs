//! Hole punching.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| torrent_proto::fuzzing::holepunch(data));
