//! How values are shown to people.

use std::time::Duration;

use base::units::{format_bytes, format_duration};
use rpc::{TorrentState, TorrentSummary};

use crate::out::clean;

/// How many digits of an id are shown in lists: enough to tell thousands of torrents apart.
pub const SHORT_ID: usize = 8;

/// Shows a part of a whole; the unit once where it is the same.
pub fn amount(done: u64, total: u64) -> String {
    let (done, total) = (format_bytes(done), format_bytes(total));
    match (done.split_once(' '), total.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} of {total}"),
        _ => format!("{done} of {total}"),
    }
}

/// Shows a rate.
pub fn rate(bytes_per_s: u64) -> String {
    format!("{}/s", format_bytes(bytes_per_s))
}

/// Shows a rate in a table, where nothing is better than a zero.
pub fn rate_or_blank(bytes_per_s: u64) -> String {
    if bytes_per_s == 0 { "-".to_owned() } else { rate(bytes_per_s) }
}

/// Shows a limit.
pub fn limit(bytes_per_s: Option<u64>) -> String {
    bytes_per_s.map_or_else(|| "no limit".to_owned(), rate)
}

/// Shows a share of the whole. Never 100 % before it is.
pub fn percent(progress: f64) -> String {
    format!("{:.0} %", (progress * 100.0).floor().clamp(0.0, 100.0))
}

/// Shows a time in whole units.
pub fn seconds(seconds: u64) -> String {
    format_duration(Duration::from_secs(seconds))
}

/// Shows how long something took: tenths below ten seconds.
pub fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        // Nothing takes no time at all.
        format!("{:.1}s", duration.as_secs_f64().max(0.1))
    } else {
        format_duration(duration)
    }
}

/// Shows a number with what it counts.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

/// Shows a number with thin groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns how much of the wanted payload is verified, from 0 to 1.
pub fn done(torrent: &TorrentSummary) -> f64 {
    match torrent.wanted_bytes {
        0 if torrent.complete => 1.0,
        0 => 0.0,
        wanted => (torrent.done_bytes as f64 / wanted as f64).min(1.0),
    }
}

/// Shows what carries a connection.
pub fn carrier(carrier: &str) -> String {
    match carrier {
        "tcp" => "TCP".to_owned(),
        "utp" => "uTP".to_owned(),
        "quic" => "QUIC".to_owned(),
        other => clean(other),
    }
}

/// Shows how much of a connection is obfuscated.
pub fn hidden(encryption: &str) -> &'static str {
    match encryption {
        "handshake" => "handshake",
        "all" => "all",
        _ => "-",
    }
}

/// Shows where peers come from.
pub fn source(source: &str) -> String {
    match source {
        "dht" => "DHT".to_owned(),
        "pex" => "PEX".to_owned(),
        "lsd" => "LSD".to_owned(),
        other => clean(&other.replace('_', " ")),
    }
}

/// Shows labels in a table.
pub fn labels(labels: &[String]) -> String {
    or_dash(Some(&labels.join(", ")))
}

/// Shows a word in a table, where nothing is better than an empty cell.
pub fn or_dash(word: Option<&str>) -> String {
    word.filter(|word| !word.is_empty()).map_or_else(|| "-".to_owned(), clean)
}

/// Shows when seeding ends.
pub fn goal(goal: &rpc::SeedGoal) -> String {
    let mut ends = Vec::new();
    ends.extend(goal.ratio.map(|ratio| format!("at a ratio of {ratio}")));
    ends.extend(goal.time_s.map(|time| format!("after {}", seconds(time))));
    ends.extend(goal.idle_s.map(|time| format!("when nothing was sent for {}", seconds(time))));
    if ends.is_empty() { "when you stop it".to_owned() } else { ends.join(", or ") }
}

/// Shows what a torrent is doing, in one word.
pub fn state(torrent: &TorrentSummary) -> &'static str {
    match torrent.state {
        TorrentState::Metadata => "metadata",
        TorrentState::Checking => "checking",
        TorrentState::Downloading => "downloading",
        TorrentState::Seeding => "seeding",
        TorrentState::Paused => "paused",
        TorrentState::Failed => "failed",
    }
}

/// Returns why a node does nothing now, if it rests.
pub fn rests(info: &rpc::SessionInfo) -> Option<&'static str> {
    match info.rests.as_deref()? {
        "paused" => Some("you paused it; `compeer resume --everything` goes on"),
        "schedule" => Some("by the schedule, which `compeer schedule` shows"),
        _ => Some("outside of the administrator's hours"),
    }
}

/// Tells how to point a tool for Transmission or qBittorrent, or a program for WebDAV, at the node.
pub fn tools(host: &str, home: &str) -> String {
    let token = std::path::Path::new(home).join("token");
    format!(
        "{host}/transmission/rpc, {host} as qBittorrent, or {host}/dav/ as WebDAV, for any user; the password is the text of {}",
        clean(&token.display().to_string())
    )
}

/// Shows what a person or group is called, or the beginning of the id that stands where no name is known.
pub fn person_or_group(name: &str) -> String {
    if name.parse::<base::PersonId>().is_ok() { format!("{} (not known any more)", &name[..8]) } else { clean(name) }
}

/// Says that what is written in the settings does not hold.
pub fn mistake(words: &str) -> String {
    format!("{}. Until that is corrected, what held before goes on.", clean(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_counted() {
        assert_eq!(count(1, "file", "files"), "1 file");
        assert_eq!(count(1234567, "file", "files"), "1,234,567 files");
    }

    #[test]
    fn a_part_of_a_whole_says_its_unit_once() {
        assert_eq!(amount(1 << 20, 3 << 20), "1.0 of 3.0 MiB");
        assert_eq!(amount(1 << 10, 3 << 20), "1.0 KiB of 3.0 MiB");
    }

    #[test]
    fn a_goal_reads_as_a_sentence() {
        let all = rpc::SeedGoal { ratio: Some(1.5), time_s: Some(7200), idle_s: Some(600) };
        assert_eq!(goal(&all), "at a ratio of 1.5, or after 2h 00m, or when nothing was sent for 10m 00s");
        assert_eq!(goal(&rpc::SeedGoal::default()), "when you stop it");
    }

    #[test]
    fn nothing_is_complete_before_it_is() {
        assert_eq!(percent(0.9999), "99 %");
        assert_eq!(percent(1.0), "100 %");
    }
}
