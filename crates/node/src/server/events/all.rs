//! Everything that changes: first all there is, then what is different from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use rpc::{Delta, Event, GroupInfo, InboxEntry, Job, Problem, TorrentSummary};
use sharing::InboxItem;
use tokio::sync::broadcast;
use tokio::time::Instant;
use torrent::{SessionEvent, TorrentId, Watcher};

use super::chat::Chatter;
use super::hub::{Desk, LINGER};
use super::node::Around;
use super::{LastId, text};
use crate::chat::Happening;
use crate::server::problem::ApiError;
use crate::server::{AppState, groups, sharing as inbox};
use crate::sorting::Sorted;

/// How often rates and progress are compared. Fast enough to look alive, slow enough to cost nothing.
const TICK: Duration = Duration::from_millis(500);

/// How soon what happened is told: a hundred torrents that are added at once are found by one look. Arbitrary: no eye sees it.
const SOON: Duration = Duration::from_millis(50);

/// What was told last, by which the next look finds what changed.
struct Follow {
    state: AppState,
    happened: broadcast::Receiver<SessionEvent>,
    /// The torrents that are there had this number.
    version: Option<u64>,
    torrents: BTreeMap<TorrentId, TorrentSummary>,
    /// Labels and categories had these numbers.
    sorted: Option<(u64, u64)>,
    jobs: BTreeMap<u64, Job>,
    groups: BTreeMap<String, GroupInfo>,
    inbox: BTreeMap<String, InboxItem>,
    around: Around,
    /// `None`: there are no conversations yet.
    chatter: Option<Chatter>,
    due: VecDeque<Event>,
}

/// Streams what changes: first everything, then each change.
#[utoipa::path(get, path = "/api/v1/events", params(LastId), responses(
    (status = 200, description = "Server-sent events, each with an Event as its data", body = Event,
     content_type = "text/event-stream"),
    (status = 401, description = "No token", body = Problem),
    (status = 429, description = "Too many streams", body = Problem),
    (status = 503, description = "The node ends", body = Problem),
))]
pub(crate) async fn events(State(state): State<AppState>, last: LastId) -> Result<Response, ApiError> {
    let look = |desk| Follow::new(state.clone()).run(desk);
    super::answer(&state, &state.streams().all, last, look)
}

impl Follow {
    fn new(state: AppState) -> Follow {
        Follow {
            happened: state.session().subscribe(),
            state,
            version: None,
            torrents: BTreeMap::new(),
            sorted: None,
            jobs: BTreeMap::new(),
            groups: BTreeMap::new(),
            inbox: BTreeMap::new(),
            around: Around::default(),
            chatter: None,
            due: VecDeque::new(),
        }
    }

    /// Looks, and tells what changed, until nobody has followed for a while.
    async fn run(mut self, mut desk: Desk) {
        self.compare().await;
        // Nobody was told anything yet to which this would be a change.
        self.due.clear();
        let (mut next, mut followed) = (Instant::now(), Instant::now());
        loop {
            let chats = async {
                match &mut self.chatter {
                    Some(chatter) => chatter.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                happening = chats => {
                    self.tell(&happening).await;
                    self.publish(&desk);
                }
                () = tokio::time::sleep_until(next) => {
                    self.compare().await;
                    self.publish(&desk);
                    next = Instant::now() + TICK;
                    if desk.is_followed() {
                        followed = Instant::now();
                    } else if followed.elapsed() > LINGER && desk.retire() {
                        return;
                    }
                }
                // Whatever happened, and however much of it was missed: the look finds it.
                result = self.happened.recv() => match result {
                    Err(broadcast::error::RecvError::Closed) => return,
                    _ => next = next.min(Instant::now() + SOON),
                },
                () = self.state.jobs().changed() => next = next.min(Instant::now() + SOON),
                // Who follows keeps the other end.
                Some(answer) = desk.asked.recv() => {
                    // Whatever is another than it was told is told to the others before. Who begins to follow may just have
                    // done something, and is not to be told what was before it.
                    self.around.forget_look();
                    self.compare().await;
                    self.publish(&desk);
                    desk.give(answer, vec![text(&self.snapshot().await)]);
                }
            }
        }
    }

    fn publish(&mut self, desk: &Desk) {
        desk.tell(self.due.drain(..).map(|event| text(&event)));
    }

    /// Returns everything as it was told last: what the next look finds to be another is a change to this, and told.
    async fn snapshot(&mut self) -> Event {
        for status in self.state.session().list().await {
            // It grows without a word.
            if let Some(told) = self.torrents.get_mut(&status.id) {
                told.seeding_s = status.seeding_time.as_secs();
            }
        }
        let torrents = self.torrents.values().cloned().collect();
        let jobs = self.jobs.values().cloned().collect();
        let groups = self.groups.values().cloned().collect();
        let mut inbox = Vec::new();
        for item in self.inbox.values() {
            inbox.extend(self.entry(item).await);
        }
        let chats = match &self.chatter {
            Some(chatter) => chatter.snapshot().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let node = self.around.view().into();
        Event::Snapshot { torrents, jobs, groups, inbox, chats, node }
    }

    /// Begins to follow the conversations, as soon as there are any.
    fn follow_chats(&mut self) {
        if self.chatter.is_none() {
            self.chatter = self.state.chat().ok().map(|chat| Chatter::new(chat.clone()));
        }
    }

    async fn tell(&mut self, happening: &Happening) {
        if let Some(chatter) = &mut self.chatter {
            self.due.extend(chatter.tell(happening).await);
        }
    }

    fn groups_now(&self) -> Vec<GroupInfo> {
        self.state.groups().map(groups::infos).unwrap_or_default()
    }

    fn inbox_now(&self) -> Vec<InboxItem> {
        let mut items = self.state.sharing().map(|sharing| sharing.inbox()).unwrap_or_default();
        // What goes with messages is told of there.
        items.retain(|item| !item.notice.attached);
        items
    }

    async fn entry(&self, item: &InboxItem) -> Option<InboxEntry> {
        let sharing = self.state.sharing().ok()?;
        Some(inbox::entry(&self.state, sharing, item.clone()).await)
    }

    async fn compare_people(&mut self) {
        let mut gone = std::mem::take(&mut self.groups);
        for group in self.groups_now() {
            if gone.remove(&group.id).as_ref() != Some(&group) {
                self.due.push_back(Event::Group(Box::new(group.clone())));
            }
            self.groups.insert(group.id.clone(), group);
        }
        self.due.extend(gone.into_keys().map(|id| Event::GroupRemoved { id }));
        let mut gone = std::mem::take(&mut self.inbox);
        for item in self.inbox_now() {
            let id = item.id().to_string();
            if gone.remove(&id).as_ref() != Some(&item)
                && let Some(entry) = self.entry(&item).await
            {
                self.due.push_back(Event::Inbox(Box::new(entry)));
            }
            self.inbox.insert(id, item);
        }
        self.due.extend(gone.into_keys().map(|torrent| Event::InboxRemoved { torrent }));
    }

    /// Looks at the torrents that may have changed: those that say so, and those whose rates fade.
    async fn compare_torrents(&mut self) {
        let session = self.state.session().clone();
        let fades = |torrent: &TorrentSummary| torrent.download_bytes_per_s > 0 || torrent.upload_bytes_per_s > 0;
        let mut look: BTreeSet<TorrentId> = session.take_changed(Watcher::Events).into_iter().collect();
        look.extend(self.torrents.iter().filter(|(_, torrent)| fades(torrent)).map(|(id, _)| *id));
        let version = session.version();
        if self.version.replace(version) != Some(version) {
            let there: BTreeSet<TorrentId> = session.ids().into_iter().collect();
            let gone: Vec<_> = self.torrents.keys().filter(|id| !there.contains(id)).copied().collect();
            for id in gone {
                self.torrents.remove(&id);
                self.due.push_back(Event::Removed { id: id.to_string() });
            }
            look.extend(there.into_iter().filter(|id| !self.torrents.contains_key(id)));
        }
        let sorted = self.state.sorting().version();
        if self.sorted.replace(sorted) != Some(sorted) {
            look.extend(self.torrents.iter().filter(|(id, told)| self.is_sorted_anew(**id, told)).map(|(id, _)| *id));
        }
        for id in look {
            // One that is removed meanwhile is found gone by the next look.
            let Ok(status) = session.status(id).await else { continue };
            let new = self.state.summary(status);
            match self.torrents.get_mut(&id) {
                Some(old) => {
                    // The seeding time alone is not worth telling: it grows every second.
                    let same = TorrentSummary { seeding_s: old.seeding_s, ..new.clone() };
                    if same != *old {
                        self.due.extend(Delta::between(old, &new).map(Event::Changed));
                        *old = new;
                    }
                }
                None => {
                    self.due.push_back(Event::Added(Box::new(new.clone())));
                    self.torrents.insert(id, new);
                }
            }
        }
    }

    fn is_sorted_anew(&self, id: TorrentId, told: &TorrentSummary) -> bool {
        let Sorted { labels, category } = self.state.sorting().of(id);
        labels != told.labels || category != told.category
    }

    async fn compare(&mut self) {
        self.compare_torrents().await;
        for job in self.state.jobs().all() {
            if self.jobs.get(&job.id) != Some(&job) {
                self.due.push_back(Event::Job(Box::new(job.clone())));
                self.jobs.insert(job.id, job);
            }
        }
        self.compare_people().await;
        self.due.extend(self.around.compare(&self.state).await);
        self.follow_chats();
        if let Some(chatter) = &mut self.chatter {
            self.due.extend(chatter.tick().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use rpc::TorrentState;
    use serde_json::json;

    use super::*;
    use crate::server::tests::{Alice, run};

    #[test]
    fn what_is_another_for_a_moment_beside_a_snapshot_does_not_stay_in_it() {
        run(async {
            let alice = Alice::start().await;
            let path = alice.home.path().join("photo");
            std::fs::write(&path, "photo").unwrap();
            alice.share(json!({ "path": path.to_str().unwrap() })).await;
            let (state, session) = (alice.state(), alice.state().session().clone());
            let id = session.ids()[0];
            let mut follow = Follow::new(state.clone());
            follow.compare().await;
            follow.due.clear();

            session.pause(id).await.unwrap();
            let Event::Snapshot { mut torrents, .. } = follow.snapshot().await else { panic!("no snapshot") };
            session.resume(id).await.unwrap();
            while state.summary(session.status(id).await.unwrap()).state != TorrentState::Seeding {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            follow.compare().await;
            for event in &follow.due {
                if let Event::Changed(delta) = event {
                    delta.clone().apply(&mut torrents[0]);
                }
            }
            assert_eq!(torrents[0].state, TorrentState::Seeding);
            alice.stop().await;
        });
    }
}
