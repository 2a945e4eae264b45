//! The TCP side: a connection is TLS or plain by its first byte, and the relay service's after that.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::Empty;
use iroh_relay::http::RELAY_PROBE_PATH;
use iroh_relay::server::RelayService;
use iroh_relay::server::http_server::{BytesBody, Handlers, HyperError, TlsConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::access::Access;

/// How long a connection may take to become a client. What asks and goes is over sooner.
const ESTABLISH_TIMEOUT: Duration = Duration::from_secs(15);

/// The first byte of a TLS connection: a handshake record (RFC 8446, section 5.1). No HTTP method begins with it.
const TLS_HANDSHAKE: u8 = 22;

/// How long to wait when the system gives no connection: too many files are open, mostly.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// What iroh asks to find out whether it is in a hotel.
const CAPTIVE_PORTAL_PATH: &str = "/generate_204";

/// One listener.
pub(super) struct Web {
    service: RelayService,
    tls: TlsConfig,
    access: Arc<Access>,
    handshakes: Arc<Semaphore>,
}

impl Web {
    pub(super) fn new(
        service: RelayService,
        certificate: &rustls::ServerConfig,
        access: Arc<Access>,
        handshakes: usize,
    ) -> Web {
        let mut config = certificate.clone();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let handshakes = Arc::new(Semaphore::new(handshakes));
        Web { service, tls: TlsConfig::new(Arc::new(config)), access, handshakes }
    }

    /// Accepts until it is dropped.
    pub(super) async fn serve(self, listener: TcpListener) {
        // Bounded by the permits.
        let mut running = JoinSet::new();
        loop {
            while running.try_join_next().is_some() {}
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "the relay accepts nothing for a moment");
                    tokio::time::sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            if !self.access.admits_address(address) {
                continue;
            }
            let Ok(permit) = self.handshakes.clone().try_acquire_owned() else { continue };
            let (service, tls) = (self.service.clone(), self.tls.clone());
            running.spawn(async move {
                // A client that is established has a task of its own; this one ends.
                connection(service, tls, stream).await;
                drop(permit);
            });
        }
    }
}

async fn connection(service: RelayService, tls: TlsConfig, stream: TcpStream) {
    // Fails for a connection that is gone: then nothing is read either.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    match timeout(ESTABLISH_TIMEOUT, stream.peek(&mut first)).await {
        Ok(Ok(1)) => {
            let tls = (first == [TLS_HANDSHAKE]).then_some(tls);
            service.handle_connection(stream, tls, ESTABLISH_TIMEOUT).await;
        }
        _ => tracing::trace!("a connection to the relay said nothing"),
    }
}

/// What is answered beside relaying: that somebody is here.
pub(super) fn handlers() -> Handlers {
    let mut handlers = Handlers::default();
    for (path, status) in [(RELAY_PROBE_PATH, StatusCode::OK), (CAPTIVE_PORTAL_PATH, StatusCode::NO_CONTENT)] {
        handlers.insert(
            (Method::GET, path),
            Box::new(move |_, response: http::response::Builder| {
                let body: BytesBody = Box::new(Empty::new());
                response.status(status).body(body).map_err(|error| Box::new(error) as HyperError)
            }),
        );
    }
    handlers
}
