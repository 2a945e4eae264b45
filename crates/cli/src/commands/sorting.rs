//! `compeer label` and `compeer goal`.

use anyhow::Result;
use reqwest::Method;
use rpc::{
    CategoryInfo, LabelChange, LabelInfo, SeedGoal, SettingsChange, SettingsInfo, TorrentChange, TorrentSummary,
};

use super::controls::reach;
use super::{Context, which};
use crate::args::{Goal, GoalTime, Label};
use crate::attach::attach;
use crate::client::Client;
use crate::out::{self, Table, clean};
use crate::show;

/// Shows the labels and the category of torrents, after changing them; without a torrent all that there are.
pub async fn label(command: Label, context: &Context) -> Result<u8> {
    let client = attach(context.home.as_deref()).await?.client;
    if command.torrents.is_empty() {
        return all(&client, context).await;
    }
    let labels = LabelChange { add: command.add, remove: command.remove };
    let change = TorrentChange { labels, category: command.category, ..TorrentChange::default() };
    let mut torrents = Vec::new();
    for meant in &command.torrents {
        let mut torrent = which::find(&client, meant).await?;
        if change != TorrentChange::default() {
            torrent = client.call(Method::PATCH, &format!("/torrents/{}", torrent.id), &change).await?;
        }
        torrents.push(torrent);
    }
    if context.json {
        out::json(&torrents)?;
        return Ok(0);
    }
    let mut table = Table::new(&["NAME", "LABELS", "CATEGORY"], &[], 0);
    for TorrentSummary { name, labels, category, .. } in &torrents {
        table.row(vec![clean(name), show::labels(labels), show::or_dash(category.as_deref())]);
    }
    table.print()?;
    Ok(0)
}

/// What there is to sort by.
#[derive(serde::Serialize)]
struct All {
    labels: Vec<LabelInfo>,
    categories: Vec<CategoryInfo>,
}

async fn all(client: &Client, context: &Context) -> Result<u8> {
    let all = All { labels: client.get("/labels").await?, categories: client.get("/categories").await? };
    if context.json {
        out::json(&all)?;
        return Ok(0);
    }
    if all.labels.is_empty() && all.categories.is_empty() {
        eprintln!("No labels yet: `compeer label TORRENT --add LABEL` makes the first.");
        return Ok(0);
    }
    let mut table = Table::new(&["KIND", "NAME", "TORRENTS", "FOLDER"], &[2], 3);
    for LabelInfo { name, torrents } in &all.labels {
        table.row(vec!["label".to_owned(), clean(name), torrents.to_string(), String::new()]);
    }
    for CategoryInfo { name, folder, torrents } in &all.categories {
        let folder = show::or_dash(folder.as_deref());
        table.row(vec!["category".to_owned(), clean(name), torrents.to_string(), folder]);
    }
    table.print()?;
    Ok(0)
}

/// Shows when seeding ends, of a torrent or of those that are added from now on, after changing it.
pub async fn goal(command: Goal, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    let goal = match &command.torrent {
        Some(meant) => {
            let id = which::find(&attached.client, meant).await?.id;
            of_torrent(&attached.client, &format!("/torrents/{id}/goal"), &command).await?
        }
        None => of_all(&attached.client, &command).await?,
    };
    if context.json {
        out::json(&goal)?;
    } else {
        out::line(format!("seeding ends {}", show::goal(&goal)))?;
    }
    Ok(0)
}

async fn of_torrent(client: &Client, path: &str, command: &Goal) -> Result<SeedGoal> {
    let before: SeedGoal = client.get(path).await?;
    let seconds = |time: GoalTime| time.0.map(|time| time.as_secs());
    let goal = SeedGoal {
        ratio: command.ratio.map_or(before.ratio, |ratio| ratio.0),
        time_s: command.time.map_or(before.time_s, seconds),
        idle_s: command.idle.map_or(before.idle_s, seconds),
    };
    if goal == before { Ok(before) } else { Ok(client.call(Method::PUT, path, &goal).await?) }
}

async fn of_all(client: &Client, command: &Goal) -> Result<SeedGoal> {
    // What the settings take for none: a negative ratio, no minutes.
    let minutes = |time: GoalTime| time.0.map_or(0, |time| time.as_secs().div_ceil(60).max(1));
    let change = SettingsChange {
        seed_ratio: command.ratio.map(|ratio| ratio.0.unwrap_or(-1.0)),
        seed_minutes: command.time.map(minutes),
        seed_idle_minutes: command.idle.map(minutes),
        ..SettingsChange::default()
    };
    let settings: SettingsInfo = if change == SettingsChange::default() {
        client.get("/settings").await?
    } else {
        client.call(Method::PATCH, "/settings", &change).await?
    };
    let seconds = |minutes: Option<u64>| minutes.map(|minutes| minutes.saturating_mul(60));
    let (time_s, idle_s) = (seconds(settings.seed_minutes), seconds(settings.seed_idle_minutes));
    Ok(SeedGoal { ratio: settings.seed_ratio, time_s, idle_s })
}
