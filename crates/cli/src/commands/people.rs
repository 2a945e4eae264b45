//! `compeer init`, `id`, `node` and `contact`.

pub mod contact;
pub mod id;
pub mod init;
pub mod nodes;

pub mod ask;
mod qr;

use anyhow::Result;
use node::Part;

use super::Context;
use crate::args::NodeOptions;
use crate::attach::{Attached, attach_or_start};

/// Finds the node of the home, or starts one that speaks to nobody: for what is only read or written at home.
async fn at_home(options: &NodeOptions, context: &Context) -> Result<Attached> {
    let off = [Part::Dht, Part::Pex, Part::Lsd, Part::Utp, Part::Mapping, Part::Holepunch, Part::Overlay, Part::Relays];
    let quiet = NodeOptions { without: off.to_vec(), brief: true, ..options.clone() };
    attach_or_start(context.home.as_deref(), &quiet).await
}

/// Finds the node of the home, or starts one for as long as the command takes.
async fn in_touch(options: &NodeOptions, context: &Context) -> Result<Attached> {
    attach_or_start(context.home.as_deref(), &NodeOptions { brief: true, ..options.clone() }).await
}

/// Does something with a node, and ends the node if it was started for that.
async fn with<T>(attached: Attached, work: impl AsyncFnOnce(&Attached) -> Result<T>) -> Result<T> {
    let result = work(&attached).await;
    attached.finish().await;
    result
}
