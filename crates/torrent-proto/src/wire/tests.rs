//! The codec against bytes written out from the specifications, and against itself.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use metainfo::{BLOCK_LEN, Block, InfoHashV1, PieceIndex};
use proptest::prelude::*;

use super::*;

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &LOCAL_IDS, &mut out);
    out
}

fn decoded(frame: &[u8]) -> Result<Message, WireError> {
    decode(Bytes::copy_from_slice(frame))
}

fn block(piece: u32, offset: u32, length: u32) -> Block {
    Block { piece: PieceIndex(piece), offset, length }
}

fn hash_request() -> HashRequest {
    HashRequest { pieces_root: [0xab; 32], base_layer: 2, index: 512, length: 256, proof_layers: 9 }
}

fn v4(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], port))
}

fn v6(last: u16, port: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], port))
}

/// Every kind of message beside its bytes.
fn golden() -> Vec<(Message, Vec<u8>)> {
    let hash_fields = [&[0xab; 32][..], &[0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 9]].concat();
    let extended = |id: u8, body: &[u8]| [&(body.len() as u32 + 2).to_be_bytes()[..], &[20, id], body].concat();
    vec![
        (Message::KeepAlive, vec![0, 0, 0, 0]),
        (Message::Choke, vec![0, 0, 0, 1, 0]),
        (Message::Unchoke, vec![0, 0, 0, 1, 1]),
        (Message::Interested, vec![0, 0, 0, 1, 2]),
        (Message::NotInterested, vec![0, 0, 0, 1, 3]),
        (Message::Have(PieceIndex(0x0102_0304)), vec![0, 0, 0, 5, 4, 1, 2, 3, 4]),
        (Message::Bitfield(Bytes::from_static(&[0xf0, 0x80])), vec![0, 0, 0, 3, 5, 0xf0, 0x80]),
        (Message::Request(block(1, 0x4000, 0x4000)), vec![0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0]),
        (
            Message::Piece { piece: PieceIndex(1), offset: 0x4000, data: Bytes::from_static(b"abc") },
            vec![0, 0, 0, 12, 7, 0, 0, 0, 1, 0, 0, 0x40, 0, b'a', b'b', b'c'],
        ),
        (Message::Cancel(block(1, 2, 3)), vec![0, 0, 0, 13, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        (Message::Port(6881), vec![0, 0, 0, 3, 9, 0x1a, 0xe1]),
        (Message::SuggestPiece(PieceIndex(7)), vec![0, 0, 0, 5, 13, 0, 0, 0, 7]),
        (Message::HaveAll, vec![0, 0, 0, 1, 14]),
        (Message::HaveNone, vec![0, 0, 0, 1, 15]),
        (Message::RejectRequest(block(1, 2, 3)), vec![0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        (Message::AllowedFast(PieceIndex(7)), vec![0, 0, 0, 5, 17, 0, 0, 0, 7]),
        (Message::HashRequest(hash_request()), [&[0, 0, 0, 49, 21][..], &hash_fields].concat()),
        (
            Message::Hashes { request: hash_request(), hashes: vec![[1; 32], [2; 32]] },
            [&[0, 0, 0, 113, 22][..], &hash_fields, &[1; 32], &[2; 32]].concat(),
        ),
        (Message::HashReject(hash_request()), [&[0, 0, 0, 49, 23][..], &hash_fields].concat()),
        (
            Message::Metadata(MetadataMessage::Request { piece: 0 }),
            extended(LOCAL_IDS.metadata, b"d8:msg_typei0e5:piecei0ee"),
        ),
        (
            Message::Metadata(MetadataMessage::Data {
                piece: 0,
                total_size: 34256,
                data: Bytes::from_static(b"xxxxxxxx"),
            }),
            extended(LOCAL_IDS.metadata, b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx"),
        ),
        (
            Message::Metadata(MetadataMessage::Reject { piece: 0 }),
            extended(LOCAL_IDS.metadata, b"d8:msg_typei2e5:piecei0ee"),
        ),
        (Message::UploadOnly(true), extended(LOCAL_IDS.upload_only, &[1])),
        (Message::DontHave(PieceIndex(7)), extended(LOCAL_IDS.dont_have, &[0, 0, 0, 7])),
        // No vectors in BEP 11 and BEP 55: written out by hand from their tables.
        (
            Message::Pex(Box::new(PexMessage {
                added: vec![
                    PexPeer { address: v4(1, 6881), flags: PexFlags::OUTGOING },
                    PexPeer { address: v4(2, 0x0102), flags: PexFlags::SEED.with(PexFlags::UTP, true) },
                    PexPeer { address: v6(3, 0xffff), flags: PexFlags::HOLEPUNCH.with(PexFlags::UTP, false) },
                ],
                dropped: vec![v4(4, 1), v6(5, 2)],
            })),
            extended(
                LOCAL_IDS.pex,
                &[
                    &b"d5:added12:\xc0\0\x02\x01\x1a\xe1\xc0\0\x02\x02\x01\x027:added.f2:\x10\x06"[..],
                    b"6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x03\xff\xff8:added6.f1:\x08",
                    b"7:dropped6:\xc0\0\x02\x04\0\x01",
                    b"8:dropped618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\0\x02e",
                ]
                .concat(),
            ),
        ),
        (Message::Pex(Box::default()), extended(LOCAL_IDS.pex, b"de")),
        (
            Message::Holepunch(HolepunchMessage::Rendezvous(v4(7, 6881))),
            extended(LOCAL_IDS.holepunch, b"\0\0\xc0\0\x02\x07\x1a\xe1\0\0\0\0"),
        ),
        (
            Message::Holepunch(HolepunchMessage::Connect(v6(7, 6881))),
            extended(LOCAL_IDS.holepunch, b"\x01\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe1\0\0\0\0"),
        ),
        (
            Message::Holepunch(HolepunchMessage::Error(v4(7, 6881), HolepunchError::NoSupport)),
            extended(LOCAL_IDS.holepunch, b"\x02\0\xc0\0\x02\x07\x1a\xe1\0\0\0\x03"),
        ),
        (
            Message::ExtensionHandshake(Box::new(ExtensionHandshake {
                ids: ExtensionIds { metadata: 3, ..ExtensionIds::default() },
                metadata_size: Some(31235),
                ..ExtensionHandshake::default()
            })),
            // The example of BEP 9.
            extended(0, b"d1:md11:ut_metadatai3ee13:metadata_sizei31235ee"),
        ),
    ]
}

#[test]
fn every_message_has_the_bytes_of_its_specification() {
    for (message, bytes) in golden() {
        assert_eq!(encoded(&message), bytes, "{message:?}");
        assert_eq!(decoded(&bytes).as_ref(), Ok(&message));
    }
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_messages() {
    let (messages, parts): (Vec<_>, Vec<_>) = golden().into_iter().unzip();
    let stream = parts.concat();
    for cut in 0..=stream.len() {
        let mut buffer = BytesMut::new();
        let mut read = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            buffer.extend_from_slice(part);
            while let Some(length) = split_frame(&buffer).unwrap() {
                read.push(decode(buffer.split_to(length).freeze()).unwrap());
            }
        }
        assert!(buffer.is_empty());
        assert_eq!(read, messages, "cut at {cut}");
    }
}

#[test]
fn a_frames_length_is_known_once_its_id_is() {
    let (message, frame) = golden().into_iter().find(|(m, _)| matches!(m, Message::Piece { .. })).unwrap();
    for known in 0..frame.len() {
        let length = frame_len(&frame[..known]).unwrap();
        assert_eq!(length, (known > LENGTH_PREFIX).then_some(frame.len()));
        assert_eq!(split_frame(&frame[..known]), Ok(None));
        assert_eq!(piece_header(&frame[..known]), (known >= PIECE_HEADER_LEN).then_some(block(1, 0x4000, 3)));
    }
    let Message::Piece { data, .. } = message else { unreachable!() };
    assert_eq!([&encode_piece_header(block(1, 0x4000, 3))[..], &data].concat(), frame);
    let request = golden().into_iter().find(|(m, _)| matches!(m, Message::Request(_))).unwrap().1;
    assert_eq!(piece_header(&request), None, "a request carries no payload");
}

#[test]
fn payloads_are_not_copied() {
    for (message, frame) in golden() {
        let frame = Bytes::from(frame);
        let within = |part: &Bytes| frame.as_ptr_range().contains(&part.as_ptr());
        match decode(frame.clone()).unwrap() {
            Message::Bitfield(data) | Message::Piece { data, .. } => assert!(within(&data), "{message:?}"),
            Message::Metadata(MetadataMessage::Data { data, .. }) => assert!(within(&data), "{message:?}"),
            _ => {}
        }
    }
}

#[test]
fn lengths_beyond_a_kinds_limit_are_refused_before_the_body_arrives() {
    let limits = [
        (0, 1),
        (4, 5),
        (5, MAX_BITFIELD_LEN + 1),
        (6, 13),
        (7, 9 + BLOCK_LEN),
        (9, 3),
        (14, 1),
        (20, MAX_EXTENDED_LEN + 1),
        (21, 49),
        (22, 49 + 32 * (MAX_HASHES + MAX_PROOF_LAYERS)),
        (99, MAX_EXTENDED_LEN + 1),
    ];
    for (id, longest) in limits {
        let header = |length: u32| [&length.to_be_bytes()[..], &[id]].concat();
        assert_eq!(frame_len(&header(longest)), Ok(Some(LENGTH_PREFIX + longest as usize)), "message {id}");
        let length = longest + 1;
        assert_eq!(frame_len(&header(length)), Err(WireError::TooLong { id, length }));
        assert!(LENGTH_PREFIX + longest as usize <= MAX_FRAME_LEN);
    }
    assert!(frame_len(&[0xff, 0xff, 0xff, 0xff, 7]).is_err());
}

#[test]
fn malformed_messages_are_refused_each_for_its_reason() {
    let frame = |body: &[u8]| [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let hash_request = |fields: [u32; 4]| {
        let numbers: Vec<u8> = fields.iter().flat_map(|field| field.to_be_bytes()).collect();
        frame(&[&[21][..], &[0; 32], &numbers].concat())
    };
    let bad_length = |id, length| WireError::BadLength { id, length };
    let table = [
        (frame(&[0, 0]), bad_length(0, 2)),
        (frame(&[4, 0, 0, 0]), bad_length(4, 4)),
        (frame(&[6, 0, 0, 0, 0, 0, 0, 0, 0]), bad_length(6, 9)),
        (frame(&[7, 0, 0, 0, 0, 0, 0, 0]), bad_length(7, 8)),
        (frame(&[&[7][..], &[0; 8], &[0; BLOCK_LEN as usize + 1]].concat()), bad_length(7, 9 + BLOCK_LEN + 1)),
        (frame(&[9, 0]), bad_length(9, 2)),
        (frame(&[20]), bad_length(20, 1)),
        (frame(&[20, 0]), WireError::BadDictionary),
        (frame(b"\x14\x00i1e"), WireError::BadDictionary),
        (frame(b"\x14\x00d1:m"), WireError::BadDictionary),
        (frame(b"\x14\x02d5:piecei0ee"), WireError::BadDictionary),
        (frame(b"\x14\x02d8:msg_typei0e5:piecei-1ee"), WireError::BadDictionary),
        (frame(b"\x14\x02d8:msg_typei1e5:piecei0eexx"), WireError::BadDictionary),
        (frame(b"\x14\x03"), bad_length(20, 2)),
        (frame(b"\x14\x05\0\0"), bad_length(20, 4)),
        (frame(&[21, 0]), bad_length(21, 2)),
        (frame(&[&[22][..], &[0; 47]].concat()), bad_length(22, 48)),
        (hash_request([0, 0, 0, 0]), WireError::BadValue { id: 21 }),
        (hash_request([0, 0, 3, 0]), WireError::BadValue { id: 21 }),
        (hash_request([0, 1, 2, 0]), WireError::BadValue { id: 21 }),
        (hash_request([64, 0, 2, 0]), WireError::BadValue { id: 21 }),
        (hash_request([0, 0, 2, 64]), WireError::BadValue { id: 21 }),
    ];
    for (frame, error) in table {
        assert_eq!(decoded(&frame), Err(error), "{}", frame[..frame.len().min(40)].escape_ascii());
        assert!(!error.to_string().is_empty() && !error.kind().is_empty());
    }
}

#[test]
fn a_hash_request_for_a_single_last_hash_is_read() {
    // libtorrent asks so for the last of 513 pieces, although BEP 52 asks for at least two.
    let request = HashRequest { length: 1, index: 512, ..hash_request() };
    assert_eq!(decoded(&encoded(&Message::HashRequest(request))), Ok(Message::HashRequest(request)));
}

#[test]
fn what_we_do_not_know_is_passed_over() {
    assert_eq!(decoded(&[0, 0, 0, 3, 99, 1, 2]), Ok(Message::Unknown { id: 99, length: 2 }));
    assert_eq!(decoded(&[0, 0, 0, 3, 20, 200, 2]), Ok(Message::Unknown { id: 20, length: 2 }));
    let strange_metadata = b"\0\0\0\x1b\x14\x02d8:msg_typei9e5:piecei0ee";
    assert!(matches!(decoded(strange_metadata), Ok(Message::Unknown { id: 20, .. })));
    assert!(encoded(&Message::Unknown { id: 99, length: 2 }).is_empty());
}

#[test]
fn an_extension_the_receiver_does_not_take_is_not_sent() {
    let mut out = Vec::new();
    for message in [
        Message::Metadata(MetadataMessage::Request { piece: 0 }),
        Message::Pex(Box::default()),
        Message::Holepunch(HolepunchMessage::Rendezvous(SocketAddr::from(([192, 0, 2, 1], 1)))),
        Message::UploadOnly(true),
        Message::DontHave(PieceIndex(0)),
    ] {
        encode(&message, &ExtensionIds::default(), &mut out);
    }
    assert!(out.is_empty());
}

#[test]
fn an_extension_handshake_is_read_leniently() {
    // Keys out of order, values of other types, unknown names, a name too long and with an escape sequence in it,
    // numbers out of range, something behind the end.
    let body = [
        &b"d4:reqqi500e1:md11:lt_donthavei7e11:ut_metadatai300e6:ut_pexi1ee1:pi70000e1:v90:\x1b[31m"[..],
        &[b'x'; 85],
        b"13:metadata_size3:big11:upload_onlyi1e6:yourip4:\x01\x02\x03\x04eTAIL",
    ]
    .concat();
    let frame = [&(body.len() as u32 + 2).to_be_bytes()[..], &[20, 0], &body].concat();
    let Ok(Message::ExtensionHandshake(handshake)) = decoded(&frame) else { panic!("not read") };
    assert_eq!(handshake.ids, ExtensionIds { pex: 1, dont_have: 7, ..ExtensionIds::default() });
    let client = handshake.client.unwrap();
    assert_eq!(client.chars().count(), MAX_CLIENT_NAME);
    assert!(!client.chars().any(char::is_control));
    assert_eq!((handshake.port, handshake.metadata_size, handshake.request_queue), (None, None, Some(500)));
    assert_eq!(handshake.your_ip, Some(IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4))));
    assert!(handshake.upload_only);
}

#[test]
fn the_example_of_bep_10_is_read() {
    // Its name counts the µ of µT_PEX as one byte, as in Latin-1; the client's name is UTF-8.
    let body = b"d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let frame = [&(body.len() as u32 + 2).to_be_bytes()[..], &[20, 0], body].concat();
    let Ok(Message::ExtensionHandshake(handshake)) = decoded(&frame) else { panic!("not read") };
    let expected = ExtensionHandshake {
        client: Some("µTorrent 1.2".to_owned()),
        port: Some(6881),
        ..ExtensionHandshake::default()
    };
    assert_eq!(*handshake, expected);
}

#[test]
fn a_full_extension_handshake_survives_the_way() {
    for your_ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let handshake = Message::ExtensionHandshake(Box::new(ExtensionHandshake {
            ids: LOCAL_IDS,
            client: Some("Compeer 0.1 µ".to_owned()),
            port: Some(6881),
            request_queue: Some(500),
            metadata_size: Some(1),
            your_ip: Some(your_ip),
            upload_only: true,
            prefers_encryption: true,
        }));
        assert_eq!(decoded(&encoded(&handshake)), Ok(handshake));
    }
}

#[test]
fn the_handshake_has_the_bytes_of_its_specification() {
    let alice = Handshake {
        reserved: Reserved { extension: true, fast: true, dht: true, v2: true },
        info_hash: InfoHashV1([0x11; 20]),
        peer_id: PeerId(*b"-CP0001-abcdefghijkl"),
    };
    let bytes =
        [b"\x13BitTorrent protocol".as_slice(), &[0, 0, 0, 0, 0, 0x10, 0, 0x15], &[0x11; 20], b"-CP0001-abcdefghijkl"]
            .concat();
    assert_eq!(alice.encode().as_slice(), bytes);
    let bytes: [u8; 68] = bytes.try_into().unwrap();
    assert_eq!(Handshake::decode(&bytes), Ok(alice));
    assert_eq!(Handshake::decode_head(bytes.first_chunk().unwrap()), Ok((alice.reserved, alice.info_hash)));

    for length in 0..=68 {
        assert!(Handshake::may_begin(&bytes[..length]));
    }
    let mut http = bytes;
    http[..5].copy_from_slice(b"GET /");
    assert!(!Handshake::may_begin(&http[..1]));
    assert_eq!(Handshake::decode(&http), Err(WireError::NotBitTorrent));
}

#[test]
fn each_reserved_bit_stands_where_its_bep_says() {
    let none = Reserved::default();
    let table = [
        (Reserved { extension: true, ..none }, 5, 0x10),
        (Reserved { fast: true, ..none }, 7, 0x04),
        (Reserved { dht: true, ..none }, 7, 0x01),
        (Reserved { v2: true, ..none }, 7, 0x10),
    ];
    for (reserved, byte, bit) in table {
        let mut bytes = [0; 8];
        bytes[byte] = bit;
        assert_eq!(reserved.to_bytes(), bytes);
        assert_eq!(Reserved::from_bytes(bytes), reserved);
    }
    assert_eq!(Reserved::from_bytes([0x80, 0, 0, 0, 0, 0, 0, 0x08]), none, "bits we do not know");
}

#[test]
fn peer_exchange_keeps_only_what_can_be_dialled_and_not_too_much_of_it() {
    let pex = |body: &[u8]| {
        let frame = [&(body.len() as u32 + 2).to_be_bytes()[..], &[20, LOCAL_IDS.pex], body].concat();
        decoded(&frame)
    };
    // Port 0, nowhere, a multicast group, and a last address cut short; no flags; IPv4 as IPv6; another type.
    let odd = pex(b"d5:added27:\x01\x02\x03\x04\0\0\0\0\0\0\0\x01\xe0\0\0\x01\0\x01\x01\x02\x03\x04\0\x07\x01\x02\x03\
        6:added618:\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04\0\x077:droppedi5ee");
    let only = PexPeer { address: "1.2.3.4:7".parse().unwrap(), flags: PexFlags::default() };
    assert_eq!(odd, Ok(Message::Pex(Box::new(PexMessage { added: vec![only], dropped: vec![] }))));

    let many: Vec<u8> = (1_u16..=1000).flat_map(|port| [&[1, 2, 3, 4][..], &port.to_be_bytes()].concat()).collect();
    let many = [format!("d5:added{}:", many.len()).as_bytes(), &many, b"e"].concat();
    let Ok(Message::Pex(many)) = pex(&many) else { panic!("it is well formed") };
    assert_eq!(many.added.len(), MAX_PEX);
    assert_eq!(pex(b"le"), Err(WireError::BadDictionary));
}

#[test]
fn hole_punching_passes_over_what_it_does_not_know() {
    let read = |body: &[u8]| {
        let frame = [&(body.len() as u32 + 2).to_be_bytes()[..], &[20, LOCAL_IDS.holepunch], body].concat();
        decoded(&frame)
    };
    // As libtorrent sends it, without the code that would say nothing.
    let connect = Message::Holepunch(HolepunchMessage::Connect(v4(7, 6881)));
    assert_eq!(read(b"\x01\0\xc0\0\x02\x07\x1a\xe1"), Ok(connect));
    for odd in [&b"\x03\0\xc0\0\x02\x07\x1a\xe1\0\0\0\0"[..], b"\0\x02xxxxxx", b"\0\0\xc0\0\x02\x07\0\0\0\0\0\0"] {
        assert!(matches!(read(odd), Ok(Message::Unknown { id: 20, .. })), "{odd:?}");
    }
    for short in [&b""[..], b"\0", b"\0\0\xc0\0\x02\x07\x1a", b"\0\x01\xc0\0\x02\x07\x1a\xe1"] {
        assert!(matches!(read(short), Err(WireError::BadLength { .. })), "{short:?}");
    }
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<[u8; 3]>(), 1_u16..).prop_map(|([a, b, c], port)| SocketAddr::from(([10, a, b, c], port))),
        (any::<[u8; 15]>(), 1_u16..).prop_map(|(rest, port)| {
            let mut ip = [0x20; 16];
            ip[1..].copy_from_slice(&rest);
            SocketAddr::from((ip, port))
        }),
    ]
}

fn any_pex() -> impl Strategy<Value = PexMessage> {
    let added = (any_address(), any::<u8>()).prop_map(|(address, flags)| PexPeer { address, flags: PexFlags(flags) });
    let added = proptest::collection::vec(added, 0..MAX_PEX);
    (added, proptest::collection::vec(any_address(), 0..MAX_PEX)).prop_map(|(mut added, mut dropped)| {
        added.sort_by_key(|peer| peer.address.is_ipv6());
        dropped.sort_by_key(SocketAddr::is_ipv6);
        PexMessage { added, dropped }
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let bytes = |max: usize| proptest::collection::vec(any::<u8>(), 0..max).prop_map(Bytes::from);
    let piece = || any::<u32>().prop_map(PieceIndex);
    let block = || any::<(u32, u32, u32)>().prop_map(|(p, o, l)| super::tests::block(p, o, l));
    let hash_request = || {
        (any::<[u8; 32]>(), 0..=MAX_PROOF_LAYERS, 0_u32..4096, 0_u32..10, 0..=MAX_PROOF_LAYERS).prop_map(
            |(pieces_root, base_layer, chunk, height, proof_layers)| {
                let length = 1 << height;
                HashRequest { pieces_root, base_layer, index: chunk * length, length, proof_layers }
            },
        )
    };
    let hashes = proptest::collection::vec(any::<[u8; 32]>(), 0..40);
    prop_oneof![
        piece().prop_map(Message::Have),
        bytes(300).prop_map(Message::Bitfield),
        block().prop_map(Message::Request),
        (piece(), any::<u32>(), bytes(500)).prop_map(|(piece, offset, data)| Message::Piece { piece, offset, data }),
        block().prop_map(Message::Cancel),
        any::<u16>().prop_map(Message::Port),
        block().prop_map(Message::RejectRequest),
        hash_request().prop_map(Message::HashRequest),
        (hash_request(), hashes).prop_map(|(request, hashes)| Message::Hashes { request, hashes }),
        (any::<u32>(), any::<u32>(), bytes(500))
            .prop_map(|(piece, total_size, data)| MetadataMessage::Data { piece, total_size, data })
            .prop_map(Message::Metadata),
        any_pex().prop_map(|message| Message::Pex(Box::new(message))),
        any_address().prop_map(HolepunchMessage::Rendezvous).prop_map(Message::Holepunch),
        (any_address(), 5_u32..)
            .prop_map(|(address, code)| HolepunchMessage::Error(address, HolepunchError::Other(code)))
            .prop_map(Message::Holepunch),
        any::<bool>().prop_map(Message::UploadOnly),
        piece().prop_map(Message::DontHave),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_again(messages in proptest::collection::vec(any_message(), 0..8)) {
        let mut stream = BytesMut::from(messages.iter().flat_map(encoded).collect::<Vec<u8>>().as_slice());
        for message in messages {
            let length = split_frame(&stream).unwrap().unwrap();
            prop_assert_eq!(decode(stream.split_to(length).freeze()).unwrap(), message);
        }
        prop_assert!(stream.is_empty());
    }
}
