//! What a group is called: sealed, as an admin said it last, and repeated for those who cannot read that.

use super::Replica;
use crate::proto::codec::{Reader, Writer};
use crate::proto::group::change::Action;
use crate::proto::group::keys;
use crate::proto::name::Name;

/// Where something is said of the name that counts, the newest first.
#[derive(Default)]
struct Names {
    /// By an admin.
    said: Vec<usize>,
    /// With an epoch, by whoever drew it.
    handed_on: Vec<usize>,
}

impl Replica {
    /// Returns the name of the group, if we have the key to it: as an admin said it last. Who cannot read that, since it was
    /// said before they came or while they were out, takes what a member who knew it repeated for them, and until somebody
    /// does, an older one.
    pub fn name(&self) -> Option<Name> {
        let names = self.names();
        self.newest_name(&names)
            .or_else(|| names.said.iter().chain(&names.handed_on).find_map(|place| self.name_in(*place)))
    }

    /// Returns the name as an admin said it last, if we can read it: no other is handed on.
    pub(super) fn known_name(&self) -> Option<Name> {
        self.newest_name(&self.names())
    }

    fn newest_name(&self, names: &Names) -> Option<Name> {
        let newest = *names.said.first()?;
        let repeated = || names.handed_on.iter().filter(|place| self.log.knew(**place, newest));
        self.name_in(newest).or_else(|| repeated().find_map(|place| self.name_in(*place)))
    }

    /// Whether we know the name and some of the present members may not: it was said apart from the present epoch, and that
    /// does not repeat it.
    pub(super) fn needs_repeating(&self) -> bool {
        let Some(epoch) = self.roster.as_ref().and_then(|roster| self.log.place(&roster.epoch?)) else { return false };
        let names = self.names();
        let Some((newest, name)) = names.said.first().zip(self.newest_name(&names)) else { return false };
        let all_read = match &self.log.at(*newest).change.action {
            Action::Rename { meta } => keys::epoch_of(meta) == Some(self.log.at(epoch).id),
            _ => *newest == epoch,
        };
        let is_repeated = self.log.knew(epoch, *newest) && self.name_in(epoch) == Some(name);
        !all_read && !is_repeated
    }

    fn names(&self) -> Names {
        let mut names = Names::default();
        let Some(roster) = &self.roster else { return names };
        let counts = |place: &usize| roster.counted.contains(&self.log.at(*place).id);
        for place in self.log.order().rev().filter(counts) {
            let entry = self.log.at(place);
            match &entry.change.action {
                Action::Rename { .. } if self.was_admin(&entry.change.author) => names.said.push(place),
                Action::Epoch { meta, .. } if !meta.is_empty() => names.handed_on.push(place),
                _ => {}
            }
        }
        // Whoever began the group said the first one with the first epoch.
        names.said.extend(names.handed_on.pop());
        names
    }

    /// Returns the name that a change states, if we can read it.
    fn name_in(&self, place: usize) -> Option<Name> {
        let entry = self.log.at(place);
        let (secret, meta) = match &entry.change.action {
            Action::Rename { meta } => (self.secrets.get(&keys::epoch_of(meta)?)?, meta),
            Action::Epoch { meta, .. } => (self.secrets.get(&entry.id)?, meta),
            _ => return None,
        };
        let text = secret.open_payload(self.group(), meta).ok()?;
        Name::new(Reader::new(&text).text(Name::MAX_BYTES).ok()?).ok()
    }
}

/// Returns what states a name, before it is sealed.
pub(super) fn meta(name: &Name) -> Vec<u8> {
    Writer::new().text(name.as_str()).finish()
}
