//! A conversation for programs: what is said comes as lines, and each line that is typed is said as it is.

use std::io::BufRead as _;

use anyhow::Result;
use reqwest::Method;
use rpc::{ChatInfo, ChatMessage, ChatPage, ChatRead, ChatSend, ChatSent, Event};
use tokio::sync::mpsc;

use super::super::Context;
use super::{path, show};
use crate::client::Client;
use crate::out;

/// How many lines that were typed wait to be said.
const LINES: usize = 16;

/// Tells what was not read yet and what is said from then on, and says what is typed, until there is no more of that.
pub async fn run(client: &Client, name: &str, context: &Context) -> Result<u8> {
    // Before the rest, so that nothing is missed.
    let mut events = client.events().await?;
    events.next().await?;
    let info: ChatInfo = client.get(&path(name, "")).await?;
    let page: ChatPage = client.get(&path(&info.id, "/messages?limit=1000")).await?;
    let mut told = Vec::new();
    for message in page.messages.iter().filter(|message| !message.read) {
        tell(message, context)?;
        told.push(message.id.clone());
    }
    read(client, &info, told).await?;
    let mut lines = typed();
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else { return Ok(0) };
                if line.trim().is_empty() {
                    continue;
                }
                let send = ChatSend { text: Some(line), ..ChatSend::default() };
                let _: ChatSent = client.call(Method::POST, &path(&info.id, "/messages"), &send).await?;
            }
            event = events.next() => match event? {
                Event::Message(message) if message.chat == info.id && !message.mine && !message.read => {
                    tell(&message, context)?;
                    read(client, &info, vec![message.id.clone()]).await?;
                }
                _ => {}
            },
        }
    }
}

fn tell(message: &ChatMessage, context: &Context) -> Result<()> {
    if context.json {
        return out::json_line(message);
    }
    let (from, words) = (show::one_line(&message.from), show::one_line(&show::words(message)));
    out::line(format!("{} {from}: {words}", show::day_and_time(message.written_at_ms)))
}

async fn read(client: &Client, info: &ChatInfo, messages: Vec<String>) -> Result<()> {
    if !messages.is_empty() {
        client.tell(Method::POST, &path(&info.id, "/read"), Some(&ChatRead { messages })).await?;
    }
    Ok(())
}

/// Reads what is typed, line by line.
fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
