//! `compeer feeds`.

use std::time::SystemTime;

use anyhow::Result;
use reqwest::Method;
use rpc::FeedInfo;

use super::Context;
use crate::args::Feeds;
use crate::attach::attach;
use crate::out::{self, Table, clean};
use crate::show;

/// Shows the feeds, after asking them if that is wanted.
pub async fn run(command: &Feeds, context: &Context) -> Result<u8> {
    let client = attach(context.home.as_deref()).await?.client;
    let feeds: Vec<FeedInfo> = match command.now {
        true => client.call(Method::POST, "/feeds/poll", &()).await?,
        false => client.get("/feeds").await?,
    };
    if context.json {
        out::json(&feeds)?;
        return Ok(0);
    }
    if feeds.is_empty() {
        eprintln!("No feeds: a section [[feeds]] with a url in config.toml of the node's home makes the first.");
        return Ok(0);
    }
    let mut table = Table::new(&["FEED", "MATCH", "ADDED", "ASKED", "STATE"], &[2], 0);
    for feed in &feeds {
        table.row(vec![
            clean(&feed.url),
            clean(&wanted(feed)),
            feed.added.to_string(),
            feed.polled_at_s.map_or_else(|| "not yet".to_owned(), ago),
            if feed.error.is_some() { "trouble" } else { "good" }.to_owned(),
        ]);
    }
    table.print()?;
    for feed in &feeds {
        if let Some(error) = &feed.error {
            out::line(format!("{}: {}", clean(&feed.url), clean(error)))?;
        }
    }
    Ok(0)
}

/// Shows which entries are wanted.
fn wanted(feed: &FeedInfo) -> String {
    let all = if feed.matches.is_empty() { "everything".to_owned() } else { feed.matches.join(", ") };
    if feed.not.is_empty() { all } else { format!("{all}; not {}", feed.not.join(", ")) }
}

fn ago(at_s: u64) -> String {
    let now_s = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    format!("{} ago", show::seconds(now_s.saturating_sub(at_s)))
}
