//! What changes about the node and the people around it, for the streams of events. It is looked at only while
//! somebody listens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use rpc::{BudgetInfo, ContactInfo, Event, GateInfo, NodeConnection, NodeView, Rates};

use crate::server::{AppState, body, chat, controls, feeds, overlay, people, settings, sharing, sorting, updates};

/// How often it is looked at, at most: people do not change faster than others read.
const LOOK: Duration = Duration::from_secs(1);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Without the contacts.
    told: NodeView,
    contacts: BTreeMap<String, ContactInfo>,
    rates: Option<Rates>,
    looked: Option<Instant>,
}

impl Around {
    /// Returns everything as it was told last.
    pub(super) fn view(&self) -> NodeView {
        let contacts = self.told.identity.as_ref().map(|_| self.contacts.values().cloned().collect());
        NodeView { contacts, ..self.told.clone() }
    }

    /// Lets the next comparison look, however short ago the last one did.
    pub(super) fn forget_look(&mut self) {
        self.looked = None;
    }

    /// Returns what changed, and takes it as told.
    pub(super) async fn compare(&mut self, state: &AppState) -> Vec<Event> {
        let mut events = Vec::new();
        let rates = state.rates().last();
        if rates != self.rates {
            self.rates = rates;
            events.extend(rates.map(Event::Rates));
        }
        if self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return events;
        }
        let mut view = look(state).await;
        self.looked = Some(Instant::now());
        events.extend(self.compare_contacts(view.contacts.take().unwrap_or_default()));
        let news = news(&mut self.told, view);
        if news != NodeView::default() {
            events.push(Event::Node(Box::new(news)));
        }
        events
    }

    fn compare_contacts(&mut self, contacts: Vec<ContactInfo>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut gone = std::mem::take(&mut self.contacts);
        for contact in contacts {
            if gone.remove(&contact.person).as_ref() != Some(&contact) {
                events.push(Event::Contact(Box::new(contact.clone())));
            }
            self.contacts.insert(contact.person.clone(), contact);
        }
        events.extend(gone.into_keys().map(|person| Event::ContactRemoved { person }));
        events
    }
}

/// Looks at all of it.
async fn look(state: &AppState) -> NodeView {
    let here = || State(state.clone());
    let all = body::Params(sharing::SharesParams::default());
    NodeView {
        identity: people::identity(here()).await.ok().map(content),
        nodes: people::nodes(here()).await.ok().map(content),
        contacts: people::contacts(here()).await.ok().map(content),
        invites: people::invites(here()).await.ok().map(content),
        shares: sharing::shares(here(), all).await.ok().map(content),
        rules: sharing::rules(here()).await.ok().map(content),
        libraries: sharing::libraries(here()).await.ok().map(content),
        connections: Some(content(overlay::connections(here()).await)),
        gate: Some(content(controls::gate(here()).await)),
        budget: Some(content(controls::budget(here()).await)),
        schedule: Some(content(controls::schedule(here()).await)),
        offers: Some(content(controls::offers(here()).await)),
        chat: chat::overall(here()).await.ok().map(content),
        feeds: feeds::list(here()).await.ok().map(content),
        updates: Some(content(updates::list(here()).await)),
        labels: Some(content(sorting::labels(here()).await)),
        categories: Some(content(sorting::categories(here()).await)),
        settings: Some(settings::info(state)),
    }
}

fn content<T>(Json(value): Json<T>) -> T {
    value
}

/// Returns what of `now` is new, and takes it as told.
fn news(told: &mut NodeView, now: NodeView) -> NodeView {
    NodeView {
        identity: one(&mut told.identity, now.identity, Clone::clone),
        nodes: one(&mut told.nodes, now.nodes, Clone::clone),
        contacts: None,
        invites: one(&mut told.invites, now.invites, Clone::clone),
        shares: one(&mut told.shares, now.shares, Clone::clone),
        rules: one(&mut told.rules, now.rules, Clone::clone),
        libraries: one(&mut told.libraries, now.libraries, Clone::clone),
        connections: one(&mut told.connections, now.connections, |all| all.iter().map(still).collect()),
        gate: one(&mut told.gate, now.gate, |gate| GateInfo { connections: 0, ..gate.clone() }),
        budget: one(&mut told.budget, now.budget, |budget| BudgetInfo { disk_used_bytes: 0, ..budget.clone() }),
        schedule: one(&mut told.schedule, now.schedule, Clone::clone),
        offers: one(&mut told.offers, now.offers, Clone::clone),
        chat: one(&mut told.chat, now.chat, Clone::clone),
        feeds: one(&mut told.feeds, now.feeds, Clone::clone),
        updates: one(&mut told.updates, now.updates, Clone::clone),
        labels: one(&mut told.labels, now.labels, Clone::clone),
        categories: one(&mut told.categories, now.categories, Clone::clone),
        settings: one(&mut told.settings, now.settings, Clone::clone),
    }
}

/// Returns what there is now if it differs from what was told in what stays of both.
fn one<T: Clone + PartialEq>(told: &mut Option<T>, now: Option<T>, still: impl Fn(&T) -> T) -> Option<T> {
    let now = now?;
    if told.as_ref().map(&still) == Some(still(&now)) {
        return None;
    }
    *told = Some(now.clone());
    Some(now)
}

/// A connection without what changes all the time.
fn still(connection: &NodeConnection) -> NodeConnection {
    NodeConnection { rtt_ms: None, sent_bytes: 0, received_bytes: 0, streams: 0, age_s: 0, ..connection.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_and_numbers_that_always_change_are_not() {
        let connection = NodeConnection {
            node: "n".into(),
            node_name: None,
            person: None,
            person_name: None,
            service: "people".into(),
            incoming: false,
            way: None,
            rtt_ms: Some(3.0),
            sent_bytes: 5,
            received_bytes: 6,
            streams: 1,
            age_s: 9,
        };
        let view = |connection: &NodeConnection, connections| NodeView {
            connections: Some(vec![connection.clone()]),
            gate: Some(GateInfo { who: "everyone".into(), connections, ..GateInfo::default() }),
            nodes: Some(Vec::new()),
            ..NodeView::default()
        };
        let mut told = view(&connection, 3);
        let older = NodeConnection { age_s: 10, rtt_ms: None, ..connection.clone() };
        assert_eq!(news(&mut told, view(&older, 4)), NodeView::default());
        let moved = NodeConnection { way: Some(rpc::Way::Direct("192.0.2.1:1".into())), ..older };
        let told_now = news(&mut told, view(&moved, 4));
        assert_eq!(told_now, NodeView { connections: Some(vec![moved.clone()]), ..NodeView::default() });
        assert_eq!(news(&mut told, view(&moved, 9)), NodeView::default());
    }
}
