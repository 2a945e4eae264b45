//! `instructions WORK`: one piece of work of the pure crates, to be counted by callgrind.
//!
//! `cargo xtask instructions` runs each under `valgrind --tool=callgrind --toggle-collect=*counted*`, which counts what
//! happens inside [`counted`] and nothing else, and compares with bench/instructions/counts.txt. Prints how many units the
//! work had (blocks, messages), so that the counts can be read as a price each. Instructions do not depend on the load of
//! the machine, as time does; hashing is not here, since valgrind hides the CPU's SHA extensions.

mod codec;
mod picker;
mod torrent;

/// Does its work and returns how many units it had.
type Work = fn() -> u64;

/// Every work by name.
const WORKS: &[(&str, Work)] = &[
    ("wire-decode", codec::decode_messages),
    ("wire-encode", codec::encode_messages),
    ("picker-1000", || picker::download(1_000, 16)),
    ("picker-65536", || picker::download(65_536, 16)),
    ("torrent-leech-1000", || torrent::leech(1_000, 16)),
    ("torrent-leech-65536", || torrent::leech(65_536, 16)),
    ("torrent-seed", torrent::seed),
];

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    match WORKS.iter().find(|(work, _)| *work == name) {
        Some((_, work)) => println!("{}", work()),
        None => WORKS.iter().for_each(|(work, _)| println!("{work}")),
    }
}

/// What callgrind counts. Not generic and never inlined, so that it has one symbol.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}
