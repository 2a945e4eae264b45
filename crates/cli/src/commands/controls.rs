//! `compeer allow|block|offer|budget|schedule|who`, and `pause` and `resume` of everything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use base::units::format_bytes;
use reqwest::Method;
use rpc::{Budget, BudgetInfo, GateChange, GateInfo, ListChange, OfferChange, OfferInfo, ScheduleWindow, Share};
use rpc::{UsageInfo, UsageTotal};

use super::Context;
use crate::args::{self, ScheduleCommand};
use crate::attach::{Attached, attach};
use crate::client::part;
use crate::out::{self, Table, clean};
use crate::show;

/// How many characters of an id are shown.
const SHOWN_ID: usize = 8;

/// Shows or changes whom to meet in any case, and who is met otherwise.
pub async fn allow(command: args::Allow, context: &Context) -> Result<u8> {
    if command.only.as_deref() == Some("groups") && command.group.is_empty() {
        bail!("--only groups needs the groups: add --group GROUP for each; `compeer group list` shows yours");
    }
    let groups = (!command.group.is_empty()).then_some(command.group);
    let change = GateChange { who: command.only, groups, allow: list(command.rule), ..GateChange::default() };
    change_gate(change, context).await
}

/// Shows or changes whom not to meet.
pub async fn block(command: args::Block, context: &Context) -> Result<u8> {
    let lists = ListChange { add: paths(&command.list)?, remove: paths(&command.remove_list)? };
    change_gate(GateChange { block: list(command.rule), lists, ..GateChange::default() }, context).await
}

/// Finds the node, and says if what is written in its settings does not hold.
pub async fn reach(context: &Context) -> Result<Attached> {
    let attached = attach(context.home.as_deref()).await?;
    if let Some(mistake) = &attached.info.mistake {
        eprintln!("warning: {}", show::mistake(mistake));
    }
    Ok(attached)
}

fn list(rule: args::Rule) -> ListChange {
    if rule.remove {
        ListChange { remove: rule.who, ..ListChange::default() }
    } else {
        ListChange { add: rule.who, ..ListChange::default() }
    }
}

fn paths(files: &[PathBuf]) -> Result<Vec<String>> {
    let absolute = |file: &PathBuf| {
        let path = std::path::absolute(file).with_context(|| format!("{} is no path", file.display()))?;
        let text = path.to_str().with_context(|| format!("{} is not UTF-8, which settings are", path.display()))?;
        Ok(text.to_owned())
    };
    files.iter().map(absolute).collect()
}

async fn change_gate(change: GateChange, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    let before: GateInfo = attached.client.get("/gate").await?;
    let allows = !change.allow.add.is_empty();
    let info: GateInfo = if change == GateChange::default() {
        before.clone()
    } else {
        attached.client.call(Method::PATCH, "/gate", &change).await?
    };
    if context.json {
        out::json(&info)?;
        return Ok(0);
    }
    // Who only wanted to end a block learns that he did more.
    for freed in before.block.iter().filter(|entry| allows && info.allow.contains(entry)) {
        let name = clean(before.names.get(freed).unwrap_or(freed));
        eprintln!(
            "{name} is blocked no longer, and from now on is met in any case: `compeer allow --remove {name}` ends that. \
             `compeer block --remove` alone only ends a block."
        );
    }
    let who = match info.who.as_str() {
        "everyone" => "everybody".to_owned(),
        "acquaintances" => "contacts and fellow members of groups".to_owned(),
        "contacts" => "contacts only".to_owned(),
        "listed" => "only those on the list".to_owned(),
        _ => {
            let name = |group: &String| info.names.get(group).unwrap_or(group).clone();
            format!("members of {} only", clean(&info.groups.iter().map(name).collect::<Vec<_>>().join(", ")))
        }
    };
    out::line(format!("met      {who}"))?;
    let called = |entry: &String| match info.names.get(entry) {
        Some(name) => format!("{}  ({})", clean(name), clean(entry)),
        None => clean(entry),
    };
    let entries =
        |name: &str, list: &[String]| list.iter().try_for_each(|it| out::line(format!("{name}  {}", called(it))));
    entries("allowed", &info.allow)?;
    entries("blocked", &info.block)?;
    entries("list   ", &info.lists)?;
    if info.listed_ranges > 0 {
        out::line(format!("         {} ranges of addresses in lists", show::grouped(info.listed_ranges)))?;
    }
    if info.resting {
        out::line(if info.paused {
            "Everything is paused."
        } else {
            "Everything rests by the schedule or the administrator's hours."
        })?;
    }
    Ok(0)
}

/// Pauses everything, or no longer.
pub async fn rest(paused: bool, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    let change = GateChange { paused: Some(paused), ..GateChange::default() };
    let info: GateInfo = attached.client.call(Method::PATCH, "/gate", &change).await?;
    if context.json {
        out::json(&info)?;
    } else if paused {
        out::line("Everything is paused; `compeer resume --everything` goes on.")?;
    } else if info.resting {
        out::line("Resumed; everything still rests by the schedule or the administrator's hours.")?;
    } else {
        out::line("Resumed.")?;
    }
    Ok(0)
}

/// Shows or changes to whom services are offered.
pub async fn offer(command: args::Offer, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    let off = (command.off || command.on).then_some(command.off);
    let change = OfferChange { off, to: (!command.to.is_empty()).then_some(command.to) };
    let offers: Vec<OfferInfo> = match &command.service {
        Some(service) if change != OfferChange::default() => {
            vec![attached.client.call(Method::PATCH, &format!("/offers/{}", part(service)), &change).await?]
        }
        service => {
            let mut all: Vec<OfferInfo> = attached.client.get("/offers").await?;
            all.retain(|offer| service.as_ref().is_none_or(|name| *name == offer.service));
            all
        }
    };
    if let Some(service) = command.service.filter(|_| offers.is_empty()) {
        bail!("there is no service {service:?}: `compeer offer` shows those that there are");
    }
    if context.json {
        out::json(&offers)?;
        return Ok(0);
    }
    let mut table = Table::new(&["SERVICE", "OFFERED TO", "DOWN", "UP", "CONNECTIONS", "WHAT IT IS"], &[2, 3, 4], 5);
    for offer in &offers {
        let to = match (offer.forbidden, offer.off) {
            (true, _) => "forbidden by the administrator".to_owned(),
            (_, true) => "off".to_owned(),
            _ if offer.runs == Some(false) => "nobody; --on starts it".to_owned(),
            _ => {
                let name = |entry: &String| offer.names.get(entry).unwrap_or(entry).clone();
                offer.to.iter().map(name).collect::<Vec<_>>().join(", ")
            }
        };
        let Share { download_bytes_per_s, upload_bytes_per_s, connections } = offer.limits;
        let rate = |rate: Option<u64>| rate.map_or_else(|| "-".to_owned(), show::rate);
        table.row(vec![
            clean(&offer.service),
            clean(&to),
            rate(download_bytes_per_s),
            rate(upload_bytes_per_s),
            connections.map_or_else(|| "-".to_owned(), |count| count.to_string()),
            clean(&offer.description),
        ]);
    }
    table.print()?;
    for offer in &offers {
        for url in &offer.urls {
            out::line(format!("{} at {}", offer.service, clean(url)))?;
        }
        if let Some(message) = &offer.message {
            out::line(format!("{} does not run: {}", offer.service, clean(message)))?;
        }
    }
    Ok(0)
}

/// Shows or changes how much the node gives and takes.
pub async fn budget(command: args::Budget, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    // 0 takes a limit away.
    let rate = |limit: Option<args::RateLimit>| limit.map(|limit| limit.0.unwrap_or(0));
    let (download_bytes_per_s, upload_bytes_per_s) = (rate(command.down), rate(command.up));
    let share = Share { download_bytes_per_s, upload_bytes_per_s, connections: command.connections };
    let one = |name: String| BTreeMap::from([(name, share)]);
    let change = match (command.service, command.person) {
        (Some(service), _) => Budget { services: one(service), ..Budget::default() },
        (_, Some(person)) => Budget { persons: one(person), ..Budget::default() },
        _ => Budget {
            download_bytes_per_s,
            upload_bytes_per_s,
            connections: command.connections,
            connections_per_torrent: command.per_torrent,
            connections_per_address: command.per_address,
            connections_per_person: command.per_person,
            dials: command.dials,
            upload_slots: command.slots,
            memory_bytes: command.memory.map(|limit| limit.0.unwrap_or(0)),
            keep_free_bytes: command.keep_free.map(|limit| limit.0.unwrap_or(0)),
            disk_bytes: command.disk.map(|limit| limit.0.unwrap_or(0)),
            threads: command.threads,
            ..Budget::default()
        },
    };
    let info: BudgetInfo = if change == Budget::default() {
        attached.client.get("/budget").await?
    } else {
        attached.client.call(Method::PATCH, "/budget", &change).await?
    };
    // What holds by the administrator though something else was asked for is an answer, also to a program's user.
    if let Some(policy) = &info.administrator {
        for (name, holds) in overruled(&change, policy) {
            eprintln!("The administrator's policy holds, whatever your settings say: {name} {holds}.");
        }
    }
    if context.json {
        out::json(&info)?;
        return Ok(0);
    }
    let now = &info.now;
    out::line(format!("down         {}", show::limit(now.download_bytes_per_s)))?;
    out::line(format!("up           {}", show::limit(now.upload_bytes_per_s)))?;
    for (name, count) in [
        ("connections ", now.connections),
        ("  a torrent ", now.connections_per_torrent),
        ("  an address", now.connections_per_address),
        ("  a person  ", now.connections_per_person),
        ("  being made", now.dials),
        ("peers served", now.upload_slots),
    ] {
        out::line(format!("{name} {}", count.map_or_else(|| "as fits".to_owned(), |count| count.to_string())))?;
    }
    if let Some(bytes) = now.memory_bytes {
        out::line(format!("memory       {} of payload", format_bytes(bytes)))?;
    }
    let most = now.disk_bytes.map_or_else(|| "as much as there is".to_owned(), format_bytes);
    out::line(format!("disk         {most}, of which what was fetched takes {}", format_bytes(info.disk_used_bytes)))?;
    let keep = now.keep_free_bytes.map_or_else(|| "nothing in particular".to_owned(), format_bytes);
    out::line(format!("kept free    {keep}"))?;
    let threads = now.threads.map_or_else(|| "as many as are of use".to_owned(), |count| count.to_string());
    out::line(format!("disk threads {threads}"))?;
    let parts = now.services.iter().map(|(name, share)| (format!("service {}", clean(name)), share));
    let name = |id: &String| info.names.get(id).map_or_else(|| format!("person {}", clean(id)), |name| clean(name));
    let persons = now.persons.iter().map(|(id, share)| (name(id), share));
    for (name, share) in parts.chain(persons) {
        let count = share.connections.map_or_else(String::new, |count| format!(", {count} connections"));
        let (down, up) = (show::limit(share.download_bytes_per_s), show::limit(share.upload_bytes_per_s));
        out::line(format!("{name}: down {down}, up {up}{count}"))?;
    }
    if let Some(window) = info.window {
        out::line(format!("Window {window} of the schedule holds now."))?;
    }
    if let Some(policy) = &info.administrator {
        let limits: Vec<String> =
            limits(policy).into_iter().map(|(name, _, words)| format!("{name} {words}")).collect();
        out::line(format!("By the administrator: {}.", limits.join(", ")))?;
    }
    Ok(0)
}

/// What a budget limits: what it is called, the number, and its words.
type Limit = (&'static str, u64, String);

/// Lists the limits of an administrator's policy.
fn limits(policy: &Budget) -> Vec<Limit> {
    let at_most = |name, number: Option<u64>, words: fn(u64) -> String| {
        number.map(|number| (name, number, format!("at most {}", words(number))))
    };
    let count = |count: Option<u32>| count.map(u64::from);
    let all = [
        at_most("down", policy.download_bytes_per_s, show::rate),
        at_most("up", policy.upload_bytes_per_s, show::rate),
        at_most("connections", count(policy.connections), |it| it.to_string()),
        at_most("connections of a torrent", count(policy.connections_per_torrent), |it| it.to_string()),
        at_most("memory", policy.memory_bytes, format_bytes),
        at_most("disk", policy.disk_bytes, format_bytes),
        at_most("disk threads", count(policy.threads), |it| it.to_string()),
        policy.keep_free_bytes.map(|bytes| ("kept free", bytes, format!("at least {}", format_bytes(bytes)))),
    ];
    all.into_iter().flatten().collect()
}

/// Returns which limits of a policy hold though more was asked for; 0 asks for no limit.
fn overruled(change: &Budget, policy: &Budget) -> Vec<(&'static str, String)> {
    let asked = limits(change);
    let asked = |name| asked.iter().find(|(other, ..)| *other == name).map(|(_, number, _)| *number);
    let overruled = |(name, number, words): Limit| match (name, asked(name)?) {
        ("kept free", wanted) => (wanted < number).then_some((name, words)),
        (_, wanted) => (wanted == 0 || wanted > number).then_some((name, words)),
    };
    limits(policy).into_iter().filter_map(overruled).collect()
}

/// Shows or changes when other limits hold.
pub async fn schedule(command: args::Schedule, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    let mut windows: Vec<ScheduleWindow> = attached.client.get("/schedule").await?;
    if let Some(change) = command.command {
        match change {
            ScheduleCommand::Add(add) => windows.push(ScheduleWindow {
                days: add.days,
                from: add.from,
                to: add.to,
                download_bytes_per_s: add.down.map(|limit| limit.0.unwrap_or(0)),
                upload_bytes_per_s: add.up.map(|limit| limit.0.unwrap_or(0)),
                connections: add.connections,
                pause: add.pause,
                active: false,
            }),
            ScheduleCommand::Remove { number } if (1..=windows.len()).contains(&number) => {
                windows.remove(number - 1);
            }
            ScheduleCommand::Remove { number } => {
                bail!("the schedule has no window {number}: `compeer schedule` shows them")
            }
        }
        windows = attached.client.call(Method::PUT, "/schedule", &windows).await?;
    }
    if context.json {
        out::json(&windows)?;
        return Ok(0);
    }
    if windows.is_empty() {
        eprintln!("There is no schedule: the same limits hold always.");
        return Ok(0);
    }
    let mut table = Table::new(&["NUMBER", "DAYS", "FROM", "TO", "DOWN", "UP", "CONNECTIONS", "NOW"], &[0, 4, 5, 6], 1);
    for (at, window) in windows.iter().enumerate() {
        let rate = |rate: Option<u64>| match rate {
            _ if window.pause => "rests".to_owned(),
            Some(0) => "no limit".to_owned(),
            Some(rate) => show::rate(rate),
            None => "-".to_owned(),
        };
        table.row(vec![
            (at + 1).to_string(),
            clean(&window.days),
            clean(&window.from),
            clean(&window.to),
            rate(window.download_bytes_per_s),
            rate(window.upload_bytes_per_s),
            window.connections.map_or_else(|| "-".to_owned(), |count| count.to_string()),
            if window.active { "yes" } else { "" }.to_owned(),
        ]);
    }
    table.print()?;
    Ok(0)
}

/// Shows who uses what now, or what was used.
pub async fn who(command: args::Who, context: &Context) -> Result<u8> {
    if command.report {
        let home = node::Home::open(context.home.as_deref())?;
        // Where no node runs, the report is read from the home.
        if let Some(_lock) = home.lock()? {
            return report(&node::usage_report(&home, command.days).await?, context);
        }
    }
    let attached = reach(context).await?;
    if command.report {
        let days: Vec<UsageTotal> = attached.client.get(&format!("/usage/days?days={}", command.days)).await?;
        return report(&days, context);
    }
    let usage: UsageInfo = attached.client.get("/usage").await?;
    if context.json {
        out::json(&usage)?;
        return Ok(0);
    }
    let mut table =
        Table::new(&["WHO", "SERVICE", "OVER", "CONNECTIONS", "DOWN", "UP", "RECEIVED", "SENT"], &[3, 4, 5, 6, 7], 0);
    if command.all {
        for it in &usage.connections {
            let who = it.person.as_deref().map(|id| called(it.name.as_deref(), id));
            let who = who.or_else(|| it.node.as_deref().map(|id| short("node", id))).or_else(|| it.address.clone());
            table.row(vec![
                clean(&who.unwrap_or_else(|| "a server".to_owned())),
                clean(&it.service),
                show::carrier(&it.carrier),
                if it.incoming { "in" } else { "out" }.to_owned(),
                show::rate_or_blank(it.download_bytes_per_s),
                show::rate_or_blank(it.upload_bytes_per_s),
                format_bytes(it.downloaded_bytes),
                format_bytes(it.uploaded_bytes),
            ]);
        }
    } else {
        // By person, service and carrier: connections, rates now, and what was carried since the start.
        let mut sums: BTreeMap<[String; 4], Sum> = BTreeMap::new();
        // Two persons may have the same name.
        let key = |person: &Option<String>, name: &Option<String>, service: &String, carrier: &String| {
            let who = whose(person.as_deref(), name.as_deref());
            [who, person.clone().unwrap_or_default(), service.clone(), carrier.clone()]
        };
        for it in &usage.connections {
            let sum = sums.entry(key(&it.person, &it.name, &it.service, &it.carrier)).or_default();
            sum.connections += 1;
            sum.down += it.download_bytes_per_s;
            sum.up += it.upload_bytes_per_s;
        }
        for it in &usage.totals {
            let sum = sums.entry(key(&it.person, &it.name, &it.service, &it.carrier)).or_default();
            sum.received += it.downloaded_bytes;
            sum.sent += it.uploaded_bytes;
        }
        for ([who, _, service, carrier], sum) in sums {
            table.row(vec![
                clean(&who),
                clean(&service),
                show::carrier(&carrier),
                sum.connections.to_string(),
                show::rate_or_blank(sum.down),
                show::rate_or_blank(sum.up),
                format_bytes(sum.received),
                format_bytes(sum.sent),
            ]);
        }
    }
    if usage.connections.is_empty() && usage.totals.is_empty() {
        eprintln!("Nobody is connected, and nothing was carried since the node started.");
        return Ok(0);
    }
    if command.all && usage.connections.is_empty() {
        eprintln!("Nobody is connected; `compeer who` shows what was carried since the node started.");
        return Ok(0);
    }
    table.print()?;
    Ok(0)
}

/// What somebody uses of a service over a carrier.
#[derive(Debug, Default)]
struct Sum {
    connections: u64,
    /// Bytes per second, now.
    down: u64,
    up: u64,
    /// Bytes, since the node started.
    received: u64,
    sent: u64,
}

fn report(days: &[UsageTotal], context: &Context) -> Result<u8> {
    if context.json {
        out::json(&days)?;
        return Ok(0);
    }
    if days.is_empty() {
        eprintln!("Nothing was carried yet.");
        return Ok(0);
    }
    let mut table = Table::new(&["DAY", "WHO", "SERVICE", "OVER", "RECEIVED", "SENT"], &[4, 5], 1);
    for it in days {
        table.row(vec![
            clean(it.day.as_deref().unwrap_or_default()),
            clean(&whose(it.person.as_deref(), it.name.as_deref())),
            clean(&it.service),
            show::carrier(&it.carrier),
            format_bytes(it.downloaded_bytes),
            format_bytes(it.uploaded_bytes),
        ]);
    }
    table.print()?;
    Ok(0)
}

/// Returns what a person is called.
fn called(name: Option<&str>, id: &str) -> String {
    name.map_or_else(|| short("person", id), str::to_owned)
}

fn whose(person: Option<&str>, name: Option<&str>) -> String {
    person.map_or_else(|| "strangers".to_owned(), |id| called(name, id))
}

fn short(kind: &str, id: &str) -> String {
    format!("{kind} {}", id.chars().take(SHOWN_ID).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_named_by_its_whole_path() {
        let given = paths(&[PathBuf::from("a.p2p")]).unwrap();
        assert!(std::path::Path::new(&given[0]).is_absolute() && given[0].ends_with("a.p2p"), "{given:?}");
    }

    #[test]
    fn who_asks_for_more_than_the_policy_allows_is_told_which_limit_holds() {
        let policy = Budget {
            upload_bytes_per_s: Some(200 << 10),
            connections: Some(9),
            keep_free_bytes: Some(1 << 30),
            ..Budget::default()
        };
        let told = |change: Budget| overruled(&change, &policy).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(told(Budget::default()).is_empty());
        assert!(told(Budget { upload_bytes_per_s: Some(100), memory_bytes: Some(1), ..Budget::default() }).is_empty());
        let more = Budget { upload_bytes_per_s: Some(0), connections: Some(10), ..Budget::default() };
        assert_eq!(told(more), ["up", "connections"]);
        assert_eq!(told(Budget { keep_free_bytes: Some(0), ..Budget::default() }), ["kept free"]);
        let (_, words) = overruled(&Budget { connections: Some(10), ..Budget::default() }, &policy).remove(0);
        assert_eq!(words, "at most 9");
    }
}
