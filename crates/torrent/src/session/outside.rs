//! How this node is seen from outside: the port that the router maps becomes the one that is announced.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use net::MappingStatus;

use crate::shared::Shared;
use crate::types::NetworkStatus;

/// How long a link waits for the router's first answer: PCP, NAT-PMP and UPnP on a home network take less, and a person
/// who waits for a link hardly notices.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// Waits until the router has said something, be it no; [`PATIENCE`] at most.
pub(super) async fn settled(shared: &Shared) {
    let Some(mut mapping) = shared.mapping.as_ref().map(net::PortMapping::watch) else { return };
    let heard = mapping.wait_for(|status| !status.last_words.is_empty());
    // Neither a router that is slow nor a mapping that has ended is worth a word here.
    let _ = tokio::time::timeout(PATIENCE, heard).await;
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
