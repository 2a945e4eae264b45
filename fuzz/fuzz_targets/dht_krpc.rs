//! The DHT: packets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dht::fuzzing::krpc(data));
