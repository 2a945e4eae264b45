//! `cargo xtask tidy`: the rules of the source tree that no other tool knows (design decisions of ARCHITECTURE.md).
//!
//! A rule is a function from text to findings, so that its test can feed it bad samples. Each finding says what to do.

mod direction;
mod pure;
mod source;
mod text;

use crate::steps::{Outcome, output, program, root};
use source::Source;
use std::fmt;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    path: String,
    /// Counted from 1; 0 where the whole file is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Checks every file that git knows or would add.
pub fn run() -> Outcome {
    let listing =
        output(program("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]))?;
    let mut findings = Vec::new();
    let mut count = 0;
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        // A file that is deleted but not yet committed is listed still; one that is no text has no rules.
        let Ok(bytes) = std::fs::read(root().join(path)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        count += 1;
        check(path, &text, &mut findings);
    }
    findings.extend(crate::vendor::check()?.into_iter().map(|(path, message)| Finding::new(&path, 0, message)));
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("{count} files are tidy");
        Ok(())
    } else {
        Err(format!("{} things are untidy in {count} files", findings.len()))
    }
}

fn check(path: &str, text: &str, findings: &mut Vec<Finding>) {
    text::check_any(path, text, findings);
    if path.ends_with("Cargo.toml") {
        direction::check(path, text, findings);
    }
    if path.ends_with(".rs") {
        let source = Source::new(path, text);
        text::check_rust(&source, findings);
        pure::check(&source, findings);
    }
}
