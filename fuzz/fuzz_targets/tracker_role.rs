//! Requests to the tracker role, over UDP and HTTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tracker::fuzzing::requests(data));
