//! The body of the fuzz target: arbitrary bytes as each message that strangers send. It panics where a promise is broken.
//! The property test below drives it too, so that it cannot rot.

use crate::proto::{Answer, MAX_ANSWER_LEN, MAX_NOTICE_LEN, MAX_REQUEST_LEN, Notice, Receipt, Request, check_path};

/// What can be read can be written, within the limits, and means the same; a path that is read stays below its folder.
pub fn messages(data: &[u8]) {
    if let Ok(notice) = Notice::decode(data) {
        let again = notice.encode();
        assert!(again.len() <= MAX_NOTICE_LEN);
        assert_eq!(Notice::decode(&again), Ok(notice));
    }
    if let Ok(request) = Request::decode(data) {
        let (Request::List { path, .. } | Request::Fetch { path }) = &request;
        assert!(check_path(path) && path.iter().all(|part| part != ".." && !part.contains(['/', '\\', '\0'])));
        let again = request.encode();
        assert!(again.len() <= MAX_REQUEST_LEN);
        assert_eq!(Request::decode(&again), Ok(request));
    }
    if let Ok(answer) = Answer::decode(data) {
        let again = answer.encode();
        assert!(again.len() <= MAX_ANSWER_LEN);
        assert_eq!(Answer::decode(&again), Ok(answer));
    }
    let receipt = Receipt::decode(data);
    assert_eq!(Receipt::decode(&receipt.encode()), receipt);
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::bencode::{self, Tree};
    use proptest::prelude::*;

    /// Dictionaries with the keys that messages have, and values that may fit.
    fn document() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Tree::Int),
            "[a-z./\u{202e}]{0,12}".prop_map(|text| Tree::from(text.as_str())),
            proptest::collection::vec(any::<u8>(), 0..70).prop_map(|bytes| Tree::bytes(&bytes)),
            Just(Tree::bytes(&[7; 32])),
        ];
        let value = prop_oneof![leaf.clone(), proptest::collection::vec(leaf, 0..4).prop_map(Tree::List)];
        let key = prop_oneof![
            Just("bytes"),
            Just("done"),
            Just("entries"),
            Just("fetch"),
            Just("files"),
            Just("from"),
            Just("group"),
            Just("hash"),
            Just("hints"),
            Just("list"),
            Just("name"),
            Just("nodes"),
            Just("note"),
            Just("refused"),
            Just("share"),
            Just("version"),
        ];
        let entries = proptest::collection::btree_map(key, value, 0..10);
        entries.prop_map(|entries| bencode::encode(&Tree::dict(entries)))
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_break_no_promise(data in any::<Vec<u8>>()) {
            messages(&data);
        }

        #[test]
        fn arbitrary_dictionaries_break_no_promise(data in document()) {
            messages(&data);
        }
    }
}
