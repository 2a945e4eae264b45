//! What a client is told while it looks on.

use super::*;

#[test]
fn messages_come_from_nicks_to_channels_and_to_the_user() {
    let mut client = Client::plain(Fake::default());
    let (bob, me) = (source(BOB), source(ALICE));
    assert_eq!(client.hears(&tea(), BOB, text("hello")), [format!(":{bob} PRIVMSG #Tea-Cake :hello")]);
    assert_eq!(client.hears(&cups(), BOB, text("hello")), [format!(":{bob} PRIVMSG #Tea-Cake/cups :hello")]);
    assert_eq!(client.hears(&with_bob(), BOB, text("psst")), [format!(":{bob} PRIVMSG alice :psst")]);
    // What the user writes elsewhere is shown where the client can tell that it is the user's.
    assert_eq!(client.hears(&tea(), ALICE, text("mine")), [format!(":{me} PRIVMSG #Tea-Cake :mine")]);
    assert_eq!(client.hears(&with_bob(), ALICE, text("mine")), [""; 0]);
    let mut knows = Client::with(Fake::default(), "znc.in/self-message");
    assert_eq!(knows.hears(&with_bob(), ALICE, text("mine")), [format!(":{me} PRIVMSG bob :mine")]);
    let notes = Conversation::between(ALICE, ALICE);
    assert_eq!(client.hears(&notes, ALICE, text("note")), [format!(":{me} PRIVMSG alice :note")]);
}

#[test]
fn a_client_that_can_is_told_when_and_which() {
    let mut client = Client::with(Fake::default(), "server-time message-tags");
    let line = client.hears(&tea(), BOB, text("hello")).remove(0);
    assert!(line.starts_with("@time=2026-01-01T12:00:00.000Z;msgid=0707070707070707-1 :bob!"), "{line}");
    let mut timed = Client::with(Fake::default(), "server-time");
    let line = timed.hears(&tea(), BOB, text("hello")).remove(0);
    assert!(line.starts_with("@time=2026-01-01T12:00:00.000Z :bob!"), "{line}");
}

#[test]
fn long_and_many_lines_are_split_and_only_the_first_is_the_message() {
    let mut client = Client::with(Fake::default(), "server-time message-tags");
    let lines = client.hears(&tea(), BOB, text(&format!("one\n\n{}\r\nlast", "words ".repeat(100))));
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("msgid=")).count(), 1);
    assert!(lines[0].contains("msgid=") && lines[0].ends_with(" :one") && lines[3].ends_with(" :last"));
    for line in &lines {
        assert!(line.split_once(' ').unwrap().1.len() <= 510, "{line}");
    }
    let mut whole = Client::with(Fake::default(), "message-tags batch draft/multiline");
    let lines = whole.hears(&tea(), BOB, text("one\n\nlast"));
    assert_eq!(lines[0], format!("@msgid=0707070707070707-1 :{} BATCH +b1 draft/multiline #Tea-Cake", source(BOB)));
    assert_eq!(lines[2], format!("@batch=b1 :{} PRIVMSG #Tea-Cake :", source(BOB)));
    assert_eq!(lines[4], ":irc.compeer BATCH -b1");
}

#[test]
fn nobody_writes_lines_that_are_not_theirs() {
    let mut client = Client::plain(Fake::default());
    let evil = "hi\r\nERROR :x\r:irc.compeer KICK #Tea-Cake alice\0\u{1}VERSION\u{1}";
    let lines = client.hears(&tea(), BOB, text(evil));
    assert!(lines.iter().all(|line| line.starts_with(&format!(":{} PRIVMSG #Tea-Cake :", source(BOB)))), "{lines:?}");
    assert!(!lines.concat().contains(['\r', '\n', '\0', '\u{1}']));
    assert_eq!(client.hears(&tea(), BOB, text("\u{2}\u{1}")), [format!(":{} PRIVMSG #Tea-Cake : ", source(BOB))]);
}

#[test]
fn files_edits_reactions_and_deletions_are_lines_that_can_be_read() {
    let mut client = Client::plain(Fake::default());
    let hello = client.node.said(&tea(), CAROL, "hello everybody out there, who reads this far?");
    let bob = source(BOB);
    let file = Body::Attachment { name: "a.pdf".into(), bytes: 1536, notice: b"x7k2".to_vec(), caption: "look".into() };
    assert_eq!(
        client.hears(&tea(), BOB, file),
        [
            format!(":{bob} PRIVMSG #Tea-Cake :* file: a.pdf (1.5 KiB); to fetch it: compeer inbox accept x7k2"),
            format!(":{bob} PRIVMSG #Tea-Cake :look")
        ]
    );
    let edit = Body::Edit { of: hello, text: "hello you".into() };
    assert_eq!(
        client.hears(&tea(), CAROL, edit),
        [format!(":{} PRIVMSG #Tea-Cake :* edited: hello you", source(CAROL))]
    );
    let reaction = |put| Body::Reaction { to: hello, reaction: "👍".into(), put };
    let quoted = "“hello everybody out there, who reads…”";
    assert_eq!(client.hears(&tea(), BOB, reaction(true)), [format!(":{bob} NOTICE #Tea-Cake :reacted 👍 to {quoted}")]);
    assert_eq!(
        client.hears(&tea(), BOB, reaction(false)),
        [format!(":{bob} NOTICE #Tea-Cake :no longer reacts 👍 to {quoted}")]
    );
    assert_eq!(
        client.hears(&tea(), CAROL, Body::Deletion { of: hello }),
        [format!(":{} NOTICE #Tea-Cake :took back a message of 2026-01-01 12:00", source(CAROL))]
    );
    assert_eq!(
        client.hears(&tea(), BOB, Body::Timer { expires_s: Some(3600) }),
        [format!(":{bob} NOTICE #Tea-Cake :from now on messages here are kept for 1h 00m")]
    );
}

#[test]
fn a_client_made_for_them_gets_reactions_and_deletions_as_they_are() {
    let caps = "message-tags server-time batch draft/chathistory draft/message-redaction";
    let mut client = Client::with(Fake::default(), caps);
    let hello = client.node.said(&tea(), BOB, "hello");
    let lines = client.hears(&tea(), CAROL, Body::Reaction { to: hello, reaction: "👍".into(), put: true });
    let id = "0707070707070707-1";
    assert!(lines[0].contains(&format!(";+reply={id};+draft/reply={id};+draft/react=👍 :Carol_C!")), "{lines:?}");
    assert!(lines[0].ends_with(" TAGMSG #Tea-Cake"));
    let lines = client.hears(&tea(), BOB, Body::Deletion { of: hello });
    assert!(lines[0].ends_with(&format!(":{} REDACT #Tea-Cake {id}", source(BOB))), "{lines:?}");
}

#[test]
fn who_writes_is_seen_by_clients_that_show_it() {
    let mut client = Client::with(Fake::default(), "message-tags");
    let typing = |person, writes| Input::Event(Event::Typing(tea(), person, writes));
    assert_eq!(client.handle(typing(BOB, true)), [format!("@+typing=active :{} TAGMSG #Tea-Cake", source(BOB))]);
    assert_eq!(client.handle(typing(BOB, false)), [format!("@+typing=done :{} TAGMSG #Tea-Cake", source(BOB))]);
    assert_eq!(client.handle(typing(ALICE, true)), [""; 0]);
    assert_eq!(Client::plain(Fake::default()).handle(typing(BOB, true)), [""; 0]);
}

#[test]
fn a_stranger_who_writes_is_announced() {
    let mut client = Client::plain(Fake::default());
    let lines = client.handle(Input::Event(Event::Request(Conversation::between(ALICE, CAROL))));
    let notice = ":irc.compeer NOTICE alice :Carol_C is no contact of yours and writes to you. ";
    assert!(lines[0].starts_with(notice) && lines[0].contains(&format!("person:{CAROL} --accept")), "{lines:?}");
    // So is one who wrote before the client came.
    let mut node = Fake::default();
    node.said(&Conversation::between(ALICE, DORA), DORA, "hello");
    let mut client = Client::connected();
    client.node = node;
    let lines = client.come_in();
    assert!(of(&lines, "NOTICE")[0].contains(" is no contact of yours"), "{lines:?}");
    assert!(of(&lines, "PRIVMSG")[0].ends_with(" hello"), "{lines:?}");
}

#[test]
fn who_comes_and_goes_is_marked_and_told() {
    let mut client = Client::with(Fake::default(), "away-notify");
    let mut scene = scene();
    (scene.people[1].is_here, scene.people[2].is_here) = (false, true);
    let lines = client.sees(scene.clone());
    let (bob, carol) = (source(BOB), source(CAROL));
    assert_eq!(
        lines,
        [
            ":irc.compeer MODE #Tea-Cake/cups -v+v bob Carol_C".to_owned(),
            ":irc.compeer MODE #Tea-Cake -v+v bob Carol_C".to_owned(),
            format!(":{bob} AWAY :{AWAY}"),
            format!(":{carol} AWAY"),
        ]
    );
    assert_eq!(client.sees(scene), [""; 0]);
}

#[test]
fn members_come_and_go_and_change_their_names() {
    let mut client = Client::plain(Fake::default());
    client.send("PART #Tea-Cake/cups");
    let mut scene = scene();
    scene.people.push(Person { person: DORA, name: "dora".into(), is_contact: false, is_here: true });
    scene.people[1].name = "Robert".into();
    scene.groups[0].members.retain(|member| member.person != CAROL);
    scene.groups[0].members.push(Member { person: DORA, is_admin: true });
    let view = View::new(scene.clone());
    assert_eq!(
        client.sees(scene),
        [
            format!(":{} NICK Robert", source(BOB)),
            format!(":{} PART #Tea-Cake :left the group, or was removed from it", view.source(CAROL)),
            format!(":{} JOIN #Tea-Cake", view.source(DORA)),
            ":irc.compeer MODE #Tea-Cake +o+v dora dora".to_owned(),
        ]
    );
}

#[test]
fn rooms_and_groups_come_go_and_are_renamed() {
    let mut client = Client::plain(Fake::default());
    let me = source(ALICE);
    let mut changed = scene();
    changed.groups[0].rooms.insert(RoomName::new("pots").unwrap());
    let lines = client.sees(changed.clone());
    assert_eq!(lines[0], format!(":{me} JOIN #Tea-Cake/pots"));
    changed.groups[0].name = Some("Coffee".into());
    let lines = client.sees(changed.clone());
    assert_eq!(of(&lines, "PART")[0], format!(":{me} PART #Tea-Cake/cups :the group is called #Coffee/cups now"));
    assert_eq!(of(&lines, "JOIN").len(), 3);
    assert_eq!(client.hears(&tea(), BOB, text("hi")), [format!(":{} PRIVMSG #Coffee :hi", source(BOB))]);
    changed.groups.clear();
    let lines = client.sees(changed);
    assert_eq!(of(&lines, "KICK").len(), 3);
    assert_eq!(client.hears(&tea(), BOB, text("hi")), [""; 0]);
}

#[test]
fn a_room_that_was_left_is_silent_until_it_is_joined_again() {
    let mut client = Client::plain(Fake::default());
    assert_eq!(client.send("PART #tea-cake :tea"), [format!(":{} PART #Tea-Cake :tea", source(ALICE))]);
    assert_eq!(client.hears(&tea(), BOB, text("hi")), [""; 0]);
    assert_eq!(client.send("PART #tea-cake"), [":irc.compeer 442 alice #tea-cake :You are not in that channel"]);
    assert!(client.send("PRIVMSG #tea-cake :hi")[0].contains(" 404 alice #tea-cake "));
    let lines = client.send("JOIN #TEA-CAKE/main,#nowhere");
    assert_eq!(lines[0], format!(":{} JOIN #Tea-Cake", source(ALICE)));
    assert!(lines.last().unwrap().contains(" 403 alice #nowhere :"), "{lines:?}");
    assert_eq!(client.send("JOIN #Tea-Cake"), [""; 0]);
    assert_eq!(client.hears(&tea(), BOB, text("hi")).len(), 1);
    assert_eq!(of(&client.send("JOIN 0"), "PART").len(), 2);
}
