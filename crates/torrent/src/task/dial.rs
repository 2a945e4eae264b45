//! Dialling a peer: through the gate, over a carrier, to the end of the handshakes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::NodeId;
use metainfo::InfoHashes;
use net::{Asking, Carrier, Pass, Via, WIRE};
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

/// Whom to dial.
#[derive(Clone, Copy, Debug)]
pub(super) enum To {
    /// Whoever is there.
    Address(SocketAddr, Via),
    /// A node, wherever it is.
    Node(NodeId),
}

/// Why a dial came to nothing.
#[derive(Debug)]
struct Failure {
    words: String,
    /// Each time the peer hung up on this carrier before it said anything.
    hung_up_on: Option<Carrier>,
}

/// Passes the gate, connects, and shakes hands. Who hangs up by one carrier is tried by the other, if it was the policy's
/// choice: some programs still listen by TCP when they take uTP only.
pub(super) async fn dial(
    shared: &Shared,
    id: TorrentId,
    hashes: InfoHashes,
    limit: Option<u32>,
    to: To,
    source: Source,
) -> Result<Established, String> {
    let (asking, address) = match to {
        To::Address(address, _) => (Asking::peer(address, Carrier::Tcp, Direction::Outgoing), address),
        To::Node(node) => (Asking::node(node, WIRE, Direction::Outgoing), node.stand_in()),
    };
    let mut pass = shared.gate.admit(&asking).map_err(|refusal| refusal.to_string())?;
    pass.join(id, limit).map_err(|refusal| refusal.to_string())?;
    let meeting = async {
        match to {
            To::Address(address, via) => {
                meet_by_any(shared, hashes, address, via).await.map_err(|failure| failure.words)
            }
            To::Node(node) => meet_node(shared, hashes, node).await,
        }
    };
    let (met, channel) = tokio::select! {
        met = meeting => met?,
        refusal = pass.revoked() => return Err(refusal.to_string()),
    };
    pass.carried_by(channel.carrier());
    Ok(established(met, channel, pass, address, Direction::Outgoing, source))
}

/// Connects and shakes hands, by the other carrier too where the first one's peer hangs up.
async fn meet_by_any(
    shared: &Shared,
    hashes: InfoHashes,
    address: SocketAddr,
    via: Via,
) -> Result<(Met, Channel), Failure> {
    let network = &shared.network;
    match meet(shared, hashes, address, via).await {
        Err(Failure { hung_up_on: Some(carrier), .. }) if via == Via::Any && network.tcp && network.utp => {
            let other = if carrier == Carrier::Tcp { Carrier::Utp } else { Carrier::Tcp };
            meet(shared, hashes, address, Via::Only(other)).await
        }
        met => met,
    }
}

/// Opens a stream of the overlay and shakes hands, in the clear: the overlay encrypts.
async fn meet_node(shared: &Shared, hashes: InfoHashes, node: NodeId) -> Result<(Met, Channel), String> {
    let offer = hashes.key();
    let stream = shared.dialler.dial_node(node).await.map_err(|error| error.to_string())?;
    let met = handshake::dialled(stream, hashes, offer, shared.ours(), Opening::Plain).await;
    met.map_err(|error| error.to_string())
}

/// Connects and shakes hands. A peer that makes nothing of an encrypted handshake is dialled again and met in the clear,
/// where that is allowed; a hybrid's peer that does not know the v1 name is tried under the v2 one.
async fn meet(shared: &Shared, hashes: InfoHashes, address: SocketAddr, via: Via) -> Result<(Met, Channel), Failure> {
    const CLEAR: &[Opening] = &[Opening::Plain];
    let remembered = shared.plain_peers.contains(address);
    let openings = match shared.network.encryption {
        Encryption::Off => CLEAR,
        Encryption::Prefer if remembered => CLEAR,
        Encryption::Prefer => &[Opening::Encrypted(Methods::BOTH), Opening::Plain],
        Encryption::Require => &[Opening::Encrypted(Methods::RC4)],
    };
    let mut failure = Failure { words: String::new(), hung_up_on: None };
    let mut only_hung_up = true;
    'dials: for offer in hashes.wire() {
        for (n, &opening) in openings.iter().enumerate() {
            let dialled = shared.dialler.dial(address, via).await;
            let stream = dialled.map_err(|error| Failure { words: error.to_string(), hung_up_on: None })?;
            failure.hung_up_on = Some(stream.carrier());
            let error = match handshake::dialled(stream, hashes, offer, shared.ours(), opening).await {
                Ok(met) => {
                    if n > 0 {
                        shared.plain_peers.add(address);
                    }
                    return Ok(met);
                }
                Err(error) => error,
            };
            failure.words = error.to_string();
            tracing::trace!(%address, ?opening, %error, "a handshake came to nothing");
            only_hung_up &= matches!(error, HandshakeError::Failed(_));
            match error {
                // The peer understood, so that the other opening would tell no more: on to the other name.
                HandshakeError::OtherTorrent => break,
                HandshakeError::Failed(_) => {}
                _ if n + 1 < openings.len() => {}
                _ => break 'dials,
            }
        }
    }
    if remembered {
        // Another program may have come to the address.
        shared.plain_peers.forget(address);
    }
    failure.hung_up_on = failure.hung_up_on.filter(|_| only_hung_up);
    Err(failure)
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
