//! People who talk while their nodes sleep, crash and lose what they sent: few of them, for every change. The full ones are
//! `cargo run --release -p sim -- chat`, which `cargo xtask prove` runs.

use std::time::Duration;

use sim::{ChatMutation, ChatOutcome, ChatScenario, ChatSim};

/// One that is well by itself within a few hours, so that faults are found soon.
fn brief() -> ChatScenario {
    ChatScenario { healed: Duration::from_secs(4 * 3600), ..ChatScenario::small(0) }
}

fn run(scenario: ChatScenario) -> ChatOutcome {
    ChatSim::run(scenario, false)
}

fn assert_well(scenario: ChatScenario) -> ChatOutcome {
    let seed = scenario.seed;
    let outcome = run(scenario);
    assert_eq!(outcome.failures, [""; 0], "seed {seed}: {outcome:?}");
    assert!(outcome.deposits > 0 && outcome.crashes > 0 && outcome.written > 100, "seed {seed}: {outcome:?}");
    outcome
}

#[test]
fn every_message_is_where_it_has_to_be_in_the_end() {
    (1..3).for_each(|seed| _ = assert_well(ChatScenario::small(seed)));
}

#[test]
fn a_run_is_what_its_seed_says() {
    assert_eq!(assert_well(brief()), assert_well(brief()));
}

/// Runs a seed that is well by itself with a fault, which has to break a promise.
fn assert_breaks(mutation: ChatMutation, what: &str) {
    let outcome = run(ChatScenario { mutation: Some(mutation), ..brief() });
    assert!(outcome.failures.iter().any(|failure| failure.contains(what)), "{mutation:?}: {outcome:?}");
}

#[test]
fn what_is_acknowledged_before_it_is_stored_is_missed() {
    assert_breaks(ChatMutation::EarlyOutputs, "never came");
}

#[test]
fn a_message_that_a_store_leaves_out_is_missed() {
    assert_breaks(ChatMutation::DropMessages, "never came");
}

#[test]
fn a_store_that_keeps_messages_without_their_facts_has_them_twice() {
    assert_breaks(ChatMutation::TornCommits, "came 2 times");
}

#[test]
fn a_store_that_does_all_twice_is_found() {
    assert_breaks(ChatMutation::DoubleCommits, "came 2 times");
}

#[test]
fn mailboxes_that_forget_are_missed_by_those_who_never_meet() {
    assert_breaks(ChatMutation::ForgetfulMailboxes, "in time");
}

#[test]
fn mailboxes_that_delete_nothing_are_found() {
    // Whatever is there is fetched again and again: of a day of it one would not see the end.
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let mutation = Some(ChatMutation::HoardingMailboxes);
    let short =
        ChatScenario { mutation, writing: hours(2), quiet: hours(1), healed: hours(1), messages: 20, ..brief() };
    let outcome = run(short);
    assert!(outcome.failures.iter().any(|failure| failure.contains("still has something")), "{outcome:?}");
}

#[test]
fn an_envelope_that_is_opened_twice_does_no_harm() {
    let outcome = run(ChatScenario { mutation: Some(ChatMutation::OpenTwice), ..brief() });
    assert_eq!(outcome.failures, [""; 0]);
}
