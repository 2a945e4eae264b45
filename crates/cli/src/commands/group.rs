//! `compeer group`.

use anyhow::{Result, bail};
use base::id::begins;
use reqwest::{Method, StatusCode};
use rpc::{
    GroupDetail, GroupInfo, GroupInviteRequest, GroupKind, GroupLink, GroupMember, GroupRename, GroupRequest,
    GroupRole, GroupRoleRequest, GroupStanding,
};

use super::Context;
use super::people::ask;
use crate::args::{Group, GroupCreate, GroupInvite, RoleName};
use crate::attach::attach;
use crate::client::{Client, part};
use crate::out::{self, Table, clean};

/// Runs the command.
pub async fn run(command: Group, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let client = &attached.client;
    match command {
        Group::Create(command) => create(client, command, context).await?,
        Group::Invite(command) => invite(client, command, context).await?,
        Group::Join(command) => {
            let group: GroupInfo = client.call(Method::POST, "/groups/join", &GroupLink { link: command.link }).await?;
            say(context, &group, || format!("You are a member of {}.", called(&group)))?;
        }
        Group::List => show_all(&client.get::<Vec<GroupInfo>>("/groups").await?, context)?,
        Group::Show(which) => show_one(client, &which.group, context).await?,
        Group::Members(which) => {
            let group = detail(client, &which.group).await?;
            if context.json { out::json(&group.people)? } else { members(&group.people)? }
        }
        Group::Role(command) => {
            let group = detail(client, &command.group).await?;
            let member = member(&group, &command.person)?;
            let role = if command.role == RoleName::Admin { GroupRole::Admin } else { GroupRole::Member };
            let path = format!("/groups/{}/members/{}", group.info.id, member.person);
            client.tell(Method::PUT, &path, Some(&GroupRoleRequest { role })).await?;
            let now = if role == GroupRole::Admin { "an admin" } else { "a member" };
            done(client, &group, context, || format!("{} is {now} now.", name_of(member))).await?;
        }
        Group::Remove(command) => {
            let group = detail(client, &command.group).await?;
            let member = member(&group, &command.person)?;
            let path = format!("/groups/{}/members/{}", group.info.id, member.person);
            client.tell(Method::DELETE, &path, None::<&()>).await?;
            let text = || format!("{} is no member of {} any more.", name_of(member), called(&group.info));
            done(client, &group, context, text).await?;
        }
        Group::Cancel(command) => {
            let group = detail(client, &command.group).await?;
            let meant = |id: &str| begins(id, &command.invitation);
            let found: Vec<_> = group.invitations.iter().filter(|invitation| meant(&invitation.id)).collect();
            let [invitation] = found[..] else {
                let which = if found.is_empty() { "no open invitation" } else { "more than one open invitation" };
                bail!(
                    "{which} of {} begins with {:?}: `compeer group show` lists them",
                    called(&group.info),
                    command.invitation
                );
            };
            let path = format!("/groups/{}/invitations/{}", group.info.id, invitation.id);
            client.tell(Method::DELETE, &path, None::<&()>).await?;
            done(client, &group, context, || "The invitation lets nobody in any more.".to_owned()).await?;
        }
        Group::Rename(command) => {
            let group = detail(client, &command.group).await?.info;
            let path = format!("/groups/{}", group.id);
            let group: GroupInfo = client.call(Method::PATCH, &path, &GroupRename { name: command.name }).await?;
            say(context, &group, || format!("The group is called {} now.", called(&group)))?;
        }
        Group::Leave(which) => {
            let group = detail(client, &which.group).await?.info;
            let told = client.tell(Method::DELETE, &format!("/groups/{}", group.id), None::<&()>).await?;
            say(context, &group, || match (group.standing, told == StatusCode::ACCEPTED) {
                (GroupStanding::Member, true) => format!(
                    "You left {}. No other member is there to hear it: this node tells the first one that it meets.",
                    called(&group)
                ),
                (GroupStanding::Member, false) => format!("You left {}.", called(&group)),
                _ => format!("This node forgets {}.", called(&group)),
            })?;
        }
        Group::Unlock => {
            let groups: Vec<GroupInfo> = ask::unlocked(client, "/groups/unlock", |unlock| unlock).await?;
            if !context.json {
                eprintln!("Your key is unlocked for groups until the node ends.");
            }
            show_all(&groups, context)?;
        }
    }
    Ok(0)
}

async fn create(client: &Client, command: GroupCreate, context: &Context) -> Result<()> {
    let kind = match (command.open, command.private) {
        (true, _) => GroupKind::Open,
        (_, true) => GroupKind::Private,
        _ => GroupKind::ByInvitation,
    };
    let group: GroupInfo = client.call(Method::POST, "/groups", &GroupRequest { name: command.name, kind }).await?;
    say(context, &group, || {
        format!(
            "The group {} begins with you. `compeer group invite` prints a link for others. You are its only admin, so give \
             somebody that role too (`compeer group role`): if your key is lost, nobody can change the group any more.",
            called(&group)
        )
    })
}

async fn invite(client: &Client, command: GroupInvite, context: &Context) -> Result<()> {
    let group = detail(client, &command.group).await?.info;
    let request = GroupInviteRequest {
        person: command.person,
        uses: if command.standing { 0 } else { command.uses },
        role: if command.admin { GroupRole::Admin } else { GroupRole::Member },
    };
    let link: GroupLink = client.call(Method::POST, &format!("/groups/{}/invitations", group.id), &request).await?;
    if context.json {
        return out::json(&link);
    }
    out::line(&link.link)?;
    let who = match (group.kind, request.person.is_some(), request.uses) {
        (_, true, _) => "That person alone comes".to_owned(),
        (Some(GroupKind::Open), ..) if request.role == GroupRole::Member => {
            "Everybody who has this link comes".to_owned()
        }
        (_, _, 0) => "Everybody who has this link comes".to_owned(),
        (_, _, 1) => "The first who takes this link comes".to_owned(),
        (_, _, uses) => format!("The first {uses} who take this link come"),
    };
    let name = called(&group);
    eprintln!("{who} into {name}, let in by your node or another member's that is there then.");
    let is_for_all = group.kind == Some(GroupKind::Open) && request.role == GroupRole::Member;
    if request.person.is_some() || !is_for_all {
        eprintln!("`compeer group show '{name}'` lists the open invitations, `compeer group cancel` takes one back.");
    }
    Ok(())
}

fn show_all(groups: &[GroupInfo], context: &Context) -> Result<()> {
    if context.json {
        return out::json(&groups);
    }
    if groups.is_empty() {
        eprintln!("You are in no group: `compeer group create NAME` begins one, `group join LINK` comes into one.");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "KIND", "YOU", "MEMBERS", "MET", "ID"], &[3, 4], 0);
    for group in groups {
        table.row(vec![
            called(group),
            group.kind.map_or("", shown_kind).to_owned(),
            shown_own(group).to_owned(),
            group.members.to_string(),
            group.connected.to_string(),
            group.id[..16].to_owned(),
        ]);
    }
    table.print()?;
    if groups.iter().any(|group| group.locked && group.name.is_none()) {
        eprintln!(
            "Where no name is shown, your key is needed to read it: `compeer group unlock`, or, if your phrase is on another of \
             your computers, start that one: it gives this one the groups' keys."
        );
    }
    Ok(())
}

async fn show_one(client: &Client, meant: &str, context: &Context) -> Result<()> {
    let group = detail(client, meant).await?;
    if context.json {
        return out::json(&group);
    }
    let info = &group.info;
    out::line(format!("{}  {}", called(info), info.kind.map_or("", shown_kind)))?;
    out::line(format!("id       {}", info.id))?;
    out::line(format!("you      {}", shown_own(info)))?;
    let others = info.members.saturating_sub(u32::from(info.role.is_some()));
    out::line(format!("met      {} of {others} others now", info.connected))?;
    let admins = group.people.iter().filter(|member| member.role == GroupRole::Admin).count();
    if admins == 1 && group.people.len() > 1 {
        out::line("admins   only one, without whom nothing can change: `compeer group role` makes another")?;
    }
    match (info.has_key, info.locked) {
        (true, false) => {}
        (true, true) => {
            out::line("key      here to read; yours, to change anything, is locked or on another computer")?
        }
        (false, true) => {
            out::line("key      locked (`compeer group unlock`), or on another computer, which gives it to this one")?
        }
        (false, false) => out::line("key      not here yet")?,
    }
    out::line("")?;
    members(&group.people)?;
    let called_there = |id: &str| match group.names.get(id) {
        Some(name) => format!("{}  ({})", clean(name), &id[..8]),
        None => id[..16].to_owned(),
    };
    for invitation in &group.invitations {
        let whom = invitation.person.as_deref().map_or("whoever has the link".to_owned(), called_there);
        let left = invitation.left.map_or("any number".to_owned(), |left| format!("{left} more"));
        out::line(format!("invited  {}  {whom}, {left}, as {}", &invitation.id[..8], shown(invitation.role)))?;
    }
    for person in &group.expelled {
        out::line(format!("expelled {}", called_there(person)))?;
    }
    Ok(())
}

fn members(people: &[GroupMember]) -> Result<()> {
    let mut table = Table::new(&["NAME", "ROLE", "ID"], &[], 0);
    for member in people {
        let own = if member.own { " (you)" } else { "" };
        table.row(vec![
            format!("{}{own}", name_of(member)),
            shown(member.role).to_owned(),
            member.person[..16].to_owned(),
        ]);
    }
    table.print()
}

async fn detail(client: &Client, meant: &str) -> Result<GroupDetail> {
    Ok(client.get(&format!("/groups/{}", part(meant))).await?)
}

fn member<'a>(group: &'a GroupDetail, meant: &str) -> Result<&'a GroupMember> {
    let mut found: Vec<&GroupMember> = group.people.iter().filter(|it| it.name.as_deref() == Some(meant)).collect();
    if found.is_empty() {
        found = group.people.iter().filter(|member| begins(&member.person, meant)).collect();
    }
    match found[..] {
        [member] => Ok(member),
        [] => bail!("{} has no member {meant:?}: `compeer group members` shows them", called(&group.info)),
        _ => bail!("{meant:?} can mean {} members: write the beginning of the id", found.len()),
    }
}

async fn done(client: &Client, group: &GroupDetail, context: &Context, text: impl FnOnce() -> String) -> Result<()> {
    if !context.json {
        return out::line(text());
    }
    out::json(&client.get::<GroupDetail>(&format!("/groups/{}", group.info.id)).await?)
}

fn say(context: &Context, group: &GroupInfo, text: impl FnOnce() -> String) -> Result<()> {
    if context.json { out::json(group) } else { out::line(text()) }
}

fn called(group: &GroupInfo) -> String {
    group.name.as_deref().map_or_else(|| group.id[..16].to_owned(), clean)
}

fn name_of(member: &GroupMember) -> String {
    member.name.as_deref().map_or_else(|| member.person[..16].to_owned(), clean)
}

fn shown_own(group: &GroupInfo) -> &'static str {
    match (group.role, group.standing) {
        (Some(role), _) => shown(role),
        (None, GroupStanding::Expelled) => "expelled",
        (None, _) => "no member",
    }
}

fn shown(role: GroupRole) -> &'static str {
    match role {
        GroupRole::Member => "member",
        GroupRole::Admin => "admin",
    }
}

fn shown_kind(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::Open => "open",
        GroupKind::ByInvitation => "by invitation",
        GroupKind::Private => "private",
    }
}
