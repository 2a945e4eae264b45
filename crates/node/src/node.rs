//! The node: a session, its API, and the lock of its home.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use rpc::NodeMode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use torrent::{Session, SessionConfig, SessionError};

use crate::config::{NetworkConfig, NetworkOptions, RemoteConfig};
use crate::controls::Controls;
use crate::feeds::Feeds;
#[cfg(test)]
use crate::groups::Groups;
use crate::logs::Logs;
use crate::rates::Rates;
use crate::server::{self, AppState, Identity, Remote};
use crate::services::Services;
use crate::society::{self, Society};
use crate::sorting::Sorting;
use crate::updates::Updates;
use crate::{Config, DEFAULT_API, Home, HomeLock, NodeError, Service, done};

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

#[cfg(test)]
impl Options {
    /// Those of a test: at any ports of loopback, and nobody is looked for.
    pub(crate) fn on_loopback() -> Options {
        use crate::Part;

        let without = [Part::Dht, Part::Pex, Part::Lsd, Part::Utp, Part::Mapping, Part::Relays].to_vec();
        Options {
            mode: NodeMode::Daemon,
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            api: None,
            down_limit: None,
            up_limit: None,
            network: NetworkOptions { without, ..NetworkOptions::default() },
            offer: Vec::new(),
        }
    }
}

/// A running node. Dropping it without [`Node::shutdown`] is like pulling the plug: nothing verified is lost.
#[derive(Debug)]
pub struct Node {
    home: Home,
    pub(crate) state: AppState,
    api: SocketAddr,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    saver: Option<JoinHandle<()>>,
    follower: JoinHandle<()>,
    /// What watches a folder, what follows feeds, and what waits for downloads to be complete.
    unattended: Vec<JoinHandle<()>>,
    _lock: HomeLock,
}

impl Node {
    /// Starts the node of a home.
    pub async fn start(home: Home, lock: HomeLock, options: Options) -> Result<Node, NodeError> {
        Node::start_at(home, lock, options, None).await
    }

    /// Starts the node of a home, with a socket that somebody else opened for its API.
    pub async fn start_at(
        home: Home,
        lock: HomeLock,
        options: Options,
        given: Option<std::net::TcpListener>,
    ) -> Result<Node, NodeError> {
        let config = home.config()?;
        // Whoever was here before may have been killed.
        home.remove_api_address();
        let token = home.token()?;
        let (listener, api) = listen_for_calls(given, options.api.or(config.api.listen), options.mode).await?;
        let remote = match config.api.remote.as_ref().filter(|_| options.mode == NodeMode::Daemon) {
            Some(remote) => Some(listen_for_others(&home, remote).await?),
            None => None,
        };
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
        let sorting = Sorting::open(database.clone()).await?;
        sorting.keep_only(&session.ids().into_iter().collect()).await?;
        let engine = (session.clone(), sorting.clone());
        let updates = Updates::start(home.clone(), engine, &config.updates, suffix, keeps)?;
        let feeds = Feeds::open(database.clone(), session.clone(), controls.clone(), sorting.clone()).await?;
        let unattended = match keeps {
            true => {
                vec![
                    crate::watch::start(session.clone(), controls.clone()),
                    feeds.start(),
                    done::start(session.clone(), controls.clone(), sorting.labels.clone()),
                ]
            }
            false => Vec::new(),
        };
        let egress = network.egress().map_err(NodeError::Network)?;
        let society = Society::start(society::Ground {
            home: home.clone(),
            config: config.clone(),
            egress: egress.clone(),
            listen: options.listen,
            session: session.clone(),
            sorting: sorting.clone(),
            controls: controls.clone(),
            database: database.clone(),
            token: keeps.then(|| token.clone().into()),
            network,
        })
        .await?;
        let services = Services::start(&home, &controls, &society, database.clone(), egress, &options.offer).await?;
        let (rates, logs) = (Rates::start(controls.clone(), session.clone()), Logs::start(&session));
        let password = home.password_mark().unwrap_or_else(|error| {
            tracing::warn!(%error, "the password cannot be read: other computers are logged out");
            None
        });
        let doors = server::Doors::open(database, password).await?;
        let state = AppState::new(server::Parts {
            session,
            controls,
            society,
            services,
            updates,
            rates,
            logs,
            sorting,
            doors,
            feeds,
            token,
            api,
            mode: options.mode,
            home: home.clone(),
            remote: remote.as_ref().map(|(_, _, remote)| remote.clone()),
            begun: Instant::now(),
        });
        let state = state.map_err(|error| NodeError::Random(error.to_string()))?;
        let (stop, stopped) = watch::channel(false);
        let router = server::router(state.clone());
        let mut servers = Vec::new();
        if let Some((listener, identity, _)) = remote {
            let served = server::serve(listener, Some(identity.acceptor), router.clone(), stopped.clone());
            servers.push(tokio::spawn(served));
        }
        servers.push(tokio::spawn(server::serve(listener, None, router, stopped)));
        home.write_api_address(api)?;
        Ok(Node { home, state, api, stop, servers, saver, follower, unattended, _lock: lock })
    }

    /// Returns where the API is.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Returns how other computers reach the API; `None`: they do not.
    pub fn remote(&self) -> Option<rpc::RemoteInfo> {
        self.state.remote()
    }

    /// Returns the groups.
    #[cfg(test)]
    pub(crate) fn groups(&self) -> Option<&Groups> {
        self.state.groups()
    }

    /// Returns the gateway for IRC clients.
    #[cfg(test)]
    pub(crate) fn irc(&self) -> Option<&crate::chat::Gateway> {
        self.state.irc()
    }

    /// Follows why what is written in the settings does not hold; `None`: it does.
    pub fn mistake(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.state.controls().mistake()
    }

    /// Tells the trackers, makes everything durable and ends. Takes a few seconds at most.
    pub async fn shutdown(mut self) {
        self.home.remove_api_address();
        self.state.jobs().cancel_all();
        self.state.streams().close();
        self.stop.send_replace(true);
        if let Some(saver) = self.saver.take() {
            saver.abort();
        }
        if let Some(dht) = self.state.session().dht() {
            save_once(&dht, &self.home).await;
        }
        self.follower.abort();
        self.unattended.iter().for_each(JoinHandle::abort);
        self.state.society().stop();
        self.state.rates().stop();
        self.state.logs().stop();
        self.state.services().stop().await;
        if let Some(people) = self.state.people() {
            people.shut_down().await;
        }
        self.state.session().shutdown().await;
        if let Err(error) = self.state.doors().keep().await {
            tracing::warn!(%error, "when browsers were here last is not stored");
        }
        self.state.controls().write_usage().await;
        self.state.controls().hand_in().await;
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

/// Listens for calls of the API: by a socket that was opened for it, where somebody chose, or else, for a node that stays, at the
/// address of bookmarks.
async fn listen_for_calls(
    given: Option<std::net::TcpListener>,
    chosen: Option<SocketAddr>,
    mode: NodeMode,
) -> Result<(TcpListener, SocketAddr), NodeError> {
    let given_at = given.as_ref().and_then(|listener| listener.local_addr().ok());
    let address = given_at.or(chosen).unwrap_or(DEFAULT_API);
    if !address.ip().is_loopback() {
        return Err(NodeError::ApiNotLoopback(address));
    }
    let any = SocketAddr::new(address.ip(), 0);
    let listener = match (given, chosen, mode) {
        (Some(given), _, _) => given.set_nonblocking(true).and_then(|()| TcpListener::from_std(given)),
        (None, Some(address), _) => TcpListener::bind(address).await,
        (None, None, NodeMode::Embedded) => TcpListener::bind(any).await,
        (None, None, NodeMode::Daemon) => match TcpListener::bind(address).await {
            Ok(listener) => Ok(listener),
            // Another node of this computer, or another program.
            Err(_) => TcpListener::bind(any).await,
        },
    };
    let api_error = |source| NodeError::Api { address, source };
    let listener = listener.map_err(api_error)?;
    let api = listener.local_addr().map_err(api_error)?;
    Ok((listener, api))
}

/// Listens for calls of other computers.
async fn listen_for_others(home: &Home, config: &RemoteConfig) -> Result<(TcpListener, Identity, Remote), NodeError> {
    if !home.has_password()? {
        return Err(NodeError::Remote(
            "[api.remote] of config.toml needs a password, which nobody has chosen: run `compeer password`".into(),
        ));
    }
    let identity = Identity::read(home, config)?;
    let cannot = |error: std::io::Error| {
        NodeError::Remote(format!("cannot listen at {}: {error}; choose another api.remote.listen", config.listen))
    };
    let listener = TcpListener::bind(config.listen).await.map_err(cannot)?;
    let at = listener.local_addr().map_err(cannot)?;
    let url = match config.names.first() {
        Some(name) if name.contains(':') => format!("https://[{name}]:{}/", at.port()),
        Some(name) => format!("https://{name}:{}/", at.port()),
        None => format!("https://{at}/"),
    };
    let info = rpc::RemoteInfo { url, fingerprint: identity.fingerprint.clone() };
    Ok((listener, identity, Remote { names: config.names.clone(), info }))
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

/// What is said when a setting of that name does not go together with `address`.
pub(crate) fn contradiction(setting: &str, error: net::Contradiction) -> NodeError {
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
