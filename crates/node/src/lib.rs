//! Configuration, wiring and the API server: everything that makes the engine a node of this computer.
//!
//! A home is a data directory; one node runs in it at a time, which [`Home::lock`] sees to. The node serves the API on a
//! loopback port and writes the address into the home, where the commands find it.

mod categories;
mod chat;
mod computer;
mod config;
pub mod content;
mod controls;
mod convert;
mod done;
mod error;
mod feeds;
mod frames;
mod groups;
mod hints;
mod home;
mod jobs;
mod known;
mod labels;
mod logs;
mod node;
mod password;
mod people;
mod rates;
mod report;
mod server;
mod services;
mod sharing;
mod society;
mod sorting;
mod updates;
mod uploads;
mod urls;
mod watch;

/// The types of items of the DHT, for those who sign them.
pub use net::dht;

/// The pure parts of persons, for those who read links and phrases.
pub use ::people::proto::{ContactLink, JoinCode, JoinLink, Name, Phrase};
pub use computer::{computer_name, user_name};
pub use config::{
    ApiConfig, BudgetConfig, Carrier, ChatConfig, Config, DEFAULT_API, Encryption, IrcConfig, MeetConfig,
    NetworkConfig, NetworkOptions, OverlayConfig, Part, RemoteConfig, ServiceConfig, ShareConfig, ToConfig, Who,
    WindowConfig, check_host_port,
};
pub use done::{DoneConfig, notify};
pub use error::NodeError;
pub use feeds::FeedConfig;
pub use home::{Home, HomeLock, draw_secret_key};
pub use jobs::Progress;
pub use node::{Node, Options};
pub use people::{IdentityError, Keys, Origin, REVOKED, SecretError, settle};
pub use report::usage_report;
pub use server::{MAX_BODY_BYTES, openapi};
pub use services::{OfferConfig, Service};
pub use updates::UpdatesConfig;
pub use urls::{check_tracker, check_web_seed};
pub use watch::WatchConfig;
