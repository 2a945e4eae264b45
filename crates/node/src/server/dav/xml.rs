//! What a `PROPFIND` asks, and what is answered (RFC 4918, sections 9.1, 14 and 15). Pure.

use base::WallTime;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::tree::{Entry, Kind};
use crate::server::stream;

/// How every list of answers begins.
pub(super) const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n";

/// How it ends.
pub(super) const END: &str = "</D:multistatus>\n";

/// Says that everything at once is not told (section 16).
pub(super) const NO_END: &str =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n";

/// The namespace of what the standard names (section 14).
const DAV: &str = "DAV:";

/// What can be known of a file or folder (section 15).
const PROPERTIES: [&str; 8] = [
    "creationdate",
    "displayname",
    "getcontentlength",
    "getcontenttype",
    "getetag",
    "getlastmodified",
    "resourcetype",
    "supportedlock",
];

/// How many properties may be asked for by name. Arbitrary: clients ask for ten.
const MAX_NAMED: usize = 64;

/// What is asked about each thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything.
    All,
    /// What can be known.
    Names,
    These(Vec<Property>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    space: String,
    name: String,
}

/// Reads a question. None at all asks for everything.
///
/// # Errors
/// Says what is not understood.
pub(super) fn read(body: &[u8]) -> Result<Asked, String> {
    if body.is_empty() {
        return Ok(Asked::All);
    }
    let text = std::str::from_utf8(body).map_err(|_| "the body is not in UTF-8".to_owned())?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut asked, mut depth, mut in_prop) = (None, 0, false);
    loop {
        let (space, event) = reader.read_resolved_event().map_err(|error| format!("the XML is wrong: {error}"))?;
        match event {
            Event::Start(start) => {
                depth += 1;
                let found = property(&space, &start)?;
                let standard = (found.space == DAV).then_some(found.name.as_str());
                match (depth, &mut asked) {
                    (1, _) if standard != Some("propfind") => return Err("the XML is no propfind of DAV:".to_owned()),
                    (2, None) => {
                        in_prop = standard == Some("prop");
                        asked = match standard {
                            Some("prop") => Some(Asked::These(Vec::new())),
                            Some("allprop") => Some(Asked::All),
                            Some("propname") => Some(Asked::Names),
                            _ => None,
                        };
                    }
                    (3, Some(Asked::These(these))) if in_prop => {
                        if these.len() == MAX_NAMED {
                            return Err(format!("at most {MAX_NAMED} properties are told by name: ask for all"));
                        }
                        these.push(found);
                    }
                    _ => {}
                }
            }
            Event::End(_) => {
                depth -= 1;
                in_prop &= depth > 1;
            }
            Event::Eof if depth == 0 => break,
            Event::Eof => return Err("the XML is not whole".to_owned()),
            // Nothing that a document defines is ever put in its place.
            _ => {}
        }
    }
    asked.ok_or_else(|| "the propfind has to have one of prop, allprop and propname".to_owned())
}

fn property(space: &ResolveResult<'_>, start: &BytesStart<'_>) -> Result<Property, String> {
    let name = start.local_name().into_inner();
    let space = match space {
        ResolveResult::Bound(Namespace(space)) => unescape(space).map_err(|error| error.to_string())?.into_owned(),
        ResolveResult::Unbound if start.name().prefix().is_none() => String::new(),
        _ => return Err(format!("the XML is wrong: {name:?} has a prefix that stands for nothing")),
    };
    // A part of what XML allows (Namespaces in XML, section 3), so that a name can be said back.
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') || !name.chars().all(is_inner) {
        return Err(format!("the XML is wrong: {name:?} is no name"));
    }
    Ok(Property { space, name: name.to_owned() })
}

/// Writes what is answered about one thing.
pub(super) fn answer(href: &str, entry: &Entry, asked: &Asked) -> String {
    let (mut known, mut unknown) = (String::new(), String::new());
    let all = || PROPERTIES.iter().filter_map(|name| Some((name, value(name, entry)?)));
    match asked {
        Asked::All => all().for_each(|(name, value)| known += &format!("<D:{name}>{value}</D:{name}>")),
        Asked::Names => all().for_each(|(name, _)| known += &format!("<D:{name}/>")),
        Asked::These(these) => {
            for Property { space, name } in these {
                match value(name, entry).filter(|_| space == DAV) {
                    Some(value) => known += &format!("<D:{name}>{value}</D:{name}>"),
                    None => unknown += &format!("<{name} xmlns=\"{}\"/>", escape(space)),
                }
            }
        }
    }
    let mut answer = format!("<D:response><D:href>{href}</D:href>");
    for (properties, status, is_said) in
        [(&known, "200 OK", !known.is_empty() || unknown.is_empty()), (&unknown, "404 Not Found", !unknown.is_empty())]
    {
        if is_said {
            answer += &format!(
                "<D:propstat><D:prop>{properties}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
            );
        }
    }
    answer + "</D:response>\n"
}

/// Writes a property of the standard; `None`: there is no such one.
fn value(name: &str, entry: &Entry) -> Option<String> {
    let file = match entry.kind {
        Kind::Folder => None,
        Kind::File(id, file, length) => Some((id, file, length)),
    };
    Some(match name {
        "creationdate" => timestamp(entry.since?)?.to_string(),
        "displayname" => escape(printable(&entry.name)).into_owned(),
        "getcontentlength" => file?.2.to_string(),
        "getcontenttype" => file.map(|_| stream::content_type(&entry.name).to_owned())?,
        "getetag" => file.map(|(id, file, _)| escape(stream::tag(id, file)).into_owned())?,
        "getlastmodified" => http_date(entry.since?)?,
        "resourcetype" => if file.is_none() { "<D:collection/>" } else { "" }.to_owned(),
        "supportedlock" => String::new(),
        _ => return None,
    })
}

/// Leaves out what no XML can have (XML 1.0, section 2.2).
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')).collect()
}

fn timestamp(time: WallTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.0).ok()?).ok()
}

/// Writes a date as HTTP does (RFC 9110, section 5.6.7).
pub(super) fn http_date(time: WallTime) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp(time)?).ok()
}

#[cfg(test)]
mod tests {
    use metainfo::FileIndex;

    use super::*;

    fn these(names: &[(&str, &str)]) -> Asked {
        let property = |(space, name): &(&str, &str)| Property { space: (*space).to_owned(), name: (*name).to_owned() };
        Asked::These(names.iter().map(property).collect())
    }

    #[test]
    fn a_question_is_read_whatever_its_prefixes() {
        for (text, expected) in [
            ("", Asked::All),
            ("<propfind xmlns='DAV:'><allprop/></propfind>", Asked::All),
            ("<?xml version='1.0'?>\n<a:propfind xmlns:a=\"DAV:\"> <a:propname/> </a:propfind>\n", Asked::Names),
            (
                "<D:propfind xmlns:D='DAV:'><D:prop><D:getetag/><x:y xmlns:x='a&amp;b'>z</x:y><n/></D:prop></D:propfind>",
                these(&[("DAV:", "getetag"), ("a&b", "y"), ("", "n")]),
            ),
            ("<D:propfind xmlns:D='DAV:'><D:prop/></D:propfind>", these(&[])),
            ("<D:propfind xmlns:D='DAV:'><D:allprop/><D:include><D:x/></D:include></D:propfind>", Asked::All),
            ("<D:propfind xmlns:D='DAV:'><e/><D:prop><a><b/></a></D:prop></D:propfind>", these(&[("", "a")])),
        ] {
            assert_eq!(read(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_question_is_refused() {
        let many = format!("<propfind xmlns='DAV:'><prop>{}</prop></propfind>", "<a/>".repeat(MAX_NAMED + 1));
        let deep = format!("<propfind xmlns='DAV:'>{}", "<a>".repeat(20_000));
        for wrong in [
            "nothing",
            "<propfind/>",
            "<propfind xmlns='DAV:'/>",
            "<propfind xmlns='DAV:'><prop>",
            "<propfind xmlns='DAV:'><prop></propfind></prop>",
            "<propfind xmlns='DAV:'><prop/></propfind></x>",
            "<D:propfind xmlns:D='DAV:'><D:prop><bar:foo xmlns:bar=''/></D:prop></D:propfind>",
            "<propfind xmlns='DAV:'><prop><a\"b/></prop></propfind>",
            "<propfind xmlns='DAV:'><prop><a xmlns='&lol;'/></prop></propfind>",
            "<multistatus xmlns='DAV:'/>",
            &many,
            &deep,
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{}", &wrong[..wrong.len().min(100)]);
        }
        assert!(read(b"\xff\xfe<").is_err());
    }

    #[test]
    fn names_are_written_so_that_they_stay_names() {
        let id = "1".repeat(40).parse().unwrap();
        let entry = Entry {
            name: "<b> & \u{1}\"c\".mp3".to_owned(),
            kind: Kind::File(id, FileIndex(3), 7),
            since: Some(WallTime(784_111_777)),
        };
        let all = answer("/dav/a", &entry, &Asked::All);
        for part in [
            "<D:href>/dav/a</D:href>",
            "<D:displayname>&lt;b&gt; &amp; &quot;c&quot;.mp3</D:displayname>",
            "<D:getcontentlength>7</D:getcontentlength><D:getcontenttype>audio/mpeg</D:getcontenttype>",
            // The example of RFC 9110, section 5.6.7.
            "<D:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</D:getlastmodified>",
            "<D:creationdate>1994-11-06T08:49:37Z</D:creationdate>",
            "-3&quot;</D:getetag>",
            "<D:resourcetype></D:resourcetype>",
        ] {
            assert!(all.contains(part), "{part} is not in {all}");
        }
        let some = answer("/dav/a", &entry, &these(&[("DAV:", "getcontentlength"), ("x\"<", "getetag"), ("", "n")]));
        assert!(some.contains("<D:prop><D:getcontentlength>7</D:getcontentlength></D:prop>"), "{some}");
        assert!(
            some.contains("<getetag xmlns=\"x&quot;&lt;\"/><n xmlns=\"\"/></D:prop><D:status>HTTP/1.1 404"),
            "{some}"
        );
        let names = answer("/dav/", &Entry { kind: Kind::Folder, since: None, ..entry }, &Asked::Names);
        assert!(names.contains("<D:prop><D:displayname/><D:resourcetype/><D:supportedlock/></D:prop>"), "{names}");
    }
}
