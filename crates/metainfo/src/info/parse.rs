//! Parsing and validation.

use bytes::Bytes;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::entries::{Entry, agree, v1_files, v2_files};
use super::fields::{invalid, required, wrong_type};
use super::{Info, Link, MAX_PIECE_LENGTH, MAX_PIECES};
use crate::bencode::{self, Dict, Value};
use crate::deviation::{self, Deviation, Deviations};
use crate::layout::Arrangement;
use crate::names::{self, NameError, Rules};
use crate::{BLOCK_LEN, File, InfoHashV1, InfoHashV2, InfoHashes, Layout, MetainfoError, Problem};

pub(super) fn parse(raw: Bytes, deviations: &mut Deviations) -> Result<Info, MetainfoError> {
    let value = bencode::decode(&raw)?;
    if !deviation::is_sorted(&value) {
        deviations.insert(Deviation::UnsortedKeys);
    }
    let dict = value.as_dict().ok_or(wrong_type(0, "info", "a dictionary"))?;
    let has_v2 = match dict.get(b"meta version") {
        None => false,
        Some(Value::Int(2)) => true,
        Some(_) => return Err(invalid(dict, b"meta version", "\"meta version\" is not 2, the only one known")),
    };
    let has_v1 = dict.get(b"pieces").is_some() || !has_v2;
    let piece_length = piece_length(dict, has_v2)?;
    let v1 = if has_v1 { Some(v1_files(dict, deviations)?) } else { None };
    let v2 = if has_v2 { Some(v2_files(dict, deviations)?) } else { None };
    let (entries, arrangement) = match (v1, v2) {
        (Some(v1), Some(v2)) => (agree(v1, &v2, piece_length)?, Arrangement::Padded),
        (Some(v1), None) => (v1, Arrangement::Packed),
        (None, Some(v2)) => (v2, Arrangement::Aligned),
        (None, None) => return Err(MetainfoError::new(0, Problem::Missing("pieces"))),
    };
    let hash_v1 = has_v1.then(|| InfoHashV1(Sha1::digest(&raw).into()));
    let hash_v2 = has_v2.then(|| InfoHashV2(Sha256::digest(&raw).into()));
    let hashes = InfoHashes::from_parts(hash_v1, hash_v2).expect("one of the lists is there");
    let name = safe_name(dict, hashes, deviations)?;
    let (layout, links) = lay_out(&name, &entries, piece_length, arrangement, deviations)?;
    let pieces = if has_v1 { Some(piece_hashes(dict, &raw, &layout)?) } else { None };
    let private = match dict.get(b"private") {
        None | Some(Value::Int(0)) => false,
        Some(Value::Int(1)) => true,
        Some(_) => {
            deviations.insert(Deviation::OddPrivate);
            false
        }
    };
    let source = dict.bytes(b"source").map(|source| deviation::text(source, deviations));
    Ok(Info { hashes, name, private, source, layout, links, pieces, has_v2, raw: raw.clone() })
}

fn piece_length(dict: &Dict<'_>, has_v2: bool) -> Result<u32, MetainfoError> {
    let length = required(dict, "piece length")?.as_int();
    let length = length.ok_or(wrong_type(dict.offset_of(b"piece length"), "piece length", "an integer"))?;
    let fitting = u32::try_from(length).ok().filter(|&length| length > 0 && length <= MAX_PIECE_LENGTH);
    let length = fitting.ok_or(invalid(dict, b"piece length", "\"piece length\" is not between 1 and 256 MiB"))?;
    if has_v2 && (length < BLOCK_LEN || !length.is_power_of_two()) {
        let why = "\"piece length\" of a v2 torrent is not a power of two of at least 16 KiB";
        return Err(invalid(dict, b"piece length", why));
    }
    Ok(length)
}

/// Returns the name of the file or folder; a torrent with an empty name is called by its info-hash.
fn safe_name(dict: &Dict<'_>, hashes: InfoHashes, deviations: &mut Deviations) -> Result<String, MetainfoError> {
    let key = if dict.bytes(b"name.utf-8").is_some() { "name.utf-8" } else { "name" };
    if key != "name" {
        deviations.insert(Deviation::Utf8Keys);
    }
    let at = dict.offset_of(key.as_bytes());
    let raw = required(dict, key)?.as_bytes().ok_or(wrong_type(at, key, "a string"))?;
    if std::str::from_utf8(raw).is_err() {
        deviations.insert(Deviation::NotUtf8);
    }
    match names::safe_component(raw, Rules::native()) {
        Err(NameError::Empty) => Ok(hashes.key().to_string()),
        other => other.map_err(|error| MetainfoError::new(at, error)),
    }
}

fn lay_out(
    name: &str,
    entries: &[Entry<'_>],
    piece_length: u32,
    arrangement: Arrangement,
    deviations: &mut Deviations,
) -> Result<(Layout, Vec<Link>), MetainfoError> {
    let limit = u64::from(MAX_PIECES) * u64::from(piece_length);
    let mut files = Vec::new();
    let mut links = Vec::new();
    let mut space = 0u64;
    for (position, (entry, path)) in entries.iter().zip(safe_paths(name, entries, deviations)?).enumerate() {
        if arrangement == Arrangement::Aligned {
            space = space.next_multiple_of(u64::from(piece_length));
        }
        let offset = space;
        let end = space.checked_add(entry.length).filter(|&end| end <= limit);
        space = end.ok_or(MetainfoError::invalid(entry.offset, "the torrent has more than 2,097,152 pieces"))?;
        match (path, &entry.attributes.symlink) {
            (None, _) => {}
            (Some(path), Some(target)) => {
                let target: Vec<_> = target.iter().map(|component| String::from_utf8_lossy(component)).collect();
                links.push(Link { path, target: target.join("/") });
            }
            (Some(path), None) => files.push(File {
                path,
                length: entry.length,
                offset,
                executable: entry.attributes.executable,
                pieces_root: entry.pieces_root,
                position: position as u32,
            }),
        }
    }
    if files.iter().all(|file| file.length == 0) {
        let at = entries.first().map_or(0, |entry| entry.offset);
        return Err(MetainfoError::invalid(at, "the torrent has no content: all its files are empty"));
    }
    Ok((Layout::new(piece_length, arrangement, files, space), links))
}

/// Makes the paths safe and distinct; `None` for padding.
fn safe_paths(
    name: &str,
    entries: &[Entry<'_>],
    deviations: &mut Deviations,
) -> Result<Vec<Option<Vec<String>>>, MetainfoError> {
    let mut paths = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.attributes.padding {
            paths.push(None);
            continue;
        }
        if entry.path.iter().any(|component| component.is_empty()) {
            deviations.insert(Deviation::EmptyComponent);
        }
        if entry.path.iter().any(|component| std::str::from_utf8(component).is_err()) {
            deviations.insert(Deviation::NotUtf8);
        }
        let components = std::iter::once(name.as_bytes()).chain(entry.path.iter().copied());
        let path = names::safe_path(components, Rules::native());
        paths.push(Some(path.map_err(|error| MetainfoError::new(entry.offset, error))?));
    }
    names::make_distinct(&mut paths, Rules::native());
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
