//! Taking up torrents: from a link or a file to a record.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use metainfo::{Magnet, TorrentFile};
use torrent_proto::torrent::Source;
use torrent_proto::tracker::TrackerUrl;

use super::{Launch, Session};
use crate::ask::Ask;
use crate::store::Record;
use crate::types::{Add, AddError, AddSource, Added, TorrentId};

/// The longest .torrent file that is fetched, in bytes. A torrent of two million pieces has 42 MB of v1 hashes; this is
/// the size that libtorrent accepts by default, and more.
const MAX_TORRENT_FILE: usize = 64 << 20;

/// How long fetching it may take. Arbitrary.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// How many addresses of one host name are tried. Arbitrary.
const MAX_ADDRESSES: usize = 8;

/// How much of an input is shown in an error, in characters.
const SHOWN: usize = 80;

impl Session {
    /// Takes up a torrent. With an http(s) URL it first fetches the .torrent file. One that is here already gets the
    /// trackers and peers of the order.
    pub async fn add(&self, add: Add) -> Result<Added, AddError> {
        if self.shared.registry.is_closed() {
            return Err(AddError::ShuttingDown);
        }
        for tracker in &add.trackers {
            tracker.parse::<TrackerUrl>().map_err(|error| AddError::Hint(error.to_string()))?;
        }
        let mut peers = add.peers.clone();
        let mut record = match &add.source {
            AddSource::File(bytes) => self.record_of_file("the torrent file", bytes)?,
            AddSource::Link(link) => self.record_of_link(link.trim(), &mut peers).await?,
        };
        record.trackers.extend(add.trackers.iter().map(|url| vec![url.clone()]));
        if add.confined {
            // Whatever the source names, nobody is told.
            (record.trackers, record.web_seeds) = Default::default();
            peers.clear();
        }
        let mut addresses = Vec::new();
        for peer in &peers {
            match self.resolve(peer).await {
                Ok(found) => addresses.extend(found),
                // What the user typed must be right; what a link names may be gone.
                Err(reason) if add.peers.contains(peer) => return Err(AddError::Hint(reason)),
                Err(reason) => tracing::debug!(%peer, %reason, "a peer of the link is of no use"),
            }
        }
        if let Some(id) = self.find(&record.hashes) {
            return self.merge(id, &add, record, addresses).await;
        }
        if let Some(folder) = add.folder {
            record.folder = folder;
        }
        record.paused = add.paused || add.metadata_only;
        record.completed = add.have_all.then(|| self.shared.clock.now().wall);
        record.no_tracker = add.no_tracker;
        record.confined = add.confined;
        record.sequential = add.sequential;
        record.super_seed = add.super_seed;
        record.goal = add.goal;
        record.limits = add.limits;
        for (file, priority) in add.priorities {
            let at = file.0 as usize;
            // A magnet's files are not known yet; the number is checked against the torrent when it is.
            if at < metainfo_files(&record) {
                let length = record.priorities.len().max(at + 1);
                record.priorities.resize(length, Default::default());
                record.priorities[at] = priority;
            }
        }
        let id = record.id;
        let look = add.metadata_only && !add.paused && record.file.is_none();
        self.launch(record, Launch { new: true, complete: add.have_all, look })?;
        // A torrent that is told to be here is here after a crash as well.
        self.shared.store.flush().await?;
        self.hint(id, addresses).await;
        Ok(Added { id, known: false })
    }

    /// Gives a torrent that is here what the order brings.
    async fn merge(
        &self,
        id: TorrentId,
        add: &Add,
        record: Record,
        addresses: Vec<SocketAddr>,
    ) -> Result<Added, AddError> {
        // To take up a confined one by its link would tell the world of it; to confine what the world has would be a lie.
        if self.shared.registry.get(id).is_some_and(|handle| handle.confined != add.confined) {
            return Err(AddError::OtherAudience(id));
        }
        if let (Some(folder), Ok(status)) = (&add.folder, self.status(id).await)
            && *folder != status.folder
        {
            return Err(AddError::OtherFolder { id, folder: status.folder });
        }
        if let Some(handle) = self.shared.registry.get(id) {
            let trackers = record.trackers.into_iter().flatten().collect();
            let _ = handle.asks.send(Ask::AddTrackers(trackers)).await;
        }
        self.hint(id, addresses).await;
        Ok(Added { id, known: true })
    }

    /// Turns `host:port` into addresses. Behind a proxy names are not asked for: the question would pass beside it.
    ///
    /// # Errors
    /// One sentence.
    pub async fn resolve(&self, peer: &str) -> Result<Vec<SocketAddr>, String> {
        if self.shared.egress.proxy.is_some() && peer.parse::<SocketAddr>().is_err() {
            return Err(format!("{peer}: behind a proxy a peer is named by its address, as 192.0.2.7:6881 is"));
        }
        resolve(peer, &self.shared.egress).await
    }

    async fn hint(&self, id: TorrentId, addresses: Vec<SocketAddr>) {
        if let Some(handle) = self.shared.registry.get(id).filter(|_| !addresses.is_empty()) {
            let _ = handle.asks.send(Ask::Candidates(Source::Hint, addresses)).await;
        }
    }

    async fn record_of_link(&self, link: &str, peers: &mut Vec<String>) -> Result<Record, AddError> {
        if link.starts_with("http://") || link.starts_with("https://") {
            let fetched = self.shared.http.get(link, MAX_TORRENT_FILE, FETCH_TIMEOUT).await;
            let bytes = fetched.map_err(|error| AddError::Fetch { url: link.to_owned(), reason: error.to_string() })?;
            return self.record_of_file(link, &bytes);
        }
        let magnet: Magnet = link.parse().map_err(|error| source_error(link, &error))?;
        for hint in &magnet.peers {
            let host = if hint.host.contains(':') { format!("[{}]", hint.host) } else { hint.host.clone() };
            peers.push(format!("{host}:{}", hint.port));
        }
        let mut record = self.empty_record(magnet.hashes);
        record.name = magnet.name;
        record.trackers = magnet.trackers.into_iter().map(|url| vec![url]).collect();
        record.web_seeds = magnet.web_seeds;
        record.only_files = magnet.select.map(|ranges| ranges_to_text(&ranges));
        Ok(record)
    }

    fn record_of_file(&self, input: &str, bytes: &Bytes) -> Result<Record, AddError> {
        let file = TorrentFile::from_bytes(bytes).map_err(|error| {
            source_error(
                input,
                &format_args!("this is no torrent file ({error}): fetch it again from where it is offered"),
            )
        })?;
        let mut record = self.empty_record(file.hashes());
        record.trackers = file.trackers;
        record.web_seeds = file.web_seeds;
        record.file = Some(bytes.clone());
        Ok(record)
    }

    fn empty_record(&self, hashes: metainfo::InfoHashes) -> Record {
        Record {
            id: hashes.key(),
            hashes,
            name: None,
            file: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            only_files: None,
            peers: Vec::new(),
            folder: self.shared.folder(),
            paused: false,
            no_tracker: false,
            confined: false,
            sequential: false,
            super_seed: false,
            priorities: Vec::new(),
            goal: Default::default(),
            limits: Default::default(),
            added: self.shared.clock.now().wall,
            completed: None,
            seeding_time: Duration::ZERO,
            resume: None,
        }
    }
}

/// How many files the record's torrent has; without metadata, as many as any torrent may have.
fn metainfo_files(record: &Record) -> usize {
    let file = record.file.as_ref().and_then(|bytes| TorrentFile::from_bytes(bytes).ok());
    file.map_or(0, |file| file.info.layout().files().len())
}

fn source_error(input: &str, error: &dyn std::fmt::Display) -> AddError {
    let mut shown: String = input.chars().take(SHOWN).collect();
    if shown.len() < input.len() {
        shown.push('…');
    }
    AddError::Source { input: shown, reason: error.to_string() }
}

/// Turns `host:port` into addresses.
async fn resolve(peer: &str, egress: &net::Egress) -> Result<Vec<SocketAddr>, String> {
    let form = || format!("{peer:?} is not a peer: write HOST:PORT, for example 192.0.2.7:6881 or [2001:db8::7]:6881");
    if let Ok(address) = peer.parse::<SocketAddr>() {
        return if address.port() == 0 { Err(form()) } else { Ok(vec![address]) };
    }
    let (host, port) = peer.rsplit_once(':').ok_or_else(form)?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(form)?;
    if host.is_empty() {
        return Err(form());
    }
    let found = egress.lookup(host, port).await;
    let mut found = found.map_err(|error| format!("the peer {peer} cannot be resolved: {error}"))?;
    found.truncate(MAX_ADDRESSES);
    Ok(found)
}

/// Writes file numbers as BEP 53 does: `0,2-4`.
fn ranges_to_text(ranges: &[RangeInclusive<u32>]) -> String {
    let text = |r: &RangeInclusive<u32>| format!("{}-{}", r.start(), r.end());
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

/// Reads what [`ranges_to_text`] wrote.
pub(super) fn parse_ranges(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-')?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_is_none_is_said_so() {
        assert_eq!(
            resolve("127.0.0.1:6881", &net::Egress::default()).await.unwrap(),
            ["127.0.0.1:6881".parse().unwrap()]
        );
        assert!(!resolve("localhost:6881", &net::Egress::default()).await.unwrap().is_empty());
        for peer in ["", "host", "host:", ":1", "host:0", "127.0.0.1:0", "host:99999"] {
            let error = resolve(peer, &net::Egress::default()).await.unwrap_err();
            assert!(error.contains("write HOST:PORT"), "{peer}: {error}");
        }
    }

    #[test]
    fn ranges_read_back() {
        let ranges = [0..=0, 2..=4];
        assert_eq!(ranges_to_text(&ranges), "0-0,2-4");
        assert_eq!(parse_ranges("0-0,2-4").unwrap(), ranges);
        assert_eq!(parse_ranges("x"), None);
    }
}
