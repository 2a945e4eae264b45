//! One module a command; here they are told apart.

mod add;
mod browse;
mod chat;
mod connections;
mod controls;
mod desktop;
mod dht;
mod feeds;
mod files;
mod get;
mod group;
mod inbox;
mod info;
mod library;
mod limit;
mod list;
mod open;
mod password;
mod peers;
mod people;
mod room;
mod share;
mod shell;
mod sorting;
mod stream;
mod top;
mod torrent;
mod up;
mod which;

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::args::{Cli, Command, Global};

/// What every command is told.
#[derive(Clone, Debug)]
pub struct Context {
    /// The home that the user chose.
    pub home: Option<PathBuf>,
    /// Print JSON.
    pub json: bool,
}

/// Runs a command; returns the exit code.
pub fn run(cli: Cli) -> Result<u8> {
    let Global { home, json, .. } = cli.global;
    let context = Context { home, json };
    // What needs no node needs no runtime either.
    match cli.command {
        Command::Torrent(command) => return torrent::run(command, &context),
        Command::Password(command) => return password::run(&command, &context),
        Command::Completions(command) => return shell::completions(&command),
        Command::Man(command) => return shell::man(&command),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start: the system refuses what the program needs to wait for events")?;
    let code = runtime.block_on(run_async(cli.command, context));
    runtime.shutdown_background();
    code
}

async fn run_async(command: Command, context: Context) -> Result<u8> {
    match command {
        Command::Share(command) => share::run(command, &context).await,
        Command::Get(command) => get::run(command, &context).await,
        Command::Chat(command) => chat::run(command, &context).await,
        Command::Room(command) => room::run(command, &context).await,
        Command::Inbox(command) => inbox::run(command, &context).await,
        Command::Library(command) => library::run(command, &context).await,
        Command::Browse(command) => browse::run(command, &context).await,
        Command::Up(command) => up::run(command, &context).await,
        Command::Open(command) => open::run(command, &context).await,
        Command::Add(command) => add::run(command, &context).await,
        Command::List(command) => list::run(command, &context).await,
        Command::Top => top::run(&context).await,
        Command::Info(command) => info::run(command, &context).await,
        Command::Pause(command) if command.everything => controls::rest(true, &context).await,
        Command::Resume(command) if command.everything => controls::rest(false, &context).await,
        Command::Pause(command) => which::act(&command.torrents, "pause", "Paused", &context).await,
        Command::Resume(command) => which::act(&command.torrents, "resume", "Resumed", &context).await,
        Command::Recheck(command) => which::act(&command.torrents, "recheck", "Checking", &context).await,
        Command::Announce(command) => {
            which::act(&command.torrents, "announce", "Asking the trackers of", &context).await
        }
        Command::Remove(command) => which::remove(command, &context).await,
        Command::Peers(command) => peers::run(command, &context).await,
        Command::Files(command) => files::run(command, &context).await,
        Command::Stream(command) => stream::run(command, &context).await,
        Command::Limit(command) => limit::run(command, &context).await,
        Command::Label(command) => sorting::label(command, &context).await,
        Command::Goal(command) => sorting::goal(command, &context).await,
        Command::Feeds(command) => feeds::run(&command, &context).await,
        Command::Budget(command) => controls::budget(command, &context).await,
        Command::Schedule(command) => controls::schedule(command, &context).await,
        Command::Allow(command) => controls::allow(command, &context).await,
        Command::Block(command) => controls::block(command, &context).await,
        Command::Offer(command) => controls::offer(command, &context).await,
        Command::Who(command) => controls::who(command, &context).await,
        Command::Init(command) => people::init::run(command, &context).await,
        Command::Id(command) => people::id::run(command, &context).await,
        Command::Connections => connections::list(&context).await,
        Command::Ping(command) => connections::ping(command, &context).await,
        Command::Node(command) => people::nodes::run(command, &context).await,
        Command::Contact(command) => people::contact::run(command, &context).await,
        Command::Dht(command) => dht::run(command, &context).await,
        Command::Group(command) => group::run(command, &context).await,
        Command::Desktop(command) => desktop::run(command, &context).await,
        Command::Torrent(command) => torrent::run(command, &context),
        Command::Password(command) => password::run(&command, &context),
        Command::Completions(command) => shell::completions(&command),
        Command::Man(command) => shell::man(&command),
    }
}
