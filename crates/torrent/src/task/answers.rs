//! What the session asks of a torrent.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use metainfo::{FileIndex, Magnet, PieceIndex};
use net::Carrier;
use tokio::sync::oneshot;
use torrent_proto::torrent::{Command, Input, PeerKind, Priority, State};

use super::{Ending, TorrentTask};
use crate::ask::{Ask, Reply};
use crate::tracker::TrackerOrder;
use crate::types::{FileStatus, PeerStatus, PiecesStatus, TorrentError, TorrentLimits, TorrentStatus};

/// How many pieces a reader may ask for ahead (arbitrary: with pieces of a mebibyte some minutes of film).
const READ_PIECES: usize = 256;

impl TorrentTask {
    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Status(reply) => answer(reply, self.status()),
            Ask::Peers(reply) => answer(reply, self.peers()),
            Ask::Files(reply) => answer(reply, self.files()),
            Ask::Pieces(runs, reply) => answer(reply, self.pieces(runs)),
            Ask::Trackers(reply) => self.trackers.order(TrackerOrder::Status(reply)),
            Ask::WebSeeds(reply) => answer(reply, self.web_seeds.status()),
            Ask::Sources(reply) => self.sources(reply),
            Ask::Magnet(reply) => answer(reply, self.magnet()),
            Ask::TorrentFile(reply) => self.torrent_file(reply),
            Ask::Pause(reply) => {
                self.set_paused(true);
                answer(reply, ());
            }
            Ask::Resume(reply) => {
                self.set_paused(false);
                answer(reply, ());
            }
            Ask::Recheck(reply) => {
                self.command(Command::Recheck);
                answer(reply, ());
            }
            Ask::Prioritise(files, reply) => answer(reply, self.prioritise(files)),
            Ask::Sequential(on, reply) => {
                self.record.sequential = on;
                self.command(Command::Sequential(on));
                self.save();
                answer(reply, ());
            }
            Ask::Read(file, bytes, reply) => answer(reply, self.read(file, &bytes)),
            Ask::Open(file, reply) => answer(reply, self.open_reader(file)),
            Ask::Await(reader, at, reply) => self.await_bytes(reader, at, reply),
            Ask::IsComing(reader, at, reply) => answer(reply, self.is_coming(reader, at)),
            Ask::Close(reader) => self.close_reader(reader),
            Ask::SuperSeed(on, reply) => {
                self.record.super_seed = on;
                self.command(Command::SuperSeed(on));
                self.save();
                answer(reply, ());
            }
            Ask::Limit(limits, reply) => {
                self.set_limits(limits);
                answer(reply, ());
            }
            Ask::Goal(goal, reply) => {
                self.record.goal = goal;
                self.save();
                self.check_goal();
                answer(reply, ());
            }
            Ask::GlobalLimits => self.apply_limits(),
            Ask::Held => self.held_changed(),
            Ask::RoomMade => self.command(Command::RoomMade),
            Ask::MoveTo(folder, reply) => self.move_to(folder, reply),
            Ask::Moved(folder) => {
                self.record.folder = folder;
                self.save();
            }
            Ask::Candidates(source, addresses) => self.input(Input::Candidates { source, addresses }),
            Ask::Audience(nodes) => {
                self.nodes = nodes.into_iter().map(|node| (node.stand_in(), node)).collect();
                self.command(Command::Audience(self.nodes.keys().copied().collect()));
            }
            Ask::AddTrackers(urls) => self.add_trackers(urls),
            Ask::Reannounce => self.trackers.order(TrackerOrder::Retry),
            Ask::Remove { with_data, reply } => self.begin_end(Ending::Remove { with_data, reply }),
            Ask::Shutdown(reply) => self.begin_end(Ending::Shutdown(reply)),
        }
    }

    fn begin_end(&mut self, ending: Ending) {
        self.ending = Some(ending);
        self.settled = false;
        self.remember_peers();
        self.end_by = Some(self.shared.clock.mono() + super::END_LIMIT);
        self.command(Command::Pause);
    }

    fn set_paused(&mut self, paused: bool) {
        self.record.paused = paused;
        self.command(if paused || self.shared.is_held() { Command::Pause } else { Command::Resume });
        self.save();
    }

    fn held_changed(&mut self) {
        if self.shared.is_held() {
            self.command(Command::Pause);
        } else if !self.record.paused && self.state == Some(State::Paused) && self.ending.is_none() {
            self.command(Command::Resume);
        }
    }

    /// Has the pieces of a range of a file fetched first, in order, before what readers are at.
    fn read(&mut self, file: FileIndex, bytes: &Range<u64>) -> Result<(), TorrentError> {
        let Some(info) = self.machine.info() else { return Err(TorrentError::NoMetadata) };
        let layout = info.layout();
        let Some(it) = layout.file(file) else { return Err(TorrentError::NoSuchFile(file.0)) };
        let piece = |at: u64| it.offset.saturating_add(at.min(it.length)) / u64::from(layout.piece_length());
        let last = if bytes.is_empty() { piece(bytes.start) } else { piece(bytes.end - 1) + 1 };
        let pieces = (piece(bytes.start)..last).take(READ_PIECES).map(|p| PieceIndex(p as u32));
        let pieces = pieces.filter(|p| p.0 < layout.piece_count()).collect();
        self.readers.named = pieces;
        self.set_deadlines();
        Ok(())
    }

    fn prioritise(&mut self, files: Vec<(FileIndex, Priority)>) -> Result<(), TorrentError> {
        let Some(info) = self.machine.info() else { return Err(TorrentError::NoMetadata) };
        let count = info.layout().files().len();
        if let Some((file, _)) = files.iter().find(|(file, _)| file.0 as usize >= count) {
            return Err(TorrentError::NoSuchFile(file.0));
        }
        self.record.priorities.resize(count, Priority::Normal);
        for (file, priority) in &files {
            let before = std::mem::replace(&mut self.record.priorities[file.0 as usize], *priority);
            if before == Priority::Skip && *priority != Priority::Skip {
                self.record.completed = None;
            }
        }
        self.command(Command::Prioritise(files));
        self.wake_readers();
        self.save();
        Ok(())
    }

    fn set_limits(&mut self, limits: TorrentLimits) {
        self.record.limits = limits;
        self.apply_limits();
        self.save();
    }

    fn apply_limits(&mut self) {
        let limits = self.record.limits.clone();
        self.limiter.set(limits.down_bytes_per_s, limits.up_bytes_per_s);
        let connections = self.shared.limits().cap(limits.connections);
        self.shared.registry.limit(self.record.id, connections);
        let slots = limits.upload_slots.or(self.shared.limits().upload_slots);
        self.command(Command::UploadSlots(slots));
        self.command(Command::MaxPeers(self.max_peers()));
    }

    fn move_to(&mut self, folder: PathBuf, reply: Reply<Result<(), TorrentError>>) {
        let Some(storage) = self.storage.get() else {
            self.record.folder = folder;
            self.save();
            self.count_unopened();
            return answer(reply, Ok(()));
        };
        let asks = self.own_asks.clone();
        let (sender, moved) = oneshot::channel();
        storage.move_to(folder.clone(), move |outcome| drop(sender.send(outcome)));
        self.tasks.spawn(async move {
            let outcome = match moved.await {
                Ok(Ok(())) => {
                    if let Some(asks) = asks.upgrade() {
                        let _ = asks.send(Ask::Moved(folder)).await;
                    }
                    Ok(())
                }
                Ok(Err(error)) => Err(TorrentError::Disk(error.message)),
                Err(_) => Err(TorrentError::Disk("the disk is closed".to_owned())),
            };
            answer(reply, outcome);
        });
    }

    fn add_trackers(&mut self, urls: Vec<String>) {
        if self.record.confined {
            return;
        }
        let known = |record: &crate::store::Record, url: &String| record.trackers.iter().flatten().any(|t| t == url);
        let before = self.record.trackers.len();
        for url in urls {
            if !known(&self.record, &url) {
                self.record.trackers.push(vec![url]);
            }
        }
        if self.record.trackers.len() > before && !self.record.no_tracker {
            if self.trackers.are_there() {
                self.trackers.order(TrackerOrder::Trackers(self.record.trackers.clone()));
            } else {
                let (record, asks) = (&self.record, self.own_asks.clone());
                self.trackers.spawn(self.shared.clone(), record.id, record.hashes, &record.trackers, asks);
                if matches!(self.state, Some(State::Metadata | State::Downloading | State::Seeding)) {
                    self.trackers.order(TrackerOrder::Start);
                }
            }
            self.save();
        }
    }

    fn status(&self) -> TorrentStatus {
        let s = self.machine.status();
        let info = self.machine.info();
        let known = s.has_metadata;
        let name = match info {
            Some(info) => info.name().to_owned(),
            None => self.record.name.clone().unwrap_or_else(|| self.record.id.to_string()),
        };
        let missing = s.wanted_bytes.saturating_sub(s.done_bytes);
        let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        let progress = match s.state {
            State::Metadata => 0.0,
            State::Checking if s.check_pieces > 0 => share(s.checked_pieces.into(), s.check_pieces.into()),
            _ if known => share(s.done_bytes, s.wanted_bytes),
            _ => 0.0,
        };
        let eta = match s.state {
            State::Downloading if s.down_rate_bytes_per_s > 0 => {
                Some(Duration::from_secs(missing.div_ceil(s.down_rate_bytes_per_s)))
            }
            _ => None,
        };
        TorrentStatus {
            id: self.record.id,
            hashes: self.record.hashes,
            name,
            state: s.state,
            error: s.error.as_ref().map(|e| e.message.clone()).or_else(|| self.error.clone()),
            folder: self.record.folder.clone(),
            path: info.map(|info| self.record.folder.join(info.name())),
            private: info.is_some_and(|info| info.is_private()),
            confined: self.record.confined,
            total_bytes: known.then_some(s.total_bytes),
            wanted_bytes: known.then_some(s.wanted_bytes),
            done_bytes: s.done_bytes,
            progress,
            piece_length: info.map(|info| info.layout().piece_length()),
            piece_count: info.map(|info| info.layout().piece_count()),
            pieces_done: s.pieces_done,
            down_rate_bytes_per_s: s.down_rate_bytes_per_s,
            up_rate_bytes_per_s: s.up_rate_bytes_per_s,
            downloaded: s.downloaded_bytes,
            uploaded: s.uploaded_bytes,
            downloaded_in_run: s.downloaded_bytes.saturating_sub(self.payload.earlier.0),
            uploaded_in_run: s.uploaded_bytes.saturating_sub(self.payload.earlier.1),
            wasted: s.wasted_bytes,
            ratio: self.ratio(&s),
            eta,
            peers: s.peers_connected,
            seeds: s.seeds_connected,
            known_peers: s.peers_known,
            by_source: self.machine.sources().iter().map(|s| (s.source, s.connected)).collect(),
            added: self.record.added,
            completed: match s.complete {
                true => self.record.completed.or(Some(self.record.added)),
                // Paused since the start of this run: the machine has not looked at the files yet.
                false => self.record.completed.filter(|_| s.state == State::Paused),
            },
            seeding_time: self.seeding_time(),
            active: self.payload.moved,
            sequential: self.record.sequential,
            super_seed: self.record.super_seed,
            goal: self.record.goal.clone(),
            limits: self.record.limits.clone(),
        }
    }

    fn peers(&self) -> Vec<PeerStatus> {
        let pieces = self.machine.info().map_or(0, |info| info.layout().piece_count());
        let status = |p: torrent_proto::torrent::PeerStatus| {
            let connection = self.connections.get(&p.peer);
            let url = connection.and_then(|c| c.url.clone());
            PeerStatus {
                number: p.peer.0,
                address: p.address,
                node: self.nodes.get(&p.address).copied(),
                carrier: connection.map_or(Carrier::Tcp, |c| c.carrier),
                encryption: connection.map(|c| c.encryption).unwrap_or_default(),
                client: url.or(p.client).unwrap_or_else(|| format!("{:?}", p.peer_id)),
                direction: p.direction,
                source: p.source,
                kind: p.kind,
                progress: match p.kind {
                    PeerKind::WebSeed => 1.0,
                    PeerKind::Wire if pieces == 0 => 0.0,
                    PeerKind::Wire => f64::from(p.pieces) / f64::from(pieces),
                },
                down_rate_bytes_per_s: p.down_rate_bytes_per_s,
                up_rate_bytes_per_s: p.up_rate_bytes_per_s,
                downloaded: p.downloaded_bytes,
                uploaded: p.uploaded_bytes,
                choking_us: p.peer_choking,
                choked: p.am_choking,
                interested_in_us: p.peer_interested,
                interested: p.am_interested,
                requests: p.requests,
                snubbed: p.snubbed,
            }
        };
        self.machine.peers().into_iter().map(status).collect()
    }

    fn pieces(&self, runs: u32) -> Option<PiecesStatus> {
        let pieces = self.machine.pieces()?;
        Some(PiecesStatus { have: pieces.have, begun: pieces.partial, availability: self.machine.availability(runs) })
    }

    fn files(&self) -> Vec<FileStatus> {
        let Some(info) = self.machine.info() else { return Vec::new() };
        let (layout, files) = (info.layout(), info.layout().files());
        let status = |f: torrent_proto::torrent::FileStatus| {
            let file = &files[f.file.0 as usize];
            FileStatus {
                index: f.file,
                path: file.path.iter().collect(),
                length: file.length,
                // What is paused since the start of this run counts nothing in the machine.
                done_bytes: if self.is_left_whole(f.file) { file.length } else { f.done_bytes },
                priority: f.priority,
                pieces: layout.file_pieces(f.file),
            }
        };
        self.machine.files().into_iter().map(status).collect()
    }

    fn magnet(&self) -> String {
        let mut magnet = Magnet::new(self.record.hashes);
        magnet.name = self.machine.info().map(|info| info.name().to_owned()).or_else(|| self.record.name.clone());
        magnet.trackers = self.record.trackers.iter().flatten().cloned().collect();
        magnet.web_seeds = self.record.web_seeds.clone();
        magnet.to_string()
    }

    /// Answers with the file as it was added; of a v2 torrent with one that has all hashes known by now.
    fn torrent_file(&mut self, reply: Reply<Result<Bytes, TorrentError>>) {
        let Some(info) = self.machine.info().cloned() else { return answer(reply, Err(TorrentError::NoMetadata)) };
        let rendered = self.render_file(info.clone());
        if info.has_v2() {
            return answer(reply, Ok(rendered));
        }
        let (shared, id) = (self.shared.clone(), self.record.id);
        self.tasks.spawn(async move {
            let stored = shared.store.file(id).await.map_err(TorrentError::from);
            answer(reply, stored.map(|stored| stored.unwrap_or(rendered)));
        });
    }
}

/// Answers; whoever asked may have gone away.
pub(super) fn answer<T>(reply: Reply<T>, value: T) {
    let _ = reply.send(value);
}
