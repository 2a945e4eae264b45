//! Bencode: what is refused and where, what is read, what is written.

use super::*;

fn fault(bytes: &[u8]) -> (usize, Fault) {
    let error = decode(bytes).expect_err(&String::from_utf8_lossy(bytes));
    (error.offset, error.fault)
}

#[test]
fn what_the_specification_forbids_is_refused_where_it_stands() {
    let rows: &[(&[u8], usize, Fault)] = &[
        (b"", 0, Fault::Truncated),
        (b"x", 0, Fault::UnexpectedByte(b'x')),
        (b"e", 0, Fault::UnexpectedByte(b'e')),
        (b"-1", 0, Fault::UnexpectedByte(b'-')),
        // Integers.
        (b"ie", 1, Fault::BadInteger),
        (b"i-e", 2, Fault::BadInteger),
        (b"i1.5e", 2, Fault::BadInteger),
        (b"i+1e", 1, Fault::BadInteger),
        (b"i 1e", 1, Fault::BadInteger),
        (b"i1", 2, Fault::Truncated),
        (b"i03e", 0, Fault::LeadingZero),
        (b"i-0e", 0, Fault::LeadingZero),
        (b"i-01e", 0, Fault::LeadingZero),
        (b"i9223372036854775808e", 0, Fault::IntegerTooLarge),
        (b"i-9223372036854775809e", 0, Fault::IntegerTooLarge),
        // Strings.
        (b"5:abcd", 6, Fault::Truncated),
        (b"01:a", 0, Fault::BadLength),
        (b"1a", 0, Fault::BadLength),
        (b"99999999999999999999:a", 0, Fault::BadLength),
        // Lists and dictionaries.
        (b"l", 1, Fault::Truncated),
        (b"li1e", 4, Fault::Truncated),
        (b"di1ei2ee", 1, Fault::KeyNotString),
        (b"d1:ae", 4, Fault::UnexpectedByte(b'e')),
        (b"d1:ai1e1:ai2ee", 7, Fault::DuplicateKey),
        (b"d1:bi1e1:ai2e1:bi3ee", 15, Fault::DuplicateKey),
        // One value, nothing else.
        (b"i1ei2e", 3, Fault::TrailingData),
        (b"le ", 2, Fault::TrailingData),
    ];
    for (bytes, offset, expected) in rows {
        assert_eq!(fault(bytes), (*offset, *expected), "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(decode(b"i03e").unwrap_err().to_string(), "byte 0: an integer has a leading zero or is -0");
}

#[test]
fn the_extremes_are_read() {
    assert_eq!(decode(b"i0e"), Ok(Value::Int(0)));
    assert_eq!(decode(b"i9223372036854775807e"), Ok(Value::Int(i64::MAX)));
    assert_eq!(decode(b"i-9223372036854775808e"), Ok(Value::Int(i64::MIN)));
    assert_eq!(decode(b"0:"), Ok(Value::Bytes(b"")));
    assert_eq!(decode(b"10:0123456789"), Ok(Value::Bytes(b"0123456789")));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
    assert!(decode(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(fault(&nested(MAX_DEPTH + 1)), (MAX_DEPTH, Fault::TooDeep));
    assert_eq!(fault(&vec![b'l'; 1_000_000]), (MAX_DEPTH, Fault::TooDeep));
}

#[test]
fn a_dictionary_tells_values_their_bytes_and_where_they_stand() {
    let value = decode(b"d1:ai1e4:listl1:xe1:zd1:k0:ee").unwrap();
    let dict = value.as_dict().unwrap();
    assert_eq!((dict.int(b"a"), dict.str(b"a"), dict.get(b"b")), (Some(1), None, None));
    assert_eq!((dict.raw(b"list"), dict.offset_of(b"list")), (Some(&b"l1:xe"[..]), 13));
    assert_eq!(dict.get(b"z").and_then(Value::as_dict).map(Dict::offset), Some(21));
    assert!(dict.is_sorted() && dict.len() == 3);
}

#[test]
fn keys_out_of_order_are_read_and_told() {
    let value = decode(b"d1:bi1e1:ai2ee").unwrap();
    let dict = value.as_dict().unwrap();
    assert!(!dict.is_sorted());
    assert_eq!(dict.iter().map(|(key, _)| key).collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(dict.int(b"b"), Some(1));
}

#[test]
fn a_dictionary_followed_by_data_is_read_up_to_it() {
    // ut_metadata (BEP 9).
    let (value, end) = decode_prefix(b"d8:msg_typei1e5:piecei0eeDATA").unwrap();
    assert_eq!((value.as_dict().unwrap().int(b"piece"), end), (Some(0), 25));
}

#[test]
fn equal_trees_have_equal_bytes() {
    let one = Tree::dict([("b", Tree::from(1i64)), ("a", Tree::from(vec![Tree::from("x"), Tree::Raw("le".into())]))]);
    let other = Tree::dict([("a", Tree::from(vec![Tree::from("x"), Tree::Raw("le".into())])), ("b", Tree::from(1i64))]);
    assert_eq!(encode(&one), b"d1:al1:xlee1:bi1ee");
    assert_eq!(encode(&one), encode(&other));
    assert_eq!(encode(&Tree::Int(i64::MIN)), b"i-9223372036854775808e");
}

#[test]
fn every_prefix_of_a_document_is_truncated() {
    let document = b"d3:onei-12e3:two4:spam5:zlistl0:i0edeee";
    assert!(decode(document).is_ok());
    for cut in 0..document.len() {
        assert!(matches!(fault(&document[..cut]), (at, Fault::Truncated) if at <= cut), "cut at {cut}");
    }
}
