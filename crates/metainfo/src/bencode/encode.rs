//! The encoder: a tree whose dictionaries are always sorted, so that equal trees have equal bytes.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;

use super::Value;

/// An owned document to be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// An integer.
    Int(i64),
    /// A byte string.
    Bytes(Bytes),
    /// A list.
    List(Vec<Tree>),
    /// A dictionary.
    Dict(BTreeMap<Bytes, Tree>),
    /// A value that is bencoded already, such as an info dictionary whose hash must not change.
    Raw(Bytes),
}

/// Encodes a tree.
pub fn encode(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    tree.encode_to(&mut out);
    out
}

impl Tree {
    /// Builds a dictionary from keys and values, in any order; of equal keys the last one stays.
    pub fn dict<K: Into<Tree>>(entries: impl IntoIterator<Item = (&'static str, K)>) -> Tree {
        Tree::Dict(entries.into_iter().map(|(key, value)| (Bytes::from_static(key.as_bytes()), value.into())).collect())
    }

    /// Builds a byte string by copying.
    pub fn bytes(bytes: &[u8]) -> Tree {
        Tree::Bytes(Bytes::copy_from_slice(bytes))
    }

    /// Appends the encoded form to `out`.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Tree::Int(int) => write_fmt(out, format_args!("i{int}e")),
            Tree::Bytes(bytes) => write_bytes(out, bytes),
            Tree::List(list) => {
                out.push(b'l');
                list.iter().for_each(|item| item.encode_to(out));
                out.push(b'e');
            }
            Tree::Dict(dict) => {
                out.push(b'd');
                for (key, value) in dict {
                    write_bytes(out, key);
                    value.encode_to(out);
                }
                out.push(b'e');
            }
            Tree::Raw(raw) => out.extend_from_slice(raw),
        }
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_fmt(out, format_args!("{}:", bytes.len()));
    out.extend_from_slice(bytes);
}

fn write_fmt(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a Vec cannot fail");
}

impl From<&Value<'_>> for Tree {
    fn from(value: &Value<'_>) -> Tree {
        match value {
            Value::Int(int) => Tree::Int(*int),
            Value::Bytes(bytes) => Tree::bytes(bytes),
            Value::List(list) => Tree::List(list.iter().map(Tree::from).collect()),
            Value::Dict(dict) => {
                Tree::Dict(dict.iter().map(|(k, v)| (Bytes::copy_from_slice(k), Tree::from(v))).collect())
            }
        }
    }
}

impl From<i64> for Tree {
    fn from(int: i64) -> Tree {
        Tree::Int(int)
    }
}

impl From<u32> for Tree {
    fn from(int: u32) -> Tree {
        Tree::Int(i64::from(int))
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Tree {
        Tree::bytes(text.as_bytes())
    }
}

impl From<&[u8]> for Tree {
    fn from(bytes: &[u8]) -> Tree {
        Tree::bytes(bytes)
    }
}

impl From<Bytes> for Tree {
    fn from(bytes: Bytes) -> Tree {
        Tree::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Tree {
    fn from(bytes: Vec<u8>) -> Tree {
        Tree::Bytes(bytes.into())
    }
}

impl From<Vec<Tree>> for Tree {
    fn from(list: Vec<Tree>) -> Tree {
        Tree::List(list)
    }
}

impl From<BTreeMap<Bytes, Tree>> for Tree {
    fn from(dict: BTreeMap<Bytes, Tree>) -> Tree {
        Tree::Dict(dict)
    }
}
