//! Frames on a stream of chat.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat::fuzzing::frame(data));
