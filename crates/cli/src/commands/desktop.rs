//! `compeer desktop`: the program as the one that opens magnet links and torrent files, on desktops that follow
//! freedesktop.org.

mod entry;
mod open;

use anyhow::{Result, bail};

use super::Context;
use crate::args::{Desktop, DesktopInstall};
use crate::out;

/// Registers the program, takes that back, or opens a link.
pub async fn run(command: Desktop, context: &Context) -> Result<u8> {
    match command {
        Desktop::Install(command) => install(&command, context),
        Desktop::Remove => remove(context),
        Desktop::Open(command) => open::run(&command.link, context).await,
    }
}

fn install(command: &DesktopInstall, context: &Context) -> Result<u8> {
    if cfg!(not(all(unix, not(target_os = "macos")))) {
        bail!("this is for the desktops of Linux and BSD: here, name compeer in the settings of what opens such files");
    }
    let program = std::env::current_exe()?;
    let home = context.home.as_deref().map(std::path::absolute).transpose()?;
    let folders = entry::Folders::of_user()?;
    let written = folders.install(&program, home.as_deref())?;
    let registered = !command.keep_default && entry::make_default();
    if context.json {
        out::json(&serde_json::json!({ "files": written, "default": registered }))?;
        return Ok(0);
    }
    for path in &written {
        out::line(path.display().to_string())?;
    }
    match (command.keep_default, registered) {
        (true, _) => eprintln!("Compeer can be chosen for magnet links and .torrent files now."),
        (false, true) => {
            eprintln!("Compeer opens magnet links and .torrent files now; `compeer desktop remove` ends that.")
        }
        (false, false) => {
            eprintln!("There is no xdg-mime here that works: choose Compeer in the settings of the desktop.");
        }
    }
    Ok(0)
}

fn remove(context: &Context) -> Result<u8> {
    let removed = entry::Folders::of_user()?.remove()?;
    if context.json {
        out::json(&serde_json::json!({ "files": removed }))?;
    } else if removed.is_empty() {
        eprintln!("Nothing was registered.");
    } else {
        for path in &removed {
            out::line(format!("Removed {}", path.display()))?;
        }
    }
    Ok(0)
}
