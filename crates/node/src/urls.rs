//! The addresses that a user writes: checked, and what is told of them.

use torrent_proto::tracker::{ParseTrackerUrlError, TrackerUrl, Transport};

/// Checks the URL of a tracker. The error is one sentence that names it.
pub fn check_tracker(url: &str) -> Result<(), String> {
    url.parse::<TrackerUrl>().map(drop).map_err(|error| error.to_string())
}

/// Checks the URL of a web seed (BEP 19; of its schemes HTTP is supported). The error is one sentence that names it.
pub fn check_web_seed(url: &str) -> Result<(), String> {
    // The two have host and port in common.
    match url.parse::<TrackerUrl>() {
        Ok(parsed) if *parsed.transport() == Transport::Http => Ok(()),
        Err(ParseTrackerUrlError::Malformed { url, why }) if !url.starts_with("udp:") => {
            Err(format!("{url:?} is not the URL of a web seed: {why}"))
        }
        _ => Err(format!("{url:?} is not a web seed we can use: only http:// and https:// are supported")),
    }
}

/// Returns host and port of a URL.
pub(crate) fn host(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_tells_nothing_of_the_rest() {
        for (url, of_it) in [
            ("https://feeds.example/new?key=secret", "feeds.example"),
            ("https://user:secret@feeds.example:8080/", "feeds.example:8080"),
            ("http://feeds.example?key=secret", "feeds.example"),
            ("http://feeds.example#secret", "feeds.example"),
        ] {
            assert_eq!(host(url), of_it);
        }
    }

    #[test]
    fn only_what_can_be_asked_goes_into_a_torrent() {
        for url in ["http://t.example/announce", "https://t.example", "udp://t.example:6969"] {
            assert_eq!(check_tracker(url), Ok(()));
        }
        for url in ["foo", "ftp://t.example/", "udp://t.example", "http://", "http://t.example:0/"] {
            assert!(check_tracker(url).unwrap_err().contains(url), "{url}");
        }
        assert_eq!(check_web_seed("https://w.example/files/"), Ok(()));
        for url in ["foo", "ftp://w.example/", "udp://w.example:6969", "http://", "http:///x"] {
            let error = check_web_seed(url).unwrap_err();
            assert!(error.contains(url) && error.contains("web seed"), "{error}");
        }
    }
}
