//! Finding out what is on disk: at the start, after a crash, and when the user asks.

use std::sync::Arc;

use base::Bitfield;
use metainfo::PieceIndex;

use super::transfer::{Finish, Storage};
use super::{CheckScope, DiskOrder, Output, PeerKey, Reason, Resume, Torrent};
use crate::hashes::Serve;
use crate::wire::Message;

/// Losses that are told piece by piece (arbitrary: 13 bytes each); after more a peer does better to come again.
const MAX_LOSSES: usize = 256;

impl Torrent {
    /// The storage is open: what the last run left, or what lies in the folder, decides how to go on.
    pub(super) fn opened(&mut self, found_data: bool) {
        let Some(transfer) = &mut self.transfer else { return };
        let Storage::Opening { resume, complete, .. } = &mut transfer.storage else { return };
        let (resume, complete) = (resume.take(), *complete);
        if complete {
            let all = Bitfield::full(transfer.info.layout().piece_count());
            self.gain_all(&all);
            return self.ready(true);
        }
        match resume {
            Some(resume) if found_data || resume.have.is_none() => {
                self.gain_all(&resume.have);
                if resume.clean {
                    self.ready(true);
                } else if found_data {
                    self.check(CheckScope::AllBut(resume.have));
                } else {
                    self.ready(false);
                }
            }
            _ if found_data => self.check(CheckScope::All),
            _ => self.ready(false),
        }
    }

    /// Takes pieces on trust: they were verified and durable before.
    fn gain_all(&mut self, pieces: &Bitfield) {
        let Some(transfer) = &mut self.transfer else { return };
        pieces.iter().for_each(|piece| drop(transfer.gain(PieceIndex(piece))));
        transfer.durability.durable = pieces.clone();
        // Peers that connected before this were told of nothing.
        if !self.peers.is_empty() {
            self.out.extend(pieces.iter().map(|piece| Output::Have(PieceIndex(piece))));
        }
    }

    pub(super) fn recheck(&mut self) {
        if let Some(transfer) = &mut self.transfer
            && let Storage::Opening { resume, complete, .. } = &mut transfer.storage
        {
            // The files are looked at once they are open, or by the next run.
            let have = Bitfield::new(transfer.info.layout().piece_count());
            transfer.durability.durable = have.clone();
            transfer.durability.clean = false;
            *resume = Some(Resume { have, clean: false, downloaded: 0, uploaded: 0 });
            *complete = false;
            return self.persist();
        }
        if self.transfer.as_ref().is_some_and(|t| t.is_ready()) {
            let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
            keys.into_iter().for_each(|key| self.abandon_requests(key, true));
            self.no_longer_clean();
            self.check(CheckScope::All);
        }
    }

    fn check(&mut self, scope: CheckScope) {
        let Some(transfer) = &mut self.transfer else { return };
        let pieces = transfer.info.layout().pieces();
        let trusted = match &scope {
            CheckScope::All => Bitfield::new(pieces.len() as u32),
            CheckScope::AllBut(known) => known.clone(),
        };
        let of = trusted.len() - trusted.count();
        let expected = Arc::new(pieces.map(|piece| transfer.expected(piece)).collect());
        transfer.storage = Storage::Checking { done: 0, of, trusted, lost: Vec::new() };
        self.out.push_back(Output::Disk(DiskOrder::Check { scope, expected }));
    }

    pub(super) fn checked(&mut self, piece: PieceIndex, good: bool) {
        let Some(transfer) = &mut self.transfer else { return };
        let Storage::Checking { done, trusted, lost, .. } = &mut transfer.storage else { return };
        *done += 1;
        if good {
            trusted.set(piece.0);
            self.piece_is_good(piece);
        } else if transfer.picker.have().get(piece.0) {
            lost.push(piece);
            transfer.lose(piece);
            transfer.finish = Finish::No;
        }
    }

    /// Takes back what was said of pieces (BEP 54); whoever does not understand that has to come again.
    fn tell_losses(&mut self, lost: &[PieceIndex]) {
        if lost.is_empty() {
            return;
        }
        let wire: Vec<(PeerKey, bool)> = self.peers.iter().map(|(key, p)| (*key, p.ids.dont_have != 0)).collect();
        for (key, understands) in wire {
            if understands && lost.len() <= MAX_LOSSES {
                self.send(key, lost.iter().map(|piece| Message::DontHave(*piece)).collect());
            } else {
                self.drop_peer(key, Reason::LostPiece);
            }
        }
    }

    /// A check is broken off: nothing counts but what it left out or found good, and the rest is checked when the torrent
    /// goes on, or by the next run.
    pub(super) fn interrupt_check(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let Storage::Checking { trusted, .. } = &mut transfer.storage else { return };
        let have = std::mem::take(trusted);
        let unchecked: Vec<u32> = transfer.picker.have().iter().filter(|&piece| !have.get(piece)).collect();
        unchecked.into_iter().for_each(|piece| transfer.lose(PieceIndex(piece)));
        transfer.finish = Finish::No;
        transfer.durability.clean = false;
        let resume = Resume { have, clean: false, downloaded: 0, uploaded: 0 };
        transfer.storage = Storage::Opening { resume: Some(resume), complete: false, ordered: false };
        self.out.push_back(Output::Disk(DiskOrder::StopCheck));
        self.persist();
    }

    pub(super) fn check_done(&mut self) {
        let checking = self.transfer.as_mut().and_then(|t| match &mut t.storage {
            Storage::Checking { lost, .. } => Some(std::mem::take(lost)),
            Storage::Opening { .. } | Storage::Ready => None,
        });
        if let Some(lost) = checking {
            self.tell_losses(&lost);
            self.ready(false);
            self.persist();
            if !self.is_running() {
                self.settling = true;
                self.settle();
            }
        }
    }

    fn ready(&mut self, clean: bool) {
        let Some(transfer) = &mut self.transfer else { return };
        transfer.storage = Storage::Ready;
        transfer.durability.clean = clean;
        if clean && transfer.picker.is_complete() {
            transfer.finish = Finish::Done;
        }
        self.finish_if_complete();
        self.compute_layers();
        self.refresh_interest();
        self.request_hashes();
        self.request_from_all();
        if !self.is_complete() {
            self.want_peers();
        }
    }

    /// The disk hashed the leaves of a piece for peers that asked.
    pub(super) fn leaves_read(&mut self, piece: PieceIndex, leaves: Option<&[[u8; 32]]>) {
        self.continue_layer(piece, leaves);
        let Some(transfer) = &mut self.transfer else { return };
        let waiting = std::mem::take(&mut transfer.leaf_requests);
        let (ours, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, _, p)| *p == piece);
        transfer.leaf_requests = others;
        let mut answers = Vec::new();
        for (key, request, _) in ours {
            let answer = match leaves.map(|leaves| transfer.hashes.serve_leaves(&request, piece, leaves)) {
                Some(Serve::Hashes(hashes)) => Message::Hashes { request, hashes },
                Some(Serve::NeedLeaves(next)) => {
                    transfer.leaf_requests.push((key, request, next));
                    self.out.push_back(Output::Disk(DiskOrder::HashLeaves { piece: next }));
                    continue;
                }
                Some(Serve::Reject) | None => Message::HashReject(request),
            };
            answers.push((key, answer));
        }
        answers.into_iter().for_each(|(key, answer)| self.send(key, vec![answer]));
    }
}
