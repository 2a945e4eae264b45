//! What a client may ask for beyond the oldest IRC (IRCv3 capability-negotiation).

use std::collections::BTreeSet;

use crate::proto::MAX_TEXT;

/// How many lines a client may send as one message. Arbitrary: a page.
pub(super) const MULTILINE_LINES: usize = 64;

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cap {
    AwayNotify,
    Batch,
    Notify,
    ChatHistory,
    EchoMessage,
    EventPlayback,
    LabeledResponse,
    MessageTags,
    MultiPrefix,
    Multiline,
    NoImplicitNames,
    ReadMarker,
    Redaction,
    Sasl,
    /// What the user wrote elsewhere to one person; older than echo-message, and still what irssi asks for.
    SelfMessage,
    ServerTime,
    StandardReplies,
    UserhostInNames,
}

/// All, with their names.
const ALL: [(Cap, &str); 18] = [
    (Cap::AwayNotify, "away-notify"),
    (Cap::Batch, "batch"),
    (Cap::Notify, "cap-notify"),
    (Cap::ChatHistory, "draft/chathistory"),
    (Cap::EventPlayback, "draft/event-playback"),
    (Cap::Redaction, "draft/message-redaction"),
    (Cap::Multiline, "draft/multiline"),
    (Cap::ReadMarker, "draft/read-marker"),
    (Cap::EchoMessage, "echo-message"),
    (Cap::LabeledResponse, "labeled-response"),
    (Cap::MessageTags, "message-tags"),
    (Cap::MultiPrefix, "multi-prefix"),
    (Cap::NoImplicitNames, "no-implicit-names"),
    (Cap::Sasl, "sasl"),
    (Cap::ServerTime, "server-time"),
    (Cap::StandardReplies, "standard-replies"),
    (Cap::UserhostInNames, "userhost-in-names"),
    (Cap::SelfMessage, "znc.in/self-message"),
];

/// Which a client asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Caps(BTreeSet<Cap>);

impl Caps {
    /// Whether the client has this.
    pub(super) fn has(&self, cap: Cap) -> bool {
        self.0.contains(&cap)
    }

    /// Grants one that comes without being asked for.
    pub(super) fn grant(&mut self, cap: Cap) {
        self.0.insert(cap);
    }

    /// Lists all there are; `values`: with what they say of themselves, which clients of version 302 read.
    pub(super) fn offer(values: bool) -> String {
        let name = |(cap, name): &(Cap, &str)| match cap {
            Cap::Sasl if values => format!("{name}=PLAIN"),
            Cap::Multiline if values => format!("{name}=max-bytes={MAX_TEXT},max-lines={MULTILINE_LINES}"),
            // Its value is required: who reads none cannot use it.
            Cap::Multiline => String::new(),
            _ => (*name).to_owned(),
        };
        let names: Vec<String> = ALL.iter().map(name).filter(|name| !name.is_empty()).collect();
        names.join(" ")
    }

    /// Lists those that the client has.
    pub(super) fn list(&self) -> String {
        let names = ALL.iter().filter(|(cap, _)| self.has(*cap)).map(|(_, name)| *name);
        names.collect::<Vec<_>>().join(" ")
    }

    /// Takes and gives back what the client asks for, all or nothing; whether that could be done.
    pub(super) fn request(&mut self, names: &str) -> bool {
        let mut wanted = self.0.clone();
        for name in names.split_whitespace() {
            let (gone, name) = name.strip_prefix('-').map_or((false, name), |name| (true, name));
            let Some((cap, _)) = ALL.iter().find(|(_, known)| *known == name) else { return false };
            if gone {
                wanted.remove(cap)
            } else {
                wanted.insert(*cap)
            };
        }
        self.0 = wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_asked_for_together_or_not_at_all() {
        let mut caps = Caps::default();
        assert!(caps.request("server-time batch "));
        assert!(!caps.request("echo-message no-such-thing"));
        assert!(caps.request("-batch sasl"));
        assert_eq!(caps.list(), "sasl server-time");
        assert!(!caps.has(Cap::EchoMessage) && !caps.has(Cap::Batch));
    }

    #[test]
    fn all_are_offered_in_one_line() {
        let offer = Caps::offer(true);
        assert!(offer.len() < 400, "{}", offer.len());
        assert!(offer.contains("sasl=PLAIN") && offer.contains("draft/multiline=max-bytes=16384,max-lines=64"));
        assert!(!Caps::offer(false).contains('='));
        let mut caps = Caps::default();
        assert!(caps.request(&caps.list()) && caps.request(&Caps::offer(false)));
    }
}
