//! Reading one message.

use bytes::Bytes;
use metainfo::{BLOCK_LEN, Block, PieceIndex};

use super::extension;
use super::frame::{
    HASH_REQUEST_LEN, LENGTH_PREFIX, MAX_HASHES, MAX_PROOF_LAYERS, PIECE_HEADER_LEN, WireError, id, u32_at,
};
use super::message::{HashRequest, Message};

/// Reads one frame, its length prefix included, as [`split_frame`](super::split_frame) delimits it. Payloads are slices
/// of `frame`, not copies. A message that we do not know is no error: see [`Message::Unknown`].
pub fn decode(frame: Bytes) -> Result<Message, WireError> {
    let Some(&id) = frame.get(LENGTH_PREFIX) else { return Ok(Message::KeepAlive) };
    let body = &frame[LENGTH_PREFIX + 1..];
    let bad_length = WireError::BadLength { id, length: body.len() as u32 + 1 };
    let exactly = |length: usize| if body.len() == length { Ok(()) } else { Err(bad_length) };
    let flag = |message: Message| exactly(0).map(|()| message);
    let piece = || exactly(4).map(|()| PieceIndex(u32_at(body, 0)));
    let block = || {
        exactly(12)?;
        Ok(Block { piece: PieceIndex(u32_at(body, 0)), offset: u32_at(body, 4), length: u32_at(body, 8) })
    };
    match id {
        id::CHOKE => flag(Message::Choke),
        id::UNCHOKE => flag(Message::Unchoke),
        id::INTERESTED => flag(Message::Interested),
        id::NOT_INTERESTED => flag(Message::NotInterested),
        id::HAVE_ALL => flag(Message::HaveAll),
        id::HAVE_NONE => flag(Message::HaveNone),
        id::HAVE => piece().map(Message::Have),
        id::SUGGEST_PIECE => piece().map(Message::SuggestPiece),
        id::ALLOWED_FAST => piece().map(Message::AllowedFast),
        id::REQUEST => block().map(Message::Request),
        id::CANCEL => block().map(Message::Cancel),
        id::REJECT_REQUEST => block().map(Message::RejectRequest),
        id::BITFIELD => Ok(Message::Bitfield(frame.slice(LENGTH_PREFIX + 1..))),
        id::PORT => exactly(2).map(|()| Message::Port(u16::from_be_bytes([body[0], body[1]]))),
        id::PIECE => {
            if body.len() < 8 || body.len() > 8 + BLOCK_LEN as usize {
                return Err(bad_length);
            }
            let (piece, offset) = (PieceIndex(u32_at(body, 0)), u32_at(body, 4));
            Ok(Message::Piece { piece, offset, data: frame.slice(PIECE_HEADER_LEN..) })
        }
        id::EXTENDED => match body.first() {
            Some(&extended) => extension::decode(extended, frame.slice(LENGTH_PREFIX + 2..)),
            None => Err(bad_length),
        },
        id::HASH_REQUEST => exactly(HASH_REQUEST_LEN).and_then(|()| Ok(Message::HashRequest(hash_request(id, body)?))),
        id::HASH_REJECT => exactly(HASH_REQUEST_LEN).and_then(|()| Ok(Message::HashReject(hash_request(id, body)?))),
        id::HASHES => {
            let (header, hashes) = body.split_at_checked(HASH_REQUEST_LEN).ok_or(bad_length)?;
            let (hashes, rest) = hashes.as_chunks::<32>();
            if !rest.is_empty() || hashes.len() > (MAX_HASHES + MAX_PROOF_LAYERS) as usize {
                return Err(bad_length);
            }
            Ok(Message::Hashes { request: hash_request(id, header)?, hashes: hashes.to_vec() })
        }
        id => Ok(Message::Unknown { id, length: body.len() as u32 }),
    }
}

/// Reads the fields that the three hash messages share. What BEP 52 forbids is refused here, so that no code behind has
/// to think of overflow; a request that is merely more than we serve is for the serving side to reject. A length of one
/// passes: libtorrent asks so when a single hash is left over after chunks of 512.
fn hash_request(id: u8, body: &[u8]) -> Result<HashRequest, WireError> {
    let mut pieces_root = [0; 32];
    pieces_root.copy_from_slice(&body[..32]);
    let request = HashRequest {
        pieces_root,
        base_layer: u32_at(body, 32),
        index: u32_at(body, 36),
        length: u32_at(body, 40),
        proof_layers: u32_at(body, 44),
    };
    let forbidden = !request.length.is_power_of_two()
        || !request.index.is_multiple_of(request.length)
        || request.base_layer > MAX_PROOF_LAYERS
        || request.proof_layers > MAX_PROOF_LAYERS;
    if forbidden { Err(WireError::BadValue { id }) } else { Ok(request) }
}
