//! uTP packets, alone and as the history of an endpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| utp::fuzzing::endpoint(data));
