//! Persons: lists of nodes, records, links, and a whole exchange with a stranger.
#![no_main]

use people::proto::exchange::{Exchange, Input, Role};
use people::proto::{Book, ContactLink, JoinLink, Record, SignedNodeList, Stored};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(list) = SignedNodeList::decode(data) {
        assert_eq!(list.encode(), data);
    }
    if let Ok(record) = Record::decode(data) {
        assert_eq!(record.encode(), data);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (text.parse::<ContactLink>(), text.parse::<JoinLink>());
    }
    let node = base::NodeId([1; 32]);
    let mut book = Book::new(node, Stored::default());
    let now = base::Now::default();
    let mut exchange = Exchange::new(now, &book, node, Role::Listener(None), Vec::new(), [0; 16]);
    exchange.handle(now, &mut book, Input::Frame(data.to_vec()));
    assert!(book.take_changes().is_empty());
});
