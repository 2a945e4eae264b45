//! The steps, by the calls that Linux has for them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use sha1::{Digest, Sha1};
use sha2::Sha256;

/// What one call moves: as much as a large buffer of the engine (`disk::LARGE`).
const CHUNK: usize = 256 * 1024;
/// A leaf of a v2 torrent's tree (BEP 52).
const LEAF: usize = 16 * 1024;
const PAGE: usize = 4096;

/// Runs every step on `mib` MiB and returns the JSON object.
pub fn measure(folder: &Path, mib: u64) -> io::Result<String> {
    let path = folder.join(format!("floor-{}.bin", std::process::id()));
    let measured = steps(&path, mib * (1 << 20) / CHUNK as u64);
    let removed = std::fs::remove_file(&path);
    measured.and_then(|report| removed.map(|()| report.finish()))
}

fn steps(path: &Path, chunks: u64) -> io::Result<Report> {
    let mut report = Report::new(chunks);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    let mut memory = vec![0xa5; CHUNK + PAGE];
    let start = memory.as_ptr().align_offset(PAGE);
    let buffer = &mut memory[start..start + CHUNK];

    report.step("sha1", || {
        sha1(buffer, chunks);
        Ok(())
    })?;
    report.step("sha256", || {
        sha256(buffer, chunks);
        Ok(())
    })?;
    let cores = thread::available_parallelism()?.get() as u64;
    let began = Instant::now();
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(|| sha1(buffer, chunks / cores)))));
    report.add("sha1_all_cores_wall", began.elapsed().as_secs_f64());
    let began = Instant::now();
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(|| sha256(buffer, chunks / cores)))));
    report.add("sha256_all_cores_wall", began.elapsed().as_secs_f64());

    // The pages are new, as those of a download are.
    report.step("write", || (0..chunks).try_for_each(|i| file.write_all_at(buffer, i * CHUNK as u64)))?;
    report.step("read", || (0..chunks).try_for_each(|i| file.read_exact_at(buffer, i * CHUNK as u64)))?;

    report.transfer("sendfile", "receive_from_sendfile", |to| {
        let (mut at, end) = (0, chunks * CHUNK as u64);
        while at < end {
            rustix::fs::sendfile(to, &file, Some(&mut at), CHUNK)?;
        }
        Ok(())
    })?;
    report.transfer("pread_and_send", "receive", |mut to| {
        (0..chunks).try_for_each(|i| {
            file.read_exact_at(buffer, i * CHUNK as u64)?;
            to.write_all(buffer)
        })
    })?;
    report.values.push_str(&format!("\"cores\": {cores}"));
    Ok(report)
}

fn sha1(buffer: &[u8], chunks: u64) {
    let mut hash = Sha1::new();
    (0..chunks).for_each(|_| hash.update(buffer));
    std::hint::black_box(hash.finalize());
}

fn sha256(buffer: &[u8], chunks: u64) {
    for _ in 0..chunks {
        buffer.chunks(LEAF).for_each(|leaf| {
            std::hint::black_box(Sha256::digest(leaf));
        });
    }
}

/// The seconds that this thread has run so far: in nanoseconds the first number of its schedstat.
fn cpu_seconds() -> io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().and_then(|number| number.parse::<u64>().ok());
    Ok(nanoseconds.ok_or_else(|| io::Error::other("/proc/thread-self/schedstat has no number"))? as f64 / 1e9)
}

/// What was measured, as the inside of a JSON object.
struct Report {
    chunks: u64,
    values: String,
}

impl Report {
    fn new(chunks: u64) -> Report {
        Report { chunks, values: String::new() }
    }

    /// Notes seconds, turned into those of a GiB.
    fn add(&mut self, name: &str, seconds: f64) {
        let per_gib = seconds * (1 << 30) as f64 / (self.chunks * CHUNK as u64) as f64;
        // A String takes everything.
        let _ = write!(self.values, "\"{name}\": {per_gib:.4}, ");
    }

    fn step(&mut self, name: &str, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let (cpu, wall) = (cpu_seconds()?, Instant::now());
        work()?;
        self.add(&format!("{name}_cpu"), cpu_seconds()? - cpu);
        self.add(&format!("{name}_wall"), wall.elapsed().as_secs_f64());
        Ok(())
    }

    /// Sends by this thread what another receives and discards, over one loopback connection.
    fn transfer(
        &mut self,
        sending: &str,
        receiving: &str,
        send: impl FnOnce(&TcpStream) -> io::Result<()>,
    ) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let to = TcpStream::connect(listener.local_addr()?)?;
        let receiver = thread::spawn(move || -> io::Result<f64> {
            let (mut from, _) = listener.accept()?;
            let mut memory = vec![0; CHUNK + PAGE];
            let start = memory.as_ptr().align_offset(PAGE);
            let before = cpu_seconds()?;
            while from.read(&mut memory[start..start + CHUNK])? > 0 {}
            Ok(cpu_seconds()? - before)
        });
        self.step(sending, || send(&to))?;
        drop(to);
        let cpu = receiver.join().map_err(|_| io::Error::other("the receiver panicked"))??;
        self.add(&format!("{receiving}_cpu"), cpu);
        Ok(())
    }

    fn finish(self) -> String {
        format!("{{{}}}", self.values)
    }
}
