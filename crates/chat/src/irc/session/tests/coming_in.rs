//! Coming in.

use super::*;

#[test]
fn a_plain_client_comes_in_with_the_password_and_is_in_all_rooms() {
    let mut client = Client::connected();
    assert_eq!(client.send("PASS secret"), [""; 0]);
    assert_eq!(client.send("NICK somebody"), [""; 0]);
    let lines = client.send("USER u 0 * :Real Name");
    assert_eq!(lines[0], ":irc.compeer 001 alice :Welcome, alice: this is your own node");
    let support = of(&lines, "005").join(" ");
    for token in ["CASEMAPPING=ascii", "CHATHISTORY=100", "NETWORK=Compeer", "UTF8ONLY", "PREFIX=(ov)@+"] {
        assert!(support.contains(token), "{token} in {support}");
    }
    let me = source(ALICE);
    let joined: Vec<String> = ["#Tea-Cake", "#Tea-Cake/cups"].map(|room| format!(":{me} JOIN {room}")).into();
    assert_eq!(of(&lines, "JOIN"), joined);
    let names = of(&lines, "353");
    assert_eq!(names[0], ":irc.compeer 353 alice = #Tea-Cake :+alice @bob Carol_C");
    assert_eq!(of(&lines, "332")[0], ":irc.compeer 332 alice #Tea-Cake :Tea & Cake");
}

#[test]
fn without_the_password_nobody_comes_in_or_learns_anything() {
    for password in ["PASS wrong", "PASS ", "PASS :", "PASS Secret", "PING x"] {
        let mut client = Client::connected();
        client.send(password);
        assert_eq!(client.send("LIST"), [":irc.compeer 451 * :You have not registered"]);
        assert_eq!(client.hears(&tea(), BOB, text("psst")), [""; 0]);
        client.send("NICK x");
        let lines = client.send("USER u 0 * :r");
        assert!(lines[0].starts_with(":irc.compeer 464 x :Password wrong or missing"), "{lines:?}");
        assert_eq!(lines[1..], ["ERROR :Closing link: no or a wrong password", "(closed)"]);
        assert_eq!(client.send("LIST"), [""; 0]);
    }
}

#[test]
fn after_some_wrong_passwords_it_is_over() {
    let mut client = Client::connected();
    client.send("PASS a");
    client.send("PASS b");
    assert_eq!(client.send("PASS c"), ["ERROR :Closing link: too many wrong passwords", "(closed)"]);
}

#[test]
fn a_client_that_never_says_it_is_sent_away() {
    let mut client = Client::connected();
    assert_eq!(client.passes(Duration::from_secs(30)), [""; 0]);
    // Words that are not the password win no time.
    client.send("CAP LS 302");
    client.send("NICK x");
    assert_eq!(
        client.passes(Duration::from_secs(30)),
        ["ERROR :Closing link: the password was not shown in time", "(closed)"]
    );
    assert_eq!(client.session.poll_timeout(), None);
}

#[test]
fn capabilities_hold_the_welcome_up_until_they_are_done() {
    let mut client = Client::connected();
    let offer = client.send("CAP LS 302");
    assert!(offer[0].starts_with(":irc.compeer CAP * LS :") && offer[0].contains("sasl=PLAIN"), "{offer:?}");
    assert_eq!(client.send("CAP REQ :server-time nonsense"), [":irc.compeer CAP * NAK :server-time nonsense"]);
    assert_eq!(client.send("CAP REQ :server-time batch"), [":irc.compeer CAP * ACK :server-time batch"]);
    assert_eq!(client.send("CAP LIST"), [":irc.compeer CAP * LIST :batch cap-notify server-time"]);
    assert_eq!(client.send("CAP FOO"), [":irc.compeer 410 * FOO :Invalid CAP command"]);
    assert_eq!(client.come_in(), [""; 0]);
    assert!(client.send("CAP END")[0].starts_with(":irc.compeer 001 alice"));
    assert_eq!(client.send("CAP REQ away-notify"), [":irc.compeer CAP alice ACK away-notify"]);
}

#[test]
fn sasl_takes_the_password_too() {
    let shown = |password: &str| BASE64.encode(format!("\0whoever\0{password}").as_bytes());
    let mut client = Client::connected();
    client.send("CAP REQ sasl");
    client.send("NICK x");
    client.send("USER u 0 * :r");
    assert_eq!(client.send("AUTHENTICATE SCRAM-SHA-1")[0], ":irc.compeer 908 x PLAIN :are available SASL mechanisms");
    assert_eq!(client.send("AUTHENTICATE PLAIN"), ["AUTHENTICATE +"]);
    assert_eq!(client.send("AUTHENTICATE *"), [":irc.compeer 906 x :SASL authentication aborted"]);
    for wrong in [shown("wrong"), "!!!".into(), BASE64.encode(b"no zeros")] {
        client.send("AUTHENTICATE PLAIN");
        assert_eq!(client.send(&format!("AUTHENTICATE {wrong}")), [":irc.compeer 904 x :SASL authentication failed"]);
    }
    client.send("AUTHENTICATE PLAIN");
    let lines = client.send(&format!("AUTHENTICATE {}", shown(TOKEN)));
    assert_eq!(lines[1], ":irc.compeer 903 x :SASL authentication successful");
    assert!(client.send("AUTHENTICATE PLAIN")[0].contains(" 907 "));
    assert!(client.send("CAP END")[0].starts_with(":irc.compeer 001 alice"));
}

#[test]
fn an_answer_in_pieces_ends_with_a_short_one_and_has_a_limit() {
    // 300 bytes are 400 letters: the end has to be said (sasl-3.1).
    let exactly = BASE64.encode(format!("{}\0x\0{TOKEN}", "y".repeat(300 - 3 - TOKEN.len())).as_bytes());
    assert_eq!(exactly.len(), 400);
    let mut client = Client::connected();
    client.send("AUTHENTICATE PLAIN");
    assert_eq!(client.send(&format!("AUTHENTICATE {exactly}")), [""; 0]);
    assert!(client.send("AUTHENTICATE +")[1].contains(" 903 "));

    let mut client = Client::connected();
    client.send("AUTHENTICATE PLAIN");
    let answers: Vec<_> = (0..6).flat_map(|_| client.send(&format!("AUTHENTICATE {}", "A".repeat(400)))).collect();
    assert_eq!(answers, [":irc.compeer 905 * :SASL message too long"]);
}

#[test]
fn a_quiet_client_is_asked_whether_it_is_there() {
    let mut client = Client::plain(Fake::default());
    assert_eq!(client.passes(ASK_AFTER), ["PING irc.compeer"]);
    assert_eq!(client.send("PONG :irc.compeer"), [""; 0]);
    assert_eq!(client.passes(ASK_AFTER), ["PING irc.compeer"]);
    assert_eq!(client.passes(ANSWER_WITHIN), ["ERROR :Closing link: the client did not answer in time", "(closed)"]);
}

#[test]
fn a_client_is_told_why_it_cannot_go_on() {
    let mut client = Client::plain(Fake::default());
    let over = Input::Over("the gateway was switched off".into());
    assert_eq!(client.handle(over), ["ERROR :Closing link: the gateway was switched off", "(closed)"]);
}

#[test]
fn lines_that_are_none_are_answered_and_harm_nobody() {
    let mut client = Client::plain(Fake::default());
    assert_eq!(client.handle(Input::Line(Err(TooLong))), [":irc.compeer 417 alice :Input line was too long"]);
    assert_eq!(client.send(&"x".repeat(600)), [":irc.compeer 417 alice :Input line was too long"]);
    let no_text = client.handle(Input::Line(Ok(b"PRIVMSG bob :\xff\xfe".to_vec())));
    assert_eq!(no_text, [":irc.compeer FAIL PRIVMSG INVALID_UTF8 :the line was left out: it is not UTF-8"]);
    assert_eq!(client.send(""), [""; 0]);
    assert_eq!(client.send("FOO bar"), [":irc.compeer 421 alice FOO :Unknown command"]);
    assert_eq!(client.send("JOIN"), [":irc.compeer 461 alice JOIN :Not enough parameters"]);
    assert_eq!(client.send("PING a"), [":irc.compeer PONG irc.compeer a"]);
    assert_eq!(client.send("QUIT :bye"), ["ERROR :Closing link: you left", "(closed)"]);
}

#[test]
fn answers_carry_the_label_of_what_they_answer() {
    let mut client =
        Client::with(Fake::default(), "labeled-response batch echo-message message-tags draft/chathistory");
    assert_eq!(client.send("@label=1 PING x"), ["@label=1 :irc.compeer PONG irc.compeer x"]);
    assert_eq!(client.send("@label=2 PONG x"), ["@label=2 :irc.compeer ACK"]);
    let lines = client.send("@label=3 WHOIS bob");
    assert_eq!(lines[0], "@label=3 :irc.compeer BATCH +b1 labeled-response");
    assert_eq!(lines.last().unwrap(), ":irc.compeer BATCH -b1");
    assert!(lines[1..lines.len() - 1].iter().all(|line| line.starts_with("@batch=b1 ")));
    let lines = client.send("@label=4 CHATHISTORY LATEST #Tea-Cake * 10");
    assert_eq!(lines, ["@label=4 :irc.compeer BATCH +b2 chathistory #Tea-Cake", ":irc.compeer BATCH -b2"]);
    let echo = client.send("@label=5 PRIVMSG bob :hi");
    assert!(echo.len() == 1 && echo[0].starts_with("@label=5;") && echo[0].ends_with("PRIVMSG bob :hi"), "{echo:?}");
    assert_eq!(client.send(&format!("@label={} PING x", "y".repeat(65))), [":irc.compeer PONG irc.compeer x"]);
}
