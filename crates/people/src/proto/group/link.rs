//! Links that lead into a group: `compeer:group?id=…&invitation=…&secret=…&node=…&hint=…&name=…`.
//!
//! `id` is the group; `invitation` and `secret` name an invitation of the roster and prove that whoever asks had the
//! link; an open group needs neither, and a link for one person has no secret. Each `node` is one of a member, and may be
//! reached by each `hint` that follows it (an address or a relay, in the overlay's form). `name` is what the inviter calls the
//! group; a private group's link leaves it out.

use base::GroupId;
use data_encoding::BASE64URL_NOPAD;

use super::change::ChangeId;
use crate::proto::link::LinkNode;
use crate::proto::name::Name;

/// How many nodes, and how many hints of each, a link names. Arbitrary; a QR code has room for the usual few.
pub const MAX_NODES: usize = 8;

/// The longest hint. Arbitrary; a relay's URL fits.
pub const MAX_HINT_BYTES: usize = 256;

/// The longest link: a QR code holds not much more.
pub const MAX_LINK_BYTES: usize = 4096;

const SCHEME: &str = "compeer:group?";

/// Why a text is no link into a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It begins otherwise.
    #[error("this is no link into a group: one begins with {SCHEME}")]
    Scheme,
    /// A part of it cannot be read.
    #[error("the link's part {0:?} cannot be read: copy the whole link")]
    Part(String),
    /// Something is not there.
    #[error("the link does not name its {0}: copy the whole link")]
    Missing(&'static str),
}

/// A link into a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLink {
    /// The group.
    pub group: GroupId,
    /// The invitation, and the secret that goes with it if it is for whoever has the link.
    pub invitation: Option<(ChangeId, Option<[u8; 32]>)>,
    /// Nodes of members, and how to reach them.
    pub nodes: Vec<LinkNode>,
    /// What the group is called.
    pub name: Option<Name>,
}

impl GroupLink {
    /// Reads a link.
    pub fn parse(text: &str) -> Result<GroupLink, LinkError> {
        let text = text.trim();
        if text.len() > MAX_LINK_BYTES {
            return Err(LinkError::Scheme);
        }
        let query = text.strip_prefix(SCHEME).ok_or(LinkError::Scheme)?;
        let (mut group, mut invitation, mut secret, mut name) = (None, None, None, None);
        let mut nodes: Vec<LinkNode> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let wrong = || LinkError::Part(part.chars().take(24).collect());
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            match key {
                "id" => group = Some(value.parse().map_err(|_| wrong())?),
                "invitation" => invitation = Some(ChangeId(bytes(value).ok_or_else(wrong)?)),
                "secret" => secret = Some(bytes(value).ok_or_else(wrong)?),
                "node" if nodes.len() < MAX_NODES => {
                    nodes.push(LinkNode { node: value.parse().map_err(|_| wrong())?, hints: Vec::new() });
                }
                "hint" => {
                    let hint = decode(value).filter(|hint| hint.len() <= MAX_HINT_BYTES).ok_or_else(wrong)?;
                    let node = nodes.last_mut().ok_or_else(wrong)?;
                    if node.hints.len() < MAX_NODES {
                        node.hints.push(hint);
                    }
                }
                "name" => name = decode(value).and_then(|text| Name::from_any(&text)),
                // A later version may say more.
                _ => {}
            }
        }
        Ok(GroupLink {
            group: group.ok_or(LinkError::Missing("group"))?,
            invitation: invitation.map(|id| (id, secret)),
            nodes: if nodes.is_empty() { return Err(LinkError::Missing("nodes")) } else { nodes },
            name,
        })
    }
}

impl std::fmt::Display for GroupLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}id={}", self.group)?;
        if let Some((id, secret)) = &self.invitation {
            write!(f, "&invitation={}", BASE64URL_NOPAD.encode(&id.0))?;
            if let Some(secret) = secret {
                write!(f, "&secret={}", BASE64URL_NOPAD.encode(secret))?;
            }
        }
        for LinkNode { node, hints } in self.nodes.iter().take(MAX_NODES) {
            write!(f, "&node={node}")?;
            hints.iter().take(MAX_NODES).try_for_each(|hint| write!(f, "&hint={}", encode(hint)))?;
        }
        self.name.iter().try_for_each(|name| write!(f, "&name={}", encode(name.as_str())))
    }
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Percent-encoding (RFC 3986, section 2.1) of everything but unreserved characters, `:`, `/`, `[` and `]`.
fn encode(text: &str) -> String {
    let mut to = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte) {
            to.push(char::from(byte));
        } else {
            to.push_str(&format!("%{byte:02X}"));
        }
    }
    to
}

fn decode(text: &str) -> Option<String> {
    let (mut to, mut from) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, rest @ ..] = from {
        if *first == b'%' {
            let (digits, rest) = rest.split_first_chunk::<2>()?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            to.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
            from = rest;
        } else {
            to.push(*first);
            from = rest;
        }
    }
    String::from_utf8(to).ok()
}

#[cfg(test)]
mod tests {
    use base::NodeId;

    use super::*;

    #[test]
    fn a_link_comes_back_as_it_went() {
        let link = GroupLink {
            group: GroupId([1; 32]),
            invitation: Some((ChangeId([2; 32]), Some([3; 32]))),
            nodes: vec![
                LinkNode {
                    node: NodeId([4; 32]),
                    hints: vec!["[::1]:4000".into(), "https://relay.example/?a=b&c".into()],
                },
                LinkNode { node: NodeId([5; 32]), hints: Vec::new() },
            ],
            name: Some(Name::new("Tea & toast 100%").unwrap()),
        };
        let text = link.to_string();
        assert!(text.ends_with("&name=Tea%20%26%20toast%20100%25"), "{text}");
        assert_eq!(GroupLink::parse(&format!("  {text}\n")), Ok(link.clone()));
        let open = GroupLink { invitation: None, name: None, ..link };
        assert_eq!(GroupLink::parse(&open.to_string()), Ok(open.clone()));
        assert_eq!(GroupLink::parse(&format!("{open}&later=1")), Ok(open));
    }

    #[test]
    fn what_is_no_link_is_refused_and_says_why() {
        let id = GroupId([1; 32]);
        for text in ["", "magnet:?xt=urn", "compeer:contact?id=x"] {
            assert_eq!(GroupLink::parse(text), Err(LinkError::Scheme));
        }
        assert_eq!(GroupLink::parse("compeer:group?node=x"), Err(LinkError::Part("node=x".into())));
        assert_eq!(GroupLink::parse(&format!("compeer:group?id={id}")), Err(LinkError::Missing("nodes")));
        assert!(GroupLink::parse(&format!("compeer:group?id={id}&hint=%4")).is_err());
        assert!(GroupLink::parse(&format!("compeer:group?id={id}&secret=AAAA")).is_err());
    }
}
