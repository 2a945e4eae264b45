//! The UDP side: tells nodes their own address as it looks from here (QUIC address discovery,
//! draft-ietf-quic-address-discovery, under iroh's protocol name).

use std::sync::Arc;
use std::time::Duration;

use iroh_relay::quic::ALPN_QUIC_ADDR_DISC;
use noq::crypto::rustls::QuicServerConfig;
use noq::{Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::access::Access;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that are held for each handshake that may run: nodes keep theirs open and ask again over it.
const HELD_PER_HANDSHAKE: usize = 4;

/// One socket.
pub(super) struct Discovery {
    endpoint: Endpoint,
    access: Arc<Access>,
    connections: Arc<Semaphore>,
    /// From how many free places down a computer has to prove its address first (RFC 9000, section 8.1.2).
    validate_below: usize,
}

impl Discovery {
    pub(super) fn start(
        socket: std::net::UdpSocket,
        certificate: &rustls::ServerConfig,
        access: Arc<Access>,
        handshakes: usize,
    ) -> std::io::Result<Discovery> {
        let mut tls = certificate.clone();
        tls.alpn_protocols = vec![ALPN_QUIC_ADDR_DISC.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).map_err(std::io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.max_incoming(handshakes).incoming_buffer_size(1 << 16).incoming_buffer_size_total(1 << 20);
        let mut transport = noq::TransportConfig::default();
        transport
            .max_concurrent_uni_streams(0_u8.into())
            .max_concurrent_bidi_streams(0_u8.into())
            .datagram_receive_buffer_size(None)
            .send_observed_address_reports(true);
        config.transport_config(Arc::new(transport));
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, runtime)?;
        let places = handshakes.saturating_mul(HELD_PER_HANDSHAKE).min(Semaphore::MAX_PERMITS);
        let connections = Arc::new(Semaphore::new(places));
        Ok(Discovery { endpoint, access, connections, validate_below: places / 2 })
    }

    /// Serves until it is dropped.
    pub(super) async fn serve(self) {
        // Bounded by the permits.
        let mut running = JoinSet::new();
        while let Some(incoming) = self.endpoint.accept().await {
            while running.try_join_next().is_some() {}
            if !self.access.admits_address(incoming.remote_address()) {
                incoming.ignore();
                continue;
            }
            if self.connections.available_permits() < self.validate_below && !incoming.remote_address_validated() {
                // Fails only for an address that is validated.
                let _ = incoming.retry();
                continue;
            }
            let Ok(permit) = self.connections.clone().try_acquire_owned() else {
                incoming.refuse();
                continue;
            };
            let access = self.access.clone();
            running.spawn(async move {
                hold(incoming, &access).await;
                drop(permit);
            });
        }
    }
}

/// The address is told by the handshake; the connection is held until the node closes it or falls silent.
async fn hold(incoming: Incoming, access: &Access) {
    if let Ok(Ok(connection)) = timeout(HANDSHAKE_TIMEOUT, incoming).await {
        access.discovered();
        connection.closed().await;
    }
}
