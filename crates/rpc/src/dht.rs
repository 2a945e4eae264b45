//! The DHT: its table, look-ups, and items (BEP 5, 33, 44).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The DHT as this node sees it. A network is absent where there is no socket for it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtInfo {
    /// The network over IPv4.
    pub v4: Option<DhtFamily>,
    /// The network over IPv6 (BEP 32).
    pub v6: Option<DhtFamily>,
    /// Whether any node is known that answers.
    pub ready: bool,
    /// How many look-ups run.
    pub tasks: u32,
    /// How many items are stored again every hour.
    pub kept: u32,
}

/// One of the two networks.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtFamily {
    /// Our id there, in hexadecimal.
    pub id: String,
    /// Our address as others see it, once enough of them agree.
    pub external: Option<String>,
    /// Whether the id suits that address (BEP 42).
    pub secure: bool,
    /// Nodes that answered lately.
    pub good: u32,
    /// Nodes that have to show that they are still there.
    pub questionable: u32,
    /// Nodes that wait for a place in the table.
    pub replacements: u32,
    /// The table, from far to near.
    pub buckets: Vec<DhtBucket>,
    /// About how many nodes the network has.
    pub network_size: Option<u64>,
    /// What went over the wire.
    pub traffic: DhtTraffic,
    /// We say that we cannot be reached (BEP 43).
    pub read_only: bool,
    /// The table was filled once.
    pub bootstrapped: bool,
    /// Swarms that others announced to us.
    pub stored_swarms: u32,
    /// The peers of these.
    pub stored_peers: u32,
    /// Items that others stored here.
    pub stored_items: u32,
    /// What happened last; empty where nothing is to be told.
    pub message: String,
}

/// One bucket of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtBucket {
    /// How many leading bits its nodes share with our id.
    pub bits: u32,
    /// Nodes that answered lately.
    pub good: u32,
    /// Nodes that have to show that they are still there.
    pub questionable: u32,
    /// Nodes that wait for a place.
    pub replacements: u32,
}

/// What went over the wire since the start, without the headers of UDP and IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtTraffic {
    /// Queries that we sent.
    pub queries_out: u64,
    /// Queries of others.
    pub queries_in: u64,
    /// Queries of others that were not answered: over a limit, or malformed.
    pub dropped: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Packets that arrived.
    pub packets_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes that arrived.
    pub bytes_in: u64,
}

/// A node of the table, or of a look-up.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtNodeInfo {
    /// Its id, in hexadecimal.
    pub id: String,
    /// Its address.
    pub address: String,
    /// How many leading bits its id shares with ours or, in a look-up, with the key.
    pub bits: u32,
    /// Whether its id suits its address (BEP 42).
    pub secure: bool,
    /// It answered lately.
    pub good: bool,
    /// It waits for a place in the table.
    pub replacement: bool,
    /// The time since it was heard of; absent in a look-up.
    pub silent_s: Option<u64>,
    /// How long its answers take.
    pub rtt_ms: Option<u64>,
}

/// Names a node of the DHT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DhtNodeRequest {
    /// Its address, as `host:port`.
    pub address: String,
}

/// A node's answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtPong {
    /// Its address.
    pub address: String,
    /// Its id, in hexadecimal.
    pub id: String,
    /// How long it took.
    pub rtt_ms: u64,
    /// Its program, as far as it says so: two letters and a version, as a rule.
    pub version: String,
    /// Whether its id suits its address (BEP 42).
    pub secure: bool,
}

/// What a look-up for peers finds, as it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum DhtPeersEvent {
    /// The look-up begins.
    Begun {
        /// How many nodes the table has, of which the nearest are asked first.
        nodes: u32,
    },
    /// Peers that were not named before. Nobody verified that they are there.
    Peers {
        /// Their addresses.
        addresses: Vec<String>,
    },
    /// The look-up is over.
    Done {
        /// How many peers it named.
        peers: u32,
        /// Why it came to nothing, where it did: no node answers, for example.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
}

/// The estimated size of a swarm (BEP 33).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtScrape {
    /// Addresses with everything.
    pub seeds: u32,
    /// Addresses without.
    pub leechers: u32,
    /// How many nodes told.
    pub nodes: u32,
}

/// An item (BEP 44).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtItem {
    /// The key that it is stored under, in hexadecimal.
    pub target: String,
    /// The bencoded value, in base64.
    pub value_base64: String,
    /// Whose it is; absent for an immutable item, which is named by its hash.
    pub owner: Option<DhtOwner>,
}

/// What a mutable item has that an immutable one lacks.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DhtOwner {
    /// The Ed25519 key that it is named by, in hexadecimal.
    pub public_key: String,
    /// Tells the items of one key apart, in hexadecimal; may be empty.
    #[serde(default)]
    pub salt_hex: String,
    /// The item with the largest one is the newest.
    pub seq: i64,
    /// The signature over salt, sequence number and value, in hexadecimal.
    pub signature: String,
}

/// Stores an item.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DhtPutRequest {
    /// The bencoded value, in base64; at most 1,000 bytes before that.
    pub value_base64: String,
    /// Makes it a mutable item. The secret key stays with the caller, who signs.
    pub owner: Option<DhtOwner>,
    /// Only over the mutable item with this sequence number: where another one is stored, the call fails.
    pub cas: Option<i64>,
    /// Store it again every hour until the node ends; without, it fades within two hours.
    pub keep: bool,
}

/// What became of a [`DhtPutRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DhtStored {
    /// The key that it is stored under, in hexadecimal.
    pub target: String,
    /// How many nodes took it.
    pub nodes: u32,
}
