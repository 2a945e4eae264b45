//! `compeer library`: folders that people may look into.

use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use rpc::{LibraryInfo, LibraryRequest};

use super::Context;
use crate::args::{Library, LibraryCommand};
use crate::attach::attach;
use crate::client::part;
use crate::out::{self, Table, clean};
use crate::show;

/// Runs the command.
pub async fn run(command: Library, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let client = &attached.client;
    match command.command.unwrap_or(LibraryCommand::List) {
        LibraryCommand::List => {
            let libraries: Vec<LibraryInfo> = client.get("/libraries").await?;
            if context.json {
                out::json(&libraries)?;
            } else if libraries.is_empty() {
                eprintln!("No libraries: `compeer library add FOLDER --to NAME` makes the first.");
            } else {
                let mut table = Table::new(&["NAME", "FOLDER", "FOR"], &[], 1);
                for library in &libraries {
                    table.row(vec![
                        clean(&library.name),
                        clean(&library.folder),
                        audience(&library.to, &library.groups),
                    ]);
                }
                table.print()?;
            }
        }
        LibraryCommand::Add(add) => {
            if add.audience.is_empty() {
                bail!("say who may look into it: --to NAME or --group GROUP");
            }
            let shown = add.folder.display();
            let folder = add.folder.canonicalize().with_context(|| format!("{shown}: cannot read it"))?;
            let request = LibraryRequest {
                name: add.name.clone().unwrap_or_default(),
                folder: folder.display().to_string(),
                to: add.audience.to.clone(),
                groups: add.audience.group.clone(),
            };
            let library: LibraryInfo = client.call(Method::PUT, "/libraries", &request).await?;
            if context.json {
                out::json(&library)?;
            } else {
                let whom = audience(&library.to, &library.groups);
                out::line(format!(
                    "{} may look into {} now, as {}",
                    whom,
                    clean(&library.folder),
                    clean(&library.name)
                ))?;
            }
        }
        LibraryCommand::Remove(remove) => {
            let name = part(&remove.name);
            client.tell(Method::DELETE, &format!("/libraries/{name}"), None::<&()>).await?;
            match context.json {
                true => out::json(&serde_json::json!({ "removed": remove.name }))?,
                false => out::line(format!("{} is closed", clean(&remove.name)))?,
            }
        }
    }
    Ok(0)
}

/// Names people and groups in one line.
pub(super) fn audience(to: &[String], groups: &[String]) -> String {
    // Where no name is known any more it is an id.
    let called = |name: &String| show::person_or_group(name);
    let groups = groups.iter().map(|group| format!("group {}", called(group)));
    to.iter().map(called).chain(groups).collect::<Vec<_>>().join(", ")
}
