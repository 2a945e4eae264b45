//! Everything that a developer can run.
fn main() {}
