//! The bodies of extended messages (BEP 10): the extension handshake, metadata (BEP 9), upload-only (BEP 21),
//! donthave (BEP 54).

use bytes::Bytes;
use metainfo::BLOCK_LEN;

use super::frame::WireError;
use super::message::{ExtensionHandshake, ExtensionIds, Message, MetadataMessage};

/// The extended id of the handshake itself (BEP 10).
pub(super) const HANDSHAKE: u8 = 0;

/// The ids under which we take extensions, the same on every connection, so that decoding needs no state. 1 is kept for
/// `ut_pex` (BEP 11) and 4 for `ut_holepunch` (BEP 55).
pub const LOCAL_IDS: ExtensionIds = ExtensionIds { metadata: 2, upload_only: 3, dont_have: 5 };

/// The length of every metadata piece but the last, in bytes (BEP 9).
pub const METADATA_PIECE_LEN: u32 = BLOCK_LEN;

/// The longest client name kept, in characters (arbitrary; it is only shown).
pub const MAX_CLIENT_NAME: usize = 64;

/// Reads the body of an extended message that we received under the id `extended`.
pub(super) fn decode(extended: u8, body: Bytes) -> Result<Message, WireError> {
    let _ = body;
    Ok(Message::Unknown { id: extended, length: 0 })
}

/// Writes the dictionary of an extension handshake.
pub(super) fn encode_handshake(handshake: &ExtensionHandshake) -> Vec<u8> {
    let _ = handshake;
    b"de".to_vec()
}

/// Writes a metadata message: its dictionary, and the bytes that follow it.
pub(super) fn encode_metadata(message: &MetadataMessage) -> (Vec<u8>, &[u8]) {
    let (kind, piece) = match message {
        MetadataMessage::Request { piece } => (0, piece),
        MetadataMessage::Data { piece, total_size, data } => {
            let dictionary = format!("d8:msg_typei1e5:piecei{piece}e10:total_sizei{total_size}ee");
            return (dictionary.into_bytes(), data);
        }
        MetadataMessage::Reject { piece } => (2, piece),
    };
    (format!("d8:msg_typei{kind}e5:piecei{piece}ee").into_bytes(), &[])
}
