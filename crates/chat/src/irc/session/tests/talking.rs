//! What a client says, and asks about people and rooms.

use super::*;

#[test]
fn what_is_said_goes_to_rooms_and_people_once() {
    let mut client = Client::plain(Fake::default());
    assert_eq!(client.send("PRIVMSG #tea-cake :hello"), [""; 0]);
    assert_eq!(client.send("NOTICE Bob,alice hi"), [""; 0]);
    let notes = Conversation::between(ALICE, ALICE);
    assert_eq!(client.node.said, [(tea(), text("hello")), (with_bob(), text("hi")), (notes, text("hi"))]);
    // The event of what it said itself tells the client nothing new.
    let id = MessageId { pen: Pen([7; 8]), number: 1 };
    assert_eq!(client.hears_of(id, &tea(), ALICE, text("hello")), [""; 0]);
    assert_eq!(client.hears_of(id, &tea(), ALICE, text("hello")).len(), 1);
}

#[test]
fn a_client_that_wants_an_echo_gets_one_and_no_second() {
    let mut client = Client::with(Fake::default(), "echo-message message-tags server-time");
    let me = source(ALICE);
    let echo = client.send("PRIVMSG bob :hi");
    let tags = "@time=2026-01-01T12:00:01.000Z;msgid=0707070707070707-1";
    assert_eq!(echo, [format!("{tags} :{me} PRIVMSG bob :hi")]);
    let id = MessageId { pen: Pen([7; 8]), number: 1 };
    assert_eq!(client.hears_of(id, &with_bob(), ALICE, text("hi")), [""; 0]);
}

#[test]
fn what_is_not_for_people_is_not_sent_and_what_fails_is_told() {
    let mut client = Client::plain(Fake::default());
    assert_eq!(client.send("PRIVMSG"), [":irc.compeer 411 alice :No recipient given (PRIVMSG)"]);
    assert_eq!(client.send("PRIVMSG bob"), [":irc.compeer 412 alice :No text to send"]);
    assert_eq!(client.send("PRIVMSG bob :\u{2} "), [":irc.compeer 412 alice :No text to send"]);
    assert_eq!(client.send("PRIVMSG bob :\u{1}VERSION\u{1}"), [""; 0]);
    assert_eq!(client.send("NOTICE bob :\u{1}PING 12\u{1}"), [""; 0]);
    assert_eq!(client.send("PRIVMSG zoe :hi"), [":irc.compeer 401 alice zoe :You know nobody of that name"]);
    assert!(client.send("PRIVMSG #zoe :hi")[0].contains(" 403 alice #zoe :"));
    assert_eq!(client.node.said, []);
    client.send("PRIVMSG bob :\u{1}ACTION waves\u{1}");
    assert_eq!(client.node.said, [(with_bob(), text("* waves"))]);
    client.node.fails = Some("you blocked this person".into());
    assert_eq!(client.send("PRIVMSG bob :hi"), [":irc.compeer 404 alice bob :you blocked this person"]);
}

#[test]
fn reactions_answers_and_typing_go_by_tags() {
    let mut client = Client::with(Fake::default(), "message-tags echo-message");
    let hello = client.node.said(&tea(), BOB, "hello");
    let id = "0707070707070707-1";
    client.send(&format!("@+reply={id} PRIVMSG #tea-cake :hello yourself"));
    let answer = Body::Text { text: "hello yourself".into(), answers: Some(hello) };
    let echo = client.send(&format!("@+draft/reply={id};+draft/react=👍 TAGMSG #tea-cake"));
    assert!(echo[0].ends_with(&format!("+draft/react=👍 :{} TAGMSG #Tea-Cake", source(ALICE))), "{echo:?}");
    client.send(&format!("@+draft/reply={id};+draft/unreact=👍 TAGMSG #tea-cake"));
    let reaction = |put| Body::Reaction { to: hello, reaction: "👍".into(), put };
    assert_eq!(client.node.said, [(tea(), answer), (tea(), reaction(true)), (tea(), reaction(false))]);
    assert!(client.send("@+draft/react=👍 TAGMSG #tea-cake")[0].starts_with(":irc.compeer FAIL TAGMSG INVALID_PARAMS"));
    // Who reacts understands reactions.
    let lines = client.hears(&tea(), BOB, Body::Reaction { to: hello, reaction: "x".into(), put: true });
    assert!(lines[0].ends_with(" TAGMSG #Tea-Cake"), "{lines:?}");
    client.send("@+typing=active TAGMSG bob");
    client.send("@+typing=done TAGMSG bob");
    assert_eq!(client.node.typing, [(with_bob(), true), (with_bob(), false)]);
    assert_eq!(Client::plain(Fake::default()).send("TAGMSG bob"), [":irc.compeer 421 alice TAGMSG :Unknown command"]);
}

#[test]
fn only_own_messages_can_be_taken_back() {
    let mut client = Client::with(Fake::default(), "message-tags draft/message-redaction");
    let hers = client.node.said(&tea(), ALICE, "oops");
    client.node.said(&tea(), BOB, "hello");
    let id = |n: u32| format!("0707070707070707-{n}");
    let forbidden = client.send(&format!("REDACT #tea-cake {}", id(2)));
    assert!(forbidden[0].contains("FAIL REDACT REDACT_FORBIDDEN #tea-cake"), "{forbidden:?}");
    for unknown in [id(3), "nonsense".into(), "zz-1".into()] {
        let lines = client.send(&format!("REDACT #tea-cake {unknown}"));
        assert!(lines[0].contains("FAIL REDACT UNKNOWN_MSGID"), "{lines:?}");
    }
    assert!(client.send(&format!("REDACT #nowhere {}", id(1)))[0].contains("INVALID_TARGET"));
    client.send(&format!("REDACT #tea-cake {} :mistake", id(1)));
    assert_eq!(client.node.said, [(tea(), Body::Deletion { of: hers })]);
}

#[test]
fn several_lines_can_be_one_message() {
    let mut client = Client::with(Fake::default(), "message-tags batch draft/multiline echo-message labeled-response");
    assert_eq!(client.send("@label=x BATCH +1 draft/multiline #tea-cake"), [""; 0]);
    for line in ["@batch=1 PRIVMSG #tea-cake :one", "@batch=1 PRIVMSG #tea-cake :", "@batch=1 PRIVMSG #tea-cake :how "]
    {
        assert_eq!(client.send(line), [""; 0]);
    }
    client.send("@batch=1;draft/multiline-concat PRIVMSG #tea-cake :are you?");
    let echo = client.send("BATCH -1");
    assert_eq!(client.node.said, [(tea(), text("one\n\nhow are you?"))]);
    assert!(echo[0].starts_with("@label=x;") && echo[0].contains(" BATCH +b1 draft/multiline #Tea-Cake"), "{echo:?}");
    assert_eq!(echo.last().unwrap(), ":irc.compeer BATCH -b1");
}

#[test]
fn what_is_no_message_of_several_lines_is_refused_as_a_whole() {
    let mut client = Client::with(Fake::default(), "message-tags batch draft/multiline");
    let mut send = |lines: &[&str]| -> Vec<String> { lines.iter().flat_map(|line| client.send(line)).collect() };
    let open = "BATCH +1 draft/multiline bob";
    for (lines, code) in [
        (vec!["@batch=1 PRIVMSG #tea-cake :x"], "MULTILINE_INVALID_TARGET bob #tea-cake"),
        (vec!["@batch=1 PRIVMSG bob :", "@batch=1 PRIVMSG bob :"], "MULTILINE_INVALID"),
        (vec!["@batch=1 PRIVMSG bob :x", "@batch=1;draft/multiline-concat PRIVMSG bob :"], "MULTILINE_INVALID"),
        (vec!["@batch=1 JOIN #x"], "MULTILINE_INVALID"),
        (vec!["@batch=2 PRIVMSG bob :x"], "MULTILINE_INVALID"),
        (vec!["@batch=1 PRIVMSG bob :x"; 65], "MULTILINE_MAX_LINES 64"),
    ] {
        let answers = send(&[&[open], &lines[..], &["BATCH -1"]].concat());
        assert!(
            answers.len() == 1 && answers[0].starts_with(&format!(":irc.compeer FAIL BATCH {code} :")),
            "{answers:?}"
        );
    }
    assert!(send(&["BATCH -1"])[0].contains("INVALID_REFTAG"));
    assert!(send(&["BATCH +1 foo bob"])[0].contains("UNKNOWN_TYPE 1 foo"));
    assert_eq!(send(&["@batch=1 PRIVMSG bob :belongs to what was refused"]), [""; 0]);
    assert_eq!(client.node.said, []);
}

#[test]
fn people_and_rooms_can_be_asked_about() {
    let mut client = Client::with(Fake::default(), "multi-prefix");
    let server = ":irc.compeer";
    let lines = client.send("WHOIS carol_c");
    assert_eq!(of(&lines, "319"), [format!("{server} 319 alice Carol_C :#Tea-Cake #Tea-Cake/cups")]);
    assert_eq!(of(&lines, "320"), [format!("{server} 320 alice Carol_C :is no contact of yours: {CAROL}")]);
    assert_eq!(of(&lines, "301").len(), 1);
    assert!(client.send("WHOIS zoe")[0].contains(" 401 alice zoe "));
    let host = &BOB.to_string()[..16];
    assert_eq!(
        client.send("WHO bob"),
        [
            format!("{server} 352 alice * person {host} irc.compeer bob H :0 bob"),
            format!("{server} 315 alice bob :End of /WHO list")
        ]
    );
    let flags: Vec<String> =
        client.send("WHO #tea-cake").iter().filter_map(|line| Some(line.split(' ').nth(8)?.into())).collect();
    assert_eq!(flags[..3], ["H+", "H@+", "G"]);
    assert_eq!(
        of(&client.send("NAMES #tea-cake"), "353"),
        [format!("{server} 353 alice = #Tea-Cake :+alice @+bob Carol_C")]
    );
    assert_eq!(
        of(&client.send("LIST"), "322"),
        [
            format!("{server} 322 alice #Tea-Cake 3 :Tea & Cake"),
            format!("{server} 322 alice #Tea-Cake/cups 3 :Tea & Cake: cups")
        ]
    );
    assert_eq!(client.send("ISON bob carol_c zoe"), [format!("{server} 303 alice bob")]);
    assert_eq!(client.send("USERHOST bob"), [format!("{server} 302 alice bob=+person@{host}")]);
    assert_eq!(client.send("MODE #tea-cake"), [format!("{server} 324 alice #Tea-Cake +nt")]);
    assert_eq!(client.send("MODE #tea-cake b"), [format!("{server} 368 alice #Tea-Cake :End of channel ban list")]);
    assert_eq!(client.send("MODE alice"), [format!("{server} 221 alice +i")]);
    assert_eq!(client.send("MODE alice +i"), [""; 0]);
    for refused in ["MODE #tea-cake +o bob", "TOPIC #tea-cake :x", "KICK #tea-cake bob", "INVITE zoe #tea-cake"] {
        assert!(client.send(refused)[0].contains(" 482 alice #"), "{refused}");
    }
    assert!(client.send("NICK other")[0].contains(" 484 alice :"));
    assert_eq!(client.send("NICK alice"), [""; 0]);
}
