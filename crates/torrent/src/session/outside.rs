//! How this node is seen from outside: the port that the router maps becomes the one that is announced.

use std::net::SocketAddr;
use std::sync::Arc;

use net::MappingStatus;

use crate::shared::Shared;
use crate::types::NetworkStatus;

/// Announces the mapped port for as long as there is one, and our own otherwise. The task ends with the mapping's.
pub(super) fn follow(shared: &Arc<Shared>) {
    let Some(mapping) = &shared.mapping else { return };
    let (mut mapped, announced, own) = (mapping.watch(), shared.announced.clone(), shared.port);
    tokio::spawn(async move {
        while mapped.changed().await.is_ok() {
            let port = external(&mapped.borrow_and_update()).map(|address| address.port()).or(own);
            announced.send_if_modified(|announced| std::mem::replace(announced, port) != port);
        }
    });
}

pub(super) fn status(shared: &Shared, listen: &[SocketAddr]) -> NetworkStatus {
    let mapping = shared.mapping.as_ref().map(net::PortMapping::status);
    NetworkStatus {
        listen: listen.to_vec(),
        announced_port: *shared.announced.borrow(),
        external: mapping.as_ref().and_then(external),
        mapping,
        lsd: shared.lsd.as_ref().map(net::Lsd::status),
    }
}

/// TCP's port stands for both: where the router gives UDP another one, uTP reaches only those whom we reach first.
fn external(mapping: &MappingStatus) -> Option<SocketAddr> {
    mapping.tcp.or(mapping.udp)
}
