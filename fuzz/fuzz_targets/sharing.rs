//! Notices, receipts, and what libraries are asked and answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sharing::fuzzing::messages(data));
