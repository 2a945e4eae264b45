//! The encoding of everything that is signed or spoken here: fixed order, big-endian numbers, lengths before contents.
//!
//! There is exactly one way to write a value: whatever decodes gives the same bytes when it is encoded again, so that a
//! signature over the bytes is a signature over the value. A decoder returns an error for what is left over.

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They end too early.
    #[error("the bytes end too early")]
    Short,
    /// Something follows the end.
    #[error("something follows the end")]
    TooLong,
    /// A length is beyond its limit.
    #[error("a length is beyond its limit")]
    Limit,
    /// A value that has no meaning, or one that is written in another than the one way.
    #[error("a value that is not allowed")]
    Value,
}

/// For how many bytes there is room at once. Arbitrary: most of what is written takes less.
const ROOM: usize = 128;

/// Writes values one after the other.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Returns an empty one.
    pub fn new() -> Writer {
        Writer { bytes: Vec::with_capacity(ROOM) }
    }

    /// Adds one byte.
    pub fn u8(&mut self, value: u8) -> &mut Writer {
        self.bytes.push(value);
        self
    }

    /// Adds two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Writer {
        self.fixed(&value.to_be_bytes())
    }

    /// Adds four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Writer {
        self.fixed(&value.to_be_bytes())
    }

    /// Adds eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Writer {
        self.fixed(&value.to_be_bytes())
    }

    /// Adds bytes whose number the reader knows.
    pub fn fixed(&mut self, bytes: &[u8]) -> &mut Writer {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Adds a length of four bytes, and the bytes. What is longer than 4 GiB cannot be written: nothing here is.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.u32(u32::try_from(bytes.len()).expect("every value here has a limit far below 4 GiB"));
        self.fixed(bytes)
    }

    /// Adds a text like [`Writer::bytes`].
    pub fn text(&mut self, text: &str) -> &mut Writer {
        self.bytes(text.as_bytes())
    }

    /// Returns what was written.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Reads values one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// Returns how many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.fixed::<1>()?[0])
    }

    /// Reads a byte that says yes or no.
    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value),
        }
    }

    /// Reads two bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.fixed()?))
    }

    /// Reads four bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.fixed()?))
    }

    /// Reads eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.fixed()?))
    }

    /// Reads as many bytes as the result has.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Short)?;
        self.bytes = rest;
        Ok(*head)
    }

    /// Reads a length and that many bytes, `limit` at most.
    pub fn bytes(&mut self, limit: usize) -> Result<&'a [u8], DecodeError> {
        let len = self.u32()? as usize;
        if len > limit {
            return Err(DecodeError::Limit);
        }
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.bytes = rest;
        Ok(head)
    }

    /// Reads a text of at most `limit` bytes.
    pub fn text(&mut self, limit: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(limit)?).map_err(|_| DecodeError::Value)
    }

    /// Refuses what is left over.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::TooLong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes = Writer::new().u8(1).u16(2).u32(3).u64(4).bytes(b"five").text("sechs").fixed(&[7; 3]).finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.u8(), reader.u16(), reader.u32(), reader.u64()), (Ok(1), Ok(2), Ok(3), Ok(4)));
        assert_eq!((reader.bytes(4), reader.text(5), reader.fixed()), (Ok(&b"five"[..]), Ok("sechs"), Ok([7; 3])));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn every_cut_and_every_limit_is_an_error() {
        let bytes = Writer::new().bytes(b"five").finish();
        for cut in 0..bytes.len() {
            assert_eq!(Reader::new(&bytes[..cut]).bytes(4), Err(DecodeError::Short));
        }
        assert_eq!(Reader::new(&bytes).bytes(3), Err(DecodeError::Limit));
        assert_eq!(Reader::new(&bytes).finish(), Err(DecodeError::TooLong));
        assert_eq!(Reader::new(&[2]).flag(), Err(DecodeError::Value));
        assert_eq!(Reader::new(&[0, 0, 0, 1, 0xff]).text(9), Err(DecodeError::Value));
    }
}
