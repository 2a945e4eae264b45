//! Forms with files: `multipart/form-data` (RFC 7578, of RFC 2046, 5.1). Pure.
//!
//! The body is here as a whole, bounded by the server's limit; parts are slices of it.

use std::ops::Range;

use axum::body::Bytes;

/// How many parts a body may have. Arbitrary: fields are some thirty, and files come in lots.
const MAX_PARTS: usize = 4096;

/// How long the headers of a part may be. Arbitrary: a name or two.
const MAX_HEADERS_BYTES: usize = 8192;

/// A part of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    /// It is a file.
    pub(super) is_file: bool,
    pub(super) content: Bytes,
}

/// Returns the boundary of a content type, if it is of this kind.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    let boundary = parameters(rest).find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?.1;
    // 70 characters at most (RFC 2046, 5.1.1).
    Some(boundary).filter(|boundary| is_form && (1..=70).contains(&boundary.len()))
}

/// Reads a body. The error is one sentence.
pub(super) fn read(body: &Bytes, boundary: &str) -> Result<Vec<Part>, String> {
    // The line break before a boundary belongs to it; before the first there need not be one.
    let delimiter = format!("\r\n--{boundary}");
    let first = &delimiter.as_bytes()[2..];
    let mut at = match body.starts_with(first) {
        true => first.len(),
        false => find(body, 0, delimiter.as_bytes()).ok_or("the form has no boundary")?.end,
    };
    let mut parts = Vec::new();
    while !body[at..].starts_with(b"--") {
        if parts.len() == MAX_PARTS {
            return Err(format!("a form has at most {MAX_PARTS} parts"));
        }
        let line = find(body, at, b"\r\n").ok_or("the form ends within a boundary")?;
        if !body[at..line.start].iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err("there is something behind a boundary of the form".to_owned());
        }
        // Where there are no headers at all, the empty line is the one that ended the boundary.
        let headers = find(body, line.start, b"\r\n\r\n").ok_or("a part of the form has no end of its headers")?;
        if headers.start - line.start > MAX_HEADERS_BYTES {
            return Err(format!("the headers of a part have at most {MAX_HEADERS_BYTES} bytes"));
        }
        // An empty content shares its line break with the headers.
        let end = find(body, headers.end - 2, delimiter.as_bytes()).ok_or("a part of the form has no end")?;
        let text = String::from_utf8_lossy(&body[line.start..headers.start]);
        let (name, is_file) = disposition(&text).ok_or("a part of the form has no name")?;
        parts.push(Part { name, is_file, content: body.slice(headers.end.min(end.start)..end.start) });
        at = end.end;
    }
    Ok(parts)
}

fn find(body: &[u8], from: usize, wanted: &[u8]) -> Option<Range<usize>> {
    let (first, rest) = wanted.split_first()?;
    let mut at = from;
    // Byte by byte for the first only: most of a file is not it.
    while let Some(found) = body.get(at..)?.iter().position(|byte| byte == first) {
        at += found + 1;
        if body[at..].starts_with(rest) {
            return Some(at - 1..at + rest.len());
        }
    }
    None
}

/// Returns the name of a part, and whether it is a file.
fn disposition(headers: &str) -> Option<(String, bool)> {
    let named = headers.lines().filter_map(|line| line.split_once(':'));
    let mut value =
        named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition")).map(|(_, value)| value);
    let (_, rest) = value.next_back()?.split_once(';')?;
    let (mut name, mut is_file) = (None, false);
    for (parameter, value) in parameters(rest) {
        match parameter.to_ascii_lowercase().as_str() {
            "name" => name = Some(value),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
    }
    Some((name?, is_file))
}

/// Reads `name=value; name="value"`. In quotes a backslash stands before what is meant as it is (RFC 2045, 5.1).
fn parameters(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches([';', ' ', '\t']).trim_end();
        let after = after.trim_start();
        let Some(quoted) = after.strip_prefix('"') else {
            let end = after.find(';').unwrap_or(after.len());
            rest = &after[end..];
            return Some((name, after[..end].trim().to_owned()));
        };
        let (mut value, mut escaped) = (String::new(), false);
        for (at, character) in quoted.char_indices() {
            match character {
                '"' if !escaped => {
                    rest = &quoted[at + 1..];
                    return Some((name, value));
                }
                '\\' if !escaped => escaped = true,
                character => {
                    value.push(character);
                    escaped = false;
                }
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(body: &str) -> Result<Vec<(String, bool, String)>, String> {
        let parts = read(&Bytes::copy_from_slice(body.as_bytes()), "b")?;
        let text = |content: &Bytes| String::from_utf8(content.to_vec()).unwrap();
        Ok(parts.iter().map(|part| (part.name.clone(), part.is_file, text(&part.content))).collect())
    }

    #[test]
    fn boundaries_are_found_in_all_spellings() {
        for content_type in ["multipart/form-data; boundary=b", "Multipart/Form-Data;charset=utf-8; Boundary=\"b\""] {
            assert_eq!(boundary(content_type).as_deref(), Some("b"), "{content_type}");
        }
        for content_type in ["multipart/form-data", "multipart/mixed; boundary=b", "multipart/form-data; boundary="] {
            assert_eq!(boundary(content_type), None, "{content_type}");
        }
    }

    #[test]
    fn fields_and_files_are_read_to_the_byte() {
        let body = "before\r\n--b\r\nContent-Disposition: form-data; name=\"urls\"\r\n\r\na\r\nb\r\n--b  \r\n\
            content-type: application/x-bittorrent\r\nContent-Disposition: form-data; name=torrents; \
            filename=\"a \\\"b\\\".torrent\"\r\n\r\nd\r\n--c\r\n\r\n--b\r\n\
            Content-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b--\r\nafter";
        let of = |name: &str, is_file, content: &str| (name.to_owned(), is_file, content.to_owned());
        let expected = vec![of("urls", false, "a\r\nb"), of("torrents", true, "d\r\n--c\r\n"), of("empty", false, "")];
        assert_eq!(parts(body), Ok(expected));
        assert_eq!(parts("--b--"), Ok(vec![]));
    }

    #[test]
    fn what_is_cut_off_is_refused_at_every_place() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--";
        for end in 0..body.len() {
            let read = parts(&body[..end]);
            assert!(read.is_err(), "{:?}: {read:?}", &body[..end]);
        }
        assert!(parts("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--").unwrap_err().contains("name"));
        let long = format!("--b\r\nx: {}\r\n\r\nx\r\n--b--", "y".repeat(MAX_HEADERS_BYTES));
        assert!(parts(&long).unwrap_err().contains("at most"));
    }
}
