//! The command line: every command, option and its help text. Also the source of the completions and the man page.

mod chat;
mod controls;
mod desktop;
mod dht;
mod group;
mod people;
mod sharing;
mod sorting;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

pub use chat::{Chat, ExportFormat, Room, RoomCommand};
pub use controls::{Allow, Block, Budget, Offer, Rest, Rule, Schedule, ScheduleCommand, Who};
pub use desktop::{Completions, Desktop, DesktopInstall, Man, Shell};
pub use dht::{Dht, DhtCommand, DhtGet, DhtNode, DhtPut};
pub use group::{Group, GroupCreate, GroupInvite, RoleName};
pub use people::{
    Contact, ContactAdd, ContactCommand, ContactInvite, ContactVerify, Give, Id, IdPasswd, IdRestore, IdShow, Init,
    NodeArgs, NodeCommand, NodeJoin, NodeRevoke, PassphraseChoice,
};
pub use sharing::{Audience, Browse, Inbox, InboxCommand, InboxRuleCommand, InboxWhose, Library, LibraryCommand};
pub use sorting::{Goal, GoalTime, Label, List, SortOptions};

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed, with one sentence on stderr; 2 the command line is wrong; \
                          130 stopped by Ctrl-C before it was done.";

/// Share files with people's computers directly, and get files from them.
#[derive(Debug, Parser)]
#[command(name = "compeer", version, max_term_width = 100, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The data directory: settings, list of torrents, lock. One node runs in it at a time
    #[arg(long, global = true, env = "COMPEER_HOME", value_name = "DIR", help_heading = "Everywhere")]
    pub home: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Tell on stderr what happens inside; twice for more (or set COMPEER_LOG, for example net=debug)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Share a file or folder: prints a link, then serves it until Ctrl-C
    Share(Share),
    /// Get what a link describes: a magnet, a .torrent file, or the URL of one
    Get(Get),
    /// Talk with a contact or in a group, or list the conversations
    Chat(Chat),
    /// List and open the rooms of a group, talk in one
    Room(Room),
    /// Show who wrote to you and what others share with you, and say yes or no to it
    Inbox(Inbox),
    /// Let people look into a folder, and take what is there
    Library(Library),
    /// Look into somebody's libraries, and take what is there
    Browse(Browse),
    /// Run the node until Ctrl-C, for the other commands to talk to
    Up(Up),
    /// Open the page of the running node in a browser, logged in
    Open(Open),
    /// Choose the password by which your browsers log in, also from other computers
    Password(Password),
    /// Hand something to the running node to fetch, without waiting for it
    Add(Add),
    /// List the torrents of the running node
    List(List),
    /// Watch the transfers, the people and the budget of the running node, live in the terminal
    Top,
    /// Show one torrent, or the node itself
    Info(Info),
    /// Stop a torrent's transfers for now, or everything
    Pause(Rest),
    /// Let a torrent, or everything, go on
    Resume(Rest),
    /// Forget a torrent; its files stay unless --with-data
    Remove(Remove),
    /// Hash again what is on disk
    Recheck(Which),
    /// Ask a torrent's trackers for peers now
    Announce(Which),
    /// Show the peers of a torrent, or connect to one more
    Peers(Peers),
    /// Show the files of a torrent, or choose and prioritise them
    Files(Files),
    /// Read or play a file while it is fetched
    Stream(Stream),
    /// Show or change how fast the node, or one torrent, may send and receive
    Limit(Limit),
    /// Show or change the labels and the category by which torrents are sorted
    Label(Label),
    /// Show or change when the seeding of a torrent ends
    Goal(Goal),
    /// Show the feeds of the settings, and what was added of them
    Feeds(Feeds),
    /// Show or change how much the node gives and takes, and how many connections it has
    Budget(Budget),
    /// Show or change when other limits hold
    Schedule(Schedule),
    /// Show whom the node meets, or whom to meet in any case
    Allow(Allow),
    /// Show whom the node meets, or whom not to meet
    Block(Block),
    /// Show the services of the node, or offer one to certain people
    Offer(Offer),
    /// Show who uses what now, by person, service and carrier
    Who(Who),
    /// Make an identity, by which other people and nodes know you
    Init(Init),
    /// Show who you are; export or restore the recovery phrase
    #[command(subcommand)]
    Id(Id),
    /// List, add and revoke your nodes
    Node(NodeArgs),
    /// Begin groups of people, come into them, say who belongs to them
    #[command(subcommand)]
    Group(Group),
    /// Invite, add, list and block contacts
    Contact(Contact),
    /// Show with which nodes this one is connected, and by which way: direct or relayed
    Connections,
    /// Ask a node of somebody whether it is there, and show the way to it
    Ping(Ping),
    /// Show the DHT, look for peers in it, get and store items
    Dht(Dht),
    /// Create, show, verify and edit .torrent files, without a node
    #[command(subcommand)]
    Torrent(Torrent),
    /// Open magnet links and .torrent files by a click
    #[command(subcommand)]
    Desktop(Desktop),
    /// Print the completions for a shell
    Completions(Completions),
    /// Print the manual page, or write one for every command
    Man(Man),
}

/// Options of a node that this command may start.
#[derive(Clone, Debug, Default, Args)]
pub struct NodeOptions {
    /// Wait for peers at this address and port (port 0: any) [default: every address, the last port]
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Network")]
    pub listen: Option<SocketAddr>,
    /// Receive at most this many bytes per second, for example 500K or 2M
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Network")]
    pub down_limit: Option<u64>,
    /// Send at most this many bytes per second
    #[arg(long, value_name = "RATE", value_parser = rate, help_heading = "Network")]
    pub up_limit: Option<u64>,
    /// Switch parts of the network off, for example dht,lsd [default: everything that the settings leave on]
    #[arg(long, value_name = "PART,…", value_delimiter = ',', value_parser = named::<node::Part>(&node::Part::NAMES),
          env = "COMPEER_WITHOUT", hide_env_values = true, help_heading = "Network")]
    pub without: Vec<node::Part>,
    /// Obfuscate connections to peers: where they can, always, or never [default: prefer]
    #[arg(long, value_name = "POLICY", value_parser = named::<node::Encryption>(&["prefer", "require", "off"]),
          help_heading = "Network")]
    pub encryption: Option<node::Encryption>,
    /// Try this carrier first [default: TCP, with uTP a moment later]
    #[arg(long, value_name = "CARRIER", value_parser = named::<node::Carrier>(&["tcp", "utp"]), help_heading = "Network")]
    pub prefer: Option<node::Carrier>,
    /// Where to enter the DHT while no node of it is known; none: nowhere [default: four well-known hosts]
    #[arg(long, value_name = "HOST:PORT,…", value_parser = bootstrap, env = "COMPEER_BOOTSTRAP", hide_env_values = true,
          help_heading = "Network")]
    pub bootstrap: Option<Bootstrap>,
    /// The command ends as soon as it has its answer.
    #[arg(skip)]
    pub brief: bool,
}

#[derive(Debug, Args)]
pub struct Ping {
    /// A contact, a node of yours, or the id of any node
    pub who: String,
    /// Where it may be reached, beside what is known: ADDR:PORT or a relay; repeatable
    #[arg(long, value_name = "HINT")]
    pub at: Vec<String>,
    /// Ask so often, twice a second; the way may get better meanwhile
    #[arg(long, short, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub count: u32,
}

/// Hosts by which the DHT is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap(Vec<String>);

impl NodeOptions {
    /// Returns what is said about the network.
    pub fn network(&self) -> node::NetworkOptions {
        node::NetworkOptions {
            without: self.without.clone(),
            prefer: self.prefer,
            encryption: self.encryption,
            bootstrap: self.bootstrap.clone().map(|hosts| hosts.0),
            brief: self.brief,
        }
    }

    /// Names the first option that only a node has use for which this command starts itself.
    pub fn only_for_own_node(&self) -> Option<&'static str> {
        let said = |name, yes| std::env::var_os(name).is_none() && yes;
        let options = [
            ("--listen", self.listen.is_some()),
            ("--without", said("COMPEER_WITHOUT", !self.without.is_empty())),
            ("--encryption", self.encryption.is_some()),
            ("--prefer", self.prefer.is_some()),
            ("--bootstrap", said("COMPEER_BOOTSTRAP", self.bootstrap.is_some())),
        ];
        options.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}

/// Where to find peers.
#[derive(Clone, Debug, Default, Args)]
pub struct PeerOptions {
    /// A peer to connect to; repeatable
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port, help_heading = "Network")]
    pub peer: Vec<String>,
    /// Ask no tracker, and tell none
    #[arg(long, help_heading = "Network")]
    pub no_tracker: bool,
}

/// When seeding ends.
#[derive(Clone, Debug, Default, Args)]
pub struct SeedGoals {
    /// Stop seeding when this many times the size was sent, for example 1.5
    #[arg(long, value_name = "RATIO", value_parser = ratio, help_heading = "Seeding")]
    pub seed_ratio: Option<f64>,
    /// Stop seeding after this time, for example 90s, 30m, 12h or 7d
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Seeding")]
    pub seed_time: Option<Duration>,
    /// Stop seeding when nothing was sent for this time
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Seeding")]
    pub seed_idle: Option<Duration>,
}

impl SeedGoals {
    /// Returns what the API calls it.
    pub fn goal(&self) -> rpc::SeedGoal {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        rpc::SeedGoal { ratio: self.seed_ratio, time_s: seconds(self.seed_time), idle_s: seconds(self.seed_idle) }
    }
}

/// What is written into a torrent.
#[derive(Clone, Debug, Default, Args)]
pub struct CreateOptions {
    /// Make a hybrid torrent: v1 with v2 hashes beside it (some clients refuse it)
    #[arg(long, conflicts_with = "v2", help_heading = "Torrent")]
    pub hybrid: bool,
    /// Make a v2 torrent, for clients that know BitTorrent v2
    #[arg(long, help_heading = "Torrent")]
    pub v2: bool,
    /// The piece length: a power of two from 16K to 64M [default: by the size]
    #[arg(long, value_name = "SIZE", value_parser = piece_length, help_heading = "Torrent")]
    pub piece_length: Option<u32>,
    /// Only trackers may introduce peers
    #[arg(long, help_heading = "Torrent")]
    pub private: bool,
    /// A tracker; repeat it for the next tier, separate equals by commas
    #[arg(long, value_name = "URL[,URL]", value_parser = trackers, help_heading = "Torrent")]
    pub tracker: Vec<String>,
    /// A web server that has the same files; repeatable
    #[arg(long, value_name = "URL", value_parser = web_seed, help_heading = "Torrent")]
    pub web_seed: Vec<String>,
    /// A remark for people
    #[arg(long, value_name = "TEXT", help_heading = "Torrent")]
    pub comment: Option<String>,
    /// A word that makes this torrent differ from others with the same files
    #[arg(long, value_name = "TEXT", help_heading = "Torrent")]
    pub source: Option<String>,
}

#[derive(Debug, Args)]
pub struct Share {
    /// The file or folder
    #[arg(required_unless_present_any = ["list", "stop"])]
    pub path: Option<PathBuf>,
    #[command(flatten)]
    pub audience: Audience,
    /// A remark for those it is shared with
    #[arg(long, value_name = "TEXT", requires = "people", help_heading = "People")]
    pub note: Option<String>,
    /// List what is shared with people, and whom of them was told
    #[arg(long, conflicts_with = "path", help_heading = "People")]
    pub list: bool,
    /// Share this with people no longer, by its id in `--list`; they are told, and what they have stays with them
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["path", "list"], help_heading = "People")]
    pub stop: Option<String>,
    /// Name addresses of the local network and of this computer in the link, too
    #[arg(long, help_heading = "Network")]
    pub local: bool,
    /// Print a second link, which leads to the newest version: share the same path again when it has changed
    #[arg(long, conflicts_with_all = ["v2", "private"], help_heading = "Torrent")]
    pub updates: bool,
    /// Offer pieces one by one, so that the first copy spreads fastest; for whoever is the only seed
    #[arg(long, help_heading = "Seeding")]
    pub super_seed: bool,
    #[command(flatten)]
    pub sort: SortOptions,
    #[command(flatten)]
    pub create: CreateOptions,
    #[command(flatten)]
    pub peers: PeerOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub goals: SeedGoals,
}

#[derive(Debug, Args)]
pub struct Get {
    /// A magnet link, a .torrent file, or the http(s) URL of one. Of a link to the newest version (share --updates) that is
    /// fetched; with --seed, or where a node runs, newer ones take its place
    pub link: String,
    /// Put it into this folder, under its own name [default: the current folder]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Fetch only these files, by number, for example 0,2,5-9 (see: compeer torrent show)
    #[arg(long, value_name = "LIST", value_parser = ranges)]
    pub files: Option<Ranges>,
    /// Fetch the pieces in order
    #[arg(long)]
    pub sequential: bool,
    /// Give up when no peer was connected for this long; 0: never [default: 2m, 30s where neither
    /// a tracker nor the DHT could name more]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Go on seeding when it is complete
    #[arg(long, help_heading = "Seeding")]
    pub seed: bool,
    #[command(flatten)]
    pub goals: SeedGoals,
    #[command(flatten)]
    pub peers: PeerOptions,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct Up {
    /// Serve the API and the page at this loopback address and port [default: 127.0.0.1:26673, or any free port where
    /// that is taken]
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Network")]
    pub api: Option<SocketAddr>,
    /// Offer a service to strangers, with the settings of its section [offer.SERVICE]; repeatable
    #[arg(long, value_name = "SERVICE,…", value_delimiter = ',', value_parser = named::<node::Service>(&node::Service::NAMES),
          help_heading = "Services")]
    pub offer: Vec<node::Service>,
    #[command(flatten)]
    pub node: NodeOptions,
}

#[derive(Debug, Args)]
pub struct Open {
    /// Only print the link that logs a browser in: it is good once, for a minute
    #[arg(long)]
    pub print: bool,
}

#[derive(Debug, Args)]
pub struct Feeds {
    /// Ask all of them now
    #[arg(long)]
    pub now: bool,
}

#[derive(Debug, Args)]
pub struct Password {
    /// Have none any more: from other computers nobody can log in
    #[arg(long)]
    pub remove: bool,
}

#[derive(Debug, Args)]
pub struct Add {
    /// A magnet link, a .torrent file, or the http(s) URL of one
    pub link: String,
    /// Put it into this folder, under its own name [default: the node's download folder]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Fetch only these files, by number, for example 0,2,5-9
    #[arg(long, value_name = "LIST", value_parser = ranges)]
    pub files: Option<Ranges>,
    /// Fetch the pieces in order
    #[arg(long)]
    pub sequential: bool,
    /// Do not begin yet
    #[arg(long)]
    pub paused: bool,
    #[command(flatten)]
    pub sort: SortOptions,
    #[command(flatten)]
    pub goals: SeedGoals,
    #[command(flatten)]
    pub peers: PeerOptions,
}

#[derive(Debug, Args)]
pub struct Which {
    /// The torrent: its id, the beginning of it, or its name
    #[arg(required = true, value_name = "TORRENT")]
    pub torrents: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Info {
    /// The torrent: its id, the beginning of it, or its name [default: the node]
    pub torrent: Option<String>,
    /// Name addresses of the local network and of this computer in the link, too
    #[arg(long)]
    pub local: bool,
}

#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    pub which: Which,
    /// Delete its files as well
    #[arg(long)]
    pub with_data: bool,
}

#[derive(Debug, Args)]
pub struct Peers {
    /// The torrent: its id, the beginning of it, or its name
    pub torrent: String,
    /// Connect to this peer; repeatable
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    pub add: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Stream {
    /// A torrent of the node (its id, the beginning of it, or its name), or a magnet, a .torrent file, or the URL of one
    pub torrent: String,
    /// The number of the file; the largest otherwise
    #[arg(long, value_name = "NUMBER")]
    pub file: Option<u32>,
    /// Run this program with the link, for example mpv or vlc; otherwise the link is printed
    #[arg(long, value_name = "PROGRAM")]
    pub player: Option<String>,
    /// Connect to this peer; repeatable
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    pub peer: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Files {
    /// The torrent: its id, the beginning of it, or its name
    pub torrent: String,
    /// Fetch only these files, by number, for example 0,2,5-9
    #[arg(long, value_name = "LIST", value_parser = ranges, conflicts_with_all = ["skip", "low", "normal", "high"])]
    pub only: Option<Ranges>,
    /// Fetch the pieces in order from now on; --sequential=false: in the order that suits the swarm
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub sequential: Option<bool>,
    /// Do not fetch these files
    #[arg(long, value_name = "LIST", value_parser = ranges)]
    pub skip: Option<Ranges>,
    /// Fetch these files after the others
    #[arg(long, value_name = "LIST", value_parser = ranges)]
    pub low: Option<Ranges>,
    /// Fetch these files
    #[arg(long, value_name = "LIST", value_parser = ranges)]
    pub normal: Option<Ranges>,
    /// Fetch these files before the others
    #[arg(long, value_name = "LIST", value_parser = ranges)]
    pub high: Option<Ranges>,
}

#[derive(Debug, Args)]
pub struct Limit {
    /// The torrent: its id, the beginning of it, or its name [default: the whole node]
    pub torrent: Option<String>,
    /// Receive at most this many bytes per second, for example 500K; none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_or_none)]
    pub down: Option<RateLimit>,
    /// Send at most this many bytes per second; none: no limit
    #[arg(long, value_name = "RATE", value_parser = rate_or_none)]
    pub up: Option<RateLimit>,
    /// Have at most this many connections in this torrent; 0: as many as the budget gives one
    #[arg(long, value_name = "NUMBER", requires = "torrent")]
    pub connections: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum Torrent {
    /// Hash a file or folder and write a .torrent file
    Create(TorrentCreate),
    /// Show what a .torrent file or a magnet says
    Show(TorrentShow),
    /// Compare files on disk with a .torrent file
    Verify(TorrentVerify),
    /// Change what does not belong to the content: trackers, web seeds, comment
    Edit(TorrentEdit),
}

#[derive(Debug, Args)]
pub struct TorrentCreate {
    /// The file or folder
    pub path: PathBuf,
    /// Where to write [default: NAME.torrent in the current folder]; - for stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the .torrent file if it is there
    #[arg(long, short)]
    pub force: bool,
    /// Write today's date into it; without, the same input gives the same file
    #[arg(long)]
    pub date: bool,
    #[command(flatten)]
    pub options: CreateOptions,
}

#[derive(Debug, Args)]
pub struct TorrentShow {
    /// A .torrent file or a magnet link
    pub link: String,
}

#[derive(Debug, Args)]
pub struct TorrentVerify {
    /// The .torrent file
    pub torrent: PathBuf,
    /// The folder that holds the content, or the content itself [default: the current folder]
    pub path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TorrentEdit {
    /// The .torrent file
    pub torrent: PathBuf,
    /// Write there instead of changing the file itself
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the trackers; repeat it for the next tier, separate equals by commas
    #[arg(long, value_name = "URL[,URL]", value_parser = trackers)]
    pub tracker: Vec<String>,
    /// Remove all trackers
    #[arg(long, conflicts_with = "tracker")]
    pub no_trackers: bool,
    /// Replace the web seeds; repeatable
    #[arg(long, value_name = "URL", value_parser = web_seed)]
    pub web_seed: Vec<String>,
    /// Remove all web seeds
    #[arg(long, conflicts_with = "web_seed")]
    pub no_web_seeds: bool,
    /// Replace the remark; an empty one removes it
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// A rate limit; `None` inside: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit(pub Option<u64>);

/// A list of numbers and ranges of numbers, ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Tells whether a number is in the list.
    pub fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&number))
    }

    /// Returns the largest number.
    pub fn largest(&self) -> u32 {
        self.0.iter().map(|range| range.1).max().unwrap_or(0)
    }
}

impl CreateOptions {
    /// Returns the trackers in tiers.
    pub fn tiers(&self) -> Vec<Vec<String>> {
        tiers(&self.tracker)
    }
}

/// Splits every argument at its commas: one tier an argument.
pub fn tiers(arguments: &[String]) -> Vec<Vec<String>> {
    arguments
        .iter()
        .map(|tier| urls(tier).map(str::to_owned).collect())
        .filter(|tier: &Vec<String>| !tier.is_empty())
        .collect()
}

fn urls(tier: &str) -> impl Iterator<Item = &str> {
    tier.split(',').map(str::trim).filter(|url| !url.is_empty())
}

fn trackers(tier: &str) -> Result<String, String> {
    urls(tier).try_for_each(node::check_tracker).map(|()| tier.to_owned())
}

fn web_seed(text: &str) -> Result<String, String> {
    let url = text.trim();
    node::check_web_seed(url).map(|()| url.to_owned())
}

fn rate(text: &str) -> Result<u64, String> {
    match base::units::parse_bytes(text) {
        Ok(0) => Err("a limit of 0 would stop everything: leave the option away for no limit".into()),
        other => other.map_err(|e| e.to_string()),
    }
}

fn rate_or_none(text: &str) -> Result<RateLimit, String> {
    if text == "none" {
        return Ok(RateLimit(None));
    }
    match base::units::parse_bytes(text) {
        Ok(0) => Err("a limit of 0 would stop everything: write none for no limit, or pause the torrent".into()),
        other => other.map(|limit| RateLimit(Some(limit))).map_err(|e| e.to_string()),
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if ratio.is_finite() && ratio >= 0.0 => Ok(ratio),
        _ => Err("write a number such as 1.5".into()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let error = || "write a number with s, m, h or d, for example 90s or 12h".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().map_err(|_| error())?;
    let unit = match &text[split..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(error()),
    };
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(error)
}

fn piece_length(text: &str) -> Result<u32, String> {
    let bytes = base::units::parse_bytes(text).map_err(|e| e.to_string())?;
    // 64 MiB: the largest piece length that the common clients accept.
    match u32::try_from(bytes) {
        Ok(length) if length.is_power_of_two() && (16 << 10..=64 << 20).contains(&length) => Ok(length),
        _ => Err("a piece length is a power of two from 16K to 64M, for example 256K".into()),
    }
}

fn host_port(text: &str) -> Result<String, String> {
    node::check_host_port(text).map(|()| text.to_owned())
}

fn bootstrap(text: &str) -> Result<Bootstrap, String> {
    if text.trim() == "none" {
        return Ok(Bootstrap(Vec::new()));
    }
    let one = |host| {
        if host == "none" { Err("none stands alone: leave it away to name hosts".into()) } else { host_port(host) }
    };
    let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
    hosts.map(one).collect::<Result<_, _>>().map(Bootstrap)
}

/// Reads one of the names that a part of the network, a carrier or a policy has.
fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

fn ranges(text: &str) -> Result<Ranges, String> {
    let error = || "write numbers and ranges such as 0,2,5-9".to_owned();
    let one = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse().map_err(|_| error())?, last.trim().parse().map_err(|_| error())?);
        if first <= last { Ok((first, last)) } else { Err(error()) }
    };
    text.split(',').map(one).collect::<Result<Vec<_>, _>>().map(Ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_and_ranges_are_read_as_people_write_them() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert!(duration("").is_err() && duration("h").is_err() && duration("999999999999999999d").is_err());
        let list = ranges("0, 2,5-9").unwrap();
        assert!(list.contains(0) && !list.contains(1) && list.contains(7) && list.largest() == 9);
        assert!(ranges("9-5").is_err() && ranges("").is_err() && ranges("a").is_err());
    }

    #[test]
    fn what_is_switched_off_is_named() {
        let parse = |words: &[&str]| Cli::try_parse_from([&["compeer", "up"], words].concat());
        let Command::Up(up) = parse(&["--without", "dht,lsd", "--bootstrap", "none"]).unwrap().command else {
            panic!()
        };
        let network = up.node.network();
        assert_eq!((network.without, network.bootstrap), (vec![node::Part::Dht, node::Part::Lsd], Some(vec![])));
        let error = parse(&["--without", "dth"]).unwrap_err().to_string();
        assert!(error.contains("holepunch"), "{error}");
        assert!(parse(&["--bootstrap", "router"]).is_err() && parse(&["--encryption", "strong"]).is_err());
        let error = parse(&["--bootstrap", "none,192.0.2.7:6881"]).unwrap_err().to_string();
        assert!(error.contains("none stands alone"), "{error}");
    }

    #[test]
    fn piece_lengths_are_powers_of_two() {
        assert_eq!(piece_length("256K"), Ok(256 << 10));
        assert!(piece_length("100K").is_err() && piece_length("8K").is_err() && piece_length("128M").is_err());
    }
}
