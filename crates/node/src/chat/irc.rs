//! The IRC gateway: the user's own clients on this computer, each with a session of `chat::irc`.
//!
//! Listens on loopback alone, where the settings say so, and follows them while the node runs. Invariant: what listens is
//! what the settings in force wanted at the last look, or it is noted why not.

mod client;
mod scene;
mod talk;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::chat::irc::View;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::{ChatHandle, Chats};
use crate::config::IrcConfig;
use crate::controls::Controls;
use crate::groups::Groups;
use scene::Looker;

/// How many clients may be connected. Arbitrary: those of one person's windows and programs.
const MAX_CLIENTS: usize = 16;

/// How long to wait before it is tried again to listen where that could not be done, or where the node belonged to nobody.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// How long to wait when the system gives no more sockets. Arbitrary.
const NO_SOCKETS: Duration = Duration::from_millis(100);

/// How long the word to a client that is one too many may take.
const REFUSAL: Duration = Duration::from_secs(1);

/// What the gateway is made of.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// The conversations.
    pub(crate) chats: Chats,
    /// The groups.
    pub(crate) groups: Groups,
    /// Who is connected.
    pub(crate) overlay: overlay::Overlay,
    /// The settings.
    pub(crate) controls: Controls,
    /// What a client has to show: the API's token.
    pub(crate) token: Arc<str>,
}

/// How the gateway is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IrcState {
    /// Where it listens; `None`: nowhere.
    pub(crate) listens: Option<SocketAddr>,
    /// How many clients are connected.
    pub(crate) clients: usize,
    /// Why it does not listen though it is to.
    pub(crate) failure: Option<String>,
}

/// The gateway. It ends with [`Gateway::stop`].
#[derive(Debug)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Where it listens, or why not.
    listens: Mutex<Option<Result<SocketAddr, String>>>,
    clients: Arc<AtomicUsize>,
}

impl Gateway {
    /// Starts what follows the settings.
    pub(crate) fn start(ground: Ground) -> Gateway {
        let shared = Arc::new(Shared::default());
        Gateway { task: tokio::spawn(follow(ground, shared.clone())), shared }
    }

    /// Returns how it is doing.
    pub(crate) fn state(&self) -> IrcState {
        let (listens, failure) = match self.shared.listens().clone() {
            None => (None, None),
            Some(Ok(address)) => (Some(address), None),
            Some(Err(why)) => (None, Some(why)),
        };
        IrcState { listens, failure, clients: self.shared.clients.load(Ordering::Relaxed) }
    }

    /// Ends it: clients are told, and go.
    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Shared {
    fn listens(&self) -> MutexGuard<'_, Option<Result<SocketAddr, String>>> {
        // Nothing panics while it is held.
        self.listens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts and ends the server as the settings in force say.
async fn follow(ground: Ground, shared: Arc<Shared>) {
    let mut changes = ground.controls.applied();
    let mut running: Option<(IrcConfig, Server)> = None;
    loop {
        let config = ground.controls.shown().config.chat.irc;
        let wanted = config.on.then_some(config);
        if running.as_ref().map(|(config, _)| config) != wanted.as_ref() {
            if let Some((_, server)) = running.take() {
                server.end().await;
            }
            let started = match &wanted {
                Some(config) => Some(Server::start(&ground, config, &shared).await),
                None => None,
            };
            let outcome = started.as_ref().map(|started| match started {
                Ok(server) => Ok(server.address),
                Err(why) => Err(why.clone()),
            });
            if let Some(Err(why)) = &outcome
                && *shared.listens() != outcome
            {
                tracing::warn!(%why, "no IRC client can come in");
            }
            *shared.listens() = outcome;
            running = wanted.zip(started.and_then(Result::ok));
        }
        let failed = matches!(*shared.listens(), Some(Err(_)));
        // The controls are held by ourselves.
        let changed = changes.changed();
        if failed { drop(timeout(TRY_AGAIN, changed).await) } else { drop(changed.await) }
    }
}

/// What listens.
struct Server {
    address: SocketAddr,
    /// Dropped: all ends.
    over: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(ground: &Ground, config: &IrcConfig, shared: &Shared) -> Result<Server, String> {
        // A mistake in the settings is refused when they are read; what stands here holds for whatever comes.
        config.check()?;
        let Some(chat) = ground.chats.get() else {
            return Err("this node belongs to nobody yet: run `compeer init`".to_owned());
        };
        let failed = |error: std::io::Error| format!("{}: {error}", config.listen);
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let over = watch::Sender::new(());
        let looker = Looker::new(chat.clone(), ground.groups.clone(), ground.overlay.clone()).await;
        let guests = Guests {
            chat: chat.clone(),
            token: ground.token.clone(),
            views: looker.views(),
            over: over.subscribe(),
            count: shared.clients.clone(),
        };
        let task = tokio::spawn(async move {
            tokio::select! {
                () = looker.run() => {}
                () = guests.receive(listener) => {}
            }
        });
        tracing::debug!(%address, "IRC clients are awaited");
        Ok(Server { address, over, task })
    }

    /// Tells the clients, and ends.
    async fn end(self) {
        drop(self.over);
        // It ends by itself, or it panicked.
        let _ = self.task.await;
    }
}

/// Receives clients.
struct Guests {
    chat: ChatHandle,
    token: Arc<str>,
    views: watch::Receiver<Arc<View>>,
    /// Closed: all have to go.
    over: watch::Receiver<()>,
    count: Arc<AtomicUsize>,
}

impl Guests {
    async fn receive(mut self, listener: TcpListener) {
        let mut clients = JoinSet::new();
        loop {
            self.count.store(clients.len(), Ordering::Relaxed);
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) if clients.len() < MAX_CLIENTS => drop(clients.spawn(self.client().run(socket))),
                    Ok((socket, _)) => drop(tokio::spawn(refuse(socket))),
                    Err(error) => {
                        tracing::debug!(%error, "an IRC client could not be received");
                        tokio::time::sleep(NO_SOCKETS).await;
                    }
                },
                Some(_) = clients.join_next(), if !clients.is_empty() => {}
                Err(_) = self.over.changed() => break,
            }
        }
        drop(listener);
        while clients.join_next().await.is_some() {}
        self.count.store(0, Ordering::Relaxed);
    }

    fn client(&self) -> client::Client {
        let talk = talk::NodeTalk { chat: self.chat.clone(), token: self.token.clone() };
        client::Client { talk, views: self.views.clone(), over: self.over.clone() }
    }
}

/// Tells a client that it is one too many.
async fn refuse(mut socket: TcpStream) {
    let word = format!("ERROR :Closing link: {MAX_CLIENTS} clients are connected already\r\n");
    // It is refused, whether it hears it or not.
    let _ = timeout(REFUSAL, async {
        socket.write_all(word.as_bytes()).await?;
        socket.shutdown().await
    })
    .await;
}
