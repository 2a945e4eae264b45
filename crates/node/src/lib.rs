//! Configuration, wiring and the API server: everything that makes the engine a node of this computer.
//!
//! A home is a data directory; one node runs in it at a time, which [`Home::lock`] sees to. The node serves the API on a
//! loopback port and writes the address into the home, where the commands find it.

mod chat;
mod config;
pub mod content;
mod controls;
mod convert;
mod error;
mod frames;
mod groups;
mod hints;
mod home;
mod jobs;
mod known;
mod node;
mod people;
mod report;
mod server;
mod services;
mod sharing;
mod updates;
mod urls;

/// The types of items of the DHT, for those who sign them.
pub use net::dht;

/// The pure parts of persons, for those who read links and phrases.
pub use ::people::proto::{ContactLink, JoinCode, JoinLink, Name, Phrase};
pub use config::{
    BudgetConfig, Carrier, ChatConfig, Config, Encryption, MeetConfig, NetworkConfig, NetworkOptions, OverlayConfig,
    Part, ServiceConfig, ShareConfig, ToConfig, Who, WindowConfig, check_host_port,
};
pub use error::NodeError;
pub use home::{Home, HomeLock, draw_secret_key};
pub use jobs::Progress;
pub use node::{Node, Options};
pub use people::{IdentityError, Keys, Origin, REVOKED, SecretError, settle};
pub use report::usage_report;
pub use server::{MAX_BODY_BYTES, openapi};
pub use services::{OfferConfig, Service};
pub use updates::UpdatesConfig;
pub use urls::{check_tracker, check_web_seed};
