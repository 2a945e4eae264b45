//! The codec: bytes as BEP 29 draws them, round trips, and every way to cut a packet short.

use proptest::prelude::*;

use super::*;

const HEADER: Header = Header {
    kind: Kind::Data,
    connection: 0x1234,
    timestamp_us: 0x0102_0304,
    timestamp_difference_us: 0x0506_0708,
    window: 0x0010_0000,
    seq: 0xfffe,
    ack: 0x0003,
};

/// The fields in the order and width of the drawing in BEP 29, "header format".
const GOLDEN: [u8; 20] = [0x01, 0, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8, 0x00, 0x10, 0x00, 0x00, 0xff, 0xfe, 0x00, 0x03];

fn encoded(header: Header, sack: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    header.encode(sack, &mut out);
    out.extend_from_slice(payload);
    out
}

#[test]
fn a_header_has_the_bytes_that_the_specification_draws() {
    assert_eq!(encoded(HEADER, &[], &[]), GOLDEN);
    for (kind, first) in
        [(Kind::Data, 0x01), (Kind::Fin, 0x11), (Kind::State, 0x21), (Kind::Reset, 0x31), (Kind::Syn, 0x41)]
    {
        let bytes = encoded(Header { kind, ..HEADER }, &[], &[]);
        assert_eq!((bytes[0], &bytes[1..]), (first, &GOLDEN[1..]));
        assert_eq!(Packet::decode(&bytes).unwrap().header.kind, kind);
    }
}

#[test]
fn a_selective_acknowledgement_counts_from_two_behind_the_gap_in_reverse_within_a_byte() {
    // BEP 29, "Selective ACK": the bits of the first byte are 9 8 … 3 2, those of the second 17 … 10.
    let mut bytes = encoded(HEADER, &[0b0000_0001, 0b1000_0000, 0, 0], b"payload");
    let packet = Packet::decode(&bytes).unwrap();
    let acked: Vec<usize> = (0..40).filter(|&distance| packet.is_acked(distance)).map(|d| d + 2).collect();
    assert_eq!((acked, packet.payload), (vec![2, 17], &b"payload"[..]));
    assert_eq!(bytes[20..22], [0, 4]);
    // The length is the sender's: one that is no multiple of four is read as well (libtorrent sends such).
    bytes[21] = 3;
    assert_eq!(Packet::decode(&bytes).unwrap().payload, b"\0payload");
}

#[test]
fn unknown_extensions_are_skipped_wherever_they_stand() {
    let mut bytes = GOLDEN.to_vec();
    bytes[1] = 2;
    // Extension bits (2) with eight bytes, as µTorrent sends them; 1; 3 with none; then the payload.
    bytes.extend_from_slice(&[1, 8, 9, 9, 9, 9, 9, 9, 9, 9]);
    bytes.extend_from_slice(&[3, 4, 1, 2, 3, 4]);
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(b"x");
    let packet = Packet::decode(&bytes).unwrap();
    assert_eq!((packet.sack, packet.payload), (&[1, 2, 3, 4][..], &b"x"[..]));
}

#[test]
fn what_is_cut_short_within_its_head_is_refused() {
    let whole = encoded(HEADER, &[1, 2, 3, 4], b"payload");
    for length in 0..whole.len() {
        assert_eq!(Packet::decode(&whole[..length]).is_some(), length >= 26, "{length}");
    }
}

#[test]
fn other_versions_types_and_protocols_are_refused() {
    for first in [0x00, 0x02, 0x51, 0x61, 0xf1, b'd'] {
        let mut bytes = GOLDEN;
        bytes[0] = first;
        assert!(Packet::decode(&bytes).is_none() && !is_utp(&bytes), "{first:x}");
    }
    assert!(is_utp(&GOLDEN) && !is_utp(&GOLDEN[..19]));
    assert!(!is_utp(b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t1:t1:y1:qe"));
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Data), Just(Kind::Fin), Just(Kind::State), Just(Kind::Reset), Just(Kind::Syn)]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        kind in kinds(), connection in any::<u16>(), timestamp_us in any::<u32>(),
        timestamp_difference_us in any::<u32>(), window in any::<u32>(), seq in any::<u16>(), ack in any::<u16>(),
        words in 0_usize..=63, byte in any::<u8>(), payload in any::<Vec<u8>>(),
    ) {
        let header = Header { kind, connection, timestamp_us, timestamp_difference_us, window, seq, ack };
        let sack = vec![byte; words * 4];
        let bytes = encoded(header, &sack, &payload);
        prop_assert_eq!(Packet::decode(&bytes), Some(Packet { header, sack: &sack, payload: &payload }));
        prop_assert!(is_utp(&bytes));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut data in any::<Vec<u8>>(), version in any::<bool>()) {
        if let (Some(first), true) = (data.first_mut(), version) {
            *first = *first & 0x70 | 1;
        }
        prop_assert!(Packet::decode(&data).is_none() || is_utp(&data));
    }
}

#[test]
fn padding_makes_a_packet_longer_and_says_nothing() {
    let header = Header {
        kind: Kind::Data,
        connection: 1,
        timestamp_us: 2,
        timestamp_difference_us: 3,
        window: 4,
        seq: 5,
        ack: 6,
    };
    for length in PADDING_LEN {
        let mut datagram = b"before".to_vec();
        header.encode(&[], &mut datagram);
        pad(&mut datagram, length);
        datagram.extend_from_slice(b"payload");
        let datagram = &datagram[6..];
        assert_eq!(datagram.len(), HEADER_LEN + length + 7);
        assert_eq!(Packet::decode(datagram), Some(Packet { header, sack: &[], payload: b"payload" }));
    }
}
