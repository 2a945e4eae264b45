//! The DHT: a node that is sent anything.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dht::fuzzing::node(data));
