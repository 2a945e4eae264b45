//! The node: a session, its API, and the lock of its home.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpc::NodeMode;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use torrent::{Session, SessionConfig, SessionError};

use crate::chat;
use crate::config::{NetworkConfig, NetworkOptions};
use crate::controls::Controls;
use crate::groups::Groups;
use crate::known::KnownPeople;
use crate::people::{Off, People};
use crate::server::{self, AppState};
use crate::services::Services;
use crate::sharing;
use crate::updates::Updates;
use crate::{Config, Home, HomeLock, NodeError, Service};

/// How long after the first node of the DHT its table is saved: long enough to be filled by then.
const FIRST_SAVE: Duration = Duration::from_secs(60);

/// How often it is saved after that: a crash loses little, since most nodes of an hour ago still answer.
const SAVE_EVERY: Duration = Duration::from_secs(15 * 60);

/// What a command says about the node that it starts; the rest is in the settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long it is to run.
    pub mode: NodeMode,
    /// Where peers are awaited.
    pub listen: Option<SocketAddr>,
    /// Where the API is served.
    pub api: Option<SocketAddr>,
    /// Bytes received per second.
    pub down_limit: Option<u64>,
    /// Bytes sent per second.
    pub up_limit: Option<u64>,
    /// How peers are found and reached.
    pub network: NetworkOptions,
    /// What is offered to strangers, beside what the settings say.
    pub offer: Vec<Service>,
}

/// A running node. Dropping it without [`Node::shutdown`] is like pulling the plug: nothing verified is lost.
#[derive(Debug)]
pub struct Node {
    home: Home,
    state: AppState,
    api: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    saver: Option<JoinHandle<()>>,
    follower: JoinHandle<()>,
    publisher: Option<JoinHandle<()>>,
    _lock: HomeLock,
}

impl Node {
    /// Starts the node of a home.
    pub async fn start(home: Home, lock: HomeLock, options: Options) -> Result<Node, NodeError> {
        let config = home.config()?;
        let address = options.api.unwrap_or(config.api);
        if !address.ip().is_loopback() {
            return Err(NodeError::ApiNotLoopback(address));
        }
        // Whoever was here before may have been killed.
        home.remove_api_address();
        let token = home.token()?;
        let api_error = |source| NodeError::Api { address, source };
        let listener = TcpListener::bind(address).await.map_err(api_error)?;
        let api = listener.local_addr().map_err(api_error)?;
        let network = config.network.with(&options.network).map_err(NodeError::Network)?;
        let database = db::Db::open(&home.database())?;
        let given = net::Rates { down: options.down_limit, up: options.up_limit };
        let controls = Controls::start(&home, given, database.clone()).await?;
        let session = start_session(&home, &config, &options, &network, &database, &controls).await?;
        let follower = controls.run(session.clone());
        let saver = session.dht().map(|dht| tokio::spawn(save_dht(dht, home.clone())));

        let suffix = match disk::Incomplete::default() {
            disk::Incomplete::Suffix(suffix) if config.incomplete() == torrent::Incomplete::Suffix => Some(suffix),
            _ => None,
        };
        let keeps = options.mode == NodeMode::Daemon;
        let updates = Updates::start(home.clone(), session.clone(), &config.updates, suffix, keeps)?;

        let people = People::open(&home, database.clone()).await?;
        if let Some(people) = &people {
            people.inform(session.gate());
        }
        let egress = network.egress().map_err(NodeError::Network)?;
        if let Some(people) = &people {
            match Off::of(network.overlay, &egress) {
                Some(off) => people.stay_off(off),
                None => {
                    let listen = egress.address.or(options.listen.map(|address| address.ip()));
                    let mut overlay = config.overlay.clone();
                    let placed = overlay.listen.map(|listen| egress.place(&listen)).transpose();
                    overlay.listen = placed.map_err(|error| contradiction("overlay.listen", error))?;
                    people.start(&home, &overlay, &network, (listen, &egress), &session).await?;
                }
            }
        }
        let (mut groups, mut sharing, mut chats) = (None, None, None);
        if let Some(people) = &people {
            let begun = Groups::start(people.clone(), database.clone()).await?;
            if let Some(overlay) = people.overlay() {
                let (known, downloads) = (Arc::new(KnownPeople::new(people, &begun)), config.download_folder.clone());
                let (both, db) = ((people, &begun), database.clone());
                sharing = Some(sharing::begin(both, known.clone(), overlay, &session, db, downloads).await?);
                chats = Some(chat::begin(both, known, overlay, database.clone(), &controls).await?);
            }
            groups = Some(begun);
        }

        let publisher = people.as_ref().and_then(|people| {
            let overlay = people.overlay()?.clone();
            Some(tokio::spawn(follow_publish(controls.clone(), overlay)))
        });
        let services =
            Services::start(&home, &controls, people.as_ref(), database.clone(), egress, &options.offer).await?;
        let state = AppState::new(server::Parts {
            session,
            controls,
            people,
            groups,
            services,
            updates,
            sharing,
            chats,
            token,
            api,
            mode: options.mode,
            home: home.folder().to_owned(),
            download_folder: config.download_folder.clone(),
            seed_goal: config.seed_goal(),
            begun: Instant::now(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(server::serve(listener, state.clone(), stopped));
        home.write_api_address(api)?;
        Ok(Node { home, state, api, stop: Some(stop), server, saver, follower, publisher, _lock: lock })
    }

    /// Returns where the API is.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Returns the groups.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> Option<&Groups> {
        self.state.groups()
    }

    /// Follows why what is written in the settings does not hold; `None`: it does.
    pub fn mistake(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.state.controls().mistake()
    }

    /// Tells the trackers, makes everything durable and ends. Takes a few seconds at most.
    pub async fn shutdown(mut self) {
        self.home.remove_api_address();
        self.state.jobs().cancel_all();
        if let Some(stop) = self.stop.take() {
            // The server may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(saver) = self.saver.take() {
            saver.abort();
        }
        if let Some(dht) = self.state.session().dht() {
            save_once(&dht, &self.home).await;
        }
        self.follower.abort();
        if let Some(publisher) = self.publisher.take() {
            publisher.abort();
        }
        self.state.services().stop().await;
        if let Some(people) = self.state.people() {
            people.shut_down().await;
        }
        self.state.session().shutdown().await;
        self.state.controls().write_usage().await;
        self.state.controls().hand_in().await;
        self.server.abort();
    }
}

async fn start_session(
    home: &Home,
    config: &Config,
    options: &Options,
    network: &NetworkConfig,
    database: &db::Db,
    controls: &Controls,
) -> Result<Session, NodeError> {
    let limits = controls.limits();
    let egress = network.egress().map_err(NodeError::Network)?;
    let everywhere = |port| match egress.address {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => everywhere(port),
    };
    let session_config = |listen: Vec<SocketAddr>| SessionConfig {
        listen,
        egress: egress.clone(),
        database: database.clone(),
        folder: config.download_folder.clone(),
        incomplete: config.incomplete(),
        preallocate: config.disk.preallocate,
        resources: controls.resources(),
        limits: limits.clone(),
        client: format!("Compeer {}", env!("CARGO_PKG_VERSION")),
        network: network.engine(home.dht()),
        gate: Some(controls.gate().clone()),
        held: controls.rests(),
    };
    let chosen = options.listen.map(|address| vec![address]).or(config.listen.clone());
    if let Some(listen) = chosen {
        let listen = egress.place(&listen).map_err(|error| contradiction("listen", error))?;
        return Ok(Session::start(session_config(listen)).await?);
    }
    // Nobody chose: the port of the last time keeps old links good, but any free one will do.
    let started = match home.last_port() {
        Some(port) => Session::start(session_config(everywhere(port))).await,
        None => Session::start(session_config(everywhere(0))).await,
    };
    let session = match started {
        Err(SessionError::Listen(_)) => Session::start(session_config(everywhere(0))).await?,
        other => other?,
    };
    if let Some(address) = session.listen_addrs().first() {
        home.write_port(address.port())?;
    }
    Ok(session)
}

/// Publishes where the node is, or no longer, as the settings in force say.
async fn follow_publish(controls: Controls, overlay: overlay::Overlay) {
    let mut changes = controls.applied();
    // The controls are held by ourselves.
    while changes.changed().await.is_ok() {
        overlay.set_publish(controls.shown().config.overlay.publish);
    }
}

/// What is said when a setting of that name does not go together with `address`.
fn contradiction(setting: &str, error: net::Contradiction) -> NodeError {
    NodeError::Network(format!("{setting}: {error} ([network] of config.toml says address)"))
}

/// Saves what the DHT knows, now and then, for as long as it runs.
async fn save_dht(dht: net::Dht, home: Home) {
    dht.ready().await;
    let mut wait = FIRST_SAVE;
    loop {
        tokio::time::sleep(wait).await;
        save_once(&dht, &home).await;
        wait = SAVE_EVERY;
    }
}

async fn save_once(dht: &net::Dht, home: &Home) {
    // A table that never had a node that answers must not replace one that was good.
    if dht.is_ready()
        && let Err(error) = home.write_dht(&dht.snapshot().await)
    {
        tracing::warn!(%error, "what the DHT knows is not saved");
    }
}

fn everywhere(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))]
}
