//! `compeer room`: the rooms of groups.

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use rpc::{ChatInfo, RoomInfo, RoomRequest};

use super::{Context, chat};
use crate::args::{Room, RoomCommand};
use crate::attach::attach;
use crate::client::{Client, part};
use crate::out::{self, clean};

/// Runs the command.
pub async fn run(command: Room, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let client = &attached.client;
    match command {
        Room { command: Some(RoomCommand::List(list)), .. } => {
            let rooms: Vec<RoomInfo> = client.get(&path(&list.group)).await?;
            if context.json {
                out::json(&rooms)?;
            } else {
                let chats: Vec<ChatInfo> = rooms.into_iter().map(|room| room.chat).collect();
                chat::table(&chats)?;
            }
            Ok(0)
        }
        Room { command: Some(RoomCommand::Open(open)), .. } => self::open(client, &open.room, context).await,
        Room { room: Some(room), text, .. } => {
            // Never a person of that name.
            let name = if room.starts_with("group:") { room } else { format!("group:{room}") };
            match text {
                Some(text) => chat::say(client, &name, text, context).await,
                None => chat::talk(client, &name, context).await,
            }
        }
        Room { .. } => bail!("say which room: GROUP/ROOM"),
    }
}

async fn open(client: &Client, name: &str, context: &Context) -> Result<u8> {
    let (group, name) = name.rsplit_once('/').context("say GROUP/ROOM: of which group, and what it is to be called")?;
    let request = RoomRequest { name: name.to_owned() };
    let room: RoomInfo = client.call(Method::POST, &path(group), &request).await?;
    match context.json {
        true => out::json(&room)?,
        false => out::line(format!("{} is open: `compeer room {0}` talks in it.", clean(&room.chat.name)))?,
    }
    Ok(0)
}

fn path(group: &str) -> String {
    format!("/groups/{}/rooms", part(group))
}
