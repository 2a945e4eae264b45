//! Persons, their nodes and contacts: two computers that meet by the overlay on 127.0.0.0/8.

mod common;

use common::{LIMIT, Place, Running, finish};
use serde_json::Value;

/// Nobody outside is spoken to.
const WITHOUT: &str = "dht,lsd,mapping,relays";

fn command(place: &Place, home: &str, words: &[&str]) -> std::process::Command {
    let mut command = place.command_in(home, words);
    command.env("COMPEER_WITHOUT", WITHOUT).env_remove("COMPEER_PASSPHRASE");
    command
}

/// Runs a command that succeeds, and returns the JSON that it prints.
fn run(place: &Place, home: &str, words: &[&str]) -> Value {
    let output = finish(command(place, home, &[words, &["--json"]].concat()));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {output:?}"))
}

/// Runs a command that fails, and returns what it says.
fn fail(place: &Place, home: &str, words: &[&str]) -> String {
    let output = finish(command(place, home, words));
    assert!(!output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn up(place: &Place, home: &str, ip: &str) -> Running {
    let mut node = Running::start(command(place, home, &["up", "--listen", &format!("{ip}:0")]));
    assert!(node.line().starts_with("http://"));
    node
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Asks until the answer is as it should be.
fn until(place: &Place, home: &str, words: &[&str], good: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let answer = run(place, home, words);
        if good(&answer) {
            return answer;
        }
        assert!(begun.elapsed() < LIMIT, "{words:?} in {home}: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_before_anything_is() {
    let place = Place::new();
    std::fs::write(place.join("taken"), "a file").unwrap();
    let folder = place.join("taken/inside").display().to_string();
    let said = fail(&place, "ada", &["init", "--yes", "--no-passphrase", "--folder", &folder]);
    assert!(said.contains("cannot be made a folder"), "{said}");
    run(&place, "ada", &["init", "--yes", "--no-passphrase"]);
}

#[test]
fn two_people_become_contacts_by_a_link() {
    let place = Place::new();
    let ada = run(&place, "ada", &["init", "--name", "Ada", "--node-name", "laptop", "--no-passphrase"]);
    assert_eq!(text(&ada["phrase"]).split(' ').count(), 24);
    run(&place, "bob", &["init", "--name", "Bob", "--no-passphrase"]);
    assert!(fail(&place, "bob", &["init", "--yes"]).contains("has an identity already"));
    assert_eq!(run(&place, "ada", &["id", "show"])["person"], ada["person"]);

    let _ada = up(&place, "ada", "127.0.0.2");
    let svg = place.join("invite.svg");
    let invite = run(&place, "ada", &["contact", "invite", "--svg", svg.to_str().unwrap()]);
    assert!(std::fs::read_to_string(svg).unwrap().starts_with("<svg"));
    let link = text(&invite["link"]);
    assert!(link.starts_with("compeer:contact?person=") && link.contains("127.0.0.2"), "{link}");

    let _bob = up(&place, "bob", "127.0.0.3");
    let added = run(&place, "bob", &["contact", "add", link, "--name", "Countess"]);
    assert_eq!((text(&added["name"]), text(&added["state"])), ("Countess", "contact"));
    let seen = run(&place, "ada", &["contact", "show", "Bob"]);
    assert_eq!((text(&seen["state"]), &seen["words"]), ("contact", &added["words"]));
    assert_eq!(run(&place, "ada", &["contact", "invites"])[0]["state"], "used");

    run(&place, "eve", &["init", "--name", "Eve", "--no-passphrase"]);
    let late = fail(&place, "eve", &["--json", "contact", "--listen", "127.0.0.4:0", "add", link]);
    assert!(late.contains("no longer good"), "{late}");
    assert_eq!(run(&place, "eve", &["contact", "list"]), serde_json::json!([]));

    run(&place, "ada", &["contact", "verify", "--same", "Bob"]);
    run(&place, "ada", &["contact", "rename", "Bob", "Bobby"]);
    let blocked = run(&place, "ada", &["contact", "block", "Bobby"]);
    assert_eq!((&blocked["state"], &blocked["verified"]), (&"blocked".into(), &true.into()));
    run(&place, "ada", &["contact", "unblock", "Bobby"]);
    run(&place, "ada", &["contact", "remove", "Bobby"]);
    assert_eq!(run(&place, "ada", &["contact", "list"]), serde_json::json!([]));
}

#[test]
fn a_second_node_joins_by_a_code_and_is_revoked() {
    let place = Place::new();
    run(&place, "laptop", &["init", "--name", "Ada", "--node-name", "laptop", "--no-passphrase"]);
    let _laptop = up(&place, "laptop", "127.0.0.5");
    run(&place, "bob", &["init", "--name", "Bob", "--no-passphrase"]);
    let invite = run(&place, "laptop", &["contact", "invite"]);
    let bob = up(&place, "bob", "127.0.0.6");
    run(&place, "bob", &["contact", "add", text(&invite["link"])]);

    let mut adding = Running::start(command(&place, "laptop", &["node", "add", "--link"]));
    let code = adding.line();
    assert!(code.starts_with("compeer:join?node="), "{code}");
    let join = ["node", "--listen", "127.0.0.7:0", "join", &code, "--name", "phone"];
    let phone = run(&place, "phone", &join);
    assert_eq!((text(&phone["node_name"]), &phone["has_secret"]), ("phone", &false.into()));
    assert!(adding.line().starts_with("phone is your node now"));
    assert!(adding.wait().success());
    let again = ["node", "--listen", "127.0.0.8:0", "join", &code, "--name", "thief"];
    assert!(fail(&place, "thief", &again).contains("no longer good"));
    assert_eq!(run(&place, "phone", &["contact", "list"])[0]["name"], "Bob");
    assert!(fail(&place, "phone", &["id", "export"]).contains("does not hold"));

    let two = |contact: &Value| contact["nodes"].as_array().is_some_and(|nodes| nodes.len() == 2);
    until(&place, "bob", &["contact", "show", "Ada"], two);
    run(&place, "laptop", &["node", "revoke", "phone"]);
    let one = |contact: &Value| contact["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1);
    until(&place, "bob", &["contact", "show", "Ada"], one);
    drop(bob);
}

#[test]
fn a_phrase_brings_the_person_back_and_another_node_the_contacts() {
    let place = Place::new();
    let ada = run(&place, "old", &["init", "--name", "Ada", "--node-name", "old", "--no-passphrase"]);
    let _old = up(&place, "old", "127.0.0.9");
    run(&place, "bob", &["init", "--name", "Bob", "--no-passphrase"]);
    let _bob = up(&place, "bob", "127.0.0.10");
    let invite = run(&place, "old", &["contact", "invite"]);
    run(&place, "bob", &["contact", "add", text(&invite["link"])]);
    let shown = run(&place, "old", &["id", "show"]);
    let from = format!("{}@{}", text(&shown["node"]), text(&shown["hints"][0]));

    let words = ["id", "restore", "--json", "--node-name", "new", "--no-passphrase", "--listen", "127.0.0.11:0"];
    let mut restore = command(&place, "new", &[&words[..], &["--from", &from]].concat());
    let phrase = place.join("phrase");
    std::fs::write(&phrase, text(&ada["phrase"])).unwrap();
    restore.stdin(std::fs::File::open(phrase).unwrap());
    let output = finish(restore);
    assert!(output.status.success(), "{output:?}");
    let new: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&new["person"], &new["name"], &new["node_name"]), (&ada["person"], &"Ada".into(), &"new".into()));
    assert_eq!(run(&place, "new", &["contact", "list"])[0]["name"], "Bob");
    assert_eq!(run(&place, "old", &["node", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_passphrase_protects_the_secret_and_not_the_start() {
    let place = Place::new();
    let with = |words: &[&str], passphrase: &str| {
        let mut command = command(&place, "home", words);
        command.env("COMPEER_PASSPHRASE", passphrase);
        finish(command)
    };
    let made = with(&["init", "--name", "Ada", "--passphrase", "--json"], "correct horse");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(made["passphrase"], true);
    assert!(fail(&place, "home", &["id", "export"]).contains("COMPEER_PASSPHRASE"));
    let wrong = with(&["id", "export"], "battery staple");
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("not the passphrase"));
    let right = with(&["id", "export", "--json"], "correct horse");
    let right: Value = serde_json::from_slice(&right.stdout).unwrap();
    assert_eq!(right["phrase"], made["phrase"]);
    let _node = up(&place, "home", "127.0.0.12");
    assert!(fail(&place, "home", &["node", "add"]).contains("COMPEER_PASSPHRASE"));
    assert_eq!(run(&place, "home", &["id", "show"])["passphrase"], true);
}
