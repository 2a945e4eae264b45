//! Stories of one torrent on a real disk.

use std::fs;
use std::path::Path;

use base::Bitfield;
use bytes::Bytes;
use metainfo::{Block, FileIndex, PieceIndex};
use proptest::prelude::*;
use torrent_proto::torrent::{CheckScope, DiskAnswer, DiskOrder, VerifyOutcome};

use crate::testing::{Content, Trial};
use crate::{Disk, DiskConfig, Incomplete, StorageConfig};

const ALBUM: [(&str, usize); 5] =
    [("a.flac", 100_000), ("b/one*", 7), ("b/empty", 0), ("b/two", 40_000), ("c", 150_001)];

fn listing(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn assert_complete(content: &Content, folder: &Path) {
    for (file, bytes) in content.info.layout().files().iter().zip(&content.files) {
        let path = file.path.iter().fold(folder.to_owned(), |path, component| path.join(component));
        assert!(fs::read(&path).unwrap() == *bytes, "{}", path.display());
    }
}

#[test]
fn an_album_is_fetched_marked_until_done_and_named_at_the_end() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut trial = Trial::open(&content, home.path());
    assert!(!trial.found_data);
    trial.fetch_all(&content);
    assert_eq!(listing(home.path()), ["album/a.flac.part", "album/b/one.part", "album/b/two.part", "album/c.part"]);
    trial.finish();
    assert_eq!(listing(home.path()), ["album/a.flac", "album/b/empty", "album/b/one", "album/b/two", "album/c"]);
    assert_complete(&content, home.path());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name| fs::metadata(home.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("album/b/one") & 0o100, 0o100);
        assert_eq!(mode("album/c") & 0o111, 0);
    }
    // Uploads read it back, also across files.
    for piece in 0..content.pieces.len() as u32 {
        let (blocks, bytes): (Vec<Block>, Vec<Bytes>) = content.blocks(piece).into_iter().unzip();
        assert_eq!(trial.read(&blocks), bytes);
        let reversed: Vec<Block> = blocks.iter().rev().copied().collect();
        assert_eq!(trial.read(&reversed).into_iter().rev().collect::<Vec<_>>(), bytes);
    }
    let range = trial.reply(|storage, reply| storage.read_range(FileIndex(4), 10..1 << 40, reply)).unwrap();
    assert_eq!(range, content.files[4][10..]);
}

#[test]
fn what_is_read_at_once_is_what_a_thread_reads() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    trial.finish();
    // The first time the files have to be opened, the second time they may be read at once.
    for _ in 0..2 {
        for piece in 0..content.pieces.len() as u32 {
            let (blocks, bytes): (Vec<Block>, Vec<Bytes>) = content.blocks(piece).into_iter().unzip();
            assert_eq!(trial.read(&blocks), bytes);
        }
    }
    // What the thread has to say of a file that was cut is said.
    fs::File::options().write(true).open(home.path().join("album/c")).unwrap().set_len(10).unwrap();
    let blocks = content.blocks(5).into_iter().map(|(block, _)| block).collect();
    let message = trial.reply(|storage, reply| storage.read(blocks, reply)).unwrap_err().message;
    assert!(message.contains("album/c is shorter than it was"), "{message}");
}

#[test]
fn complete_data_that_is_there_already_is_found_and_used() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut first = Trial::open(&content, home.path());
    first.fetch_all(&content);
    first.finish();
    let mut second = Trial::open(&content, home.path());
    assert!(second.found_data);
    let check = DiskOrder::Check { scope: CheckScope::All, expected: content.all_expected() };
    let all: Vec<u32> = (0..content.pieces.len() as u32).collect();
    assert_eq!(second.check(check), (all.clone(), all.len()));
    second.finish();
    assert_complete(&content, home.path());
}

#[test]
fn a_damaged_file_is_found_and_repaired() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    trial.finish();
    let victim = home.path().join("album/c");
    let mut bytes = fs::read(&victim).unwrap();
    bytes[100] ^= 1;
    fs::write(&victim, &bytes[..120_000]).unwrap();
    let check = DiskOrder::Check { scope: CheckScope::All, expected: content.all_expected() };
    let (good, count) = trial.check(check);
    assert_eq!((good, count), (vec![0, 1, 2, 3, 5, 6], 9));
    trial.fetch(&content, [4, 7, 8]);
    assert!(listing(home.path()).contains(&"album/c.part".to_owned()), "marked as incomplete while it is repaired");
    trial.finish();
    assert_complete(&content, home.path());
}

#[test]
fn a_deleted_file_is_missed_by_a_check_and_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    trial.finish();
    // It is open, so that its bytes can be read still.
    let blocks: Vec<Block> = content.blocks(8).into_iter().map(|(block, _)| block).collect();
    trial.read(&blocks);
    fs::remove_file(home.path().join("album/c")).unwrap();
    let check = DiskOrder::Check { scope: CheckScope::All, expected: content.all_expected() };
    let (good, _) = trial.check(check);
    assert!(!good.is_empty() && !good.contains(&8), "{good:?}");
    let missing: Vec<u32> = (0..content.pieces.len() as u32).filter(|piece| !good.contains(piece)).collect();
    trial.fetch(&content, missing);
    trial.finish();
    assert_complete(&content, home.path());
}

#[test]
fn a_stranger_under_our_name_is_never_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    fs::create_dir(home.path().join("album")).unwrap();
    for stranger in [vec![7; 150_001], vec![7; 3], vec![7; 200_000]] {
        fs::write(home.path().join("album/c"), &stranger).unwrap();
        let mut trial = Trial::open(&content, home.path());
        let check = DiskOrder::Check { scope: CheckScope::All, expected: content.all_expected() };
        assert_eq!(trial.check(check).0, [] as [u32; 0]);
        trial.fetch(&content, 0..4);
        let message = trial.error(DiskOrder::Write { blocks: content.blocks(5) });
        assert!(message.contains("album/c exists already"), "{message}");
        assert_eq!(fs::read(home.path().join("album/c")).unwrap(), stranger);
        // The user moves it away and resumes.
        fs::remove_file(home.path().join("album/c")).unwrap();
        let mut again = Trial::open(&content, home.path());
        again.fetch_all(&content);
        again.finish();
        assert_complete(&content, home.path());
        fs::remove_dir_all(home.path().join("album")).unwrap();
        fs::create_dir(home.path().join("album")).unwrap();
    }
}

#[test]
fn a_short_stranger_is_no_file_of_ours_that_was_cut() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let read = |trial: &Trial| {
        let blocks = content.blocks(5).into_iter().map(|(block, _)| block).collect();
        trial.reply(|storage, reply| storage.read(blocks, reply)).unwrap_err().message
    };
    fs::create_dir(home.path().join("album")).unwrap();
    fs::write(home.path().join("album/c"), b"mine").unwrap();
    let message = read(&Trial::open(&content, home.path()));
    assert!(message.contains("album/c exists already and is not this torrent's"), "{message}");
    fs::remove_file(home.path().join("album/c")).unwrap();
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    trial.finish();
    fs::write(home.path().join("album/c"), b"cut").unwrap();
    let message = read(&trial);
    assert!(message.contains("album/c is shorter than it was"), "{message}");
}

#[test]
fn small_equal_files_are_recognised_at_the_end() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("x", 10), ("y", 10), ("z", 10)], 32768);
    fs::create_dir(home.path().join("album")).unwrap();
    fs::write(home.path().join("album/x"), &content.files[0]).unwrap();
    fs::write(home.path().join("album/y"), [0; 10]).unwrap();
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    assert!(matches!(trial.ask(DiskOrder::Flush), torrent_proto::torrent::DiskAnswer::Flushed));
    let message = trial.error(DiskOrder::Finish);
    assert!(message.contains("album/y exists already"), "{message}");
    assert_eq!(fs::read(home.path().join("album/y")).unwrap(), [0; 10]);
    fs::remove_file(home.path().join("album/y")).unwrap();
    trial.finish();
    assert_complete(&content, home.path());
    assert_eq!(listing(home.path()).len(), 3);
}

#[test]
fn a_lying_block_is_told_apart_by_its_leaf() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v2(&[("a", 100_000), ("b", 20_000), ("c", 300_000)], 65536);
    let mut trial = Trial::open(&content, home.path());
    let mut blocks = content.blocks(0);
    blocks[2].1 = Bytes::from(vec![0; 16384]);
    trial.write(blocks);
    let VerifyOutcome::Bad { leaves: Some(leaves) } = trial.verify(&content, 0) else { panic!("a lie was believed") };
    let right: Vec<[u8; 32]> = content.pieces[0].chunks(16384).map(metainfo::merkle::leaf).collect();
    let lies: Vec<usize> = (0..4).filter(|&i| leaves[i] != right[i]).collect();
    assert_eq!(lies, [2]);
    trial.write(vec![content.blocks(0)[2].clone()]);
    assert_eq!(trial.verify(&content, 0), VerifyOutcome::Good);
    trial.fetch(&content, 1..content.pieces.len() as u32);
    trial.finish();
    assert_complete(&content, home.path());
    let piece = PieceIndex(0);
    match trial.ask(DiskOrder::HashLeaves { piece }) {
        torrent_proto::torrent::DiskAnswer::Leaves { leaves: Some(leaves), .. } => assert_eq!(leaves, right),
        other => panic!("{other:?}"),
    }
}

#[test]
fn skipped_files_are_not_created_and_come_out_of_the_part_file_when_wanted() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.wanted = vec![false, true, true, true, false];
    let mut trial = Trial::with(config);
    trial.fetch(&content, [3, 4]);
    let (blocks, bytes): (Vec<Block>, Vec<Bytes>) = content.blocks(3).into_iter().unzip();
    assert_eq!(trial.read(&blocks), bytes, "the part file serves uploads too");
    trial.finish();
    let parts = format!(".{}.parts", content.info.hashes().key());
    assert_eq!(listing(home.path()), [&*parts, "album/b/empty", "album/b/one", "album/b/two"]);
    trial.storage.order(DiskOrder::Wanted { wanted: vec![true; 5] });
    trial.fetch(&content, [0, 1, 2, 5, 6, 7, 8]);
    trial.finish();
    assert_complete(&content, home.path());
    assert_eq!(listing(home.path()).len(), 5, "the part file is gone");
}

#[test]
fn what_became_wanted_between_two_runs_comes_out_of_the_part_file() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.wanted = vec![true, false, false, false, false];
    let mut first = Trial::with(config);
    first.fetch(&content, [0, 1, 2, 3]);
    first.finish();
    assert_eq!(listing(home.path()).len(), 2, "the wanted file and the part file");
    drop(first);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.known = true;
    let mut second = Trial::with(config);
    second.fetch(&content, [4, 5, 6, 7, 8]);
    second.finish();
    assert_complete(&content, home.path());
    assert_eq!(listing(home.path()).len(), 5, "the part file is gone");
}

#[test]
fn what_came_of_a_skipped_file_is_there_when_it_is_wanted_again() {
    let home = tempfile::tempdir().unwrap();
    // The piece 3 begins with the last 20,000 bytes of "a"; its first block is all in "a", and 1 is in the middle of it.
    let content = Content::v1(&[("a", 3 * 32768 + 20_000), ("b", 30_000)], 32768);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.wanted = vec![false, true];
    let mut trial = Trial::with(config);
    trial.fetch(&content, [1]);
    let mut blocks = content.blocks(3);
    let later = blocks.split_off(1);
    trial.write(blocks);
    trial.storage.order(DiskOrder::Wanted { wanted: vec![true; 2] });
    trial.write(later);
    assert_eq!(trial.verify(&content, 3), VerifyOutcome::Good);
    trial.fetch(&content, [0, 2, 4]);
    trial.finish();
    assert_complete(&content, home.path());
}

#[test]
fn an_incomplete_folder_that_is_the_target_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.incomplete = Incomplete::Folder(home.path().to_owned());
    let mut trial = Trial::with(config);
    trial.fetch_all(&content);
    trial.finish();
    assert_complete(&content, home.path());
}

#[test]
fn after_a_crash_only_what_was_ever_written_is_hashed() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("big", 1 << 20)], 32768);
    let mut trial = Trial::open(&content, home.path());
    trial.fetch(&content, [3, 9, 20]);
    let mut lost = content.blocks(25);
    lost.pop();
    trial.write(lost);
    drop(trial);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.known = true;
    let mut trial = Trial::with(config);
    assert!(trial.found_data);
    let mut known = Bitfield::new(32);
    known.set(3);
    let scope = CheckScope::AllBut(known);
    let (good, count) = trial.check(DiskOrder::Check { scope, expected: content.all_expected() });
    assert_eq!((good, count), (vec![9, 20], 31));
}

#[test]
fn an_incomplete_folder_and_reserved_room_do_as_well() {
    let home = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut config = StorageConfig::new(content.info.clone(), home.path().join("done"));
    config.incomplete = Incomplete::Folder(other.path().to_owned());
    config.preallocate = true;
    let mut trial = Trial::with(config);
    trial.fetch_all(&content);
    assert_eq!(fs::metadata(other.path().join("album/c")).unwrap().len(), 150_001);
    trial.finish();
    assert_complete(&content, &home.path().join("done"));
    assert_eq!(listing(other.path()), [] as [&str; 0]);
    assert!(!other.path().join("album").exists());
}

#[test]
fn an_album_moves_while_it_loads_and_is_removed_without_its_neighbours() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    let mut trial = Trial::open(&content, &home.path().join("old"));
    trial.fetch(&content, 0..4);
    let new = home.path().join("new");
    trial.reply(|storage, reply| storage.move_to(new.clone(), reply)).unwrap();
    assert_eq!(trial.storage.content_path(), new.join("album"));
    assert!(!home.path().join("old/album").exists());
    trial.fetch(&content, 4..9);
    trial.finish();
    assert_complete(&content, &new);

    let taken = home.path().join("taken");
    fs::create_dir_all(taken.join("album")).unwrap();
    fs::write(taken.join("album/c"), "mine").unwrap();
    let error = trial.reply(|storage, reply| storage.move_to(taken.clone(), reply)).unwrap_err();
    assert!(error.message.contains("exists already"), "{}", error.message);
    assert_complete(&content, &new);

    fs::write(new.join("album/b/notes.txt"), "mine").unwrap();
    trial.reply(|storage, reply| storage.remove_files(reply)).unwrap();
    assert_eq!(listing(home.path()), ["new/album/b/notes.txt", "taken/album/c"]);
}

#[cfg(target_os = "linux")]
#[test]
fn uploads_go_on_while_an_album_is_copied_to_another_file_system() {
    use std::os::unix::fs::MetadataExt;
    let home = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir_in("/dev/shm").unwrap();
    if fs::metadata(home.path()).unwrap().dev() == fs::metadata(other.path()).unwrap().dev() {
        eprintln!("only one file system is here: nothing can be copied to another");
        return;
    }
    // The part file reaches over 48 MiB, of which a few kilobytes are there.
    let content = Content::v1(&[("a", 48 << 20), ("b", 20_000), ("c", 20_000)], 1 << 20);
    let mut config = StorageConfig::new(content.info.clone(), home.path().to_owned());
    config.wanted = vec![true, true, false];
    let mut trial = Trial::with(config);
    trial.fetch_all(&content);
    trial.finish();
    let block = content.blocks(0).swap_remove(0).0;
    let (sender, moved) = std::sync::mpsc::channel();
    trial.storage.move_to(other.path().to_owned(), move |result| drop(sender.send(result)));
    let mut reads = 0;
    let result = loop {
        match moved.try_recv() {
            Ok(result) => break result,
            Err(_) => assert_eq!(trial.read(&[block])[0].len(), 16384),
        }
        // Both are there only while one is copied to the other.
        reads += u32::from([&home, &other].iter().all(|folder| folder.path().join("album/a").exists()));
    };
    result.unwrap();
    assert!(reads > 5, "{reads} reads while 48 MiB were copied");
    assert_eq!(listing(home.path()), [] as [&str; 0]);
    let parts = other.path().join(format!(".{}.parts", content.info.hashes().key()));
    let metadata = fs::metadata(parts).unwrap();
    assert!(metadata.len() > 48 << 20 && metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
    trial.storage.order(DiskOrder::Wanted { wanted: vec![true; 3] });
    trial.finish();
    assert_complete(&content, other.path());
}

#[test]
fn thousands_of_small_files_need_few_open_ones() {
    let home = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..2000).map(|i| format!("{}/{i}", i % 50)).collect();
    let files: Vec<(&str, usize)> = names.iter().enumerate().map(|(i, name)| (&**name, i % 300)).collect();
    let content = Content::v1(&files, 65536);
    let disk = Disk::new(DiskConfig { max_open_files: 16, ..DiskConfig::default() });
    let mut trial = Trial::on(&disk, StorageConfig::new(content.info.clone(), home.path().to_owned()));
    trial.fetch_all(&content);
    assert!(disk.0.handles.count() <= 16);
    trial.finish();
    assert_complete(&content, home.path());
    assert!(disk.0.handles.count() <= 16);
    trial.storage.order(DiskOrder::Close);
    trial.finish();
    assert_eq!(disk.0.handles.count(), 0);
}

#[cfg(unix)]
#[test]
fn links_in_the_way_are_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let content = Content::v1(&ALBUM, 32768);
    fs::create_dir(home.path().join("album")).unwrap();
    std::os::unix::fs::symlink(outside.path(), home.path().join("album/b")).unwrap();
    fs::write(outside.path().join("victim"), "precious").unwrap();
    std::os::unix::fs::symlink(outside.path().join("victim"), home.path().join("album/a.flac.part")).unwrap();
    let mut trial = Trial::open(&content, home.path());
    for piece in [0, 3] {
        let message = trial.error(DiskOrder::Write { blocks: content.blocks(piece) });
        assert!(message.contains("symbolic link") || message.contains("exist"), "{message}");
    }
    assert_eq!(listing(outside.path()), ["victim"]);
    assert_eq!(fs::read(outside.path().join("victim")).unwrap(), b"precious");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_folder_in_the_way_is_a_plain_error() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("pipe", 40_000), ("folder", 40_000)], 16384);
    fs::create_dir_all(home.path().join("album/folder")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(home.path().join("album/pipe.part")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let mut trial = Trial::open(&content, home.path());
    for (piece, word) in [(0, "not a regular file"), (4, "exists already")] {
        let message = trial.error(DiskOrder::Write { blocks: content.blocks(piece) });
        assert!(message.contains(word), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn what_could_not_be_written_is_no_bad_piece() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("a", 40_000)], 32768);
    let way = home.path().join("album/a.part");
    fs::create_dir(home.path().join("album")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&way).status();
    assert!(made.is_ok_and(|status| status.success()));
    let mut trial = Trial::open(&content, home.path());
    let (first, second) = (content.blocks(0)[..1].to_vec(), content.blocks(0)[1..].to_vec());
    let written = trial.error(DiskOrder::Write { blocks: first.clone() });
    // The trouble is over, but its block is not there: to hash zeros would put the blame on whoever sent it.
    fs::remove_file(&way).unwrap();
    fs::write(&way, vec![0; 40_000]).unwrap();
    trial.write(second);
    let verify = || DiskOrder::Verify { piece: PieceIndex(0), expected: content.expected(0) };
    assert_eq!(trial.error(verify()), written);
    trial.write(first);
    assert_eq!(trial.verify(&content, 0), VerifyOutcome::Good);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_apart_from_other_failures() {
    // /dev/full says "no space left" to every write, but it is no regular file; so ask the error's own words.
    let error = std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
    let said = crate::error::failure("write", Path::new("/x"), &error);
    assert!(said.full && said.message.contains("full"), "{said:?}");
    let error = std::io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
    assert!(!crate::error::failure("write", Path::new("/x"), &error).full);
}

#[cfg(unix)]
#[test]
fn what_is_to_stay_free_counts_as_a_full_disk() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("a", 40_000)], 32768);
    let disk = Disk::new(DiskConfig { keep_free_bytes: u64::MAX, ..DiskConfig::default() });
    let mut trial = Trial::on(&disk, StorageConfig::new(content.info.clone(), home.path().to_owned()));
    let message = trial.error(DiskOrder::Write { blocks: content.blocks(0) });
    assert!(message.contains("stay free"), "{message}");
    disk.reconfigure(&DiskConfig { keep_free_bytes: 1, check_threads: Some(3), ..DiskConfig::default() });
    assert_eq!(disk.check_threads(), 3);
    trial.fetch(&content, 0..1);
}

/// Waits until what is counted is right: a dropped storage ends when its last order does.
#[cfg(unix)]
fn await_taken(disk: &Disk, right: impl Fn(u64) -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !right(disk.taken_bytes()) {
        assert!(std::time::Instant::now() < end, "{} bytes are counted", disk.taken_bytes());
        std::thread::yield_now();
    }
}

#[cfg(unix)]
#[test]
fn all_that_is_fetched_has_a_ceiling_and_what_was_here_before_does_not_count() {
    let home = tempfile::tempdir().unwrap();
    let (mib, piece) = (1 << 20, 256 << 10);
    let disk = Disk::new(DiskConfig { most_bytes: Some(2 * mib), ..DiskConfig::default() });
    let content = Content::v1(&[("a", mib as usize)], piece);
    let config = |name: &str, known, fetched| StorageConfig {
        known,
        fetched,
        ..StorageConfig::new(content.info.clone(), home.path().join(name))
    };
    let open = |name: &str| Trial::on(&disk, config(name, false, false));
    // Alice fetches one thing, then another, and has something of her own, which she shares.
    let mut first = open("first");
    first.fetch_all(&content);
    fs::create_dir_all(home.path().join("own/album")).unwrap();
    fs::write(home.path().join("own/album/a"), &content.files[0]).unwrap();
    let own = Trial::on(&disk, config("own", true, false));
    assert!(own.found_data);
    let mut second = open("second");
    second.fetch_all(&content);
    assert_eq!(disk.taken_bytes(), 2 * mib);
    let mut third = open("third");
    let message = third.error(DiskOrder::Write { blocks: content.blocks(0) });
    assert!(message.contains("2.0 MiB are given to it"), "{message}");
    third.storage.order(DiskOrder::Room);
    assert!(matches!(third.next(), DiskAnswer::Room(Err(error)) if error.full));

    // More is given: the third goes on.
    disk.reconfigure(&DiskConfig { most_bytes: Some(4 * mib), ..DiskConfig::default() });
    third.storage.order(DiskOrder::Room);
    assert!(matches!(third.next(), DiskAnswer::Room(Ok(()))));
    third.fetch_all(&content);
    drop((first, own, second, third));
    await_taken(&disk, |taken| taken == 0);

    // In the next run what was fetched counts, whether opened or not.
    let second = Trial::on(&disk, config("second", true, true));
    await_taken(&disk, |taken| (mib..mib + mib / 2).contains(&taken));
    let first = disk.count(config("first", true, true));
    await_taken(&disk, |taken| (2 * mib..3 * mib).contains(&taken));
    drop((first, second));
    await_taken(&disk, |taken| taken == 0);
}

#[cfg(unix)]
#[test]
fn room_that_is_reserved_counts_before_it_is() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("a", 3 << 20)], 256 << 10);
    let disk = Disk::new(DiskConfig { most_bytes: Some(2 << 20), ..DiskConfig::default() });
    let config =
        StorageConfig { preallocate: true, ..StorageConfig::new(content.info.clone(), home.path().to_owned()) };
    let mut trial = Trial::on(&disk, config);
    let message = trial.error(DiskOrder::Write { blocks: content.blocks(0) });
    assert!(message.contains("given to it") && listing(home.path()).is_empty(), "{message}");
}

#[test]
fn a_torrent_that_uses_our_suffix_gets_other_marks() {
    let home = tempfile::tempdir().unwrap();
    let long = "n".repeat(255);
    let content = Content::v1(&[("a", 20_000), ("a.part", 20_000), (&long, 20_000)], 16384);
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    trial.finish();
    assert_complete(&content, home.path());
}

#[test]
fn marked_names_meet_neither_each_other_nor_folders() {
    let home = tempfile::tempdir().unwrap();
    // "a" cannot be called "a.part", nor as a file of the torrent would be called while it is incomplete.
    let files = [("a", 20_000), ("a.part", 20_000), ("a.0-1", 20_000), ("d", 20_000), ("d.part/e", 20_000)];
    let content = Content::v1(&files, 16384);
    let mut trial = Trial::open(&content, home.path());
    trial.fetch_all(&content);
    assert_eq!(listing(home.path()).len(), 5, "{:?}", listing(home.path()));
    trial.finish();
    assert_complete(&content, home.path());
}

#[test]
fn an_incomplete_file_of_somebody_else_is_not_removed() {
    let home = tempfile::tempdir().unwrap();
    let content = Content::v1(&[("a", 20_000), ("b", 20_000)], 16384);
    fs::create_dir(home.path().join("album")).unwrap();
    fs::write(home.path().join("album/b.part"), "a browser's").unwrap();
    let mut trial = Trial::open(&content, home.path());
    trial.fetch(&content, [0]);
    trial.reply(|storage, reply| storage.remove_files(reply)).unwrap();
    assert_eq!(listing(home.path()), ["album/b.part"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order, the batches and the budget for early bytes: right bytes verify, wrong ones do not, and what is
    /// read is what a plain vector of bytes would hold.
    #[test]
    fn any_order_of_blocks_gives_the_same_files(
        seed in any::<u64>(),
        lens in proptest::collection::vec(0usize..90_000, 1..6),
        v2 in any::<bool>(),
        keep_bytes in prop_oneof![Just(0usize), Just(300_000), Just(1 << 22)],
    ) {
        prop_assume!(lens.iter().any(|&len| len > 0));
        let names = ["a", "b", "c", "d", "e", "f"];
        let files: Vec<(&str, usize)> =
            names.iter().copied().zip(lens.iter().map(|&len| if v2 { len.max(1) } else { len })).collect();
        let content = if v2 { Content::v2(&files, 65536) } else { Content::v1(&files, 65536) };
        let home = tempfile::tempdir().unwrap();
        let disk = Disk::new(DiskConfig { keep_bytes, ..DiskConfig::default() });
        let mut trial = Trial::on(&disk, StorageConfig::new(content.info.clone(), home.path().to_owned()));
        let mut rng = fastrand::Rng::with_seed(seed);
        let count = content.pieces.len() as u32;
        let liar = rng.u32(..count);
        let mut blocks: Vec<(Block, Bytes)> = (0..count).flat_map(|piece| content.blocks(piece)).collect();
        rng.shuffle(&mut blocks);
        // Some blocks come twice, the first time wrong.
        let mut batches: Vec<Vec<(Block, Bytes)>> = Vec::new();
        for (block, bytes) in blocks {
            if rng.u32(..8) == 0 {
                batches.push(vec![(block, Bytes::from(vec![0xAA; bytes.len()]))]);
            }
            match batches.last_mut() {
                Some(batch) if rng.bool() && !batch.iter().any(|(other, _)| *other == block) => {
                    batch.push((block, bytes));
                }
                _ => batches.push(vec![(block, bytes)]),
            }
        }
        for batch in batches {
            trial.write(batch);
        }
        let lie = content.blocks(liar).swap_remove(0);
        trial.write(vec![(lie.0, Bytes::from(vec![0x55; lie.1.len()]))]);
        for piece in 0..count {
            prop_assert_eq!(trial.verify(&content, piece) == VerifyOutcome::Good, piece != liar, "piece {}", piece);
        }
        trial.write(vec![lie]);
        prop_assert_eq!(trial.verify(&content, liar), VerifyOutcome::Good);
        for piece in 0..count {
            let (blocks, bytes): (Vec<Block>, Vec<Bytes>) = content.blocks(piece).into_iter().unzip();
            prop_assert_eq!(trial.read(&blocks), bytes);
        }
        trial.finish();
        assert_complete(&content, home.path());
    }
}
