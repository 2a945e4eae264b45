//! The way to relays: a proxy of our own on loopback, by which the endpoint dials them (CONNECT, RFC 9110, 9.3.6) and
//! measures how near they are (CONNECT, or a plain GET where the relay speaks plain HTTP). iroh asks nobody before it dials
//! a relay and ends no connection when it is told of a block or a pause; here the gate is asked for each address, and what
//! it no longer admits ends at once.
//!
//! Invariant: each connection to a relay holds a [`Pass`], and leaves by the [`Egress`]; a name is resolved here, so that
//! the gate sees what it leads to. Who cannot show the secret gets nothing: others on this computer can reach the port.
//! In a pause whoever dials waits for its end, so that the connection is back with it; the endpoint hangs up by itself.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::NodeId;
use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use net::{Egress, Pass, Refusal};
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::KnownRelays;
use crate::admission::Admission;

/// The user that the endpoint calls itself (RFC 7617). Any word would do.
const USER: &str = "compeer";

/// The length of the secret, in bytes: it cannot be guessed.
const SECRET_LEN: usize = 16;

/// How many may be here at a time that have not shown the secret. Arbitrary: the endpoint shows it at once.
const MAX_HEADS: usize = 32;

/// How many may be here at a time that have: a connection for each relay in use, and those that are measured. Arbitrary:
/// far more than the relays that are known and those of the nodes that one speaks with.
const MAX_TUNNELS: usize = 128;

/// The longest head of a request, in bytes; hyper needs 8 KiB at least. The endpoint's take less than 400.
const MAX_HEAD_LEN: usize = 8_192;

/// The most headers of a request. Arbitrary; the endpoint's have five.
const MAX_HEADERS: usize = 32;

/// How long a head may take. Arbitrary: it comes from this computer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a relay may take to be reached. The endpoint gives up after as long (iroh-relay, `CONNECT_TIMEOUT`).
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a dial waits for the end of a pause: longer than the endpoint waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many addresses of a name are tried. Arbitrary.
const MAX_ADDRESSES: usize = 8;

/// The pause before the next address is tried beside those under way (RFC 8305, Connection Attempt Delay).
const STAGGER: Duration = Duration::from_millis(250);

/// What is read at once, in bytes: a batch of datagrams of the endpoint (64 KiB, GSO).
const BUFFER: usize = 64 << 10;

/// The longest answer to a measurement that is passed on, in bytes; as iroh reads of it.
const MAX_ANSWER: usize = 8 << 10;

/// How long an answer to a measurement may take (iroh: 3 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long tunnels may stay when the endpoint closes: it says goodbye over them.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait when the system has no more sockets. Arbitrary.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// A host that does not exist (RFC 6761, 6.4): who asks for it is refused at once.
pub(super) const NOWHERE: &str = "nowhere.invalid";

/// The proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    listener: TcpListener,
    secret: String,
    way: Arc<Way>,
}

/// What every connection needs.
#[derive(Debug)]
struct Way {
    admission: Admission,
    egress: Egress,
    known: KnownRelays,
    /// What `Proxy-Authorization` has to say.
    authorization: String,
    heads: Arc<Semaphore>,
    tunnels: Arc<Semaphore>,
    /// Told when the policy ended a connection.
    cuts: watch::Sender<()>,
}

/// Why a relay is not reached.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the relay does not answer")]
    Timeout,
    #[error("the relay speaks no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("what the relay answers is too long")]
    TooLong,
}

/// What a visitor holds; shared by the two halves of its connection.
#[derive(Debug)]
struct Visit {
    /// Until the secret was shown.
    head: Option<OwnedSemaphorePermit>,
    /// Since then.
    place: Option<OwnedSemaphorePermit>,
    /// What is to be carried after the answer.
    tunnel: Option<Tunnel>,
}

#[derive(Debug)]
struct Tunnel {
    near: OnUpgrade,
    reached: Reached,
}

/// A relay that was dialled.
#[derive(Debug)]
struct Reached {
    far: TcpStream,
    pass: Pass,
    /// Who runs it, where that is known.
    node: Option<NodeId>,
}

impl Proxy {
    /// Opens the port.
    pub(crate) async fn open(admission: Admission, egress: Egress, known: KnownRelays) -> io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut secret = [0; SECRET_LEN];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let secret = HEXLOWER.encode(&secret);
        let authorization = format!("Basic {}", BASE64.encode(format!("{USER}:{secret}").as_bytes()));
        let places = |most| Arc::new(Semaphore::new(most));
        let (heads, tunnels) = (places(MAX_HEADS), places(MAX_TUNNELS));
        let cuts = watch::Sender::new(());
        Ok(Proxy {
            listener,
            secret,
            way: Arc::new(Way { admission, egress, known, authorization, heads, tunnels, cuts }),
        })
    }

    /// Returns the URL by which the endpoint uses it.
    pub(crate) fn url(&self) -> io::Result<String> {
        Ok(format!("http://{USER}:{}@{}", self.secret, self.listener.local_addr()?))
    }

    /// Tells whenever the policy ended a connection.
    pub(crate) fn cuts(&self) -> watch::Receiver<()> {
        self.way.cuts.subscribe()
    }

    /// Serves until the endpoint ends, and until it has hung up then.
    pub(crate) async fn serve(self, ended: impl Future<Output = ()>) {
        // Bounded by the permits.
        let mut running = JoinSet::new();
        let mut ended = pin!(ended);
        loop {
            let accepted = tokio::select! {
                () = &mut ended => break,
                Some(_) = running.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Who comes too many is sent away; the endpoint tries again.
                    let Ok(head) = self.way.heads.clone().try_acquire_owned() else { continue };
                    running.spawn(self.way.clone().connection(stream, head));
                }
                Err(error) => {
                    tracing::debug!(%error, "no way to relays for a moment");
                    sleep(AFTER_ERROR).await;
                }
            }
        }
        drop(self.listener);
        // Those who are left are aborted.
        let _ = timeout(DRAIN, async { while running.join_next().await.is_some() {} }).await;
    }
}

impl Way {
    async fn connection(self: Arc<Way>, stream: TcpStream, head: OwnedSemaphorePermit) {
        // Fails for a connection that is gone: then nothing is read either.
        let _ = stream.set_nodelay(true);
        let visit = Mutex::new(Visit { head: Some(head), place: None, tunnel: None });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_LEN)
            .max_headers(MAX_HEADERS)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service_fn(|request| self.answer(request, &visit)))
            .with_upgrades()
            .await;
        if let Err(error) = served {
            tracing::trace!(%error, "somebody asked for a relay and went");
        }
        let Visit { tunnel, place: _place, .. } = visit.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(tunnel) = tunnel else { return };
        if let Some(refusal) = tunnel.carry(&self.admission).await {
            tracing::debug!(%refusal, "a connection to a relay is ended");
            self.cuts.send_replace(());
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        visit: &Mutex<Visit>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let shown = request.headers().get(PROXY_AUTHORIZATION);
        if !shown.is_some_and(|shown| shown.as_bytes().ct_eq(self.authorization.as_bytes()).into()) {
            return Ok(empty(StatusCode::PROXY_AUTHENTICATION_REQUIRED));
        }
        let Ok(place) = self.tunnels.clone().try_acquire_owned() else {
            return Ok(empty(StatusCode::SERVICE_UNAVAILABLE));
        };
        let visitor = || visit.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut visit = visitor();
            (visit.head, visit.place) = (None, Some(place));
        }
        if self.admission.rests() {
            // Longer than anybody waits.
            let _ = timeout(PATIENCE, self.admission.awake()).await;
        }
        let answer = match *request.method() {
            Method::CONNECT => {
                let near = hyper::upgrade::on(&mut request);
                self.reach(&request, 443).await.map(|reached| {
                    visitor().tunnel = Some(Tunnel { near, reached });
                    empty(StatusCode::OK)
                })
            }
            Method::GET => self.ask(request).await,
            _ => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
        };
        Ok(answer.unwrap_or_else(|failure| {
            tracing::debug!(%failure, "a relay is not reached");
            empty(match failure {
                Failure::Refused(_) => StatusCode::FORBIDDEN,
                Failure::Timeout => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            })
        }))
    }

    /// Dials whom a request names, whose URL has this port where it says none.
    async fn reach(&self, request: &Request<Incoming>, port: u16) -> Result<Reached, Failure> {
        let host = request.uri().host().unwrap_or_default();
        if host == NOWHERE {
            return Err(Refusal::Off.into());
        }
        let dialled = self.dial(host, request.uri().port_u16().unwrap_or(port));
        timeout(DIAL_TIMEOUT, dialled).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn dial(&self, host: &str, port: u16) -> Result<Reached, Failure> {
        let node = self.known.runner(host, port);
        if let Some(refusal) = self.admission.refuses_relay(node) {
            return Err(refusal.into());
        }
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the relay's name leads nowhere").into();
        let found = super::names::lookup(&self.egress, host, port).await?;
        let (mut waiting, mut tries) =
            (VecDeque::from_iter(found.into_iter().take(MAX_ADDRESSES)), FuturesUnordered::new());
        loop {
            if let Some(address) = waiting.pop_front() {
                tries.push(async move {
                    let pass = self.admission.admit_relay(node, address)?;
                    let far = self.egress.connect(address).await?;
                    // Fails for a connection that is gone.
                    let _ = far.set_nodelay(true);
                    Ok(Reached { far, pass, node })
                });
            }
            let next = async { if waiting.is_empty() { std::future::pending().await } else { sleep(STAGGER).await } };
            tokio::select! {
                tried = tries.next() => match tried {
                    Some(Ok(reached)) => return Ok(reached),
                    Some(Err(failure)) => last = failure,
                    None => return Err(last),
                },
                () = next => {}
            }
        }
    }

    /// Asks a relay that speaks plain HTTP how near it is.
    async fn ask(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failure> {
        let Reached { far, pass, .. } = self.reach(&request, 80).await?;
        let asked = async {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(far)).await?;
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let onward = Request::get(path).header(HOST, request.uri().authority().map_or("", |host| host.as_str()));
            let onward = onward.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
            let answer = async {
                let (head, body) = sender.send_request(onward).await?.into_parts();
                let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|_| Failure::TooLong)?;
                Ok(Response::from_parts(head, Full::new(body.to_bytes())))
            };
            // The answer may lie there when the connection is over already.
            let moved = async {
                let _ = connection.await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                answer = answer => answer,
                () = moved => Err(Failure::Timeout),
            }
        };
        tokio::select! {
            refusal = pass.revoked() => Err(refusal.into()),
            answer = timeout(ANSWER_TIMEOUT, asked) => answer.unwrap_or(Err(Failure::Timeout)),
        }
    }
}

impl Tunnel {
    /// Carries both ways until one end hangs up, or the policy or the directory refuses it: returns why then.
    async fn carry(self, admission: &Admission) -> Option<Refusal> {
        let Tunnel { near, reached: Reached { mut far, pass, node } } = self;
        let mut reviews = admission.reviews();
        // What was said before somebody listened is looked at, too.
        reviews.mark_changed();
        let unwelcome = async {
            loop {
                if reviews.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                if let Some(refusal) = admission.refuses_relay(node) {
                    return refusal;
                }
            }
        };
        let refusal = {
            let work = pin!(copy(near, &mut far));
            tokio::select! {
                biased;
                refusal = pass.revoked() => refusal,
                refusal = unwelcome => refusal,
                moved = work => {
                    if let Err(error) = moved {
                        tracing::trace!(%error, "a connection to a relay is over");
                    }
                    return None;
                }
            }
        };
        // What waits to be sent is not sent any more.
        let _ = far.set_zero_linger();
        Some(refusal)
    }
}

async fn copy(near: OnUpgrade, far: &mut TcpStream) -> io::Result<()> {
    let upgraded = timeout(HEAD_TIMEOUT, near).await?.map_err(io::Error::other)?;
    // Every connection here is one of these.
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| io::ErrorKind::InvalidInput)?;
    far.write_all(&parts.read_buf).await?;
    copy_bidirectional_with_sizes(&mut parts.io.into_inner(), far, BUFFER, BUFFER).await?;
    Ok(())
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
