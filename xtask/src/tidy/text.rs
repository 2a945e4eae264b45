//! Rules for the text of files: their size, what is unfinished in them, and what only one machine has.

use super::Finding;
use super::source::{Source, has_word};

/// Lines without tests that a file may have: "the line to think at" of the style guide.
const LONGEST_FILE: usize = 800;

/// Folders that exist on somebody's machine only. Written in halves, so that this file passes its own rule.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// People that examples in the documentation may be about.
const EXAMPLE_PEOPLE: &[&str] = &["alice", "bob", "carol", "user", "you", "me"];

/// Rules for every text file.
pub fn check_any(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (index, line) in text.lines().enumerate() {
        for folder in MACHINE_PATHS {
            for (at, _) in line.match_indices(folder) {
                let rest = &line[at + folder.len()..];
                let whole =
                    line[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !"._-~}>".contains(c));
                let example = EXAMPLE_PEOPLE.iter().any(|name| {
                    rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
                });
                if whole && !example {
                    let message = format!("`{folder}` is a path of one machine: take a variable or a relative path");
                    findings.push(Finding::new(path, index + 1, message));
                }
            }
        }
        if line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ") {
            findings.push(Finding::new(path, index + 1, "a conflict of a merge: choose one side"));
        }
    }
}

/// Rules for every Rust file.
pub fn check_rust(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let path = source.path;
    let size = source.code().count();
    if size > LONGEST_FILE {
        let message = format!("{size} lines without tests, at most {LONGEST_FILE}: split it by state");
        findings.push(Finding::new(path, 0, message));
    }
    if !source.lines.first().is_some_and(|line| line.comment.starts_with('!')) {
        findings.push(Finding::new(path, 1, "no module doc: begin with `//!`, what it owns and its invariant"));
    }
    for (index, line) in source.lines.iter().enumerate() {
        let mut refuse = |message: &str| findings.push(Finding::new(path, index + 1, message));
        let code = line.code.as_str();
        for word in ["todo!", "unimplemented!", "dbg!"] {
            if has_word(code, word) {
                refuse(&format!("`{word}`: finish it, or take it out"));
            }
        }
        if code.trim_start().starts_with("#[ignore") {
            refuse("an ignored test: make it pass, or move it to `cargo xtask prove`");
        }
    }
    for (number, line) in source.code() {
        let mut refuse = |message: &str| findings.push(Finding::new(path, number, message));
        if line.code.contains(".unwrap()") && !source.has_reason(number, 1) {
            refuse("`unwrap` without a reason: say in a comment why it cannot fail, use `expect`, or return an error");
        }
        if has_word(&line.code, "unbounded_channel") && !source.has_reason(number, 3) {
            refuse("an unbounded channel: bound it, or say in a comment what bounds it");
        }
        if speaks_to_all(path) && names_a_flag(&line.text) {
            refuse(
                "a flag of the command line, which no caller of the API has: name the setting or the call, or the whole \
                 command as `compeer …`; crate cli says what its flags can do",
            );
        }
        let stored = path.contains("/store") || path.starts_with("crates/db/");
        if has_word(&line.code, "rusqlite") && path.starts_with("crates/") && !stored {
            refuse("`rusqlite` outside crate db and the `store` modules: add a function to the store");
        }
    }
}

/// Whether what a file says may reach callers of the API: simulations and the command line speak to the terminal alone.
fn speaks_to_all(path: &str) -> bool {
    path.starts_with("crates/") && !["cli", "sim"].iter().any(|own| path.starts_with(&format!("crates/{own}/")))
}

/// Whether words name a flag beside a whole command. What begins a string is given to a program, not said to anybody.
fn names_a_flag(text: &str) -> bool {
    // Every second part stands between backticks.
    text.split('`').enumerate().any(|(index, part)| {
        let in_command = index % 2 == 1 && part.starts_with("compeer ");
        !in_command
            && part.match_indices("--").any(|(at, _)| {
                let before = if at == 0 && index > 0 { Some('`') } else { part[..at].chars().next_back() };
                let after = part[at + 2..].chars().next();
                before.is_none_or(|before| " `(/".contains(before))
                    && after.is_some_and(|after| after.is_ascii_lowercase())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check_any("README.md", text, &mut findings);
        findings.into_iter().map(|finding| finding.message).collect()
    }

    fn rust_at(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check_rust(&Source::new(path, &format!("//! Doc.\n{text}")), &mut findings);
        findings.into_iter().map(|finding| finding.message).collect()
    }

    fn rust(text: &str) -> Vec<String> {
        rust_at("crates/torrent/src/session.rs", text)
    }

    #[test]
    fn paths_of_a_machine_are_refused_and_examples_are_not() {
        for bad in [
            concat!("cd /wo", "rk/main"),
            concat!("\"/ro", "ot/.cache\""),
            concat!("/ho", "me/jane/x"),
            concat!("=/Us", "ers/jane"),
        ] {
            assert_eq!(any(bad).len(), 1, "not caught: {bad}");
        }
        for good in [
            concat!("/ho", "me/alice/films"),
            concat!("sub/wo", "rk/x"),
            concat!("$X/ro", "ot"),
            concat!("~/wo", "rk/x"),
        ] {
            assert_eq!(any(good), [""; 0], "wrongly caught: {good}");
        }
        assert_eq!(any("<<<<<<< HEAD").len(), 1);
    }

    #[test]
    fn unfinished_work_is_refused_even_in_tests() {
        for bad in ["todo!()", "unimplemented!(\"x\")", "dbg!(x)", "#[ignore]", "    #[ignore = \"slow\"]"] {
            assert_eq!(rust(bad).len(), 1, "not caught: {bad}");
            assert_eq!(rust_at("crates/torrent/tests/a.rs", bad).len(), 1, "not caught in a test: {bad}");
        }
        assert_eq!(rust("// todo!()\nlet x = \"dbg!\";"), [""; 0]);
    }

    #[test]
    fn an_unwrap_needs_a_reason_outside_tests() {
        assert_eq!(rust("fn f() {\n\n    x.unwrap();\n}").len(), 1);
        assert_eq!(rust("fn f() {\n\n    x.unwrap(); // four bytes were checked above\n}"), [""; 0]);
        assert_eq!(rust("fn f() {\n\n    // Four bytes were checked above.\n    x.unwrap();\n}"), [""; 0]);
        assert_eq!(rust("#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); }\n}"), [""; 0]);
        assert_eq!(rust("fn f() {\n\n    x.unwrap_or(1);\n}"), [""; 0]);
    }

    #[test]
    fn channels_are_bounded_or_explained() {
        assert_eq!(rust("use a;\n\n\nlet (a, b) = mpsc::unbounded_channel();").len(), 1);
        assert_eq!(rust("use a;\n\n// Bounded by the permits.\nlet (a, b) = mpsc::unbounded_channel();"), [""; 0]);
    }

    #[test]
    fn the_database_is_named_in_stores_only() {
        assert_eq!(rust("use rusqlite::Connection;").len(), 1);
        assert_eq!(rust_at("crates/torrent/src/store.rs", "use rusqlite::Connection;"), [""; 0]);
        assert_eq!(rust_at("crates/db/src/lib.rs", "use rusqlite::Connection;"), [""; 0]);
    }

    #[test]
    fn words_for_callers_of_the_api_name_no_flags() {
        for bad in [
            r#"let a = "choose another --home";"#,
            r#"let a = "name one by `--bootstrap HOST:PORT`, or wait";"#,
            r#"let a = "say who: --to NAME or (--group NAME)";"#,
            r#"let a = "`compeer get` (--with-data) does";"#,
            "let a = \"two lines, \\\n    --here is one\";",
        ] {
            assert_eq!(rust(bad).len(), 1, "not caught: {bad}");
            assert_eq!(rust_at("crates/cli/src/main.rs", bad), [""; 0], "caught where it is known: {bad}");
            assert_eq!(rust_at("crates/torrent/tests/a.rs", bad), [""; 0], "caught in a test: {bad}");
        }
        for good in [
            r#"let a = "`compeer resume --everything` goes on";"#,
            r#"command.args(["--icon=compeer", "--"]);"#,
            r#"let a = "Alice -- or Bob";"#,
            "// started with --home\nlet a = 1;",
        ] {
            assert_eq!(rust(good), [""; 0], "wrongly caught: {good}");
        }
    }

    #[test]
    fn long_files_are_refused_but_tests_do_not_count() {
        let long = "let a = 1;\n".repeat(LONGEST_FILE);
        assert!(rust(&long)[0].contains("split it by state"));
        assert_eq!(rust(&format!("#[cfg(test)]\nmod tests {{\n{long}}}")), [""; 0]);
    }

    #[test]
    fn a_file_begins_with_its_doc() {
        let mut findings = Vec::new();
        check_rust(&Source::new("crates/torrent/src/a.rs", "use std::fmt;\n"), &mut findings);
        assert!(findings[0].message.contains("module doc"));
    }
}
