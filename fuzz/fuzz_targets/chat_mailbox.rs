//! What mailboxes are asked and answer, and what they keep.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat::fuzzing::mailboxes(data));
