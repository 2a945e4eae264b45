//! Changing the settings: the file is edited in place, so that remarks and what is not touched stay as they are.

mod settings;

use std::io::Write as _;
use std::path::Path;

use net::Target;
use rpc::{Budget, GateChange, ListChange, OfferChange, ScheduleWindow, Share};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

pub(crate) use self::settings::Defaults;
use super::{Controls, Stamp, Unread, read, read_text};
use crate::Service;
use crate::config::{self, Config};

/// Why a change was not made.
#[derive(Debug)]
pub(crate) enum EditError {
    /// What is asked for makes no sense.
    Refused(String),
    /// The file cannot be read or written.
    Local(String),
}

impl Controls {
    /// Changes whom the node meets.
    pub(crate) async fn change_gate(&self, change: GateChange) -> Result<(), EditError> {
        self.edit(move |doc| {
            if let Some(who) = &change.who {
                table(doc, &["meet"])?["who"] = toml_edit::value(who);
            }
            if let Some(groups) = &change.groups {
                table(doc, &["meet"])?["groups"] = array(groups.iter().map(String::as_str));
            }
            match change.paused {
                Some(true) => doc["paused"] = toml_edit::value(true),
                Some(false) => drop(doc.remove("paused")),
                None => {}
            }
            for (name, opposite, list) in [("allow", "block", &change.allow), ("block", "allow", &change.block)] {
                change_targets(doc, name, opposite, list)?;
            }
            change_list(doc, "lists", &change.lists.add, &change.lists.remove)
        })
        .await
    }

    /// Changes the budget.
    pub(crate) async fn change_budget(&self, change: Budget) -> Result<(), EditError> {
        self.edit(move |doc| {
            let section = if doc.contains_key("limits") { "limits" } else { "budget" };
            let counts = [
                ("connections", change.connections),
                ("connections_per_torrent", change.connections_per_torrent),
                ("connections_per_address", change.connections_per_address),
                ("connections_per_person", change.connections_per_person),
                ("dials", change.dials),
                ("upload_slots", change.upload_slots),
            ];
            let rates = [("download", change.download_bytes_per_s), ("upload", change.upload_bytes_per_s)];
            let counts = counts.into_iter().map(|(name, count)| (name, count.map(u64::from)));
            set(doc, &[section], rates.into_iter().chain(counts))?;
            let resources = [
                ("memory", change.memory_bytes),
                ("keep_free", change.keep_free_bytes),
                ("most", change.disk_bytes),
                ("threads", change.threads.map(u64::from)),
            ];
            set(doc, &["disk"], resources)?;
            for (name, share) in &change.services {
                set_share(doc, &["service", name], share)?;
            }
            for (id, share) in &change.persons {
                let id = id.strip_prefix("person:").unwrap_or(id);
                set_share(doc, &[section, "person", id], share)?;
            }
            Ok(())
        })
        .await
    }

    /// Replaces the schedule.
    pub(crate) async fn change_schedule(&self, windows: Vec<ScheduleWindow>) -> Result<(), EditError> {
        self.edit(move |doc| {
            if windows.is_empty() {
                doc.remove("schedule");
                return Ok(());
            }
            let mut tables = ArrayOfTables::new();
            for window in &windows {
                let mut table = Table::new();
                table["days"] = toml_edit::value(&window.days);
                table["from"] = toml_edit::value(&window.from);
                table["to"] = toml_edit::value(&window.to);
                for (name, rate) in [("download", window.download_bytes_per_s), ("upload", window.upload_bytes_per_s)] {
                    match rate {
                        None => {}
                        Some(0) => table[name] = toml_edit::value("none"),
                        Some(rate) => table[name] = toml_edit::value(whole(rate)?),
                    }
                }
                if let Some(connections) = window.connections {
                    table["connections"] = toml_edit::value(i64::from(connections));
                }
                if window.pause {
                    table["pause"] = toml_edit::value(true);
                }
                tables.push(table);
            }
            doc["schedule"] = Item::ArrayOfTables(tables);
            Ok(())
        })
        .await
    }

    /// Changes how a service is offered.
    pub(crate) async fn change_offer(&self, name: String, change: OfferChange) -> Result<(), EditError> {
        self.edit(move |doc| {
            let (is_role, off) = (Service::NAMES.contains(&name.as_str()), change.off);
            // What the node asks of others by the same name goes on when it is not offered any more.
            let is_used = name == crate::chat::MAILBOX;
            match off {
                // It does not run by itself.
                Some(false) if is_role => table(doc, &["offer", &name])?["on"] = toml_edit::value(true),
                Some(true) if is_used => table(doc, &["offer", &name])?["on"] = toml_edit::value(false),
                _ => {}
            }
            let table = table(doc, &["service", &name])?;
            match off {
                Some(true) if !is_used => table["off"] = toml_edit::value(true),
                Some(false) => drop(table.remove("off")),
                _ => {}
            }
            if let Some(to) = &change.to {
                let word = to.len() == 1 && !to[0].contains([':', '.']);
                table["to"] = if word { toml_edit::value(&to[0]) } else { array(to.iter().map(String::as_str)) };
            }
            Ok(())
        })
        .await
    }

    /// Changes the file, if what comes of it is good, and puts it into force.
    async fn edit(
        &self,
        change: impl FnOnce(&mut DocumentMut) -> Result<(), String> + Send + 'static,
    ) -> Result<(), EditError> {
        let _one_at_a_time = self.0.editing.lock().await;
        let (path, policy) = (self.0.path.clone(), self.0.policy.clone());
        let work = move || {
            let local = |error: std::io::Error| EditError::Local(format!("{}: {error}", path.display()));
            let before = read_text(&path).map_err(local)?;
            let mut doc: DocumentMut = before.parse().map_err(|error: toml_edit::TomlError| {
                let reason = error.message().lines().next().unwrap_or_default();
                let line = error.span().map_or(1, |span| 1 + before[..span.start].matches('\n').count());
                let reason = format!("line {line}: {reason}");
                EditError::Refused(format!("{} has a mistake, correct that first: {reason}", path.display()))
            })?;
            let stood = Config::parse(&before);
            change(&mut doc).map_err(EditError::Refused)?;
            let text = doc.to_string();
            // Read as it will be, before it is written.
            let files = read(Stamp::of(&path), &text, &policy);
            let mut files = files.map_err(|unread| {
                // A mistake that was there before is not the change's.
                EditError::Refused(match (unread, stood) {
                    (Unread::Config(_), Err(reason)) => {
                        let reason = config::with_line(&before, reason);
                        format!("{} has a mistake, correct that first: {reason}", path.display())
                    }
                    (Unread::Config(reason) | Unread::Other(reason), _) => reason,
                })
            })?;
            if text != before {
                replace(&path, &text).map_err(local)?;
            }
            files.stamps[0] = Stamp::of(&path);
            Ok(files)
        };
        let files = tokio::task::spawn_blocking(work).await;
        let files =
            files.unwrap_or_else(|error| Err(EditError::Local(format!("changing the settings failed: {error}"))))?;
        let (stamps, given) = {
            let state = self.state();
            (state.stamps.clone(), state.given)
        };
        if self.take(Ok(files), stamps, given) {
            self.apply();
        }
        Ok(())
    }
}

/// Writes the new file beside the old one and puts it in its place: a reader sees one or the other.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays a link.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let fresh = path.with_extension("toml.new");
    let mut file = std::fs::File::create(&fresh)?;
    if let Ok(old) = std::fs::metadata(&path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    std::fs::rename(&fresh, &path)
}

/// Returns a table, made if it is not there.
fn table<'a>(doc: &'a mut DocumentMut, path: &[&str]) -> Result<&'a mut Table, String> {
    let mut at: &mut Table = doc.as_table_mut();
    for (depth, name) in path.iter().enumerate() {
        let item = at.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            // Only the innermost shows its head.
            table.set_implicit(depth + 1 < path.len());
            Item::Table(table)
        });
        if let Item::Value(Value::InlineTable(inline)) = item {
            let inline = std::mem::take(inline);
            *item = Item::Table(inline.into_table());
        }
        at = item.as_table_mut().ok_or_else(|| format!("{name} in config.toml is no table"))?;
    }
    Ok(at)
}

fn array<'a>(texts: impl Iterator<Item = &'a str>) -> Item {
    Item::Value(Value::Array(texts.collect::<Array>()))
}

fn whole(number: u64) -> Result<i64, String> {
    i64::try_from(number).map_err(|_| format!("{number} is too large"))
}

/// Sets numbers; 0 takes one away, none leaves it.
fn set<'a>(
    doc: &mut DocumentMut,
    path: &[&str],
    numbers: impl IntoIterator<Item = (&'a str, Option<u64>)>,
) -> Result<(), String> {
    for (name, number) in numbers {
        match number {
            None => {}
            Some(0) => drop(table(doc, path)?.remove(name)),
            Some(number) => set_value(table(doc, path)?, name, whole(number)?.into()),
        }
    }
    Ok(())
}

/// Sets a value; the remark behind the old one stays.
fn set_value(table: &mut Table, name: &str, mut value: Value) {
    if let Some(old) = table.get(name).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    table[name] = Item::Value(value);
}

fn set_share(doc: &mut DocumentMut, path: &[&str], share: &Share) -> Result<(), String> {
    let numbers = [
        ("download", share.download_bytes_per_s),
        ("upload", share.upload_bytes_per_s),
        ("connections", share.connections.map(u64::from)),
    ];
    set(doc, path, numbers)
}

/// Changes one of the lists of whom to meet or not; what is added leaves the opposite one.
fn change_targets(doc: &mut DocumentMut, name: &str, opposite: &str, change: &ListChange) -> Result<(), String> {
    let normal = |texts: &[String]| -> Result<Vec<String>, String> {
        let each = texts.iter().map(|text| text.parse::<Target>().map(|target| target.to_string()));
        each.collect::<Result<_, _>>().map_err(|error| error.to_string())
    };
    let (add, remove) = (normal(&change.add)?, normal(&change.remove)?);
    change_list(doc, opposite, &[], &add)?;
    change_list(doc, name, &add, &remove)
}

fn change_list(doc: &mut DocumentMut, name: &str, add: &[String], remove: &[String]) -> Result<(), String> {
    if add.is_empty() && (remove.is_empty() || doc.get("meet").and_then(|meet| meet.get(name)).is_none()) {
        return Ok(());
    }
    let list = table(doc, &["meet"])?.entry(name).or_insert_with(|| array(std::iter::empty()));
    let list = list.as_array_mut().ok_or_else(|| format!("meet.{name} in config.toml is no list"))?;
    // As targets, so that 192.0.2.0/24 and 192.0.2.0-192.0.2.255 are the same.
    let same =
        |a: &str, b: &str| a == b || a.parse::<Target>().is_ok_and(|a| b.parse::<Target>().is_ok_and(|b| a == b));
    list.retain(|value| value.as_str().is_none_or(|text| !remove.iter().any(|gone| same(gone, text))));
    for text in add {
        if !list.iter().any(|value| value.as_str().is_some_and(|known| same(known, text))) {
            list.push(text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str, change: impl FnOnce(&mut DocumentMut) -> Result<(), String>) -> String {
        let mut doc: DocumentMut = text.parse().unwrap();
        change(&mut doc).unwrap();
        doc.to_string()
    }

    #[test]
    fn remarks_and_what_is_not_touched_stay() {
        let text = "# mine\ndownload_folder = \"/x\" # here\n\n[budget] # how much\nupload = 1000 # slow\n";
        let changed = change(text, |doc| {
            set(doc, &["budget"], [("upload", Some(2000)), ("download", Some(5)), ("dials", None)])?;
            set_share(doc, &["service", "files"], &Share { connections: Some(3), ..Share::default() })
        });
        let expected = "# mine\ndownload_folder = \"/x\" # here\n\n[budget] # how much\nupload = 2000 # slow\n\
                        download = 5\n\n[service.files]\nconnections = 3\n";
        assert_eq!(changed, expected);
        let back = change(&changed, |doc| set(doc, &["budget"], [("download", Some(0))]));
        assert!(!back.contains("download = 5"));
    }

    #[test]
    fn who_is_allowed_is_blocked_no_more() {
        let list = |add: &[&str], remove: &[&str]| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            ListChange { add: own(add), remove: own(remove) }
        };
        let text = "[meet]\nblock = [\"192.0.2.0-192.0.2.255\", \"10.0.0.1\"]\n";
        let changed = change(text, |doc| change_targets(doc, "allow", "block", &list(&["192.0.2.0/24"], &[])));
        assert_eq!(changed, "[meet]\nblock = [ \"10.0.0.1\"]\nallow = [\"192.0.2.0/24\"]\n");
        let twice = change(&changed, |doc| change_targets(doc, "allow", "block", &list(&["192.0.2.9/24"], &[])));
        assert_eq!(twice, changed);
        let none = change(&changed, |doc| change_targets(doc, "allow", "block", &list(&[], &["192.0.2.0/24"])));
        assert!(none.contains("allow = []"), "{none}");
        assert_eq!(change("", |doc| change_targets(doc, "allow", "block", &list(&[], &["10.0.0.1"]))), "");
        let mut doc = DocumentMut::new();
        assert!(change_targets(&mut doc, "allow", "block", &list(&["alice"], &[])).unwrap_err().contains("alice"));
    }

    #[test]
    fn tables_in_any_form_are_changed() {
        let changed = change("budget = { upload = 5 }\n", |doc| set(doc, &["budget"], [("upload", Some(6))]));
        assert!(crate::Config::parse(&changed).unwrap().budget.upload == Some(6), "{changed}");
        let changed = change("budget.upload = 5\n", |doc| set(doc, &["budget"], [("upload", Some(6))]));
        assert!(crate::Config::parse(&changed).unwrap().budget.upload == Some(6), "{changed}");
    }
}
