//! Magnets.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metainfo::fuzzing::magnet(data));
