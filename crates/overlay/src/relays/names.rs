//! Looks names up for the endpoint, and leaves out the addresses that the gate refuses: a relay that is named by its host
//! is dialled at none of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::BoxFuture;
use iroh::dns::{BoxIter, DnsError, DnsResolver, Resolver, TxtRecordData};

use crate::admission::Admission;

/// How long a look-up may take. Arbitrary: the endpoint has limits of its own, below this.
const LOOK_UP: Duration = Duration::from_secs(10);

/// Looks up, and asks the gate.
#[derive(Clone, Debug)]
pub(super) struct GatedNames {
    names: DnsResolver,
    admission: Admission,
}

/// Returns what looks names up as the system does, within what the gate lets through.
pub(crate) fn resolver(admission: Admission) -> DnsResolver {
    DnsResolver::custom(GatedNames { names: DnsResolver::new(), admission })
}

impl GatedNames {
    /// Leaves out what is refused, and what is of another family.
    fn admitted<T: Send + 'static>(
        &self,
        found: impl Iterator<Item = IpAddr>,
        of_family: impl Fn(IpAddr) -> Option<T>,
    ) -> BoxIter<T> {
        let admits = |ip: &IpAddr| self.admission.admits_address(SocketAddr::new(*ip, 0));
        let found: Vec<T> = found.filter(admits).filter_map(of_family).collect();
        Box::new(found.into_iter())
    }
}

impl Resolver for GatedNames {
    fn lookup_ipv4(&self, host: String) -> BoxFuture<'static, Result<BoxIter<Ipv4Addr>, DnsError>> {
        let all = self.clone();
        Box::pin(async move {
            let found = all.names.lookup_ipv4(host, LOOK_UP).await?;
            Ok(all.admitted(found, |ip| match ip {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }))
        })
    }

    fn lookup_ipv6(&self, host: String) -> BoxFuture<'static, Result<BoxIter<Ipv6Addr>, DnsError>> {
        let all = self.clone();
        Box::pin(async move {
            let found = all.names.lookup_ipv6(host, LOOK_UP).await?;
            Ok(all.admitted(found, |ip| match ip {
                IpAddr::V6(ip) => Some(ip),
                IpAddr::V4(_) => None,
            }))
        })
    }

    fn lookup_txt(&self, host: String) -> BoxFuture<'static, Result<BoxIter<TxtRecordData>, DnsError>> {
        let names = self.names.clone();
        Box::pin(async move {
            let found: Vec<TxtRecordData> = names.lookup_txt(host, LOOK_UP).await?.collect();
            Ok(Box::new(found.into_iter()) as BoxIter<TxtRecordData>)
        })
    }

    fn clear_cache(&self) {
        self.names.clear_cache();
    }

    fn reset(&self) -> Box<dyn Resolver> {
        self.names.reset();
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use net::Gate;

    use super::*;
    use crate::EmptyDirectory;

    /// A name server that knows one name by heart.
    #[derive(Debug)]
    struct ByHeart;

    impl Resolver for ByHeart {
        fn lookup_ipv4(&self, _: String) -> BoxFuture<'static, Result<BoxIter<Ipv4Addr>, DnsError>> {
            let found = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
            Box::pin(async move { Ok(Box::new(found.into_iter()) as BoxIter<Ipv4Addr>) })
        }

        fn lookup_ipv6(&self, _: String) -> BoxFuture<'static, Result<BoxIter<Ipv6Addr>, DnsError>> {
            Box::pin(async move { Ok(Box::new([Ipv6Addr::LOCALHOST].into_iter()) as BoxIter<Ipv6Addr>) })
        }

        fn lookup_txt(&self, _: String) -> BoxFuture<'static, Result<BoxIter<TxtRecordData>, DnsError>> {
            Box::pin(async move { Ok(Box::new(std::iter::empty()) as BoxIter<TxtRecordData>) })
        }

        fn clear_cache(&self) {}

        fn reset(&self) -> Box<dyn Resolver> {
            Box::new(ByHeart)
        }
    }

    #[tokio::test]
    async fn a_name_leads_to_no_address_that_is_blocked() {
        let gate = Gate::new(crate::tests::LIMITS);
        let admission = Admission::new(gate.clone(), Arc::new(EmptyDirectory));
        let names = DnsResolver::custom(GatedNames { names: DnsResolver::custom(ByHeart), admission });
        let found = async || {
            let found = names.lookup_ipv4_ipv6("relay.example", LOOK_UP).await.unwrap();
            found.map(|ip| ip.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found().await.len(), 3);
        gate.set_policy(crate::tests::block("192.0.2.1".parse().unwrap()));
        assert!(!found().await.contains(&"192.0.2.1".to_owned()));
        assert!(found().await.contains(&"192.0.2.2".to_owned()));
    }
}
