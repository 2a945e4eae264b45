//! What `compeer top` shows, and what keys do to it. No terminal and no network: [`super::draw`] looks at it.

mod order;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use console::Key;
use rpc::{BudgetInfo, Event, GateInfo, NodeConnection, PeerInfo, TorrentDetail, TorrentSummary, UsageInfo};

pub use self::order::Sort;
use super::feed::{Reading, Told};
use super::look::Look;
use crate::out::clean;

/// How many rates are remembered, one a second. Arbitrary: more than the widest terminal has columns.
const REMEMBERED: usize = 600;

/// How long it is said what became of an order.
const SAID_FOR: Duration = Duration::from_secs(6);

/// A page, before the first drawing told how long one is.
const PAGE: usize = 10;

/// What fills the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    #[default]
    Transfers,
    /// One torrent with its peers.
    Details,
    People,
    Budget,
}

/// What has to be read for the pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LooksAt {
    #[default]
    List,
    Torrent(String),
    People,
    Budget,
}

/// What is asked of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Pause {
        id: String,
        name: String,
    },
    Resume {
        id: String,
        name: String,
    },
    Remove {
        id: String,
        name: String,
        with_data: bool,
    },
    /// Everything rests, or goes on.
    Rest(bool),
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// The screen shows it.
    Seen,
    /// The node has to do something.
    Order(Order),
    /// The user has enough.
    Quit,
}

/// What is asked back before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Remove(String),
    Rest(bool),
}

/// How it stands with the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing was told yet.
    Beginning,
    Live,
    /// Why, and since when.
    Lost(String, Instant),
}

/// What is on the screen.
#[derive(Debug)]
pub struct View {
    pub look: Look,
    pub pane: Pane,
    pub link: Link,
    /// Why nothing is heard of a node that is there.
    pub slow: Option<String>,
    pub sort: Sort,
    pub reversed: bool,
    pub question: Option<Question>,
    pub gate: Option<GateInfo>,
    pub detail: Option<(TorrentDetail, Vec<PeerInfo>)>,
    pub people: Option<(UsageInfo, Vec<NodeConnection>)>,
    pub budget: Option<BudgetInfo>,
    /// Rates down and up, one a second, the newest last.
    pub rates: VecDeque<(u64, u64)>,
    /// How many lines the pane can show; the drawing says so.
    pub page: usize,
    /// How many lines are above the screen; the drawing takes back what is too far.
    pub above: usize,
    torrents: BTreeMap<String, TorrentSummary>,
    /// The ids in the order in which they are shown.
    order: Vec<String>,
    /// They may have to be put in order anew.
    is_stale: bool,
    chosen: Option<String>,
    said: Option<(String, Instant)>,
    now: Instant,
}

impl View {
    /// Begins with nothing to show.
    pub fn new(look: Look, now: Instant) -> View {
        View {
            look,
            pane: Pane::default(),
            link: Link::Beginning,
            slow: None,
            sort: Sort::default(),
            reversed: false,
            question: None,
            gate: None,
            detail: None,
            people: None,
            budget: None,
            rates: VecDeque::new(),
            page: PAGE,
            above: 0,
            torrents: BTreeMap::new(),
            order: Vec::new(),
            is_stale: false,
            chosen: None,
            said: None,
            now,
        }
    }

    /// Tells what has to be read for what is shown.
    pub fn looks_at(&self) -> LooksAt {
        match (self.pane, &self.chosen) {
            (Pane::Details, Some(id)) => LooksAt::Torrent(id.clone()),
            (Pane::Transfers | Pane::Details, _) => LooksAt::List,
            (Pane::People, _) => LooksAt::People,
            (Pane::Budget, _) => LooksAt::Budget,
        }
    }

    /// Returns the torrents in the order in which they are shown.
    pub fn torrents(&self) -> impl Iterator<Item = &TorrentSummary> {
        self.order.iter().filter_map(|id| self.torrents.get(id))
    }

    /// Returns the torrent that is chosen.
    pub fn chosen(&self) -> Option<&TorrentSummary> {
        self.torrents.get(self.chosen.as_ref()?)
    }

    /// Returns where in the order the chosen torrent stands.
    pub fn place(&self) -> Option<usize> {
        self.order.iter().position(|id| Some(id) == self.chosen.as_ref())
    }

    /// Returns a torrent by its id.
    pub fn torrent(&self, id: &str) -> Option<&TorrentSummary> {
        self.torrents.get(id)
    }

    /// Returns the rates of all torrents together, down and up.
    pub fn rate(&self) -> (u64, u64) {
        let sum = |(down, up): (u64, u64), torrent: &TorrentSummary| {
            (down.saturating_add(torrent.download_bytes_per_s), up.saturating_add(torrent.upload_bytes_per_s))
        };
        self.torrents.values().fold((0, 0), sum)
    }

    /// Returns what became of the last order, or why one was not given.
    pub fn said(&self) -> Option<&str> {
        self.said.as_ref().map(|(said, _)| said.as_str())
    }

    /// Returns for how long the node has been gone.
    pub fn gone_for(&self) -> Option<Duration> {
        match &self.link {
            Link::Lost(_, since) => Some(self.now.saturating_duration_since(*since)),
            Link::Beginning | Link::Live => None,
        }
    }

    /// Says something at the end of the screen for a while.
    pub fn say(&mut self, text: impl Into<String>) {
        self.said = Some((clean(&text.into()), self.now));
    }

    /// A second passed.
    pub fn tick(&mut self, now: Instant) {
        self.now = now;
        self.said.take_if(|(_, since)| now.saturating_duration_since(*since) >= SAID_FOR);
        // What a node does that is gone is not known: the curve stands still.
        if self.link == Link::Live {
            self.rates.push_back(self.rate());
            let many = self.rates.len().saturating_sub(REMEMBERED);
            self.rates.drain(..many);
        }
    }

    /// Takes what was told.
    pub fn take(&mut self, told: Told, now: Instant) {
        self.now = now;
        match told {
            Told::Event(event) => self.apply(*event),
            Told::Lost(reason) => {
                // The first reason is the one that says something; the moment stays that of the loss.
                if !matches!(self.link, Link::Lost(..)) {
                    self.link = Link::Lost(reason, now);
                }
                self.slow = None;
            }
            Told::Slow(reason) => self.slow = reason,
            Told::Answer(answer) => self.say(answer),
            Told::Read(reading, gate) => {
                self.slow = None;
                self.gate = Some(*gate);
                match reading {
                    Reading::Nothing => {}
                    Reading::Torrent(detail) => self.detail = Some(*detail),
                    Reading::People(people) => self.people = Some(*people),
                    Reading::Budget(budget) => self.budget = Some(*budget),
                }
            }
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Snapshot { torrents, .. } => {
                self.torrents = torrents.into_iter().map(|torrent| (torrent.id.clone(), torrent)).collect();
                self.link = Link::Live;
            }
            // Of these many come at once: they are put in order when they are to be seen.
            Event::Added(torrent) => {
                self.torrents.insert(torrent.id.clone(), *torrent);
                self.is_stale = true;
                return;
            }
            Event::Changed(delta) => {
                if let Some(torrent) = self.torrents.get_mut(&delta.id) {
                    delta.apply(torrent);
                    self.is_stale = true;
                }
                return;
            }
            Event::Removed { id } => {
                self.torrents.remove(&id);
            }
            // People and conversations have their own commands.
            _ => return,
        }
        self.arrange();
    }

    /// Puts the torrents in order if something was told that may have changed it; the drawing begins with it.
    pub fn settle(&mut self) {
        if self.is_stale {
            self.arrange();
        }
    }

    /// Puts the torrents in order, and keeps the choice on one that is there.
    fn arrange(&mut self) {
        self.is_stale = false;
        let place = self.place().unwrap_or(0);
        self.order = self.sort.order(&self.torrents, self.reversed);
        if self.chosen().is_none() {
            // The one that took the place of a removed one; the last, where it was the last.
            self.chosen = self.order.get(place).or(self.order.last()).cloned();
            if self.pane == Pane::Details {
                self.show(Pane::Transfers);
            }
        }
        if let Some(Question::Remove(id)) = &self.question
            && !self.torrents.contains_key(id)
        {
            self.question = None;
        }
    }

    /// Does what a key means.
    pub fn press(&mut self, key: &Key) -> Press {
        // Ctrl-D as well: it ends what reads from a terminal.
        if matches!(key, Key::CtrlC | Key::Char('\u{4}')) {
            return Press::Quit;
        }
        if let Some(question) = self.question.take() {
            return self.answer(question, key);
        }
        match key {
            Key::Char('q') => return Press::Quit,
            Key::Escape | Key::Backspace | Key::Enter if self.pane == Pane::Details => self.show(Pane::Transfers),
            Key::Enter if self.pane == Pane::Transfers && self.chosen.is_some() => self.show(Pane::Details),
            Key::Char('1') => self.show(Pane::Transfers),
            Key::Char('2') => self.show(Pane::People),
            Key::Char('3') => self.show(Pane::Budget),
            Key::Tab | Key::ArrowRight => self.next_pane(1),
            Key::BackTab | Key::ArrowLeft => self.next_pane(2),
            Key::ArrowUp | Key::Char('k') => self.go(-1),
            Key::ArrowDown | Key::Char('j') => self.go(1),
            Key::PageUp => self.go(-(self.page.max(1) as isize)),
            Key::PageDown => self.go(self.page.max(1) as isize),
            Key::Home | Key::Char('g') => self.go(isize::MIN),
            Key::End | Key::Char('G') => self.go(isize::MAX),
            Key::Char('s') if self.pane == Pane::Transfers => {
                (self.sort, self.reversed) = (self.sort.next(), false);
                self.arrange();
            }
            Key::Char('S') if self.pane == Pane::Transfers => {
                self.reversed = !self.reversed;
                self.arrange();
            }
            Key::Char('P') => self.question = Some(Question::Rest(!self.is_paused())),
            Key::Char('p') => return self.pause_or_resume(),
            Key::Char('x') | Key::Del if self.on_torrent() => {
                self.question = self.chosen.clone().map(Question::Remove);
            }
            _ => {}
        }
        Press::Seen
    }

    /// Tells whether keys mean the chosen torrent.
    pub fn on_torrent(&self) -> bool {
        matches!(self.pane, Pane::Transfers | Pane::Details) && self.chosen().is_some()
    }

    /// Tells whether the user paused everything.
    pub fn is_paused(&self) -> bool {
        self.gate.as_ref().is_some_and(|gate| gate.paused)
    }

    fn pause_or_resume(&self) -> Press {
        let Some(torrent) = self.chosen().filter(|_| self.on_torrent()) else { return Press::Seen };
        let (id, name) = (torrent.id.clone(), torrent.name.clone());
        let stopped = matches!(torrent.state, rpc::TorrentState::Paused | rpc::TorrentState::Failed);
        Press::Order(if stopped { Order::Resume { id, name } } else { Order::Pause { id, name } })
    }

    fn answer(&mut self, question: Question, key: &Key) -> Press {
        let yes = matches!(key, Key::Char('y' | 'Y'));
        match question {
            Question::Rest(paused) if yes => Press::Order(Order::Rest(paused)),
            // A capital: nobody deletes files by a key that was meant for something else.
            Question::Remove(id) if yes || *key == Key::Char('D') => {
                let name = self.torrents.get(&id).map(|torrent| torrent.name.clone()).unwrap_or_default();
                Press::Order(Order::Remove { id, name, with_data: !yes })
            }
            Question::Rest(_) | Question::Remove(_) => Press::Seen,
        }
    }

    fn show(&mut self, pane: Pane) {
        // What was read before is of another moment, and perhaps of another torrent.
        (self.detail, self.people, self.budget) = (None, None, None);
        (self.pane, self.above) = (pane, 0);
    }

    fn next_pane(&mut self, steps: usize) {
        let panes = [Pane::Transfers, Pane::People, Pane::Budget];
        // Details belong to the transfers.
        let now = panes.iter().position(|pane| *pane == self.pane).unwrap_or(0);
        self.show(panes[(now + steps) % panes.len()]);
    }

    fn go(&mut self, lines: isize) {
        if self.pane != Pane::Transfers {
            self.above = self.above.saturating_add_signed(lines);
            return;
        }
        let last = self.order.len().saturating_sub(1);
        let place = self.place().unwrap_or(0).saturating_add_signed(lines).min(last);
        self.chosen = self.order.get(place).cloned();
    }
}
