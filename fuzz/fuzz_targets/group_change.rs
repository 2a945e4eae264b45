//! Groups: changes, messages between members, links.
#![no_main]

use people::proto::group::{Change, GroupLink, Message};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    people::proto::group::fuzzing::change(data);
    if let Ok((_, change)) = Change::decode(data) {
        assert!(change.predecessors.is_sorted());
    }
    if let Ok(message) = Message::decode(data) {
        assert_eq!(message.encode(), data);
    }
    if let Some(link) = std::str::from_utf8(data).ok().and_then(|text| GroupLink::parse(text).ok()) {
        assert_eq!(GroupLink::parse(&link.to_string()), Ok(link));
    }
});
