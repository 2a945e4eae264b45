//! Writing a plan and its hashes down.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Mode, PieceHashes, Plan, SourceFile};
use crate::bencode::{self, Tree};
use crate::merkle::{self, Hash};
use crate::{FileIndex, Info, PieceLayers, TorrentFile};

/// Writes a torrent. The number of hashes has been checked.
pub(super) fn torrent_file(plan: Plan, hashes: &PieceHashes) -> TorrentFile {
    let single = matches!(&plan.files[..], [only] if only.path.is_empty());
    let mut info = BTreeMap::new();
    let mut put = |key: &'static str, value: Tree| drop(info.insert(Bytes::from_static(key.as_bytes()), value));
    put("name", Tree::from(plan.name.as_str()));
    put("piece length", Tree::from(plan.layout.piece_length()));
    if plan.options.private {
        put("private", Tree::Int(1));
    }
    if let Some(source) = &plan.options.source {
        put("source", Tree::from(source.as_str()));
    }
    if let Some(salt) = &plan.options.salt {
        put("salt", Tree::bytes(salt));
    }
    if plan.needs_v1() {
        put("pieces", Tree::bytes(hashes.v1.as_flattened()));
        if single {
            put("length", length(&plan.files[0]));
            if plan.files[0].executable {
                put("attr", Tree::from("x"));
            }
        } else {
            put("files", v1_files(&plan));
        }
    }
    let mut piece_layers = PieceLayers::default();
    if plan.needs_v2() {
        put("meta version", Tree::Int(2));
        put("file tree", file_tree(&plan, &hashes.v2, &mut piece_layers));
    }
    let info = Info::from_bytes(bencode::encode(&Tree::Dict(info)).into());
    // The plan has refused whatever a reader would; a disagreement is a bug that tests of every mode would show.
    let info = info.expect("what a plan writes can be read");
    debug_assert_eq!(info.layout().piece_count(), plan.layout.piece_count());
    let options = plan.options;
    TorrentFile {
        trackers: options.trackers,
        web_seeds: options.web_seeds,
        comment: options.comment,
        created_by: options.created_by,
        creation_date: options.creation_date,
        piece_layers,
        ..TorrentFile::from_info(Arc::new(info))
    }
}

fn v1_files(plan: &Plan) -> Tree {
    let piece = u64::from(plan.layout.piece_length());
    let mut list = Vec::new();
    for (source, laid) in plan.files.iter().zip(plan.layout.files()) {
        let path = source.path.iter().map(|component| Tree::from(component.as_str())).collect();
        let mut file = vec![("length", length(source)), ("path", Tree::List(path))];
        file.extend(source.executable.then(|| ("attr", Tree::from("x"))));
        list.push(Tree::dict(file));
        let padding = laid.end().next_multiple_of(piece) - laid.end();
        if plan.options.mode == Mode::Hybrid && padding > 0 {
            let path = vec![".pad".into(), padding.to_string().as_str().into()];
            let length = Tree::Int(padding as i64);
            list.push(Tree::dict([("attr", Tree::from("p")), ("length", length), ("path", Tree::List(path))]));
        }
    }
    Tree::List(list)
}

fn file_tree(plan: &Plan, pieces: &[Hash], piece_layers: &mut PieceLayers) -> Tree {
    let piece_length = plan.layout.piece_length();
    let mut tree = BTreeMap::new();
    for (i, source) in plan.files.iter().enumerate() {
        let range = plan.layout.file_pieces(FileIndex(i as u32));
        let layer = &pieces[range.start as usize..range.end as usize];
        let mut file = vec![("length", length(source))];
        file.extend(source.executable.then(|| ("attr", Tree::from("x"))));
        match layer {
            [] => {}
            // The only piece of a file is as wide as the file, so that its root is the file's.
            [root] => file.push(("pieces root", Tree::bytes(root))),
            layer => {
                let root = merkle::root_of_pieces(layer, piece_length);
                file.push(("pieces root", Tree::bytes(&root)));
                piece_layers.insert(root, layer.to_vec(), piece_length);
            }
        }
        let leaf = Tree::Dict(BTreeMap::from([(Bytes::new(), Tree::dict(file))]));
        let single = [plan.name.clone()];
        let path = if source.path.is_empty() { &single[..] } else { &source.path[..] };
        insert(&mut tree, path, leaf);
    }
    Tree::Dict(tree)
}

fn insert(folder: &mut BTreeMap<Bytes, Tree>, path: &[String], leaf: Tree) {
    match path {
        [] => {}
        [name] => drop(folder.insert(Bytes::copy_from_slice(name.as_bytes()), leaf)),
        [name, rest @ ..] => {
            let next = folder.entry(Bytes::copy_from_slice(name.as_bytes()));
            if let Tree::Dict(next) = next.or_insert_with(|| Tree::Dict(BTreeMap::new())) {
                insert(next, rest, leaf);
            }
        }
    }
}

fn length(file: &SourceFile) -> Tree {
    // The plan bounds the sum of all lengths far below 2^63.
    Tree::Int(file.length as i64)
}
