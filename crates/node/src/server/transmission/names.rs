//! The two spellings of the protocol's keys. Pure.
//!
//! Since 4.1 all keys are snake_case. Before, those of torrents were camelCase and those of the session kebab-case, with
//! exceptions. Inside, the present spelling is used alone; [`current`] reads either, [`old`] writes the one before
//! (Transmission, docs/rpc-spec.md of 4.1, extras/rpc-spec.txt of 3.00, libtransmission/api-compat.cc).

use serde_json::{Map, Value};

/// How old keys are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `hashString`: torrents and statistics.
    Torrent,
    /// `download-dir`: the session and everything else.
    Session,
}

/// Keys that are spelt as nobody would expect: current, old.
const ODD: &[(&str, &str)] = &[
    ("cache_size_mib", "cache-size-mb"),
    ("cumulative_stats", "cumulative-stats"),
    ("current_stats", "current-stats"),
    ("file_count", "file-count"),
    ("honors_session_limits", "honorsSessionLimits"),
    ("is_utp", "isUTP"),
    ("peer_limit", "peer-limit"),
    ("primary_mime_type", "primary-mime-type"),
    ("seed_ratio_limit", "seedRatioLimit"),
    ("seed_ratio_limited", "seedRatioLimited"),
    ("torrent_added", "torrent-added"),
    ("torrent_duplicate", "torrent-duplicate"),
];

/// Keys that came with the present spelling, and have no other.
const NEW: &[&str] = &[
    "begin_piece",
    "bytes_to_client",
    "bytes_to_peer",
    "download_bytes_per_second",
    "downloader_count",
    "end_piece",
    "ip_protocol",
    "is_downloading",
    "peer_id",
    "preferred_transports",
    "sequential_download",
    "sequential_download_from_piece",
    "webseeds_ex",
];

/// Returns a key, or a method's name, in the present spelling.
pub(super) fn current(key: &str) -> String {
    if let Some((current, _)) = ODD.iter().find(|(_, old)| *old == key) {
        return (*current).to_owned();
    }
    let mut found = String::with_capacity(key.len() + 4);
    let mut after_small = false;
    for letter in key.chars() {
        match letter {
            '-' => found.push('_'),
            _ if letter.is_ascii_uppercase() => {
                if after_small {
                    found.push('_');
                }
                found.push(letter.to_ascii_lowercase());
            }
            _ => found.push(letter),
        }
        after_small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
    }
    found
}

/// Returns a key in the spelling before 4.1.
pub(super) fn old(key: &str, family: Family) -> String {
    if let Some((_, old)) = ODD.iter().find(|(current, _)| *current == key) {
        return (*old).to_owned();
    }
    // That of a folder's file system was snake_case from its first day.
    if NEW.contains(&key) || (family, key) == (Family::Session, "total_size") {
        return key.to_owned();
    }
    match family {
        Family::Session => key.replace('_', "-"),
        Family::Torrent => {
            let mut parts = key.split('_');
            let mut found = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (first, rest) = part.split_at(part.len().min(1));
                found.push_str(&first.to_ascii_uppercase());
                found.push_str(rest);
            }
            found
        }
    }
}

/// Spells all keys of an answer as before 4.1.
pub(super) fn spell_old(value: Value, family: Family) -> Value {
    match value {
        Value::Object(map) => {
            let map: Map<_, _> =
                map.into_iter().map(|(key, value)| (old(&key, family), spell_old(value, family))).collect();
            Value::Object(map)
        }
        Value::Array(list) => Value::Array(list.into_iter().map(|value| spell_old(value, family)).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_spelling_is_read_and_the_old_one_is_written_as_it_was() {
        use Family::{Session, Torrent};
        for (current_key, family, old_key) in [
            ("hash_string", Torrent, "hashString"),
            ("metadata_percent_complete", Torrent, "metadataPercentComplete"),
            ("is_utp", Torrent, "isUTP"),
            ("peer_limit", Torrent, "peer-limit"),
            ("file_count", Torrent, "file-count"),
            ("primary_mime_type", Torrent, "primary-mime-type"),
            ("total_size", Torrent, "totalSize"),
            ("total_size", Session, "total_size"),
            ("download_dir", Torrent, "downloadDir"),
            ("download_dir", Session, "download-dir"),
            ("seed_ratio_limit", Session, "seedRatioLimit"),
            ("seed_ratio_limited", Session, "seedRatioLimited"),
            ("cache_size_mib", Session, "cache-size-mb"),
            ("alt_speed_time_begin", Session, "alt-speed-time-begin"),
            ("rpc_version_semver", Session, "rpc-version-semver"),
            ("cumulative_stats", Torrent, "cumulative-stats"),
            ("active_torrent_count", Torrent, "activeTorrentCount"),
            ("torrent_added", Torrent, "torrent-added"),
            ("honors_session_limits", Session, "honorsSessionLimits"),
            ("sequential_download", Torrent, "sequential_download"),
            ("begin_piece", Torrent, "begin_piece"),
            ("id", Torrent, "id"),
            ("eta", Torrent, "eta"),
        ] {
            assert_eq!(old(current_key, family), old_key);
            assert_eq!(current(old_key), current_key);
            assert_eq!(current(current_key), current_key);
        }
        for (old_method, method) in [("torrent-get", "torrent_get"), ("queue-move-top", "queue_move_top")] {
            assert_eq!(current(old_method), method);
        }
    }

    #[test]
    fn keys_are_spelt_at_every_depth() {
        let value = serde_json::json!({ "tracker_stats": [{ "last_announce_time": 1 }], "wanted": [1] });
        let old = serde_json::json!({ "trackerStats": [{ "lastAnnounceTime": 1 }], "wanted": [1] });
        assert_eq!(spell_old(value, Family::Torrent), old);
    }
}
