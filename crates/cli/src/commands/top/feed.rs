//! What comes from the node: its events, what a pane reads, and the answers to orders.
//!
//! A node that is gone is looked for until it is back. Its lock is never touched meanwhile: a node that starts needs it.

use std::time::Duration;

use anyhow::Result;
use node::Home;
use reqwest::Method;
use rpc::{BudgetInfo, Event, GateChange, GateInfo, NodeConnection, PeerInfo, TorrentDetail, UsageInfo};
use tokio::sync::{mpsc, watch};

use super::view::{LooksAt, Order};
use crate::attach;
use crate::client::{Client, ClientError};

/// How often a node that is gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often what a pane shows is read again. Arbitrary: as often as rates are worth reading.
const READ_EVERY: Duration = Duration::from_secs(1);

/// How long an answer may take before it is said that there is none. Arbitrary: a node on a busy computer needs less.
const PATIENCE: Duration = Duration::from_secs(8);

/// Something to show.
#[derive(Debug)]
pub enum Told {
    /// The node told what changed.
    Event(Box<Event>),
    /// The node is gone, for this reason.
    Lost(String),
    /// The node is there, but does not answer; or, when it is absent, it does again.
    Slow(Option<String>),
    /// What a pane shows, and whether anything rests.
    Read(Reading, Box<GateInfo>),
    /// What became of an order.
    Answer(String),
}

/// What a pane shows beside the list.
#[derive(Debug)]
pub enum Reading {
    /// Nothing more.
    Nothing,
    /// A torrent and its peers.
    Torrent(Box<(TorrentDetail, Vec<PeerInfo>)>),
    /// The connections.
    People(Box<(UsageInfo, Vec<NodeConnection>)>),
    /// The budget.
    Budget(Box<BudgetInfo>),
}

/// The way to the node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    client: watch::Sender<Client>,
    told: mpsc::Sender<Told>,
}

impl Feed {
    /// Prepares to tell what a node tells.
    pub fn new(client: Client, told: mpsc::Sender<Told>) -> Feed {
        Feed { client: watch::Sender::new(client), told }
    }

    fn client(&self) -> Client {
        self.client.borrow().clone()
    }

    /// Follows the events, and looks for the node again when it is gone. Ends when nobody listens.
    pub async fn follow(self, home: Home) {
        loop {
            let reason = match self.pass_on().await {
                Ok(()) => return,
                Err(error) => error.to_string(),
            };
            if self.told.send(Told::Lost(reason)).await.is_err() {
                return;
            }
            loop {
                tokio::time::sleep(LOOK_AGAIN).await;
                if let Ok(Some(attached)) = attach::connect(&home).await {
                    self.client.send_replace(attached.client);
                    break;
                }
            }
        }
    }

    /// Passes events on until there are none any more (an error) or nobody listens.
    async fn pass_on(&self) -> Result<(), ClientError> {
        let mut events = self.client().events().await?;
        loop {
            let event = Told::Event(Box::new(events.next().await?));
            if self.told.send(event).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Reads what is looked at, again and again.
    pub async fn read(self, mut looks_at: watch::Receiver<LooksAt>) {
        loop {
            let wanted = looks_at.borrow_and_update().clone();
            let told = match tokio::time::timeout(PATIENCE, self.reading(&wanted)).await {
                Ok(Ok((reading, gate))) => Told::Read(reading, Box::new(gate)),
                // The events say so, too, and they know when it is back.
                Ok(Err(ClientError::Gone(_))) => Told::Slow(None),
                Ok(Err(error)) => Told::Answer(error.to_string()),
                Err(_) => Told::Slow(Some(format!("the node has not answered for {} s", PATIENCE.as_secs()))),
            };
            if self.told.send(told).await.is_err() {
                return;
            }
            tokio::select! {
                changed = looks_at.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(READ_EVERY) => {}
            }
        }
    }

    async fn reading(&self, wanted: &LooksAt) -> Result<(Reading, GateInfo), ClientError> {
        let client = self.client();
        let reading = match wanted {
            LooksAt::List => Reading::Nothing,
            LooksAt::Torrent(id) => match (client.torrent(id, false).await, client.peers(id).await) {
                (Ok(detail), Ok(peers)) => Reading::Torrent(Box::new((detail, peers))),
                // It is gone: the list says so.
                (Err(ClientError::Problem(_)), _) | (_, Err(ClientError::Problem(_))) => Reading::Nothing,
                (Err(error), _) | (_, Err(error)) => return Err(error),
            },
            LooksAt::People => {
                Reading::People(Box::new((client.get("/usage").await?, client.get("/connections").await?)))
            }
            LooksAt::Budget => Reading::Budget(client.get("/budget").await?),
        };
        Ok((reading, client.get("/gate").await?))
    }

    /// Does what is ordered, one after the other, and tells what became of it.
    pub async fn obey(self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            let answer = self.order(order).await;
            if self.told.send(Told::Answer(answer)).await.is_err() {
                return;
            }
        }
    }

    async fn order(&self, order: Order) -> String {
        let client = self.client();
        let (done, result) = match order {
            Order::Pause { id, name } => (format!("paused {name}"), client.act(&id, "pause").await),
            Order::Resume { id, name } => (format!("resumed {name}"), client.act(&id, "resume").await),
            Order::Remove { id, name, with_data: false } => {
                (format!("removed {name}; its files stay"), client.remove(&id, false).await)
            }
            Order::Remove { id, name, with_data: true } => {
                (format!("removed {name} and its files"), client.remove(&id, true).await)
            }
            Order::Rest(paused) => {
                let change = GateChange { paused: Some(paused), ..GateChange::default() };
                let done = if paused { "everything is paused" } else { "everything goes on" };
                (done.to_owned(), client.tell(Method::PATCH, "/gate", Some(&change)).await.map(|_| ()))
            }
        };
        result.map_or_else(|error| error.to_string(), |()| done)
    }
}
