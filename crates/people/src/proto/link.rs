//! Links: `compeer:contact?…` makes two persons contacts, `compeer:join?…` makes a computer one more node of a person: these
//! two are invitations. `compeer:person?…` only says where somebody is, so that whoever has it may write to them. A link
//! names nodes and hints where they may be reached; an invitation also a secret that proves to have the link.
//!
//! Parameters, in this order: `person` (z-base-32; not in `join`), `name` (what the other calls itself; a claim), `node`
//! (z-base-32; repeated) each followed by its `at` (hints; repeated), `secret` (16 bytes, base64url; not in `person`).
//! Unknown ones are skipped, so that later versions can add some.
//!
//! A new node is added by a code of words ([`super::JoinCode`]); the link says the same for where the two computers do not
//! find one another by themselves, since it names the node and where it is.

use std::fmt;
use std::str::FromStr;

use base::{NodeId, PersonId};
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::name::Name;

/// The longest link: a QR code of the largest size holds 2,953 bytes (ISO/IEC 18004), and one that a phone reads
/// from a screen much less.
pub const MAX_LINK_BYTES: usize = 2048;

/// How many nodes a link names. Arbitrary: with one that answers it did its work.
pub const MAX_LINK_NODES: usize = 4;

/// How many hints a link, or a message, gives for a node. Arbitrary.
pub const MAX_HINTS: usize = 8;

/// The longest hint: a relay's URL with its key. Arbitrary.
pub const MAX_HINT_BYTES: usize = 256;

/// What a URL's query may hold as it is (RFC 3986, section 3.4), beside letters and digits.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'/');

/// Why a text is no such link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another kind of text.
    #[error("this is no {0} link: it begins with compeer:{0}?")]
    Kind(&'static str),
    /// Longer than any link is.
    #[error("this link is longer than any is: {MAX_LINK_BYTES} bytes are allowed")]
    Long,
    /// A part that is not understood.
    #[error("the part {0:?} of the link is damaged: copy it again, whole")]
    Part(&'static str),
    /// A part that has to be there.
    #[error("the link lacks its part {0:?}: copy it again, whole")]
    Missing(&'static str),
}

/// A secret of 128 bits that proves to have a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(pub [u8; 16]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A node in a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkNode {
    /// The node.
    pub node: NodeId,
    /// Where it may be reached, as the overlay writes it.
    pub hints: Vec<String>,
}

/// `compeer:contact?…`: become this person's contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactLink {
    /// Who invites.
    pub person: PersonId,
    /// What the person calls itself.
    pub name: Option<Name>,
    /// Nodes that speak for the person; at least one.
    pub nodes: Vec<LinkNode>,
    /// What the invited one shows.
    pub secret: Secret,
}

/// `compeer:person?…`: who somebody is, and where. It invites nobody, so it may be shown to all the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonLink {
    /// Who.
    pub person: PersonId,
    /// What the person calls itself.
    pub name: Option<Name>,
    /// Nodes that speak for the person; at least one.
    pub nodes: Vec<LinkNode>,
}

/// `compeer:join?…`: become a node of the person that this node speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinLink {
    /// The node that waits.
    pub node: LinkNode,
    /// What the new node shows.
    pub secret: Secret,
}

impl fmt::Display for ContactLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_person(f, "contact", self.person, self.name.as_ref(), &self.nodes)?;
        write!(f, "&secret={}", BASE64URL_NOPAD.encode(&self.secret.0))
    }
}

impl fmt::Display for PersonLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_person(f, "person", self.person, self.name.as_ref(), &self.nodes)
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("compeer:join")?;
        write_node(f, '?', &self.node)?;
        write!(f, "&secret={}", BASE64URL_NOPAD.encode(&self.secret.0))
    }
}

fn write_person(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    person: PersonId,
    name: Option<&Name>,
    nodes: &[LinkNode],
) -> fmt::Result {
    write!(f, "compeer:{kind}?person={person}")?;
    if let Some(name) = name {
        write!(f, "&name={}", utf8_percent_encode(name.as_str(), KEPT))?;
    }
    nodes.iter().try_for_each(|node| write_node(f, '&', node))
}

fn write_node(f: &mut fmt::Formatter<'_>, before: char, node: &LinkNode) -> fmt::Result {
    write!(f, "{before}node={}", node.node)?;
    for hint in &node.hints {
        write!(f, "&at={}", utf8_percent_encode(hint, KEPT))?;
    }
    Ok(())
}

impl FromStr for ContactLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<ContactLink, LinkError> {
        let parts = Parts::read("contact", text)?;
        let person = parts.person.ok_or(LinkError::Missing("person"))?;
        let secret = parts.secret.ok_or(LinkError::Missing("secret"))?;
        if parts.nodes.is_empty() {
            return Err(LinkError::Missing("node"));
        }
        Ok(ContactLink { person, name: parts.name, nodes: parts.nodes, secret })
    }
}

impl FromStr for PersonLink {
    type Err = LinkError;

    /// An invitation says where somebody is, too.
    fn from_str(text: &str) -> Result<PersonLink, LinkError> {
        let parts = match Parts::read("contact", text) {
            Err(LinkError::Kind(_)) => Parts::read("person", text)?,
            parts => parts?,
        };
        let person = parts.person.ok_or(LinkError::Missing("person"))?;
        if parts.nodes.is_empty() {
            return Err(LinkError::Missing("node"));
        }
        Ok(PersonLink { person, name: parts.name, nodes: parts.nodes })
    }
}

impl FromStr for JoinLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<JoinLink, LinkError> {
        let parts = Parts::read("join", text)?;
        let secret = parts.secret.ok_or(LinkError::Missing("secret"))?;
        let node = parts.nodes.into_iter().next().ok_or(LinkError::Missing("node"))?;
        Ok(JoinLink { node, secret })
    }
}

/// Whether a hint can be kept: the overlay decides what it means.
pub fn is_hint(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_HINT_BYTES && text.chars().all(|c| c.is_ascii_graphic())
}

#[derive(Default)]
struct Parts {
    person: Option<PersonId>,
    name: Option<Name>,
    nodes: Vec<LinkNode>,
    secret: Option<Secret>,
}

impl Parts {
    fn read(kind: &'static str, text: &str) -> Result<Parts, LinkError> {
        let text = text.trim();
        if text.len() > MAX_LINK_BYTES {
            return Err(LinkError::Long);
        }
        let query = text.strip_prefix("compeer:").and_then(|rest| rest.strip_prefix(kind));
        let query = query.and_then(|rest| rest.strip_prefix('?')).ok_or(LinkError::Kind(kind))?;
        let mut parts = Parts::default();
        for part in query.split('&') {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = percent_decode_str(value).decode_utf8().map_err(|_| LinkError::Part("text"))?;
            match key {
                "person" => parts.person = Some(value.parse().map_err(|_| LinkError::Part("person"))?),
                // A claim of whoever made the link: what cannot be shown is left out.
                "name" => parts.name = Name::from_any(&value),
                "node" if parts.nodes.len() < MAX_LINK_NODES => {
                    let node = value.parse().map_err(|_| LinkError::Part("node"))?;
                    parts.nodes.push(LinkNode { node, hints: Vec::new() });
                }
                "at" => {
                    let last = parts.nodes.last_mut().ok_or(LinkError::Part("at"))?;
                    if !is_hint(&value) {
                        return Err(LinkError::Part("at"));
                    }
                    if last.hints.len() < MAX_HINTS {
                        last.hints.push(value.into_owned());
                    }
                }
                "secret" => {
                    let bytes = BASE64URL_NOPAD.decode(value.as_bytes()).map_err(|_| LinkError::Part("secret"))?;
                    parts.secret = Some(Secret(bytes.try_into().map_err(|_| LinkError::Part("secret"))?));
                }
                _ => {}
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link() -> ContactLink {
        ContactLink {
            person: PersonId([1; 32]),
            name: Some(Name::new("Ada & Söhne").unwrap()),
            nodes: vec![
                LinkNode { node: NodeId([2; 32]), hints: vec!["127.0.0.1:4001".into(), "[::1]:4001".into()] },
                LinkNode { node: NodeId([3; 32]), hints: vec!["https://relay.example:443/".into()] },
            ],
            secret: Secret([4; 16]),
        }
    }

    #[test]
    fn a_link_is_read_back() {
        let text = link().to_string();
        assert_eq!(text.parse(), Ok(link()));
        assert!(text.starts_with("compeer:contact?person=") && text.contains("&at=127.0.0.1:4001&"), "{text}");
        let join = JoinLink { node: link().nodes[0].clone(), secret: Secret([9; 16]) };
        assert_eq!(join.to_string().parse(), Ok(join));
        let ContactLink { person, name, nodes, .. } = link();
        let where_she_is = PersonLink { person, name, nodes };
        let shown = where_she_is.to_string();
        assert!(!shown.contains("secret") && shown.parse::<ContactLink>().is_err(), "{shown}");
        assert_eq!((shown.parse(), text.parse()), (Ok(where_she_is.clone()), Ok(where_she_is)));
    }

    #[test]
    fn what_later_versions_add_is_skipped() {
        assert_eq!(format!(" {}&colour=blue\n", link()).parse(), Ok(link()));
    }

    #[test]
    fn a_mistake_is_named() {
        let text = link().to_string();
        let parse = |text: &str| text.parse::<ContactLink>().unwrap_err();
        assert_eq!(parse("magnet:?xt=1"), LinkError::Kind("contact"));
        assert_eq!(parse(&text[..60]), LinkError::Part("person"));
        assert_eq!(parse("compeer:contact?at=1.2.3.4:5"), LinkError::Part("at"));
        assert_eq!(parse(&text[..text.len() - 30]), LinkError::Missing("secret"));
        assert_eq!(parse(&text[..text.len() - 3]), LinkError::Part("secret"));
        assert_eq!(parse(&format!("{text}{}", "&x=".repeat(1000))), LinkError::Long);
        let nowhere = format!("compeer:person?person={}", link().person);
        assert_eq!(nowhere.parse::<PersonLink>(), Err(LinkError::Missing("node")));
        assert_eq!("compeer:join?node=x".parse::<PersonLink>(), Err(LinkError::Kind("person")));
        let error = "compeer:contact?at=x".parse::<JoinLink>().unwrap_err();
        assert_eq!(error, LinkError::Kind("join"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(text in "compeer:(contact|join|person)[?](.{0,20}[&=]){0,9}") {
            let _ = text.parse::<ContactLink>();
            let _ = text.parse::<JoinLink>();
            let _ = text.parse::<PersonLink>();
        }
    }
}
