//! The handshake of extensions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| torrent_proto::fuzzing::extension_handshake(data));
