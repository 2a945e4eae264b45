//! Making torrents and reading them again.

mod support;

use metainfo::create::{CreateError, Mode, Options, PieceHashes, Plan, SourceFile, automatic_piece_length};
use metainfo::{Edit, FileIndex, TorrentFile, fuzzing};
use proptest::prelude::*;
use support::{content, create, source};

fn plan(paths: &[&str], mode: Mode) -> Result<Plan, CreateError> {
    let files = paths.iter().map(|path| source(path, 1, false)).collect();
    Plan::new("folder", files, Options { mode, ..Options::default() })
}

#[test]
fn what_cannot_be_made_is_refused_with_its_name() {
    assert!(matches!(Plan::new("x", vec![], Options::default()), Err(CreateError::NoContent)));
    let empty = vec![source("a", 0, false), source("b", 0, false)];
    assert!(matches!(Plan::new("x", empty, Options::default()), Err(CreateError::NoContent)));
    for bad in ["a\nb", "a\\b", ".."] {
        assert!(matches!(plan(&["fine", bad], Mode::V1), Err(CreateError::BadName(name)) if name == bad));
    }
    assert!(matches!(plan(&["a/b", "a/b"], Mode::V1), Err(CreateError::Duplicate(name)) if name == "a/b"));
    assert!(matches!(plan(&["a", "a/b"], Mode::V1), Err(CreateError::Duplicate(name)) if name == "a"));
    let deep = "d/".repeat(95) + "file";
    assert!(matches!(plan(&[&deep], Mode::V2), Err(CreateError::TooDeep(_))));
    assert!(matches!(plan(&["folder"], Mode::V2), Err(CreateError::LikeItsFolder(_))));
    for length in [0, 1000, 8192, 48 * 1024, 1 << 29] {
        let options = Options { piece_length: Some(length), ..Options::default() };
        let made = Plan::new("x", vec![source("", 1, false)], options);
        assert!(matches!(made, Err(CreateError::BadPieceLength(given)) if given == length));
    }
    let options = Options { piece_length: Some(16_384), ..Options::default() };
    let huge = vec![source("", 1 << 40, false)];
    assert!(matches!(Plan::new("x", huge, options), Err(CreateError::TooManyPieces(16_384))));
    let missing = plan(&["a"], Mode::V1).unwrap().finish(PieceHashes::default());
    assert!(matches!(missing, Err(CreateError::WrongHashes { given: 0, expected: 1 })));
}

#[test]
fn a_folder_with_a_file_of_its_own_name_stays_a_folder() {
    for mode in [Mode::V1, Mode::Hybrid] {
        let options = Options { mode, ..Options::default() };
        let made = create("x", vec![(source("x", 3, false), vec![1, 2, 3])], options).unwrap();
        assert_eq!(made.info.layout().files()[0].path, ["x", "x"]);
    }
}

#[test]
fn the_deepest_folders_that_are_planned_can_be_read() {
    let deep = "d/".repeat(93) + "file";
    for mode in [Mode::V1, Mode::Hybrid, Mode::V2] {
        let options = Options { mode, ..Options::default() };
        let made = create("x", vec![(source(&deep, 1, false), vec![1])], options).unwrap();
        assert_eq!(TorrentFile::from_bytes(&made.to_bytes()).unwrap(), made);
    }
}

#[test]
fn the_automatic_piece_length_grows_with_the_content() {
    const MIB: u64 = 1 << 20;
    let rows: [(u64, u32); 6] = [
        (1, 16 << 10),
        (32 * MIB, 16 << 10),
        (32 * MIB + 1, 32 << 10),
        (4096 * MIB, 2 << 20),
        (100 << 30, 16 << 20),
        (1 << 46, 32 << 20),
    ];
    for (total, length) in rows {
        assert_eq!(automatic_piece_length(total), length, "{total}");
    }
}

#[test]
fn private_and_source_change_the_info_hash_and_the_rest_does_not() {
    let made = create("f", vec![(source("", 5, false), vec![7; 5])], Options::default()).unwrap();
    let around = Edit {
        trackers: Some(vec![vec!["http://t.example/a".to_owned()]]),
        web_seeds: Some(vec!["http://w.example/".to_owned()]),
        comment: Some(Some("Hello".to_owned())),
        private: Some(false),
        source: Some(None),
        ..Edit::default()
    };
    let edited = made.edited(&around).unwrap();
    assert_eq!(edited.hashes(), made.hashes());
    assert_eq!((edited.comment.as_deref(), edited.trackers.len()), (Some("Hello"), 1));

    let tagged = Edit { private: Some(true), source: Some(Some("Here".to_owned())), ..Edit::default() };
    let private = edited.edited(&tagged).unwrap();
    assert_ne!(private.hashes(), made.hashes());
    assert!(private.info.is_private() && private.info.source() == Some("Here"));
    assert_eq!(private.info.layout(), made.info.layout());
    assert_eq!(TorrentFile::from_bytes(&private.to_bytes()).unwrap(), private);

    let back = Edit { private: Some(false), source: Some(None), comment: Some(None), ..Edit::default() };
    let back = private.edited(&back).unwrap();
    assert_eq!((back.hashes(), back.comment), (made.hashes(), None));
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::V1), Just(Mode::Hybrid), Just(Mode::V2)]
}

fn files() -> impl Strategy<Value = Vec<(SourceFile, Vec<u8>)>> {
    let length = prop_oneof![Just(0usize), 1..100usize, Just(16_384), Just(32_768), 1..100_000usize];
    let file = ("[a-c]{1,2}(/[a-c.-]{1,2}x){0,2}y", length, any::<bool>());
    proptest::collection::btree_map(file.0, (file.1, file.2), 1..8).prop_map(|files| {
        let made = files
            .into_iter()
            .map(|(path, (length, executable))| (source(&path, length as u64, executable), content(&path, length)));
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_made_reads_back_as_planned(mut files in files(), mode in modes(), large in any::<bool>()) {
        files.push((source("always/here", 1, false), vec![1]));
        let options = Options { mode, piece_length: Some(if large { 65_536 } else { 16_384 }), ..Options::default() };
        let sources: Vec<_> = files.iter().map(|(source, _)| source.clone()).collect();
        let planned = Plan::new("torrent", sources, options.clone()).unwrap();
        let made = create("torrent", files.clone(), options.clone()).unwrap();
        let (read, deviations) = TorrentFile::from_bytes_noting(&made.to_bytes()).unwrap();
        prop_assert_eq!(deviations, []);
        prop_assert_eq!(&read, &made);
        // The order in which files are handed over does not matter.
        files.reverse();
        prop_assert_eq!(create("torrent", files, options).unwrap().to_bytes(), made.to_bytes());

        let layout = made.info.layout();
        fuzzing::layout(layout);
        prop_assert_eq!(layout.piece_count(), planned.layout().piece_count());
        for (i, (file, plan)) in layout.files().iter().zip(planned.layout().files()).enumerate() {
            prop_assert_eq!((&file.path, file.length, file.offset), (&plan.path, plan.length, plan.offset));
            prop_assert_eq!((file.position, file.executable), (plan.position, plan.executable));
            let index = FileIndex(i as u32);
            prop_assert_eq!(layout.file_at_position(file.position), Some(index));
            let first = layout.file_pieces(index).start;
            prop_assert!(mode == Mode::V1 || file.offset == u64::from(first) * u64::from(layout.piece_length())
                || file.length == 0);
        }
        for piece in layout.pieces() {
            prop_assert_eq!(made.info.piece_hash_v1(piece).is_some(), mode != Mode::V2);
            prop_assert_eq!(made.piece_layers.piece_hash(&made.info, piece).is_some(), mode != Mode::V1);
        }
    }
}
