//! Reading the fields of messages, which are bencoded dictionaries (BEP 3). Unknown keys are skipped.

use base::NodeId;
use metainfo::bencode::{self, Dict, Value};

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is longer than any message may be.
    #[error("the message is too long")]
    TooLong,
    /// No bencode.
    #[error("the message is no bencode: {0}")]
    Bencode(#[from] bencode::DecodeError),
    /// A field is missing, too long, or of another kind.
    #[error("the message has no usable {0:?}")]
    Field(&'static str),
}

/// Decodes a dictionary of at most `limit` bytes.
pub(super) fn dict(bytes: &[u8], limit: usize) -> Result<Value<'_>, MessageError> {
    if bytes.len() > limit {
        return Err(MessageError::TooLong);
    }
    let value = bencode::decode(bytes)?;
    if value.as_dict().is_none() {
        return Err(MessageError::Field("dictionary"));
    }
    Ok(value)
}

/// Reads text of at most `limit` bytes; an absent one is `None`.
pub(super) fn text(dict: &Dict<'_>, key: &'static str, limit: usize) -> Result<Option<String>, MessageError> {
    let Some(value) = dict.get(key.as_bytes()) else { return Ok(None) };
    let text = value.as_str().filter(|text| text.len() <= limit).ok_or(MessageError::Field(key))?;
    Ok(Some(text.to_owned()))
}

/// Reads a number that is not negative; an absent one is 0.
pub(super) fn number(dict: &Dict<'_>, key: &'static str) -> Result<u64, MessageError> {
    let Some(value) = dict.get(key.as_bytes()) else { return Ok(0) };
    value.as_int().and_then(|int| u64::try_from(int).ok()).ok_or(MessageError::Field(key))
}

/// Reads 32 bytes; absent ones are `None`.
pub(super) fn fixed(dict: &Dict<'_>, key: &'static str) -> Result<Option<[u8; 32]>, MessageError> {
    let Some(value) = dict.get(key.as_bytes()) else { return Ok(None) };
    let bytes = value.as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Some).ok_or(MessageError::Field(key))
}

/// Reads nodes, 32 bytes each.
pub(super) fn nodes(dict: &Dict<'_>, key: &'static str, limit: usize) -> Result<Vec<NodeId>, MessageError> {
    let bytes = dict.get(key.as_bytes()).map_or(Some(&[][..]), Value::as_bytes).ok_or(MessageError::Field(key))?;
    let (ids, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || ids.len() > limit {
        return Err(MessageError::Field(key));
    }
    Ok(ids.iter().map(|id| NodeId(*id)).collect())
}

/// Clamps a number to what bencode readers take.
pub(super) fn int(number: u64) -> bencode::Tree {
    bencode::Tree::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
