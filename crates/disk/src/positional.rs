//! Reading and writing at a position, and what a file system knows about holes.

use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;

use crate::LARGE;

/// Writes all of `slices` at `offset`, in one call where the system allows it. At most 1,024 slices (POSIX's IOV_MAX on
/// Linux).
pub(crate) fn write_all(file: &File, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        let (mut slices, mut offset) = (slices, offset);
        while !slices.is_empty() {
            match rustix::io::pwritev(file, slices, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    offset += n as u64;
                    IoSlice::advance_slices(&mut slices, n);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        let mut offset = offset;
        for slice in slices {
            write_one(file, slice, offset)?;
            offset += slice.len() as u64;
        }
        Ok(())
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_os = "freebsd"))))]
fn write_one(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_one(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[n..];
        offset += n as u64;
    }
    Ok(())
}

/// Fills `buffer` from `offset` on; an earlier end of the file is an error ([`io::ErrorKind::UnexpectedEof`]).
pub(crate) fn read_exact(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
    #[cfg(windows)]
    {
        let (mut buffer, mut offset) = (buffer, offset);
        while !buffer.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[n..];
            offset += n as u64;
        }
        Ok(())
    }
}

/// Fills `buffer` from `offset` on with what the system holds in memory, without waiting for a disk. Returns whether all of
/// it was there; the buffer's content is arbitrary if not. Systems and file systems that cannot say (tmpfs) say no.
pub(crate) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::io::ReadWriteFlags;
        let length = buffer.len();
        let read = rustix::io::preadv2(file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT);
        read == Ok(length)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, buffer, offset);
        false
    }
}

/// Tells whether anything was ever written in a range of a file; where the file system cannot say, whether the file
/// reaches into it.
pub(crate) fn holds_data(file: &File, range: Range<u64>) -> bool {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        // Moves the file's own position, which nothing here uses.
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(range.start)) {
            Ok(data) => return data < range.end,
            Err(rustix::io::Errno::NXIO) => return false,
            Err(_) => {}
        }
    }
    file.metadata().is_ok_and(|metadata| metadata.len() > range.start)
}

/// Returns the first part of a range of a file in which something was ever written; where the file system cannot say, all
/// of the range that the file reaches into. `None`: there is none.
pub(crate) fn next_data(file: &File, range: Range<u64>) -> io::Result<Option<Range<u64>>> {
    let end = range.end.min(file.metadata()?.len());
    if range.start >= end {
        return Ok(None);
    }
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    {
        use rustix::fs::{SeekFrom, seek};
        // Moves the file's own position, which nothing here uses.
        match seek(file, SeekFrom::Data(range.start)) {
            Ok(data) if data >= end => return Ok(None),
            Ok(data) => return Ok(Some(data..seek(file, SeekFrom::Hole(data)).map_or(end, |hole| hole.min(end)))),
            Err(rustix::io::Errno::NXIO) => return Ok(None),
            Err(_) => {}
        }
    }
    Ok(Some(range.start..end))
}

/// Copies what was ever written in a range of a file to `to_offset` of another; holes stay holes as far as the system
/// tells them. `buffer` holds [`LARGE`] bytes.
pub(crate) fn copy_data(
    from: &File,
    range: Range<u64>,
    to: &File,
    to_offset: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut at = range.start;
    while let Some(data) = next_data(from, at..range.end)? {
        at = data.start;
        while at < data.end {
            let part = &mut buffer[..(data.end - at).min(LARGE as u64) as usize];
            read_exact(from, part, at)?;
            write_all(to, &mut [IoSlice::new(part)], to_offset + (at - range.start))?;
            at += part.len() as u64;
        }
    }
    Ok(())
}

/// Reserves room for a whole file where the file system can; elsewhere nothing happens.
pub(crate) fn reserve(file: &File, length: u64) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    {
        use rustix::io::Errno;
        if length == 0 {
            return Ok(());
        }
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    {
        let _ = (file, length);
        Ok(())
    }
}

/// Tells the system that a range will be read soon.
pub(crate) fn read_ahead(file: &File, offset: u64, length: u64) {
    #[cfg(target_os = "linux")]
    {
        // A hint: nothing is lost when it is refused.
        let _ = rustix::fs::fadvise(file, offset, std::num::NonZeroU64::new(length), rustix::fs::Advice::WillNeed);
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, offset, length);
    }
}

/// Makes the content of a file durable.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Makes everything on the file system of `folder` durable; `None` where the system has no such call.
pub(crate) fn sync_file_system(folder: &std::path::Path) -> Option<io::Result<()>> {
    #[cfg(target_os = "linux")]
    {
        Some(File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        None
    }
}

/// What a file system says of its room, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What the user may still write.
    pub free: u64,
    /// How large it is.
    pub total: u64,
}

/// Asks the file system of a folder how much room it has; fails with [`io::ErrorKind::Unsupported`] where the system does
/// not say.
pub fn space(folder: &std::path::Path) -> io::Result<Space> {
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) })
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Err(io::Error::new(io::ErrorKind::Unsupported, "how much room there is is told on Unix only"))
    }
}
