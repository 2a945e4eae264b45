//! The peer wire after the handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| torrent_proto::fuzzing::wire_frames(data));
