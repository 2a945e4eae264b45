//! The command line of `compeer chat` and `compeer room`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub struct Chat {
    /// With whom: a contact's name, GROUP, GROUP/ROOM, or the link of somebody who is no contact, as `compeer id show` prints it
    /// there [default: lists the conversations]
    pub name: Option<String>,
    /// Say this, and tell how far it is after fifteen seconds at most [default: show the conversation, and go on with it]
    #[arg(conflicts_with_all = ["get", "search", "export", "mute", "unmute", "accept", "refuse", "ask_history"])]
    pub text: Option<String>,
    /// Send this file or folder, with the text if there is one. It stays where it is, and the others choose whether to fetch it
    #[arg(long, value_name = "PATH", requires = "name", group = "action")]
    pub send: Option<PathBuf>,
    /// Fetch what goes with this message: the number before it where the conversation is shown, which stays the same, or its id
    #[arg(long, value_name = "N", requires = "name", group = "action")]
    pub get: Option<String>,
    /// Where to put what is fetched [default: where downloads go]
    #[arg(long, short, value_name = "DIR", requires = "get")]
    pub output: Option<PathBuf>,
    /// Find messages that have all of these words, here or everywhere, the newest first
    #[arg(long, value_name = "WORDS", group = "action")]
    pub search: Option<String>,
    /// Print the conversation for other programs: lines of JSON, or a folder of mails
    #[arg(long, value_name = "FORMAT", requires = "name", group = "action")]
    pub export: Option<ExportFormat>,
    /// Let it make no noise
    #[arg(long, requires = "name", group = "action")]
    pub mute: bool,
    /// Let it make noise again
    #[arg(long, requires = "name", group = "action")]
    pub unmute: bool,
    /// Take messages of this person, who is no contact
    #[arg(long, requires = "name", group = "action")]
    pub accept: bool,
    /// Leave alone what this person wrote, who is no contact
    #[arg(long, requires = "name", group = "action")]
    pub refuse: bool,
    /// Ask your other computers for all that was said before this one was added
    #[arg(long, conflicts_with = "name", group = "action")]
    pub ask_history: bool,
}

/// As what a conversation is printed for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A document a line: one for the conversation, then one a message
    Json,
    /// A folder of mails, which mail programs read
    Mbox,
}

impl ExportFormat {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            ExportFormat::Json => "json",
            ExportFormat::Mbox => "mbox",
        }
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Room {
    #[command(subcommand)]
    pub command: Option<RoomCommand>,
    /// Which room: GROUP/ROOM; GROUP alone is its main room
    #[arg(required = true, value_name = "GROUP[/ROOM]")]
    pub room: Option<String>,
    /// Say this, and tell how far it is after fifteen seconds at most [default: show the room, and go on in it]
    pub text: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// List the rooms of a group
    List(RoomList),
    /// Open a room of a group
    Open(RoomOpen),
}

#[derive(Debug, Args)]
pub struct RoomList {
    /// The group: its name, or the beginning of its id
    pub group: String,
}

#[derive(Debug, Args)]
pub struct RoomOpen {
    /// The group and what the room is to be called
    #[arg(value_name = "GROUP/ROOM")]
    pub room: String,
}
