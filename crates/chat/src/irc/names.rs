//! Names made fit for IRC, and kept unique.
//!
//! Who has which name follows from what is known alone, so that all clients and all times agree. A name that several have is
//! nobody's but the one of the highest standing: ourselves, then a single contact; all others have the beginning of their id
//! behind it, so that nobody who comes into a group under a friend's name gets what is meant for the friend.

use std::collections::{BTreeMap, BTreeSet};

/// The longest nick in bytes. Arbitrary: it stands in every line, which has 512.
pub(super) const MAX_NICK: usize = 40;

/// The longest name of a channel in bytes: `#`, a group, `/`, a room.
pub(super) const MAX_CHANNEL: usize = 1 + MAX_NICK + 1 + crate::proto::RoomName::MAX_BYTES;

/// How much of an id tells apart those of one name, at first.
const TAIL: usize = 4;

/// Returns a name as it is compared (CASEMAPPING=ascii).
pub(super) fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Makes a nick of a name: letters and digits of any script, `-` and `_`, no digit or `-` first.
pub(super) fn fit_nick(name: &str) -> String {
    let nick = fit(name, '_');
    match nick.chars().next() {
        None => "somebody".to_owned(),
        Some(c) if c.is_numeric() || c == '-' => shorten(&format!("_{nick}"), MAX_NICK),
        Some(_) => nick,
    }
}

/// Makes what stands behind `#` of the name of a group.
pub(super) fn fit_channel(name: &str) -> String {
    let channel = fit(name, '-');
    if channel.is_empty() { "group".to_owned() } else { channel }
}

/// Keeps letters, digits, `-` and `_`; `gap` stands for a run of others between them.
fn fit(name: &str, gap: char) -> String {
    let mut fitted = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '-' | '_') {
            fitted.push(c);
        } else if !fitted.is_empty() && !fitted.ends_with(gap) {
            fitted.push(gap);
        }
    }
    shorten(fitted.trim_end_matches(gap), MAX_NICK)
}

fn shorten(text: &str, max: usize) -> String {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Somebody or something that wants a name.
#[derive(Clone, Debug)]
pub(super) struct Candidate<K> {
    /// Who.
    pub(super) key: K,
    /// The name, fit.
    pub(super) name: String,
    /// The id as it is written.
    pub(super) id: String,
    /// The lowest goes first.
    pub(super) standing: u8,
}

/// Gives everybody a name of their own.
pub(super) fn allot<K: Ord + Clone>(candidates: &[Candidate<K>]) -> BTreeMap<K, String> {
    let mut wanted: BTreeMap<String, Vec<&Candidate<K>>> = BTreeMap::new();
    for candidate in candidates {
        wanted.entry(fold(&candidate.name)).or_default().push(candidate);
    }
    let mut taken: BTreeSet<String> = wanted.keys().cloned().collect();
    let mut names = BTreeMap::new();
    for rivals in wanted.values() {
        let best = rivals.iter().map(|candidate| candidate.standing).min();
        let is_best = |candidate: &Candidate<K>| Some(candidate.standing) == best;
        let alone = rivals.iter().filter(|candidate| is_best(candidate)).count() == 1;
        for candidate in rivals {
            let name = if alone && is_best(candidate) { candidate.name.clone() } else { tailed(candidate, &taken) };
            taken.insert(fold(&name));
            names.insert(candidate.key.clone(), name);
        }
    }
    names
}

/// Returns a name with as much of the id behind it as nobody else has.
fn tailed<K>(candidate: &Candidate<K>, taken: &BTreeSet<String>) -> String {
    let tailed = |len: usize| {
        let tail = candidate.id.get(..len).unwrap_or(&candidate.id);
        format!("{}-{tail}", shorten(&candidate.name, MAX_NICK.saturating_sub(tail.len() + 1)))
    };
    let free = (TAIL..MAX_NICK).map(tailed).find(|name| !taken.contains(&fold(name)));
    // Whoever finds 36 letters of an id that somebody else has as a name has found that id.
    free.unwrap_or_else(|| tailed(MAX_NICK - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidate(key: u8, name: &str, standing: u8) -> Candidate<u8> {
        Candidate { key, name: fit_nick(name), id: format!("id{key}").repeat(20), standing }
    }

    fn allotted(candidates: &[Candidate<u8>]) -> Vec<String> {
        allot(candidates).into_values().collect()
    }

    #[test]
    fn names_are_made_fit() {
        for (name, nick) in [
            ("alice", "alice"),
            ("Ada Lovelace", "Ada_Lovelace"),
            ("Dr. No!", "Dr_No"),
            ("Zoë", "Zoë"),
            ("Анна", "Анна"),
            ("3po", "_3po"),
            ("-x", "_-x"),
            ("🙂", "somebody"),
            ("#tea,*!@ :x", "tea_x"),
        ] {
            assert_eq!(fit_nick(name), nick);
        }
        assert_eq!(fit_channel("Tea & cake / Friday"), "Tea-cake-Friday");
        assert_eq!(fit_channel("***"), "group");
        assert_eq!(fit_nick(&"ä".repeat(32)).len(), MAX_NICK);
    }

    #[test]
    fn a_stranger_with_a_friends_name_does_not_get_it() {
        let [me, friend, stranger] = [candidate(1, "me", 0), candidate(2, "Bob", 1), candidate(3, "bob", 2)];
        assert_eq!(allotted(&[me.clone(), friend.clone(), stranger.clone()]), ["me", "Bob", "bob-id3i"]);
        let impostor = candidate(4, "ME", 2);
        assert_eq!(allotted(&[me, friend, stranger, impostor])[3], "ME-id4i");
    }

    #[test]
    fn of_two_alike_none_has_the_bare_name() {
        let names = allotted(&[candidate(1, "bob", 2), candidate(2, "Bob", 2)]);
        assert_eq!(names, ["bob-id1i", "Bob-id2i"]);
        // Nor can one be had by being called as somebody else would be with the tail.
        let clever = candidate(3, "bob-id1i", 2);
        let names = allotted(&[candidate(1, "bob", 2), candidate(2, "bob", 2), clever]);
        assert_eq!(names, ["bob-id1id", "bob-id2i", "bob-id1i"]);
    }

    proptest! {
        #[test]
        fn names_are_unique_short_and_words(people in proptest::collection::vec((any::<String>(), 0..3_u8), 0..12)) {
            let people = people.iter().enumerate();
            let people: Vec<_> = people.map(|(n, (name, standing))| candidate(n as u8, name, *standing)).collect();
            let names = allot(&people);
            let folded: BTreeSet<String> = names.values().map(|name| fold(name)).collect();
            prop_assert_eq!(folded.len(), people.len());
            for name in names.values() {
                prop_assert!(!name.is_empty() && name.len() <= MAX_NICK, "{}", name);
                prop_assert!(!name.contains([' ', ',', '*', '?', '!', '@', '#', ':', '/', '.', '\n', '\0']), "{}", name);
                prop_assert!(!name.starts_with(|c: char| c.is_numeric() || "-+~&%$".contains(c)), "{}", name);
            }
        }
    }
}
