//! Envelopes: what is sealed for a node, and what is inside.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat::fuzzing::envelopes(data));
