//! Torrent files: what is read is written again and names the same torrent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metainfo::TorrentFile;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = TorrentFile::from_bytes(bytes) else { return };
    let again = TorrentFile::from_bytes(&file.to_bytes()).expect("what we write, we read");
    assert_eq!(again.hashes(), file.hashes());
    let _ = file.magnet().to_string();
});
