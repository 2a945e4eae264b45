//! `compeer stream`.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use rpc::{AddRequest, FileInfo, FilePriority, StreamLink};

use super::{Context, which};
use crate::args::Stream;
use crate::attach::attach;
use crate::client::Client;
use crate::follow::Follow;
use crate::link;
use crate::out::{self, clean};

/// Prints a link to a file of a torrent, or hands it to a player.
pub async fn run(command: Stream, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let client = &attached.client;
    let id = torrent(client, &command).await?;
    let files = files(client, &id).await?;
    let file = choose(&files, command.file)?;
    if file.priority == FilePriority::Skip {
        bail!("file {} is not wanted: choose it with `compeer files --normal {}`", file.index, file.index);
    }
    let path = format!("/torrents/{id}/files/{}/link", file.index);
    let made: StreamLink = client.call(Method::POST, &path, &()).await?;
    match &command.player {
        Some(player) => {
            let status = Command::new(player).arg(&made.url).status();
            let status = status.with_context(|| format!("{player} cannot be started"))?;
            Ok(u8::from(!status.success()))
        }
        None if context.json => out::json(&made).map(|()| 0),
        None => out::line(clean(&made.url)).map(|()| 0),
    }
}

/// Finds the torrent, or has the node take it up.
async fn torrent(client: &Client, command: &Stream) -> Result<String> {
    let unknown = match which::find(client, &command.torrent).await {
        Ok(torrent) => {
            for peer in &command.peer {
                let request = rpc::AddPeerRequest { address: peer.clone() };
                client.tell(Method::POST, &format!("/torrents/{}/peers", torrent.id), Some(&request)).await?;
            }
            return Ok(torrent.id);
        }
        Err(error) => error,
    };
    // What is neither a link nor a file was meant as a name.
    let Ok(source) = link::read(&command.torrent).await else { return Err(unknown) };
    let mut request = AddRequest { peers: command.peer.clone(), ..AddRequest::default() };
    source.fill(&mut request);
    Ok(client.add(&request).await?.torrent.id)
}

/// Returns the files, once the metadata is here.
async fn files(client: &Client, id: &str) -> Result<Vec<FileInfo>> {
    let mut follow = Follow::begin(client).await?;
    let mut told = false;
    loop {
        match follow.torrent(id) {
            None => bail!("the torrent was removed"),
            Some(torrent) if torrent.path.is_some() => break,
            Some(_) if !told => {
                told = true;
                eprintln!("Waiting for a peer that knows what the link describes …");
            }
            Some(_) => {}
        }
        follow.next().await?;
    }
    Ok(client.get(&format!("/torrents/{id}/files")).await?)
}

fn choose(files: &[FileInfo], number: Option<u32>) -> Result<&FileInfo> {
    let file = match number {
        Some(number) => files.iter().find(|file| file.index == number),
        // The first of equally large ones.
        None => files.iter().rev().max_by_key(|file| file.size_bytes),
    };
    file.with_context(|| match number {
        Some(number) => format!("there is no file {number}: `compeer files` shows those that are there"),
        None => "the torrent has no files".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(index: u32, size_bytes: u64) -> FileInfo {
        FileInfo { index, path: index.to_string(), size_bytes, done_bytes: 0, priority: FilePriority::Normal }
    }

    #[test]
    fn the_largest_file_is_meant_unless_another_is_named() {
        let files = [file(0, 5), file(1, 700), file(2, 700), file(3, 1)];
        assert_eq!(choose(&files, None).unwrap().index, 1);
        assert_eq!(choose(&files, Some(3)).unwrap().index, 3);
        assert!(choose(&files, Some(4)).unwrap_err().to_string().contains("compeer files"));
        assert!(choose(&[], None).is_err());
    }
}
