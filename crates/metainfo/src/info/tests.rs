//! Info dictionaries: malformed ones with their place and reason, hybrids that disagree, names and links.

use super::*;
use crate::bencode::{self, Tree};

const ROOT: &str = "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr";

fn read(text: &str) -> Result<Info, MetainfoError> {
    Info::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
}

/// Bencodes a short notation: `key` → text, number, list or dictionary.
fn info(entries: Vec<(&'static str, Tree)>) -> Result<Info, MetainfoError> {
    Info::from_bytes(bencode::encode(&Tree::dict(entries)).into())
}

fn text(text: &str) -> Tree {
    Tree::from(text)
}

fn v1_file(path: &[&str], length: i64, attr: &str) -> Tree {
    let path = path.iter().map(|component| text(component)).collect();
    Tree::dict([("attr", text(attr)), ("length", Tree::Int(length)), ("path", Tree::List(path))])
}

fn v2_file(length: i64) -> Tree {
    let root = (length > 0).then(|| ("pieces root", text(ROOT)));
    Tree::dict([("", Tree::dict([("length", Tree::Int(length))].into_iter().chain(root)))])
}

fn v1(files: Vec<Tree>, pieces: usize) -> Vec<(&'static str, Tree)> {
    vec![
        ("name", text("n")),
        ("piece length", Tree::Int(16_384)),
        ("pieces", text(&"x".repeat(20 * pieces))),
        ("files", Tree::List(files)),
    ]
}

fn hybrid(files: Vec<Tree>, pieces: usize, tree: Tree) -> Vec<(&'static str, Tree)> {
    let mut entries = v1(files, pieces);
    entries.extend([("meta version", Tree::Int(2)), ("file tree", tree)]);
    entries
}

#[test]
fn what_is_malformed_is_refused_with_its_place_and_reason() {
    let p = "12:piece lengthi16384e6:pieces20:01234567890123456789";
    let t = "4:name1:n12:piece lengthi16384ee";
    let root = format!("11:pieces root32:{ROOT}");
    let tree = |tree: &str| format!("d9:file treed{tree}e12:meta versioni2e{t}");
    let rows: Vec<(String, &str)> = vec![
        (format!("d6:lengthi1e4:name1:n{p}"), "byte 74: not bencode: the data ends in the middle of a value"),
        ("le".into(), "byte 0: \"info\" is not a dictionary"),
        (format!("d4:name1:n{p}e"), "byte 0: the key \"length or files\" is missing"),
        (format!("d5:filesle6:lengthi1e4:name1:n{p}e"), "byte 18: \"length\" and \"files\" are both there"),
        (format!("d6:lengthi1e{p}e"), "byte 0: the key \"name\" is missing"),
        (format!("d6:lengthi1e4:namei1e{p}e"), "byte 18: \"name\" is not a string"),
        (
            format!("d6:lengthi1e4:name2:..{p}e"),
            "byte 18: a file name is unusable: a path component is \"..\", which leads out of the folder",
        ),
        (format!("d6:length1:x4:name1:n{p}e"), "byte 9: \"length\" is not an integer"),
        (format!("d6:lengthi-1e4:name1:n{p}e"), "byte 9: \"length\" is negative"),
        (format!("d6:lengthi0e4:name1:n{p}e"), "byte 9: the torrent has no content: all its files are empty"),
        (format!("d6:lengthi9223372036854775807e4:name1:n{p}e"), "byte 9: the torrent has more than 2,097,152 pieces"),
        (
            format!("d6:lengthi16385e4:name1:n{p}e"),
            "byte 55: \"pieces\" does not hold 20 bytes for each piece of the files",
        ),
        ("d6:lengthi1e4:name1:n12:piece lengthi16384e6:piecesi1ee".into(), "byte 51: \"pieces\" is not a string"),
        ("d6:lengthi1e4:name1:n6:pieces0:e".into(), "byte 0: the key \"piece length\" is missing"),
        (
            "d6:lengthi1e4:name1:n12:piece lengthi0e6:pieces0:e".into(),
            "byte 36: \"piece length\" is not between 1 and 256 MiB",
        ),
        (
            "d6:lengthi1e4:name1:n12:piece lengthi268435457e6:pieces0:e".into(),
            "byte 36: \"piece length\" is not between 1 and 256 MiB",
        ),
        ("d6:lengthi1e4:name1:n12:piece length1:x6:pieces0:e".into(), "byte 36: \"piece length\" is not an integer"),
        ("d6:lengthi1e4:name1:n12:piece lengthi16384ee".into(), "byte 0: the key \"pieces\" is missing"),
        (format!("d5:filesle4:name1:n{p}e"), "byte 8: \"files\" is empty"),
        (format!("d5:filesi1e4:name1:n{p}e"), "byte 8: \"files\" is not a list"),
        (format!("d5:filesli1ee4:name1:n{p}e"), "byte 8: \"files\" is not a list of dictionaries"),
        (format!("d5:filesld6:lengthi1eee4:name1:n{p}e"), "byte 9: the key \"path\" is missing"),
        (format!("d5:filesld6:lengthi1e4:path1:aee4:name1:n{p}e"), "byte 27: \"path\" is not a list of strings"),
        (format!("d5:filesld6:lengthi1e4:pathleee4:name1:n{p}e"), "byte 27: a file name is unusable: a path is empty"),
        (
            format!("d5:filesld6:lengthi1e4:pathl1:a2:..eee4:name1:n{p}e"),
            "byte 9: a file name is unusable: a path component is \"..\", which leads out of the folder",
        ),
        (format!("d5:filesld4:pathl1:aeee4:name1:n{p}e"), "byte 9: the key \"length\" is missing"),
        (
            format!("d5:filesld4:attr1:l6:lengthi5e4:pathl1:ae12:symlink pathl1:beee4:name1:n{p}e"),
            "byte 27: a symbolic link has a \"length\"",
        ),
        (format!("d5:filesld4:attr1:l4:pathl1:aeee4:name1:n{p}e"), "byte 9: the key \"symlink path\" is missing"),
        // v2.
        (format!("d12:meta versioni3e{t}"), "byte 16: \"meta version\" is not 2, the only one known"),
        (format!("d12:meta versioni2e{t}"), "byte 0: the key \"file tree\" is missing"),
        (tree(""), "byte 12: \"file tree\" holds no file"),
        (tree("1:ai1e"), "byte 16: \"file tree\" is not a tree of dictionaries"),
        (tree("0:d6:lengthi1ee"), "byte 15: a file in \"file tree\" has no name"),
        (tree("1:ad0:d6:lengthi1eee"), "byte 19: the key \"pieces root\" is missing"),
        (tree("1:ad0:d6:lengthi1e11:pieces root3:abcee"), "byte 45: \"pieces root\" is not a string of 32 bytes"),
        (
            tree(&format!("1:ad0:d6:lengthi1e{root}e1:bd0:deee")),
            "byte 16: an entry of \"file tree\" is both a file and a folder",
        ),
        (tree(&format!("1:ad0:d4:attr1:p6:lengthi1e{root}ee")), "byte 26: \"file tree\" lists a padding file"),
        (
            tree(&format!("1:bd0:d6:lengthi1e{root}ee1:ad0:d6:lengthi1e{root}ee")),
            "byte 12: the keys of \"file tree\" are not in order",
        ),
        (
            format!("d9:file treed1:ad0:d6:lengthi1e{root}eee12:meta versioni2e4:name1:n12:piece lengthi24576ee"),
            "byte 125: \"piece length\" of a v2 torrent is not a power of two of at least 16 KiB",
        ),
    ];
    let said = |given: &str| read(given).expect_err(given).to_string();
    let wrong: Vec<_> = rows.iter().filter(|(given, message)| said(given) != *message).collect();
    assert!(wrong.is_empty(), "{:#?}", wrong.iter().map(|row| (row, said(&row.0))).collect::<Vec<_>>());
}

#[test]
fn a_small_v2_torrent_cannot_claim_a_huge_number_of_pieces() {
    let huge = vec![
        ("name", text("n")),
        ("piece length", Tree::Int(16_384)),
        ("meta version", Tree::Int(2)),
        ("file tree", Tree::dict([("a", v2_file(i64::MAX)), ("b", v2_file(i64::MAX)), ("c", v2_file(i64::MAX))])),
    ];
    assert!(info(huge).unwrap_err().to_string().contains("more than 2,097,152 pieces"));
}

#[test]
fn the_lists_of_a_hybrid_have_to_agree() {
    let tree = || Tree::dict([("a", v2_file(5)), ("b", v2_file(7))]);
    let pad = |length| v1_file(&[".pad", "x"], length, "p");
    let (a, b) = (|| v1_file(&["a"], 5, ""), || v1_file(&["b"], 7, ""));
    let read = |files, pieces| info(hybrid(files, pieces, tree())).map_err(|error| error.problem.to_string());
    assert!(read(vec![a(), pad(16_379), b()], 2).is_ok());
    assert!(read(vec![a(), pad(16_379), b(), pad(16_377)], 2).is_ok(), "padding at the end is fine");
    assert!(read(vec![a(), pad(16_000), pad(379), b()], 2).is_ok(), "padding may be cut");

    let differ = Err("the v1 and v2 file lists of a hybrid differ".to_owned());
    assert_eq!(read(vec![a()], 1), differ);
    assert_eq!(read(vec![b(), pad(16_377), a()], 2), differ);
    assert_eq!(read(vec![a(), pad(16_379), v1_file(&["b"], 8, "")], 2), differ);
    assert_eq!(read(vec![a(), pad(16_379), v1_file(&["c"], 7, "")], 2), differ);
    assert_eq!(read(vec![a(), pad(16_379), b(), pad(16_377), v1_file(&["c"], 1, "")], 3), differ);
    let boundary = Err("a file of a hybrid does not begin on the next piece boundary".to_owned());
    assert_eq!(read(vec![a(), b()], 1), boundary);
    assert_eq!(read(vec![a(), pad(16_378), b()], 2), boundary);
    let long = Err("a padding file of a hybrid is too long".to_owned());
    assert_eq!(read(vec![a(), pad(16_379 + 16_384), b()], 3), long);
    assert_eq!(read(vec![pad(16_384), a(), pad(16_379), b()], 3), long);
}

#[test]
fn padding_of_a_v1_torrent_is_not_listed() {
    let files = vec![v1_file(&["a"], 5, "x"), v1_file(&[], 16_379, "p"), v1_file(&["b"], 7, "")];
    let info = info(v1(files, 2)).unwrap();
    let layout = info.layout();
    assert_eq!((layout.files().len(), layout.total_length(), layout.files()[1].offset), (2, 12, 16_384));
    assert_eq!((layout.files()[0].executable, layout.files()[1].position), (true, 2));
    assert_eq!(layout.file_at_position(1), None);
    crate::fuzzing::layout(layout);
}

#[test]
fn links_are_told_and_never_files() {
    let link = Tree::dict([
        ("attr", text("l")),
        ("path", Tree::List(vec![text("away")])),
        ("symlink path", Tree::List(vec![text(".."), text("etc"), text("passwd")])),
    ]);
    let info = info(v1(vec![link, v1_file(&["a"], 5, "")], 1)).unwrap();
    assert_eq!(info.layout().files().len(), 1);
    let told = Link { path: vec!["n".to_owned(), "away".to_owned()], target: "../etc/passwd".to_owned() };
    assert_eq!(info.links(), [told]);
}

#[test]
fn hostile_and_equal_names_become_safe_and_distinct() {
    let files = ["/etc", "a\0b", "same", "same"].map(|name| v1_file(&[name], 1, ""));
    let info = info(v1(files.to_vec(), 1)).unwrap();
    let paths: Vec<String> = info.layout().files().iter().map(|file| file.path.join("/")).collect();
    assert_eq!(paths, ["n/_etc", "n/a_b", "n/same", "n/same (2)"]);
}

#[test]
fn an_empty_name_becomes_the_info_hash() {
    let info = read("d6:lengthi1e4:name0:12:piece lengthi16384e6:pieces20:01234567890123456789e").unwrap();
    assert_eq!(info.name(), info.hashes().key().to_string());
    assert_eq!(info.layout().files()[0].path, [info.name()]);
}

#[test]
fn a_deep_folder_of_many_files_is_refused_before_it_fills_the_memory() {
    let file = "d0:d6:lengthi1e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrree";
    let files: String = (0..100_000).map(|i| format!("5:{i:05}{file}")).collect();
    let folder = format!("d55:{}", "f".repeat(55));
    let tree = format!("{}d{files}e{}", folder.repeat(60), "e".repeat(60));
    let dict = format!("d9:file tree{tree}12:meta versioni2e4:name1:n12:piece lengthi16384ee");
    let error = read(&dict).unwrap_err().to_string();
    assert!(error.contains("paths"), "{error}");
}
