//! Looks names up for the endpoint, by the way that everything leaves, and leaves out the addresses that the gate refuses:
//! a relay that is named by its host is asked at none of them for our own address. (`proxy` dials.)

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::BoxFuture;
use iroh::dns::{BoxIter, DnsError, DnsResolver, Resolver, TxtRecordData};
use net::Egress;
use tokio::time::timeout;

use crate::admission::Admission;

/// How long a look-up may take. Arbitrary: the endpoint has limits of its own, below this.
const LOOK_UP: Duration = Duration::from_secs(10);

/// Looks up, and asks the gate.
#[derive(Clone, Debug)]
struct GatedNames {
    egress: Egress,
    admission: Admission,
}

/// Returns what looks names up within what the gate lets through.
pub(crate) fn resolver(egress: Egress, admission: Admission) -> DnsResolver {
    DnsResolver::custom(GatedNames { egress, admission })
}

/// Returns the addresses of a host.
pub(super) async fn lookup(egress: &Egress, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if egress.proxy.is_some() && host.trim_matches(['[', ']']).parse::<IpAddr>().is_err() {
        // It would have to be asked past the proxy.
        return Err(io::Error::new(io::ErrorKind::Unsupported, "behind a proxy relays are named by their addresses"));
    }
    egress.lookup(host, port).await
}

impl GatedNames {
    /// Returns what is admitted of one family; nothing where nobody knows the name.
    fn admitted<T: Send + 'static>(
        &self,
        host: String,
        of_family: impl Fn(IpAddr) -> Option<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<BoxIter<T>, DnsError>> {
        let all = self.clone();
        Box::pin(async move {
            let found = timeout(LOOK_UP, lookup(&all.egress, &host, 0)).await.map_err(io::Error::from);
            let found = found.flatten().unwrap_or_else(|error| {
                tracing::debug!(host, %error, "the name of a relay is not known");
                Vec::new()
            });
            let admits = |address: &SocketAddr| all.admission.admits_address(*address);
            let found: Vec<T> = found.into_iter().filter(admits).filter_map(|it| of_family(it.ip())).collect();
            Ok(Box::new(found.into_iter()) as BoxIter<T>)
        })
    }
}

impl Resolver for GatedNames {
    fn lookup_ipv4(&self, host: String) -> BoxFuture<'static, Result<BoxIter<Ipv4Addr>, DnsError>> {
        self.admitted(host, |ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }

    fn lookup_ipv6(&self, host: String) -> BoxFuture<'static, Result<BoxIter<Ipv6Addr>, DnsError>> {
        self.admitted(host, |ip| match ip {
            IpAddr::V6(ip) => Some(ip),
            IpAddr::V4(_) => None,
        })
    }

    /// Nodes are looked up in no such records.
    fn lookup_txt(&self, _: String) -> BoxFuture<'static, Result<BoxIter<TxtRecordData>, DnsError>> {
        Box::pin(async { Ok(Box::new(std::iter::empty()) as BoxIter<TxtRecordData>) })
    }

    fn clear_cache(&self) {}

    fn reset(&self) -> Box<dyn Resolver> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use net::Gate;

    use super::*;
    use crate::EmptyDirectory;

    fn names(gate: &Gate, egress: Egress) -> DnsResolver {
        resolver(egress, Admission::new(gate.clone(), Arc::new(EmptyDirectory)))
    }

    async fn found(names: &DnsResolver) -> Vec<IpAddr> {
        // An error: there is none.
        names.lookup_ipv4("localhost", LOOK_UP).await.map(Iterator::collect).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_name_leads_to_no_address_that_is_blocked() {
        let gate = Gate::new(crate::tests::LIMITS);
        let names = names(&gate, Egress::default());
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(found(&names).await, [here]);
        gate.set_policy(crate::tests::block(here));
        assert!(found(&names).await.is_empty());
    }

    #[tokio::test]
    async fn behind_a_proxy_no_name_is_asked_for() {
        let gate = Gate::new(crate::tests::LIMITS);
        let proxied = Egress { proxy: "socks5://127.0.0.1:1080".parse().ok(), ..Egress::default() };
        assert!(found(&names(&gate, proxied.clone())).await.is_empty());
        assert_eq!(lookup(&proxied, "[::1]", 7).await.unwrap(), ["[::1]:7".parse().unwrap()]);
    }
}
