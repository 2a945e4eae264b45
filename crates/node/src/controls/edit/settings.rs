//! Changing what a page of settings shows, and what tools may set of it.

use std::path::PathBuf;

use rpc::SettingsChange;
use toml_edit::{DocumentMut, Value};

use super::{EditError, set_value, table, whole};
use crate::controls::Controls;

/// A change of what holds for torrents of which nothing else is said.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Defaults {
    /// Where content goes.
    pub(crate) download_folder: Option<PathBuf>,
    /// At which ratio seeding ends; `Some(None)`: at none.
    pub(crate) seed_ratio: Option<Option<f64>>,
    /// After how many minutes of seeding.
    pub(crate) seed_minutes: Option<Option<u64>>,
    /// After how many minutes in which nothing was sent.
    pub(crate) seed_idle_minutes: Option<Option<u64>>,
}

impl Controls {
    /// Changes the settings that most people want to see.
    pub(crate) async fn change_settings(&self, change: SettingsChange) -> Result<(), EditError> {
        self.edit(move |doc| write(doc, &change)).await
    }

    /// Changes what holds for torrents of which nothing else is said; what is `None` stays.
    pub(crate) async fn change_defaults(&self, change: Defaults) -> Result<(), EditError> {
        self.edit(move |doc| write_defaults(doc, &change)).await
    }
}

fn write(doc: &mut DocumentMut, change: &SettingsChange) -> Result<(), String> {
    if change.seed_ratio.is_some_and(|ratio| !ratio.is_finite()) {
        return Err("seed_ratio has to be a number".to_owned());
    }
    let defaults = Defaults {
        download_folder: change.download_folder.as_ref().map(PathBuf::from),
        seed_ratio: change.seed_ratio.map(|ratio| Some(ratio).filter(|ratio| *ratio >= 0.0)),
        seed_minutes: change.seed_minutes.map(|minutes| Some(minutes).filter(|minutes| *minutes > 0)),
        seed_idle_minutes: change.seed_idle_minutes.map(|minutes| Some(minutes).filter(|minutes| *minutes > 0)),
    };
    write_defaults(doc, &defaults)?;
    for (section, name, on) in [
        ("overlay", "publish", change.published),
        ("network", "lsd", change.local_network),
        ("network", "dht", change.dht),
        ("chat", "receipts", change.read_receipts),
        ("chat", "typing", change.typing),
    ] {
        if let Some(on) = on {
            set_or_remove(doc, section, name, Some(on.into()))?;
        }
    }
    Ok(())
}

fn write_defaults(doc: &mut DocumentMut, change: &Defaults) -> Result<(), String> {
    if let Some(folder) = &change.download_folder {
        let folder = folder.to_str().ok_or("the folder's name is no Unicode text")?;
        set_value(doc.as_table_mut(), "download_folder", folder.into());
    }
    if let Some(ratio) = change.seed_ratio {
        set_or_remove(doc, "seed", "ratio", ratio.map(Value::from))?;
    }
    for (name, goal) in [("minutes", change.seed_minutes), ("idle_minutes", change.seed_idle_minutes)] {
        if let Some(minutes) = goal {
            set_or_remove(doc, "seed", name, minutes.map(whole).transpose()?.map(Value::from))?;
        }
    }
    Ok(())
}

fn set_or_remove(doc: &mut DocumentMut, section: &str, name: &str, value: Option<Value>) -> Result<(), String> {
    match value {
        Some(value) => set_value(table(doc, &[section])?, name, value),
        None if doc.contains_key(section) => drop(table(doc, &[section])?.remove(name)),
        None => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_written() {
        let mut doc: DocumentMut = "[seed] # when to stop\nratio = 2.0 # twice\n".parse().unwrap();
        let change = SettingsChange { published: Some(false), seed_ratio: Some(1.5), ..Default::default() };
        write(&mut doc, &change).unwrap();
        assert_eq!(doc.to_string(), "[seed] # when to stop\nratio = 1.5 # twice\n\n[overlay]\npublish = false\n");
        let none = SettingsChange { seed_ratio: Some(-1.0), seed_minutes: Some(0), ..Default::default() };
        write(&mut doc, &none).unwrap();
        assert!(!doc.to_string().contains("ratio"), "{doc}");
        write(&mut doc, &SettingsChange { seed_idle_minutes: Some(30), ..Default::default() }).unwrap();
        assert!(doc.to_string().contains("idle_minutes = 30"), "{doc}");
        write(&mut doc, &SettingsChange { seed_idle_minutes: Some(0), ..Default::default() }).unwrap();
        assert!(!doc.to_string().contains("idle_minutes"), "{doc}");
        assert!(write(&mut doc, &SettingsChange { seed_ratio: Some(f64::NAN), ..Default::default() }).is_err());
    }
}
