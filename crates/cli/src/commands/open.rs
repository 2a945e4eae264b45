//! `compeer open`: the page of the node, in a browser that is logged in.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::Method;
use rpc::LoginCode;

use super::Context;
use crate::args::Open;
use crate::attach::attach;
use crate::out;

/// How long to look whether the program that opens browsers fails. Arbitrary: one that finds none says so at once; one that
/// is the browser itself stays.
const LOOK: Duration = Duration::from_secs(2);

/// How often to look. Arbitrary.
const AGAIN: Duration = Duration::from_millis(50);

/// Opens the page, or prints the link to it.
pub async fn run(command: Open, context: &Context) -> Result<u8> {
    let attached = attach(context.home.as_deref()).await?;
    let link: LoginCode = attached.client.call(Method::POST, "/login/codes", &serde_json::json!({})).await?;
    if context.json {
        out::json(&link)?;
    } else if command.print || !has_screen() {
        out::line(&link.url)?;
    }
    if command.print || context.json {
        return Ok(0);
    }
    if !has_screen() {
        eprintln!(
            "There is no screen here: open that link in a browser of this computer, within {} s.",
            link.good_for_s
        );
        return Ok(0);
    }
    browse(&link.url).await?;
    Ok(0)
}

/// Tells whether there is a screen on which a browser could appear.
fn has_screen() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Opens a link by the program that each system has for that.
async fn browse(url: &str) -> Result<()> {
    let (program, before): (&str, &[&str]) = if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else {
        ("xdg-open", &[])
    };
    let mut opener = Command::new(program);
    opener.args(before).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut opener = match opener.spawn() {
        Ok(opener) => opener,
        Err(error) => bail!("cannot run {program}: {error}; open the link of `compeer open --print` yourself"),
    };
    let end = tokio::time::Instant::now() + LOOK;
    while tokio::time::Instant::now() < end {
        match opener.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(_) => bail!("{program} found no browser; open the link of `compeer open --print` yourself"),
            None => tokio::time::sleep(AGAIN).await,
        }
    }
    Ok(())
}
