//! Names of files from the network.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metainfo::fuzzing::names(data));
