//! The bodies of extended messages (BEP 10): the extension handshake, metadata (BEP 9), upload-only (BEP 21),
//! donthave (BEP 54). Peer exchange and hole punching are in files of their own.

use core::net::IpAddr;

use bytes::Bytes;
use metainfo::bencode::{self, Dict, Tree, Value};
use metainfo::{BLOCK_LEN, PieceIndex};

use super::frame::{WireError, id, u32_at};
use super::message::{ExtensionHandshake, ExtensionIds, Message, MetadataMessage};
use super::{holepunch, pex};

/// The extended id of the handshake itself (BEP 10).
pub(super) const HANDSHAKE: u8 = 0;

/// The ids under which we take extensions, the same on every connection, so that decoding needs no state. An extension
/// that is switched off is offered with 0, and what comes all the same is ignored.
pub const LOCAL_IDS: ExtensionIds =
    ExtensionIds { pex: PEX, metadata: METADATA, upload_only: UPLOAD_ONLY, holepunch: HOLEPUNCH, dont_have: DONT_HAVE };

const PEX: u8 = 1;
const METADATA: u8 = 2;
const UPLOAD_ONLY: u8 = 3;
const HOLEPUNCH: u8 = 4;
const DONT_HAVE: u8 = 5;

/// The length of every metadata piece but the last, in bytes (BEP 9).
pub const METADATA_PIECE_LEN: u32 = BLOCK_LEN;

/// The longest client name kept, in characters (arbitrary; it is only shown).
pub const MAX_CLIENT_NAME: usize = 64;

/// The names of the extensions in the `m` dictionary, and where their ids are.
const PEX_NAME: &str = "ut_pex";
const METADATA_NAME: &str = "ut_metadata";
const UPLOAD_ONLY_NAME: &str = "upload_only";
const HOLEPUNCH_NAME: &str = "ut_holepunch";
const DONT_HAVE_NAME: &str = "lt_donthave";

/// Reads the body of an extended message that we received under the id `extended`.
pub(super) fn decode(extended: u8, body: Bytes) -> Result<Message, WireError> {
    let bad_length = WireError::BadLength { id: id::EXTENDED, length: body.len() as u32 + 2 };
    match extended {
        HANDSHAKE => {
            // Bytes behind the dictionary are ignored: nothing is gained by refusing them.
            let (value, _) = bencode::decode_prefix(&body).map_err(|_| WireError::BadDictionary)?;
            let dict = value.as_dict().ok_or(WireError::BadDictionary)?;
            Ok(Message::ExtensionHandshake(Box::new(decode_handshake(dict))))
        }
        PEX => Ok(Message::Pex(Box::new(pex::decode(&body)?))),
        METADATA => decode_metadata(body),
        HOLEPUNCH => Ok(match holepunch::decode(&body)? {
            Some(message) => Message::Holepunch(message),
            None => Message::Unknown { id: id::EXTENDED, length: body.len() as u32 + 1 },
        }),
        UPLOAD_ONLY => match body.first() {
            Some(flag) => Ok(Message::UploadOnly(*flag != 0)),
            None => Err(bad_length),
        },
        DONT_HAVE if body.len() == 4 => Ok(Message::DontHave(PieceIndex(u32_at(&body, 0)))),
        DONT_HAVE => Err(bad_length),
        _ => Ok(Message::Unknown { id: id::EXTENDED, length: body.len() as u32 + 1 }),
    }
}

/// Reads the extension handshake. A value of another type than the specification's is as good as absent.
fn decode_handshake(dict: &Dict<'_>) -> ExtensionHandshake {
    let names = dict.get(b"m").and_then(Value::as_dict);
    let id_of = |name: &str| names.and_then(|m| small(m, name.as_bytes())).unwrap_or_default();
    ExtensionHandshake {
        ids: ExtensionIds {
            pex: id_of(PEX_NAME),
            metadata: id_of(METADATA_NAME),
            upload_only: id_of(UPLOAD_ONLY_NAME),
            holepunch: id_of(HOLEPUNCH_NAME),
            dont_have: id_of(DONT_HAVE_NAME),
        },
        client: dict.bytes(b"v").map(client_name).filter(|name| !name.is_empty()),
        port: small(dict, b"p").filter(|port| *port != 0),
        request_queue: small(dict, b"reqq"),
        metadata_size: small(dict, b"metadata_size").filter(|size| *size != 0),
        your_ip: dict.bytes(b"yourip").and_then(crate::tracker::ip_from_bytes),
        upload_only: dict.int(b"upload_only").is_some_and(|flag| flag != 0),
        prefers_encryption: dict.int(b"e").is_some_and(|flag| flag != 0),
    }
}

/// Writes the dictionary of an extension handshake.
pub(super) fn encode_handshake(handshake: &ExtensionHandshake) -> Vec<u8> {
    let ids = &handshake.ids;
    let names = [
        (PEX_NAME, ids.pex),
        (METADATA_NAME, ids.metadata),
        (UPLOAD_ONLY_NAME, ids.upload_only),
        (HOLEPUNCH_NAME, ids.holepunch),
        (DONT_HAVE_NAME, ids.dont_have),
    ];
    let names = names.into_iter().filter(|(_, id)| *id != 0).map(|(name, id)| (name, Tree::Int(i64::from(id))));
    let mut entries = vec![("m", Tree::dict(names))];
    let mut number = |key, value: Option<u32>| entries.extend(value.map(|value| (key, Tree::from(value))));
    number("e", handshake.prefers_encryption.then_some(1));
    number("metadata_size", handshake.metadata_size);
    number("p", handshake.port.map(u32::from));
    number("reqq", handshake.request_queue);
    number("upload_only", handshake.upload_only.then_some(1));
    if let Some(client) = &handshake.client {
        entries.push(("v", Tree::bytes(client.as_bytes())));
    }
    match handshake.your_ip {
        Some(IpAddr::V4(ip)) => entries.push(("yourip", Tree::bytes(&ip.octets()))),
        Some(IpAddr::V6(ip)) => entries.push(("yourip", Tree::bytes(&ip.octets()))),
        None => {}
    }
    bencode::encode(&Tree::dict(entries))
}

/// Reads a metadata message: a dictionary, behind it the bytes of the piece. A kind that BEP 9 does not know is ignored,
/// as it asks.
fn decode_metadata(body: Bytes) -> Result<Message, WireError> {
    let (value, end) = bencode::decode_prefix(&body).map_err(|_| WireError::BadDictionary)?;
    let dict = value.as_dict().ok_or(WireError::BadDictionary)?;
    let piece = small(dict, b"piece").ok_or(WireError::BadDictionary)?;
    let message = match dict.int(b"msg_type") {
        Some(0) => MetadataMessage::Request { piece },
        Some(1) => {
            let total_size = small(dict, b"total_size").ok_or(WireError::BadDictionary)?;
            let data = body.slice(end..);
            if data.len() > METADATA_PIECE_LEN as usize {
                return Err(WireError::TooLong { id: id::EXTENDED, length: body.len() as u32 + 2 });
            }
            MetadataMessage::Data { piece, total_size, data }
        }
        Some(2) => MetadataMessage::Reject { piece },
        Some(_) => return Ok(Message::Unknown { id: id::EXTENDED, length: body.len() as u32 + 1 }),
        None => return Err(WireError::BadDictionary),
    };
    Ok(Message::Metadata(message))
}

/// Writes a metadata message: its dictionary, and the bytes that follow it.
pub(super) fn encode_metadata(message: &MetadataMessage) -> (Vec<u8>, &[u8]) {
    let (kind, piece, size, data): (_, _, _, &[u8]) = match message {
        MetadataMessage::Request { piece } => (0, piece, None, &[]),
        MetadataMessage::Data { piece, total_size, data } => (1, piece, Some(*total_size), data),
        MetadataMessage::Reject { piece } => (2, piece, None, &[]),
    };
    let mut entries = vec![("msg_type", Tree::Int(kind)), ("piece", Tree::from(*piece))];
    entries.extend(size.map(|size| ("total_size", Tree::from(size))));
    (bencode::encode(&Tree::dict(entries)), data)
}

/// Reads an integer that fits `T`.
fn small<T: TryFrom<i64>>(dict: &Dict<'_>, key: &[u8]) -> Option<T> {
    dict.int(key).and_then(|int| T::try_from(int).ok())
}

/// Makes a client name fit to be shown on a terminal.
fn client_name(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let name: String = text.chars().filter(|c| !c.is_control()).take(MAX_CLIENT_NAME).collect();
    name.trim().to_owned()
}
