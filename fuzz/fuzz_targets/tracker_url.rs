//! Tracker addresses, from torrent files and magnets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metainfo::InfoHashV1;
use torrent_proto::tracker::{TrackerUrl, http};

fuzz_target!(|text: &str| {
    let Ok(url) = text.parse::<TrackerUrl>() else { return };
    assert!(!url.as_str().chars().any(|c| c.is_control() || c.is_whitespace()));
    assert_eq!(url.as_str().parse::<TrackerUrl>().as_ref(), Ok(&url));
    let _ = (url.public(), http::scrape_url(&url, &[InfoHashV1([0; 20])]));
});
