//! What the disk answers, durability, and the way to final names.

use std::sync::Arc;

use metainfo::{FileIndex, Info, PieceLayers};

use super::transfer::{Finish, Storage, Transfer};
use super::{DiskAnswer, DiskError, DiskOrder, Event, Output, Priority, Reason, Resume, Torrent};
use crate::wire::Message;

impl Torrent {
    pub(super) fn begin_transfer(&mut self, info: Arc<Info>, layers: &PieceLayers, resume: Option<Resume>) {
        let files = info.layout().files().len();
        let mut priorities = std::mem::take(&mut self.config.priorities);
        priorities.resize(files, Priority::Normal);
        let count = info.layout().piece_count();
        let resume = resume.filter(|r| r.have.len() == count);
        let storage = Storage::Opening { resume, complete: self.config.complete, ordered: false };
        let mut transfer = Transfer::new(self.now.mono, info, layers, priorities, storage);
        transfer.choker.set_slots(self.config.upload_slots);
        transfer.picker.set_sequential(self.config.sequential);
        transfer.set_super_seed(self.config.super_seed);
        self.transfer = Some(transfer);
        if self.is_running() {
            self.open_storage();
        }
    }

    pub(super) fn open_storage(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if let Storage::Opening { ordered, .. } = &mut transfer.storage
            && !std::mem::replace(ordered, true)
        {
            self.out.push_back(Output::Disk(DiskOrder::Open { info: transfer.info.clone() }));
            if transfer.priorities.contains(&Priority::Skip) {
                self.order_wanted();
            }
        }
    }

    pub(super) fn disk(&mut self, answer: DiskAnswer) {
        match answer {
            DiskAnswer::Opened { found_data } => self.opened(found_data),
            DiskAnswer::Wrote { blocks } => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.writes = transfer.writes.saturating_sub(1);
                    blocks.into_iter().for_each(|block| transfer.picker.wrote(block));
                }
                self.finish_if_complete();
                self.settle();
            }
            DiskAnswer::Verified { piece, outcome } => self.verified(piece, outcome),
            DiskAnswer::Checked { piece, good } => self.checked(piece, good),
            DiskAnswer::CheckDone => self.check_done(),
            DiskAnswer::Leaves { piece, leaves } => self.leaves_read(piece, leaves.as_deref()),
            DiskAnswer::Room(room) => self.room(room),
            DiskAnswer::Flushed => self.flushed(),
            DiskAnswer::Finished => self.finished(),
            DiskAnswer::Failed { blocks, piece, error } => {
                let mut flush_failed = false;
                if let Some(transfer) = &mut self.transfer {
                    if blocks.is_empty() && piece.is_none() && transfer.durability.flushing.take().is_some() {
                        // What it was to make durable still is not.
                        transfer.durability.dirty_since.get_or_insert(self.now.mono);
                        flush_failed = true;
                    }
                    if !blocks.is_empty() {
                        transfer.writes = transfer.writes.saturating_sub(1);
                    }
                    blocks.into_iter().for_each(|block| transfer.picker.write_failed(block));
                    if let Some(piece) = piece {
                        transfer.verifications = transfer.verifications.saturating_sub(1);
                        transfer.picker.failed(piece, None);
                    }
                    if transfer.finish != Finish::Done {
                        transfer.finish = Finish::No;
                    }
                    if let Storage::Opening { ordered, .. } = &mut transfer.storage {
                        *ordered = false;
                    }
                }
                if flush_failed && self.settling {
                    return self.settle_in_doubt(error);
                }
                self.fail(error);
                self.settle();
            }
        }
    }

    // Durability.

    /// Something is about to be written: what is stored no longer says all.
    pub(super) fn no_longer_clean(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if std::mem::replace(&mut transfer.durability.clean, false) {
            self.persist();
        }
    }

    pub(super) fn flush_if_due(&mut self) {
        let due = self.transfer.as_ref().and_then(Transfer::flush_due).is_some_and(|at| at <= self.now.mono);
        if due && self.is_running() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.durability.flushing.is_none() {
            transfer.durability.flushing = Some(transfer.picker.have().clone());
            transfer.durability.dirty_since = None;
            self.out.push_back(Output::Disk(DiskOrder::Flush));
        }
    }

    fn flushed(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let Some(mut durable) = transfer.durability.flushing.take() else { return };
        // What was lost in between is not claimed.
        let have = transfer.picker.have();
        let lost: Vec<u32> = durable.iter().filter(|&p| !have.get(p)).collect();
        lost.into_iter().for_each(|p| {
            durable.clear(p);
        });
        transfer.durability.durable = durable;
        if transfer.finish == Finish::Flushing && transfer.durability.dirty_since.is_none() {
            transfer.finish = Finish::Naming;
            self.out.push_back(Output::Disk(DiskOrder::Finish));
        }
        if self.is_running() {
            self.persist();
            self.finish_if_complete();
        } else {
            self.settle();
        }
    }

    /// After a pause: waits until the disk is quiet, flushes, persists, closes files, says so.
    pub(super) fn settle(&mut self) {
        let checking = |t: &Transfer| matches!(t.storage, Storage::Checking { .. });
        if self.transfer.as_ref().is_some_and(checking) {
            // Asked for while paused: it settles when it is done.
            return;
        }
        let Some(transfer) = self.transfer.as_mut().filter(|t| !t.is_opening()) else {
            if std::mem::replace(&mut self.settling, false) {
                self.out.push_back(Output::Event(Event::Settled));
            }
            return;
        };
        let busy = transfer.writes + transfer.verifications > 0 || transfer.durability.flushing.is_some();
        if busy || !self.settling {
            return;
        }
        if transfer.durability.dirty_since.is_some() {
            return self.flush();
        }
        transfer.durability.clean = true;
        self.settled();
    }

    /// The flush of a pause failed: what was verified may be on disk or not, which the next run has to look at.
    fn settle_in_doubt(&mut self, error: DiskError) {
        if self.run == super::Run::Paused {
            self.out.push_back(Output::Event(Event::Failed(error)));
        }
        if let Some(transfer) = &mut self.transfer {
            transfer.durability.clean = false;
        }
        self.settled();
    }

    fn settled(&mut self) {
        self.settling = false;
        self.persist();
        self.out.push_back(Output::Disk(DiskOrder::Close));
        self.out.push_back(Output::Event(Event::Settled));
    }

    pub(super) fn persist(&mut self) {
        let Some(transfer) = &self.transfer else { return };
        let resume = Resume {
            have: transfer.durability.durable.clone(),
            clean: transfer.durability.clean,
            downloaded: self.earlier.0 + self.down.total(),
            uploaded: self.earlier.1 + self.up.total(),
        };
        self.out.push_back(Output::Persist(resume));
    }

    // The end of a download.

    pub(super) fn finish_if_complete(&mut self) {
        if !self.is_running() {
            return;
        }
        let Some(transfer) = &mut self.transfer else { return };
        let complete = transfer.picker.is_complete() && transfer.is_ready();
        if complete && transfer.finish == Finish::No && transfer.writes == 0 {
            transfer.finish = Finish::Flushing;
        }
        if transfer.finish == Finish::Flushing && transfer.durability.flushing.is_none() {
            self.flush();
        }
    }

    fn finished(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.finish != Finish::Naming {
            return;
        }
        transfer.finish = Finish::Done;
        transfer.durability.clean = true;
        self.persist();
        self.out.push_back(Output::Event(Event::Complete));
        let tell: Vec<_> = self.peers.iter().filter(|(_, p)| p.ids.upload_only != 0).map(|(key, _)| *key).collect();
        tell.into_iter().for_each(|key| self.send(key, vec![Message::UploadOnly(true)]));
        self.refresh_interest();
        self.drop_idle_peers();
        self.compute_layers();
    }

    // Pausing, and which files are wanted.

    pub(super) fn stop_transfer(&mut self) {
        self.drop_all(Reason::Stopped);
        self.interrupt_check();
        self.settling = true;
    }

    pub(super) fn prioritise(&mut self, changes: &[(FileIndex, Priority)]) {
        let Some(transfer) = &mut self.transfer else { return };
        for (file, priority) in changes {
            if let Some(slot) = transfer.priorities.get_mut(file.0 as usize) {
                *slot = *priority;
            }
        }
        transfer.apply_priorities();
        transfer.finish = Finish::No;
        if !transfer.is_opening() {
            self.order_wanted();
        }
        self.refresh_interest();
        self.finish_if_complete();
        self.request_from_all();
    }

    fn order_wanted(&mut self) {
        let Some(transfer) = &self.transfer else { return };
        let wanted = transfer.priorities.iter().map(|p| *p != Priority::Skip).collect();
        self.out.push_back(Output::Disk(DiskOrder::Wanted { wanted }));
    }

    pub(super) fn error(&self) -> Option<DiskError> {
        match &self.run {
            super::Run::Failed { error, .. } => Some(error.clone()),
            super::Run::Running | super::Run::Paused => None,
        }
    }
}
