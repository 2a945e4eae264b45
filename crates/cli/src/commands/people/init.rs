//! `compeer init`: asks little, makes the identity, shows the recovery phrase once.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use node::{Home, Keys, Name, Origin, computer_name, user_name};
use serde_json::json;

use super::super::Context;
use super::ask;
use crate::args::{Give, Init};
use crate::out;

/// Makes the identity of the home.
pub async fn run(command: Init, context: &Context) -> Result<u8> {
    let home = Home::open(context.home.as_deref())?;
    let Some(lock) = home.lock()? else {
        bail!("a node is running for {}: end it, then run this again", home.folder().display());
    };
    let keys = Keys::of(&home);
    if keys.has_person() {
        bail!("this home has an identity already: `compeer id show` shows it; choose another --home for another one");
    }
    let asking = !command.yes && !context.json && ask::somebody();
    if !asking && !command.yes && command.name.is_none() {
        bail!("nobody is there to be asked: say --name NAME, or --yes to take the default of everything");
    }
    if asking {
        eprintln!(
            "This makes your identity: a name, the keys behind it, and a recovery phrase. Enter takes what is in brackets."
        );
    }
    let config = home.config()?;
    let name = match command.name {
        Some(name) => name,
        None if asking => ask::good("The name that others see", user_name().as_str(), |answer| Ok(Name::new(answer)?))?,
        None => user_name(),
    };
    let folder = match command.folder {
        Some(folder) => Some(usable(&folder)?),
        None if asking && !has_config(&home) => {
            let default = config.download_folder.display().to_string();
            ask::good("Where content goes when you do not say where", &default, |answer| {
                // What was not chosen stays open: another default of a later day holds.
                if answer == default { Ok(None) } else { usable(Path::new(answer)).map(Some) }
            })?
        }
        None => None,
    };
    let give = match command.give {
        Some(give) => Some(give),
        None if asking && !has_config(&home) => {
            let question = "How many bytes a second others may have, for example 500K (0: no limit)";
            Some(ask::good(question, "0", |answer| {
                let rate = base::units::parse_bytes(answer).map_err(anyhow::Error::msg)?;
                Ok(Give(Some(rate).filter(|rate| *rate > 0)))
            })?)
        }
        None => None,
    };
    let passphrase = ask::new_passphrase(command.passphrase, asking)?;
    write_config(&home, folder.as_deref(), give)?;

    let phrase = keys.draw_phrase()?;
    let node_name = command.node_name.unwrap_or_else(computer_name);
    let names = (&name, &node_name);
    let person = node::settle(&home, &lock, &phrase, Origin::Drawn, names, passphrase.as_deref()).await?;
    let node = keys.node()?.map(|key| key.id().to_string()).unwrap_or_default();
    let words = phrase.words();
    if context.json {
        out::json(&json!({
            "person": person.to_string(), "name": name.as_str(), "node": node, "node_name": node_name.as_str(),
            "phrase": words.join(" "), "passphrase": passphrase.is_some(),
            "account": phrase.account().address().to_string(),
        }))?;
        return Ok(0);
    }
    out::line(format!("You are {name}: {person}"))?;
    out::line(format!("This node is {node_name}: {node}"))?;
    out::line("")?;
    print_phrase(&words)?;
    eprintln!(
        "\nWrite these 24 words down, on paper, in this order, and keep them where nobody else finds them. Whoever"
    );
    eprintln!("has them is you; without them nobody can bring you back when this computer is lost: not we either.");
    eprintln!("`compeer id export` shows them again, `compeer id restore` takes them on another computer.");
    eprintln!("{}", protection(&keys, passphrase.is_some(), home.folder()));
    eprintln!(
        "Where this node is, the DHT tells whoever knows its id; publish = false in [overlay] of config.toml ends that."
    );
    eprintln!("\nNext: `compeer up` runs the node; `compeer contact invite` makes a link for a friend.");
    Ok(0)
}

/// Makes a folder's path absolute, and the folder, so that a path that cannot be one is told now and not at the first
/// download.
fn usable(folder: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(folder).with_context(|| folder.display().to_string())?;
    std::fs::create_dir_all(&path).with_context(|| format!("{} cannot be made a folder", path.display()))?;
    Ok(path)
}

/// Prints the words in four columns, with their numbers.
pub fn print_phrase(words: &[&str]) -> Result<()> {
    for row in 0..6 {
        let cells = (0..4).map(|column| row + column * 6).map(|at| format!("{:>2} {:<9}", at + 1, words[at]));
        out::line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Says by what the secret is protected.
pub fn protection(keys: &Keys, passphrase: bool, home: &Path) -> String {
    let file = home.join("keys/person");
    let file = file.display();
    match (passphrase, keys.has_person()) {
        (true, _) => format!("The secret in {file} is encrypted with your passphrase."),
        (false, true) => format!(
            "The secret in {file} is not encrypted: whoever can read that file is you. `compeer id passwd` sets a passphrase."
        ),
        (false, false) => "This node does not hold your secret.".to_owned(),
    }
}

fn has_config(home: &Home) -> bool {
    home.folder().join("config.toml").exists()
}

/// Writes what was chosen into new settings; those that are there are their owner's.
fn write_config(home: &Home, folder: Option<&Path>, give: Option<Give>) -> Result<()> {
    if folder.is_none() && give.is_none() {
        return Ok(());
    }
    let path = home.folder().join("config.toml");
    if path.exists() {
        bail!("{} is there already: change it there, and leave --folder and --give away", path.display());
    }
    let mut text = String::new();
    if let Some(folder) = folder {
        let folder = folder.to_str().context("the folder's name is no Unicode: write it into config.toml yourself")?;
        // A basic string of TOML has JSON's escapes.
        text.push_str(&format!("download_folder = {}\n", serde_json::to_string(folder)?));
    }
    if let Some(Give(Some(rate))) = give {
        text.push_str(&format!("\n[budget]\nupload = {rate}\n"));
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    home.config()?;
    Ok(())
}
