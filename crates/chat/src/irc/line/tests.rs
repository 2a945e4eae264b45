//! Lines, by the vectors of ircdocs/parser-tests (msg-split.yaml, msg-join.yaml; CC0), and by properties.

use proptest::prelude::*;

use super::*;

fn line(tags: &[(&str, &str)], source: Option<&str>, command: &str, params: &[&str]) -> Line {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let params = params.iter().map(|param| (*param).to_owned()).collect();
    Line { tags, source: source.map(str::to_owned), command: command.to_owned(), params }
}

/// What a line is made of: tags, source, command, parameters.
type Parts = (&'static [(&'static str, &'static str)], Option<&'static str>, &'static str, &'static [&'static str]);

#[test]
fn lines_are_read_as_all_parsers_of_irc_agreed() {
    let cool = Some("coolguy");
    let cases: &[(&str, Parts)] = &[
        ("foo bar baz asdf", (&[], None, "FOO", &["bar", "baz", "asdf"])),
        (":coolguy foo bar baz asdf", (&[], cool, "FOO", &["bar", "baz", "asdf"])),
        ("foo bar baz :asdf quux", (&[], None, "FOO", &["bar", "baz", "asdf quux"])),
        ("foo bar baz :", (&[], None, "FOO", &["bar", "baz", ""])),
        ("foo bar baz ::asdf", (&[], None, "FOO", &["bar", "baz", ":asdf"])),
        (":coolguy foo bar baz :  asdf quux ", (&[], cool, "FOO", &["bar", "baz", "  asdf quux "])),
        (":coolguy PRIVMSG bar :lol :) ", (&[], cool, "PRIVMSG", &["bar", "lol :) "])),
        (":coolguy foo bar baz :  ", (&[], cool, "FOO", &["bar", "baz", "  "])),
        ("@a=b;c=32;k;rt=ql7 foo", (&[("a", "b"), ("c", "32"), ("k", ""), ("rt", "ql7")], None, "FOO", &[])),
        (
            "@a=b\\\\and\\nk;c=72\\s45;d=gh\\:764 foo",
            (&[("a", "b\\and\nk"), ("c", "72 45"), ("d", "gh;764")], None, "FOO", &[]),
        ),
        ("@c;h=;a=b :quux ab cd", (&[("c", ""), ("h", ""), ("a", "b")], Some("quux"), "AB", &["cd"])),
        (":src JOIN #chan", (&[], Some("src"), "JOIN", &["#chan"])),
        (":src JOIN :#chan", (&[], Some("src"), "JOIN", &["#chan"])),
        (":src AWAY ", (&[], Some("src"), "AWAY", &[])),
        (":cool\tguy foo bar baz", (&[], Some("cool\tguy"), "FOO", &["bar", "baz"])),
        (
            ":coolguy!ag@net\x035w\x03ork.admin PRIVMSG foo :bar baz",
            (&[], Some("coolguy!ag@net\x035w\x03ork.admin"), "PRIVMSG", &["foo", "bar baz"]),
        ),
        ("COMMAND", (&[], None, "COMMAND", &[])),
        ("@foo=\\\\\\\\\\:\\\\s\\s\\r\\n COMMAND", (&[("foo", "\\\\;\\s \r\n")], None, "COMMAND", &[])),
        (
            ":gravel.mozilla.org 432  #momo :Erroneous Nickname: Illegal characters",
            (&[], Some("gravel.mozilla.org"), "432", &["#momo", "Erroneous Nickname: Illegal characters"]),
        ),
        (
            ":services.esper.net MODE #foo-bar +o foobar  ",
            (&[], Some("services.esper.net"), "MODE", &["#foo-bar", "+o", "foobar"]),
        ),
        ("@tag1=value\\\\ntest COMMAND", (&[("tag1", "value\\ntest")], None, "COMMAND", &[])),
        ("@tag1=value\\1 COMMAND", (&[("tag1", "value1")], None, "COMMAND", &[])),
        ("@tag1=value1\\ COMMAND", (&[("tag1", "value1")], None, "COMMAND", &[])),
        (
            ":SomeOp MODE #channel +oo SomeUser :AnotherUser",
            (&[], Some("SomeOp"), "MODE", &["#channel", "+oo", "SomeUser", "AnotherUser"]),
        ),
        // What irssi sends when it comes into a room, and what a colon before the last parameter must not disturb.
        ("MODE #tea b", (&[], None, "MODE", &["#tea", "b"])),
        ("USER alice 0 ::1 :Alice A", (&[], None, "USER", &["alice", "0", ":1 :Alice A"])),
        ("PRIVMSG a:b :hello world", (&[], None, "PRIVMSG", &["a:b", "hello world"])),
    ];
    for (text, (tags, source, command, params)) in cases {
        assert_eq!(Line::parse(text.as_bytes()), Ok(line(tags, *source, command, params)), "{text}");
    }
}

#[test]
fn of_a_tag_that_is_there_twice_the_last_counts() {
    let line = Line::parse(b"@tag1=1;tag2=3;tag3=4;tag1=5;vendor/tag2=8 COMMAND").unwrap();
    let values = ["tag1", "tag2", "tag3", "vendor/tag2", "tag4"].map(|key| line.tagged(key));
    assert_eq!(values, [Some("5"), Some("3"), Some("4"), Some("8"), None]);
}

#[test]
fn lines_are_written_as_all_parsers_of_irc_agreed() {
    for (line, text) in [
        (line(&[], None, "foo", &["bar", "baz", "asdf"]), "foo bar baz asdf"),
        (line(&[], Some("src"), "AWAY", &[]), ":src AWAY"),
        (line(&[], Some("src"), "AWAY", &[""]), ":src AWAY :"),
        (line(&[], None, "foo", &["bar", "asdf quux"]), "foo bar :asdf quux"),
        (line(&[], None, "foo", &["bar", ":asdf"]), "foo bar ::asdf"),
        (line(&[], Some("coolguy"), "foo", &["b", "  a q "]), ":coolguy foo b :  a q "),
        (
            line(&[("a", "b\\and\nk"), ("d", "gh;7 64"), ("e", "")], None, "foo", &[]),
            "@a=b\\\\and\\nk;d=gh\\:7\\s64;e foo",
        ),
        (line(&[], None, "PRIVMSG", &["bob", "hi"]), "PRIVMSG bob :hi"),
    ] {
        assert_eq!(line.write(), format!("{text}\r\n"));
    }
}

#[test]
fn what_is_too_long_is_refused_and_what_is_no_text_says_which_command_it_was() {
    let tags = |len: usize| format!("@{} PING x", "a".repeat(len - 2));
    assert!(Line::parse(tags(MAX_TAGS).as_bytes()).is_ok());
    assert_eq!(Line::parse(tags(MAX_TAGS + 1).as_bytes()), Err(Malformed::TooLong));
    let rest = |len: usize| format!("PING {}", "a".repeat(len - "PING \r\n".len()));
    assert!(Line::parse(rest(MAX_LINE).as_bytes()).is_ok());
    assert_eq!(Line::parse(rest(MAX_LINE + 1).as_bytes()), Err(Malformed::TooLong));
    assert_eq!(Line::parse(b"@a=1 :x privmsg bob :\xff"), Err(Malformed::NotUtf8(Some("PRIVMSG".into()))));
    assert_eq!(Line::parse(b"\xff\xfe"), Err(Malformed::NotUtf8(None)));
    for empty in ["", " ", ":source", "@tag", "@tag ", ":a  "] {
        assert_eq!(Line::parse(empty.as_bytes()), Err(Malformed::Empty), "{empty:?}");
    }
}

#[test]
fn the_fifteenth_parameter_is_all_the_rest() {
    let parsed = Line::parse(b"X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 :17").unwrap();
    assert_eq!(parsed.params.len(), MAX_PARAMS);
    assert_eq!(parsed.params[14], "15 16 :17");
}

#[test]
fn a_stream_is_cut_into_lines_wherever_it_breaks() {
    let stream = b"NICK a\r\n\nPING :x\ny\r\n";
    let whole: Vec<_> = Cutter::default().cut(stream);
    assert_eq!(whole, [&b"NICK a"[..], b"", b"PING :x", b"y"].map(|line| Ok(line.to_vec())));
    for at in 0..stream.len() {
        let mut cutter = Cutter::default();
        let mut lines = cutter.cut(&stream[..at]);
        lines.extend(cutter.cut(&stream[at..]));
        assert_eq!(lines, whole);
    }
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let mut cutter = Cutter::default();
    for _ in 0..100 {
        assert_eq!(cutter.cut(&[b'a'; 4096]), []);
        assert!(cutter.line.len() <= MAX_ALL_TAGS + MAX_LINE);
    }
    assert_eq!(cutter.cut(b"aaa\nPING\n"), [Err(TooLong), Ok(b"PING".to_vec())]);
}

#[test]
fn who_floods_waits_and_who_types_does_not() {
    let mut flood = Flood::new(Instant::START);
    let waits: Vec<_> = (0..BURST + 10).map(|_| flood.wait(Instant::START)).collect();
    assert!(waits[..BURST as usize].iter().all(Duration::is_zero));
    assert_eq!(waits.last(), Some(&(EVERY * 10)));
    let later = Instant::START + EVERY * (BURST + 10);
    assert_eq!(flood.wait(later), Duration::ZERO);
}

proptest! {
    #[test]
    fn whatever_it_is_made_of_a_line_is_one_line_within_its_limits(
        value in any::<String>(), source in any::<String>(), params in proptest::collection::vec(any::<String>(), 0..6),
        long in 0..2000_usize,
    ) {
        let mut line = Line::new("PRIVMSG", params).from(source).tag("key", value);
        line.params.push("ä".repeat(long));
        let text = line.write();
        prop_assert_eq!(text.matches(['\r', '\n', '\0']).count(), 2);
        prop_assert!(text.ends_with("\r\n"));
        let rest = text.split_once(' ').unwrap().1;
        prop_assert!(rest.len() <= MAX_LINE, "{}", rest.len());
    }

    #[test]
    fn what_was_written_is_read_alike(
        value in "[^\0]{1,20}", params in proptest::collection::vec("[^: \r\n\0][^ \r\n\0]{0,9}", 0..6),
        last in "[^\r\n\0]{0,40}",
    ) {
        let mut line = Line::new("NOTICE", params).from("a!b@c").tag("+key", value);
        line.params.push(last);
        let text = line.write();
        prop_assert_eq!(Line::parse(text.trim_end_matches("\r\n").as_bytes()), Ok(line));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(line) = Line::parse(&bytes) {
            let again = Line::parse(line.write().trim_end_matches("\r\n").as_bytes());
            prop_assert!(again.is_ok(), "{line:?}");
        }
    }
}
