//! `compeer up`: the node in the foreground.

use anyhow::{Result, bail};
use node::{Home, Node, Options};
use rpc::NodeMode;
use serde_json::json;

use super::Context;
use crate::args::Up;
use crate::client::Client;
use crate::interrupt::Interrupt;
use crate::live::Live;
use crate::{activation, out, show};

/// Runs the node until Ctrl-C.
pub async fn run(up: Up, context: &Context) -> Result<u8> {
    let mut interrupt = Interrupt::listen()?;
    let home = Home::open(context.home.as_deref())?;
    let Some(lock) = home.lock()? else {
        bail!("a node is running for {} already: `compeer info` shows it", home.folder().display());
    };
    let options = Options {
        mode: NodeMode::Daemon,
        listen: up.node.listen,
        api: up.api,
        down_limit: up.node.down_limit,
        up_limit: up.node.up_limit,
        offer: up.offer,
        network: up.node.network(),
    };
    let given = activation::api()?;
    if given.is_some() && up.api.is_some() {
        bail!("the service manager hands over a socket for the API: leave --api away, or the socket");
    }
    let node = Node::start_at(home.clone(), lock, options, given).await?;
    let info = Client::new(node.api(), home.token()?)?.session().await?;
    if context.json {
        out::json(&json!({
            "api": format!("http://{}", node.api()),
            "home": info.home,
            "remote": info.remote,
            "listen": info.listen,
            "process_id": info.process_id,
            "services": info.services,
        }))?;
    } else {
        out::line(format!("http://{}", node.api()))?;
        let mut live = Live::new(false);
        live.note(format!("Compeer {} is up, with {}.", info.version, torrents(info.torrents)));
        live.note(format!("  page       http://{}/ (`compeer open` logs a browser in)", node.api()));
        if let Some(remote) = &info.remote {
            live.note(format!("  elsewhere  {} (other computers log in with the password)", remote.url));
            live.note(format!("             its certificate's SHA-256 is {}", remote.fingerprint));
        }
        live.note(format!("  home       {}", info.home));
        live.note(format!("  downloads  {}", info.download_folder));
        live.note(format!("  peers      {}", info.listen.join(", ")));
        for service in &info.services {
            let mut name = service.name.as_str();
            for url in &service.urls {
                live.note(format!("  {name:<10} {url}"));
                name = "";
            }
        }
        if let Some(rests) = show::rests(&info) {
            live.note(format!("  rests      {rests}"));
        }
        live.note(format!("  tools      {}", show::tools(&format!("http://{}", node.api()), &info.home)));
        live.note("Ctrl-C stops it.");
    }
    activation::tell(&format!("READY=1\nSTATUS=The API is at http://{}", node.api()));
    let mut mistake = node.mistake();
    loop {
        tokio::select! {
            () = interrupt.wait() => break,
            changed = mistake.changed() => if changed.is_err() {
                interrupt.wait().await;
                break;
            },
        }
        // Also with --json: it goes to stderr.
        let words = mistake.borrow_and_update().as_deref().map(show::mistake);
        eprintln!("settings: {}", words.as_deref().unwrap_or("corrected; all that is written holds."));
    }
    activation::tell("STOPPING=1");
    node.shutdown().await;
    Ok(0)
}

fn torrents(number: u32) -> String {
    show::count(number as usize, "torrent", "torrents")
}
