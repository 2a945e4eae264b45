//! Which version of something a caller has (RFC 9110, 8.8.3 and 13.1.2).

use axum::http::{HeaderMap, header};

/// Whether `If-None-Match` names this entity tag, or any.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    // A proxy that compresses makes tags weak, which here are as good.
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_tag_is_known_alone_in_a_list_and_weak() {
        let knows = |lines: &[&'static str]| {
            let all = lines.iter().map(|line| (header::IF_NONE_MATCH, HeaderValue::from_static(line)));
            is_known(&all.collect(), "\"one\"")
        };
        for known in ["\"one\"", "W/\"one\"", "*", "\"other\", W/\"one\"", " \"one\" ,\"other\""] {
            assert!(knows(&[known]), "{known}");
        }
        assert!(knows(&["\"other\"", "\"one\""]), "in a second line");
        for unknown in ["", "one", "\"other\"", "w/\"one\"", "\"one"] {
            assert!(!knows(&[unknown]), "{unknown}");
        }
        assert!(!knows(&[]));
    }
}
