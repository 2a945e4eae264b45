//! Reads feeds: RSS (0.9 to 2.0, also 1.0 in RDF) and Atom (RFC 4287). Pure.
//!
//! Nothing that a document defines is ever put in its place, so that a short one cannot grow.

use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::wanted::is_web;

/// How many entries are looked at; feeds begin with the newest. Arbitrary: they have a hundred.
pub(super) const MAX_ENTRIES: usize = 1_000;

/// How long a title may be in characters; the rest is left away. Arbitrary.
const MAX_TITLE: usize = 1_000;

/// How long the text of an element may be in bytes; what does not fit is left away. As links in files: a magnet with
/// hundreds of trackers.
const MAX_TEXT: usize = 64 << 10;

/// RFC 4287, section 1.2.
const ATOM: &str = "http://www.w3.org/2005/Atom";

/// The type of torrent files.
const TORRENT: &str = "application/x-bittorrent";

/// Something that a feed tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// What names it in its feed, now and later.
    pub(super) key: String,
    pub(super) title: String,
    /// A magnet, or the URL of what may be a torrent file.
    pub(super) link: Option<String>,
}

/// How well something serves as a link, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The page about it, or the torrent file.
    Page,
    /// What goes with it.
    Enclosure,
    Magnet,
    Torrent,
}

/// What the text of an element is.
#[derive(Clone, Copy, Debug)]
enum Field {
    Title,
    Id,
    Link,
}

/// An entry that is being read.
#[derive(Debug, Default)]
struct Draft {
    title: String,
    id: String,
    best: Option<(Rank, String)>,
    /// Names the entry where nothing else does.
    any_link: String,
}

/// How far a document is read.
#[derive(Debug)]
struct Reading<'a> {
    base: &'a str,
    entries: Vec<Entry>,
    /// How deep elements are; the first is 1.
    depth: usize,
    /// Where the entry begins that is being read.
    entry: Option<(usize, Draft)>,
    /// Where the element begins whose text is being read.
    field: Option<(usize, Field)>,
    text: String,
}

/// Reads a document that was at `base`. What is behind the entries that are looked at is not.
///
/// # Errors
/// Says why it is no feed.
pub(super) fn read(bytes: &[u8], base: &str) -> Result<Vec<Entry>, String> {
    // In whatever encoding: links are ASCII, and a title of which some letters are lost still has the others.
    let text = String::from_utf8_lossy(bytes);
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    reader.config_mut().expand_empty_elements = true;
    // Links are often written as they are.
    reader.config_mut().allow_dangling_amp = true;
    let mut reading = Reading { base, entries: Vec::new(), depth: 0, entry: None, field: None, text: String::new() };
    let mut is_feed = false;
    while reading.entries.len() < MAX_ENTRIES {
        let (space, event) = reader.read_resolved_event().map_err(|error| format!("its XML is wrong: {error}"))?;
        match event {
            Event::Start(start) => {
                let local = start.local_name().into_inner();
                if reading.depth == 0 && !matches!(local, "rss" | "RDF" | "feed") {
                    let shown: String = local.chars().take(20).collect();
                    return Err(format!("it is neither RSS nor Atom: it begins with <{shown}>"));
                }
                is_feed = true;
                reading.depth += 1;
                reading.open(known(&space, &start), &start);
            }
            Event::End(_) => {
                reading.close();
                reading.depth = reading.depth.saturating_sub(1);
            }
            Event::Text(text) => reading.say(&text),
            Event::CData(text) => reading.say(&text),
            Event::GeneralRef(name) => {
                let reference = format!("&{};", &*name);
                reading.say(unescape(&reference).as_deref().unwrap_or(&reference));
            }
            Event::Eof if reading.depth > 0 => return Err("its XML ends in the middle".to_owned()),
            Event::Eof if !is_feed => return Err("it is neither RSS nor Atom: there is no XML in it".to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    Ok(reading.entries)
}

/// Names an element: those of RSS have no prefix, those of Atom may have one. What others add to either is not meant, but
/// for the magnet, whose namespace is written in several ways.
fn known<'a>(space: &ResolveResult<'_>, start: &'a BytesStart<'_>) -> &'a str {
    let local = start.local_name().into_inner();
    let is_atom = matches!(space, ResolveResult::Bound(Namespace(space)) if *space == ATOM);
    if start.name().prefix().is_none() || is_atom || local == "magnetURI" { local } else { "" }
}

impl Reading<'_> {
    fn open(&mut self, name: &str, start: &BytesStart<'_>) {
        let Some((at, draft)) = &mut self.entry else {
            if matches!(name, "item" | "entry") {
                self.entry = Some((self.depth, Draft::default()));
            }
            return;
        };
        if self.depth != *at + 1 {
            return;
        }
        let field = match name {
            "title" => Field::Title,
            "guid" | "id" => Field::Id,
            "magnetURI" => Field::Link,
            "enclosure" => {
                draft.offer(self.base, &attribute(start, "url"), &attribute(start, "type"), Rank::Enclosure);
                return;
            }
            "link" => match attribute(start, "href") {
                link if link.is_empty() => Field::Link,
                link => {
                    let rank = match attribute(start, "rel").as_str() {
                        "enclosure" => Rank::Enclosure,
                        "" | "alternate" => Rank::Page,
                        _ => return,
                    };
                    draft.offer(self.base, &link, &attribute(start, "type"), rank);
                    return;
                }
            },
            _ => return,
        };
        self.field = Some((self.depth, field));
        self.text.clear();
    }

    /// Takes a part of a text, also of elements within the one that is read (XHTML in Atom).
    fn say(&mut self, text: &str) {
        if self.field.is_some() && self.text.len() + text.len() <= MAX_TEXT {
            self.text.push_str(text);
        }
    }

    fn close(&mut self) {
        let depth = self.depth;
        if let Some((_, field)) = self.field.take_if(|(at, _)| *at == depth)
            && let Some((_, draft)) = &mut self.entry
        {
            let words: Vec<&str> = self.text.split_whitespace().collect();
            match field {
                Field::Title => draft.title = words.join(" ").chars().take(MAX_TITLE).collect(),
                Field::Id => {
                    draft.id = words.join(" ");
                    // An id may be a link; only what surely leads to a torrent is taken for one.
                    if words.len() == 1 && rank(words[0], "", Rank::Page) > Some(Rank::Enclosure) {
                        draft.offer(self.base, words[0], "", Rank::Page);
                    }
                }
                Field::Link => draft.offer(self.base, &words.join("%20"), "", Rank::Page),
            }
        }
        if let Some((_, draft)) = self.entry.take_if(|(at, _)| *at == depth) {
            self.entries.extend(draft.finish());
        }
    }
}

impl Draft {
    /// Takes a link if it is better than the one that is there.
    fn offer(&mut self, base: &str, link: &str, kind: &str, rank: Rank) {
        let link = link.trim();
        let Some(rank) = self::rank(link, kind, rank).filter(|_| !link.is_empty()) else { return };
        let url = match is_magnet(link) {
            true => Some(link.to_owned()),
            false => net::absolute_url(base, link).filter(|url| is_web(url)),
        };
        let Some(url) = url.filter(|url| url.len() <= MAX_TEXT) else { return };
        if self.any_link.is_empty() {
            self.any_link.clone_from(&url);
        }
        if self.best.as_ref().is_none_or(|(best, _)| rank > *best) {
            self.best = Some((rank, url));
        }
    }

    /// Returns the entry, unless it is empty.
    fn finish(self) -> Option<Entry> {
        let Draft { title, id, best, any_link } = self;
        let key = [id, any_link, title.clone()].into_iter().find(|key| !key.is_empty())?;
        Some(Entry { key, title, link: best.map(|(_, link)| link) })
    }
}

/// Tells how well something serves that would be of this rank by its place alone; `None`: it is certainly no torrent.
fn rank(link: &str, kind: &str, place: Rank) -> Option<Rank> {
    let kind = kind.trim().to_ascii_lowercase();
    let path = link.split(['?', '#']).next().unwrap_or_default();
    if is_magnet(link) {
        Some(Rank::Magnet)
    } else if kind == TORRENT || path.to_ascii_lowercase().ends_with(".torrent") {
        Some(Rank::Torrent)
    } else if ["audio/", "video/", "image/"].iter().any(|media| kind.starts_with(media)) {
        None
    } else {
        Some(place)
    }
}

fn is_magnet(link: &str) -> bool {
    link.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

/// Returns an attribute; empty: there is none.
fn attribute(start: &BytesStart<'_>, name: &str) -> String {
    // To compare each name with all others would take long where there are many.
    let mut all = start.attributes();
    let found = all.with_checks(false).flatten().find(|attribute| attribute.key.into_inner() == name);
    found.map_or_else(String::new, |attribute| {
        let raw = attribute.value;
        unescape(&raw).map_or_else(|_| raw.to_string(), std::borrow::Cow::into_owned)
    })
}

#[cfg(test)]
mod tests;
