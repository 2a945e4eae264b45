//! Carrying the API: HTTP/1.1 over TCP or TLS. What somebody costs of whom nothing is known is bounded: connections, the
//! time and bytes of a handshake and of a request's head, and the time in which nothing of an answer is taken.

mod stall;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use self::stall::{Patience, Taken};
use super::stream::Playable;

/// How long the head of a request may take to arrive, and how long a connection may be idle. Arbitrary.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a TLS handshake may take. Arbitrary.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest head of a request, in bytes. Arbitrary: the longest that a browser sends with a cookie is a tenth of it.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// How many connections there are at once. Arbitrary: a browser has six and a stream of events.
const MAX_CONNECTIONS: usize = 512;

/// How many of them one host has that is not this one. Arbitrary.
const MAX_PER_HOST: usize = 64;

/// How long to wait when the system has no more sockets. Arbitrary.
const PAUSE: Duration = Duration::from_millis(100);

/// How long answers that are under way may take when the node ends. Arbitrary; a person waits for it.
const GRACE: Duration = Duration::from_secs(1);

/// By which way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The address here that was called.
    pub(crate) at: SocketAddr,
    /// Whether it is TLS: then it comes from anywhere.
    pub(crate) tls: bool,
}

/// Serves until `stopped`, or until its sender is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let hosts = Hosts::default();
    // At most as many as there are places; ended ones are taken out before each newcomer.
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = told(&mut stopped) => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, from, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "the API cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        let Some(counted) = hosts.count(from.ip()) else { continue };
        let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
        tasks.spawn(async move {
            let _held = (place, counted);
            connection(stream, from, tls, router, stopped).await;
        });
    }
    drop(listener);
    // What takes longer is cut off when the set is dropped.
    let _ = tokio::time::timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Waits until the node ends, or whoever would say so is gone.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    // While all places are taken, newcomers wait in the system's queue. Nobody closes the semaphore.
    let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, place))
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    let Ok(at) = stream.local_addr() else { return };
    // Events are small and wanted at once; where it cannot be set they come a moment later.
    let _ = stream.set_nodelay(true);
    let line = Line { at, tls: tls.is_some() };
    let patience = Patience::default();
    let (stream, asked) = (Taken::new(stream, patience.clone()), Asked { from, line, patience });
    let Some(tls) = tls else { return carry(stream, asked, router, stopped).await };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => carry(stream, asked, router, stopped).await,
        Ok(Err(error)) => tracing::debug!(%from, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
    }
}

/// By whom and on which connection something is asked.
struct Asked {
    from: SocketAddr,
    line: Line,
    patience: Patience,
}

async fn carry<S>(stream: S, asked: Asked, router: Router, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Asked { from, line, patience } = asked;
    let answer = |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(from));
        request.extensions_mut().insert(line);
        let (mut router, patience) = (router.clone(), patience.clone());
        async move {
            let answer = router.call(request).await.unwrap_or_else(|never| match never {});
            patience.plays(answer.extensions().get::<Playable>().is_some());
            Ok::<Response<Body>, Infallible>(answer)
        }
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut served = std::pin::pin!(served);
    let result = tokio::select! {
        result = &mut served => result,
        () = told(&mut stopped) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::trace!(%from, %error, "a connection to the API failed");
    }
}

/// Counts the connections of each host but this one.
#[derive(Clone, Debug, Default)]
struct Hosts(Arc<Mutex<std::collections::BTreeMap<IpAddr, usize>>>);

/// A connection that is counted until it is dropped.
struct Counted(Hosts, IpAddr);

impl Hosts {
    /// Counts a connection, unless its host has too many.
    fn count(&self, host: IpAddr) -> Option<Counted> {
        let host = super::doors::network(host);
        // No method panics between two changes.
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = hosts.entry(host).or_default();
        if *number >= MAX_PER_HOST && !host.is_loopback() {
            return None;
        }
        *number += 1;
        Some(Counted(self.clone(), host))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut hosts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = hosts.get_mut(&self.1) {
            *number -= 1;
            if *number == 0 {
                hosts.remove(&self.1);
            }
        }
    }
}
