//! Has the router pass our UDP port on to us, and tells the endpoint where the outside reaches it.

use std::net::SocketAddr;

use iroh::Endpoint;
use net::PortMapping;

/// Maps the port; the task ends with the mapping or with the endpoint.
pub(crate) fn start(endpoint: &Endpoint) -> PortMapping {
    let mapping = PortMapping::start_udp(&endpoint.bound_sockets());
    tokio::spawn(follow(mapping.watch(), endpoint.clone()));
    mapping
}

async fn follow(mut status: tokio::sync::watch::Receiver<net::MappingStatus>, endpoint: Endpoint) {
    let mut told: Option<SocketAddr> = None;
    loop {
        let external = status.borrow_and_update().udp;
        if external != told {
            if let Some(old) = told.take() {
                endpoint.remove_external_addr(&old).await;
            }
            if let Some(new) = external {
                endpoint.add_external_addr(new).await;
            }
            told = external;
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return },
            () = endpoint.closed() => return,
        }
    }
}
