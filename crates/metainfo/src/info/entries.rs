//! The two file lists of an info dictionary: `length` or `files` (v1), and `file tree` (v2).

use super::fields::{invalid, required, wrong_type};
use crate::bencode::{Dict, Value};
use crate::deviation::{Deviation, Deviations};
use crate::names::NameError;
use crate::{MetainfoError, Problem};

/// How much memory the paths of a file tree may take, in bytes. Arbitrary: enough for two million ordinary files. A tree
/// names a folder once, and each path in it repeats the name, so that the length of the tree is no bound.
const MAX_PATHS_LEN: usize = 512 << 20;

/// What a component of a path takes beside its text, in bytes; about.
const COMPONENT_COST: usize = 40;

/// A file as one of the lists tells it, its names not yet made safe.
pub(super) struct Entry<'a> {
    /// Below the torrent's folder; empty for the file of a single-file torrent.
    pub(super) path: Vec<&'a [u8]>,
    pub(super) length: u64,
    pub(super) attributes: Attributes<'a>,
    pub(super) pieces_root: Option<[u8; 32]>,
    /// Where it was told, for error messages.
    pub(super) offset: usize,
}

/// BEP 47.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) padding: bool,
    pub(super) executable: bool,
    pub(super) symlink: Option<Vec<&'a [u8]>>,
}

pub(super) fn v1_files<'a>(dict: &Dict<'a>, deviations: &mut Deviations) -> Result<Vec<Entry<'a>>, MetainfoError> {
    match (dict.get(b"files"), dict.get(b"length")) {
        (Some(_), Some(_)) => Err(invalid(dict, b"length", "\"length\" and \"files\" are both there")),
        (None, None) => Err(MetainfoError::new(dict.offset(), Problem::Missing("length or files"))),
        (None, Some(_)) => Ok(vec![Entry {
            path: Vec::new(),
            length: length(dict, &Attributes::default())?,
            attributes: Attributes { padding: false, symlink: None, ..attributes(dict)? },
            pieces_root: None,
            offset: dict.offset_of(b"length"),
        }]),
        (Some(files), None) => {
            let at = dict.offset_of(b"files");
            let files = files.as_list().ok_or(wrong_type(at, "files", "a list"))?;
            if files.is_empty() {
                return Err(MetainfoError::invalid(at, "\"files\" is empty"));
            }
            let dicts =
                files.iter().map(|file| file.as_dict().ok_or(wrong_type(at, "files", "a list of dictionaries")));
            dicts.map(|file| v1_file(file?, deviations)).collect()
        }
    }
}

fn v1_file<'a>(file: &Dict<'a>, deviations: &mut Deviations) -> Result<Entry<'a>, MetainfoError> {
    let key = if file.get(b"path.utf-8").is_some() { "path.utf-8" } else { "path" };
    if key != "path" {
        deviations.insert(Deviation::Utf8Keys);
    }
    let at = file.offset_of(key.as_bytes());
    let attributes = attributes(file)?;
    let path = match file.get(key.as_bytes()) {
        // The name of padding means nothing (BEP 47).
        _ if attributes.padding => Vec::new(),
        None => return Err(MetainfoError::new(file.offset(), Problem::Missing("path"))),
        Some(path) => components(path).ok_or(wrong_type(at, key, "a list of strings"))?,
    };
    if !attributes.padding && path.iter().all(|component| component.is_empty()) {
        return Err(MetainfoError::new(at, NameError::Empty));
    }
    Ok(Entry { path, length: length(file, &attributes)?, attributes, pieces_root: None, offset: file.offset() })
}

pub(super) fn v2_files<'a>(dict: &Dict<'a>, deviations: &mut Deviations) -> Result<Vec<Entry<'a>>, MetainfoError> {
    let at = dict.offset_of(b"file tree");
    let tree = required(dict, "file tree")?.as_dict().ok_or(wrong_type(at, "file tree", "a dictionary"))?;
    let mut files = Vec::new();
    let mut room = MAX_PATHS_LEN;
    walk(tree, &mut Vec::new(), &mut files, &mut room, deviations)?;
    if files.is_empty() {
        return Err(MetainfoError::invalid(at, "\"file tree\" holds no file"));
    }
    // BEP 52: one file at the top that is called like the torrent is a single-file torrent; in a hybrid the v1 list tells.
    if let [only] = &mut files[..]
        && dict.get(b"files").is_none()
        && only.path.len() == 1
        && Some(only.path[0]) == dict.bytes(b"name")
    {
        only.path.clear();
    }
    Ok(files)
}

/// Collects the files of a v2 tree in its order: by the bytes of each component. The decoder bounds the depth.
fn walk<'a>(
    tree: &Dict<'a>,
    path: &mut Vec<&'a [u8]>,
    files: &mut Vec<Entry<'a>>,
    room: &mut usize,
    deviations: &mut Deviations,
) -> Result<(), MetainfoError> {
    if !tree.is_sorted() {
        return Err(MetainfoError::invalid(tree.offset(), "the keys of \"file tree\" are not in order"));
    }
    for (component, node) in tree.iter() {
        let at = tree.offset_of(component);
        if component.is_empty() {
            return Err(MetainfoError::invalid(at, "a file in \"file tree\" has no name"));
        }
        let node = node.as_dict().ok_or(wrong_type(at, "file tree", "a tree of dictionaries"))?;
        path.push(component);
        match node.get(b"") {
            None => walk(node, path, files, room, deviations)?,
            Some(_) if node.len() > 1 => {
                return Err(MetainfoError::invalid(at, "an entry of \"file tree\" is both a file and a folder"));
            }
            Some(file) => {
                let file = file.as_dict().ok_or(wrong_type(at, "file tree", "a tree of dictionaries"))?;
                let cost: usize = path.iter().map(|component| component.len() + COMPONENT_COST).sum();
                let too_long = || MetainfoError::invalid(at, "the paths of all files together are too long");
                *room = room.checked_sub(cost).ok_or_else(too_long)?;
                files.push(v2_file(file, path.clone(), deviations)?);
            }
        }
        path.pop();
    }
    Ok(())
}

fn v2_file<'a>(file: &Dict<'a>, path: Vec<&'a [u8]>, deviations: &mut Deviations) -> Result<Entry<'a>, MetainfoError> {
    let attributes = attributes(file)?;
    if attributes.padding {
        return Err(MetainfoError::invalid(file.offset_of(b"attr"), "\"file tree\" lists a padding file"));
    }
    let length = length(file, &attributes)?;
    let at = file.offset_of(b"pieces root");
    let pieces_root = match file.get(b"pieces root") {
        None if length == 0 => None,
        None => return Err(MetainfoError::new(at, Problem::Missing("pieces root"))),
        Some(_) if length == 0 => {
            deviations.insert(Deviation::RootOfEmptyFile);
            None
        }
        Some(root) => {
            let root = root.as_bytes().and_then(|root| root.try_into().ok());
            Some(root.ok_or(wrong_type(at, "pieces root", "a string of 32 bytes"))?)
        }
    };
    Ok(Entry { path, length, attributes, pieces_root, offset: file.offset() })
}

/// Checks that both lists of a hybrid tell the same files in the same order, each on a piece boundary; returns the v1
/// list with the roots of the v2 one (BEP 52, upgrade path).
pub(super) fn agree<'a>(
    v1: Vec<Entry<'a>>,
    v2: &[Entry<'a>],
    piece_length: u32,
) -> Result<Vec<Entry<'a>>, MetainfoError> {
    let piece = u64::from(piece_length);
    let mut tree = v2.iter();
    let mut joined = Vec::with_capacity(v1.len());
    // Where the v1 list is, and where the v2 tree has its next file: padding makes the one reach the other.
    let (mut space, mut aligned) = (0u64, 0u64);
    for mut entry in v1 {
        if !entry.attributes.padding {
            let twin = tree.next().filter(|twin| (&twin.path, twin.length) == (&entry.path, entry.length));
            let Some(twin) = twin else {
                return Err(MetainfoError::invalid(entry.offset, "the v1 and v2 file lists of a hybrid differ"));
            };
            if entry.length > 0 {
                if space != aligned {
                    let why = "a file of a hybrid does not begin on the next piece boundary";
                    return Err(MetainfoError::invalid(entry.offset, why));
                }
                aligned = space.saturating_add(entry.length).checked_next_multiple_of(piece).unwrap_or(u64::MAX);
            }
            entry.pieces_root = twin.pieces_root;
        }
        space = space.saturating_add(entry.length);
        if space > aligned {
            return Err(MetainfoError::invalid(entry.offset, "a padding file of a hybrid is too long"));
        }
        joined.push(entry);
    }
    match tree.next() {
        Some(extra) => Err(MetainfoError::invalid(extra.offset, "the v1 and v2 file lists of a hybrid differ")),
        None => Ok(joined),
    }
}

/// Reads the length of a file; that of a link may be left out, and has to be 0.
fn length(dict: &Dict<'_>, attributes: &Attributes<'_>) -> Result<u64, MetainfoError> {
    if attributes.symlink.is_some() && matches!(dict.get(b"length"), None | Some(Value::Int(0))) {
        return Ok(0);
    }
    let length = required(dict, "length")?.as_int();
    let length = length.ok_or(wrong_type(dict.offset_of(b"length"), "length", "an integer"))?;
    if attributes.symlink.is_some() {
        return Err(invalid(dict, b"length", "a symbolic link has a \"length\""));
    }
    u64::try_from(length).map_err(|_| invalid(dict, b"length", "\"length\" is negative"))
}

fn attributes<'a>(dict: &Dict<'a>) -> Result<Attributes<'a>, MetainfoError> {
    let letters = dict.bytes(b"attr").unwrap_or_default();
    let symlink = if letters.contains(&b'l') {
        let at = dict.offset_of(b"symlink path");
        let target = required(dict, "symlink path")?;
        Some(components(target).ok_or(wrong_type(at, "symlink path", "a list of strings"))?)
    } else {
        None
    };
    Ok(Attributes { padding: letters.contains(&b'p'), executable: letters.contains(&b'x'), symlink })
}

fn components<'a>(path: &Value<'a>) -> Option<Vec<&'a [u8]>> {
    path.as_list()?.iter().map(Value::as_bytes).collect()
}
