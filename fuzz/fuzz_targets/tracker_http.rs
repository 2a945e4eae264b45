//! Answers of HTTP trackers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metainfo::InfoHashV1;
use torrent_proto::tracker::{MAX_PEERS, TrackerError, http};

fuzz_target!(|bytes: &[u8]| {
    match http::parse_announce(bytes) {
        Ok(response) => assert!(response.peers.len() <= 2 * MAX_PEERS),
        Err(TrackerError::Refused { reason, .. }) => assert!(!reason.chars().any(char::is_control)),
        Err(_) => {}
    }
    let asked = [InfoHashV1([0; 20]), InfoHashV1([b'x'; 20])];
    if let Ok(scrape) = http::parse_scrape(bytes, &asked) {
        assert!(scrape.entries.len() <= asked.len());
    }
});
