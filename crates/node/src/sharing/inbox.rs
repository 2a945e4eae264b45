//! What others share with us: notices, the user's word on them, rules.

use std::path::PathBuf;

use base::id::begins;
use base::{NodeId, PersonId};
use metainfo::{InfoHashes, Magnet};
use sharing::proto::{MAX_RULES, Notice, Receipt, Rule, ShareId, Whose, folder_for};
use sharing::{InboxItem, InboxState, MAX_INBOX, MAX_INBOX_BYTES, MAX_INBOX_BYTES_PER_PERSON, MAX_INBOX_PER_PERSON};
use torrent::{Add, AddSource};

use super::{Sharing, SharingError, State};

impl Sharing {
    /// Takes a notice that a node sent, whose person is proven by the overlay and the people.
    pub(crate) async fn receive(&self, node: NodeId, person: Option<PersonId>, bytes: &[u8]) -> Receipt {
        let notice = match Notice::decode(bytes) {
            Ok(notice) => notice,
            Err(error) => {
                tracing::debug!(?node, %error, "a notice was not understood");
                return Receipt::Refused;
            }
        };
        let Some(sharer) = self.acquaintance(node, person) else { return Receipt::Refused };
        match self.take_notice(sharer, notice).await {
            Ok(receipt) => receipt,
            Err(error) => {
                tracing::warn!(%error, "a notice could not be stored");
                Receipt::Refused
            }
        }
    }

    /// Returns whose node this is, if it is a contact's or a fellow member's: of nobody else we asked to hear, and to nobody
    /// else anything is offered.
    pub(super) fn acquaintance(&self, node: NodeId, person: Option<PersonId>) -> Option<PersonId> {
        let circle = &self.0.circle;
        let person = person.or_else(|| circle.person_of(node))?;
        (circle.person_name(person).is_some() && !circle.is_refused(node)).then_some(person)
    }

    async fn take_notice(&self, sharer: PersonId, mut notice: Notice) -> Result<Receipt, SharingError> {
        let id = InfoHashes::v2_only(notice.hash).key();
        // Whoever is no member shares nothing with the group.
        notice.group = notice.group.filter(|group| self.0.circle.members(*group).contains(&sharer));
        if let Some(known) = self.state().inbox.get(&(sharer, id)) {
            if known.notice.attached {
                // By the message, whatever is said later.
                notice.group = known.notice.group;
            }
            notice.attached = known.notice.attached;
        }
        if self.is_of_another(sharer, id) {
            // Each share has a salt of its own: whoever names this one wants to be let into it.
            return Ok(Receipt::Refused);
        }
        let (known, room, folder) = {
            let state = self.state();
            let room = self.room_for(&state, sharer, id, &notice, false);
            let folder = folder_for(&state.rules, sharer, notice.group, notice.bytes).map(PathBuf::from);
            (state.inbox.get(&(sharer, id)).cloned(), room, folder)
        };
        match known {
            // Told again, or late.
            Some(item) if item.notice.version >= notice.version => return Ok(Receipt::Kept),
            // What was not taken up needs no word about its end.
            Some(item) if notice.withdrawn && item.state != InboxState::Accepted => {
                self.drop_item(sharer, id).await?;
                return Ok(Receipt::Kept);
            }
            // The message has it, until the user wants it.
            None if notice.attached && !notice.withdrawn => return Ok(Receipt::Kept),
            // The message has to be found out of date.
            None if notice.attached => {}
            None if notice.withdrawn => return Ok(Receipt::Kept),
            _ => {}
        }
        let Some(surplus) = room else { return Ok(Receipt::Refused) };
        for (sharer, id) in surplus {
            self.drop_item(sharer, id).await?;
        }
        if let Some(item) = known {
            self.keep_item(InboxItem { notice, ..item }).await?;
            self.people_changed();
            return Ok(Receipt::Kept);
        }
        let received = self.wall();
        if notice.attached {
            // Declined: so it is the first to go where there is no room.
            let notice = Notice { nodes: Vec::new(), hints: Vec::new(), note: None, ..notice };
            let item = InboxItem { sharer, notice, received, state: InboxState::Declined, folder: None };
            self.keep_item(item).await?;
            return Ok(Receipt::Kept);
        }
        let item = InboxItem { sharer, notice, received, state: InboxState::Waiting, folder: None };
        self.keep_item(item).await?;
        if let Some(folder) = folder
            && let Err(error) = self.accept(sharer, id, Some(folder)).await
        {
            tracing::warn!(%error, "a share that a rule takes up was not taken up");
        }
        Ok(Receipt::Kept)
    }

    /// Returns what has to go so that there is room for a notice, in place of the earlier one of the same share; `None`:
    /// there is none, since its person has sent too much that nobody has decided on, or nobody would miss what is here. What
    /// is wanted is decided on.
    pub(super) fn room_for(
        &self,
        state: &State,
        sharer: PersonId,
        id: ShareId,
        notice: &Notice,
        is_wanted: bool,
    ) -> Option<Vec<(PersonId, ShareId)>> {
        let others = || state.inbox.iter().filter(|(key, _)| **key != (sharer, id)).map(|(_, item)| item);
        let known = state.inbox.get(&(sharer, id));
        let is_known = is_wanted || known.is_some_and(|item| item.state != InboxState::Waiting);
        let waiting = || others().filter(|item| item.sharer == sharer && item.state == InboxState::Waiting);
        let weight_waiting = waiting().map(|item| item.notice.weight()).sum::<usize>() + notice.weight();
        if !is_known && (waiting().count() >= MAX_INBOX_PER_PERSON || weight_waiting > MAX_INBOX_BYTES_PER_PERSON) {
            return None;
        }
        let mut count = others().count() + 1;
        let mut weight = others().map(|item| item.notice.weight()).sum::<usize>() + notice.weight();
        let mut dispensable = self.dispensable(state);
        dispensable.retain(|item| (item.sharer, item.id()) != (sharer, id));
        let mut surplus = Vec::new();
        while count > MAX_INBOX || weight > MAX_INBOX_BYTES {
            let item = dispensable.pop()?;
            count -= 1;
            weight -= item.notice.weight();
            surplus.push((item.sharer, item.id()));
        }
        Some(surplus)
    }

    /// Whether this is a share of ours, or of somebody else.
    pub(super) fn is_of_another(&self, sharer: PersonId, id: ShareId) -> bool {
        let state = self.state();
        state.shares.contains_key(&id) || state.inbox.keys().any(|(other, known)| *known == id && *other != sharer)
    }

    pub(super) async fn keep_item(&self, item: InboxItem) -> Result<(), SharingError> {
        self.0.store.save_item(&item).await?;
        self.state().inbox.insert((item.sharer, item.id()), item);
        Ok(())
    }

    pub(super) async fn drop_item(&self, sharer: PersonId, id: ShareId) -> Result<(), SharingError> {
        self.0.store.remove_item(sharer, id).await?;
        self.state().inbox.remove(&(sharer, id));
        Ok(())
    }

    /// Returns the items that nobody misses, the oldest last: they were declined, or what was taken up is no torrent of ours
    /// any more.
    fn dispensable<'a>(&self, state: &'a State) -> Vec<&'a InboxItem> {
        let gone = |item: &&InboxItem| match item.state {
            InboxState::Waiting => false,
            InboxState::Declined => true,
            InboxState::Accepted => self.0.session.find(&InfoHashes::v2_only(item.notice.hash)).is_none(),
        };
        let mut items: Vec<&InboxItem> = state.inbox.values().filter(gone).collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.received));
        items
    }

    /// Lists the inbox, the oldest first.
    pub(crate) fn inbox(&self) -> Vec<InboxItem> {
        let mut items: Vec<InboxItem> = self.state().inbox.values().cloned().collect();
        items.sort_by_key(|item| (item.received, item.id()));
        items
    }

    /// Finds the item that the beginning of an id means.
    pub(crate) fn find_item(&self, text: &str) -> Result<InboxItem, SharingError> {
        let mut found = self.inbox().into_iter().filter(|item| begins(&item.id().to_string(), text));
        match (found.next(), found.next()) {
            (Some(item), None) => Ok(item),
            (None, _) => Err(SharingError::NotFound(format!(
                "nothing in the inbox begins with {text:?} (4 letters or more): `compeer inbox` and GET /api/v1/inbox \
                 show what is there"
            ))),
            (Some(_), Some(_)) => Err(SharingError::Input(format!("{text:?} means several shares: write more of it"))),
        }
    }

    /// Takes up a share, into a folder or where downloads go.
    pub(crate) async fn accept(
        &self,
        sharer: PersonId,
        id: ShareId,
        folder: Option<PathBuf>,
    ) -> Result<InboxItem, SharingError> {
        let item = self.state().inbox.get(&(sharer, id)).cloned();
        let item = item.ok_or_else(|| {
            SharingError::NotFound("it is not in the inbox any more: look at what is there now".to_owned())
        })?;
        if item.notice.withdrawn {
            return Err(SharingError::Input("it is no longer shared: ask the sender to share it again".to_owned()));
        }
        let (_, folder) = self.fetch(&item.notice, folder).await?;
        let folder = Some(folder.display().to_string());
        let item = InboxItem { state: InboxState::Accepted, folder, ..item };
        self.keep_item(item.clone()).await?;
        self.refresh().await;
        Ok(item)
    }

    /// Begins, or goes on with, the download that a notice names, and returns where to; nobody is admitted to it yet. What
    /// is fetched into one folder, or is there, is not fetched into another as well.
    pub(super) async fn fetch(
        &self,
        notice: &Notice,
        folder: Option<PathBuf>,
    ) -> Result<(ShareId, PathBuf), SharingError> {
        let mut magnet = Magnet::new(InfoHashes::v2_only(notice.hash));
        magnet.name = Some(notice.name.clone());
        if let Some(id) = self.0.session.find(&magnet.hashes) {
            let status = self.0.session.status(id).await?;
            let (is_complete, there) = (status.is_complete(), status.folder);
            if folder.as_ref().is_some_and(|folder| *folder != there) {
                return Err(SharingError::Input(format!(
                    "it was fetched into {} before: remove the transfer {} first, with its data if that is not to \
                     stay; \
                     then it can go elsewhere",
                    there.display(),
                    &id.to_string()[..8],
                )));
            }
            self.0.session.resume(id).await?;
            // It was deleted by other means: what is not there any more is fetched again.
            if let Some(path) = is_complete.then_some(status.path).flatten()
                && !tokio::fs::try_exists(&path).await.unwrap_or(true)
            {
                self.0.session.recheck(id).await?;
            }
            return Ok((id, there));
        }
        let folder = folder.unwrap_or_else(|| self.0.session.folder());
        let source = AddSource::Link(magnet.to_string());
        let add = Add { folder: Some(folder.clone()), confined: true, ..Add::new(source) };
        Ok((self.0.session.add(add).await?.id, folder))
    }

    /// Leaves a share alone; one that was taken up is stopped, and what is here of it stays.
    pub(crate) async fn decline(&self, sharer: PersonId, id: ShareId) -> Result<InboxItem, SharingError> {
        let item = self.state().inbox.get(&(sharer, id)).cloned();
        let item = item.ok_or_else(|| {
            SharingError::NotFound("it is not in the inbox any more: look at what is there now".to_owned())
        })?;
        if item.state == InboxState::Accepted && self.0.session.find(&InfoHashes::v2_only(item.notice.hash)).is_some() {
            self.0.session.remove(id, false).await?;
            self.0.sorting.forget(id).await?;
        }
        let item = InboxItem { state: InboxState::Declined, ..item };
        self.keep_item(item.clone()).await?;
        Ok(item)
    }

    /// Returns the rules.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.state().rules.clone()
    }

    /// Sets a rule, in place of one for the same person or group. What waits already is taken up if it fits; returns how
    /// many were, and how many could not be.
    pub(crate) async fn set_rule(&self, rule: Rule) -> Result<(u32, u32), SharingError> {
        let replaces = self.rules().iter().any(|other| other.whose == rule.whose);
        if !replaces && self.rules().len() >= MAX_RULES {
            return Err(SharingError::Input(format!("there are {MAX_RULES} rules already: remove one")));
        }
        self.0.store.save_rule(&rule).await?;
        {
            let mut state = self.state();
            state.rules.retain(|other| other.whose != rule.whose);
            state.rules.push(rule);
        }
        let rules = self.rules();
        let (mut taken, mut failed) = (0, 0);
        let waits = |item: &InboxItem| item.state == InboxState::Waiting && !item.notice.withdrawn;
        for item in self.inbox().into_iter().filter(waits) {
            if let Some(folder) = folder_for(&rules, item.sharer, item.notice.group, item.notice.bytes) {
                match self.accept(item.sharer, item.id(), Some(folder.into())).await {
                    Ok(_) => taken += 1,
                    Err(error) => {
                        tracing::warn!(%error, "a share that a rule takes up was not taken up");
                        failed += 1;
                    }
                }
            }
        }
        Ok((taken, failed))
    }

    /// Removes a rule.
    pub(crate) async fn remove_rule(&self, whose: Whose) -> Result<(), SharingError> {
        self.0.store.remove_rule(whose).await?;
        self.state().rules.retain(|rule| rule.whose != whose);
        Ok(())
    }

    /// Admits to what was taken up those who may have it, by their latest notices and by what we know ourselves.
    pub(super) async fn refresh_inbox(&self) {
        let items: Vec<InboxItem> = self.inbox().into_iter().filter(|i| i.state == InboxState::Accepted).collect();
        let mut by_torrent: std::collections::BTreeMap<ShareId, std::collections::BTreeSet<NodeId>> =
            Default::default();
        for item in items {
            for (node, hints) in &item.notice.hints {
                self.0.circle.learn_hints(*node, hints);
            }
            let nodes =
                if item.notice.withdrawn { Vec::new() } else { self.nodes_of_notice(&item.notice, item.sharer) };
            by_torrent.entry(item.id()).or_default().extend(nodes);
        }
        let own: std::collections::BTreeSet<ShareId> = self.state().shares.keys().copied().collect();
        for (id, nodes) in by_torrent.into_iter().filter(|(id, _)| !own.contains(id)) {
            self.admit(id, nodes).await;
        }
    }

    /// Returns whom a notice admits. What we know ourselves counts more: a node that is revoked or blocked is left out, and
    /// in a group whoever is known and no member.
    pub(super) fn nodes_of_notice(&self, notice: &Notice, sharer: PersonId) -> Vec<NodeId> {
        let circle = &self.0.circle;
        if notice.attached {
            return self.nodes_of_attached(notice, sharer);
        }
        let members = notice.group.map(|group| circle.members(group)).filter(|members| !members.is_empty());
        let mut nodes = notice.nodes.clone();
        if let Some(members) = members {
            let belongs = |node: &NodeId| circle.person_of(*node).is_none_or(|person| members.contains(&person));
            nodes.retain(belongs);
            nodes
                .extend(members.iter().filter(|member| **member != sharer).flat_map(|member| circle.nodes_of(*member)));
        }
        nodes.retain(|node| !circle.is_refused(*node));
        nodes
    }
}
