//! `[overlay]` of the settings: how this node meets other nodes by their keys. Only a node with an identity
//! (`compeer init`) does; `overlay` and `relays` of `[network]` switch it off, or the public relays alone.

use std::net::SocketAddr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// How many relays the settings can name. Arbitrary.
const MAX_RELAYS: usize = 16;

/// How this node meets other nodes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverlayConfig {
    /// The UDP addresses on which nodes are awaited; by default every address, with the port of the last time.
    pub listen: Option<Vec<SocketAddr>>,
    /// Tell the DHT where this node is reached, under its id: whoever knows the id learns the address.
    pub publish: bool,
    /// Relays to use beside the public ones.
    #[serde(deserialize_with = "relays")]
    pub relays: Vec<overlay::Relay>,
}

impl Default for OverlayConfig {
    fn default() -> OverlayConfig {
        OverlayConfig { listen: None, publish: true, relays: Vec::new() }
    }
}

fn relays<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<overlay::Relay>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.len() > MAX_RELAYS {
        return Err(D::Error::custom(format!("at most {MAX_RELAYS} relays can be named")));
    }
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}
