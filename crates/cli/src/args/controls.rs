//! The command line of the controls: whom to meet, what to offer, how much to give, who uses what.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{RateLimit, rate_or_none};

/// Whom to meet in any case, or not.
#[derive(Debug, Args)]
pub struct Rule {
    /// A contact, a group, an address, a range such as 192.0.2.0/24, node:ID, person:ID or group:ID [default: show the lists]
    #[arg(value_name = "WHO")]
    pub who: Vec<String>,
    /// Take them off the list
    #[arg(long, requires = "who")]
    pub remove: bool,
}

#[derive(Debug, Args)]
pub struct Allow {
    #[command(flatten)]
    pub rule: Rule,
    /// Whom to meet where no list names them; who is not met comes in by no invitation either
    #[arg(long, value_name = "WHO", value_parser = clap::builder::PossibleValuesParser::new(node::Who::NAMES))]
    pub only: Option<String>,
    /// The groups whose members are met, with --only groups
    #[arg(long, value_name = "GROUP", requires = "only")]
    pub group: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Block {
    #[command(flatten)]
    pub rule: Rule,
    /// Block the addresses in this file, too: .p2p, .dat or .cidr, also with gzip
    #[arg(long, value_name = "FILE")]
    pub list: Vec<PathBuf>,
    /// Use this file no longer
    #[arg(long, value_name = "FILE")]
    pub remove_list: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Offer {
    /// The service [default: show them all]
    pub service: Option<String>,
    /// Who may come to it: everyone, acquaintances, contacts, or a list of WHO as with `allow`
    #[arg(long, value_name = "WHO,…", value_delimiter = ',', requires = "service")]
    pub to: Vec<String>,
    /// Switch it off, both ways
    #[arg(long, requires = "service", conflicts_with = "on")]
    pub off: bool,
    /// Switch it on; a tracker, relay or mailbox runs from then on
    #[arg(long, requires = "service")]
    pub on: bool,
}

#[derive(Debug, Args)]
pub struct Budget {
    /// Receive at most this many bytes per second, for example 500K; none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_or_none)]
    pub down: Option<RateLimit>,
    /// Send at most this many bytes per second; none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_or_none)]
    pub up: Option<RateLimit>,
    /// The limits are this service's
    #[arg(long, value_name = "SERVICE", conflicts_with = "person")]
    pub service: Option<String>,
    /// The limits are this person's: a contact, or an id
    #[arg(long, value_name = "PERSON")]
    pub person: Option<String>,
    /// Have at most this many connections; 0 in this and the following: the program's own choice
    #[arg(long, value_name = "NUMBER")]
    pub connections: Option<u32>,
    /// Have at most this many connections for one torrent
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["service", "person"])]
    pub per_torrent: Option<u32>,
    /// Have at most this many connections to one address
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["service", "person"])]
    pub per_address: Option<u32>,
    /// Have at most this many connections with any one person, over all of its nodes
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["service", "person"])]
    pub per_person: Option<u32>,
    /// Make at most this many connections at a time
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["service", "person"])]
    pub dials: Option<u32>,
    /// Serve at most this many peers of a torrent at a time
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["service", "person"])]
    pub slots: Option<u32>,
    /// Hold at most this much payload in memory, for example 64M; none: the program's own choice
    #[arg(long, value_name = "SIZE", value_parser = rate_or_none, conflicts_with_all = ["service", "person"])]
    pub memory: Option<RateLimit>,
    /// Download nothing while less than this is free on the disk, for example 10G; none: as long as anything is
    #[arg(long, value_name = "SIZE", value_parser = rate_or_none, conflicts_with_all = ["service", "person"])]
    pub keep_free: Option<RateLimit>,
    /// Let all that is fetched take at most this much room on the disk, for example 200G; none: as much as there is
    #[arg(long, value_name = "SIZE", value_parser = rate_or_none, conflicts_with_all = ["service", "person"])]
    pub disk: Option<RateLimit>,
    /// Write, read and check with at most this many threads
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["service", "person"])]
    pub threads: Option<u32>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Schedule {
    #[command(subcommand)]
    pub command: Option<ScheduleCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Add a window; of those that cover a moment the first counts
    Add(ScheduleAdd),
    /// Take a window away
    Remove {
        /// Its number in the list
        number: usize,
    },
}

#[derive(Debug, Args)]
pub struct ScheduleAdd {
    /// On which days it begins
    #[arg(long, default_value = "all", value_name = "mon-fri,sun")]
    pub days: String,
    /// Its beginning, by this computer's clock
    #[arg(long, value_name = "HH:MM")]
    pub from: String,
    /// Its end; before the beginning: on the next day
    #[arg(long, value_name = "HH:MM")]
    pub to: String,
    /// Receive at most this many bytes per second; none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_or_none)]
    pub down: Option<RateLimit>,
    /// Send at most this many bytes per second; none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_or_none)]
    pub up: Option<RateLimit>,
    /// Have at most this many connections
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: Option<u32>,
    /// Rest
    #[arg(long, conflicts_with_all = ["down", "up", "connections"], required_unless_present_any = ["down", "up", "connections"])]
    pub pause: bool,
}

#[derive(Debug, Args)]
pub struct Who {
    /// Show every connection
    #[arg(long, conflicts_with = "report")]
    pub all: bool,
    /// Report what was used by day
    #[arg(long)]
    pub report: bool,
    /// How many days to report
    #[arg(long, value_name = "NUMBER", default_value_t = 30, requires = "report")]
    pub days: u32,
}

/// Torrents, or everything.
#[derive(Debug, Args)]
pub struct Rest {
    /// The torrent: its id, the beginning of it, or its name
    #[arg(required_unless_present = "everything", value_name = "TORRENT")]
    pub torrents: Vec<String>,
    /// Everything that the node does, until it is told otherwise
    #[arg(long, conflicts_with = "torrents")]
    pub everything: bool,
}
