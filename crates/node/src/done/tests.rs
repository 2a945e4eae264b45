//! Of which downloads it is told, and how a command is run.

use std::time::Duration;

use base::WallTime;

use super::command::Run;
use super::*;

#[test]
fn a_command_is_words_not_a_line() {
    let check = |command: &[&str]| {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        DoneConfig { command, ..DoneConfig::default() }.check()
    };
    assert!(check(&[]).is_ok() && check(&["/usr/bin/true", ""]).is_ok());
    assert!(check(&["", "x"]).is_err() && check(&["a\0b"]).is_err());
}

#[test]
fn of_each_completion_it_is_told_once() {
    let (film, photos) = (metainfo::InfoHashV1([1; 20]), metainfo::InfoHashV1([2; 20]));
    let at = |s| Some(WallTime(s));
    let mut told = Told { begun: WallTime(100), when: BTreeMap::new() };
    // Complete before the node began; not complete; a share of our own.
    assert!(!told.is_news(film, at(99), 7) && !told.is_news(film, None, 7) && !told.is_news(film, at(100), 0));
    assert!(told.is_news(film, at(100), 7) && !told.is_news(film, at(100), 8));
    assert!(told.is_news(photos, at(100), 7));
    // More of it was wanted later, and came.
    assert!(told.is_news(film, at(200), 9) && !told.is_news(film, at(200), 9));
}

#[cfg(unix)]
fn run(script: &str, limit: Duration) -> Result<(), String> {
    let command = ["/bin/sh", "-c", script, "sh", "$(touch /nowhere)"].map(str::to_owned).to_vec();
    Run::for_test(command, vec![("TR_TORRENT_NAME", "a; b \"c\" \0 $(d)".into())], limit).outcome()
}

#[cfg(unix)]
#[test]
fn a_name_is_a_variable_and_nothing_else() {
    let script = r#"test "$TR_TORRENT_NAME" = "a; b \"c\" � \$(d)" && test "$1" = '$(touch /nowhere)'"#;
    assert_eq!(run(script, Duration::from_secs(20)), Ok(()));
}

#[cfg(unix)]
#[test]
fn a_command_that_fails_says_why() {
    let error = run("echo the disk is full >&2; exit 3", Duration::from_secs(20)).unwrap_err();
    assert!(error.contains('3') && error.contains("the disk is full"), "{error}");
    let command = vec!["/nowhere/at/all".to_owned()];
    let error = Run::for_test(command, Vec::new(), Duration::from_secs(20)).outcome().unwrap_err();
    assert!(error.contains("does not start"), "{error}");
}

#[cfg(unix)]
#[test]
fn what_is_said_when_the_command_has_ended_is_heard_for_a_moment() {
    // Nothing is there to be read when the end of the command is seen.
    let error = run("(sleep 0.4; echo too late for most) >&2 & exit 3", Duration::from_secs(20)).unwrap_err();
    assert!(error.contains("too late for most"), "{error}");
    let begun = std::time::Instant::now();
    let error = run("sleep 60 >&2 & echo $! >&2; exit 3", Duration::from_secs(20)).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "who was started was waited for");
    let pid = error.rsplit(' ').next().and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL).unwrap();
}

#[cfg(unix)]
#[test]
fn a_command_that_takes_too_long_is_killed_with_those_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; wait", pids.display());
    let error = run(&script, Duration::from_millis(500)).unwrap_err();
    assert!(error.contains("was killed"), "{error}");
    let pid = std::fs::read_to_string(pids).unwrap();
    let gone = || {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    if cfg!(target_os = "linux") {
        assert!((0..100).any(|_| gone() || {
            std::thread::sleep(Duration::from_millis(20));
            false
        }));
    }
}
