//! Pushes one GiB, and 2,000 files of 64 KiB, through a storage and prints the CPU seconds of each step, beside the floor:
//! the same hashing, writing and reading without a storage around it. `cargo bench -p disk -- [FOLDER]`, by default in
//! memory (/dev/shm).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use disk::{Disk, DiskConfig, LARGE, Pool, Storage, StorageConfig};
use metainfo::{BLOCK_LEN, Block, Info, PieceIndex};
use sha1::{Digest, Sha1};
use tokio::sync::mpsc;
use torrent_proto::torrent::{CheckScope, DiskAnswer, DiskOrder, PieceHash, VerifyOutcome};

const TOTAL: u64 = 1 << 30;
const PIECE: u32 = 1 << 20;
/// How many small files, and their length.
const FILES: usize = 2_000;
const FILE_LEN: usize = 64 * 1024;
/// What may wait for the disk at a time, as the receivers' budget would allow.
const IN_FLIGHT: usize = 16;

/// Returns the CPU seconds of this process so far, user and system.
fn cpu_seconds() -> f64 {
    let mut stat = String::new();
    File::open("/proc/self/stat").and_then(|mut f| f.read_to_string(&mut stat)).expect("Linux");
    // After the name, which may hold spaces: field 3 on; 14 and 15 are user and system time in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0).sum()
}

fn measured<T>(what: &str, step: impl FnOnce() -> T) -> T {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    let result = step();
    println!("{what:<44} {:5.2} CPU s, {:5.2} s", cpu_seconds() - cpu, wall.elapsed().as_secs_f64());
    result
}

/// One file, or `FILES` of them in folders of a hundred.
fn info(many: bool) -> Arc<Info> {
    let total = if many { FILES * FILE_LEN } else { TOTAL as usize };
    let pieces = total / PIECE as usize;
    let mut raw = if many {
        let file = |i| format!("d6:lengthi{FILE_LEN}e4:pathl3:{:03}9:{i:05}.binee", i / 100);
        format!("d5:filesl{}e", (0..FILES).map(file).collect::<String>())
    } else {
        format!("d6:lengthi{TOTAL}e")
    };
    raw.push_str(&format!("4:name9:bench.bin12:piece lengthi{PIECE}e6:pieces{}:", pieces * 20));
    raw.push_str(&"h".repeat(pieces * 20));
    raw.push('e');
    Arc::new(Info::from_bytes(Bytes::from(raw)).expect("valid"))
}

struct Bench {
    storage: Storage,
    answers: mpsc::UnboundedReceiver<DiskAnswer>,
    content: Bytes,
    expected: PieceHash,
    pieces: u32,
}

impl Bench {
    fn new(info: Arc<Info>, home: &Path, content: &Bytes, expected: PieceHash) -> Bench {
        // Bounded by the orders in flight.
        let (sender, answers) = mpsc::unbounded_channel();
        let pieces = info.layout().piece_count();
        let storage = Disk::new(DiskConfig::default())
            .open(StorageConfig::new(info, home.to_owned()), move |answer| drop(sender.send(answer)));
        let mut bench = Bench { storage, answers, content: content.clone(), expected, pieces };
        let _opened = bench.answers.blocking_recv();
        bench
    }

    fn finish(&mut self) {
        self.storage.order(DiskOrder::Finish);
        assert!(matches!(self.answers.blocking_recv(), Some(DiskAnswer::Finished)));
    }

    fn remove(self) {
        let (sender, removed) = std::sync::mpsc::channel();
        self.storage.remove_files(move |result| sender.send(result).expect("awaited"));
        removed.recv().expect("a reply").expect("removable");
    }

    fn batch(&self, piece: u32, batch: usize) -> Vec<(Block, Bytes)> {
        let per_batch = LARGE / BLOCK_LEN as usize;
        let first = batch * per_batch;
        let block = |i: usize| {
            let offset = i as u32 * BLOCK_LEN;
            let bytes = self.content.slice(offset as usize..(offset + BLOCK_LEN) as usize);
            (Block { piece: PieceIndex(piece), offset, length: BLOCK_LEN }, bytes)
        };
        (first..first + per_batch).map(block).collect()
    }

    fn write_and_verify(&mut self, order: &[usize]) {
        let mut in_flight = 0;
        let mut verified = 0;
        for piece in 0..self.pieces {
            for &batch in order {
                while in_flight >= IN_FLIGHT {
                    self.answer(&mut in_flight, &mut verified);
                }
                self.storage.order(DiskOrder::Write { blocks: self.batch(piece, batch) });
                in_flight += 1;
            }
            self.storage.order(DiskOrder::Verify { piece: PieceIndex(piece), expected: self.expected });
        }
        while verified < self.pieces {
            self.answer(&mut in_flight, &mut verified);
        }
    }

    fn answer(&mut self, in_flight: &mut usize, verified: &mut u32) {
        match self.answers.blocking_recv().expect("the disk answers") {
            DiskAnswer::Wrote { .. } => *in_flight -= 1,
            DiskAnswer::Verified { outcome: VerifyOutcome::Good, .. } => *verified += 1,
            other => panic!("{other:?}"),
        }
    }

    fn read_all(&self) {
        let (sender, receiver) = std::sync::mpsc::sync_channel(IN_FLIGHT);
        let per_batch = LARGE / BLOCK_LEN as usize;
        let mut waiting = 0;
        for piece in 0..self.pieces {
            for batch in 0..PIECE as usize / LARGE {
                let blocks = (batch * per_batch..(batch + 1) * per_batch)
                    .map(|i| Block { piece: PieceIndex(piece), offset: i as u32 * BLOCK_LEN, length: BLOCK_LEN })
                    .collect();
                let sender = sender.clone();
                self.storage.read(blocks, move |bytes| sender.send(bytes.expect("readable").len()).expect("awaited"));
                waiting += 1;
                if waiting == 4 {
                    waiting -= receiver.recv().map(|_| 1).expect("a reply");
                }
            }
        }
        for _ in 0..waiting {
            receiver.recv().expect("a reply");
        }
    }

    fn check(&mut self) {
        let expected = Arc::new(vec![Some(self.expected); self.pieces as usize]);
        self.storage.order(DiskOrder::Check { scope: CheckScope::All, expected });
        loop {
            match self.answers.blocking_recv().expect("the disk answers") {
                DiskAnswer::Checked { good, .. } => assert!(good),
                DiskAnswer::CheckDone => return,
                other => panic!("{other:?}"),
            }
        }
    }
}

fn main() {
    // Cargo passes `--bench`.
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_else(|| "/dev/shm".to_owned());
    let home = PathBuf::from(folder).join(format!("compeer-disk-bench-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder");
    // One piece of random bytes; every piece has the same content, so that it lies in the cache as fresh network bytes do.
    let mut buffer = vec![0; PIECE as usize];
    fastrand::Rng::with_seed(1).fill(&mut buffer);
    let content = Bytes::from(buffer);
    let expected = PieceHash { v1: Some(Sha1::digest(&content).into()), v2: None };

    measured("floor: SHA-1 of 256 KiB at a time", || {
        let mut sha1 = Sha1::new();
        for i in 0..(TOTAL as usize / LARGE) {
            let at = i * LARGE % PIECE as usize;
            sha1.update(&content[at..at + LARGE]);
        }
        sha1.finalize()
    });
    let plain = home.join("floor");
    measured("floor: pwrite of 256 KiB at a time", || {
        let file = File::create(&plain).expect("a file");
        for i in 0..(TOTAL as usize / LARGE) {
            let at = i * LARGE % PIECE as usize;
            std::os::unix::fs::FileExt::write_all_at(&file, &content[at..at + LARGE], (i * LARGE) as u64)
                .expect("room");
        }
    });
    measured("floor: pread of 256 KiB at a time", || {
        let file = File::open(&plain).expect("a file");
        let pool = Pool::new(LARGE);
        let mut buffer = pool.try_acquire(LARGE).expect("free");
        for i in 0..(TOTAL as usize / LARGE) {
            std::os::unix::fs::FileExt::read_exact_at(&file, &mut buffer, (i * LARGE) as u64).expect("readable");
        }
    });
    std::fs::remove_file(&plain).expect("removable");

    for (name, order) in [("in order", [0, 1, 2, 3]), ("batches backwards", [3, 2, 1, 0])] {
        let mut bench = Bench::new(info(false), &home, &content, expected);
        measured(&format!("write and verify, {name}"), || bench.write_and_verify(&order));
        measured("read", || bench.read_all());
        measured("check", || bench.check());
        bench.remove();
    }
    let mut bench = Bench::new(info(true), &home, &content, expected);
    measured("many files: write and verify", || bench.write_and_verify(&[0, 1, 2, 3]));
    measured("many files: give them their names", || bench.finish());
    measured("many files: read", || bench.read_all());
    measured("many files: check", || bench.check());
    bench.remove();
    std::fs::remove_dir(&home).expect("nothing is left behind");
}
