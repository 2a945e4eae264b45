//! `compeer inbox`: what others wrote and share.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base::units::format_bytes;
use reqwest::Method;
use rpc::{AcceptRequest, ChatInfo, InboxEntry, InboxRule, InboxRuleInfo, InboxRuleSet, InboxState};

use super::{Context, chat};
use crate::args::{Inbox, InboxCommand, InboxRuleCommand, InboxWhose};
use crate::attach::attach;
use crate::client::{Client, part};
use crate::out::{self, Table, clean};
use crate::show;

/// Runs the command.
pub async fn run(command: Inbox, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let client = &attached.client;
    match command.command.unwrap_or(InboxCommand::List) {
        InboxCommand::List => list(client, context).await?,
        InboxCommand::Accept(accept) => {
            let folder = accept.output.as_deref().map(absolute).transpose()?;
            let request = AcceptRequest { folder: folder.map(|folder| folder.display().to_string()) };
            let mut entries = Vec::new();
            for share in &accept.shares {
                let entry: InboxEntry = client.call(Method::POST, &decision(share, "accept"), &request).await?;
                if !context.json {
                    let folder = entry.folder.as_deref().unwrap_or_default();
                    out::line(format!(
                        "Fetching {} from {}, into {}",
                        clean(&entry.name),
                        clean(&entry.from),
                        clean(folder)
                    ))?;
                }
                entries.push(entry);
            }
            if context.json {
                out::json(&entries)?;
            }
        }
        InboxCommand::Decline(decline) => {
            let mut entries = Vec::new();
            for share in &decline.shares {
                let entry: InboxEntry = client.call(Method::POST, &decision(share, "decline"), &()).await?;
                if !context.json {
                    out::line(format!("Declined: {} from {}", clean(&entry.name), clean(&entry.from)))?;
                }
                entries.push(entry);
            }
            if context.json {
                out::json(&entries)?;
            }
        }
        InboxCommand::Rules(rules) => match rules.command.unwrap_or(InboxRuleCommand::List) {
            InboxRuleCommand::List => list_rules(client, context).await?,
            InboxRuleCommand::Add(rule) => {
                let folder = absolute(&rule.folder)?;
                let request = InboxRule {
                    from: rule.whose.from.clone(),
                    group: rule.whose.group.clone(),
                    folder: folder.display().to_string(),
                    max_bytes: rule.max_size,
                };
                let set: InboxRuleSet = client.call(Method::PUT, "/inbox/rules", &request).await?;
                if context.json {
                    let mut document = serde_json::to_value(&request)?;
                    document["taken_up"] = set.taken_up.into();
                    document["failed"] = set.failed.into();
                    out::json(&document)?;
                } else {
                    out::line(format!("What {} goes into {}", said(&rule.whose), folder.display()))?;
                    if set.taken_up > 0 {
                        let waited =
                            show::count(set.taken_up as usize, "share that waited is", "shares that waited are");
                        out::line(format!("{waited} fetched now; `compeer inbox` shows them"))?;
                    }
                    if set.failed > 0 {
                        let waits = show::count(set.failed as usize, "share waits", "shares wait");
                        eprintln!("{waits} on, and cannot be fetched there: `compeer inbox accept` says why");
                    }
                }
            }
            InboxRuleCommand::Remove(whose) => {
                let (key, value) = match (&whose.from, &whose.group) {
                    (Some(from), _) => ("from", from),
                    (None, group) => ("group", group.as_ref().context("say --from NAME or --group GROUP")?),
                };
                let value = part(value);
                client.tell(Method::DELETE, &format!("/inbox/rules?{key}={value}"), None::<&()>).await?;
                match context.json {
                    true => out::json(&serde_json::json!({ "removed": true }))?,
                    false => out::line(format!("What {} is asked about from now on", said(&whose)))?,
                }
            }
        },
    }
    Ok(0)
}

fn decision(share: &str, action: &str) -> String {
    format!("/inbox/{}/{action}", part(share))
}

fn said(whose: &InboxWhose) -> String {
    match (&whose.from, &whose.group) {
        (Some(from), _) => format!("{} shares", clean(from)),
        (None, group) => format!("is shared with {}", clean(group.as_deref().unwrap_or_default())),
    }
}

/// Makes a folder's path absolute; it need not be there yet.
pub(super) fn absolute(folder: &Path) -> Result<PathBuf> {
    std::path::absolute(folder).with_context(|| format!("{}: cannot find it", folder.display()))
}

async fn list(client: &Client, context: &Context) -> Result<()> {
    let entries: Vec<InboxEntry> = client.get("/inbox").await?;
    let mut chats: Vec<ChatInfo> = client.get("/chats").await?;
    chats.retain(|chat| chat.request || chat.unread > 0 && !chat.muted);
    if context.json {
        return out::json(&serde_json::json!({ "chats": chats, "shares": entries }));
    }
    if !chats.is_empty() {
        chat::table(&chats)?;
        eprintln!("`compeer chat NAME` shows what was said.");
    }
    if entries.is_empty() {
        if chats.is_empty() {
            eprintln!("Nobody has written to you or shared anything with you lately.");
        }
        return Ok(());
    }
    if !chats.is_empty() {
        out::line("")?;
    }
    let mut table = Table::new(&["ID", "FROM", "GROUP", "NAME", "SIZE", "FILES", "STATE"], &[4, 5], 3);
    for entry in &entries {
        let state = match entry.state {
            InboxState::Accepted if entry.removed => "removed".to_owned(),
            InboxState::Accepted => show::percent(entry.progress),
            InboxState::Declined => "declined".to_owned(),
            InboxState::Waiting if entry.withdrawn => "withdrawn".to_owned(),
            InboxState::Waiting => "new".to_owned(),
        };
        table.row(vec![
            entry.torrent.chars().take(show::SHORT_ID).collect(),
            clean(&entry.from),
            entry.group.as_deref().map_or_else(|| "-".to_owned(), clean),
            clean(&entry.name),
            format_bytes(entry.bytes),
            entry.files.to_string(),
            state,
        ]);
    }
    table.print()?;
    for entry in entries.iter().filter(|entry| entry.state == InboxState::Waiting) {
        if let Some(note) = &entry.note {
            eprintln!("{} says of {}: {}", clean(&entry.from), clean(&entry.name), clean(note));
        }
    }
    if entries.iter().any(|entry| entry.state == InboxState::Waiting) {
        eprintln!("`compeer inbox accept ID` fetches one, `compeer inbox decline ID` leaves it alone.");
    }
    Ok(())
}

async fn list_rules(client: &Client, context: &Context) -> Result<()> {
    let rules: Vec<InboxRuleInfo> = client.get("/inbox/rules").await?;
    if context.json {
        return out::json(&rules);
    }
    if rules.is_empty() {
        eprintln!("No rules: you are asked about everything. `compeer inbox rules add --from NAME FOLDER` makes one.");
        return Ok(());
    }
    let mut table = Table::new(&["FROM", "GROUP", "FOLDER", "UP TO"], &[3], 2);
    for rule in &rules {
        table.row(vec![
            rule.from.as_deref().map_or_else(|| "-".to_owned(), clean),
            rule.group.as_deref().map_or_else(|| "-".to_owned(), clean),
            clean(&rule.folder),
            rule.max_bytes.map_or_else(|| "any size".to_owned(), format_bytes),
        ]);
    }
    table.print()
}
