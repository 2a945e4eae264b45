//! The `compeer` command.
fn main() {}
