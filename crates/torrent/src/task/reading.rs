//! Those who read files of the torrent while it is fetched.
//!
//! What each is at, and a window behind it, are the picker's deadlines: the first piece of each reader, then the second of
//! each, and so on. Invariant: whoever waits, waits for a piece that is wanted and not here, while the torrent runs.

use std::collections::BTreeMap;
use std::ops::Range;

use metainfo::{FileIndex, PieceIndex};
use torrent_proto::torrent::{Command, State};

use super::TorrentTask;
use super::answers::answer;
use crate::ask::Reply;
use crate::reader::{FileReader, ReaderKey, Source};
use crate::types::TorrentError;

/// How many bytes behind the place that a reader is at come first. Arbitrary: some seconds of film at a high rate.
const WINDOW: u64 = 8 << 20;

/// How many pieces at most that are (arbitrary; the picker looks at 32), and at least: the next one is begun before this one
/// is through.
const WINDOW_PIECES: Range<u64> = 2..32;

/// How many may read one torrent at once; the one that asked longest ago makes room. Arbitrary: players open a handful.
const MAX_READERS: usize = 32;

/// The readers of a torrent.
#[derive(Debug, Default)]
pub(super) struct Readers {
    readers: BTreeMap<ReaderKey, Reader>,
    next: u64,
    /// What a caller of `Session::read` named.
    pub(super) named: Vec<PieceIndex>,
}

#[derive(Debug)]
struct Reader {
    file: FileIndex,
    /// The pieces that are to come first.
    window: Range<u32>,
    waiting: Option<Waiting>,
    /// The count of asks at its last one.
    used: u64,
}

#[derive(Debug)]
struct Waiting {
    at: u64,
    reply: Reply<Result<u64, TorrentError>>,
}

impl TorrentTask {
    /// Takes up a reader.
    pub(super) fn open_reader(&mut self, file: FileIndex) -> Result<FileReader, TorrentError> {
        let info = self.machine.info().ok_or(TorrentError::NoMetadata)?;
        let it = info.layout().file(file).ok_or(TorrentError::NoSuchFile(file.0))?;
        let (name, length) = (it.path.last().cloned().unwrap_or_default(), it.length);
        let (torrent, asks) = (self.record.id, self.own_asks.clone());
        let Some(storage) = self.storage.get() else {
            if !self.is_left_whole(file) {
                return Err(TorrentError::NotComing("the torrent is paused: resume it to read its files".to_owned()));
            }
            let source = Source::Closed(self.record.folder.clone(), it.path.clone());
            return Ok(FileReader { torrent, source, file, name, length, asks });
        };
        if self.readers.readers.len() >= MAX_READERS
            && let Some(oldest) = self.readers.readers.iter().min_by_key(|(_, r)| r.used).map(|(key, _)| *key)
        {
            self.readers.readers.remove(&oldest);
        }
        self.readers.next += 1;
        let key = ReaderKey(self.readers.next);
        let reader = Reader { file, window: 0..0, waiting: None, used: self.readers.next };
        self.readers.readers.insert(key, reader);
        Ok(FileReader { torrent, source: Source::Open(key, storage), file, name, length, asks })
    }

    /// Tells whether a former run left a wanted file whole, and nothing was opened since.
    pub(super) fn is_left_whole(&self, file: FileIndex) -> bool {
        self.storage.get().is_none()
            && self.state == Some(State::Paused)
            && self.record.completed.is_some()
            && self.record.resume.as_ref().is_none_or(|resume| resume.clean)
            && self.machine.is_wanted(file)
    }

    /// Fails if a byte is not here and will not come as things are.
    pub(super) fn is_coming(&self, key: ReaderKey, at: u64) -> Result<(), TorrentError> {
        let Some(reader) = self.readers.readers.get(&key) else { return Ok(()) };
        match self.why_not_coming(reader.file) {
            Some(why) if self.here_until(reader.file, at).is_none() => Err(TorrentError::NotComing(why)),
            _ => Ok(()),
        }
    }

    /// Answers once the byte is here.
    pub(super) fn await_bytes(&mut self, key: ReaderKey, at: u64, reply: Reply<Result<u64, TorrentError>>) {
        let Some(window) = self.window(key, at) else {
            let why = "too many readers are at this torrent: close one".to_owned();
            return answer(reply, Err(TorrentError::NotComing(why)));
        };
        self.readers.next += 1;
        let used = self.readers.next;
        let Some(reader) = self.readers.readers.get_mut(&key) else { return };
        reader.used = used;
        reader.waiting = Some(Waiting { at, reply });
        let moved = reader.window != window;
        reader.window = window;
        self.serve_reader(key);
        if moved {
            self.set_deadlines();
        }
    }

    /// Forgets a reader.
    pub(super) fn close_reader(&mut self, key: ReaderKey) {
        if self.readers.readers.remove(&key).is_some() {
            self.set_deadlines();
        }
    }

    /// Serves those whose bytes came meanwhile, and tells those who wait for what will not come.
    pub(super) fn wake_readers(&mut self) {
        let waiting = self.readers.readers.iter().filter(|(_, reader)| reader.waiting.is_some());
        let keys: Vec<ReaderKey> = waiting.map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.serve_reader(key));
    }

    /// Hands the machine what all readers are at.
    pub(super) fn set_deadlines(&mut self) {
        // Whoever waits comes before those who are read ahead for.
        let mut readers: Vec<&Reader> = self.readers.readers.values().collect();
        readers.sort_by_key(|reader| reader.waiting.is_none());
        let windows = || readers.iter().map(|reader| &reader.window);
        let longest = windows().map(ExactSizeIterator::len).max().unwrap_or(0);
        let nth = |n: usize| windows().filter_map(move |window| window.clone().nth(n).map(PieceIndex));
        let mut pieces = self.readers.named.clone();
        for piece in (0..longest).flat_map(nth) {
            if !pieces.contains(&piece) {
                pieces.push(piece);
            }
        }
        self.command(Command::Deadlines(pieces));
    }

    /// The pieces from a place in a reader's file on that are to come first; `None`: there is no such reader.
    fn window(&self, key: ReaderKey, at: u64) -> Option<Range<u32>> {
        let reader = self.readers.readers.get(&key)?;
        let layout = self.machine.info()?.layout();
        let file = layout.file(reader.file)?;
        let length = u64::from(layout.piece_length());
        let first = (file.offset + at.min(file.length.saturating_sub(1))) / length;
        let end = (file.offset + file.length).div_ceil(length);
        let count = WINDOW.div_ceil(length).clamp(WINDOW_PIECES.start, WINDOW_PIECES.end);
        Some(first as u32..(first + count).min(end) as u32)
    }

    fn serve_reader(&mut self, key: ReaderKey) {
        let Some(reader) = self.readers.readers.get(&key) else { return };
        let (Some(waiting), file) = (&reader.waiting, reader.file) else { return };
        let outcome = match self.here_until(file, waiting.at) {
            Some(end) => Ok(end),
            None => match self.why_not_coming(file) {
                Some(why) => Err(TorrentError::NotComing(why)),
                None => return,
            },
        };
        if let Some(waiting) = self.readers.readers.get_mut(&key).and_then(|reader| reader.waiting.take()) {
            answer(waiting.reply, outcome);
        }
    }

    /// How far verified bytes of a file reach without a gap from a place on, as far as one read goes; `None`: not even there.
    fn here_until(&self, file: FileIndex, at: u64) -> Option<u64> {
        let (info, have) = (self.machine.info()?, self.machine.have()?);
        let (layout, file) = (info.layout(), info.layout().file(file)?);
        let length = u64::from(layout.piece_length());
        let mut piece = (file.offset + at) / length;
        let enough = file.offset + (at + disk::LARGE as u64).min(file.length);
        while piece * length < enough && have.get(piece as u32) {
            piece += 1;
        }
        let end = (piece * length).saturating_sub(file.offset).min(file.length);
        (end > at).then_some(end)
    }

    fn why_not_coming(&self, file: FileIndex) -> Option<String> {
        match self.state {
            Some(State::Paused) => Some("the torrent is paused: resume it to read what is not here yet".to_owned()),
            Some(State::Failed) => Some(self.error.clone().unwrap_or_else(|| "the torrent stopped".to_owned())),
            _ if !self.machine.is_wanted(file) => {
                Some("the file is not wanted: choose it (`compeer files`) to read what is not here yet".to_owned())
            }
            _ => None,
        }
    }
}
