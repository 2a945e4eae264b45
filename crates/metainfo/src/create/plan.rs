//! The plan: which files, in which order, where in the space.

use std::collections::BTreeSet;

use super::{CreateError, Mode, Options, PieceHashes, SourceFile, automatic_piece_length, write};
use crate::bencode::MAX_DEPTH;
use crate::layout::Arrangement;
use crate::{BLOCK_LEN, File, Layout, MAX_PIECE_LENGTH, MAX_PIECES, TorrentFile, names};

/// The levels of a document around a v2 file: the torrent file, its info, the file tree, the file's own two.
const LEVELS_AROUND: usize = 6;

/// A torrent whose content is known by name and length, but not yet hashed.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) name: String,
    /// In the order of the layout's files.
    pub(super) files: Vec<SourceFile>,
    pub(super) layout: Layout,
    pub(super) options: Options,
    order: Vec<usize>,
}

impl Plan {
    /// Plans a torrent called `name`, of one file (with an empty path) or of the files of a folder, in any order.
    pub fn new(name: &str, files: Vec<SourceFile>, options: Options) -> Result<Plan, CreateError> {
        let total = files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.length));
        let total = total.ok_or(CreateError::TooManyPieces(MAX_PIECE_LENGTH))?;
        if total == 0 {
            return Err(CreateError::NoContent);
        }
        let piece_length = options.piece_length.unwrap_or_else(|| automatic_piece_length(total));
        if !piece_length.is_power_of_two() || !(BLOCK_LEN..=MAX_PIECE_LENGTH).contains(&piece_length) {
            return Err(CreateError::BadPieceLength(piece_length));
        }
        check_names(name, &files)?;
        if options.mode == Mode::V2 && matches!(&files[..], [only] if only.path == [name]) {
            return Err(CreateError::LikeItsFolder(name.to_owned()));
        }
        let mut numbered: Vec<(usize, SourceFile)> = files.into_iter().enumerate().collect();
        match options.mode {
            Mode::V1 => numbered.sort_by(|(_, a), (_, b)| whole_path(a).cmp(whole_path(b))),
            Mode::Hybrid | Mode::V2 => numbered.sort_by(|(_, a), (_, b)| a.path.cmp(&b.path)),
        }
        let (order, files): (Vec<usize>, Vec<SourceFile>) = numbered.into_iter().unzip();
        let layout = lay_out(name, &files, options.mode, piece_length)?;
        Ok(Plan { name: name.to_owned(), files, layout, options, order })
    }

    /// Returns how pieces lie over the files: the layout that the finished torrent has, only that files do not know
    /// their `pieces_root` yet.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the source files in the order of the layout's files.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Returns the source files' numbers (as handed to [`Plan::new`]) in the order of the layout's files.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Tells whether SHA-1 hashes of pieces are needed.
    pub fn needs_v1(&self) -> bool {
        self.options.mode != Mode::V2
    }

    /// Tells whether merkle roots of pieces are needed.
    pub fn needs_v2(&self) -> bool {
        self.options.mode != Mode::V1
    }

    /// Writes the torrent.
    pub fn finish(self, hashes: PieceHashes) -> Result<TorrentFile, CreateError> {
        let expected = self.layout.piece_count();
        for (given, needed) in [(hashes.v1.len(), self.needs_v1()), (hashes.v2.len(), self.needs_v2())] {
            if given != if needed { expected as usize } else { 0 } {
                return Err(CreateError::WrongHashes { given, expected });
            }
        }
        Ok(write::torrent_file(self, &hashes))
    }
}

fn check_names(name: &str, files: &[SourceFile]) -> Result<(), CreateError> {
    if !names::travels(name) {
        return Err(CreateError::BadName(name.to_owned()));
    }
    let mut taken = BTreeSet::new();
    let mut folders = BTreeSet::new();
    for file in files {
        let shown = || file.path.join("/");
        if !file.path.iter().all(|component| names::travels(component)) {
            return Err(CreateError::BadName(shown()));
        }
        let len: usize = file.path.iter().map(|component| component.len() + 1).sum();
        if file.path.len() > MAX_DEPTH - LEVELS_AROUND || name.len() + len + 1 > names::MAX_PATH_LEN {
            return Err(CreateError::TooDeep(shown()));
        }
        if !taken.insert(&file.path[..]) {
            return Err(CreateError::Duplicate(shown()));
        }
        folders.extend((0..file.path.len()).map(|depth| &file.path[..depth]));
    }
    match taken.iter().find(|path| folders.contains(*path)) {
        Some(path) => Err(CreateError::Duplicate(path.join("/"))),
        None => Ok(()),
    }
}

fn whole_path(file: &SourceFile) -> impl Iterator<Item = u8> + '_ {
    file.path
        .iter()
        .enumerate()
        .flat_map(|(i, component)| (if i > 0 { "/" } else { "" }).bytes().chain(component.bytes()))
}

fn lay_out(name: &str, sources: &[SourceFile], mode: Mode, piece_length: u32) -> Result<Layout, CreateError> {
    let piece = u64::from(piece_length);
    let single = sources.iter().all(|file| file.path.is_empty());
    let mut files = Vec::with_capacity(sources.len());
    let (mut space, mut position) = (0u64, 0u32);
    for source in sources {
        if mode == Mode::V2 {
            space = space.next_multiple_of(piece);
        }
        files.push(File {
            path: std::iter::once(name).chain(source.path.iter().map(String::as_str)).map(str::to_owned).collect(),
            length: source.length,
            offset: space,
            executable: source.executable,
            pieces_root: None,
            position,
        });
        space = space.checked_add(source.length).ok_or(CreateError::TooManyPieces(piece_length))?;
        position += 1;
        if mode == Mode::Hybrid && !single && !space.is_multiple_of(piece) {
            space = space.next_multiple_of(piece);
            position += 1;
        }
        if space > u64::from(MAX_PIECES) * piece {
            return Err(CreateError::TooManyPieces(piece_length));
        }
    }
    let arrangement = match mode {
        Mode::V1 => Arrangement::Packed,
        Mode::Hybrid => Arrangement::Padded,
        Mode::V2 => Arrangement::Aligned,
    };
    Ok(Layout::new(piece_length, arrangement, files, space))
}
