//! Bencode: what is read is written again with the same meaning.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metainfo::bencode::{Tree, decode, decode_prefix, encode};

fuzz_target!(|bytes: &[u8]| {
    let Ok((value, end)) = decode_prefix(bytes) else {
        assert!(decode(bytes).is_err());
        return;
    };
    assert_eq!(decode(bytes).is_ok(), end == bytes.len());
    let tree = Tree::from(&value);
    let again = encode(&tree);
    assert_eq!(again.len(), end, "only the order of keys may differ");
    assert_eq!(Tree::from(&decode(&again).expect("what we write, we read")), tree);
});
