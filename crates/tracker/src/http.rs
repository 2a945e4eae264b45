//! The HTTP front end: HTTP/1.1 with keep-alive, on hyper.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::proto::Host;
use crate::service::Shared;

/// How long a request may take to arrive, and how long a connection may be idle (arbitrary).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may stand at all (arbitrary; a client reconnects for its next announce anyway).
const CONNECTION_LIFE: Duration = Duration::from_secs(300);

/// The longest head of a request, in bytes; hyper needs 8 KiB at least. A scrape of 74 swarms takes 5,300.
const MAX_HEAD_LEN: usize = 8_192;

/// The most headers of a request (arbitrary).
const MAX_HEADERS: usize = 32;

/// The most connections of one host (arbitrary: clients behind one router).
const MAX_PER_HOST: usize = 64;

/// How long to wait when the system has no more sockets (arbitrary).
const PAUSE: Duration = Duration::from_millis(100);

/// Why a connection is ended that was admitted before.
#[derive(Debug, thiserror::Error)]
#[error("its address is no longer admitted")]
struct Unwelcome;

/// Counts the connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    places: Arc<Semaphore>,
    by_host: Arc<Mutex<HashMap<Host, usize>>>,
}

/// A connection that is counted until it is dropped.
#[derive(Debug)]
struct Counted {
    connections: Connections,
    ip: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Connections {
    /// Admits at most `most` at a time.
    pub(crate) fn new(most: usize) -> Connections {
        let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Connections { places, by_host: Arc::default() }
    }

    /// Counts a connection, unless its host has too many.
    fn count(&self, ip: IpAddr, place: OwnedSemaphorePermit) -> Option<Counted> {
        let mut by_host = self.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        let number = by_host.entry(Host::from(ip)).or_default();
        if *number >= MAX_PER_HOST {
            return None;
        }
        *number += 1;
        Some(Counted { connections: self.clone(), ip, _place: place })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let host = Host::from(self.ip);
        let mut by_host = self.connections.by_host.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = by_host.get_mut(&host) {
            *number -= 1;
            if *number == 0 {
                by_host.remove(&host);
            }
        }
    }
}

/// Serves for ever. While all places are taken, newcomers wait in the system's queue; a place is free again after
/// [`REQUEST_TIMEOUT`] at the latest, when its holder is idle.
pub(crate) async fn serve(listener: TcpListener, shared: Shared, connections: Connections) {
    // At most as many as there are places; ended ones are taken out before each newcomer.
    let mut tasks = JoinSet::new();
    loop {
        let Ok(place) = connections.places.clone().acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the tracker cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        if !shared.admits(from.ip()) {
            continue;
        }
        if let Some(counted) = connections.count(from.ip().to_canonical(), place) {
            tasks.spawn(connection(stream, from, shared.clone(), counted));
        }
    }
}

async fn connection(stream: TcpStream, from: SocketAddr, shared: Shared, counted: Counted) {
    let ip = counted.ip;
    let answer = |request: Request<Incoming>| {
        // An error ends the connection: who is no longer welcome hears nothing more.
        let response = if shared.admits(ip) { Ok(respond(&shared, ip, &request)) } else { Err(Unwelcome) };
        async move { response }
    };
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(MAX_HEAD_LEN)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    match tokio::time::timeout(CONNECTION_LIFE, served).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::trace!(%from, %error, "a connection to the tracker failed"),
    }
}

fn respond(shared: &Shared, ip: IpAddr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = if request.method() == Method::GET {
        let uri = request.uri();
        let now = shared.now();
        let answer = shared.core().http(now, ip, uri.path(), uri.query().unwrap_or_default());
        (StatusCode::from_u16(answer.status).unwrap_or(StatusCode::NOT_FOUND), answer.body)
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, b"only GET\n".to_vec())
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    // What a bencoded answer is called by every tracker.
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subnet_of_ipv6_counts_as_one_host() {
        let connections = Connections::new(1_000);
        let count = |ip: String| {
            let place = connections.places.clone().try_acquire_owned().unwrap();
            connections.count(ip.parse().unwrap(), place)
        };
        let held: Vec<Counted> = (0..100).filter_map(|n| count(format!("2001:db8::{n:x}"))).collect();
        assert_eq!(held.len(), MAX_PER_HOST, "mallory has all addresses of a /64");
        assert!(count("2001:db8:0:1::1".to_owned()).is_some() && count("192.0.2.1".to_owned()).is_some());
        drop(held);
        assert!(connections.by_host.lock().unwrap().is_empty());
        assert_eq!(connections.places.available_permits(), 1_000);
    }
}
