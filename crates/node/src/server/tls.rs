//! By what the API proves itself to other computers: a certificate of the user's, or one that the node makes itself and
//! whose fingerprint the user compares.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::config::RemoteConfig;
use crate::{Home, NodeError};

/// How long a certificate is good that we make, in days: systems refuse those of more than 825 (Apple's requirements for
/// certificates, support.apple.com/103769).
const DAYS: i64 = 800;

/// How long before that a new one is made, in days. Arbitrary.
const LAST_DAYS: i64 = 30;

/// Where they are kept in the home.
const CERTIFICATE: &str = "api-certificate.der";
const KEY: &str = "api-key.der";

/// The names that it was made for, one a line. Written last: what was half made is made anew.
const NAMES: &str = "api-certificate-names";

/// How other computers reach the API.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// By which names browsers call this computer.
    pub(crate) names: Vec<String>,
    pub(crate) info: rpc::RemoteInfo,
}

/// What a server of TLS needs, and by what it is known.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, as browsers show it.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// Reads the user's certificate, or ours, making it where there is none that is good.
    pub(crate) fn read(home: &Home, config: &RemoteConfig) -> Result<Identity, NodeError> {
        let (chain, key) = match (&config.certificate, &config.key) {
            (Some(certificate), Some(key)) => (read_chain(certificate)?, read_key(key)?),
            _ => {
                let (certificate, key) = own(home, config)?;
                (vec![certificate], key)
            }
        };
        let wrong = |error: rustls::Error| {
            NodeError::Remote(format!("the certificate of [api.remote] cannot be used: {error}"))
        };
        let first = chain
            .first()
            .ok_or_else(|| NodeError::Remote("the file of api.remote.certificate has no certificate".into()))?;
        let fingerprint = fingerprint(first);
        let mut server =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(wrong)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(wrong)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(server)), fingerprint })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, NodeError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| NodeError::Remote(format!("{}: {error}; it has to hold certificates as PEM", path.display())))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, NodeError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| NodeError::Remote(format!("{}: {error}; it has to hold a private key as PEM", path.display())))
}

/// Reads our certificate, or makes another where there is none, its names are others, or its end is near.
fn own(home: &Home, config: &RemoteConfig) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), NodeError> {
    let mut names = config.names.clone();
    names.push("localhost".to_owned());
    if !config.listen.ip().is_unspecified() {
        names.push(config.listen.ip().to_string());
    }
    let lines = names.join("\n");
    let (at, key_at) = (home.folder().join(CERTIFICATE), home.folder().join(KEY));
    let has_names = std::fs::read_to_string(home.folder().join(NAMES)).is_ok_and(|known| known == lines);
    if has_names
        && is_young(&at)
        && let (Ok(certificate), Ok(key)) = (std::fs::read(&at), std::fs::read(&key_at))
    {
        return Ok((certificate.into(), PrivatePkcs8KeyDer::from(key).into()));
    }
    let failed = |error: rcgen::Error| NodeError::Remote(format!("no certificate can be made: {error}"));
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "Compeer");
    let today = jiff::Zoned::now().date();
    let day = |days: i64| {
        let date = today.saturating_add(jiff::Span::new().days(days));
        rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8)
    };
    (params.not_before, params.not_after) = (day(-1), day(DAYS));
    let certificate = params.self_signed(&key).map_err(failed)?;
    home.replace(KEY, &key.serialize_der())?;
    home.replace(CERTIFICATE, certificate.der())?;
    home.replace(NAMES, lines.as_bytes())?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

/// Tells by the age of its file whether a certificate of ours is good for a while.
fn is_young(path: &Path) -> bool {
    let age = std::fs::metadata(path).and_then(|file| file.modified()).ok().and_then(|made| made.elapsed().ok());
    age.is_some_and(|age| age.as_secs() < ((DAYS - LAST_DAYS) as u64) * 24 * 3600)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}
