//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use anyhow::{Context, Result};
use tokio::sync::watch;

/// Knows whether the user wants to stop. SIGTERM and a closed terminal count, too.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Takes over Ctrl-C from now on.
    pub fn listen() -> Result<Interrupt> {
        let (sender, receiver) = watch::channel(false);
        let mut signals = Signals::new().context("cannot listen for Ctrl-C")?;
        tokio::spawn(async move {
            signals.next().await;
            // Nobody waits for it any more: then the program is ending anyway.
            let _ = sender.send(true);
            signals.next().await;
            std::process::exit(crate::INTERRUPTED.into());
        });
        Ok(Interrupt(receiver))
    }

    /// Waits until the user wants to stop.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
