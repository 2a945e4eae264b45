//! `compeer node`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use base::NodeId;
use node::{Home, Keys};
use reqwest::Method;
use rpc::{IdentityInfo, JoinRequest, MeetRequest, PersonNode};

use super::super::Context;
use super::{ask, at_home, id, in_touch, with};
use crate::args::{NodeArgs, NodeCommand, NodeJoin, NodeOptions, NodeRevoke};
use crate::client::part;
use crate::interrupt::Interrupt;
use crate::out::{self, clean};
use crate::{INTERRUPTED, show};

/// How many letters of an id are shown beside a name; `--json` shows all.
const SHOWN_ID: usize = 16;

/// After how long it is said what else can be done while a computer is looked for.
const HINT_AFTER: Duration = Duration::from_secs(15);

/// How often to look whether the other computer has joined.
const LOOK: Duration = Duration::from_millis(300);

/// Runs the command.
pub async fn run(args: NodeArgs, context: &Context) -> Result<u8> {
    match args.command {
        NodeCommand::List => list(&args.node, context).await,
        NodeCommand::Add(command) => add(command.link, &args.node, context).await,
        NodeCommand::Join(command) => join(command, &args.node, context).await,
        NodeCommand::Revoke(command) => revoke(command, &args.node, context).await,
        NodeCommand::Meet(command) => meet(&places(&command.nodes)?, None, &args.node, context).await,
    }
}

async fn list(options: &NodeOptions, context: &Context) -> Result<u8> {
    let nodes: Vec<PersonNode> =
        with(at_home(options, context).await?, async |node| Ok(node.client.get("/nodes").await?)).await?;
    print(&nodes, context)
}

fn print(nodes: &[PersonNode], context: &Context) -> Result<u8> {
    if context.json {
        out::json(&nodes)?;
        return Ok(0);
    }
    let mut table = out::Table::new(&["NAME", "NODE", "STATE"], &[], 0);
    for node in nodes {
        let state = match (node.revoked, node.this, node.connected) {
            (true, true, _) => "this one, revoked",
            (true, ..) => "revoked",
            (_, true, _) => "this one",
            (.., true) => "connected",
            _ => "",
        };
        let name = if node.name.is_empty() { "-".to_owned() } else { clean(&node.name) };
        table.row(vec![name, node.id.chars().take(SHOWN_ID).collect(), state.to_owned()]);
    }
    table.print()?;
    if nodes.iter().any(|node| node.revoked && node.this) {
        eprintln!("warning: {} (`compeer --home DIR node join`).", node::REVOKED);
    }
    Ok(0)
}

async fn add(link: bool, options: &NodeOptions, context: &Context) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    with(in_touch(options, context).await?, async |node| {
        let client = &node.client;
        let before: BTreeSet<String> = live(client.get("/nodes").await?).into_iter().map(|node| node.id).collect();
        let code: rpc::JoinCode = ask::unlocked(client, "/nodes/code", |unlock| unlock).await?;
        if context.json {
            out::json_line(&code)?;
        } else {
            let valid = show::seconds(code.valid_s);
            if link {
                out::line(&code.link)?;
                eprintln!("On the other computer, within {valid}: compeer node join 'LINK', with the line above.");
            } else {
                out::line(&code.code)?;
                eprintln!("On the other computer, within {valid}: compeer node join, then type these words.");
                eprintln!(
                    "(If it finds nobody there: `compeer node add --link` shows a link, which says where this one is.)"
                );
            }
            eprintln!("Whoever has the code can be one of your nodes: show it to nobody. Ctrl-C takes it back.");
        }
        let deadline = Instant::now() + Duration::from_secs(code.valid_s);
        while Instant::now() < deadline {
            tokio::select! {
                () = interrupt.wait() => {
                    client.tell(Method::DELETE, "/nodes/code", None::<&()>).await?;
                    return Ok(INTERRUPTED);
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = live(client.get("/nodes").await?);
            if let Some(new) = now.into_iter().find(|node| !before.contains(&node.id)) {
                if context.json {
                    out::json_line(&new)?;
                } else {
                    out::line(format!("{} is your node now: {}", clean(&new.name), new.id))?;
                }
                return Ok(0);
            }
        }
        bail!("nobody came with the code: run this again for another one")
    })
    .await
}

fn live(nodes: Vec<PersonNode>) -> Vec<PersonNode> {
    nodes.into_iter().filter(|node| !node.revoked).collect()
}

async fn join(command: NodeJoin, options: &NodeOptions, context: &Context) -> Result<u8> {
    let code = if command.code.is_empty() { ask::code()? } else { command.code.join(" ") };
    // A damaged code is told before anything is made.
    if code.trim_start().starts_with("compeer:") {
        code.parse::<node::JoinLink>()?;
    } else {
        node::JoinCode::parse(&code)?;
        if !context.json {
            eprintln!("Looking for the computer that shows this code…");
        }
    }
    let home = Home::open(context.home.as_deref())?;
    let keys = Keys::of(&home);
    if keys.node()?.is_none() {
        if home.lock()?.is_none() {
            bail!("a node is running for {}: end it, then run this again", home.folder().display());
        }
        keys.node_or_draw()?;
    }
    let name = command.name.unwrap_or_else(node::computer_name);
    let request = JoinRequest { code, name: name.to_string() };
    let by_link = request.code.trim_start().starts_with("compeer:");
    let info: IdentityInfo = with(in_touch(options, context).await?, async |node| {
        let mut joining = std::pin::pin!(node.client.call(Method::POST, "/nodes/join", &request));
        let began = Instant::now();
        loop {
            match tokio::time::timeout(HINT_AFTER, &mut joining).await {
                Ok(joined) => return Ok(joined?),
                Err(_) if context.json => {}
                Err(_) => {
                    let hint = if by_link {
                        "is it running there, and can the two reach one another?"
                    } else {
                        "is it running there? `compeer node add --link` there prints a link, which says where it is"
                    };
                    eprintln!("Nothing yet after {}: {hint}", show::seconds(began.elapsed().as_secs()));
                }
            }
        }
    })
    .await?;
    if !context.json {
        eprintln!("This computer is one of {}'s nodes now. `compeer up` runs it.", clean(&info.name));
        eprintln!(
            "Your recovery phrase stays where it is. This computer meets your contacts, is in your groups and gets what is \
             shared with you; to change groups or your list of nodes, use a computer that has the phrase. Groups' keys come \
             from there: when they change, this computer reads on once it has met that one."
        );
    }
    id::print(&info, context)
}

async fn revoke(command: NodeRevoke, options: &NodeOptions, context: &Context) -> Result<u8> {
    let nodes: Vec<PersonNode> = with(in_touch(options, context).await?, async |node| {
        ask::unlocked(&node.client, &format!("/nodes/{}/revoke", part(&command.name)), |unlock| unlock).await
    })
    .await?;
    if !context.json {
        eprintln!(
            "{} is refused by whoever hears of it; your contacts are told as they are met. Your groups have new keys, which it \
             does not get.",
            clean(&command.name)
        );
        eprintln!(
            "If it was made by `compeer init` or `compeer id restore`, it holds the secret of your recovery phrase, which no \
             list takes away: whoever has that computer, and your passphrase if there is one, can be you on another."
        );
    }
    print(&nodes, context)
}

/// A node, and where it may be.
pub type Place = (NodeId, Vec<String>);

/// Reads `NODE[@HINT]`, several hints of one node together, and links of contacts.
pub fn places(texts: &[String]) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::new();
    for text in texts {
        if text.starts_with("compeer:") {
            let link = text.parse::<node::ContactLink>()?;
            places.extend(link.nodes.into_iter().map(|node| (node.node, node.hints)));
            continue;
        }
        let (node, hint) = text.split_once('@').map_or((text.as_str(), None), |(node, hint)| (node, Some(hint)));
        let node = node.parse::<NodeId>()?;
        let hints = hint.map(str::to_owned);
        match places.iter_mut().find(|place| place.0 == node) {
            Some(place) => place.1.extend(hints),
            None => places.push((node, hints.into_iter().collect())),
        }
    }
    Ok(places)
}

/// Meets the first of the nodes that answers.
pub async fn meet(
    places: &[Place],
    passphrase: Option<String>,
    options: &NodeOptions,
    context: &Context,
) -> Result<u8> {
    let info = with(in_touch(options, context).await?, async |attached| {
        let mut last = Err(anyhow::anyhow!("no node is named"));
        for (node, hints) in places {
            let body = |unlock: rpc::UnlockRequest| MeetRequest {
                node: node.to_string(),
                hints: hints.clone(),
                passphrase: passphrase.clone().or(unlock.passphrase),
            };
            last = ask::unlocked::<_, IdentityInfo>(&attached.client, "/identity/meet", body).await;
            if last.is_ok() {
                break;
            }
        }
        last
    })
    .await?;
    id::print(&info, context)
}
