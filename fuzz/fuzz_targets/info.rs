//! The info dictionary: whatever a peer sends as metadata.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metainfo::fuzzing::info(data));
