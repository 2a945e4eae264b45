//! Parsing and validation.

use bytes::Bytes;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::{Info, MAX_PIECE_LENGTH, MAX_PIECES};
use crate::bencode::{self, Dict, Value};
use crate::layout::Arrangement;
use crate::names::{self, Rules};
use crate::{BLOCK_LEN, File, InfoHashV1, InfoHashV2, InfoHashes, Layout, MetainfoError, Problem};

/// A file as one of the two lists tells it, its names not yet made safe.
struct Entry<'a> {
    /// Below the torrent's folder; empty for the file of a single-file torrent.
    path: Vec<&'a [u8]>,
    length: u64,
    attributes: Attributes<'a>,
    pieces_root: Option<[u8; 32]>,
    /// Where it was told, for error messages.
    offset: usize,
}

/// BEP 47.
#[derive(Default, PartialEq)]
struct Attributes<'a> {
    padding: bool,
    executable: bool,
    symlink: Option<Vec<&'a [u8]>>,
}

pub(super) fn parse(raw: Bytes) -> Result<Info, MetainfoError> {
    let value = bencode::decode(&raw)?;
    let dict = value.as_dict().ok_or(wrong_type(0, "info", "a dictionary"))?;
    let has_v2 = match dict.get(b"meta version") {
        None => false,
        Some(Value::Int(2)) => true,
        Some(_) => return Err(invalid(dict, b"meta version", "\"meta version\" is not 2, the only one known")),
    };
    let has_v1 = dict.get(b"pieces").is_some() || !has_v2;
    let piece_length = piece_length(dict, has_v2)?;
    let v1 = if has_v1 { Some(v1_files(dict)?) } else { None };
    let v2 = if has_v2 { Some(v2_files(dict)?) } else { None };
    let layout = match (&v1, &v2) {
        (Some(v1), None) => lay_out(dict, v1, piece_length, Arrangement::Packed)?,
        (None, Some(v2)) => lay_out(dict, v2, piece_length, Arrangement::Aligned)?,
        (Some(v1), Some(v2)) => {
            let joined = agree(v1, v2, piece_length)?;
            lay_out(dict, &joined, piece_length, Arrangement::Padded)?
        }
        (None, None) => return Err(MetainfoError::new(0, Problem::Missing("pieces"))),
    };
    let pieces = if has_v1 { Some(piece_hashes(dict, &raw, &layout)?) } else { None };
    let hash_v1 = has_v1.then(|| InfoHashV1(Sha1::digest(&raw).into()));
    let hash_v2 = has_v2.then(|| InfoHashV2(Sha256::digest(&raw).into()));
    let hashes = InfoHashes::from_parts(hash_v1, hash_v2).expect("one of the lists is there");
    let name = names::safe_component(name(dict)?, Rules::native())
        .map_err(|error| MetainfoError::new(dict.offset_of(b"name"), error))?;
    let private = dict.int(b"private") == Some(1);
    let source = dict.bytes(b"source").map(|source| String::from_utf8_lossy(source).into_owned());
    Ok(Info { hashes, name, private, source, layout, pieces, has_v2, raw: raw.clone() })
}

fn piece_length(dict: &Dict<'_>, has_v2: bool) -> Result<u32, MetainfoError> {
    let length = required(dict, "piece length")?.as_int();
    let length = length.ok_or(wrong_type(dict.offset_of(b"piece length"), "piece length", "an integer"))?;
    let fitting = u32::try_from(length).ok().filter(|&length| length > 0 && length <= MAX_PIECE_LENGTH);
    let length = fitting.ok_or(invalid(dict, b"piece length", "\"piece length\" is not between 1 and 256 MiB"))?;
    if has_v2 && (length < BLOCK_LEN || !length.is_power_of_two()) {
        return Err(invalid(
            dict,
            b"piece length",
            "\"piece length\" of a v2 torrent is not a power of two of at least 16 KiB",
        ));
    }
    Ok(length)
}

fn name<'a>(dict: &Dict<'a>) -> Result<&'a [u8], MetainfoError> {
    if let Some(name) = dict.bytes(b"name.utf-8") {
        return Ok(name);
    }
    required(dict, "name")?.as_bytes().ok_or(wrong_type(dict.offset_of(b"name"), "name", "a string"))
}

fn v1_files<'a>(dict: &Dict<'a>) -> Result<Vec<Entry<'a>>, MetainfoError> {
    match (dict.get(b"files"), dict.get(b"length")) {
        (Some(_), Some(_)) => Err(invalid(dict, b"length", "\"length\" and \"files\" are both there")),
        (None, None) => Err(MetainfoError::new(dict.offset(), Problem::Missing("length or files"))),
        (None, Some(_)) => Ok(vec![Entry {
            path: Vec::new(),
            length: length(dict)?,
            attributes: attributes(dict)?,
            pieces_root: None,
            offset: dict.offset_of(b"length"),
        }]),
        (Some(files), None) => {
            let at = dict.offset_of(b"files");
            let files = files.as_list().ok_or(wrong_type(at, "files", "a list"))?;
            if files.is_empty() {
                return Err(MetainfoError::invalid(at, "\"files\" is empty"));
            }
            files
                .iter()
                .map(|file| v1_file(file.as_dict().ok_or(wrong_type(at, "files", "a list of dictionaries"))?))
                .collect()
        }
    }
}

fn v1_file<'a>(file: &Dict<'a>) -> Result<Entry<'a>, MetainfoError> {
    let key = if file.get(b"path.utf-8").is_some() { "path.utf-8" } else { "path" };
    let attributes = attributes(file)?;
    let path = match file.get(key.as_bytes()) {
        None if attributes.padding => Vec::new(),
        None => return Err(MetainfoError::new(file.offset(), Problem::Missing("path"))),
        Some(path) => components(path).ok_or(wrong_type(file.offset_of(key.as_bytes()), key, "a list of strings"))?,
    };
    let length = if attributes.symlink.is_some() && file.get(b"length").is_none() { 0 } else { length(file)? };
    Ok(Entry { path, length, attributes, pieces_root: None, offset: file.offset() })
}

fn v2_files<'a>(dict: &Dict<'a>) -> Result<Vec<Entry<'a>>, MetainfoError> {
    let at = dict.offset_of(b"file tree");
    let tree = required(dict, "file tree")?.as_dict().ok_or(wrong_type(at, "file tree", "a dictionary"))?;
    let mut files = Vec::new();
    walk(tree, &mut Vec::new(), &mut files)?;
    if files.is_empty() {
        return Err(MetainfoError::invalid(at, "\"file tree\" holds no file"));
    }
    // BEP 52: one file at the top that is called like the torrent is a single-file torrent.
    if let [only] = &mut files[..]
        && only.path.len() == 1
        && Some(only.path[0]) == dict.bytes(b"name")
    {
        only.path.clear();
    }
    Ok(files)
}

/// Collects the files of a v2 tree in its order: by the bytes of each component. The depth is bounded by the decoder.
fn walk<'a>(tree: &Dict<'a>, path: &mut Vec<&'a [u8]>, files: &mut Vec<Entry<'a>>) -> Result<(), MetainfoError> {
    for (component, node) in tree.iter() {
        let at = tree.offset_of(component);
        if component.is_empty() {
            return Err(MetainfoError::invalid(at, "a file in \"file tree\" has siblings, or has no name"));
        }
        let node = node.as_dict().ok_or(wrong_type(at, "file tree", "a tree of dictionaries"))?;
        path.push(component);
        match node.get(b"") {
            Some(file) => {
                let file = file.as_dict().ok_or(wrong_type(at, "file tree", "a tree of dictionaries"))?;
                if node.len() > 1 {
                    return Err(MetainfoError::invalid(at, "an entry of \"file tree\" is both a file and a folder"));
                }
                files.push(v2_file(file, path.clone())?);
            }
            None => walk(node, path, files)?,
        }
        path.pop();
    }
    Ok(())
}

fn v2_file<'a>(file: &Dict<'a>, path: Vec<&'a [u8]>) -> Result<Entry<'a>, MetainfoError> {
    let attributes = attributes(file)?;
    let length = if attributes.symlink.is_some() && file.get(b"length").is_none() { 0 } else { length(file)? };
    let at = file.offset_of(b"pieces root");
    let pieces_root = match file.get(b"pieces root") {
        _ if length == 0 => None,
        None => return Err(MetainfoError::new(at, Problem::Missing("pieces root"))),
        Some(root) => {
            let root = root.as_bytes().and_then(|root| root.try_into().ok());
            Some(root.ok_or(wrong_type(at, "pieces root", "a string of 32 bytes"))?)
        }
    };
    if attributes.padding {
        return Err(MetainfoError::invalid(file.offset_of(b"attr"), "\"file tree\" lists a padding file"));
    }
    Ok(Entry { path, length, attributes, pieces_root, offset: file.offset() })
}

/// Checks that both lists of a hybrid tell the same files in the same order, each on a piece boundary; returns the v1
/// list with the roots of the v2 one (BEP 52, upgrade path).
fn agree<'a>(v1: &[Entry<'a>], v2: &[Entry<'a>], piece_length: u32) -> Result<Vec<Entry<'a>>, MetainfoError> {
    let mut tree = v2.iter();
    let mut joined = Vec::with_capacity(v1.len());
    let mut space = 0u64;
    for entry in v1 {
        let differ = MetainfoError::invalid(entry.offset, "the v1 and v2 file lists of a hybrid differ");
        let mut pieces_root = None;
        if !entry.attributes.padding {
            let twin = tree.next().ok_or(differ.clone())?;
            if (&twin.path, twin.length) != (&entry.path, entry.length) {
                return Err(differ);
            }
            if entry.length > 0 && !space.is_multiple_of(u64::from(piece_length)) {
                let why = "a file of a hybrid does not begin on a piece boundary";
                return Err(MetainfoError::invalid(entry.offset, why));
            }
            pieces_root = twin.pieces_root;
        }
        space = space.saturating_add(entry.length);
        let attributes = Attributes {
            padding: entry.attributes.padding,
            executable: entry.attributes.executable,
            symlink: entry.attributes.symlink.clone(),
        };
        joined.push(Entry {
            path: entry.path.clone(),
            length: entry.length,
            attributes,
            pieces_root,
            offset: entry.offset,
        });
    }
    match tree.next() {
        Some(extra) => Err(MetainfoError::invalid(extra.offset, "the v1 and v2 file lists of a hybrid differ")),
        None => Ok(joined),
    }
}

fn lay_out(
    dict: &Dict<'_>,
    entries: &[Entry<'_>],
    piece_length: u32,
    arrangement: Arrangement,
) -> Result<Layout, MetainfoError> {
    let paths = safe_paths(dict, entries)?;
    let too_large =
        |entry: &Entry<'_>| MetainfoError::invalid(entry.offset, "the torrent has more than 2,097,152 pieces");
    let limit = u64::from(MAX_PIECES) * u64::from(piece_length);
    let mut files = Vec::new();
    let mut space = 0u64;
    for (position, (entry, path)) in entries.iter().zip(paths).enumerate() {
        if arrangement == Arrangement::Aligned {
            space = space.next_multiple_of(u64::from(piece_length));
        }
        let offset = space;
        space = space.checked_add(entry.length).filter(|&space| space <= limit).ok_or_else(|| too_large(entry))?;
        if let Some(path) = path {
            files.push(File {
                path,
                length: entry.length,
                offset,
                executable: entry.attributes.executable,
                symlink: entry.attributes.symlink.as_ref().map(|target| {
                    target.iter().map(|component| String::from_utf8_lossy(component).into_owned()).collect()
                }),
                pieces_root: entry.pieces_root,
                position: position as u32,
            });
        }
    }
    Layout::new(piece_length, arrangement, files, space)
        .ok_or_else(|| MetainfoError::invalid(0, "the torrent has more than 2,097,152 pieces"))
}

/// Makes the paths safe; `None` for padding.
fn safe_paths(dict: &Dict<'_>, entries: &[Entry<'_>]) -> Result<Vec<Option<Vec<String>>>, MetainfoError> {
    let root = name(dict)?;
    let mut safe = names::Namer::new(Rules::native());
    let mut paths = Vec::with_capacity(entries.len());
    for entry in entries {
        paths.push(if entry.attributes.padding {
            None
        } else {
            let components = std::iter::once(root).chain(entry.path.iter().copied());
            Some(safe.path(components).map_err(|error| MetainfoError::new(entry.offset, error))?)
        });
    }
    safe.resolve(&mut paths);
    Ok(paths)
}

fn piece_hashes(dict: &Dict<'_>, raw: &Bytes, layout: &Layout) -> Result<Bytes, MetainfoError> {
    let pieces = required(dict, "pieces")?.as_bytes();
    let pieces = pieces.ok_or(wrong_type(dict.offset_of(b"pieces"), "pieces", "a string"))?;
    if pieces.len() as u64 != u64::from(layout.piece_count()) * 20 {
        return Err(invalid(dict, b"pieces", "\"pieces\" does not hold 20 bytes for each piece of the files"));
    }
    Ok(raw.slice_ref(pieces))
}

fn length(dict: &Dict<'_>) -> Result<u64, MetainfoError> {
    let length = required(dict, "length")?.as_int();
    let length = length.ok_or(wrong_type(dict.offset_of(b"length"), "length", "an integer"))?;
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

fn required<'d, 'a>(dict: &'d Dict<'a>, key: &'static str) -> Result<&'d Value<'a>, MetainfoError> {
    dict.get(key.as_bytes()).ok_or(MetainfoError::new(dict.offset(), Problem::Missing(key)))
}

fn invalid(dict: &Dict<'_>, key: &[u8], why: &'static str) -> MetainfoError {
    MetainfoError::invalid(dict.offset_of(key), why)
}

fn wrong_type(offset: usize, key: &'static str, expected: &'static str) -> MetainfoError {
    MetainfoError::new(offset, Problem::WrongType { key, expected })
}
