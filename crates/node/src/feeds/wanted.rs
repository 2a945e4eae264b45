//! `[[feeds]]` of the settings: which feeds are followed, and which of their entries are wanted. Pure.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::{categories, labels};

/// How many sections there may be. Arbitrary.
const MAX_FEEDS: usize = 100;

/// How many patterns one may have, and how long each may be in bytes. Arbitrary.
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN_BYTES: usize = 256;

/// The shortest time between two questions that nobody asked for. Arbitrary; many sites shut those out who ask more often.
const LEAST_MINUTES: u64 = 5;

/// One `[[feeds]]` of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedConfig {
    /// Where the feed is.
    pub url: String,
    /// Patterns of titles that are wanted; none: all are.
    #[serde(rename = "match", default, deserialize_with = "texts")]
    pub matches: Vec<String>,
    /// Patterns of titles that are not.
    #[serde(default, deserialize_with = "texts")]
    pub not: Vec<String>,
    /// Where content goes; by default where all downloads go, or those of the category.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// What is added gets these labels,
    #[serde(default)]
    pub labels: Vec<String>,
    /// and this category.
    #[serde(default)]
    pub category: Option<String>,
    /// Do not begin what is added.
    #[serde(default)]
    pub paused: bool,
    /// How often the feed is asked.
    #[serde(default = "half_an_hour")]
    pub every_minutes: u64,
}

/// How often a feed is asked by default. Arbitrary; what readers of feeds commonly do.
fn half_an_hour() -> u64 {
    30
}

/// Says what is wrong with the settings.
pub(crate) fn check(feeds: &[FeedConfig]) -> Result<(), String> {
    if feeds.len() > MAX_FEEDS {
        return Err(format!("feeds: there may be {MAX_FEEDS} at most"));
    }
    for feed in feeds {
        let url = &feed.url;
        if !is_web(url) || net::absolute_url(url, "").is_none() {
            return Err(format!("feeds: {url:?} is no URL of a feed: write http:// or https:// with a host"));
        }
        feed.check().map_err(|reason| format!("feeds: {url}: {reason}"))?;
    }
    Ok(())
}

/// Tells whether something is reached by HTTP.
pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

impl FeedConfig {
    fn check(&self) -> Result<(), String> {
        if self.every_minutes < LEAST_MINUTES {
            return Err(format!("every_minutes has to be {LEAST_MINUTES} or more"));
        }
        if self.folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            return Err("folder has to be an absolute path".to_owned());
        }
        if self.matches.len().max(self.not.len()) > MAX_PATTERNS {
            return Err(format!("match and not may have {MAX_PATTERNS} texts at most"));
        }
        for pattern in self.matches.iter().chain(&self.not) {
            if pattern.trim().is_empty() {
                return Err("match and not have to say something, for example \"debian*amd64\"".to_owned());
            }
            if pattern.len() > MAX_PATTERN_BYTES {
                return Err(format!("match and not may have texts of {MAX_PATTERN_BYTES} bytes at most"));
            }
        }
        labels::read(self.labels.iter().map(String::as_str))?;
        match &self.category {
            Some(name) => categories::check(name, "").map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Tells whether an entry of this title is wanted.
    pub(super) fn wants(&self, title: &str) -> bool {
        let title = lower(title);
        let has = |pattern: &String| is_in(&lower(pattern.trim()), &title);
        (self.matches.is_empty() || self.matches.iter().any(has)) && !self.not.iter().any(has)
    }

    /// Returns how long to wait between two questions.
    pub(super) fn every(&self) -> Duration {
        Duration::from_secs(self.every_minutes.saturating_mul(60))
    }

    /// Returns how long to wait after so many failures in a row: soon again at first, then no oftener than always.
    pub(super) fn after(&self, failures: u32) -> Duration {
        let soon = Duration::from_secs(LEAST_MINUTES * 60);
        self.every().min(soon.saturating_mul(1 << failures.saturating_sub(1).min(16)))
    }

    /// Names the choice, to count by whom what was taken.
    pub(super) fn choice(&self) -> String {
        format!("{:?} {:?}", self.matches, self.not)
    }
}

fn lower(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Tells whether a pattern is found anywhere in a text: `*` stands for anything, `?` for one character.
fn is_in(pattern: &[char], text: &[char]) -> bool {
    let mut rest = text;
    let mut parts = pattern.split(|&c| c == '*').filter(|part| !part.is_empty());
    parts.all(|part| {
        let fits = |window: &[char]| part.iter().zip(window).all(|(wanted, c)| *wanted == '?' || wanted == c);
        match rest.windows(part.len()).position(fits) {
            // The first place leaves the most for what follows.
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        }
    })
}

/// Reads a text or a list of texts.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let wrong = || D::Error::custom("match and not have to be a text or a list of texts");
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => Ok(vec![text]),
        toml::Value::Array(all) => all.into_iter().map(|it| it.try_into().map_err(|_| wrong())).collect(),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(text: &str) -> FeedConfig {
        let feed: FeedConfig = toml::from_str(&format!("url = \"http://a/b\"\n{text}")).unwrap();
        assert_eq!(check(std::slice::from_ref(&feed)), Ok(()));
        feed
    }

    #[test]
    fn a_pattern_is_found_anywhere_and_in_any_case() {
        for (pattern, title, wanted) in [
            ("debian", "New: DEBIAN 13", true),
            ("debian*amd64", "debian-13.1.0-amd64-netinst.iso", true),
            ("debian*amd64", "amd64 of debian", false),
            ("s01e0?", "Some.Show.S01E05.1080p", true),
            ("s01e0?", "Some.Show.S01E0", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a**b?", "xa-bb", true),
            ("größe", "GRÖSSE, Größe", true),
            ("ÉTÉ", "l'été", true),
            (" x ", "axb", true),
        ] {
            let feed = feed(&format!("match = {pattern:?}"));
            assert_eq!(feed.wants(title), wanted, "{pattern} in {title}");
        }
    }

    #[test]
    fn one_of_several_is_enough_and_none_of_the_others_may_be_there() {
        let all = feed("");
        assert!(all.wants("anything") && all.wants("") && all.every() == Duration::from_secs(1800));
        let some = feed("match = [\"debian\", \"fedora\"]\nnot = [\"i386\", \"beta ?\"]");
        assert!(some.wants("Debian 13") && some.wants("Fedora 44"));
        assert!(!some.wants("Arch") && !some.wants("debian i386") && !some.wants("Fedora 45 beta 2"));
        let rest = feed("not = \"cam\"");
        assert!(rest.wants("a film") && !rest.wants("a film (CAM)"));
        assert_ne!(some.choice(), rest.choice());
    }

    #[test]
    fn who_does_not_answer_is_asked_soon_again_and_then_as_always() {
        let feed = feed("every_minutes = 60");
        assert_eq!([1, 2, 3, 4, 5, 99].map(|n| feed.after(n).as_secs() / 60), [5, 10, 20, 40, 60, 60]);
        let feed = self::feed(&format!("every_minutes = {}", i64::MAX));
        assert!(feed.every() > Duration::from_secs(1 << 62));
    }

    #[test]
    fn too_much_is_refused() {
        let many = |feed: FeedConfig| check(&vec![feed; 101]).unwrap_err();
        assert!(many(feed("")).contains("100 at most"));
        let with = |matches| check(&[FeedConfig { matches, ..feed("") }]).unwrap_err();
        assert!(with(vec!["x".to_owned(); 101]).contains("100 texts"));
        assert!(with(vec!["x".repeat(257)]).contains("256 bytes"));
        for url in ["", "ftp://a/b", "http://", "a.xml", "file:///etc/passwd"] {
            assert!(check(&[FeedConfig { url: url.to_owned(), ..feed("") }]).unwrap_err().contains("no URL"), "{url}");
        }
    }
}
