//! Two or more sessions on loopback, in folders that vanish with the test.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod server;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use metainfo::TorrentFile;
use metainfo::create::{Mode, Options, Plan, SourceFile};
use tempfile::TempDir;
use torrent::{
    Add, AddSource, Added, Incomplete, Limits, NetworkConfig, Session, SessionConfig, TorrentId, TorrentStatus,
};

/// How long anything on loopback may take, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A node: a session with its folders.
pub struct Node {
    pub session: Session,
    pub home: TempDir,
}

impl Node {
    /// Starts a node that listens on loopback, with its database on disk.
    pub async fn start() -> Node {
        let home = tempfile::tempdir().unwrap();
        let session = open(home.path()).await;
        Node { session, home }
    }

    /// Ends the session in good order and starts another one in the same home.
    pub async fn restart(&mut self) {
        self.session.shutdown().await;
        self.session = open(self.home.path()).await;
    }

    /// Where content goes.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("files")
    }

    /// The address that it listens on.
    pub fn address(&self) -> String {
        self.session.listen_addrs()[0].to_string()
    }

    /// Shares what lies in its folder.
    pub async fn share(&self, file: &TorrentFile) -> TorrentId {
        let mut add = Add::new(AddSource::File(file.to_bytes().into()));
        add.have_all = true;
        self.session.add(add).await.unwrap().id
    }

    /// Fetches a torrent from a peer.
    pub async fn get(&self, source: AddSource, peer: &Node) -> Added {
        let mut add = Add::new(source);
        add.peers = vec![peer.address()];
        self.session.add(add).await.unwrap()
    }

    /// Waits until a torrent's status is as `wanted`.
    pub async fn wait(&self, id: TorrentId, what: &str, wanted: impl Fn(&TorrentStatus) -> bool) -> TorrentStatus {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status = self.session.status(id).await.unwrap();
            if wanted(&status) {
                return status;
            }
            if tokio::time::Instant::now() >= end {
                let peers = self.session.peers(id).await;
                panic!("it took too long to be {what}: {status:#?} {peers:#?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until everything is there.
    pub async fn wait_complete(&self, id: TorrentId) -> TorrentStatus {
        self.wait(id, "complete", TorrentStatus::is_complete).await
    }
}

/// Starts a session in a home.
pub async fn open(home: &Path) -> Session {
    open_with(home, |_| {}).await
}

/// Starts a session in a home, with changes to its configuration.
pub async fn open_with(home: &Path, change: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        egress: net::Egress::default(),
        database: db::Db::open(&home.join("node.db")).unwrap(),
        folder: home.join("files"),
        incomplete: Incomplete::Suffix,
        preallocate: false,
        resources: torrent::Resources {
            threads: Some(1),
            memory_bytes: 16 << 20,
            keep_free_bytes: 0,
            most_bytes: None,
        },
        limits: Limits::default(),
        client: "Compeer test".to_owned(),
        network: NetworkConfig::default(),
        gate: None,
        held: false,
    };
    change(&mut config);
    Session::start(config).await.unwrap()
}

/// Writes files with content drawn from `seed`; returns them in the order given.
pub fn write_files(folder: &Path, files: &[(&str, usize)], seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    for (name, length) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut content = vec![0; *length];
        rng.fill(&mut content);
        std::fs::write(path, content).unwrap();
    }
}

/// Makes a torrent of `folder/name`, a file or a folder of files.
pub fn create(folder: &Path, name: &str, files: &[(&str, usize)], options: Options) -> TorrentFile {
    let root = folder.join(name);
    let source = |(path, length): &(&str, usize)| SourceFile {
        path: if root.is_file() { Vec::new() } else { path.split('/').skip(1).map(str::to_owned).collect() },
        length: *length as u64,
        executable: false,
    };
    let plan = Plan::new(name, files.iter().map(source).collect(), options).unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| folder.join(path)).collect();
    let hashes = disk::hash_files(&plan, &paths, None, &|_| {}, &AtomicBool::new(false)).unwrap();
    plan.finish(hashes).unwrap()
}

/// Options that only choose the kind of torrent and the length of pieces.
pub fn options(mode: Mode, piece_length: u32) -> Options {
    Options { mode, piece_length: Some(piece_length), ..Options::default() }
}

/// Compares two folders' files.
pub fn assert_same(a: &Path, b: &Path, files: &[(&str, usize)]) {
    for (name, _) in files {
        let read =
            |folder: &Path| std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{folder:?} {name}: {e}"));
        assert!(read(a) == read(b), "{name} differs");
    }
}
