//! What was said before.

use super::*;

const CAPS: &str = "message-tags server-time batch draft/chathistory draft/read-marker";

/// Ten messages in the main room; the number of each is what it says.
fn ten() -> Fake {
    let mut node = Fake::default();
    for number in 1..=10 {
        node.said(&tea(), if number % 2 == 0 { ALICE } else { BOB }, &number.to_string());
    }
    node
}

fn moment_of(number: u64) -> String {
    format!("timestamp={}", moment::write(NOON + 1000 * number))
}

fn id_of(number: u64) -> String {
    format!("msgid=0707070707070707-{number}")
}

/// Asks, and returns the numbers of the messages in the answer.
fn numbers(client: &mut Client, command: &str) -> Vec<u64> {
    let lines = client.send(&format!("CHATHISTORY {command}"));
    assert!(lines[0].contains(" BATCH +b") && lines.last().unwrap().contains(" BATCH -b"), "{command}: {lines:?}");
    let inner = &lines[1..lines.len() - 1];
    assert!(inner.iter().all(|line| line.starts_with("@batch=b") && line.contains(";time=")), "{inner:?}");
    inner.iter().map(|line| line.rsplit(':').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn the_history_is_read_from_any_point() {
    let mut client = Client::with(ten(), CAPS);
    for (command, expected) in [
        ("LATEST #tea-cake * 3".to_owned(), vec![8, 9, 10]),
        (format!("LATEST #tea-cake {} 5", id_of(8)), vec![9, 10]),
        (format!("LATEST #tea-cake {} 5", moment_of(8)), vec![9, 10]),
        (format!("LATEST #tea-cake {} 2", id_of(1)), vec![9, 10]),
        (format!("LATEST #tea-cake {} 2", id_of(99)), vec![]),
        (format!("BEFORE #tea-cake {} 2", id_of(5)), vec![3, 4]),
        (format!("BEFORE #tea-cake {} 2", moment_of(5)), vec![3, 4]),
        (format!("BEFORE #tea-cake {} 2", id_of(1)), vec![]),
        (format!("AFTER #tea-cake {} 2", id_of(5)), vec![6, 7]),
        (format!("AFTER #tea-cake {} 50", moment_of(8)), vec![9, 10]),
        (format!("AROUND #tea-cake {} 5", id_of(5)), vec![3, 4, 5, 6, 7]),
        (format!("AROUND #tea-cake {} 4", moment_of(5)), vec![3, 4, 5, 6]),
        (format!("AROUND #tea-cake {} 1", id_of(5)), vec![5]),
        (format!("AROUND #tea-cake {} 4", id_of(1)), vec![1, 2, 3, 4]),
        (format!("AROUND #tea-cake {} 4", moment_of(50)), vec![9, 10]),
        (format!("BETWEEN #tea-cake {} {} 10", id_of(3), id_of(7)), vec![4, 5, 6]),
        (format!("BETWEEN #tea-cake {} {} 2", id_of(3), id_of(7)), vec![4, 5]),
        (format!("BETWEEN #tea-cake {} {} 2", id_of(7), id_of(3)), vec![5, 6]),
        (format!("BETWEEN #tea-cake {} {} 2", moment_of(7), moment_of(3)), vec![5, 6]),
        (format!("BETWEEN #tea-cake {} {} 10", moment_of(3), id_of(7)), vec![4, 5, 6]),
        (format!("BETWEEN #tea-cake {} {} 1", id_of(9), moment_of(1)), vec![8]),
        (format!("BETWEEN #tea-cake {} {} 1", id_of(1), id_of(9)), vec![2]),
        ("LATEST bob * 5".to_owned(), vec![]),
    ] {
        assert_eq!(numbers(&mut client, &command), expected, "{command}");
    }
}

#[test]
fn what_comes_of_the_history_is_as_it_was_sent() {
    let mut client = Client::with(ten(), CAPS);
    let lines = client.send("CHATHISTORY LATEST #tea-cake * 1");
    assert_eq!(
        lines,
        [
            ":irc.compeer BATCH +b1 chathistory #Tea-Cake".to_owned(),
            format!(
                "@batch=b1;time=2026-01-01T12:00:10.000Z;msgid=0707070707070707-10 :{} PRIVMSG #Tea-Cake :10",
                source(ALICE)
            ),
            ":irc.compeer BATCH -b1".to_owned(),
        ]
    );
}

#[test]
fn edits_and_deletions_have_taken_effect_and_reactions_follow_their_message() {
    let mut node = ten();
    let all = node.history.get_mut(&tea()).unwrap();
    all.truncate(3);
    all[0].said = Said::Deleted;
    (all[1].said, all[1].is_edited) = (Said::Text("two".into()), true);
    all[2].reactions = vec![("👍".into(), vec![CAROL])];
    let mut client = Client::with(node, CAPS);
    let lines = client.send("CHATHISTORY LATEST #tea-cake * 10");
    assert!(lines.len() == 4 && lines[1].ends_with(" :* edited: two") && lines[2].ends_with(" :3"), "{lines:?}");
    client.send("CAP REQ draft/event-playback");
    let lines = client.send("CHATHISTORY LATEST #tea-cake * 10");
    assert!(lines[3].contains(";draft/chathistory-context;+reply=0707070707070707-3;"), "{lines:?}");
    assert!(lines[3].ends_with(&format!(";+draft/react=👍 :{} TAGMSG #Tea-Cake", source(CAROL))), "{lines:?}");
}

#[test]
fn what_is_asked_wrongly_is_answered_with_what_is_wrong() {
    let mut client = Client::with(ten(), CAPS);
    for (command, answer) in [
        ("FOO #tea-cake * 3", "INVALID_PARAMS FOO :Unknown command"),
        ("LATEST #tea-cake 3", "INVALID_PARAMS LATEST :Insufficient parameters"),
        ("LATEST #tea-cake * 3 4", "INVALID_PARAMS LATEST :Too many parameters"),
        ("LATEST #tea-cake * many", "INVALID_PARAMS LATEST :Invalid limit"),
        ("LATEST #tea-cake * 0", "INVALID_PARAMS LATEST :Invalid limit"),
        ("BEFORE #tea-cake * 3", "INVALID_PARAMS BEFORE :Invalid message or timestamp"),
        ("BEFORE #tea-cake timestamp=never 3", "INVALID_PARAMS BEFORE :Invalid message or timestamp"),
        ("LATEST #nowhere * 3", "INVALID_TARGET LATEST #nowhere :Messages could not be retrieved"),
        ("LATEST zoe * 3", "INVALID_TARGET LATEST zoe :Messages could not be retrieved"),
        ("TARGETS * * 3", "INVALID_PARAMS TARGETS :Invalid timestamp"),
        ("", "INVALID_PARAMS :Unknown command"),
    ] {
        let expected = format!(":irc.compeer FAIL CHATHISTORY {answer}");
        assert_eq!(client.send(&format!("CHATHISTORY {command}")), [expected], "{command}");
    }
    client.node.fails = Some("the disk is gone".into());
    let lines = client.send("CHATHISTORY LATEST #tea-cake * 3");
    assert_eq!(lines, [":irc.compeer FAIL CHATHISTORY MESSAGE_ERROR LATEST #tea-cake :the disk is gone"]);
}

#[test]
fn conversations_are_listed_by_when_something_was_said() {
    let mut node = ten();
    node.said(&with_bob(), BOB, "11");
    let mut client = Client::with(node, CAPS);
    let named = |lines: Vec<String>| -> Vec<String> {
        of(&lines, "TARGETS").iter().map(|line| line.split(' ').nth(4).unwrap().to_owned()).collect()
    };
    let (early, late) = (moment_of(0), moment_of(20));
    let lines = client.send(&format!("CHATHISTORY TARGETS {early} {late} 10"));
    assert_eq!(lines[0], ":irc.compeer BATCH +b1 draft/chathistory-targets");
    assert_eq!(lines[1], "@batch=b1 :irc.compeer CHATHISTORY TARGETS #Tea-Cake 2026-01-01T12:00:10.000Z");
    assert_eq!(named(client.send(&format!("CHATHISTORY TARGETS {late} {early} 10"))), ["bob", "#Tea-Cake"]);
    assert_eq!(named(client.send(&format!("CHATHISTORY TARGETS {late} {early} 1"))), ["bob"]);
    assert_eq!(named(client.send(&format!("CHATHISTORY TARGETS {} {late} 10", moment_of(10)))), ["bob"]);
}

#[test]
fn a_client_that_cannot_ask_is_shown_the_last_of_rooms_and_what_is_unread_of_people() {
    let mut node = ten();
    node.said(&with_bob(), BOB, "are you there?");
    let mut client = Client::connected();
    client.node = node;
    let lines = client.come_in();
    let played: Vec<_> = of(&lines, "PRIVMSG");
    assert_eq!(played.len(), 11);
    assert_eq!(played[0], format!(":{} PRIVMSG #Tea-Cake :[2026-01-01 12:00] 1", source(BOB)));
    assert!(played[10].ends_with(" PRIVMSG alice :[2026-01-01 12:00] are you there?"));
    // What was shown is not told again by an event that was on its way.
    let id = |number| MessageId { pen: Pen([7; 8]), number };
    assert_eq!(client.hears_of(id(11), &with_bob(), BOB, text("are you there?")), [""; 0]);
    // By answering she has read it.
    client.send("PRIVMSG bob :yes");
    assert!(!client.node.is_unread(&with_bob(), id(11)) && client.node.is_unread(&tea(), id(1)));
}

#[test]
fn what_is_old_is_dated_for_whoever_is_shown_no_times() {
    for (caps, dated) in [("server-time multi-prefix", true), ("server-time message-tags", false), ("batch", true)] {
        let mut client = Client::connected();
        client.node = ten();
        client.send(&format!("CAP REQ :{caps}"));
        client.come_in();
        let lines = client.send("CAP END");
        let first = of(&lines, "PRIVMSG")[0];
        assert_eq!(first.ends_with(" :[2026-01-01 12:00] 1"), dated, "{caps}: {first}");
        // What comes now needs no date.
        assert!(client.hears(&tea(), BOB, text("hi"))[0].ends_with(" :hi"));
    }
}

#[test]
fn what_was_read_is_known_to_all_clients() {
    let mut client = Client::with(ten(), CAPS);
    assert_eq!(client.send("MARKREAD #tea-cake"), [":irc.compeer MARKREAD #Tea-Cake *"]);
    // Those of even numbers are her own: she has read them as soon as what is before them.
    let marked = format!(":irc.compeer MARKREAD #Tea-Cake {}", moment_of(6));
    assert_eq!(client.send(&format!("MARKREAD #tea-cake {}", moment_of(5))), std::slice::from_ref(&marked));
    assert_eq!(client.send(&format!("MARKREAD #tea-cake {}", moment_of(3))), std::slice::from_ref(&marked));
    assert_eq!(client.handle(Input::Event(Event::Read(tea(), Vec::new()))), std::slice::from_ref(&marked));
    assert_eq!(client.send("MARKREAD"), [":irc.compeer FAIL MARKREAD NEED_MORE_PARAMS :Missing parameters"]);
    for wrong in ["MARKREAD #nowhere", "MARKREAD #tea-cake *", "MARKREAD #tea-cake yesterday"] {
        assert!(client.send(wrong)[0].starts_with(":irc.compeer FAIL MARKREAD INVALID_PARAMS"), "{wrong}");
    }
    client.send("PART #tea-cake");
    let lines = client.send("JOIN #tea-cake");
    let at = |command: &str| lines.iter().position(|line| line.contains(&format!(" {command} "))).unwrap();
    assert!(lines.contains(&marked) && at("MARKREAD") < at("366"), "{lines:?}");
}
