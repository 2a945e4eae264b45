//! The relay's certificate: self-signed, over the node's own Ed25519 key (RFC 8410). Who uses the relay knows the key from
//! the relay's text and looks at nothing else in it.

use std::sync::Arc;

use base::NodeId;
use iroh::SecretKey;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::RelayError;

/// What precedes the secret in PKCS #8 (RFC 8410, section 7): version 0, the algorithm 1.3.101.112, 32 bytes in a string
/// within a string.
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Returns the id that a secret belongs to.
pub(super) fn node(secret: &[u8; 32]) -> NodeId {
    NodeId(*SecretKey::from_bytes(secret).public().as_bytes())
}

/// Returns what a server needs that proves the key: TLS 1.3 alone.
pub(super) fn server_config(secret: &[u8; 32]) -> Result<rustls::ServerConfig, RelayError> {
    let failed = |error: &dyn std::fmt::Display| RelayError::Certificate(error.to_string());
    let key = PrivatePkcs8KeyDer::from([&PKCS8[..], secret].concat());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519).map_err(|error| failed(&error))?;
    let params = CertificateParams::new(Vec::<String>::new()).map_err(|error| failed(&error))?;
    let certificate = params.self_signed(&pair).map_err(|error| failed(&error))?;
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key))
        .map_err(|error| failed(&error))
}
