//! Listening, dialling, the UDP task, bandwidth, HTTP, the clock and the gate.

mod budget;
mod carriage;
mod clock;
mod dial;
mod egress;
mod gate;
mod http;
mod limiter;
mod lsd;
mod mapping;
mod names;
mod pair;
mod places;
mod schedule;
mod stream;
mod tcp;
mod udp;
mod usage;

pub use budget::{Budget, Rates, Shares};
pub use carriage::{Carriage, Opening, Overland, QuicStream};
pub use clock::Clock;
pub use dial::{CarrierPolicy, DIAL_TIMEOUT, Dialler, MAX_DIALS, Via};
pub use egress::{Contradiction, Egress, ParseProxyError, Proxy};
pub use gate::{
    Acquaintances, AddressRange, Addresses, Asking, Audience, Direction, FILES, Gate, GateLimits, ListError,
    MAX_LISTED, Meet, MostlyStrangers, Offer, ParseRangeError, ParseTargetError, Pass, Policy, RELAYING, Refusal,
    Rules, Target, WIRE, read_list, read_lists, subscriber,
};
pub use http::{Body, Fetched, Http, HttpError, Version, absolute_url};
pub use limiter::{Bucket, Limiter, Meter};
pub use lsd::{Lsd, LsdStatus};
pub use mapping::{MappingStatus, PortMapping};
pub use pair::{Pair, pairs};
pub use places::{Place, Places};
pub use schedule::{Days, Minute, Moment, ParseWindowError, Window};
pub use stream::{Carrier, Stream};
pub use tcp::{ListenError, listen, listen_all};
pub use udp::{Dht, DhtConfig, PeerSearch, Udp, UdpConfig, UdpTrackers, UtpIncoming, UtpStream};
pub use usage::{Bytes, Flow, FlowStatus, Usage, UsageKey};

/// The types that [`Dht`] speaks in.
pub use ::dht;
