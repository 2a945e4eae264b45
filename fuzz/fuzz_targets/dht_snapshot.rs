//! The DHT: its saved file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dht::fuzzing::snapshot(data));
