//! The handshake of BEP 3, both ways, over a connected stream.

use std::io;
use std::time::Duration;

use metainfo::{InfoHashV1, InfoHashes};
use net::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use torrent_proto::wire::{Handshake, PROTOCOL, PeerId, Reserved, WireError};

/// How long both handshakes may take together. Arbitrary; a few round trips of a bad link.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// What is offered in every handshake.
const RESERVED: Reserved = Reserved { extension: true, fast: true, dht: false, v2: false };

/// Why no connection came of a handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the peer answered for another torrent")]
    OtherTorrent,
    #[error("the peer asked for a torrent that is not here")]
    UnknownTorrent,
    #[error("the handshake took too long")]
    TimedOut,
}

/// What the remote end said.
#[derive(Debug)]
pub(crate) struct Met {
    /// The name under which the two met.
    pub info_hash: InfoHashV1,
    pub reserved: Reserved,
    pub peer_id: PeerId,
}

/// Speaks first. A hybrid is offered under its v1 name with the bit that invites the peer to answer with the v2 name
/// (BEP 52, "Upgrade path").
pub(crate) async fn dialled(
    stream: &mut Stream,
    hashes: InfoHashes,
    offer: InfoHashV1,
    ours: PeerId,
) -> Result<Met, HandshakeError> {
    let work = async {
        let handshake = Handshake { reserved: reserved_for(&hashes), info_hash: offer, peer_id: ours };
        stream.write_all(&handshake.encode()).await?;
        let mut answer = [0; Handshake::LEN];
        read_checked(stream, &mut answer).await?;
        let met = Handshake::decode(&answer)?;
        if !hashes.wire().any(|hash| hash == met.info_hash) {
            return Err(HandshakeError::OtherTorrent);
        }
        Ok(Met { info_hash: met.info_hash, reserved: met.reserved, peer_id: met.peer_id })
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, work).await.unwrap_or(Err(HandshakeError::TimedOut))
}

/// Answers; `find` says which torrent is meant. Our half goes out as soon as the info-hash is there, since some peers
/// keep their id until then.
pub(crate) async fn accepted<T>(
    stream: &mut Stream,
    ours: PeerId,
    find: impl FnOnce(InfoHashV1) -> Option<(InfoHashes, T)>,
) -> Result<(Met, T), HandshakeError> {
    let work = async {
        let mut head = [0; Handshake::HEAD_LEN];
        read_checked(stream, &mut head).await?;
        let (reserved, asked) = Handshake::decode_head(&head)?;
        let (hashes, found) = find(asked).ok_or(HandshakeError::UnknownTorrent)?;
        // A hybrid's peer that speaks v2 is met under the v2 name, whichever it dialled.
        let info_hash = match hashes.v2().filter(|_| reserved.v2) {
            Some(v2) => v2.truncated(),
            None => asked,
        };
        let answer = Handshake { reserved: reserved_for(&hashes), info_hash, peer_id: ours };
        stream.write_all(&answer.encode()).await?;
        let mut id = [0; Handshake::LEN - Handshake::HEAD_LEN];
        stream.read_exact(&mut id).await?;
        Ok((Met { info_hash, reserved, peer_id: PeerId(id) }, found))
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, work).await.unwrap_or(Err(HandshakeError::TimedOut))
}

fn reserved_for(hashes: &InfoHashes) -> Reserved {
    Reserved { v2: hashes.v1().is_some() && hashes.v2().is_some(), ..RESERVED }
}

/// Fills `bytes`, but gives up as soon as they cannot be a handshake: an encrypted or foreign stream would otherwise
/// keep us waiting.
async fn read_checked(stream: &mut Stream, bytes: &mut [u8]) -> Result<(), HandshakeError> {
    let mut filled = 0;
    while filled < bytes.len() {
        let read = stream.read(&mut bytes[filled..]).await?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        filled += read;
        if !Handshake::may_begin(&bytes[..filled.min(PROTOCOL.len())]) {
            return Err(WireError::NotBitTorrent.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::InfoHashV2;
    use tokio::net::{TcpListener, TcpStream};

    const V1: InfoHashV1 = InfoHashV1([1; 20]);
    const V2: InfoHashV2 = InfoHashV2([2; 32]);
    const ALICE: PeerId = PeerId(*b"-CO0001-alicealiceal");
    const BOB: PeerId = PeerId(*b"-CO0001-bobbobbobbob");

    async fn pair() -> (Stream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dial = TcpStream::connect(listener.local_addr().unwrap());
        let (dialled, accepted) = tokio::join!(dial, listener.accept());
        (Stream::tcp(dialled.unwrap()), Stream::tcp(accepted.unwrap().0))
    }

    #[tokio::test]
    async fn two_ends_of_a_hybrid_meet_under_its_v2_name() {
        let hybrid = InfoHashes::hybrid(V1, V2);
        let (mut alice, mut bob) = pair().await;
        let find = |hash| (hash == V1).then_some((hybrid, "found"));
        let (met_bob, met_alice) = tokio::join!(dialled(&mut alice, hybrid, V1, ALICE), accepted(&mut bob, BOB, find));
        let (met_bob, (met_alice, found)) = (met_bob.unwrap(), met_alice.unwrap());
        assert_eq!((met_bob.peer_id, met_alice.peer_id, found), (BOB, ALICE, "found"));
        assert_eq!((met_bob.info_hash, met_alice.info_hash), (V2.truncated(), V2.truncated()));
        assert!(met_bob.reserved.fast && met_bob.reserved.extension);
    }

    #[tokio::test]
    async fn an_unknown_torrent_and_a_foreign_protocol_are_turned_away() {
        let (mut alice, mut bob) = pair().await;
        let only = InfoHashes::v1_only(V1);
        let (alice_end, bob_end) = tokio::join!(
            async {
                let end = dialled(&mut alice, only, V1, ALICE).await;
                drop(alice);
                end
            },
            async move {
                let end = accepted(&mut bob, BOB, |_| None::<(InfoHashes, ())>).await;
                drop(bob);
                end
            }
        );
        assert!(matches!(bob_end, Err(HandshakeError::UnknownTorrent)));
        assert!(matches!(alice_end, Err(HandshakeError::Failed(_))));

        let (mut alice, mut bob) = pair().await;
        alice.write_all(b"GET / HTTP/1.1").await.unwrap();
        let end = accepted(&mut bob, BOB, |_| None::<(InfoHashes, ())>).await;
        assert!(matches!(end, Err(HandshakeError::Wire(WireError::NotBitTorrent))), "{end:?}");
    }
}
