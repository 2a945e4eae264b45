//! Every kind of hostile name, by both rules.

use super::*;

/// One row: what a torrent says, what it becomes on Linux, what it becomes elsewhere.
type Row<'a> = (&'a [&'a [u8]], Result<&'a str, NameError>, Result<&'a str, NameError>);

#[test]
fn every_hostile_name_gets_a_safe_one_or_a_refusal() {
    let rows: &[Row<'_>] = &[
        // Harmless names stay as they are.
        (&[b"folder", b"file.txt"], Ok("folder|file.txt"), Ok("folder|file.txt")),
        (&["日本語".as_bytes(), "Größe 😀.txt".as_bytes()], Ok("日本語|Größe 😀.txt"), Ok("日本語|Größe 😀.txt")),
        (&[b".hidden", b"...a", b"-rf", b"~"], Ok(".hidden|...a|-rf|~"), Ok(".hidden|...a|-rf|~")),
        // Leaving the folder.
        (&[b"..", b"etc", b"passwd"], Err(NameError::Parent), Err(NameError::Parent)),
        (&[b"a", b"..", b"..", b"b"], Err(NameError::Parent), Err(NameError::Parent)),
        (&[b"../../etc/passwd"], Ok(".._.._etc_passwd"), Ok(".._.._etc_passwd")),
        (&[b"..\\..\\boot.ini"], Ok(".._.._boot.ini"), Ok(".._.._boot.ini")),
        // Absolute paths end below the folder.
        (&[b"/etc/passwd"], Ok("_etc_passwd"), Ok("_etc_passwd")),
        (&[b"", b"etc", b"passwd"], Ok("etc|passwd"), Ok("etc|passwd")),
        (&[b"/", b"etc"], Ok("_|etc"), Ok("_|etc")),
        (&[b"\\\\server\\share"], Ok("__server_share"), Ok("__server_share")),
        // Drive letters and streams need a colon, which only Windows heeds.
        (&[b"C:", b"Windows"], Ok("C:|Windows"), Ok("C_|Windows")),
        (&[b"C:\\Windows"], Ok("C:_Windows"), Ok("C__Windows")),
        (&[b"file.txt:stream"], Ok("file.txt:stream"), Ok("file.txt_stream")),
        // Separators in a component.
        (&[b"a/b", b"c\\d"], Ok("a_b|c_d"), Ok("a_b|c_d")),
        // NUL, control characters, reversed text.
        (&[b"a\0b"], Ok("a_b"), Ok("a_b")),
        (&[b"a\nb\x1b[31m\x7f"], Ok("a_b_[31m_"), Ok("a_b_[31m_")),
        (&["a\u{85}b".as_bytes()], Ok("a_b"), Ok("a_b")),
        (&["photo\u{202e}gpj.exe".as_bytes()], Ok("photo_gpj.exe"), Ok("photo_gpj.exe")),
        // Reserved names of Windows, with any extension and case.
        (&[b"CON", b"nul.txt"], Ok("CON|nul.txt"), Ok("_CON|_nul.txt")),
        (&[b"com1", b"Lpt9.tar.gz"], Ok("com1|Lpt9.tar.gz"), Ok("_com1|_Lpt9.tar.gz")),
        (&["COM¹".as_bytes(), b"aux .c"], Ok("COM¹|aux .c"), Ok("_COM¹|_aux .c")),
        (&[b"console", b"com10"], Ok("console|com10"), Ok("console|com10")),
        // Trailing dots and spaces.
        (&[b"dir.", b"file "], Ok("dir.|file "), Ok("dir_|file_")),
        (&[b"...", b". ."], Ok("...|. ."), Ok(".._|. _")),
        (&[b".. "], Ok(".. "), Ok(".._")),
        // Characters that Windows forbids.
        (&[b"a<b>c\"d|e?f*g"], Ok("a<b>c\"d|e?f*g"), Ok("a_b_c_d_e_f_g")),
        // Not UTF-8.
        (&[b"caf\xe9.txt"], Ok("caf\u{fffd}.txt"), Ok("caf\u{fffd}.txt")),
        (&[b"\xff\xfe"], Ok("\u{fffd}\u{fffd}"), Ok("\u{fffd}\u{fffd}")),
        // Nothing left.
        (&[], Err(NameError::Empty), Err(NameError::Empty)),
        (&[b"", b"."], Err(NameError::Empty), Err(NameError::Empty)),
        (&[b"a", b"", b".", b"b"], Ok("a|b"), Ok("a|b")),
    ];
    for (raw, exact, portable) in rows {
        for (rules, expected) in [(Rules::Exact, exact), (Rules::Portable, portable)] {
            let safe = safe_path(raw.iter().copied(), rules).map(|path| path.join("|"));
            assert_eq!(
                safe.as_deref().map_err(Clone::clone),
                expected.as_ref().copied().map_err(Clone::clone),
                "{raw:?} {rules:?}"
            );
        }
    }
}

#[test]
fn an_overlong_component_is_cut_and_keeps_its_extension() {
    let long = "ä".repeat(200) + ".txt";
    let safe = safe_component(long.as_bytes(), Rules::Exact).unwrap();
    assert!(safe.len() <= MAX_COMPONENT_LEN && safe.ends_with(".txt") && safe.starts_with("ää"), "{safe}");
    let other = safe_component(("ä".repeat(201) + ".txt").as_bytes(), Rules::Exact).unwrap();
    assert_ne!(safe, other, "names that differ only in what was cut stay apart");
    let at_limit = "x".repeat(MAX_COMPONENT_LEN);
    assert_eq!(safe_component(at_limit.as_bytes(), Rules::Exact).unwrap(), at_limit);
    let part = with_suffix(&at_limit, ".part");
    assert!(part.len() <= MAX_COMPONENT_LEN && part.ends_with(".part"), "{part}");
    assert_eq!(with_suffix("a.txt", ".part"), "a.txt.part");
}

#[test]
fn an_overlong_path_is_refused() {
    let component = [b'a'; 250];
    let deep = std::iter::repeat_n(&component[..], 20);
    assert_eq!(safe_path(deep, Rules::Exact), Err(NameError::TooLong));
}

#[test]
fn colliding_names_become_distinct_in_a_fixed_way() {
    type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row<'_>] = &[
        // Duplicates: the first keeps its name, and no number takes a name that is there already.
        (
            &["t/a.txt", "t/a.txt", "t/a.txt"],
            &["t/a.txt", "t/a (2).txt", "t/a (3).txt"],
            &["t/a.txt", "t/a (2).txt", "t/a (3).txt"],
        ),
        (&["t/a", "t/a", "t/a (2)"], &["t/a", "t/a (3)", "t/a (2)"], &["t/a", "t/a (3)", "t/a (2)"]),
        (&["t/.rc", "t/.rc"], &["t/.rc", "t/.rc (2)"], &["t/.rc", "t/.rc (2)"]),
        // Case and normal form.
        (&["t/Read.me", "t/READ.ME"], &["t/Read.me", "t/READ.ME"], &["t/Read.me", "t/READ (2).ME"]),
        (&["t/e\u{301}", "t/\u{e9}"], &["t/e\u{301}", "t/\u{e9}"], &["t/e\u{301}", "t/\u{e9} (2)"]),
        // Folders that are one to the file system are one folder, in the first spelling.
        (
            &["t/Dir/a", "t/dir/b", "t/DIR/A"],
            &["t/Dir/a", "t/dir/b", "t/DIR/A"],
            &["t/Dir/a", "t/Dir/b", "t/Dir/A (2)"],
        ),
        // A file that is called like a folder, wherever it stands.
        (&["t/x", "t/x/y"], &["t/x (2)", "t/x/y"], &["t/x (2)", "t/x/y"]),
        (&["t/x/y", "t/x"], &["t/x/y", "t/x (2)"], &["t/x/y", "t/x (2)"]),
        (&["t/X/y", "t/x"], &["t/X/y", "t/x"], &["t/X/y", "t/x (2)"]),
    ];
    for (given, exact, portable) in rows {
        for (rules, expected) in [(Rules::Exact, exact), (Rules::Portable, portable)] {
            let split = |path: &&str| Some(path.split('/').map(str::to_owned).collect());
            let mut paths: Vec<Option<Vec<String>>> = given.iter().map(split).collect();
            make_distinct(&mut paths, rules);
            let joined: Vec<String> = paths.iter().map(|path| path.as_ref().unwrap().join("/")).collect();
            assert_eq!(joined, *expected, "{given:?} {rules:?}");
        }
    }
}

#[test]
fn thousands_of_equal_names_are_numbered_at_once() {
    let mut paths = vec![Some(vec!["t".to_owned(), "same".to_owned()]); 20_000];
    make_distinct(&mut paths, Rules::Portable);
    assert_eq!(paths[19_999].as_ref().unwrap()[1], "same (20000)");
}

#[test]
fn local_names_travel_unless_they_would_change() {
    assert!(travels("a.txt") && travels("naïve"));
    assert!(!travels("a\nb") && !travels("a\\b") && !travels("..") && !travels(""));
}
