//! `compeer desktop`, `completions` and `man`: what ties the program into the rest of a system.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum Desktop {
    /// Register Compeer, for this user, as what opens magnet links and .torrent files
    Install(DesktopInstall),
    /// Take that back: what opened them before does so again
    Remove,
    /// Do what a click on a link does: hand it to the node, which is started where none runs, and show a notice
    Open(DesktopOpen),
}

#[derive(Debug, Args)]
pub struct DesktopInstall {
    /// Leave what opens them now; Compeer can be chosen in the settings of the desktop then
    #[arg(long)]
    pub keep_default: bool,
}

#[derive(Debug, Args)]
pub struct DesktopOpen {
    /// A magnet link, a .torrent file, or the file, http or https URL of one
    pub link: String,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// The shells for which there are completions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for every command into this folder, for example /usr/local/share/man/man1
    pub folder: Option<PathBuf>,
}
