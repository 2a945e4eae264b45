//! `compeer contact`.

use anyhow::Result;
use reqwest::Method;
use rpc::{ContactChange, ContactInfo, ContactRequest, ContactState, InviteInfo, InviteRequest, InviteState};
use serde_json::json;

use super::super::Context;
use super::{at_home, in_touch, qr, with};
use crate::args::{Contact, ContactAdd, ContactCommand, ContactInvite, ContactVerify, NodeOptions};
use crate::attach::Attached;
use crate::client::part;
use crate::out::{self, clean};

/// How much of an id is shown in a list.
const SHORT_ID: usize = 12;

/// Runs the command.
pub async fn run(contact: Contact, context: &Context) -> Result<u8> {
    let options = &contact.node;
    match contact.command {
        ContactCommand::Invite(command) => invite(command, options, context).await,
        ContactCommand::Invites => invites(options, context).await,
        ContactCommand::Uninvite(command) => {
            tell(Method::DELETE, &format!("/invites/{}", part(&command.invite)), options, context).await?;
            done(context, "invitation", &command.invite, "Taken back: nobody can take it any more.")
        }
        ContactCommand::Add(command) => add(command, options, context).await,
        ContactCommand::List => list(options, context).await,
        ContactCommand::Show(which) => {
            let contact = get(&which.contact, options, context).await?;
            print(&contact, context)
        }
        ContactCommand::Rename(command) => {
            let name = Some(command.name.map(|name| name.to_string()).unwrap_or_default());
            let change = ContactChange { name, ..Default::default() };
            let contact = change_to(&command.contact, change, options, context).await?;
            print(&contact, context)
        }
        ContactCommand::Verify(command) => verify(command, options, context).await,
        ContactCommand::Block(which) => {
            let change = ContactChange { blocked: Some(true), ..Default::default() };
            let contact = change_to(&which.contact, change, options, context).await?;
            print(&contact, context)
        }
        ContactCommand::Unblock(which) => {
            let change = ContactChange { blocked: Some(false), ..Default::default() };
            let contact = change_to(&which.contact, change, options, context).await?;
            print(&contact, context)
        }
        ContactCommand::Remove(which) => {
            tell(Method::DELETE, &format!("/contacts/{}", part(&which.contact)), options, context).await?;
            done(context, "removed", &which.contact, "No contact any more.")
        }
    }
}

async fn invite(command: ContactInvite, options: &NodeOptions, context: &Context) -> Result<u8> {
    let request = InviteRequest { standing: command.standing, valid_s: command.valid.map(|valid| valid.as_secs()) };
    let attached = in_touch(options, context).await?;
    let stays = attached.is_daemon();
    let invite: InviteInfo =
        with(attached, async |node| Ok(node.client.call(Method::POST, "/invites", &request).await?)).await?;
    if context.json {
        out::json(&invite)?;
    } else {
        out::line(&invite.link)?;
    }
    if let Some(file) = &command.svg {
        qr::svg(&invite.link, file)?;
    }
    if context.json {
        return Ok(0);
    }
    if command.qr {
        out::line(qr::terminal(&invite.link)?.trim_end())?;
    }
    let who = if invite.standing { "Everybody who has this link" } else { "The first who takes this link" };
    eprintln!("{who} becomes your contact: give it to whom you mean, by a way that you trust.");
    eprintln!("`compeer contact uninvite {}` takes it back.", invite.id);
    if !stays {
        eprintln!("It is answered while your node runs: `compeer up`.");
    }
    Ok(0)
}

async fn invites(options: &NodeOptions, context: &Context) -> Result<u8> {
    let invites: Vec<InviteInfo> =
        with(at_home(options, context).await?, async |node| Ok(node.client.get("/invites").await?)).await?;
    if context.json {
        out::json(&invites)?;
        return Ok(0);
    }
    let mut table = out::Table::new(&["ID", "FOR", "STATE", "TAKEN"], &[3], 0);
    for invite in &invites {
        let state = match invite.state {
            InviteState::Open => "open",
            InviteState::Used => "used",
            InviteState::Revoked => "taken back",
            InviteState::Expired => "over",
        };
        let whom = if invite.standing { "everybody" } else { "one" };
        table.row(vec![invite.id.clone(), whom.into(), state.into(), invite.uses.to_string()]);
    }
    table.print()?;
    Ok(0)
}

async fn add(command: ContactAdd, options: &NodeOptions, context: &Context) -> Result<u8> {
    // A damaged link is told before anything is started.
    command.link.parse::<node::ContactLink>()?;
    let request = ContactRequest { link: command.link, name: command.name.map(|name| name.to_string()) };
    let contact: ContactInfo = with(in_touch(options, context).await?, async |node: &Attached| {
        Ok(node.client.call(Method::POST, "/contacts", &request).await?)
    })
    .await?;
    print(&contact, context)?;
    if !context.json {
        let name = clean(&contact.name);
        if contact.state == ContactState::Asked {
            eprintln!(
                "None of {name}'s nodes answers now: it is tried again for as long as a node runs (`compeer up`)."
            );
        } else {
            eprintln!(
                "To know that this is {name} and nobody between you, compare words aloud: compeer contact verify '{name}'"
            );
        }
    }
    Ok(0)
}

async fn list(options: &NodeOptions, context: &Context) -> Result<u8> {
    let contacts: Vec<ContactInfo> =
        with(at_home(options, context).await?, async |node| Ok(node.client.get("/contacts").await?)).await?;
    if context.json {
        out::json(&contacts)?;
        return Ok(0);
    }
    if contacts.is_empty() {
        eprintln!(
            "No contacts yet: `compeer contact invite` makes a link for somebody, `contact add LINK` takes theirs."
        );
        return Ok(0);
    }
    let mut table = out::Table::new(&["NAME", "PERSON", "STATE", "VERIFIED", "NODES"], &[4], 0);
    for contact in &contacts {
        table.row(vec![
            clean(&contact.name),
            contact.person.chars().take(SHORT_ID).collect(),
            state(contact.state).to_owned(),
            if contact.verified { "yes" } else { "no" }.to_owned(),
            contact.nodes.len().to_string(),
        ]);
    }
    table.print()?;
    Ok(0)
}

async fn verify(command: ContactVerify, options: &NodeOptions, context: &Context) -> Result<u8> {
    let contact = if command.same || command.undo {
        let change = ContactChange { verified: Some(command.same), ..Default::default() };
        change_to(&command.contact, change, options, context).await?
    } else {
        get(&command.contact, options, context).await?
    };
    if context.json {
        out::json(&contact)?;
        return Ok(0);
    }
    if command.same || command.undo {
        return print(&contact, context);
    }
    for six in contact.words.chunks(6) {
        out::line(six.join(" "))?;
    }
    let name = clean(&contact.name);
    eprintln!(
        "{name} sees the same words for you, if nobody is between you. Compare them by a voice that you know, then:"
    );
    eprintln!("compeer contact verify --same '{name}'");
    Ok(0)
}

async fn get(meant: &str, options: &NodeOptions, context: &Context) -> Result<ContactInfo> {
    let path = format!("/contacts/{}", part(meant));
    with(at_home(options, context).await?, async |node| Ok(node.client.get(&path).await?)).await
}

async fn change_to(
    meant: &str,
    change: ContactChange,
    options: &NodeOptions,
    context: &Context,
) -> Result<ContactInfo> {
    let path = format!("/contacts/{}", part(meant));
    with(at_home(options, context).await?, async |node| Ok(node.client.call(Method::PATCH, &path, &change).await?))
        .await
}

async fn tell(method: Method, path: &str, options: &NodeOptions, context: &Context) -> Result<()> {
    let tell = async |node: &Attached| Ok(node.client.tell(method, path, None::<&()>).await.map(|_| ())?);
    with(at_home(options, context).await?, tell).await
}

fn done(context: &Context, key: &str, what: &str, text: &str) -> Result<u8> {
    if context.json {
        out::json(&json!({ key: what }))?;
    } else {
        out::line(text)?;
    }
    Ok(0)
}

fn print(contact: &ContactInfo, context: &Context) -> Result<u8> {
    if context.json {
        out::json(contact)?;
        return Ok(0);
    }
    out::line(format!("name      {}", clean(&contact.name)))?;
    if let Some(shown) = contact.shown_name.as_ref().filter(|shown| **shown != contact.name) {
        out::line(format!("shows     {}", clean(shown)))?;
    }
    out::line(format!("person    {}", contact.person))?;
    out::line(format!("state     {}", state(contact.state)))?;
    out::line(format!("verified  {}", if contact.verified { "yes" } else { "no" }))?;
    for node in &contact.nodes {
        let connected = if node.connected { "  connected" } else { "" };
        out::line(format!("node      {}  {}{connected}", node.id, clean(&node.name)))?;
    }
    Ok(0)
}

fn state(state: ContactState) -> &'static str {
    match state {
        ContactState::Asked => "asked",
        ContactState::Contact => "contact",
        ContactState::Blocked => "blocked",
        ContactState::Stranger => "no contact",
    }
}
