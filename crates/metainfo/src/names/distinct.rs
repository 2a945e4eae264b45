//! Giving every file of a torrent a path of its own.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use super::{Rules, shortened, split_extension};

/// The folder that all paths begin in.
const TOP: u32 = 0;

/// Files and folders seen so far, by their folder and folded name.
struct Tree {
    rules: Rules,
    nodes: BTreeMap<(u32, String), Node>,
    folders: u32,
}

enum Node {
    Folder {
        id: u32,
        /// As it was spelt first.
        name: String,
    },
    File,
}

/// Renames files whose paths collide, and spells folders that are one to the file system the same way. `None` stands
/// for padding, which is never stored. Paths have to be safe already.
pub fn make_distinct(paths: &mut [Option<Vec<String>>], rules: Rules) {
    let mut tree = Tree { rules, nodes: BTreeMap::new(), folders: TOP };
    // Folders come first: they cannot be renamed without moving files that do not collide.
    let parents: Vec<u32> = paths.iter_mut().map(|path| path.as_mut().map_or(TOP, |path| tree.enter(path))).collect();
    let mut late = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        let Some(name) = path.as_ref().and_then(|path| path.last()) else { continue };
        if !tree.claim(parents[i], name) {
            late.push(i);
        }
    }
    // The next number to try, so that a thousand equal names do not take a million tries.
    let mut numbers: BTreeMap<(u32, String), u32> = BTreeMap::new();
    for i in late {
        let Some(name) = paths[i].as_mut().and_then(|path| path.last_mut()) else { continue };
        let number = numbers.entry((parents[i], tree.fold(name))).or_insert(2);
        let (stem, extension) = split_extension(name);
        let numbered = loop {
            let candidate = shortened(stem, &format!(" ({number}){extension}"));
            *number += 1;
            if tree.claim(parents[i], &candidate) {
                break candidate;
            }
        };
        *name = numbered;
    }
}

impl Tree {
    /// Enters the folders of a path and spells them as they were first; returns the innermost.
    fn enter(&mut self, path: &mut [String]) -> u32 {
        let mut folder = TOP;
        let Some((_, folders)) = path.split_last_mut() else { return folder };
        for component in folders {
            let key = (folder, self.fold(component));
            let next = self.folders + 1;
            let node = self.nodes.entry(key).or_insert_with(|| Node::Folder { id: next, name: component.clone() });
            if let Node::Folder { id, name } = node {
                folder = *id;
                component.clone_from(name);
                self.folders = self.folders.max(folder);
            }
        }
        folder
    }

    /// Takes a name for a file; tells whether it was free.
    fn claim(&mut self, folder: u32, name: &str) -> bool {
        let key = (folder, self.fold(name));
        let free = !self.nodes.contains_key(&key);
        if free {
            self.nodes.insert(key, Node::File);
        }
        free
    }

    /// Returns what names have in common that the file system takes for one.
    fn fold(&self, name: &str) -> String {
        match self.rules {
            Rules::Exact => name.to_owned(),
            // Once more after changing the case, which can leave the normal form.
            Rules::Portable => name.nfc().flat_map(char::to_lowercase).nfc().collect(),
        }
    }
}
