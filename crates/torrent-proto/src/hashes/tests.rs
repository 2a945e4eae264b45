//! Stories of the hash trees: Alice has the content, Bob only its roots.

use metainfo::BLOCK_LEN;
use proptest::prelude::*;

use super::*;

const ALICE: PeerKey = PeerKey(1);
const MALLORY: PeerKey = PeerKey(2);

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

/// A torrent by the number of blocks of its files; the content is told by the leaves.
struct Content {
    piece_length: u32,
    files: Vec<(Vec<Hash>, Range<u32>)>,
    pieces: u32,
}

impl Content {
    fn new(piece_blocks: u32, files: &[u32]) -> Content {
        let mut pieces = 0;
        let mut leaf = 0u64;
        let files = files.iter().map(|&blocks| {
            let leaves = (0..blocks).map(|_| {
                leaf += 1;
                merkle::leaf(&leaf.to_be_bytes())
            });
            let first = pieces;
            pieces += blocks.div_ceil(piece_blocks);
            (leaves.collect(), first..pieces)
        });
        let files = files.collect();
        Content { piece_length: piece_blocks * BLOCK_LEN, files, pieces }
    }

    fn root(&self, file: usize) -> Hash {
        merkle::root(&self.files[file].0, 0, 1)
    }

    fn leaves(&self, piece: PieceIndex) -> &[Hash] {
        let (leaves, pieces) = self.files.iter().find(|(_, pieces)| pieces.contains(&piece.0)).unwrap();
        leaves.chunks((self.piece_length / BLOCK_LEN) as usize).nth((piece.0 - pieces.start) as usize).unwrap()
    }

    /// What one knows who has the metadata only.
    fn bare(&self) -> HashTrees {
        let files = self.files.iter().enumerate();
        let file = |(number, (leaves, pieces)): (usize, &(Vec<Hash>, Range<u32>))| {
            (self.root(number), leaves.len() as u64 * u64::from(BLOCK_LEN) - 5, pieces.clone())
        };
        HashTrees::of_files(self.piece_length, files.map(file))
    }

    /// What a seed knows.
    fn full(&self) -> HashTrees {
        let mut trees = self.bare();
        for (number, (leaves, _)) in self.files.iter().enumerate() {
            let blocks = self.piece_length / BLOCK_LEN;
            let width = if leaves.len() as u32 > blocks { blocks } else { leaves.len() as u32 };
            let layer: Vec<Hash> = leaves.chunks(blocks as usize).map(|piece| merkle::root(piece, 0, width)).collect();
            assert!(trees.add_layer(self.root(number), &layer));
        }
        trees.assert_invariants();
        assert!(trees.is_complete());
        trees
    }

    /// Lets a seed answer.
    fn serve(&self, seed: &mut HashTrees, request: &HashRequest) -> Option<Vec<Hash>> {
        let mut answer = seed.serve(request, &Bitfield::full(self.pieces));
        loop {
            answer = match answer {
                Serve::Hashes(hashes) => return Some(hashes),
                Serve::NeedLeaves(piece) => seed.serve_leaves(request, piece, self.leaves(piece)),
                Serve::Reject => return None,
            }
        }
    }
}

#[test]
fn piece_layers_are_fetched_in_parts_and_proven() {
    let content = Content::new(2, &[3, 1, 2600, 2, 9]);
    let (mut alice, mut bob) = (content.full(), content.bare());
    let has = Bitfield::full(content.pieces);
    assert_eq!(bob.piece_hash(PieceIndex(2)), Some(content.root(1)), "a file of one piece needs no layer");
    let mut requests = 0;
    while let Some(request) = bob.next_request(at(0), ALICE, &has) {
        assert!(request.length <= MAX_HASHES && request.index % request.length == 0);
        let hashes = content.serve(&mut alice, &request).unwrap();
        assert!(matches!(bob.received(ALICE, &request, &hashes), Ok(Learned::Pieces(_))));
        assert_eq!(bob.received(ALICE, &request, &hashes), Ok(Learned::Nothing));
        bob.assert_invariants();
        requests += 1;
    }
    assert_eq!(requests, 5, "two files with a part each, and three parts of 512 for 1300 pieces");
    assert!(bob.is_complete());
    for piece in (0..content.pieces).map(PieceIndex) {
        assert_eq!(bob.piece_hash(piece), alice.piece_hash(piece));
    }
    assert_eq!(bob.layers().count(), 3);
    assert_eq!(bob.piece_hash(PieceIndex(content.pieces)), None);
}

#[test]
fn a_liar_is_found_and_another_is_asked() {
    let content = Content::new(1, &[1100]);
    let (mut alice, mut bob) = (content.full(), content.bare());
    let has = Bitfield::full(content.pieces);
    let request = bob.next_request(at(0), MALLORY, &has).unwrap();
    let good = content.serve(&mut alice, &request).unwrap();
    for wrong in [0, 300, good.len() - 1] {
        let mut hashes = good.clone();
        hashes[wrong][7] ^= 1;
        assert!(bob.received(MALLORY, &request, &hashes).is_err());
        bob.assert_invariants();
    }
    assert!(bob.received(MALLORY, &request, &good[1..]).is_err());
    assert_ne!(bob.next_request(at(0), MALLORY, &has), Some(request), "not again of the same");
    assert_eq!(bob.next_request(at(0), ALICE, &has), Some(request));
    assert_eq!(bob.received(ALICE, &request, &good), Ok(Learned::Pieces(0..512)));
    let foreign = HashRequest { pieces_root: [9; 32], ..request };
    assert!(bob.received(ALICE, &foreign, &good).is_err());
}

#[test]
fn what_is_refused_late_or_left_behind_is_asked_of_others() {
    let content = Content::new(1, &[600]);
    let mut bob = content.bare();
    let has = Bitfield::full(content.pieces);
    let first = bob.next_request(at(0), MALLORY, &has).unwrap();
    bob.rejected(MALLORY, &first);
    let second = bob.next_request(at(0), MALLORY, &has).unwrap();
    assert_ne!(first, second);
    assert_eq!(bob.next_request(at(0), MALLORY, &has), None);
    assert_eq!(bob.next_request(at(1), ALICE, &has), Some(first));
    assert_eq!(bob.next_timeout(), Some(at(20)));
    bob.handle_timeout(at(20));
    bob.assert_invariants();
    assert_eq!(bob.next_request(at(20), ALICE, &has), Some(second));
    bob.gone(ALICE);
    bob.assert_invariants();
    assert_eq!(bob.next_request(at(20), PeerKey(3), &has), Some(first));
    assert_eq!(bob.next_request(at(20), PeerKey(4), &Bitfield::new(600)), None, "it has nothing there");
}

#[test]
fn the_leaves_of_a_bad_piece_name_the_bad_block() {
    for (piece_blocks, files, piece) in [(4, vec![10], 2), (4, vec![3], 0), (2048, vec![5000], 1)] {
        let content = Content::new(piece_blocks, &files);
        let (mut alice, mut bob) = (content.full(), content.full());
        let has = Bitfield::full(content.pieces);
        let piece = PieceIndex(piece);
        assert_eq!(bob.want_leaves(piece), None);
        let mut learned = Learned::Nothing;
        while let Some(request) = bob.next_request(at(0), ALICE, &has) {
            let hashes = content.serve(&mut alice, &request).unwrap();
            learned = bob.received(ALICE, &request, &hashes).unwrap();
            bob.assert_invariants();
        }
        let Learned::Leaves { piece: of, leaves } = learned else { panic!("{learned:?}") };
        assert_eq!((of, &leaves[..]), (piece, content.leaves(piece)));
        let mut computed = leaves.clone();
        computed[1] = [0; 32];
        assert_eq!(bad_blocks(&computed, &leaves), [1]);
    }
}

#[test]
fn a_piece_of_one_block_is_its_own_leaf() {
    let content = Content::new(1, &[3]);
    let mut bob = content.full();
    assert_eq!(bob.want_leaves(PieceIndex(1)).as_deref(), Some(content.leaves(PieceIndex(1))));
    assert_eq!(content.bare().want_leaves(PieceIndex(1)), None, "nothing to prove them against");
}

#[test]
fn files_with_the_same_content_share_a_tree() {
    let content = Content::new(1, &[5]);
    let root = content.root(0);
    let length = 5 * u64::from(BLOCK_LEN);
    let mut bob = HashTrees::of_files(BLOCK_LEN, [(root, length, 0..5), (root, length, 5..10)]);
    let mut second_only = Bitfield::new(10);
    (5..10).for_each(|piece| assert!(second_only.set(piece)));
    let request = bob.next_request(at(0), ALICE, &second_only).unwrap();
    let hashes = content.serve(&mut content.full(), &request).unwrap();
    bob.received(ALICE, &request, &hashes).unwrap();
    assert_eq!(bob.piece_hash(PieceIndex(7)), Some(content.leaves(PieceIndex(2))[0]));
}

#[test]
fn unproven_or_absurd_requests_are_rejected() {
    let content = Content::new(4, &[100, 3]);
    let mut alice = content.full();
    let none = Bitfield::new(content.pieces);
    let good = HashRequest { pieces_root: content.root(0), base_layer: 0, index: 0, length: 4, proof_layers: 6 };
    assert_eq!(alice.serve(&good, &none), Serve::Reject, "the data is not there");
    assert!(content.serve(&mut alice, &good).is_some());
    for absurd in [
        HashRequest { length: 3, ..good },
        HashRequest { length: 1, ..good },
        HashRequest { length: 0, ..good },
        HashRequest { length: 1024, ..good },
        HashRequest { index: 2, ..good },
        HashRequest { index: 128, ..good },
        HashRequest { index: u32::MAX - 3, ..good },
        HashRequest { base_layer: 7, ..good },
        HashRequest { base_layer: u32::MAX, ..good },
        HashRequest { base_layer: 6, length: 4, proof_layers: 0, ..good },
        HashRequest { proof_layers: 7, ..good },
        HashRequest { proof_layers: u32::MAX, ..good },
        HashRequest { pieces_root: [1; 32], ..good },
    ] {
        assert_eq!(content.serve(&mut alice, &absurd), None, "{absurd:?}");
    }
    let mut other = content.full();
    let leaves = vec![[5; 32]; 4];
    assert_eq!(other.serve_leaves(&good, PieceIndex(0), &leaves), Serve::Reject, "the disk holds something else");
    assert_eq!(content.bare().serve(&HashRequest { base_layer: 2, proof_layers: 0, ..good }, &none), Serve::Reject);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// At every layer the hashes served, with their proof, lead to the root.
    #[test]
    fn every_layer_is_served_with_its_proof(
        piece_height in 0u32..4, blocks in 1u32..200, base_layer in 0u32..8, length in 1u32..6, index in any::<u32>(),
    ) {
        let content = Content::new(1 << piece_height, &[blocks]);
        let mut alice = content.full();
        let root_layer = blocks.next_power_of_two().ilog2();
        prop_assume!(base_layer + length <= root_layer);
        let spans = 1 << (root_layer - base_layer - length);
        let request = HashRequest {
            pieces_root: content.root(0),
            base_layer,
            index: (index % spans) << length,
            length: 1 << length,
            proof_layers: root_layer - base_layer - 1,
        };
        let hashes = content.serve(&mut alice, &request).unwrap();
        prop_assert_eq!(hashes.len() as u32, request.length + proof_len(&request));
        let (hashes, uncles) = hashes.split_at(request.length as usize);
        let node = merkle::root(hashes, base_layer, request.length);
        prop_assert_eq!(merkle::climb(node, index % spans, uncles), content.root(0));
    }
}
