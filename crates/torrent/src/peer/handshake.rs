//! The handshakes, both ways, over a connected stream: that of BEP 3, behind an encrypted one or alone.

mod encrypted;

use std::io;
use std::time::Duration;

use metainfo::{InfoHashV1, InfoHashes};
use net::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use torrent_proto::wire::mse::{Methods, MseError, ObfuscatedName};
use torrent_proto::wire::{Handshake, PROTOCOL, PeerId, Reserved, WireError};

use super::channel::Channel;
use crate::types::Encryption;

/// How long both handshakes may take together. Arbitrary; a few round trips of a bad link.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);

/// How long who dialled us may take until it is clear how it begins: who dials speaks first. Arbitrary; a round trip of a
/// very bad link. Without this, silent connections would fill the places of those who have something to say.
const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(5);

/// How long they may take when the peer may be one that does not know encrypted handshakes and waits for ours to make
/// sense. Arbitrary; a dial in the clear may follow.
const ENCRYPTED_TIMEOUT: Duration = Duration::from_secs(8);

/// What is offered in every handshake.
const RESERVED: Reserved = Reserved { extension: true, fast: true, dht: false, v2: false };

/// Why no connection came of a handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Encrypted(#[from] MseError),
    #[error("the peer does not encrypt, which is required here")]
    NotEncrypted,
    #[error("the peer answered for another torrent")]
    OtherTorrent,
    #[error("the peer asked for a torrent that is not here")]
    UnknownTorrent,
    #[error("the handshake took too long")]
    TimedOut,
}

/// What we say of ourselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours {
    pub peer_id: PeerId,
    /// We have a node of the DHT, whose port may be told (BEP 5).
    pub dht: bool,
}

/// What the remote end said.
#[derive(Debug)]
pub(crate) struct Met {
    /// The name under which the two met.
    pub info_hash: InfoHashV1,
    pub reserved: Reserved,
    pub peer_id: PeerId,
}

/// How to begin a dialled connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// With the handshake of BEP 3.
    Plain,
    /// With an encrypted handshake that offers these methods.
    Encrypted(Methods),
}

/// Speaks first. A hybrid is offered under its v1 name with the bit that invites the peer to answer with the v2 name
/// (BEP 52, "Upgrade path").
pub(crate) async fn dialled(
    stream: Stream,
    hashes: InfoHashes,
    offer: InfoHashV1,
    ours: Ours,
    opening: Opening,
) -> Result<(Met, Channel), HandshakeError> {
    let limit = if opening == Opening::Plain { HANDSHAKE_TIMEOUT } else { ENCRYPTED_TIMEOUT };
    let work = async {
        let handshake =
            Handshake { reserved: reserved_for(&hashes, ours.dht), info_hash: offer, peer_id: ours.peer_id }.encode();
        let mut answer = [0; Handshake::LEN];
        let channel = match opening {
            Opening::Plain => {
                let mut stream = stream;
                stream.write_all(&handshake).await?;
                read_checked(&mut stream, &mut answer).await?;
                Channel::from(stream)
            }
            Opening::Encrypted(methods) => {
                let mut channel = encrypted::open(stream, offer, methods, &handshake).await?;
                channel.read_exact(&mut answer).await?;
                channel
            }
        };
        let met = Handshake::decode(&answer)?;
        if !hashes.wire().any(|hash| hash == met.info_hash) {
            return Err(HandshakeError::OtherTorrent);
        }
        Ok((Met { info_hash: met.info_hash, reserved: met.reserved, peer_id: met.peer_id }, channel))
    };
    tokio::time::timeout(limit, work).await.unwrap_or(Err(HandshakeError::TimedOut))
}

/// Answers. `find` says which torrent is meant, `find_hidden` under which name we know what an encrypted handshake asks
/// for. Our half goes out as soon as the info-hash is there, since some peers keep their id until then.
pub(crate) async fn accepted<T>(
    mut stream: Stream,
    ours: Ours,
    encryption: Encryption,
    find: impl FnOnce(InfoHashV1) -> Option<(InfoHashes, T)>,
    find_hidden: impl Fn(ObfuscatedName) -> Option<InfoHashV1>,
) -> Result<(Met, Channel, T), HandshakeError> {
    let work = async {
        let mut head = [0; Handshake::HEAD_LEN];
        let mut hidden_name = None;
        let first = tokio::time::timeout(FIRST_BYTES_TIMEOUT, read_until_foreign(&mut stream, &mut head)).await;
        let mut channel = match first.map_err(|_| HandshakeError::TimedOut)?? {
            None if encryption == Encryption::Require => return Err(HandshakeError::NotEncrypted),
            None => Channel::from(stream),
            Some(_) if encryption == Encryption::Off => return Err(WireError::NotBitTorrent.into()),
            Some(filled) => {
                let methods = if encryption == Encryption::Require { Methods::RC4 } else { Methods::BOTH };
                let (name, mut channel) = encrypted::answer(stream, methods, &head[..filled], find_hidden).await?;
                channel.read_exact(&mut head).await?;
                hidden_name = Some(name);
                channel
            }
        };
        let (reserved, asked) = Handshake::decode_head(&head)?;
        let (hashes, found) = find(asked).ok_or(HandshakeError::UnknownTorrent)?;
        if hidden_name.is_some_and(|name| !hashes.wire().any(|hash| hash == name)) {
            return Err(HandshakeError::OtherTorrent);
        }
        // A hybrid's peer that speaks v2 is met under the v2 name, whichever it dialled.
        let info_hash = match hashes.v2().filter(|_| reserved.v2) {
            Some(v2) => v2.truncated(),
            None => asked,
        };
        let answer = Handshake { reserved: reserved_for(&hashes, ours.dht), info_hash, peer_id: ours.peer_id };
        channel.write_all(&answer.encode()).await?;
        let mut id = [0; Handshake::LEN - Handshake::HEAD_LEN];
        channel.read_exact(&mut id).await?;
        Ok((Met { info_hash, reserved, peer_id: PeerId(id) }, channel, found))
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, work).await.unwrap_or(Err(HandshakeError::TimedOut))
}

fn reserved_for(hashes: &InfoHashes, dht: bool) -> Reserved {
    Reserved { dht, v2: hashes.v1().is_some() && hashes.v2().is_some(), ..RESERVED }
}

/// Fills `bytes`, but gives up as soon as they cannot be a handshake: a foreign stream would otherwise keep us waiting.
async fn read_checked(stream: &mut Stream, bytes: &mut [u8]) -> Result<(), HandshakeError> {
    match read_until_foreign(stream, bytes).await? {
        None => Ok(()),
        Some(_) => Err(WireError::NotBitTorrent.into()),
    }
}

/// Fills `bytes` with what may be a handshake; as soon as it cannot be one, returns how many bytes were read.
async fn read_until_foreign(stream: &mut Stream, bytes: &mut [u8]) -> io::Result<Option<usize>> {
    let mut filled = 0;
    while filled < bytes.len() {
        let read = stream.read(&mut bytes[filled..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if !Handshake::may_begin(&bytes[..filled.min(PROTOCOL.len())]) {
            return Ok(Some(filled));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
