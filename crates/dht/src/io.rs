//! What can happen to the DHT, and what it wants done.

use core::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::{Id, Item, ItemName};

/// A task's number, chosen by whoever starts it; not to be used twice while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// What can happen to the DHT.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A packet arrived. One that is no bencoded dictionary is ignored.
    Received {
        /// From where.
        from: SocketAddr,
        /// Its bytes.
        packet: &'a [u8],
    },
    /// Do something. Ends with one [`Output::Done`].
    Start {
        /// The number of the task.
        id: TaskId,
        /// What to do.
        task: Task,
    },
    /// Nobody waits for this task any more; no output follows.
    Cancel(TaskId),
    /// Here may be a node: from a PORT message, a torrent's `nodes`, a user. It is asked whether it is one.
    AddNode(SocketAddr),
    /// Here is a well-known host of the network: asked for others while the table has too few, never kept.
    AddHost(SocketAddr),
    /// No longer store an item again every hour that [`Task::Put`] began to keep.
    Forget(Id),
    /// The port is mapped, or no longer: whether strangers can reach us, as far as somebody else knows.
    Reachable(bool),
    /// The time that [`crate::DhtNode::poll_timeout`] named has come.
    Timeout,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Look for the peers of a swarm, and be one if `announce` is there (BEP 5).
    FindPeers {
        /// The swarm: an info-hash.
        info_hash: Id,
        /// How others reach us; `None`: only look.
        announce: Option<Announce>,
    },
    /// Estimate the size of a swarm (BEP 33).
    Scrape {
        /// The swarm: an info-hash.
        info_hash: Id,
    },
    /// Look for the nodes that are nearest to a key.
    FindNodes {
        /// The key.
        target: Id,
    },
    /// Look for an item (BEP 44).
    Get {
        /// Which.
        name: ItemName,
        /// Of a mutable item, only one with a larger sequence number.
        newer_than: Option<i64>,
    },
    /// Store an item (BEP 44).
    Put {
        /// What.
        item: Item,
        /// Only over a mutable item with this sequence number: where another one is stored, the task fails.
        cas: Option<i64>,
        /// Store it again every hour, until [`Input::Forget`]; else it fades within two hours.
        keep: bool,
    },
    /// Ask a node for its id.
    Ping {
        /// Its address.
        to: SocketAddr,
    },
    /// Ask a node for some of the info-hashes that it stores (BEP 51).
    Sample {
        /// Its address.
        to: SocketAddr,
        /// It names nodes near this key too.
        target: Id,
    },
}

/// How others reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The port of our peer wire, as seen from outside.
    pub port: u16,
    /// The port that the packet comes from stands instead of `port`: right for uTP on the DHT's socket behind a router
    /// that renumbers ports.
    pub implied_port: bool,
    /// We have everything (BEP 33).
    pub seed: bool,
}

/// What the DHT wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a packet.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its bytes.
        packet: Vec<u8>,
    },
    /// Peers that a [`Task::FindPeers`] found: none that it told before.
    Peers {
        /// Which task.
        id: TaskId,
        /// Where they are said to be. Nobody verified it.
        peers: Vec<SocketAddr>,
    },
    /// A task is over.
    Done {
        /// Which.
        id: TaskId,
        /// What came of it.
        result: Result<Found, Failure>,
    },
    /// The table has too few nodes: resolve the well-known hosts and hand them in as [`Input::AddHost`].
    NeedHosts,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The look-up for peers is over.
    Peers {
        /// How many peers it told.
        peers: u32,
        /// How many nodes took our announcement.
        announced: u32,
        /// How many queries the look-up took, announcing not counted.
        queries: u32,
    },
    /// Estimates of a swarm's size.
    Scrape(Scrape),
    /// The nearest nodes, nearest first.
    Nodes(Vec<NodeAddress>),
    /// The item, if any node had it: the newest that was found.
    Item(Option<Item>),
    /// The item is stored.
    Stored {
        /// On how many nodes.
        nodes: u32,
    },
    /// The node answered.
    Pong(Pong),
    /// Info-hashes that the node stores.
    Sample(Sample),
}

/// Estimates of a swarm's size (BEP 33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrape {
    /// Addresses with everything.
    pub seeds: u32,
    /// Addresses without.
    pub peers: u32,
    /// How many nodes told.
    pub nodes: u32,
}

/// A node and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAddress {
    /// Its id.
    pub id: Id,
    /// Its address.
    pub address: SocketAddr,
}

/// A node's answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong {
    /// Its id.
    pub id: Id,
    /// How long it took.
    pub rtt: Duration,
    /// What it says about its program: two letters and a version, as a rule. At most 16 bytes.
    pub version: Bytes,
    /// Whether its id suits its address (BEP 42).
    pub secure: bool,
}

/// A node's sample of the info-hashes that it stores (BEP 51).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Some of them.
    pub info_hashes: Vec<Id>,
    /// How many it has.
    pub total: u32,
    /// When to ask again.
    pub interval: Duration,
    /// Nodes near the key that was named.
    pub nodes: Vec<NodeAddress>,
}

/// Why nothing came of a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No node is known, or none answers.
    #[error(
        "no DHT node answers: wait until a peer tells one, or name one (`bootstrap` in [network] of config.toml, POST \
         /api/v1/dht/nodes)"
    )]
    NoNodes,
    /// The node that was asked is silent.
    #[error("the node does not answer: is it a node of the DHT, and is it still there?")]
    Silent,
    /// The node that was asked, or all of them, refuse.
    #[error("the nodes of the DHT refuse it: {code} {message}; check what was given, or try again later")]
    Refused {
        /// The code (BEP 5, Errors; BEP 44, Errors).
        code: i64,
        /// The message, without control characters.
        message: String,
    },
    /// A node stores a newer item, or not the one that `cas` names.
    #[error("the item changed meanwhile (sequence number {seq} is stored): get it and try again")]
    Conflict {
        /// The sequence number that is stored.
        seq: i64,
    },
    /// As many items are kept already as can be.
    #[error("too many items are stored again every hour: forget one")]
    TooManyKept,
    /// Too many tasks run already.
    #[error("too many DHT tasks run at a time: try again when one is done")]
    TooMany,
    /// The address is of a family that we have no socket of.
    #[error("there is no socket for addresses of this kind: name one of the other kind, IPv4 or IPv6")]
    NoSocket,
}
