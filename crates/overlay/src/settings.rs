//! How the overlay is set up, and the limits of its connections.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{IdleTimeout, QuicTransportConfig, VarInt};

use crate::{Directory, Relay};

/// The most bytes under way in one direction of a stream. With windows of 3 MiB and more, noq 1.4 ends connections
/// ("too many gaps in stream buffer", quinn#2814).
pub const STREAM_WINDOW: u32 = 2 << 20;

/// The longest name of a service, in bytes. Arbitrary; a TLS protocol name has at most 255 (RFC 7301).
pub const MAX_SERVICE_NAME: usize = 32;

/// The most bytes that a connection holds for streams that are not read: eight stuck streams stop one connection, which
/// is one service of one node. Arbitrary.
const CONNECTION_WINDOW: u32 = 8 * STREAM_WINDOW;

/// The most bytes written to a connection and not yet acknowledged. Arbitrary: two full streams.
const SEND_WINDOW: u64 = 2 * STREAM_WINDOW as u64;

/// The most streams of one connection. The services' own limits are lower.
const MAX_STREAMS: u32 = 256;

/// How long a connection may be silent. The paths are kept alive every 5 s (iroh), so nobody is there after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How the overlay is set up.
pub struct Settings {
    /// The node's secret key (Ed25519, the seed of RFC 8032).
    pub secret: [u8; 32],
    /// The UDP addresses to listen on, and to send from; a port 0 takes any. Empty: any port of every interface.
    pub bind: Vec<SocketAddr>,
    /// By which way connections to relays leave, and names are asked for.
    pub egress: net::Egress,
    /// The relays to use.
    pub relays: Relays,
    /// Whether the node's addresses are published in the DHT under its id.
    pub publish: bool,
    /// Whether the node tells of itself on the local network, and looks for others there (mDNS).
    pub mdns: bool,
    /// Whether the router is asked to pass the UDP port on to us.
    pub map_port: bool,
    /// The DHT to look nodes up in, and to publish to.
    pub dht: Option<net::Dht>,
    /// The policy that is asked for every connection, both ways.
    pub gate: net::Gate,
    /// What the node knows of persons.
    pub directory: Arc<dyn Directory>,
}

/// The relays to use. With none, only direct connections are made, and addresses behind a NAT are not found out.
///
/// A relay is spoken to over TCP, from the address of the way out, or whatever one the system chooses. So who listens on
/// certain addresses only (other than loopback's), and has no such way, uses none: nothing leaves past them.
#[derive(Clone, Debug, Default)]
pub struct Relays {
    /// Relays that the user, people or groups named.
    pub known: Vec<Relay>,
    /// Whether the public relays of iroh are used while none of these helps. Not by who listens on loopback alone.
    pub public: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("bind", &self.bind)
            .field("egress", &self.egress)
            .field("relays", &self.relays)
            .field("publish", &self.publish)
            .field("mdns", &self.mdns)
            .field("map_port", &self.map_port)
            .field("dht", &self.dht.is_some())
            .finish_non_exhaustive()
    }
}

/// The settings of every QUIC connection. Congestion control stays what noq has by default (Cubic, RFC 9438).
pub(crate) fn transport() -> QuicTransportConfig {
    let idle = IdleTimeout::try_from(IDLE_TIMEOUT).expect("30 s fit into 62 bits of milliseconds");
    QuicTransportConfig::builder()
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle))
        .build()
}
