//! Dialling a peer: through the gate, over a carrier, to the end of the handshakes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use metainfo::InfoHashes;
use net::{Pass, Via};
use torrent_proto::torrent::{Direction, Source};
use torrent_proto::wire::mse::Methods;

use crate::peer::channel::Channel;
use crate::peer::handshake::{self, HandshakeError, Met, Opening};
use crate::report::Established;
use crate::shared::Shared;
use crate::types::{Encryption, TorrentId};

/// How many addresses are remembered to want plain handshakes. Arbitrary; one that is forgotten costs a dial.
const MAX_PLAIN_PEERS: usize = 512;

/// Addresses whose peers answered a plain handshake after they had not answered an encrypted one.
#[derive(Debug, Default)]
pub(crate) struct PlainPeers(Mutex<VecDeque<SocketAddr>>);

impl PlainPeers {
    fn contains(&self, address: SocketAddr) -> bool {
        self.lock().contains(&address)
    }

    /// Remembers an address; the oldest gives way.
    fn add(&self, address: SocketAddr) {
        let mut addresses = self.lock();
        if !addresses.contains(&address) {
            addresses.truncate(MAX_PLAIN_PEERS - 1);
            addresses.push_front(address);
        }
    }

    fn forget(&self, address: SocketAddr) {
        self.lock().retain(|other| *other != address);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<SocketAddr>> {
        // No method panics between two changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes the gate, connects, and shakes hands. A peer that makes nothing of an encrypted handshake is dialled again
/// and met in the clear, where that is allowed; a hybrid's peer that does not know the v1 name is tried under the v2 one.
pub(super) async fn dial(
    shared: &Shared,
    id: TorrentId,
    hashes: InfoHashes,
    limit: Option<u32>,
    (address, via): (SocketAddr, Via),
    source: Source,
) -> Result<Established, String> {
    const CLEAR: &[Opening] = &[Opening::Plain];
    let mut pass = shared.gate.admit(address).map_err(|refusal| refusal.to_string())?;
    pass.join(id, limit).map_err(|refusal| refusal.to_string())?;
    let remembered = shared.plain_peers.contains(address);
    let openings = match shared.network.encryption {
        Encryption::Off => CLEAR,
        Encryption::Prefer if remembered => CLEAR,
        Encryption::Prefer => &[Opening::Encrypted(Methods::BOTH), Opening::Plain],
        Encryption::Require => &[Opening::Encrypted(Methods::RC4)],
    };
    let mut last = String::new();
    for offer in hashes.wire() {
        for (n, &opening) in openings.iter().enumerate() {
            let stream = shared.dialler.dial(address, via).await.map_err(|error| error.to_string())?;
            let error = match handshake::dialled(stream, hashes, offer, shared.peer_id, opening).await {
                Ok((met, channel)) => {
                    if n > 0 {
                        shared.plain_peers.add(address);
                    }
                    return Ok(established(met, channel, pass, address, Direction::Outgoing, source));
                }
                Err(error) => error,
            };
            last = error.to_string();
            tracing::trace!(%address, ?opening, %error, "a handshake came to nothing");
            match error {
                // The peer understood, so that the other opening would tell no more: on to the other name.
                HandshakeError::OtherTorrent => break,
                HandshakeError::Failed(_) => {}
                _ if n + 1 < openings.len() => {}
                _ => return Err(last),
            }
        }
    }
    if remembered {
        // Another program may have come to the address.
        shared.plain_peers.forget(address);
    }
    Err(last)
}

/// Joins what the handshakes brought.
pub(crate) fn established(
    met: Met,
    stream: Channel,
    pass: Pass,
    address: SocketAddr,
    direction: Direction,
    source: Source,
) -> Established {
    let Met { info_hash, reserved, peer_id } = met;
    Established { stream, pass, address, direction, source, info_hash, reserved, peer_id }
}
