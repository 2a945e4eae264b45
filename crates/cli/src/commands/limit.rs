//! `compeer limit`.

use anyhow::Result;
use reqwest::Method;
use rpc::Limits;

use super::controls::reach;
use super::{Context, which};
use crate::args::Limit;
use crate::{out, show};

/// Shows the limits of the node or of a torrent, after changing them.
pub async fn run(command: Limit, context: &Context) -> Result<u8> {
    let attached = reach(context).await?;
    let path = match &command.torrent {
        None => "/limits".to_owned(),
        Some(meant) => format!("/torrents/{}/limits", which::find(&attached.client, meant).await?.id),
    };
    let mut limits: Limits = attached.client.get(&path).await?;
    if command.down.is_some() || command.up.is_some() || command.connections.is_some() {
        if let Some(connections) = command.connections {
            limits.connections = Some(connections).filter(|count| *count > 0);
        }
        if let Some(down) = command.down {
            limits.download_bytes_per_s = down.0;
        }
        if let Some(up) = command.up {
            limits.upload_bytes_per_s = up.0;
        }
        limits = attached.client.call(Method::PUT, &path, &limits).await?;
    }
    if context.json {
        out::json(&limits)?;
    } else {
        out::line(format!("down  {}", show::limit(limits.download_bytes_per_s)))?;
        out::line(format!("up    {}", show::limit(limits.upload_bytes_per_s)))?;
        if let Some(connections) = limits.connections {
            out::line(format!("peers {connections} at most"))?;
        }
    }
    Ok(0)
}
