//! Reading keys that have to be there, and saying what is wrong with them.

use crate::bencode::{Dict, Value};
use crate::{MetainfoError, Problem};

pub(super) fn required<'d, 'a>(dict: &'d Dict<'a>, key: &'static str) -> Result<&'d Value<'a>, MetainfoError> {
    dict.get(key.as_bytes()).ok_or(MetainfoError::new(dict.offset(), Problem::Missing(key)))
}

pub(super) fn invalid(dict: &Dict<'_>, key: &[u8], why: &'static str) -> MetainfoError {
    MetainfoError::invalid(dict.offset_of(key), why)
}

pub(super) fn wrong_type(offset: usize, key: &'static str, expected: &'static str) -> MetainfoError {
    MetainfoError::new(offset, Problem::WrongType { key, expected })
}
