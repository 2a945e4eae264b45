//! The relays that are known: which may be used, and how each proves itself.
//!
//! A relay that another node runs has no certificate that the world trusts. Its text names the node, and it proves that
//! node's key: a self-signed certificate over it (TLS 1.3, Ed25519, RFC 8446), for the WebSocket as for address discovery
//! by QUIC. A relay without a key, and every public one, is checked as any web server (WebPKI). `choice` says which the
//! endpoint may pick from, `keeper` tells it.
//!
//! The user's word comes first: a host that the settings name is spoken to as they say, whatever other people or records
//! say of it. And the gate is asked for each address: for those in URLs here and by `keeper`, for those behind names by
//! `names`, and by `proxy` for every connection to one, which it ends when the gate no longer admits it.

mod choice;
pub(crate) mod keeper;
pub(crate) mod names;
pub(crate) mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use base::NodeId;
use iroh::tls::CaTlsConfig;
use iroh::{RelayConfig, RelayMode, RelayUrl};
use iroh_relay::RelayQuicConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use tokio::sync::watch;

use crate::admission::Admission;
use crate::hint::Relay;

/// How many hosts' keys are kept beside those that the user and groups named; when there are more, these are forgotten:
/// they are told again with every look-up. Arbitrary.
const MAX_HOSTS: usize = 1024;

/// How many keys one host may have: it may run several relays. Arbitrary.
const MAX_KEYS: usize = 8;

/// What precedes an Ed25519 key in a certificate (SubjectPublicKeyInfo, RFC 8410): a sequence of 42 bytes, the algorithm
/// 1.3.101.112, a string of 256 bits.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Which relays are known. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct KnownRelays {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    public: bool,
    /// This node, which may run relays of its own anywhere.
    own: NodeId,
    /// The hosts of iroh's public relays.
    public_hosts: BTreeSet<String>,
    /// How relays prove themselves on the hosts that the settings name: by these keys, `None` like a web server.
    trusted: Hosts<Option<NodeId>>,
    /// The keys by host of what people and groups named. Bounded by them.
    named: Mutex<Hosts<NodeId>>,
    /// The same of what other nodes' records named.
    heard: Mutex<Hosts<NodeId>>,
    /// What others may be told of.
    ours: watch::Sender<Ours>,
}

/// The relays that this node uses or offers now; the endpoint remembers more.
#[derive(Debug, Default)]
struct Ours {
    used: Vec<Relay>,
    offered: Vec<Relay>,
    /// Of those that are used, the ones that the gate or the directory refuses, as the keeper found them last.
    refused: Vec<Relay>,
}

/// The keys on each host, with the ports at which they are.
type Hosts<K> = BTreeMap<String, BTreeSet<(K, u16)>>;

impl KnownRelays {
    /// `relays`: those of the settings.
    pub(crate) fn new(own: NodeId, relays: &[Relay], public: bool) -> KnownRelays {
        let mut trusted: Hosts<Option<NodeId>> = BTreeMap::new();
        for relay in relays {
            trusted.entry(host(relay)).or_default().insert((relay.node(), relay.port()));
        }
        let public_hosts = RelayMode::Default.relay_map().urls::<Vec<_>>();
        let public_hosts = public_hosts.iter().filter_map(|url| url.host_str().map(str::to_owned)).collect();
        let (named, heard) = Default::default();
        let ours = watch::Sender::new(Ours { used: relays.to_vec(), ..Ours::default() });
        KnownRelays { shared: Arc::new(Shared { public, own, public_hosts, trusted, named, heard, ours }) }
    }

    /// Says which relays this node offers.
    pub(crate) fn offer(&self, relays: Vec<Relay>) {
        self.shared.ours.send_modify(|ours| ours.offered = relays);
    }

    /// Returns the relays that this node offers.
    pub(crate) fn offered(&self) -> Vec<Relay> {
        self.shared.ours.borrow().offered.clone()
    }

    /// Whether others may be told that we are reached by a relay: one of our own while it is offered, another one while it
    /// may be used. A pause is not looked at. Asks nobody: who wants our hints may hold what the directory needs to answer.
    pub(crate) fn may_tell(&self, relay: &Relay, admission: &Admission) -> bool {
        let ours = self.shared.ours.borrow();
        let used = match relay.node() {
            Some(node) if node == self.shared.own => ours.offered.contains(relay),
            _ if self.shared.public_hosts.contains(relay.host()) => self.shared.public,
            _ => ours.used.contains(relay) && !ours.refused.contains(relay),
        };
        used && relay.address().is_none_or(|address| admission.admits_address(address))
    }

    /// Says which relays are refused now.
    fn refuse(&self, relays: Vec<Relay>) {
        self.shared.ours.send_if_modified(|ours| {
            let news = ours.refused != relays;
            ours.refused = relays;
            news
        });
    }

    /// Tells when others may be told of other relays than before.
    pub(crate) fn ours_change(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ours = self.shared.ours.subscribe();
        async move {
            // Where nobody can change it any more, it does not.
            if ours.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Takes the keys of the relays that people and groups named, instead of those of the last time.
    pub(crate) fn name(&self, relays: &[Relay]) {
        let mut named: Hosts<NodeId> = BTreeMap::new();
        for relay in relays {
            if let Some(node) = relay.node() {
                named.entry(host(relay)).or_default().insert((node, relay.port()));
            }
        }
        *self.shared.named.lock().unwrap_or_else(PoisonError::into_inner) = named;
        self.shared.ours.send_if_modified(|ours| {
            let news = ours.used != relays;
            ours.used = relays.to_vec();
            news
        });
    }

    /// Whether a relay that somebody named may be used; takes its key, if so.
    pub(crate) fn admits(&self, url: &RelayUrl, admission: &Admission) -> bool {
        let Ok(relay) = Relay::from_iroh(url) else { return false };
        if self.shared.public_hosts.contains(relay.host()) {
            return self.shared.public;
        }
        if !may_dial(&relay, admission) {
            return false;
        }
        if let Some(trusted) = self.shared.trusted.get(&host(&relay)) {
            return trusted.iter().any(|(node, _)| *node == relay.node()) || relay.node() == Some(self.shared.own);
        }
        if let Some(node) = relay.node() {
            let mut heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() >= MAX_HOSTS {
                heard.clear();
            }
            let keys = heard.entry(host(&relay)).or_default();
            if keys.len() >= MAX_KEYS {
                keys.clear();
            }
            keys.insert((node, relay.port()));
        }
        true
    }

    /// Returns who runs the relay at a port of a host, by those whose word counts most; `None` where that is not known, or
    /// they say different things.
    fn runner(&self, host: &str, port: u16) -> Option<NodeId> {
        let host = host.trim_matches(['[', ']']);
        if let Some(trusted) = self.shared.trusted.get(host) {
            return only(trusted.iter().filter(|(_, at)| *at == port).filter_map(|(node, _)| *node));
        }
        let find = |keys: &Mutex<Hosts<NodeId>>| {
            let keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
            only(keys.get(host)?.iter().filter(|(_, at)| *at == port).map(|(node, _)| *node))
        };
        find(&self.shared.named).or_else(|| find(&self.shared.heard))
    }

    /// Returns how relays are checked.
    pub(crate) fn tls(&self) -> CaTlsConfig {
        let known = self.clone();
        CaTlsConfig::custom_server_cert_verifier(Arc::new(move |provider: Arc<CryptoProvider>| {
            let web = CaTlsConfig::default().server_cert_verifier(provider.clone())?;
            Ok(Arc::new(Verifier { known: known.clone(), web, provider }) as Arc<dyn ServerCertVerifier>)
        }))
    }

    fn has(&self, host: &str, node: NodeId) -> bool {
        if let Some(trusted) = self.shared.trusted.get(host) {
            return trusted.iter().any(|(key, _)| *key == Some(node)) || node == self.shared.own;
        }
        let has = |keys: &Mutex<Hosts<NodeId>>| {
            let keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
            keys.get(host).is_some_and(|keys| keys.iter().any(|(key, _)| *key == node))
        };
        has(&self.shared.named) || has(&self.shared.heard)
    }
}

/// Returns the one that there is, if there is one alone.
fn only(mut nodes: impl Iterator<Item = NodeId>) -> Option<NodeId> {
    nodes.next().filter(|_| nodes.next().is_none())
}

/// Whether the gate lets anything go to a relay: to its address and its node, where the URL names them.
fn may_dial(relay: &Relay, admission: &Admission) -> bool {
    relay.address().is_none_or(|address| admission.admits_address(address))
        && relay.node().is_none_or(|node| admission.lets_relay(node))
}

/// Returns a relay as iroh wants it. A relay of a node without a port for address discovery gets no probes for it.
pub(crate) fn config(relay: &Relay) -> RelayConfig {
    let quic = match (relay.quic_port(), relay.node()) {
        (Some(port), _) => Some(RelayQuicConfig::new(port)),
        (None, Some(_)) => None,
        (None, None) => Some(RelayQuicConfig::default()),
    };
    RelayConfig::new(relay.as_iroh().clone(), quic)
}

/// A host as TLS names it: an IPv6 address without brackets.
fn host(relay: &Relay) -> String {
    relay.host().trim_matches(['[', ']']).to_owned()
}

/// Checks the certificate of a relay.
#[derive(Debug)]
struct Verifier {
    known: KnownRelays,
    web: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match key(end_entity) {
            // The handshake's signature, which is checked in every case, is of this key.
            Some(node) if self.known.has(&server_name.to_str(), node) => Ok(ServerCertVerified::assertion()),
            // The web has no certificates over such keys (CA/Browser Forum, Baseline Requirements, 6.1.5).
            Some(_) => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            None => self.web.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.web.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web.supported_verify_schemes()
    }
}

/// Returns the Ed25519 key of a certificate, if it has one.
fn key(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    spki.as_ref().strip_prefix(&SPKI)?.try_into().ok().map(NodeId)
}

#[cfg(test)]
mod tests {
    use net::Gate;

    use super::*;
    use crate::EmptyDirectory;

    const OWN: NodeId = NodeId([1; 32]);
    const CAROL: NodeId = NodeId([3; 32]);
    const MALLORY: NodeId = NodeId([66; 32]);

    fn relay(host: &str, node: Option<NodeId>) -> Relay {
        Relay::new(&format!("https://{host}:3340/"), node, None).unwrap()
    }

    fn admission() -> (Gate, Admission) {
        let gate = Gate::new(crate::tests::LIMITS);
        (gate.clone(), Admission::new(gate, Arc::new(EmptyDirectory)))
    }

    #[test]
    fn on_a_host_that_the_user_named_nobody_elses_word_counts() {
        let (_gate, admission) = admission();
        let settings = [relay("192.0.2.1", Some(CAROL)), relay("relay.example", None)];
        let known = KnownRelays::new(OWN, &settings, false);
        for host in ["192.0.2.1", "relay.example"] {
            // By a record, and by what a person says of herself.
            assert!(!known.admits(relay(host, Some(MALLORY)).as_iroh(), &admission), "{host}");
            known.name(&[relay(host, Some(MALLORY))]);
            assert!(!known.has(host, MALLORY), "{host}");
        }
        assert!(known.admits(settings[0].as_iroh(), &admission) && known.has("192.0.2.1", CAROL));
        assert!(known.admits(settings[1].as_iroh(), &admission) && !known.has("relay.example", CAROL));
        assert!(!known.admits(relay("192.0.2.1", None).as_iroh(), &admission), "its key is known");
        assert!(known.has("192.0.2.1", OWN), "one of our own is beside it");
        // Of other hosts others may tell.
        assert!(
            known.admits(relay("192.0.2.9", Some(MALLORY)).as_iroh(), &admission) && known.has("192.0.2.9", MALLORY)
        );
    }

    #[test]
    fn who_runs_a_relay_is_known_by_those_whose_word_counts_most() {
        let (_gate, admission) = admission();
        let known = KnownRelays::new(OWN, &[relay("[2001:db8::1]", Some(CAROL)), relay("relay.example", None)], false);
        assert_eq!(known.runner("[2001:db8::1]", 3340), Some(CAROL));
        assert_eq!((known.runner("[2001:db8::1]", 80), known.runner("relay.example", 3340)), (None, None));
        assert!(known.admits(relay("192.0.2.1", Some(MALLORY)).as_iroh(), &admission));
        assert_eq!(known.runner("192.0.2.1", 3340), Some(MALLORY));
        known.name(&[relay("192.0.2.1", Some(CAROL))]);
        assert_eq!(known.runner("192.0.2.1", 3340), Some(CAROL), "of people we know rather than of records");
        known.name(&[relay("192.0.2.1", Some(CAROL)), relay("192.0.2.1", Some(OWN))]);
        assert_ne!(known.runner("192.0.2.1", 3340), Some(CAROL), "they say different things");
    }

    #[test]
    fn others_are_told_of_relays_that_are_used_or_offered_now() {
        let (gate, admission) = admission();
        let (used, own, other) =
            (relay("192.0.2.1", Some(CAROL)), relay("192.0.2.2", Some(OWN)), relay("192.0.2.3", None));
        let known = KnownRelays::new(OWN, std::slice::from_ref(&other), false);
        let told = || [&used, &own, &other].map(|relay| known.may_tell(relay, &admission));
        assert_eq!(told(), [false, false, true], "the settings' one");
        known.name(&[used.clone(), own.clone()]);
        assert_eq!(told(), [true, false, false]);
        known.offer(vec![own.clone()]);
        assert_eq!(told(), [true, true, false]);
        gate.set_policy(net::Policy { paused: true, ..net::Policy::default() });
        assert_eq!(told(), [true, true, false], "it is back after the pause");
        gate.set_policy(crate::tests::block("192.0.2.1".parse().unwrap()));
        known.offer(Vec::new());
        assert_eq!(told(), [false, false, false]);
        gate.set_policy(net::Policy::default());
        assert_eq!(told(), [true, false, false]);
        known.refuse(vec![used.clone()]);
        assert_eq!(told(), [false, false, false]);
    }

    #[test]
    fn whoever_holds_what_the_directory_knows_gets_hints() {
        let book = Arc::<crate::tests::Book>::default();
        let admission = Admission::new(Gate::new(crate::tests::LIMITS), book.clone());
        let known = KnownRelays::new(OWN, &[relay("192.0.2.1", Some(CAROL))], false);
        let _held = book.revoked.lock().unwrap();
        let (told, telling) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(known.may_tell(&relay("192.0.2.1", Some(CAROL)), &admission)));
        assert_eq!(telling.recv_timeout(std::time::Duration::from_secs(30)), Ok(true));
    }

    #[test]
    fn a_blocked_address_is_no_relay_whoever_named_it() {
        let (gate, admission) = admission();
        let settings = [relay("192.0.2.1", Some(CAROL)), relay("[2001:db8::1]", Some(CAROL))];
        let known = KnownRelays::new(OWN, &settings, false);
        assert_eq!(keeper::start(&settings, false, &admission).len(), 2);
        gate.set_policy(crate::tests::block("192.0.2.1".parse().unwrap()));
        assert!(!known.admits(settings[0].as_iroh(), &admission));
        let left = keeper::start(&settings, false, &admission);
        assert!(left.into_keys().eq([settings[1].as_iroh().clone()]));
    }

    #[test]
    fn a_blocked_node_is_no_relay_and_in_a_pause_none_is_looked_at() {
        let (gate, admission) = admission();
        let settings = [relay("192.0.2.1", Some(CAROL)), relay("192.0.2.2", Some(MALLORY)), relay("192.0.2.3", None)];
        let known = KnownRelays::new(OWN, &settings, false);
        let blocks =
            net::Policy { block: [net::Target::Node(MALLORY)].into_iter().collect(), ..net::Policy::default() };
        gate.set_policy(blocks);
        assert!(!known.admits(settings[1].as_iroh(), &admission));
        let left = keeper::start(&settings, false, &admission);
        assert!(left.into_keys().eq([&settings[0], &settings[2]].map(|relay| relay.as_iroh().clone())));
        assert!(!keeper::start(&[], true, &admission).is_empty(), "the public ones");
        gate.set_policy(net::Policy { paused: true, ..net::Policy::default() });
        assert!(
            keeper::start(&settings, true, &admission).is_empty() && keeper::start(&[], true, &admission).is_empty()
        );
        gate.set_policy(net::Policy { meet: net::Meet::Contacts, ..net::Policy::default() });
        assert_eq!(keeper::start(&settings, false, &admission).len(), 3, "who relays is not met");
    }
}
