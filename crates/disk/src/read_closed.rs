//! Reading a file of a torrent whose files are not opened.

use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use torrent_proto::torrent::DiskError;

use crate::LARGE;
use crate::below::{self, Access};
use crate::error::failure;
use crate::positional;

/// Reads a range of the file that a path, made of safe names, has below a folder: at most [`LARGE`] bytes of it. Blocks. Follows
/// no link.
///
/// # Errors
/// When it cannot be read, or has another length than it should have: then it is not what was left there.
pub fn read_closed(folder: &Path, path: &[String], length: u64, range: Range<u64>) -> Result<Bytes, DiskError> {
    let len = range.end.min(length).saturating_sub(range.start).min(LARGE as u64) as usize;
    let read = || {
        let file = below::open(folder, path, Access::Read)?;
        if file.metadata()?.len() != length {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it has another length than it had: check it again",
            ));
        }
        let mut bytes = vec![0; len];
        positional::read_exact(&file, &mut bytes, range.start)?;
        Ok(bytes.into())
    };
    read().map_err(|error| failure("read", &below::join(folder, path), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_of_that_length_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = ["album".to_owned(), "song".to_owned()];
        let read = |length, range| read_closed(folder.path(), &path, length, range).map(|bytes| bytes.to_vec());
        assert!(read(5, 0..5).is_err());
        std::fs::create_dir(folder.path().join("album")).unwrap();
        std::fs::write(folder.path().join("album/song"), "notes").unwrap();
        assert_eq!(read(5, 1..3).unwrap(), b"ot");
        assert_eq!(read(5, 3..100).unwrap(), b"es");
        assert_eq!(read(5, std::ops::Range { start: 9, end: 7 }).unwrap(), b"");
        assert!(read(4, 0..4).unwrap_err().message.contains("another length"));
        #[cfg(unix)]
        {
            std::fs::rename(folder.path().join("album"), folder.path().join("other")).unwrap();
            std::os::unix::fs::symlink("other", folder.path().join("album")).unwrap();
            assert!(read(5, 0..5).is_err(), "a link is followed");
        }
    }
}
