//! Finding out what is on disk: at the start, after a crash, and when the user asks.

use std::sync::Arc;

use base::Bitfield;
use metainfo::PieceIndex;

use super::transfer::{Finish, Storage};
use super::{CheckScope, DiskOrder, Output, PeerKey, Reason, Resume, Torrent};
use crate::hashes::Serve;
use crate::wire::Message;

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
        let of = match &scope {
            CheckScope::All => pieces.len() as u32,
            CheckScope::AllBut(known) => known.len() - known.count(),
        };
        let expected = Arc::new(pieces.map(|piece| transfer.expected(piece)).collect());
        transfer.storage = Storage::Checking { done: 0, of };
        self.out.push_back(Output::Disk(DiskOrder::Check { scope, expected }));
    }

    pub(super) fn checked(&mut self, piece: PieceIndex, good: bool) {
        let Some(transfer) = &mut self.transfer else { return };
        let Storage::Checking { done, .. } = &mut transfer.storage else { return };
        *done += 1;
        if good {
            self.piece_is_good(piece);
        } else if transfer.picker.have().get(piece.0) {
            transfer.lose(piece);
            transfer.finish = Finish::No;
            self.tell_loss(piece);
        }
    }

    /// Takes back what was said of a piece (BEP 54); whoever does not understand that has to come again.
    fn tell_loss(&mut self, piece: PieceIndex) {
        let wire: Vec<(PeerKey, bool)> = self.peers.iter().map(|(key, p)| (*key, p.ids.dont_have != 0)).collect();
        for (key, understands) in wire {
            if understands {
                self.send(key, vec![Message::DontHave(piece)]);
            } else {
                self.drop_peer(key, Reason::LostPiece);
            }
        }
    }

    pub(super) fn check_done(&mut self) {
        if self.transfer.as_ref().is_some_and(|t| matches!(t.storage, Storage::Checking { .. })) {
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
