//! Small torrents and a storage to try them on, for this crate's tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metainfo::{Block, Info, PieceIndex, merkle};
use sha1::{Digest, Sha1};
use tokio::sync::mpsc;
use torrent_proto::torrent::{DiskAnswer, DiskOrder, PieceHash, VerifyOutcome};

use crate::{Disk, DiskConfig, Storage, StorageConfig};

/// A torrent and its content.
pub(crate) struct Content {
    pub(crate) info: Arc<Info>,
    /// As the wire has it, padding included.
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) files: Vec<Vec<u8>>,
}

fn bytes_item(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(format!("{}:", bytes.len()).bytes());
    out.extend(bytes);
}

fn payload(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| rng.u8(..)).collect()
}

impl Content {
    /// Makes a v1 torrent called "album" of files with these paths (separated by `/`; a trailing `*`: executable) and
    /// lengths.
    pub(crate) fn v1(files: &[(&str, usize)], piece_length: u32) -> Content {
        let contents: Vec<Vec<u8>> =
            files.iter().enumerate().map(|(i, (_, len))| payload(i as u64 + 1, *len)).collect();
        let whole = Bytes::from(contents.concat());
        let mut raw = b"d5:filesl".to_vec();
        for ((path, len), _) in files.iter().zip(&contents) {
            raw.extend(b"d");
            if path.ends_with('*') {
                raw.extend(b"4:attr1:x");
            }
            raw.extend(format!("6:lengthi{len}e4:pathl").bytes());
            path.trim_end_matches('*').split('/').for_each(|component| bytes_item(&mut raw, component.as_bytes()));
            raw.extend(b"ee");
        }
        raw.extend(b"e4:name5:album");
        raw.extend(format!("12:piece lengthi{piece_length}e6:pieces").bytes());
        let pieces: Vec<Bytes> = (0..whole.len().div_ceil(piece_length as usize))
            .map(|i| whole.slice(i * piece_length as usize..whole.len().min((i + 1) * piece_length as usize)))
            .collect();
        let hashes: Vec<u8> = pieces.iter().flat_map(|piece| <[u8; 20]>::from(Sha1::digest(piece))).collect();
        bytes_item(&mut raw, &hashes);
        raw.extend(b"e");
        let info = Arc::new(Info::from_bytes(Bytes::from(raw)).expect("a valid info dictionary"));
        Content { info, pieces, files: contents }
    }

    /// Makes a v2 torrent called "album" of files in its top folder, in order of their names.
    pub(crate) fn v2(files: &[(&str, usize)], piece_length: u32) -> Content {
        let contents: Vec<Vec<u8>> =
            files.iter().enumerate().map(|(i, (_, len))| payload(i as u64 + 1, *len)).collect();
        let mut raw = b"d9:file treed".to_vec();
        for ((name, len), content) in files.iter().zip(&contents) {
            bytes_item(&mut raw, name.as_bytes());
            raw.extend(format!("d0:d6:lengthi{len}e11:pieces root").bytes());
            let leaves: Vec<[u8; 32]> = content.chunks(16384).map(merkle::leaf).collect();
            bytes_item(&mut raw, &merkle::root(&leaves, 0, 1));
            raw.extend(b"ee");
        }
        raw.extend(b"e12:meta versioni2e4:name5:album");
        raw.extend(format!("12:piece lengthi{piece_length}ee").bytes());
        let info = Arc::new(Info::from_bytes(Bytes::from(raw)).expect("a valid info dictionary"));
        let pieces = contents.iter().flat_map(|content| content.chunks(piece_length as usize));
        let pieces = pieces.map(Bytes::copy_from_slice).collect();
        Content { info, pieces, files: contents }
    }

    pub(crate) fn expected(&self, piece: u32) -> PieceHash {
        let data = &self.pieces[piece as usize];
        let v1 = self.info.has_v1().then(|| Sha1::digest(data).into());
        let v2 = self.info.layout().v2_piece(PieceIndex(piece)).map(|v2| {
            let leaves: Vec<[u8; 32]> = data[..v2.length as usize].chunks(16384).map(merkle::leaf).collect();
            merkle::root(&leaves, 0, v2.width)
        });
        PieceHash { v1, v2 }
    }

    pub(crate) fn all_expected(&self) -> Arc<Vec<Option<PieceHash>>> {
        Arc::new((0..self.pieces.len() as u32).map(|piece| Some(self.expected(piece))).collect())
    }

    pub(crate) fn blocks(&self, piece: u32) -> Vec<(Block, Bytes)> {
        let data = &self.pieces[piece as usize];
        let blocks = self.info.layout().blocks(PieceIndex(piece));
        blocks.map(|block| (block, data.slice(block.offset as usize..block.end() as usize))).collect()
    }
}

/// A storage and the answers that it gives.
pub(crate) struct Trial {
    pub(crate) storage: Storage,
    answers: mpsc::UnboundedReceiver<DiskAnswer>,
    /// Whether `Opened` reported data.
    pub(crate) found_data: bool,
}

impl Trial {
    pub(crate) fn open(content: &Content, folder: &Path) -> Trial {
        Trial::with(StorageConfig::new(content.info.clone(), folder.to_owned()))
    }

    pub(crate) fn with(config: StorageConfig) -> Trial {
        Trial::on(&Disk::new(DiskConfig::default()), config)
    }

    pub(crate) fn on(disk: &Disk, config: StorageConfig) -> Trial {
        // Bounded by the orders that a test gives.
        let (sender, answers) = mpsc::unbounded_channel();
        let storage = disk.open(config, move |answer| drop(sender.send(answer)));
        let mut trial = Trial { storage, answers, found_data: false };
        let DiskAnswer::Opened { found_data } = trial.next() else { panic!("Opened comes first") };
        trial.found_data = found_data;
        trial
    }

    pub(crate) fn next(&mut self) -> DiskAnswer {
        for _ in 0..2000 {
            if let Ok(answer) = self.answers.try_recv() {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no answer within ten seconds")
    }

    /// Gives an order and returns its answer.
    pub(crate) fn ask(&mut self, order: DiskOrder) -> DiskAnswer {
        self.storage.order(order);
        self.next()
    }

    pub(crate) fn write(&mut self, blocks: Vec<(Block, Bytes)>) {
        match self.ask(DiskOrder::Write { blocks }) {
            DiskAnswer::Wrote { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn verify(&mut self, content: &Content, piece: u32) -> VerifyOutcome {
        match self.ask(DiskOrder::Verify { piece: PieceIndex(piece), expected: content.expected(piece) }) {
            DiskAnswer::Verified { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Writes and verifies pieces.
    pub(crate) fn fetch(&mut self, content: &Content, pieces: impl IntoIterator<Item = u32>) {
        for piece in pieces {
            self.write(content.blocks(piece));
            assert_eq!(self.verify(content, piece), VerifyOutcome::Good, "piece {piece}");
        }
    }

    pub(crate) fn fetch_all(&mut self, content: &Content) {
        self.fetch(content, 0..content.pieces.len() as u32);
    }

    pub(crate) fn finish(&mut self) {
        assert!(matches!(self.ask(DiskOrder::Flush), DiskAnswer::Flushed));
        match self.ask(DiskOrder::Finish) {
            DiskAnswer::Finished => {}
            other => panic!("{other:?}"),
        }
    }

    /// Returns the pieces that a check finds good, in ascending order, and how many it looked at.
    pub(crate) fn check(&mut self, order: DiskOrder) -> (Vec<u32>, usize) {
        self.storage.order(order);
        let (mut good_pieces, mut count) = (Vec::new(), 0);
        loop {
            match self.next() {
                DiskAnswer::Checked { piece, good } => {
                    count += 1;
                    if good {
                        good_pieces.push(piece.0);
                    }
                }
                DiskAnswer::CheckDone => break,
                other => panic!("{other:?}"),
            }
        }
        good_pieces.sort();
        (good_pieces, count)
    }

    pub(crate) fn error(&mut self, order: DiskOrder) -> String {
        match self.ask(order) {
            DiskAnswer::Failed { error, .. } => error.message,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a call that has a reply.
    pub(crate) fn reply<T: Send + 'static>(&self, call: impl FnOnce(&Storage, Box<dyn FnOnce(T) + Send>)) -> T {
        let (sender, receiver) = std::sync::mpsc::channel();
        call(&self.storage, Box::new(move |result| drop(sender.send(result))));
        receiver.recv_timeout(Duration::from_secs(10)).expect("a reply")
    }

    pub(crate) fn read(&self, blocks: &[Block]) -> Vec<Bytes> {
        self.reply(|storage, reply| storage.read(blocks.to_vec(), reply)).expect("readable")
    }
}
