//! The settings of the API: an address alone, or a section.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// How many names the node may have for others. Arbitrary.
const MAX_NAMES: usize = 16;

/// Where the API and the page are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiConfig {
    /// The loopback address; port 0: any. By default [`crate::DEFAULT_API`], or any port where that is taken.
    pub listen: Option<SocketAddr>,
    /// How other computers reach it; by default they do not.
    pub remote: Option<RemoteConfig>,
}

/// How other computers reach the API: by TLS, and after a log-in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    /// The address, for example `"0.0.0.0:26674"`.
    pub listen: SocketAddr,
    /// By which names browsers call this computer, beside its addresses: `"nas.example.org"`.
    #[serde(default)]
    pub names: Vec<String>,
    /// A file with the certificate and those above it, as PEM; by default the node makes one itself.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// The file with its private key, as PEM.
    #[serde(default)]
    pub key: Option<PathBuf>,
}

/// What the section holds.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    listen: Option<SocketAddr>,
    remote: Option<RemoteConfig>,
}

impl<'de> Deserialize<'de> for ApiConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ApiConfig, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(address) => {
                let listen = address.parse().map_err(|_| {
                    D::Error::custom(format!("api: {address:?} is no address and port, as \"127.0.0.1:26673\" is"))
                })?;
                Ok(ApiConfig { listen: Some(listen), remote: None })
            }
            section => {
                let Section { listen, remote } = section.try_into().map_err(|error: toml::de::Error| {
                    D::Error::custom(format!("api: {}", error.message().lines().next().unwrap_or("not understood")))
                })?;
                Ok(ApiConfig { listen, remote })
            }
        }
    }
}

impl ApiConfig {
    /// Tells what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(listen) = self.listen.filter(|listen| !listen.ip().is_loopback()) {
            return Err(format!(
                "api: {listen} can be reached from elsewhere, and this is served without encryption: take an address of \
                 loopback, and say in [api.remote] where other computers reach it"
            ));
        }
        let Some(remote) = &self.remote else { return Ok(()) };
        if remote.certificate.is_some() != remote.key.is_some() {
            return Err("api.remote: certificate and key go together: name both files, or neither".into());
        }
        if let Some(path) = [&remote.certificate, &remote.key].into_iter().flatten().find(|path| !path.is_absolute()) {
            return Err(format!("api.remote: {} has to be an absolute path", path.display()));
        }
        if remote.names.len() > MAX_NAMES {
            return Err(format!("api.remote.names: at most {MAX_NAMES} names"));
        }
        let is_name = |name: &str| {
            let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            name.len() <= 253 && (name.parse::<std::net::IpAddr>().is_ok() || name.split('.').all(is_part))
        };
        match remote.names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(format!("api.remote.names: {name:?} is no name of a host, as \"nas.example.org\" is")),
            None => Ok(()),
        }
    }
}
