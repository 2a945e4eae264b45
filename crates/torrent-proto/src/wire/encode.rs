//! Writing one message.

use metainfo::{Block, PieceIndex};

use super::frame::{LENGTH_PREFIX, PIECE_HEADER_LEN, id};
use super::message::{ExtensionIds, HashRequest, Message};
use super::{extension, holepunch, pex};

/// Appends a message to `out`. `ids` are the ids under which the receiver takes extensions, from its own extension
/// handshake. Nothing is written for an extension that it does not take, nor for [`Message::Unknown`].
pub fn encode(message: &Message, ids: &ExtensionIds, out: &mut Vec<u8>) {
    match message {
        Message::KeepAlive => out.extend_from_slice(&[0; LENGTH_PREFIX]),
        Message::Choke => frame(out, id::CHOKE, &[]),
        Message::Unchoke => frame(out, id::UNCHOKE, &[]),
        Message::Interested => frame(out, id::INTERESTED, &[]),
        Message::NotInterested => frame(out, id::NOT_INTERESTED, &[]),
        Message::HaveAll => frame(out, id::HAVE_ALL, &[]),
        Message::HaveNone => frame(out, id::HAVE_NONE, &[]),
        Message::Have(piece) => frame(out, id::HAVE, &[&index(*piece)]),
        Message::SuggestPiece(piece) => frame(out, id::SUGGEST_PIECE, &[&index(*piece)]),
        Message::AllowedFast(piece) => frame(out, id::ALLOWED_FAST, &[&index(*piece)]),
        Message::Bitfield(bits) => frame(out, id::BITFIELD, &[bits]),
        Message::Request(block) => frame(out, id::REQUEST, &[&range(*block)]),
        Message::Cancel(block) => frame(out, id::CANCEL, &[&range(*block)]),
        Message::RejectRequest(block) => frame(out, id::REJECT_REQUEST, &[&range(*block)]),
        Message::Port(port) => frame(out, id::PORT, &[&port.to_be_bytes()]),
        Message::Piece { piece, offset, data } => {
            let block = Block { piece: *piece, offset: *offset, length: data.len() as u32 };
            out.extend_from_slice(&encode_piece_header(block));
            out.extend_from_slice(data);
        }
        Message::HashRequest(request) => frame(out, id::HASH_REQUEST, &[&hash_request(request)]),
        Message::HashReject(request) => frame(out, id::HASH_REJECT, &[&hash_request(request)]),
        Message::Hashes { request, hashes } => {
            frame(out, id::HASHES, &[&hash_request(request), hashes.as_flattened()]);
        }
        Message::ExtensionHandshake(handshake) => {
            frame(out, id::EXTENDED, &[&[extension::HANDSHAKE], &extension::encode_handshake(handshake)]);
        }
        Message::Metadata(message) if ids.metadata != 0 => {
            let (dictionary, data) = extension::encode_metadata(message);
            frame(out, id::EXTENDED, &[&[ids.metadata], &dictionary, data]);
        }
        Message::Pex(message) if ids.pex != 0 => frame(out, id::EXTENDED, &[&[ids.pex], &pex::encode(message)]),
        Message::Holepunch(message) if ids.holepunch != 0 => {
            frame(out, id::EXTENDED, &[&[ids.holepunch], &holepunch::encode(*message)]);
        }
        Message::UploadOnly(yes) if ids.upload_only != 0 => {
            frame(out, id::EXTENDED, &[&[ids.upload_only, u8::from(*yes)]]);
        }
        Message::DontHave(piece) if ids.dont_have != 0 => {
            frame(out, id::EXTENDED, &[&[ids.dont_have], &index(*piece)]);
        }
        Message::Metadata(_)
        | Message::Pex(_)
        | Message::Holepunch(_)
        | Message::UploadOnly(_)
        | Message::DontHave(_)
        | Message::Unknown { .. } => {}
    }
}

/// Returns what stands before the payload of a `Piece` message, so that the payload can be written from where it lies.
pub fn encode_piece_header(block: Block) -> [u8; PIECE_HEADER_LEN] {
    let mut out = [0; PIECE_HEADER_LEN];
    out[..4].copy_from_slice(&(block.length + 9).to_be_bytes());
    out[4] = id::PIECE;
    out[5..9].copy_from_slice(&index(block.piece));
    out[9..].copy_from_slice(&block.offset.to_be_bytes());
    out
}

/// Appends a frame whose body is the concatenation of `parts`.
fn frame(out: &mut Vec<u8>, id: u8, parts: &[&[u8]]) {
    let body: usize = parts.iter().map(|part| part.len()).sum();
    out.reserve(LENGTH_PREFIX + 1 + body);
    out.extend_from_slice(&(body as u32 + 1).to_be_bytes());
    out.push(id);
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn index(piece: PieceIndex) -> [u8; 4] {
    piece.0.to_be_bytes()
}

fn range(block: Block) -> [u8; 12] {
    let mut out = [0; 12];
    out[..4].copy_from_slice(&index(block.piece));
    out[4..8].copy_from_slice(&block.offset.to_be_bytes());
    out[8..].copy_from_slice(&block.length.to_be_bytes());
    out
}

fn hash_request(request: &HashRequest) -> [u8; 48] {
    let mut out = [0; 48];
    out[..32].copy_from_slice(&request.pieces_root);
    let numbers = [request.base_layer, request.index, request.length, request.proof_layers];
    for (field, number) in out[32..].chunks_exact_mut(4).zip(numbers) {
        field.copy_from_slice(&number.to_be_bytes());
    }
    out
}
