//! The user's own IRC client, which says anything, and somebody else whose words it is told.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat::fuzzing::irc(data));
