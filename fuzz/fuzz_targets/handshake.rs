//! The first bytes of a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use torrent_proto::wire::Handshake;

fuzz_target!(|bytes: [u8; Handshake::LEN]| {
    let Ok(handshake) = Handshake::decode(&bytes) else { return };
    assert!((0..=bytes.len()).all(|length| Handshake::may_begin(&bytes[..length])));
    assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
});
