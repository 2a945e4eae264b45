//! `compeer chat`: talking with people.

mod downloads;
mod files;
mod keys;
mod line;
mod look;
mod model;
mod order;
mod piped;
mod say;
mod screen;
mod show;
mod terminal;
mod view;

use anyhow::{Context as _, Result};
use reqwest::Method;
use rpc::{ChatChange, ChatHit, ChatInfo, ChatMeet, ChatPiece};

use super::Context;
use crate::args::{Chat, ExportFormat};
use crate::attach::attach;
use crate::client::{Client, part};
use crate::out::{self, Table, clean};
pub use say::say;

/// How many messages are searched for: the most that the API gives.
const FOUND: usize = 1000;

/// Runs the command.
pub async fn run(command: Chat, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let client = &attached.client;
    if command.ask_history {
        client.tell(Method::POST, "/chat/history", Some(&())).await?;
        match context.json {
            true => out::json(&serde_json::json!({ "asked": true }))?,
            false => out::line("Your other computers are asked; what they have comes by and by.")?,
        }
        return Ok(0);
    }
    if let Some(words) = &command.search {
        return search(client, words, command.name.as_deref(), context).await;
    }
    let Some(name) = &command.name else { return list(client, context).await };
    let name = &meant(client, name).await?;
    match command {
        Chat { send: Some(file), text, .. } => {
            files::send(client, name, &file, text.unwrap_or_default(), context).await
        }
        Chat { get: Some(meant), output, .. } => files::get(client, name, &meant, output.as_deref(), context).await,
        Chat { text: Some(text), .. } => say(client, name, text, context).await,
        Chat { export: Some(format), .. } => export(client, name, format).await,
        Chat { mute: true, .. } => change(client, name, ChatChange { muted: Some(true) }, context).await,
        Chat { unmute: true, .. } => change(client, name, ChatChange { muted: Some(false) }, context).await,
        Chat { accept: true, .. } => {
            let chat: ChatInfo = client.call(Method::POST, &path(name, "/accept"), &()).await?;
            told(context, &chat, || format!("{} may write to you.", clean(&chat.name)))
        }
        Chat { refuse: true, .. } => {
            client.tell(Method::POST, &path(name, "/refuse"), Some(&())).await?;
            let done = serde_json::json!({ "refused": true });
            told(context, &done, || refused(name))
        }
        _ => talk(client, name, context).await,
    }
}

/// Shows a conversation, and goes on with it.
pub async fn talk(client: &Client, name: &str, context: &Context) -> Result<u8> {
    let term = console::Term::stdout();
    let is_screen = term.is_term() && console::Term::stderr().is_term() && stdin_is_terminal();
    if is_screen && !context.json {
        screen::run(client, name, context.home.as_deref(), term).await
    } else {
        piped::run(client, name, context).await
    }
}

fn stdin_is_terminal() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal()
}

/// Says what became of somebody's request.
fn refused(name: &str) -> String {
    format!("What {} wrote is left alone.", clean(name))
}

/// Returns what the node calls whom the user means: somebody's link leads to them.
async fn meant(client: &Client, name: &str) -> Result<String> {
    if !name.starts_with("compeer:") {
        return Ok(name.to_owned());
    }
    let met: ChatInfo = client.call(Method::POST, "/chats", &ChatMeet { link: name.to_owned() }).await?;
    Ok(met.id)
}

async fn change(client: &Client, name: &str, change: ChatChange, context: &Context) -> Result<u8> {
    let chat: ChatInfo = client.call(Method::PATCH, &path(name, ""), &change).await?;
    told(context, &chat, || {
        let noise = if chat.muted { "no noise" } else { "noise" };
        format!("{} makes {noise}.", clean(&chat.name))
    })
}

async fn export(client: &Client, name: &str, format: ExportFormat) -> Result<u8> {
    let mut response = client.raw(&path(name, &format!("/export?format={}", format.name()))).await?;
    while let Some(chunk) = response.chunk().await.context("the node broke off")? {
        out::bytes(&chunk)?;
    }
    Ok(0)
}

async fn search(client: &Client, words: &str, name: Option<&str>, context: &Context) -> Result<u8> {
    let within = name.map(|name| format!("&chat={}", part(name))).unwrap_or_default();
    let hits: Vec<ChatHit> = client.get(&format!("/messages?words={}{within}&limit={FOUND}", part(words))).await?;
    if hits.len() == FOUND {
        eprintln!("There may be more: these are the newest {FOUND}. Search for more words, or in one conversation.");
    }
    if context.json {
        return out::json(&hits).map(|()| 0);
    }
    if hits.is_empty() {
        eprintln!("Nothing was said that has these words.");
        return Ok(1);
    }
    let bold = console::Style::new().for_stdout().bold();
    for hit in hits {
        let words = |piece: &ChatPiece| match piece.found {
            true => bold.apply_to(show::one_line(&piece.text)).to_string(),
            false => show::one_line(&piece.text),
        };
        let text: String = trimmed(hit.snippet).iter().map(words).collect();
        let (when, chat, from) = (show::day_and_time(hit.at_ms), clean(&hit.chat_name), clean(&hit.from));
        out::line(format!("{when}  {chat}  {from}: {text}"))?;
    }
    Ok(0)
}

/// Takes away what is empty behind what was found: a file without words.
fn trimmed(mut snippet: Vec<ChatPiece>) -> Vec<ChatPiece> {
    while let Some(last) = snippet.last_mut() {
        last.text.truncate(last.text.trim_end().len());
        if !last.text.is_empty() {
            break;
        }
        snippet.pop();
    }
    snippet
}

async fn list(client: &Client, context: &Context) -> Result<u8> {
    let chats: Vec<ChatInfo> = client.get("/chats").await?;
    if context.json {
        return out::json(&chats).map(|()| 0);
    }
    if chats.is_empty() {
        eprintln!("Nothing was said yet. `compeer chat NAME` begins to talk with a contact or in a group.");
        return Ok(0);
    }
    table(&chats)?;
    Ok(0)
}

/// Lists conversations.
pub fn table(chats: &[ChatInfo]) -> Result<()> {
    let mut table = Table::new(&["WITH", "UNREAD", "LAST", "WHEN"], &[1], 2);
    for chat in chats {
        let unread = match (chat.request, chat.unread) {
            (true, _) => "asks".to_owned(),
            (false, 0) => "-".to_owned(),
            (false, unread) => unread.to_string(),
        };
        let when = chat.last.as_ref().map_or_else(|| "-".to_owned(), |last| show::day_and_time(last.at_ms));
        let name = if chat.muted { format!("{} (muted)", clean(&chat.name)) } else { clean(&chat.name) };
        table.row(vec![name, unread, chat.last.as_ref().map_or_else(String::new, show::last), when]);
    }
    table.print()?;
    for chat in chats.iter().filter(|chat| chat.request) {
        let name = clean(&chat.name);
        // A name that somebody chose is put into no command that a shell would read in its own way.
        let is_plain = chat.name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        let named = if is_plain { &chat.name } else { &chat.id };
        eprintln!("{name} asks to write to you: `compeer chat {named} --accept` or `--refuse`.");
    }
    Ok(())
}

/// Returns the path of something of a conversation.
fn path(name: &str, rest: &str) -> String {
    format!("/chats/{}{rest}", part(name))
}

fn told(context: &Context, document: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<u8> {
    match context.json {
        true => out::json(document)?,
        false => out::line(text())?,
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_found_ends_with_its_name() {
        let piece = |text: &str, found| ChatPiece { text: text.into(), found };
        let found = trimmed(vec![piece("the ", false), piece("lake.jpg", true), piece("\n", false)]);
        assert_eq!(found, [piece("the ", false), piece("lake.jpg", true)]);
        assert_eq!(trimmed(vec![piece("lake.jpg\nin May \n", true)]), [piece("lake.jpg\nin May", true)]);
        assert!(trimmed(vec![piece(" ", false)]).is_empty());
    }
}
