//! Web seeds (BEP 19): a server that has the content as plain files, used like a peer that has everything.
//!
//! [`WebSeeds`] knows a torrent's servers and when each may be tried again; a [`WebSeedTask`] is one connection: it
//! turns contiguous requests into one range request a file and cuts the answer into blocks. Bounds: one HTTP request at
//! a time a server, [`RUN_BYTES`] a run, a pool buffer a block before its bytes are read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Instant;
use bytes::Bytes;
use disk::Buffer;
use metainfo::{BLOCK_LEN, Block, FileIndex, Info, Layout};
use net::{Asking, Carrier, Direction, HttpError, Limiter, Meter};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;
use torrent_proto::torrent::PeerKey;
use torrent_proto::wire::Message;

use crate::queue::Sender;
use crate::report::{Order, Report};
use crate::shared::Shared;
use crate::types::WebSeedStatus;

/// How much is asked for in one run of requests. Large enough that a round trip does not matter, small enough that the
/// picker keeps its say. Arbitrary.
const RUN_BYTES: u64 = 4 << 20;

/// How many blocks go to the torrent at once.
const BLOCKS_A_REPORT: usize = 16;

/// The wait after a first failure; it doubles with each further one. Arbitrary.
const FIRST_RETRY: Duration = Duration::from_secs(10);

/// The longest wait. Arbitrary.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// How many servers of a torrent are used. Arbitrary.
const MAX_SERVERS: usize = 20;

/// What stays as it is in a path (RFC 3986, unreserved characters).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the gate is asked before a server's address is known.
const ASKING: Asking = Asking {
    address: None,
    node: None,
    person: None,
    service: net::FILES,
    carrier: Carrier::Tcp,
    direction: Direction::Outgoing,
};

/// Why a server was of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub reason: String,
    /// Trying again makes no sense.
    pub fatal: bool,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Failure {
    fn passing(reason: impl Into<String>) -> Failure {
        Failure { reason: reason.into(), fatal: false, retry_after: None }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Failure {
        let (fatal, retry_after) = match &error {
            // A server without ranges: of use only for files that are asked for as a whole.
            HttpError::Status { status: 200, .. } => (true, None),
            // Too many requests, timeouts and the server's own troubles pass; other refusals do not (RFC 9110, 15.5).
            HttpError::Status { status: 408 | 425 | 429 | 500.., retry_after } => (false, *retry_after),
            HttpError::Status { .. } => (true, None),
            HttpError::NoAnswer(_) | HttpError::Setup(_) | HttpError::TooLong(_) => (false, None),
        };
        let reason = match &error {
            HttpError::Status { status: 200, .. } => "the server does not serve parts of files".to_owned(),
            other => other.to_string(),
        };
        Failure { reason, fatal, retry_after }
    }
}

/// A torrent's servers.
#[derive(Debug)]
pub(crate) struct WebSeeds {
    servers: Vec<Server>,
    /// Those of another scheme than HTTP, which are only shown.
    refused: Vec<String>,
}

#[derive(Debug)]
struct Server {
    url: String,
    /// When it may be tried; `None` while it is in use, and for ever once it is dropped.
    due: Option<Instant>,
    failures: u32,
    dropped: bool,
    /// It has sent content.
    answered: bool,
    /// Why it failed last; none once it sends content again.
    words: Option<String>,
}

impl WebSeeds {
    /// Takes the http(s) URLs of a torrent.
    pub(crate) fn new(urls: &[String]) -> WebSeeds {
        let http = |url: &&String| url.starts_with("http://") || url.starts_with("https://");
        let (servers, refused): (Vec<&String>, Vec<&String>) = urls.iter().partition(http);
        let server = |url: &String| Server {
            url: url.clone(),
            due: Some(Instant::START),
            failures: 0,
            dropped: false,
            answered: false,
            words: None,
        };
        WebSeeds {
            servers: servers.into_iter().take(MAX_SERVERS).map(server).collect(),
            refused: refused.into_iter().take(MAX_SERVERS).cloned().collect(),
        }
    }

    /// Returns how each server does.
    pub(crate) fn status(&self) -> Vec<WebSeedStatus> {
        let used = self.servers.iter().map(|server| WebSeedStatus {
            url: server.url.clone(),
            message: server.words.clone(),
            failing: server.words.is_some(),
            answered: server.answered,
        });
        let refused = self.refused.iter().map(|url| WebSeedStatus {
            url: url.clone(),
            message: Some("only http:// and https:// web seeds are supported".to_owned()),
            failing: true,
            answered: false,
        });
        used.chain(refused).collect()
    }

    /// A server sent content.
    pub(crate) fn delivered(&mut self, url: &str) {
        if let Some(server) = self.servers.iter_mut().find(|server| server.url == url) {
            server.answered = true;
            server.words = None;
        }
    }

    /// When the next server may be tried.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.servers.iter().filter_map(|server| server.due).min()
    }

    /// Takes the servers whose time has come; each is in use until [`WebSeeds::ended`].
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let due = self.servers.iter_mut().filter(|server| server.due.is_some_and(|at| at <= now));
        due.map(|server| {
            server.due = None;
            server.url.clone()
        })
        .collect()
    }

    /// A connection failed; its end follows.
    pub(crate) fn failed(&mut self, url: &str, failure: &Failure, now: Instant) {
        let Some(server) = self.servers.iter_mut().find(|server| server.url == url) else { return };
        server.dropped |= failure.fatal;
        server.words = Some(failure.reason.clone());
        let wait = FIRST_RETRY.saturating_mul(1 << server.failures.min(10)).min(MAX_RETRY);
        server.failures += 1;
        server.due = Some(now + failure.retry_after.unwrap_or(wait).clamp(FIRST_RETRY, MAX_RETRY));
    }

    /// A connection ended; without a failure before it, it may be made again soon.
    pub(crate) fn ended(&mut self, url: &str, now: Instant) {
        let Some(server) = self.servers.iter_mut().find(|server| server.url == url) else { return };
        server.due = match server.due {
            _ if server.dropped => None,
            Some(due) => Some(due),
            None => Some(now + Duration::from_secs(1)),
        };
    }

    /// Never tries a server again.
    pub(crate) fn drop_server(&mut self, url: &str, reason: &str) {
        if let Some(server) = self.servers.iter_mut().find(|server| server.url == url) {
            tracing::info!(%url, reason, "a web seed is dropped");
            server.dropped = true;
            server.words = Some(reason.to_owned());
        }
    }
}

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct WebSeedTask {
    peer: PeerKey,
    url: String,
    info: Arc<Info>,
    shared: Arc<Shared>,
    limiter: Limiter,
    reports: Sender<Report>,
    orders: mpsc::Receiver<Order>,
    /// Requests not begun yet, in order.
    requests: Vec<Block>,
}

/// A part of one file, or padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    file: Option<FileIndex>,
    offset: u64,
    length: u64,
}

impl WebSeedTask {
    /// Builds the task.
    pub(crate) fn new(
        peer: PeerKey,
        url: String,
        info: Arc<Info>,
        shared: Arc<Shared>,
        limiter: Limiter,
        reports: Sender<Report>,
        orders: mpsc::Receiver<Order>,
    ) -> WebSeedTask {
        WebSeedTask { peer, url, info, shared, limiter, reports, orders, requests: Vec::new() }
    }

    /// Serves requests until the torrent drops the connection or the server fails.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        loop {
            while self.requests.is_empty() {
                match self.orders.recv().await {
                    Some(order) => self.obey(order),
                    None => return Ok(()),
                }
            }
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order);
            }
            if self.requests.is_empty() {
                continue;
            }
            let run = take_run(&mut self.requests, self.info.layout());
            self.fetch(run).await?;
        }
    }

    fn obey(&mut self, order: Order) {
        let Order::Send(messages) = order else { return };
        for message in messages {
            match message {
                Message::Request(block) => self.requests.push(block),
                Message::Cancel(block) => self.requests.retain(|other| *other != block),
                // Everything else means nothing to a server.
                _ => {}
            }
        }
    }

    /// Fetches a contiguous run of blocks and reports them as they come.
    async fn fetch(&mut self, run: Vec<Block>) -> Result<(), Failure> {
        let parts = parts_of(&run, self.info.layout());
        let mut cutter = Cutter { blocks: run.into_iter(), current: None, batch: Vec::new() };
        for part in parts {
            let Some(file) = part.file else {
                let zeros = [0; 4096];
                let mut left = part.length;
                while left > 0 {
                    let step = left.min(zeros.len() as u64);
                    self.take_bytes(&mut cutter, &zeros[..step as usize]).await;
                    left -= step;
                }
                continue;
            };
            let Some(whole) = self.info.layout().file(file).map(|f| f.length) else { continue };
            let url = file_url(&self.url, &self.info, file);
            let all = part.offset == 0 && part.length == whole;
            let refused =
                |refusal: net::Refusal| Failure::passing(format!("the gate does not let us there: {refusal}"));
            self.shared.gate.refuses(&ASKING).map_or(Ok(()), |refusal| Err(refused(refusal)))?;
            let mut body = self.shared.http.get_range(&url, part.offset, part.length, all).await?;
            let asking = Asking { address: body.remote_addr(), ..ASKING };
            let pass = self.shared.gate.admit(&asking).map_err(refused)?;
            let (mut down, _) = pass.meters(Some(&self.limiter));
            let mut left = part.length;
            while left > 0 {
                let chunk = tokio::select! {
                    chunk = body.chunk() => chunk?,
                    refusal = pass.revoked() => return Err(refused(refusal)),
                };
                let Some(chunk) = chunk else {
                    return Err(Failure::passing(format!("{url}: the answer is {left} bytes short")));
                };
                let used = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                wait_for_limit(&mut down, used).await;
                self.take_bytes(&mut cutter, &chunk[..used]).await;
                left -= used as u64;
            }
        }
        self.send(&mut cutter).await;
        Ok(())
    }

    /// Cuts what came into blocks; whole ones go to the torrent.
    async fn take_bytes(&mut self, cutter: &mut Cutter, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if cutter.current.is_none() {
                let Some(block) = cutter.blocks.next() else { return };
                // The permit for these bytes: while there is none, the server is not read.
                let buffer = self.shared.pool.acquire(block.length as usize).await;
                cutter.current = Some((block, buffer, 0));
            }
            let Some((block, buffer, filled)) = &mut cutter.current else { return };
            let used = bytes.len().min(block.length as usize - *filled);
            buffer[*filled..*filled + used].copy_from_slice(&bytes[..used]);
            *filled += used;
            bytes = &bytes[used..];
            if *filled == block.length as usize {
                cutter.finish_block();
            }
            if cutter.batch.len() >= BLOCKS_A_REPORT {
                self.send(cutter).await;
            }
        }
    }

    async fn send(&self, cutter: &mut Cutter) {
        let messages = std::mem::take(&mut cutter.batch);
        if !messages.is_empty() {
            // Fails only at the torrent's end.
            let _ = self.reports.send(Report::Received { peer: self.peer, messages }).await;
        }
    }
}

async fn wait_for_limit(down: &mut Meter, bytes: usize) {
    let mut left = bytes;
    while left > 0 {
        match down.take(left) {
            Ok(granted) => left -= granted,
            Err(wait) => tokio::time::sleep(wait).await,
        }
    }
}

/// Cuts a stream of bytes into the blocks of a run.
#[derive(Debug)]
struct Cutter {
    blocks: std::vec::IntoIter<Block>,
    current: Option<(Block, Buffer, usize)>,
    batch: Vec<Message>,
}

impl Cutter {
    fn finish_block(&mut self) {
        if let Some((block, buffer, filled)) = self.current.take() {
            let data: Bytes = buffer.freeze(filled);
            self.batch.push(Message::Piece { piece: block.piece, offset: block.offset, data });
        }
    }
}

/// Takes the first request and those that follow it without a gap, up to [`RUN_BYTES`].
fn take_run(requests: &mut Vec<Block>, layout: &Layout) -> Vec<Block> {
    let follows = |a: &Block, b: &Block| {
        (a.piece == b.piece && a.end() == b.offset)
            || (a.piece.0 + 1 == b.piece.0 && b.offset == 0 && a.end() == layout.piece_len(a.piece))
    };
    let mut count = 1;
    let mut bytes = u64::from(requests[0].length);
    while let Some(next) = requests.get(count)
        && follows(&requests[count - 1], next)
        && bytes < RUN_BYTES
    {
        bytes += u64::from(next.length);
        count += 1;
    }
    requests.drain(..count).collect()
}

/// Returns the parts of files that a run covers, joined where they touch.
fn parts_of(run: &[Block], layout: &Layout) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for segment in run.iter().flat_map(|block| layout.file_ranges(*block)) {
        let part = Part { file: segment.file, offset: segment.file_offset, length: segment.length.into() };
        match parts.last_mut() {
            Some(last)
                if last.file == part.file && (part.file.is_none() || last.offset + last.length == part.offset) =>
            {
                last.length += part.length;
            }
            _ => parts.push(part),
        }
    }
    parts
}

/// Returns the URL of a file (BEP 19): a single file's URL is the server's own unless it ends in a slash; otherwise the
/// torrent's name and the file's path follow.
fn file_url(server: &str, info: &Info, file: FileIndex) -> String {
    let Some(file) = info.layout().file(file) else { return server.to_owned() };
    let single = file.path.len() == 1;
    if single && !server.ends_with('/') {
        return server.to_owned();
    }
    let path: Vec<String> = file.path.iter().map(|part| utf8_percent_encode(part, PATH).to_string()).collect();
    format!("{}/{}", server.trim_end_matches('/'), path.join("/"))
}

/// The requests of a run never exceed what a pool buffer holds.
const _: () = assert!(BLOCK_LEN as usize <= disk::LARGE);

#[cfg(test)]
mod tests {
    use super::*;
    use metainfo::PieceIndex;

    fn info(files: &[(&str, u64)]) -> Arc<Info> {
        let total: u64 = files.iter().map(|(_, length)| length).sum();
        let hashes = vec![b'x'; 20 * total.div_ceil(32768) as usize];
        let mut raw = b"d".to_vec();
        match files {
            [(_, length)] => raw.extend(format!("6:lengthi{length}e4:name6:a name").bytes()),
            files => {
                raw.extend(b"5:filesl");
                for (name, length) in files {
                    raw.extend(format!("d6:lengthi{length}e4:pathl{}:{name}ee", name.len()).bytes());
                }
                raw.extend(b"e4:name6:a name");
            }
        }
        raw.extend(format!("12:piece lengthi32768e6:pieces{}:", hashes.len()).bytes());
        raw.extend(hashes);
        raw.push(b'e');
        Arc::new(Info::from_bytes(raw.into()).unwrap())
    }

    fn block(piece: u32, offset: u32, length: u32) -> Block {
        Block { piece: PieceIndex(piece), offset, length }
    }

    #[test]
    fn urls_follow_the_kind_of_torrent() {
        let single = info(&[("", 5)]);
        let many = info(&[("x&y", 5), ("z", 5)]);
        for (server, info, url) in [
            ("http://h/dir/file.iso", &single, "http://h/dir/file.iso"),
            ("http://h/dir/", &single, "http://h/dir/a%20name"),
            ("http://h/dir", &many, "http://h/dir/a%20name/x%26y"),
            ("http://h/dir/", &many, "http://h/dir/a%20name/x%26y"),
        ] {
            assert_eq!(file_url(server, info, FileIndex(0)), url);
        }
    }

    #[test]
    fn a_run_ends_at_a_gap_and_its_parts_are_joined_by_file() {
        let info = info(&[("a", 40_000), ("b", 30_000)]);
        let mut requests =
            vec![block(0, 0, 16384), block(0, 16384, 16384), block(1, 0, 16384), block(2, 0, 4464), block(0, 0, 16384)];
        let run = take_run(&mut requests, info.layout());
        assert_eq!(run, [block(0, 0, 16384), block(0, 16384, 16384), block(1, 0, 16384)]);
        assert_eq!(take_run(&mut requests, info.layout()), [block(2, 0, 4464)]);
        let parts = parts_of(&run, info.layout());
        let part = |file, offset, length| Part { file: Some(FileIndex(file)), offset, length };
        assert_eq!(parts, [part(0, 0, 40_000), part(1, 0, 9152)]);
    }

    #[test]
    fn a_failing_server_waits_longer_and_a_bad_one_is_dropped() {
        let mut seeds = WebSeeds::new(&["http://a/".into(), "ftp://b/".into(), "https://c/".into()]);
        let now = Instant::START + Duration::from_secs(100);
        assert_eq!(seeds.take_due(now), ["http://a/", "https://c/"]);
        assert_eq!(seeds.due(), None);
        let failure = Failure::passing("down");
        seeds.failed("http://a/", &failure, now);
        seeds.ended("http://a/", now);
        assert_eq!(seeds.due(), Some(now + FIRST_RETRY));
        seeds.failed("http://a/", &failure, now);
        assert_eq!(seeds.due(), Some(now + FIRST_RETRY * 2));
        let missing = Failure::from(HttpError::Status { status: 404, retry_after: None });
        seeds.failed("https://c/", &missing, now);
        seeds.ended("https://c/", now);
        assert_eq!(seeds.take_due(now + MAX_RETRY), ["http://a/"]);
        let busy = Failure::from(HttpError::Status { status: 503, retry_after: Some(Duration::from_secs(77)) });
        assert_eq!((busy.fatal, busy.retry_after), (false, Some(Duration::from_secs(77))));
    }

    #[test]
    fn a_servers_last_words_are_kept_until_it_sends_content() {
        let mut seeds = WebSeeds::new(&["http://a/".into(), "ftp://b/".into()]);
        let words = |seeds: &WebSeeds| seeds.status().into_iter().map(|s| (s.failing, s.message)).collect::<Vec<_>>();
        let refused = (true, Some("only http:// and https:// web seeds are supported".to_owned()));
        assert_eq!(words(&seeds), [(false, None), refused.clone()]);
        let no_ranges = Failure::from(HttpError::Status { status: 200, retry_after: None });
        seeds.failed("http://a/", &no_ranges, Instant::START);
        assert_eq!(words(&seeds)[0], (true, Some("the server does not serve parts of files".to_owned())));
        seeds.delivered("http://a/");
        assert_eq!(words(&seeds), [(false, None), refused]);
        assert!(seeds.status()[0].answered);
    }
}
