//! Feeds as they are written, well and badly.

use super::*;

const BASE: &str = "https://example.org/feeds/new.xml";

fn entry(key: &str, title: &str, link: Option<&str>) -> Entry {
    Entry { key: key.to_owned(), title: title.to_owned(), link: link.map(str::to_owned) }
}

fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>All</title><link>http://x/</link>{items}</channel></rss>"
    )
}

fn one(item: &str) -> Entry {
    let mut entries = read(rss(&format!("<item>{item}</item>")).as_bytes(), BASE).unwrap();
    assert_eq!(entries.len(), 1, "{item}");
    entries.remove(0)
}

#[test]
fn rss_is_read() {
    let text = rss(r#"
      <atom:link xmlns:atom="http://www.w3.org/2005/Atom" href="https://example.org/feeds/new.xml" rel="self"/>
      <item>
        <title>
          A &amp; B &#8211; <![CDATA[<1>]]>  &#x41;
        </title>
        <link>https://example.org/a</link>
        <guid isPermaLink="false">a-1</guid>
        <enclosure url="/a.torrent?key=1&amp;x=2" length="7" type="application/x-bittorrent"/>
        <media:title xmlns:media="http://search.yahoo.com/mrss/">another title</media:title>
        <description><![CDATA[<title>no title</title>]]></description>
      </item>
      <item><title>second</title><link>b.torrent</link></item>
      <item></item>"#);
    let expected = [
        entry("a-1", "A & B – <1> A", Some("https://example.org/a.torrent?key=1&x=2")),
        entry("https://example.org/feeds/b.torrent", "second", Some("https://example.org/feeds/b.torrent")),
    ];
    assert_eq!(read(text.as_bytes(), BASE).unwrap(), expected);
    let marked = format!("\u{feff}\r\n{text}");
    assert_eq!(read(marked.as_bytes(), BASE).unwrap(), expected);
}

#[test]
fn atom_is_read() {
    let plain = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>All</title><id>feed</id><link href="/"/>
      <entry><id>urn:1</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">a <b>film</b></div></title>
        <link href="/about" /><link rel="enclosure" type="video/mp4" href="a.mp4"/>
        <link rel="enclosure" type="application/x-bittorrent" href="a"/><link rel="edit" href="edit.torrent"/>
        <content><link href="x.torrent"/></content></entry>
      <entry><id>urn:2</id><title type="html">b &lt;b&gt;</title><link rel="alternate" href="/b"/></entry></feed>"#;
    let expected = [
        entry("urn:1", "a film", Some("https://example.org/feeds/a")),
        entry("urn:2", "b <b>", Some("https://example.org/b")),
    ];
    assert_eq!(read(plain.as_bytes(), BASE).unwrap(), expected);
    let prefixed = r#"<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>urn:3</a:id><a:title>c</a:title>
      <a:link href="c"/></a:entry></a:feed>"#;
    let expected = [entry("urn:3", "c", Some("https://example.org/feeds/c"))];
    assert_eq!(read(prefixed.as_bytes(), BASE).unwrap(), expected);
}

#[test]
fn rdf_is_read() {
    let text = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
      <channel rdf:about="x"><title>All</title></channel>
      <item rdf:about="y"><title>a</title><link>http://b/a.torrent</link></item></rdf:RDF>"#;
    let expected = [entry("http://b/a.torrent", "a", Some("http://b/a.torrent"))];
    assert_eq!(read(text.as_bytes(), BASE).unwrap(), expected);
}

#[test]
fn the_link_is_what_most_surely_leads_to_a_torrent() {
    let magnet = "magnet:?xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36&dn=a b";
    let written = magnet.replace('&', "&amp;");
    for (item, link) in [
        (format!("<link>{written}</link>"), Some(magnet.replace(' ', "%20"))),
        (format!("<link>http://x/1</link><guid>{}</guid>", "magnet:?xt=urn:btih:d2"), Some("magnet:?xt=urn:btih:d2".into())),
        (
            "<link>http://x/1</link><t:magnetURI xmlns:t='http://xmlns.ezrss.it/0.1/'><![CDATA[magnet:?xt=a&b=c]]></t:magnetURI>".into(),
            Some("magnet:?xt=a&b=c".into()),
        ),
        (
            format!("<enclosure url='{written}' type='application/x-bittorrent'/><link>http://x/a.torrent</link>"),
            Some("http://x/a.torrent".into()),
        ),
        ("<enclosure url='http://x/a' type=''/><link>http://x/page</link>".into(), Some("http://x/a".into())),
        ("<enclosure url='http://x/a.mp3' type='audio/mpeg'/><link>http://x/page</link>".into(), Some("http://x/page".into())),
        ("<enclosure url='http://x/a.TORRENT?k' type='video/mp4'/>".into(), Some("http://x/a.TORRENT?k".into())),
        // As they are, not as they should be written.
        ("<link>http://x/a?b=1&c=2</link>".into(), Some("http://x/a?b=1&c=2".into())),
        ("<enclosure url='http://x/a?b=1&c=2'/>".into(), Some("http://x/a?b=1&c=2".into())),
        ("<link>ftp://x/a.torrent</link><guid>1</guid>".into(), None),
        ("<link>file:///etc/passwd</link><guid>1</guid>".into(), None),
        ("<guid>http://x/page</guid>".into(), None),
        ("<guid>1</guid><x:link xmlns:x='urn:x'>http://x/a.torrent</x:link>".into(), None),
    ] {
        assert_eq!(one(&item).link, link, "{item}");
    }
}

#[test]
fn whatever_names_an_entry_is_its_key() {
    for (item, key) in [
        ("<guid> a  b </guid><title>t</title><link>http://x/</link>", "a b"),
        ("<title>t</title><link>http://x/1</link><enclosure url='http://x/1.torrent'/>", "http://x/1"),
        ("<title>t</title>", "t"),
    ] {
        assert_eq!(one(item).key, key, "{item}");
    }
}

#[test]
fn what_is_no_feed_is_said_to_be_none() {
    let deep = format!("<rss>{}", "<a>".repeat(100_000));
    for (text, words) in [
        ("", "no XML"),
        ("just a text", "no XML"),
        ("<!DOCTYPE html><html><head/></html>", "begins with <html>"),
        ("{\"error\": 1}", "no XML"),
        ("<rss><channel><item><title>a</title>", "ends in the middle"),
        ("<rss><channel></rss>", "its XML is wrong"),
        ("<rss><channel><item a=\"</rss>", "its XML is wrong"),
        (&deep, ""),
    ] {
        let error = read(text.as_bytes(), BASE).unwrap_err();
        assert!(error.contains(words), "{}: {error}", &text[..text.len().min(50)]);
    }
    assert_eq!(read(b"<rss/>", BASE).unwrap(), []);
    assert!(read(b"\x00\xff\xfe<", BASE).is_err());
}

#[test]
fn nothing_is_put_in_the_place_of_what_a_document_defines() {
    let laughs: String = (1..9).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let text = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE rss [<!ENTITY l0 \"ha\">{laughs}<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
         <rss><channel><item><title>&l8; &f; &nbsp;</title><link>http://x/&l8;</link></item></channel></rss>"
    );
    let read = read(text.as_bytes(), BASE).unwrap();
    assert_eq!(read, [entry("http://x/&l8;", "&l8; &f; &nbsp;", Some("http://x/&l8;"))]);
}

#[test]
fn too_much_is_cut_off() {
    let many = rss(&"<item><guid>x</guid></item>".repeat(MAX_ENTRIES + 5));
    assert_eq!(read(many.as_bytes(), BASE).unwrap().len(), MAX_ENTRIES);
    let long = "é".repeat(MAX_TITLE + 5);
    let cut = one(&format!("<guid>1</guid><title>{long}</title><link>http://x/{}</link>", "y".repeat(MAX_TEXT)));
    assert_eq!((cut.title.chars().count(), cut.link), (MAX_TITLE, None));
    // As many attributes as there is room for: to compare each with each would take minutes.
    let attributes: String = (0..200_000).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(
        one(&format!("<guid>1</guid><enclosure{attributes} url='http://x/a'/>")).link.as_deref(),
        Some("http://x/a")
    );
}

#[test]
fn letters_of_another_encoding_are_lost_and_nothing_else() {
    let mut text =
        b"<?xml version='1.0' encoding='windows-1251'?><rss><channel><item><title>\xf4 2026</title>".to_vec();
    text.extend_from_slice(b"<link>http://x/a.torrent</link></item></channel></rss>");
    let expected = [entry("http://x/a.torrent", "\u{fffd} 2026", Some("http://x/a.torrent"))];
    assert_eq!(read(&text, BASE).unwrap(), expected);
}
