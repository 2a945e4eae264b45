//! `compeer id`.

use anyhow::{Result, bail};
use node::{Home, Keys, Origin};
use rpc::IdentityInfo;
use serde_json::json;

use super::super::Context;
use super::{ask, at_home, init, nodes, with};
use crate::args::{Id, IdPasswd, IdRestore, IdShow, PassphraseChoice};
use crate::out::{self, clean};

/// Runs the command.
pub async fn run(command: Id, context: &Context) -> Result<u8> {
    match command {
        Id::Show(command) => show(command, context).await,
        Id::Export => export(context),
        Id::Restore(command) => restore(command, context).await,
        Id::Passwd(command) => passwd(command, context),
    }
}

async fn show(command: IdShow, context: &Context) -> Result<u8> {
    let info: IdentityInfo =
        with(at_home(&command.node, context).await?, async |node| Ok(node.client.get("/identity").await?)).await?;
    print(&info, context)
}

/// Prints who we are.
pub fn print(info: &IdentityInfo, context: &Context) -> Result<u8> {
    if context.json {
        out::json(info)?;
        return Ok(0);
    }
    out::line(format!("person  {}  {}", info.person, clean(&info.name)))?;
    let node_name = match (&info.node_name, info.revoked) {
        (_, true) => "(revoked: nobody who knows that admits it)",
        (Some(name), false) => name.as_str(),
        (None, false) => "(not in the person's list)",
    };
    out::line(format!("node    {}  {}", info.node, clean(node_name)))?;
    for hint in &info.hints {
        out::line(format!("at      {}@{}", info.node, clean(hint)))?;
    }
    out::line(format!("link    {}", info.link))?;
    if let Some(account) = &info.account {
        out::line(format!("account {account}"))?;
    }
    let secret = match (info.has_secret, info.passphrase) {
        (false, _) => "not on this node",
        (true, true) => "here, encrypted with a passphrase",
        (true, false) => "here, protected by the permissions of its file alone",
    };
    out::line(format!("secret  {secret}"))?;
    Ok(0)
}

fn export(context: &Context) -> Result<u8> {
    let keys = Keys::of(&Home::open(context.home.as_deref())?);
    let passphrase = if keys.is_sealed()? { Some(ask::passphrase()?) } else { None };
    let phrase = keys.phrase(passphrase.as_deref())?;
    let words = phrase.words();
    if context.json {
        out::json(&json!({
            "phrase": words.join(" "), "person": phrase.person_key().id().to_string(),
            "account": phrase.account().address().to_string(),
        }))?;
    } else {
        init::print_phrase(&words)?;
    }
    Ok(0)
}

fn passwd(command: IdPasswd, context: &Context) -> Result<u8> {
    let home = Home::open(context.home.as_deref())?;
    let keys = Keys::of(&home);
    let old = if keys.is_sealed()? { Some(ask::passphrase()?) } else { None };
    let phrase = keys.phrase(old.as_deref())?;
    let new = if command.no_passphrase {
        None
    } else if let Ok(new) = std::env::var("COMPEER_NEW_PASSPHRASE") {
        Some(new).filter(|new| !new.is_empty())
    } else if ask::somebody() {
        ask::new_passphrase(PassphraseChoice { passphrase: true, no_passphrase: false }, true)?
    } else {
        bail!("no new passphrase: set COMPEER_NEW_PASSPHRASE, or take --no-passphrase");
    };
    keys.keep_phrase(&phrase, new.as_deref())?;
    if context.json {
        out::json(&json!({ "passphrase": new.is_some() }))?;
    } else {
        out::line(init::protection(&keys, new.is_some(), home.folder()))?;
    }
    Ok(0)
}

async fn restore(command: IdRestore, context: &Context) -> Result<u8> {
    let home = Home::open(context.home.as_deref())?;
    let Some(lock) = home.lock()? else {
        bail!("a node is running for {}: end it, then run this again", home.folder().display());
    };
    if Keys::of(&home).has_person() {
        bail!("this home has an identity already: choose another --home for another one");
    }
    let from = nodes::places(&command.from)?;
    let phrase = ask::phrase()?;
    let passphrase = ask::new_passphrase(command.passphrase, ask::somebody())?;
    let name = command.name.unwrap_or_else(node::user_name);
    let node_name = command.node_name.unwrap_or_else(node::computer_name);
    let names = (&name, &node_name);
    node::settle(&home, &lock, &phrase, Origin::Typed, names, passphrase.as_deref()).await?;
    drop(lock);
    if from.is_empty() {
        let shown =
            with(at_home(&command.node, context).await?, async |node| Ok(node.client.get("/identity").await?)).await?;
        eprintln!("You are yourself again. To get contacts and groups back:");
        eprintln!("- from another node of yours: `compeer node meet NODE@HINT`, as `compeer id show` prints it there;");
        eprintln!(
            "- with all of them lost, from a contact: let it run `compeer contact invite`, then here `compeer node meet LINK`."
        );
        return print(&shown, context);
    }
    nodes::meet(&from, passphrase, &command.node, context).await
}
