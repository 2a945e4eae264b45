//! Parcels, and the items in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chat::fuzzing::parcel(data));
