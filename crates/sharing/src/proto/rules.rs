//! Which shares are taken up without being asked about, and where they go.

use base::{GroupId, PersonId};

/// Rules at most. Arbitrary.
pub const MAX_RULES: usize = 256;

/// Whose shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// Those of a person.
    Person(PersonId),
    /// Those with a group, whoever of its members shares.
    Group(GroupId),
}

/// Shares of these go into this folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose.
    pub whose: Whose,
    /// The folder, an absolute path.
    pub folder: String,
    /// Larger ones are asked about, in bytes; `None`: none is too large.
    pub max_bytes: Option<u64>,
}

/// Returns the folder that a share goes into by itself; `None`: the user is asked. A rule for the person counts before one
/// for the group.
pub fn folder_for(rules: &[Rule], sharer: PersonId, group: Option<GroupId>, bytes: u64) -> Option<&str> {
    let find = |whose| rules.iter().find(|rule| rule.whose == whose);
    let rule = find(Whose::Person(sharer)).or_else(|| find(Whose::Group(group?)))?;
    rule.max_bytes.is_none_or(|max| bytes <= max).then_some(rule.folder.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_for_the_person_counts_first() {
        let (alice, bob, club) = (PersonId([1; 32]), PersonId([2; 32]), GroupId([3; 32]));
        let rule = |whose, folder: &str, max_bytes| Rule { whose, folder: folder.into(), max_bytes };
        let rules = [rule(Whose::Group(club), "/club", None), rule(Whose::Person(alice), "/alice", Some(1000))];
        assert_eq!(folder_for(&rules, alice, None, 1000), Some("/alice"));
        assert_eq!(folder_for(&rules, alice, Some(club), 1001), None, "too large to come unasked");
        assert_eq!(folder_for(&rules, bob, Some(club), 1001), Some("/club"));
        assert_eq!(folder_for(&rules, bob, None, 1), None);
    }
}
