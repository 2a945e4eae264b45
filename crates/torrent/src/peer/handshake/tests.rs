//! Alice dials Bob.

use super::*;
use metainfo::InfoHashV2;
use tokio::net::{TcpListener, TcpStream};
use torrent_proto::wire::mse::obfuscated_name;

use crate::types::PeerEncryption;

const V1: InfoHashV1 = InfoHashV1([1; 20]);
const V2: InfoHashV2 = InfoHashV2([2; 32]);
const ALICE: Ours = Ours { peer_id: PeerId(*b"-CO0001-alicealiceal"), dht: false };
const BOB: Ours = Ours { peer_id: PeerId(*b"-CO0001-bobbobbobbob"), dht: false };

async fn pair() -> (Stream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = TcpStream::connect(listener.local_addr().unwrap());
    let (dialled, accepted) = tokio::join!(dial, listener.accept());
    (Stream::tcp(dialled.unwrap()), Stream::tcp(accepted.unwrap().0))
}

/// Bob, who has one torrent.
async fn bob(
    stream: Stream,
    has: InfoHashes,
    encryption: Encryption,
) -> Result<(Met, Channel, &'static str), HandshakeError> {
    let find = |name| has.wire().any(|n| n == name).then_some((has, "found"));
    let find_hidden = |hidden| has.wire().find(|&name| obfuscated_name(name) == hidden);
    accepted(stream, BOB, encryption, find, find_hidden).await
}

#[tokio::test]
async fn two_ends_of_a_hybrid_meet_under_its_v2_name() {
    let hybrid = InfoHashes::hybrid(V1, V2);
    for opening in [Opening::Plain, Opening::Encrypted(Methods::BOTH), Opening::Encrypted(Methods::RC4)] {
        let (alice, bobs) = pair().await;
        let (alices, bobs) =
            tokio::join!(dialled(alice, hybrid, V1, ALICE, opening), bob(bobs, hybrid, Encryption::Prefer));
        let ((met_bob, to_bob), (met_alice, to_alice, found)) = (alices.unwrap(), bobs.unwrap());
        assert_eq!((met_bob.peer_id, met_alice.peer_id, found), (BOB.peer_id, ALICE.peer_id, "found"));
        assert_eq!((met_bob.info_hash, met_alice.info_hash), (V2.truncated(), V2.truncated()));
        assert!(met_bob.reserved.fast && met_bob.reserved.extension);
        let expected = match opening {
            Opening::Plain => PeerEncryption::None,
            Opening::Encrypted(Methods::BOTH) => PeerEncryption::Handshake,
            Opening::Encrypted(_) => PeerEncryption::Rc4,
        };
        assert_eq!((to_bob.encryption(), to_alice.encryption()), (expected, expected));
    }
}

/// What Bob allows, by what Alice begins with.
#[tokio::test]
async fn each_policy_lets_in_what_it_says() {
    use PeerEncryption::{Handshake as Hidden, None as Clear, Rc4};
    let only = InfoHashes::v1_only(V1);
    let plaintext = Methods { plaintext: true, rc4: false };
    let openings = [
        Opening::Plain,
        Opening::Encrypted(plaintext),
        Opening::Encrypted(Methods::BOTH),
        Opening::Encrypted(Methods::RC4),
    ];
    for (policy, expected) in [
        (Encryption::Prefer, [Some(Clear), Some(Hidden), Some(Hidden), Some(Rc4)]),
        (Encryption::Require, [None, None, Some(Rc4), Some(Rc4)]),
        (Encryption::Off, [Some(Clear), None, None, None]),
    ] {
        for (opening, expected) in openings.into_iter().zip(expected) {
            let (alice, bobs) = pair().await;
            let alice = dialled(alice, only, V1, ALICE, opening);
            let (alices, bobs) = tokio::join!(alice, bob(bobs, only, policy));
            let (alices, bobs) = (alices.map(|(_, c)| c.encryption()), bobs.map(|(_, c, _)| c.encryption()));
            assert_eq!(bobs.as_ref().ok(), expected.as_ref(), "{policy:?}, {opening:?}: {bobs:?}");
            assert_eq!(alices.as_ref().ok(), expected.as_ref(), "{policy:?}, {opening:?}: {alices:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_torrent_and_a_foreign_protocol_are_turned_away() {
    let (only, other) = (InfoHashes::v1_only(V1), InfoHashes::v1_only(V2.truncated()));
    for opening in [Opening::Plain, Opening::Encrypted(Methods::BOTH)] {
        let (alice, bobs) = pair().await;
        let (alices, bobs) =
            tokio::join!(dialled(alice, only, V1, ALICE, opening), bob(bobs, other, Encryption::Prefer));
        let bobs = bobs.unwrap_err();
        assert!(
            matches!(bobs, HandshakeError::UnknownTorrent | HandshakeError::Encrypted(MseError::UnknownTorrent)),
            "{bobs:?}"
        );
        assert!(matches!(alices, Err(HandshakeError::Failed(_))));
    }

    let (mut alice, bobs) = pair().await;
    alice.write_all(b"GET / HTTP/1.1").await.unwrap();
    let end = bob(bobs, only, Encryption::Off).await;
    assert!(matches!(end, Err(HandshakeError::Wire(WireError::NotBitTorrent))), "{end:?}");

    // Where encryption is allowed it may be the beginning of a key, and is refused once it cannot be any more.
    let (mut alice, bobs) = pair().await;
    alice.write_all(&[b'G'; 2000]).await.unwrap();
    let end = bob(bobs, only, Encryption::Prefer).await;
    assert!(matches!(end, Err(HandshakeError::Encrypted(MseError::NoSync))), "{end:?}");
}

/// Alice shows that she knows one torrent and then asks for another.
#[tokio::test]
async fn the_name_behind_the_encryption_is_of_the_same_torrent() {
    let hybrid = InfoHashes::hybrid(V1, V2);
    let (alice, bobs) = pair().await;
    let find = |name| Some((InfoHashes::v1_only(name), ()));
    let find_hidden = |hidden| hybrid.wire().find(|&name| obfuscated_name(name) == hidden);
    let handshake = Handshake { reserved: RESERVED, info_hash: V2.truncated(), peer_id: ALICE.peer_id }.encode();
    let (_, end) = tokio::join!(
        encrypted::open(alice, V1, Methods::BOTH, &handshake),
        accepted(bobs, BOB, Encryption::Prefer, find, find_hidden)
    );
    assert!(matches!(end, Err(HandshakeError::OtherTorrent)), "{end:?}");
}

/// What Alice says behind her handshake at once is there when the handshakes are over.
#[tokio::test]
async fn what_is_said_behind_the_handshake_is_not_lost() {
    let only = InfoHashes::v1_only(V1);
    for methods in [Methods::BOTH, Methods::RC4] {
        let (alice, bobs) = pair().await;
        let hello = Handshake { reserved: RESERVED, info_hash: V1, peer_id: ALICE.peer_id }.encode();
        let payload = [&hello[..], b"and more"].concat();
        let alices = async {
            let mut channel = encrypted::open(alice, V1, methods, &payload).await.unwrap();
            channel.write_all(b", and the rest").await.unwrap();
            channel
        };
        let (mut alices, bobs) = tokio::join!(alices, bob(bobs, only, Encryption::Prefer));
        let (_, mut bobs, _) = bobs.unwrap();
        let mut said = [0; 22];
        bobs.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"and more, and the rest");
        let mut answer = [0; Handshake::LEN];
        alices.read_exact(&mut answer).await.unwrap();
        assert_eq!(Handshake::decode(&answer).unwrap().peer_id, BOB.peer_id);
    }
}

#[tokio::test]
async fn who_dials_and_says_nothing_is_not_waited_for_as_long_as_a_slow_handshake() {
    let (_mallory, bobs) = pair().await;
    let silent = bob(bobs, InfoHashes::v1_only(V1), Encryption::Prefer);
    let ended = tokio::time::timeout(HANDSHAKE_TIMEOUT / 2, silent).await;
    assert!(matches!(ended, Ok(Err(HandshakeError::TimedOut))), "it holds a place for others");
}
