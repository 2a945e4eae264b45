//! What the policy says of a connection: lists, modes, who is offered what. Pure: it is handed what it judges.
//!
//! The order of judgement: what the administrator forbids and the pause stand above everything; then the service's switch;
//! then the lists, of which the entry that names its object most closely decides (a node before a person, a person before
//! a group, a group before an address; a small range of addresses before a large one; *allow* before *block* where both
//! are equally close; list files come last); whom no list names is judged by the mode; last, an incoming connection has to
//! be of those to whom the service is offered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use base::{GroupId, NodeId, PersonId};
use torrent_proto::torrent::Direction;

use super::counts::OwnLimits;
use super::{AddressRange, Addresses, Asking, FILES, RELAYING, Refusal};

/// What is known of persons; asked by the gate, outside of its lock. Answers at once, from memory.
pub trait Acquaintances: fmt::Debug + Send + Sync {
    /// Whose node this is.
    fn person_of(&self, node: NodeId) -> Option<PersonId>;
    /// Whether a person is a contact (and not a blocked one), or the user.
    fn is_contact(&self, person: PersonId) -> bool;
    /// Whether a person is a member of a group.
    fn is_member(&self, person: PersonId, group: GroupId) -> bool;
    /// Whether a person is a fellow member of any group of ours.
    fn is_fellow(&self, person: PersonId) -> bool;
}

/// Knows nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct MostlyStrangers;

impl Acquaintances for MostlyStrangers {
    fn person_of(&self, _: NodeId) -> Option<PersonId> {
        None
    }

    fn is_contact(&self, _: PersonId) -> bool {
        false
    }

    fn is_member(&self, _: PersonId, _: GroupId) -> bool {
        false
    }

    fn is_fellow(&self, _: PersonId) -> bool {
        false
    }
}

/// A list of whom to meet, or whom not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Addresses, each of which may be a range. Searched one by one: the settings bound how many there may be.
    pub addresses: Vec<AddressRange>,
    /// Nodes.
    pub nodes: BTreeSet<NodeId>,
    /// Persons.
    pub persons: BTreeSet<PersonId>,
    /// Groups: their members.
    pub groups: BTreeSet<GroupId>,
}

/// Who is met at all, where no list names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Meet {
    /// Everybody.
    #[default]
    Everyone,
    /// Contacts and fellow members of groups.
    Acquaintances,
    /// Contacts only.
    Contacts,
    /// Members of these groups only.
    Groups(BTreeSet<GroupId>),
    /// Nobody but those whom a list allows.
    Listed,
}

/// To whom a service is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// To all who are met.
    #[default]
    Everyone,
    /// To contacts and fellow members of groups.
    Acquaintances,
    /// To contacts.
    Contacts,
    /// To these.
    Chosen(Rules),
}

/// How a service is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Switched off: it is neither served nor asked for.
    pub off: bool,
    /// Who may come to it.
    pub to: Audience,
    /// How many connections it may have.
    pub connections: Option<u32>,
}

/// Whom to meet, and what to offer to whom.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Nothing may stand.
    pub paused: bool,
    /// What the administrator forbids: services.
    pub forbidden_services: BTreeSet<String>,
    /// What the administrator forbids: addresses.
    pub forbidden_addresses: Addresses,
    /// Whom the user wants to meet in any case.
    pub allow: Rules,
    /// Whom the user does not want to meet.
    pub block: Rules,
    /// The addresses of list files, which the user does not want to meet.
    pub listed: Addresses,
    /// Who is met where no list names them.
    pub meet: Meet,
    /// How services are offered; one that is not named is offered to all who are met.
    pub offers: BTreeMap<String, Offer>,
    /// How many connections certain persons may have, over all of their nodes, instead of what each person may.
    pub persons: BTreeMap<PersonId, u32>,
}

/// How close an entry of a list names its object; the greater, the closer. Addresses by how few there are in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Address(std::cmp::Reverse<u128>),
    Group,
    Person,
    Node,
}

impl Rules {
    /// Tells whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.nodes.is_empty() && self.persons.is_empty() && self.groups.is_empty()
    }

    fn address(&self, ip: IpAddr) -> Option<Closeness> {
        let ranges = self.addresses.iter().filter(|range| range.contains(ip));
        ranges.map(|range| Closeness::Address(std::cmp::Reverse(range.span()))).max()
    }

    /// Returns how close the list names who asks, if it does.
    fn finds(&self, who: &Who<'_>) -> Option<Closeness> {
        if who.node.is_some_and(|node| self.nodes.contains(&node)) {
            return Some(Closeness::Node);
        }
        if let Some(person) = who.person {
            if self.persons.contains(&person) {
                return Some(Closeness::Person);
            }
            if self.groups.iter().any(|group| who.acquaintances.is_member(person, *group)) {
                return Some(Closeness::Group);
            }
        }
        who.ip.and_then(|ip| self.address(ip))
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
struct Who<'a> {
    ip: Option<IpAddr>,
    node: Option<NodeId>,
    person: Option<PersonId>,
    acquaintances: &'a dyn Acquaintances,
}

impl Who<'_> {
    fn is_contact(&self) -> bool {
        self.person.is_some_and(|person| self.acquaintances.is_contact(person))
    }

    fn is_acquainted(&self) -> bool {
        self.is_contact() || self.person.is_some_and(|person| self.acquaintances.is_fellow(person))
    }
}

impl Policy {
    /// Judges a connection; counts are not its concern.
    pub(super) fn judge(
        &self,
        asking: &Asking,
        ip: Option<IpAddr>,
        acquaintances: &dyn Acquaintances,
    ) -> Result<(), Refusal> {
        if self.paused {
            return Err(Refusal::Paused);
        }
        let forbidden = self.forbidden_services.contains(asking.service);
        if forbidden || ip.is_some_and(|ip| self.forbidden_addresses.contains(ip)) {
            return Err(Refusal::Forbidden);
        }
        let offer = self.offers.get(asking.service);
        if offer.is_some_and(|offer| offer.off) {
            return Err(Refusal::Off);
        }
        if let (Some(node), Some(person)) = (asking.node, asking.person)
            && acquaintances.person_of(node) != Some(person)
        {
            return Err(Refusal::NotTheirs);
        }
        let who = Who { ip, node: asking.node, person: asking.person, acquaintances };
        match (self.allow.finds(&who), self.block.finds(&who)) {
            (Some(allow), Some(block)) if block > allow => return Err(Refusal::Blocked),
            (None, Some(_)) => return Err(Refusal::Blocked),
            (Some(_), _) => {}
            (None, None) if who.ip.is_some_and(|ip| self.listed.contains(ip)) => return Err(Refusal::Blocked),
            (None, None) if asking.service != RELAYING && !self.meets(&who) => return Err(Refusal::Stranger),
            (None, None) => {}
        }
        match offer {
            Some(offer) if asking.direction == Direction::Incoming && !offer.to.includes(&who) => {
                Err(Refusal::NotOffered)
            }
            _ => Ok(()),
        }
    }

    fn meets(&self, who: &Who<'_>) -> bool {
        match &self.meet {
            Meet::Everyone => true,
            Meet::Acquaintances => who.is_acquainted(),
            Meet::Contacts => who.is_contact(),
            Meet::Groups(groups) => {
                let in_one = |person| groups.iter().any(|group| who.acquaintances.is_member(person, *group));
                who.person.is_some_and(in_one)
            }
            Meet::Listed => false,
        }
    }

    /// Tells whether nothing is to be exchanged with an address, whoever is there. A pause is not looked at: goodbyes
    /// are said during one.
    pub(crate) fn refuses_address(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if self.forbidden_addresses.contains(ip) {
            return true;
        }
        match (self.allow.address(ip), self.block.address(ip)) {
            (Some(allow), block) => block.is_some_and(|block| block > allow),
            (None, Some(_)) => true,
            (None, None) => self.listed.contains(ip),
        }
    }

    /// Tells whether any address is refused: where none is, nobody needs to look.
    pub(crate) fn refuses_any_address(&self) -> bool {
        let lists = [self.forbidden_addresses.is_empty(), self.block.addresses.is_empty(), self.listed.is_empty()];
        lists != [true; 3]
    }

    /// Tells whether peers are sought among strangers: by trackers, in the DHT, on the local network. Where only certain
    /// people are met, whom all of those would tell of us, they are asked nothing; addresses on the list are sought. Nor are
    /// they asked, and told where we are, where public torrents are switched off or forbidden.
    pub fn seeks_strangers(&self) -> bool {
        if !self.has_files() {
            return false;
        }
        match self.meet {
            Meet::Everyone => true,
            Meet::Listed => !self.allow.addresses.is_empty(),
            Meet::Acquaintances | Meet::Contacts | Meet::Groups(_) => false,
        }
    }

    /// Tells whether there are public torrents at all: neither the user nor the administrator switched them off.
    pub fn has_files(&self) -> bool {
        !self.forbidden_services.contains(FILES) && !self.offers.get(FILES).is_some_and(|offer| offer.off)
    }

    /// Returns the limits of connections that what asks has of its own.
    pub(super) fn own_limits(&self, asking: &Asking) -> OwnLimits {
        OwnLimits {
            of_service: self.offers.get(asking.service).and_then(|offer| offer.connections),
            of_person: asking.person.and_then(|person| self.persons.get(&person).copied()),
        }
    }
}

impl Audience {
    fn includes(&self, who: &Who<'_>) -> bool {
        match self {
            Audience::Everyone => true,
            Audience::Acquaintances => who.is_acquainted(),
            Audience::Contacts => who.is_contact(),
            Audience::Chosen(rules) => rules.finds(who).is_some(),
        }
    }
}
