//! Torrents that only certain people's nodes may have. The overlay is a table of sessions and pipes in memory.

mod support;

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base::NodeId;
use metainfo::TorrentFile;
use metainfo::create::{Mode, Options};
use net::{Carriage, Opening, Overland};
use support::{Node, assert_same, create, open_with, write_files};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use torrent::{Add, AddError, AddSource, Carrier, NetworkConfig, Session, Source, State, TorrentError, TorrentId};

const FILES: &[(&str, usize)] = &[("box/one.bin", 3_333_333), ("box/deep/two.bin", 444_444)];

/// How much a pipe holds.
const ROOM: usize = 256 << 10;

/// How long a test waits to see that nothing happens. Long enough for a loopback dial and a handshake many times over.
const QUIET: Duration = Duration::from_millis(600);

/// One end of a pipe, told who is at the other.
#[derive(Debug)]
struct Pipe {
    node: NodeId,
    stream: DuplexStream,
}

impl Carriage for Pipe {
    fn node(&self) -> NodeId {
        self.node
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(bytes);
        Pin::new(&mut self.stream).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All sessions of a test by their node ids.
type Streets = Arc<Mutex<HashMap<NodeId, Session>>>;

/// The overlay as one node has it.
#[derive(Debug)]
struct Door {
    own: NodeId,
    streets: Streets,
}

impl Overland for Door {
    fn open(&self, node: NodeId) -> Opening<'_> {
        Box::pin(async move {
            let session = self.streets.lock().unwrap().get(&node).cloned().ok_or(io::ErrorKind::HostUnreachable)?;
            let (near, far) = tokio::io::duplex(ROOM);
            let theirs = Box::new(Pipe { node: self.own, stream: far });
            tokio::spawn(async move { session.serve(theirs).await });
            Ok(Box::new(Pipe { node, stream: near }) as Box<dyn Carriage>)
        })
    }
}

/// A node with an id, in the same streets as others.
struct Person {
    id: NodeId,
    node: Node,
    streets: Streets,
}

impl Person {
    async fn start(name: u8, streets: &Streets) -> Person {
        let home = tempfile::tempdir().unwrap();
        let id = NodeId([name; 32]);
        let session = open(home.path(), id, streets).await;
        Person { id, node: Node { session, home }, streets: streets.clone() }
    }

    async fn restart(&mut self) {
        self.leave().await;
        self.node.session = open(self.node.home.path(), self.id, &self.streets).await;
    }

    async fn leave(&self) {
        self.streets.lock().unwrap().remove(&self.id);
        self.node.session.shutdown().await;
    }

    /// Shares what lies in its folder with nodes.
    async fn share(&self, file: &TorrentFile, with: &[NodeId]) -> TorrentId {
        let add = Add { have_all: true, confined: true, ..Add::new(AddSource::File(file.to_bytes().into())) };
        let id = self.node.session.add(add).await.unwrap().id;
        self.admit(id, with).await;
        id
    }

    /// Takes a share up, by nothing but its name.
    async fn get(&self, file: &TorrentFile, with: &[NodeId]) -> TorrentId {
        let link = metainfo::Magnet::new(file.hashes()).to_string();
        let add = Add { confined: true, ..Add::new(AddSource::Link(link)) };
        let id = self.node.session.add(add).await.unwrap().id;
        self.admit(id, with).await;
        id
    }

    async fn admit(&self, id: TorrentId, with: &[NodeId]) {
        self.node.session.admit(id, with.iter().copied()).await.unwrap();
    }
}

async fn open(home: &std::path::Path, id: NodeId, streets: &Streets) -> Session {
    let session = open_with(home, |config| {
        config.network = NetworkConfig { utp: true, pex: true, holepunch: true, ..NetworkConfig::default() };
    })
    .await;
    session.set_overland(Arc::new(Door { own: id, streets: streets.clone() }));
    streets.lock().unwrap().insert(id, session.clone());
    session
}

/// A salted torrent of the files in a person's folder.
fn make(person: &Person) -> TorrentFile {
    write_files(&person.node.folder(), FILES, 5);
    let salt = Some([9; 32]);
    create(&person.node.folder(), "box", FILES, Options { mode: Mode::V2, private: true, salt, ..Options::default() })
}

#[tokio::test]
async fn a_share_reaches_whom_it_is_for_by_its_name_alone() {
    let streets = Streets::default();
    let (alice, bob) = (Person::start(1, &streets).await, Person::start(2, &streets).await);
    let file = make(&alice);
    let id = alice.share(&file, &[bob.id]).await;
    assert_eq!(bob.get(&file, &[alice.id]).await, id);
    let done = bob.node.wait_complete(id).await;
    assert!(done.confined && done.private);
    assert_same(&alice.node.folder(), &bob.node.folder(), FILES);
    let sources = bob.node.session.sources(id).await.unwrap();
    let used: Vec<Source> = sources.iter().filter(|s| s.enabled).map(|s| s.source).collect();
    assert_eq!(used, [Source::Incoming, Source::People]);
}

#[tokio::test]
async fn the_sharer_may_leave_when_the_recipients_have_it_between_them() {
    let streets = Streets::default();
    let people = [1, 2, 3, 4].map(|name| Person::start(name, &streets));
    let [alice, bob, carol, dave] = {
        let [a, b, c, d] = people;
        [a.await, b.await, c.await, d.await]
    };
    let all = [alice.id, bob.id, carol.id, dave.id];
    let file = make(&alice);
    let id = alice.share(&file, &all).await;
    bob.get(&file, &all).await;
    bob.node.wait_complete(id).await;
    alice.leave().await;
    carol.get(&file, &all).await;
    dave.get(&file, &all).await;
    carol.node.wait_complete(id).await;
    dave.node.wait_complete(id).await;
    assert_same(&bob.node.folder(), &dave.node.folder(), FILES);
}

#[tokio::test]
async fn a_stranger_learns_nothing_by_any_carrier() {
    let streets = Streets::default();
    let people = [1, 2, 3].map(|name| Person::start(name, &streets));
    let [alice, bob, mallory] = {
        let [a, b, m] = people;
        [a.await, b.await, m.await]
    };
    let file = make(&alice);
    let id = alice.share(&file, &[bob.id]).await;

    // Over QUIC, with the info-hash and the node id.
    mallory.get(&file, &[alice.id]).await;
    // Over TCP and uTP, with the info-hash and the address, in the clear and encrypted.
    let mut others = Vec::new();
    for (tcp, utp, encryption) in [
        (true, false, torrent::Encryption::Off),
        (false, true, torrent::Encryption::Off),
        (true, false, torrent::Encryption::Require),
    ] {
        let home = tempfile::tempdir().unwrap();
        let session = open_with(home.path(), |config| {
            config.network = NetworkConfig { tcp, utp, encryption, ..NetworkConfig::default() };
        })
        .await;
        let mut add = Add::new(AddSource::Link(metainfo::Magnet::new(file.hashes()).to_string()));
        add.peers = vec![alice.node.address()];
        session.add(add).await.unwrap();
        others.push((session, home));
    }
    tokio::time::sleep(QUIET).await;
    assert!(alice.node.session.peers(id).await.unwrap().is_empty());
    for session in others.iter().map(|(session, _)| session).chain([&mallory.node.session]) {
        let status = session.status(id).await.unwrap();
        assert_eq!((status.state, status.peers, status.downloaded), (State::Metadata, 0, 0), "{status:?}");
    }

    bob.get(&file, &[alice.id]).await;
    bob.node.wait_complete(id).await;
}

#[tokio::test]
async fn who_is_named_no_longer_is_cut_off() {
    let streets = Streets::default();
    let (alice, mut bob) = (Person::start(1, &streets).await, Person::start(2, &streets).await);
    let file = make(&alice);
    let id = alice.share(&file, &[bob.id]).await;
    // Slow enough to be cut off in the middle.
    let limits = torrent::TorrentLimits { up_bytes_per_s: Some(400_000), ..Default::default() };
    alice.node.session.limit(id, limits).await.unwrap();
    bob.get(&file, &[alice.id]).await;
    let begun = bob.node.wait(id, "begun", |status| status.done_bytes > 0).await;
    let peer = &alice.node.session.peers(id).await.unwrap()[0];
    assert_eq!((peer.carrier, peer.node), (Carrier::Quic, Some(bob.id)));

    alice.admit(id, &[]).await;
    bob.node.wait(id, "cut off", |status| status.peers == 0).await;
    bob.restart().await;
    bob.admit(id, &[alice.id]).await;
    tokio::time::sleep(QUIET).await;
    let status = bob.node.session.status(id).await.unwrap();
    assert!(!status.is_complete() && status.peers == 0, "{status:?}");
    assert!(status.done_bytes >= begun.done_bytes);

    // Back in favour, it goes on where it was.
    alice.node.session.limit(id, Default::default()).await.unwrap();
    alice.admit(id, &[bob.id]).await;
    let done = bob.node.wait_complete(id).await;
    assert!(done.downloaded < 2 * done.total_bytes.unwrap());
}

#[tokio::test]
async fn after_a_restart_nobody_has_it_until_somebody_is_named() {
    let streets = Streets::default();
    let (mut alice, bob) = (Person::start(1, &streets).await, Person::start(2, &streets).await);
    let file = make(&alice);
    let id = alice.share(&file, &[bob.id]).await;
    alice.restart().await;
    bob.get(&file, &[alice.id]).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(bob.node.session.status(id).await.unwrap().peers, 0);
    alice.admit(id, &[bob.id]).await;
    bob.node.wait_complete(id).await;
}

#[tokio::test]
async fn a_confined_torrent_cannot_be_opened_by_the_way() {
    let streets = Streets::default();
    let alice = Person::start(1, &streets).await;
    let file = make(&alice);
    let id = alice.share(&file, &[]).await;
    let mut add = Add::new(AddSource::File(file.to_bytes().into()));
    add.trackers = vec!["http://127.0.0.1:1/announce".to_owned()];
    assert!(matches!(alice.node.session.add(add).await, Err(AddError::OtherAudience(taken)) if taken == id));
    let named = alice.node.session.add_peer(id, "127.0.0.1:6881").await;
    assert!(matches!(named, Err(TorrentError::Confined)));
}
