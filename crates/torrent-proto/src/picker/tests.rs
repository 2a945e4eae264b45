//! Stories of the picker.

use proptest::prelude::*;

use super::*;

const ALICE: PeerKey = PeerKey(1);
const BOB: PeerKey = PeerKey(2);
const CAROL: PeerKey = PeerKey(3);

/// A torrent of `pieces` pieces of `blocks` blocks.
fn torrent(pieces: u32, blocks: u32) -> Picker {
    Picker::new((0..pieces).map(|_| blocks * BLOCK_LEN), &Bitfield::new(pieces))
}

fn set(pieces: u32, members: &[u32]) -> Bitfield {
    let mut set = Bitfield::new(pieces);
    members.iter().for_each(|&piece| assert!(set.set(piece)));
    set
}

fn pick_as(picker: &mut Picker, peer: PeerKey, has: &Bitfield, count: usize, share: Share) -> Vec<Block> {
    let mut out = Vec::new();
    let ask = Ask { peer, has, allowed: None, count, share };
    picker.pick(ask, &mut fastrand::Rng::with_seed(7), &mut out);
    picker.assert_invariants();
    out
}

fn pick(picker: &mut Picker, peer: PeerKey, has: &Bitfield, count: usize) -> Vec<Block> {
    pick_as(picker, peer, has, count, Share::Shared)
}

fn pieces_of(blocks: &[Block]) -> Vec<u32> {
    let mut pieces: Vec<u32> = blocks.iter().map(|block| block.piece.0).collect();
    pieces.dedup();
    pieces
}

/// Fetches a piece wholly from a peer that has it.
fn fetch(picker: &mut Picker, peer: PeerKey, piece: u32) {
    let has = set(picker.have().len(), &[piece]);
    for block in pick(picker, peer, &has, usize::from(u16::MAX)) {
        assert!(matches!(picker.received(peer, block), Received::Accepted { .. }));
        picker.wrote(block);
    }
    assert!(picker.verified(PieceIndex(piece)).is_empty());
    picker.assert_invariants();
}

#[test]
fn one_peer_gets_whole_pieces_in_order() {
    let mut picker = torrent(8, 4);
    let has = Bitfield::full(8);
    picker.add_peer_set(&has);
    let mut all = Vec::new();
    while let batch = pick(&mut picker, ALICE, &has, 3)
        && !batch.is_empty()
    {
        all.extend(batch);
    }
    assert_eq!(all.len(), 32);
    for piece in all.chunks(4) {
        let offsets: Vec<u32> = piece.iter().map(|block| block.offset / BLOCK_LEN).collect();
        assert_eq!(offsets, [0, 1, 2, 3]);
        assert_eq!(pieces_of(piece).len(), 1);
    }
    assert!(picker.end_game(), "all was asked for");
    assert!(pick(&mut picker, ALICE, &has, 1).is_empty(), "never twice of the same peer");
}

#[test]
fn the_rarest_piece_is_begun_first() {
    let mut picker = torrent(10, 1);
    for piece in 0..4 {
        fetch(&mut picker, ALICE, piece);
    }
    let all = Bitfield::full(10);
    picker.add_peer_set(&all);
    picker.add_peer_set(&set(10, &[4, 5, 6, 8, 9]));
    picker.add_peer_set(&set(10, &[4, 5, 7, 8, 9]));
    picker.peer_has(PieceIndex(6));
    assert_eq!(picker.availability(PieceIndex(7)), 2);
    assert_eq!(pieces_of(&pick(&mut picker, BOB, &all, 1)), [7]);
    picker.peer_lost(PieceIndex(9));
    picker.peer_lost(PieceIndex(9));
    assert_eq!(pieces_of(&pick(&mut picker, BOB, &all, 1)), [9]);
}

#[test]
fn the_first_pieces_are_random() {
    let first = |seed| {
        let mut picker = torrent(1000, 1);
        picker.add_peer_set(&Bitfield::full(1000));
        picker.peer_has(PieceIndex(1));
        let mut out = Vec::new();
        let has = Bitfield::full(1000);
        let ask = Ask { peer: ALICE, has: &has, allowed: None, count: 1, share: Share::Shared };
        picker.pick(ask, &mut fastrand::Rng::with_seed(seed), &mut out);
        out[0].piece
    };
    let firsts: std::collections::BTreeSet<PieceIndex> = (0..20).map(first).collect();
    assert!(firsts.len() > 10, "{firsts:?}");
}

#[test]
fn those_who_fetch_together_ask_a_seed_for_other_pieces() {
    let ids = [11, 12, 13, 14].map(|n| PeerId([n; 20]));
    let asked = |take_turns: bool| {
        let mut pieces = std::collections::BTreeSet::new();
        for own in ids {
            let mut picker = torrent(400, 1);
            let has = Bitfield::full(400);
            picker.add_peer_set(&has);
            if take_turns {
                picker.take_turns(&own, ids.into_iter().filter(|id| *id != own));
            }
            let mut out = Vec::new();
            let ask = Ask { peer: ALICE, has: &has, allowed: None, count: 80, share: Share::Shared };
            picker.pick(ask, &mut fastrand::Rng::with_seed(own.0[0].into()), &mut out);
            pieces.extend(out.into_iter().map(|block| block.piece));
        }
        pieces.len()
    };
    let (by_chance, in_turn) = (asked(false), asked(true));
    assert!(by_chance < 260 && in_turn > 300, "of 320 requests: {by_chance}, {in_turn}");
}

#[test]
fn begun_pieces_are_finished_before_others_are_begun() {
    let mut picker = torrent(10, 4);
    let has = Bitfield::full(10);
    picker.add_peer_set(&has);
    picker.add_peer_set(&has);
    let begun = pick(&mut picker, ALICE, &has, 2);
    let rest = pick(&mut picker, BOB, &has, 3);
    assert_eq!(rest[..2], [Block { offset: 2 * BLOCK_LEN, ..begun[0] }, Block { offset: 3 * BLOCK_LEN, ..begun[0] }]);
    assert_ne!(rest[2].piece, begun[0].piece);
}

#[test]
fn a_fast_peer_keeps_its_piece_to_itself() {
    let mut picker = torrent(2, 8);
    let has = Bitfield::full(2);
    picker.add_peer_set(&has);
    let alice = pick_as(&mut picker, ALICE, &has, 2, Share::Whole);
    let bob = pick_as(&mut picker, BOB, &has, 2, Share::Whole);
    assert_ne!(alice[0].piece, bob[0].piece);
    let carol = pick(&mut picker, CAROL, &has, 2);
    assert_eq!(carol.len(), 2, "nothing else is left: she joins one");
    let alice_more = pick_as(&mut picker, ALICE, &has, 2, Share::Whole);
    assert_eq!(pieces_of(&alice_more), pieces_of(&alice));
}

#[test]
fn a_piece_whose_owner_leaves_is_taken_over() {
    let mut picker = torrent(2, 4);
    let has = Bitfield::full(2);
    picker.add_peer_set(&has);
    let blocks = pick_as(&mut picker, ALICE, &has, 2, Share::Whole);
    assert!(matches!(picker.received(ALICE, blocks[0]), Received::Accepted { .. }));
    picker.abandon(ALICE, blocks[1]);
    picker.release(ALICE);
    let bob = pick_as(&mut picker, BOB, &has, 3, Share::Whole);
    assert_eq!(bob[0], blocks[1]);
    assert_eq!(pieces_of(&bob), pieces_of(&blocks));
    assert_eq!(pieces_of(&pick(&mut picker, CAROL, &has, 1)).len(), 1);
}

#[test]
fn a_peer_on_parole_gets_pieces_of_its_own_only() {
    let mut picker = torrent(2, 2);
    let has = Bitfield::full(2);
    picker.add_peer_set(&has);
    let alice = pick(&mut picker, ALICE, &has, 1);
    let bob = pick_as(&mut picker, BOB, &has, 1, Share::Alone);
    assert_ne!(alice[0].piece, bob[0].piece);
    let carol = pick(&mut picker, CAROL, &has, 4);
    assert_eq!(pieces_of(&carol), pieces_of(&alice), "nobody spoils the evidence");
    let bob = pick_as(&mut picker, BOB, &has, 4, Share::Alone);
    assert_eq!(bob.len(), 1);
}

#[test]
fn what_nobody_works_on_is_given_even_to_a_peer_on_parole() {
    let mut picker = torrent(1, 2);
    let has = Bitfield::full(1);
    picker.add_peer_set(&has);
    let alice = pick(&mut picker, ALICE, &has, 2);
    picker.received(ALICE, alice[0]);
    assert!(pick_as(&mut picker, BOB, &has, 2, Share::Alone).is_empty());
    picker.abandon(ALICE, alice[1]);
    assert_eq!(pick_as(&mut picker, BOB, &has, 2, Share::Alone), [alice[1]]);
}

#[test]
fn a_choked_peer_is_asked_for_the_allowed_pieces_only() {
    let mut picker = torrent(10, 2);
    let has = set(10, &[1, 2, 3]);
    picker.add_peer_set(&has);
    let mut out = Vec::new();
    let allowed = [PieceIndex(2), PieceIndex(9), PieceIndex(99)];
    let ask = Ask { peer: ALICE, has: &has, allowed: Some(&allowed), count: 9, share: Share::Whole };
    picker.pick(ask, &mut fastrand::Rng::with_seed(1), &mut out);
    picker.assert_invariants();
    assert_eq!((pieces_of(&out), out.len()), (vec![2], 2));
}

#[test]
fn in_end_game_the_first_copy_wins() {
    let mut picker = torrent(1, 3);
    let has = Bitfield::full(1);
    picker.add_peer_set(&has);
    let alice = pick(&mut picker, ALICE, &has, 3);
    assert!(picker.end_game());
    let bob = pick(&mut picker, BOB, &has, 2);
    assert_eq!(bob, [alice[2], alice[1]], "the last first");
    assert_eq!(picker.received(BOB, alice[2]), Received::Accepted { others: vec![ALICE], piece_complete: false });
    assert_eq!(picker.received(ALICE, alice[2]), Received::Unwanted);
    assert_eq!(picker.received(CAROL, alice[0]), Received::Unwanted, "never asked of her");
    picker.abandon(ALICE, alice[1]);
    assert!(picker.end_game(), "it is still asked of Bob");
    assert_eq!(picker.received(ALICE, alice[0]), Received::Accepted { others: vec![], piece_complete: false });
    assert_eq!(picker.received(BOB, alice[1]), Received::Accepted { others: vec![], piece_complete: true });
    assert_eq!((picker.bytes_left(), picker.is_complete()), (0, false));
    picker.verified(PieceIndex(0));
    assert!(picker.is_complete() && !picker.wants_from(&has) && picker.partials().next().is_none());
    picker.assert_invariants();
}

#[test]
fn pieces_that_nobody_has_do_not_keep_end_game_away() {
    let mut picker = torrent(3, 2);
    let has = set(3, &[0]);
    picker.add_peer_set(&has);
    let alice = pick(&mut picker, ALICE, &has, 9);
    assert_eq!(alice.len(), 2);
    assert!(picker.end_game());
    picker.peer_has(PieceIndex(1));
    assert!(!picker.end_game());
}

#[test]
fn a_bad_piece_is_fetched_again_and_names_who_sent_it() {
    let mut picker = torrent(1, 3);
    let has = Bitfield::full(1);
    picker.add_peer_set(&has);
    let alice = pick(&mut picker, ALICE, &has, 2);
    let bob = pick(&mut picker, BOB, &has, 1);
    alice.iter().for_each(|&block| drop(picker.received(ALICE, block)));
    assert_eq!(picker.received(BOB, bob[0]), Received::Accepted { others: vec![], piece_complete: true });
    alice.iter().chain(&bob).for_each(|&block| picker.wrote(block));
    assert_eq!(picker.failed(PieceIndex(0), Some(&[1])), [(ALICE, vec![alice[1]])]);
    assert_eq!(pick(&mut picker, BOB, &has, 5), [alice[1]], "only the bad block");
    picker.received(BOB, alice[1]);
    let blame = picker.failed(PieceIndex(0), None);
    assert_eq!(blame, [(ALICE, vec![alice[0]]), (BOB, vec![alice[1], bob[0]])]);
    picker.assert_invariants();
    assert_eq!(picker.bytes_left(), 3 * u64::from(BLOCK_LEN));
    assert_eq!(pick(&mut picker, BOB, &has, 5).len(), 3);
}

#[test]
fn a_failed_write_is_nobodys_fault() {
    let mut picker = torrent(1, 2);
    let has = Bitfield::full(1);
    picker.add_peer_set(&has);
    let blocks = pick(&mut picker, ALICE, &has, 2);
    blocks.iter().for_each(|&block| drop(picker.received(ALICE, block)));
    picker.wrote(blocks[0]);
    picker.write_failed(blocks[1]);
    picker.write_failed(blocks[0]);
    assert!(picker.failed(PieceIndex(0), None).is_empty(), "the verdict is about an incomplete piece");
    assert_eq!(pick(&mut picker, ALICE, &has, 2), [blocks[1]]);
}

#[test]
fn high_priority_comes_first_and_skipped_pieces_never() {
    let mut picker = torrent(6, 1);
    let has = Bitfield::full(6);
    picker.add_peer_set(&has);
    picker.set_priority(PieceIndex(3), Priority::High);
    picker.set_priority(PieceIndex(5), Priority::Low);
    for piece in [0, 1] {
        picker.set_priority(PieceIndex(piece), Priority::Skip);
    }
    assert_eq!((picker.missing_pieces(), picker.bytes_left()), (4, 4 * u64::from(BLOCK_LEN)));
    assert!(!picker.wants_from(&set(6, &[0, 1])) && picker.wants_from(&set(6, &[0, 5])));
    let blocks = pick(&mut picker, ALICE, &has, 9);
    assert_eq!((blocks[0].piece.0, blocks[3].piece.0, blocks.len()), (3, 5, 4));
    picker.set_priority(PieceIndex(3), Priority::Skip);
    assert!(matches!(picker.received(ALICE, blocks[0]), Received::Accepted { piece_complete: true, .. }));
    picker.assert_invariants();
    picker.set_priority(PieceIndex(3), Priority::Low);
    picker.assert_invariants();
    assert_eq!(picker.bytes_left(), 3 * u64::from(BLOCK_LEN));
    picker.verified(PieceIndex(3));
    picker.lose(PieceIndex(3));
    picker.assert_invariants();
    assert_eq!(pieces_of(&pick(&mut picker, BOB, &has, 1)), [3]);
}

#[test]
fn sequential_goes_from_the_front_and_deadlines_jump_the_queue() {
    let mut picker = torrent(200, 2);
    let has = Bitfield::full(200);
    picker.add_peer_set(&has);
    picker.set_sequential(true);
    assert_eq!(pieces_of(&pick_as(&mut picker, ALICE, &has, 6, Share::Whole)), [0, 1, 2]);
    picker.set_deadlines(vec![PieceIndex(150), PieceIndex(100)]);
    assert_eq!(pieces_of(&pick_as(&mut picker, ALICE, &has, 1, Share::Whole)), [150]);
    assert_eq!(pieces_of(&pick(&mut picker, BOB, &has, 3)), [150, 100], "everybody helps");
    assert_eq!(pieces_of(&pick(&mut picker, BOB, &has, 3)), [3, 4]);
}

#[test]
fn of_what_may_be_asked_while_choked_deadlines_come_first() {
    let mut picker = torrent(10, 2);
    let has = Bitfield::full(10);
    picker.add_peer_set(&has);
    picker.set_deadlines(vec![PieceIndex(9), PieceIndex(7)]);
    let allowed = [PieceIndex(2), PieceIndex(7)];
    let ask = Ask { peer: ALICE, has: &has, allowed: Some(&allowed), count: 3, share: Share::Shared };
    let mut out = Vec::new();
    picker.pick(ask, &mut fastrand::Rng::with_seed(1), &mut out);
    assert_eq!(pieces_of(&out), [7, 2]);
    assert!(picker.is_reader_waiting(), "for piece 9");
}

#[test]
fn what_one_peer_owes_a_reader_may_be_asked_of_one_more() {
    let mut picker = torrent(10, 2);
    let has = Bitfield::full(10);
    picker.add_peer_set(&has);
    picker.set_deadlines(vec![PieceIndex(9)]);
    let blocks = pick(&mut picker, ALICE, &has, 2);
    assert_eq!(picker.owed_for_readers().collect::<Vec<_>>(), [(blocks[0], ALICE), (blocks[1], ALICE)]);
    picker.ask_also(ALICE, blocks[0]);
    picker.ask_also(BOB, blocks[0]);
    picker.assert_invariants();
    assert_eq!(picker.owed_for_readers().collect::<Vec<_>>(), [(blocks[1], ALICE)]);
    assert_eq!(picker.received(BOB, blocks[0]), Received::Accepted { others: vec![ALICE], piece_complete: false });
    assert!(!picker.is_reader_waiting(), "all of it was asked for");
}

#[test]
fn tiny_and_odd_pieces_have_odd_blocks() {
    for length in [1, 1000, BLOCK_LEN - 1, BLOCK_LEN, BLOCK_LEN + 1, 40_000] {
        let mut picker = Picker::new([length, length, 7], &Bitfield::new(3));
        let has = Bitfield::full(3);
        picker.add_peer_set(&has);
        let blocks = pick(&mut picker, ALICE, &has, 99);
        assert_eq!(blocks.iter().map(|block| block.length).sum::<u32>(), 2 * length + 7);
        let odd = Block { length: blocks[0].length + 1, ..blocks[0] };
        assert_eq!(picker.received(ALICE, odd), Received::Unwanted);
        let outside = Block { offset: BLOCK_LEN * 3, ..blocks[0] };
        assert_eq!(picker.received(ALICE, outside), Received::Unwanted);
        blocks.iter().for_each(|&block| assert_ne!(picker.received(ALICE, block), Received::Unwanted));
        picker.assert_invariants();
    }
}

#[test]
fn a_late_block_is_still_good() {
    let mut picker = torrent(2, 2);
    let has = Bitfield::full(2);
    picker.add_peer_set(&has);
    let blocks = pick(&mut picker, ALICE, &has, 1);
    picker.abandon(ALICE, blocks[0]);
    picker.assert_invariants();
    assert!(matches!(picker.received_late(ALICE, blocks[0]), Received::Accepted { .. }));
    picker.assert_invariants();
    assert_eq!(picker.received_late(ALICE, blocks[0]), Received::Unwanted);
}

#[test]
fn a_seed_that_loses_a_piece_is_counted_piece_by_piece() {
    let mut picker = torrent(3, 1);
    let mut has = Bitfield::full(3);
    picker.add_peer_set(&has);
    picker.peer_lost(PieceIndex(1));
    has.clear(1);
    assert_eq!((0..3).map(|i| picker.availability(PieceIndex(i))).collect::<Vec<_>>(), [1, 0, 1]);
    picker.remove_peer_set(&has);
    picker.assert_invariants();
    assert_eq!((0..3).map(|i| picker.availability(PieceIndex(i))).sum::<u32>(), 0);
}

/// One thing that happens to the picker; numbers are reduced to what there is.
#[derive(Clone, Debug)]
enum Step {
    Pick { peer: usize, count: usize, share: usize, choked: bool },
    Receive { peer: usize, which: usize },
    Late { peer: usize, piece: u32 },
    Abandon { peer: usize, which: usize },
    Leave { peer: usize },
    Wrote { fails: bool },
    Judge { good: bool, bad: Option<u32> },
    Have { peer: usize, piece: u32 },
    Prioritise { piece: u32, priority: usize },
    Lose { piece: u32 },
    Sequential(bool),
    Deadlines(Vec<u32>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let peer = 0usize..4;
    let step = prop_oneof![
        6 => (peer.clone(), 1usize..12, 0usize..3, prop::bool::weighted(0.1))
            .prop_map(|(peer, count, share, choked)| Step::Pick { peer, count, share, choked }),
        8 => (peer.clone(), 0usize..50).prop_map(|(peer, which)| Step::Receive { peer, which }),
        1 => (peer.clone(), 0u32..9).prop_map(|(peer, piece)| Step::Late { peer, piece }),
        2 => (peer.clone(), 0usize..50).prop_map(|(peer, which)| Step::Abandon { peer, which }),
        1 => peer.clone().prop_map(|peer| Step::Leave { peer }),
        4 => prop::bool::weighted(0.1).prop_map(|fails| Step::Wrote { fails }),
        4 => (prop::bool::weighted(0.7), prop::option::of(0u32..4)).prop_map(|(good, bad)| Step::Judge { good, bad }),
        2 => (peer, 0u32..9).prop_map(|(peer, piece)| Step::Have { peer, piece }),
        1 => (0u32..9, 0usize..4).prop_map(|(piece, priority)| Step::Prioritise { piece, priority }),
        1 => (0u32..9).prop_map(|piece| Step::Lose { piece }),
        1 => any::<bool>().prop_map(Step::Sequential),
        1 => prop::collection::vec(0u32..9, 0..3).prop_map(Step::Deadlines),
    ];
    prop::collection::vec(step, 0..300)
}

/// What a torrent keeps beside its picker.
struct World {
    picker: Picker,
    rng: fastrand::Rng,
    peers: Vec<(PeerKey, Bitfield, Vec<Block>)>,
    writing: Vec<Block>,
    verify: Vec<PieceIndex>,
    next_key: u32,
}

impl World {
    fn new(lengths: &[u32], seed: u64) -> World {
        let count = lengths.len() as u32;
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut picker = Picker::new(lengths.iter().copied(), &Bitfield::new(count));
        let mut peers = Vec::new();
        for key in 0..4 {
            let mut has = if key == 0 { Bitfield::full(count) } else { Bitfield::new(count) };
            (0..count).filter(|_| rng.bool()).for_each(|piece| assert!(has.set(piece) || has.get(piece)));
            picker.add_peer_set(&has);
            peers.push((PeerKey(key), has, Vec::new()));
        }
        World { picker, rng, peers, writing: Vec::new(), verify: Vec::new(), next_key: 4 }
    }

    fn pick(&mut self, peer: usize, count: usize, share: Share, allowed: Option<&[PieceIndex]>) -> usize {
        let (key, has, requests) = &mut self.peers[peer];
        let before = requests.len();
        let ask = Ask { peer: *key, has, allowed, count, share };
        self.picker.pick(ask, &mut self.rng, requests);
        let new = requests.split_off(before);
        assert!(new.len() <= count);
        for block in &new {
            assert!(!requests.contains(block), "{block:?} was asked of {key:?} already");
            assert!(has.get(block.piece.0) && self.picker.wants(block.piece));
            assert!(allowed.is_none_or(|allowed| allowed.contains(&block.piece)));
        }
        requests.extend(&new);
        if new.len() < count && allowed.is_none() && share != Share::Alone {
            let open = |partial: &partials::Partial| partial.open > 0 && (!partial.alone || partial.requested == 0);
            let left = |piece: u32| match self.picker.pieces[piece as usize].place {
                Place::Listed => true,
                Place::Partial(slot) => open(self.picker.partials.get(slot)),
                Place::Had | Place::Unwanted => false,
            };
            let missed = has.iter().find(|&piece| self.picker.wants(PieceIndex(piece)) && left(piece));
            assert_eq!(missed, None, "{key:?} could have been asked for more");
        }
        new.len()
    }

    fn came(&mut self, received: Received, from: PeerKey, block: Block) -> bool {
        let Received::Accepted { others, piece_complete } = received else { return false };
        for (key, _, requests) in &mut self.peers {
            let asked = requests.contains(&block);
            assert_eq!(others.contains(key), asked && *key != from, "{key:?} {block:?}");
            requests.retain(|&request| request != block);
        }
        self.writing.push(block);
        if piece_complete {
            self.verify.push(block.piece);
        }
        true
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pick { peer, count, share, choked } => {
                let share = [Share::Shared, Share::Whole, Share::Alone][share];
                let allowed = [PieceIndex(1), PieceIndex(3)];
                self.pick(peer, count, share, choked.then_some(&allowed[..]));
            }
            Step::Receive { peer, which } => {
                let (key, _, requests) = &self.peers[peer];
                if !requests.is_empty() {
                    let (key, block) = (*key, requests[which % requests.len()]);
                    let received = self.picker.received(key, block);
                    assert!(self.came(received, key, block), "requested, so accepted");
                }
            }
            Step::Late { peer, piece } => {
                let Some(length) = self.picker.pieces.get(piece as usize).map(|state| state.length) else { return };
                let key = self.peers[peer].0;
                let block = block(PieceIndex(piece), 0, length);
                let received = self.picker.received_late(key, block);
                self.came(received, key, block);
            }
            Step::Abandon { peer, which } => {
                let (key, _, requests) = &mut self.peers[peer];
                if !requests.is_empty() {
                    let block = requests.swap_remove(which % requests.len());
                    self.picker.abandon(*key, block);
                }
            }
            Step::Leave { peer } => {
                let (key, has, requests) = &mut self.peers[peer];
                requests.drain(..).for_each(|block| self.picker.abandon(*key, block));
                self.picker.release(*key);
                self.picker.remove_peer_set(has);
                *key = PeerKey(self.next_key);
                self.next_key += 1;
                self.picker.add_peer_set(has);
            }
            Step::Wrote { fails } => {
                self.writing.drain(..).for_each(|block| match fails {
                    true => self.picker.write_failed(block),
                    false => self.picker.wrote(block),
                });
            }
            Step::Judge { good, bad } => {
                let Some(piece) = self.verify.pop() else { return };
                let complete = self.picker.partials().any(|(begun, states)| {
                    begun == piece
                        && states.iter().all(|state| matches!(state, BlockState::Writing | BlockState::Written))
                });
                if good && complete {
                    assert!(self.picker.verified(piece).is_empty());
                } else if !good {
                    let bad = bad.map(|bad| vec![bad]);
                    assert_eq!(!self.picker.failed(piece, bad.as_deref()).is_empty(), complete);
                }
                if complete {
                    self.writing.retain(|block| block.piece != piece);
                    self.verify.retain(|&other| other != piece);
                }
            }
            Step::Have { peer, piece } => {
                let (_, has, _) = &mut self.peers[peer];
                if has.set(piece) {
                    self.picker.peer_has(PieceIndex(piece));
                } else if has.get(piece) && self.peers[peer].2.iter().all(|block| block.piece.0 != piece) {
                    self.peers[peer].1.clear(piece);
                    self.picker.peer_lost(PieceIndex(piece));
                }
            }
            Step::Prioritise { piece, priority } => {
                let priority = [Priority::Skip, Priority::Low, Priority::Normal, Priority::High][priority];
                self.picker.set_priority(PieceIndex(piece), priority);
            }
            Step::Lose { piece } => self.picker.lose(PieceIndex(piece)),
            Step::Sequential(on) => self.picker.set_sequential(on),
            Step::Deadlines(pieces) => self.picker.set_deadlines(pieces.into_iter().map(PieceIndex).collect()),
        }
    }

    fn check(&self) {
        self.picker.assert_invariants();
        for piece in 0..self.picker.have().len() {
            let holders = self.peers.iter().filter(|(_, has, _)| has.get(piece)).count();
            assert_eq!(self.picker.availability(PieceIndex(piece)) as usize, holders);
        }
        let asked: usize = self.peers.iter().map(|(_, _, requests)| requests.len()).sum();
        let known = |partial: &partials::Partial| partial.requested as usize + partial.also.len();
        assert_eq!(self.picker.partials.iter().map(known).sum::<usize>(), asked);
        for (_, has, _) in &self.peers {
            let wanted = has.iter().any(|piece| self.picker.wants(PieceIndex(piece)));
            assert_eq!(self.picker.wants_from(has), wanted);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever happens, the invariants hold, and with a seed about the download then ends.
    #[test]
    fn every_download_ends(
        lengths in prop::collection::vec(prop_oneof![1u32..50_000, Just(BLOCK_LEN), Just(4 * BLOCK_LEN)], 1..9),
        steps in steps(),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(&lengths, seed);
        for step in steps {
            world.step(step);
            world.check();
        }
        // Alice becomes a seed again; everybody but her falls silent, and she is slow enough to be one of many.
        for piece in 0..lengths.len() as u32 {
            if world.peers[0].1.set(piece) {
                world.picker.peer_has(PieceIndex(piece));
            }
        }
        for peer in 1..4 {
            world.step(Step::Leave { peer });
        }
        for _ in 0..lengths.len() * 8 + 8 {
            if world.picker.is_complete() {
                break;
            }
            let share = [Share::Shared, Share::Whole, Share::Alone][world.rng.usize(..3)];
            world.pick(0, 7, share, None);
            while !world.peers[0].2.is_empty() {
                world.step(Step::Receive { peer: 0, which: 0 });
            }
            world.step(Step::Wrote { fails: false });
            while !world.verify.is_empty() {
                world.step(Step::Judge { good: true, bad: None });
            }
            world.check();
        }
        prop_assert!(world.picker.is_complete(), "{:?}", world.picker);
        prop_assert_eq!(world.picker.bytes_left(), 0);
    }
}
