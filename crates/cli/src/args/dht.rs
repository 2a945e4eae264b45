//! The command line of `compeer dht`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{NodeOptions, host_port};

#[derive(Debug, Args)]
pub struct Dht {
    #[command(subcommand)]
    pub command: Option<DhtCommand>,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Subcommand)]
pub enum DhtCommand {
    /// List the nodes of the table, or look for those nearest to a key
    Nodes(DhtNodes),
    /// Look for the peers of a torrent
    Peers(DhtPeers),
    /// Estimate how many peers a torrent has
    Scrape(DhtScrape),
    /// Get an item: by its hash, or by the key of its owner
    Get(DhtGet),
    /// Store a text or a file of at most 1,000 bytes
    Put(DhtPut),
    /// Ask a node for its id
    Ping(DhtNode),
    /// Tell the table of a node
    Add(DhtNode),
}

#[derive(Debug, Args)]
pub struct DhtNodes {
    /// The key, 40 hexadecimal digits [default: the nodes of the table]
    pub key: Option<String>,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct DhtPeers {
    /// An info-hash, a magnet link, or a .torrent file
    #[arg(value_name = "HASH|LINK")]
    pub torrent: String,
    /// Become one of them, reached at this port
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub announce: Option<u16>,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct DhtScrape {
    /// An info-hash, a magnet link, or a .torrent file
    #[arg(value_name = "HASH|LINK")]
    pub torrent: String,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct DhtGet {
    /// The hash of an immutable item (40 hexadecimal digits), or the public key of a mutable one's owner (64)
    #[arg(value_name = "HASH|KEY")]
    pub name: String,
    /// Which of the owner's items
    #[arg(long, value_name = "TEXT")]
    pub salt: Option<String>,
    /// Only one with a larger sequence number
    #[arg(long, value_name = "SEQ")]
    pub newer_than: Option<i64>,
    /// Write the value as it is stored, in bencode
    #[arg(long)]
    pub bencoded: bool,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct DhtPut {
    /// The text
    #[arg(required_unless_present = "file")]
    pub text: Option<String>,
    /// Store the bytes of this file; - for stdin
    #[arg(long, short, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// What is given is bencode already
    #[arg(long)]
    pub bencoded: bool,
    /// Make it a mutable item, signed with the secret key in this file; where there is no such file, a key is drawn
    #[arg(long, short, value_name = "FILE", help_heading = "Mutable items")]
    pub key: Option<PathBuf>,
    /// Tells the items of one key apart
    #[arg(long, value_name = "TEXT", requires = "key", help_heading = "Mutable items")]
    pub salt: Option<String>,
    /// The sequence number [default: one more than that of the newest]
    #[arg(long, value_name = "SEQ", requires = "key", value_parser = clap::value_parser!(i64).range(0..),
          help_heading = "Mutable items")]
    pub seq: Option<i64>,
    /// Only in place of the item with this sequence number
    #[arg(long, value_name = "SEQ", requires = "key", help_heading = "Mutable items")]
    pub cas: Option<i64>,
    /// Store it again every hour, for as long as the node runs
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct DhtNode {
    /// Its address
    #[arg(value_name = "HOST:PORT", value_parser = host_port)]
    pub address: String,
    #[command(flatten)]
    pub node: NodeOptions,
}
