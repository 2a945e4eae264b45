//! Torrents that only certain people's nodes may have.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::NodeId;
use net::{Carriage, Overland, Stream};
use torrent_proto::torrent::Source;

use super::{Session, listen};
use crate::ask::Ask;
use crate::types::{TorrentError, TorrentId};

impl Session {
    /// Says who opens streams to nodes. The first word counts.
    pub fn set_overland(&self, overland: Arc<dyn Overland>) {
        self.shared.dialler.set_overland(overland);
    }

    /// Names all nodes that may have a confined torrent, ours need not be among them; replaces what an earlier call said.
    /// They are dialled and served; connections with others are closed, and whoever asks for it is told that there is no
    /// such torrent. Call it again whenever the people, or their nodes, change, and in each run.
    pub async fn admit(&self, id: TorrentId, nodes: impl IntoIterator<Item = NodeId>) -> Result<(), TorrentError> {
        let handle = self.shared.registry.get(id).ok_or(TorrentError::Unknown(id))?;
        let nodes: BTreeSet<NodeId> = nodes.into_iter().take(torrent_proto::torrent::MAX_AUDIENCE).collect();
        let list = nodes.iter().copied().collect();
        // The door first, so that nobody slips in behind the torrent's back.
        self.shared.registry.admit(id, Arc::new(nodes));
        handle.asks.send(Ask::Audience(list)).await.map_err(|_| TorrentError::Unknown(id))
    }

    /// Says that a node can be reached now: confined torrents that wait for it try it at once.
    pub fn seen(&self, node: NodeId) {
        for (_, handle) in self.shared.registry.all() {
            if handle.audience.contains(&node) {
                // A torrent with a full queue tries it when its time comes.
                let _ = handle.asks.try_send(Ask::Candidates(Source::People, vec![node.stand_in()]));
            }
        }
    }

    /// Takes a stream that a node opened for the service `wire`: shakes hands, and hands it to the torrent that it asks
    /// for, if that torrent admits the node. Returns when that is done; the connection goes on in the torrent.
    pub async fn serve(&self, carriage: Box<dyn Carriage>) {
        let stream = Stream::quic(carriage);
        let Ok(address) = stream.peer_addr() else { return };
        listen::greet(self.shared.clone(), stream, address).await;
    }
}
