//! What changes, as server-sent events: first everything, then what is different from it.

mod chat;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::Stream;
use rpc::{Delta, Event, GroupInfo, InboxEntry, Job, Problem, TorrentSummary};
use sharing::InboxItem;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Interval, MissedTickBehavior};
use torrent::SessionEvent;

use self::chat::Chatter;
use super::problem::ApiError;
use super::{AppState, groups, sharing as inbox};
use crate::chat::Happening;
use crate::convert;

/// How often rates and progress are compared. Fast enough to look alive, slow enough to cost nothing.
const TICK: Duration = Duration::from_millis(500);

/// One client's view: what it was told last.
struct Follow {
    state: AppState,
    happened: broadcast::Receiver<SessionEvent>,
    tick: Interval,
    torrents: BTreeMap<String, TorrentSummary>,
    jobs: BTreeMap<u64, Job>,
    groups: BTreeMap<String, GroupInfo>,
    inbox: BTreeMap<String, InboxItem>,
    /// `None`: there are no conversations yet.
    chatter: Option<Chatter>,
    due: VecDeque<Event>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

/// Streams what changes.
#[utoipa::path(get, path = "/api/v1/events", responses(
    (status = 200, description = "Server-sent events, each with an Event as its data", body = Event,
     content_type = "text/event-stream"),
    (status = 401, description = "No token", body = Problem),
    (status = 429, description = "Too many streams", body = Problem),
))]
pub(crate) async fn events(State(state): State<AppState>) -> Result<impl IntoResponse, ApiError> {
    let permit = state.event_streams().try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::busy("too many event streams are open: close one"))?;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follow = Follow {
        happened: state.session().subscribe(),
        state,
        tick,
        torrents: BTreeMap::new(),
        jobs: BTreeMap::new(),
        groups: BTreeMap::new(),
        inbox: BTreeMap::new(),
        chatter: None,
        due: VecDeque::new(),
        number: 0,
        _permit: permit,
    };
    Ok(Sse::new(follow.stream()).keep_alive(KeepAlive::default()))
}

impl Follow {
    fn stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        futures_util::stream::unfold(self, |mut follow| async move {
            let event = follow.next().await;
            follow.number += 1;
            // The types of the API always have a JSON form.
            let data = serde_json::to_string(&event).unwrap_or_default();
            Some((Ok(sse::Event::default().id(follow.number.to_string()).data(data)), follow))
        })
    }

    async fn next(&mut self) -> Event {
        if self.number == 0 {
            return self.snapshot().await;
        }
        loop {
            if let Some(event) = self.due.pop_front() {
                return event;
            }
            let chats = async {
                match &mut self.chatter {
                    Some(chatter) => chatter.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                happening = chats => {
                    self.tell(&happening).await;
                    continue;
                }
                _ = self.tick.tick() => {}
                // Whatever happened, and however much of it was missed: the comparison finds it.
                result = self.happened.recv() => if matches!(result, Err(broadcast::error::RecvError::Closed)) {
                    self.tick.tick().await;
                },
                () = self.state.jobs().changed() => {}
            }
            self.compare().await;
        }
    }

    async fn snapshot(&mut self) -> Event {
        let torrents: Vec<_> = self.state.session().list().await.into_iter().map(convert::summary).collect();
        let jobs = self.state.jobs().all();
        self.torrents = torrents.iter().map(|torrent| (torrent.id.clone(), torrent.clone())).collect();
        self.jobs = jobs.iter().map(|job| (job.id, job.clone())).collect();
        let groups = self.groups_now();
        self.groups = groups.iter().map(|group| (group.id.clone(), group.clone())).collect();
        let mut inbox = Vec::new();
        for item in self.inbox_now() {
            inbox.push(self.entry(&item).await);
            self.inbox.insert(item.id().to_string(), item);
        }
        // What happens from here on is told.
        self.follow_chats();
        let chats = match &self.chatter {
            Some(chatter) => chatter.snapshot().await.unwrap_or_default(),
            None => Vec::new(),
        };
        Event::Snapshot { torrents, jobs, groups, inbox: inbox.into_iter().flatten().collect(), chats }
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

    async fn compare(&mut self) {
        let mut gone = std::mem::take(&mut self.torrents);
        for status in self.state.session().list().await {
            let new = convert::summary(status);
            match gone.remove(&new.id) {
                None => self.due.push_back(Event::Added(Box::new(new.clone()))),
                Some(old) => self.due.extend(Delta::between(&old, &new).map(Event::Changed)),
            }
            self.torrents.insert(new.id.clone(), new);
        }
        self.due.extend(gone.into_keys().map(|id| Event::Removed { id }));
        for job in self.state.jobs().all() {
            if self.jobs.get(&job.id) != Some(&job) {
                self.due.push_back(Event::Job(Box::new(job.clone())));
                self.jobs.insert(job.id, job);
            }
        }
        self.compare_people().await;
        self.follow_chats();
        if let Some(chatter) = &mut self.chatter {
            self.due.extend(chatter.tick().await);
        }
    }
}
