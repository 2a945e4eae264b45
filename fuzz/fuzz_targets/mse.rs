//! The encrypted handshake, both ends.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| torrent_proto::fuzzing::mse(data));
