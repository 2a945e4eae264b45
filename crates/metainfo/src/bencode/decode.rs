//! The decoder.

use super::{MAX_DEPTH, MAX_ITEMS};

/// A decoded value, borrowing from the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer; those beyond 64 bits are refused.
    Int(i64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Value<'a>>),
    /// A dictionary.
    Dict(Dict<'a>),
}

/// A decoded dictionary. Invariant: its entries are sorted by key, and no key is there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dict<'a> {
    entries: Vec<Entry<'a>>,
    offset: usize,
    sorted: bool,
}

/// One key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry<'a> {
    key: &'a [u8],
    value: Value<'a>,
    /// The value as it was written.
    raw: &'a [u8],
    /// Where the value begins in the input.
    offset: usize,
}

/// Why bytes are no bencode, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {fault}")]
pub struct DecodeError {
    /// The offset of the offending byte.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a bencoded document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The input ends inside a value.
    #[error("the data ends in the middle of a value")]
    Truncated,
    /// No value begins with this byte.
    #[error("0x{0:02x} does not begin a value: i, l, d or a digit is expected")]
    UnexpectedByte(u8),
    /// An integer without digits, or with something else between `i` and `e`.
    #[error("not an integer: digits and a closing e are expected")]
    BadInteger,
    /// `i03e`, `i-0e`.
    #[error("an integer has a leading zero or is -0")]
    LeadingZero,
    /// More than 64 bits.
    #[error("an integer does not fit 64 bits")]
    IntegerTooLarge,
    /// A string's length is no number followed by a colon.
    #[error("not a string length: digits without a leading zero and a colon are expected")]
    BadLength,
    /// A key is no string.
    #[error("a dictionary key is not a string")]
    KeyNotString,
    /// A key is there twice.
    #[error("a dictionary key is there twice")]
    DuplicateKey,
    /// Something follows the value.
    #[error("data follows the end of the value")]
    TrailingData,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// More values than [`MAX_ITEMS`].
    #[error("more than {MAX_ITEMS} values")]
    TooMany,
}

/// Decodes one value that fills `bytes`.
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, DecodeError> {
    let (value, end) = decode_prefix(bytes)?;
    if end < bytes.len() {
        return Err(DecodeError { offset: end, fault: Fault::TrailingData });
    }
    Ok(value)
}

/// Decodes the value at the beginning of `bytes`; returns it and the offset of the first byte after it.
pub fn decode_prefix(bytes: &[u8]) -> Result<(Value<'_>, usize), DecodeError> {
    let mut decoder = Decoder { bytes, at: 0, items: 0 };
    let value = decoder.value(0)?;
    Ok((value, decoder.at))
}

impl<'a> Value<'a> {
    /// Returns the integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// Returns the byte string, if it is one.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns the byte string as text, if it is one and valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Returns the list, if it is one.
    pub fn as_list(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the dictionary, if it is one.
    pub fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }
}

impl<'a> Dict<'a> {
    /// Returns the value of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns the value of `key` if it is an integer.
    pub fn int(&self, key: &[u8]) -> Option<i64> {
        self.get(key)?.as_int()
    }

    /// Returns the value of `key` if it is a byte string.
    pub fn bytes(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.get(key)?.as_bytes()
    }

    /// Returns the value of `key` if it is a byte string of valid UTF-8.
    pub fn str(&self, key: &[u8]) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// Returns the value of `key` as it was written.
    pub fn raw(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.entry(key).map(|entry| entry.raw)
    }

    /// Returns where the value of `key` begins in the input; where the dictionary begins if the key is missing.
    pub fn offset_of(&self, key: &[u8]) -> usize {
        self.entry(key).map_or(self.offset, |entry| entry.offset)
    }

    /// Returns where the dictionary begins in the input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Tells whether the keys were in order, as BEP 3 asks.
    pub fn is_sorted(&self) -> bool {
        self.sorted
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns keys and values, by ascending key.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &Value<'a>)> {
        self.entries.iter().map(|entry| (entry.key, &entry.value))
    }

    fn entry(&self, key: &[u8]) -> Option<&Entry<'a>> {
        self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok().map(|i| &self.entries[i])
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    items: usize,
}

impl<'a> Decoder<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, DecodeError> {
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(self.fault(Fault::TooMany));
        }
        match self.peek()? {
            b'i' => self.int().map(Value::Int),
            b'0'..=b'9' => self.string().map(Value::Bytes),
            b'l' | b'd' if depth == MAX_DEPTH => Err(self.fault(Fault::TooDeep)),
            b'l' => self.list(depth).map(Value::List),
            b'd' => self.dict(depth).map(Value::Dict),
            other => Err(self.fault(Fault::UnexpectedByte(other))),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value<'a>>, DecodeError> {
        self.at += 1;
        let mut list = Vec::new();
        while self.peek()? != b'e' {
            list.push(self.value(depth + 1)?);
        }
        self.at += 1;
        Ok(list)
    }

    fn dict(&mut self, depth: usize) -> Result<Dict<'a>, DecodeError> {
        let mut dict = Dict { entries: Vec::<Entry<'a>>::new(), offset: self.at, sorted: true };
        self.at += 1;
        while self.peek()? != b'e' {
            let key_offset = self.at;
            if !self.bytes[self.at].is_ascii_digit() {
                return Err(self.fault(Fault::KeyNotString));
            }
            let key = self.string()?;
            match dict.entries.last().map(|last| last.key.cmp(key)) {
                Some(std::cmp::Ordering::Equal) => {
                    return Err(DecodeError { offset: key_offset, fault: Fault::DuplicateKey });
                }
                Some(std::cmp::Ordering::Greater) => dict.sorted = false,
                _ => {}
            }
            let offset = self.at;
            let value = self.value(depth + 1)?;
            dict.entries.push(Entry { key, value, raw: &self.bytes[offset..self.at], offset });
        }
        self.at += 1;
        if !dict.sorted {
            dict.entries.sort_by_key(|entry| (entry.key, entry.offset));
            if let Some(pair) = dict.entries.windows(2).find(|pair| pair[0].key == pair[1].key) {
                return Err(DecodeError { offset: pair[1].offset - pair[1].key.len(), fault: Fault::DuplicateKey });
            }
        }
        Ok(dict)
    }

    fn int(&mut self) -> Result<i64, DecodeError> {
        let begin = self.at;
        self.at += 1;
        let negative = self.peek()? == b'-';
        if negative {
            self.at += 1;
        }
        let digits = self.digits();
        if self.peek()? != b'e' || digits.is_empty() {
            return Err(self.fault(Fault::BadInteger));
        }
        if digits.len() > 1 && digits[0] == b'0' || negative && digits == b"0" {
            return Err(DecodeError { offset: begin, fault: Fault::LeadingZero });
        }
        let mut int = 0i64;
        for digit in digits {
            let digit = i64::from(digit - b'0');
            let next = int.checked_mul(10).and_then(|int| int.checked_add(if negative { -digit } else { digit }));
            int = next.ok_or(DecodeError { offset: begin, fault: Fault::IntegerTooLarge })?;
        }
        self.at += 1;
        Ok(int)
    }

    fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let begin = self.at;
        let bad = DecodeError { offset: begin, fault: Fault::BadLength };
        let digits = self.digits();
        if self.peek()? != b':' || digits.len() > 1 && digits[0] == b'0' {
            return Err(bad);
        }
        let mut length = 0usize;
        for digit in digits {
            length = length.checked_mul(10).and_then(|n| n.checked_add(usize::from(digit - b'0'))).ok_or(bad)?;
        }
        self.at += 1;
        let rest = &self.bytes[self.at..];
        if length > rest.len() {
            return Err(DecodeError { offset: self.bytes.len(), fault: Fault::Truncated });
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn digits(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        &rest[..count]
    }

    fn peek(&self) -> Result<u8, DecodeError> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.fault(Fault::Truncated))
    }

    fn fault(&self, fault: Fault) -> DecodeError {
        DecodeError { offset: self.at, fault }
    }
}
