//! uTP (BEP 29) on the shared sockets: streams, and the part of the UDP task that serves them.
//!
//! The endpoint with all connections lies behind one lock, which the task takes for a batch of datagrams and a stream
//! for one read or write; nothing is awaited under it. A stream that changed something kicks the task, which then sends
//! for all streams at once. Who is slow to read: its receive window closes, and the remote end stops.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use base::{Instant, Now};
use tokio::sync::mpsc;
use utp::{Config, Endpoint, Event, Input, Key, StreamError};

use super::outbox::Outbox;
use super::sockets::Sockets;
use crate::Clock;

/// How many connections may wait to be accepted; one more is reset. As many as there are handshakes at a time.
const BACKLOG: usize = 64;

/// How many system calls send before the other inputs have their turn, each with up to 64 KiB. Arbitrary.
const MAX_SENDS: usize = 32;

/// Which half of a stream is waited for.
#[derive(Clone, Copy, Debug)]
enum Half {
    Read,
    Write,
}

/// What a stream waits for. The flags say that the next call may succeed.
#[derive(Debug)]
struct Waits {
    connected: bool,
    failed: Option<StreamError>,
    readable: bool,
    writable: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Waits {
    fn new(connected: bool) -> Waits {
        Waits { connected, failed: None, readable: true, writable: true, reader: None, writer: None }
    }

    fn wake(&mut self) {
        (self.readable, self.writable) = (true, true);
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

#[derive(Debug)]
struct State {
    endpoint: Endpoint,
    streams: HashMap<Key, Waits>,
    /// A stream changed something since the task last sent.
    kicked: bool,
    /// The task, while it waits to be kicked.
    task: Option<Waker>,
    /// Who waits for all connections to be over.
    last: Option<Waker>,
    /// The task is gone.
    ended: bool,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    local: (Option<SocketAddr>, Option<SocketAddr>),
    state: Mutex<State>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The endpoint keeps its order across a panic elsewhere; a panic in it is a bug that ends the task.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that may leave datagrams to be sent, or timers to be set.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = work(&mut state);
        self.kick(state);
        result
    }

    /// Unlocks, and has the task look.
    fn kick(&self, mut state: MutexGuard<'_, State>) {
        state.kicked = true;
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Opens uTP connections. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Utp(Arc<Shared>);

impl Utp {
    /// Connects. Dropping the future gives the attempt up.
    pub(crate) async fn connect(&self, to: SocketAddr) -> io::Result<UtpStream> {
        let has_family = if to.is_ipv4() { self.0.local.0.is_some() } else { self.0.local.1.is_some() };
        if !has_family {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let now = self.0.clock.now();
        let key = self.0.with(|state| {
            let key = state.endpoint.connect(now, to).filter(|_| !state.ended)?;
            state.streams.insert(key, Waits::new(false));
            Some(key)
        });
        let key = key.ok_or_else(|| io::Error::other("too many uTP connections"))?;
        let stream = UtpStream { shared: self.0.clone(), key, remote: to };
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
    }

    /// Takes no more connections, and returns when those that stand were closed and told so.
    pub(crate) async fn finish(&self) {
        self.0.with(|state| state.endpoint.set_accept(false));
        poll_fn(|cx| {
            let mut state = self.0.lock();
            let counts = state.endpoint.counts();
            if state.ended || counts.open + counts.closing == 0 {
                return Poll::Ready(());
            }
            state.last = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A uTP connection. Dropping it closes it: what was written is still delivered.
#[derive(Debug)]
pub struct UtpStream {
    shared: Arc<Shared>,
    key: Key,
    remote: SocketAddr,
}

impl UtpStream {
    /// Returns this end's address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let (v4, v6) = self.shared.local;
        (if self.remote.is_ipv4() { v4 } else { v6 }).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Returns the remote end's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.remote
    }

    /// See [`crate::Stream::try_read`].
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.attempt(Half::Read, None, |clock, endpoint| endpoint.read(clock.now(), self.key, bytes))
    }

    /// See [`crate::Stream::try_write_vectored`].
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.attempt(Half::Write, None, |clock, endpoint| endpoint.write(clock.now(), self.key, slices))
    }

    /// See [`crate::Stream::readable`].
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(Half::Read, cx)).await
    }

    /// See [`crate::Stream::writable`].
    pub async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_ready(Half::Write, cx)).await
    }

    /// Reads; waits when there is nothing.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        blocked_is_pending(self.attempt(Half::Read, Some(cx), |c, endpoint| endpoint.read(c.now(), self.key, bytes)))
    }

    /// Writes; waits when there is no room.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let slices = [IoSlice::new(bytes)];
        blocked_is_pending(
            self.attempt(Half::Write, Some(cx), |c, endpoint| endpoint.write(c.now(), self.key, &slices)),
        )
    }

    /// Ends our half of the stream.
    pub(crate) fn shutdown(&self) {
        let now = self.shared.clock.now();
        self.shared.with(|state| state.endpoint.shutdown(now, self.key));
    }

    /// Reads or writes, and notes when that would block; then wakes `cx` later.
    fn attempt(
        &self,
        half: Half,
        cx: Option<&mut Context<'_>>,
        work: impl FnOnce(Clock, &mut Endpoint) -> Result<usize, StreamError>,
    ) -> io::Result<usize> {
        let mut state = self.shared.lock();
        if state.ended {
            return Err(io::ErrorKind::NotConnected.into());
        }
        match work(self.shared.clock, &mut state.endpoint) {
            Ok(count) => {
                // The task need not be woken twice.
                if state.endpoint.is_transmit_due() && !state.kicked {
                    self.shared.kick(state);
                }
                Ok(count)
            }
            Err(StreamError::WouldBlock) => {
                if let Some(waits) = state.streams.get_mut(&self.key) {
                    let (flag, waker) = half.of(waits);
                    *flag = false;
                    if let Some(cx) = cx {
                        *waker = Some(cx.waker().clone());
                    }
                }
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) => Err(to_io(error)),
        }
    }

    fn poll_ready(&self, half: Half, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let ended = state.ended;
        // The entry lasts as long as the stream.
        let Some(waits) = state.streams.get_mut(&self.key) else { return Poll::Ready(Ok(())) };
        let (flag, waker) = half.of(waits);
        if *flag || ended {
            return Poll::Ready(Ok(()));
        }
        match waker {
            Some(known) if known.will_wake(cx.waker()) => {}
            other => *other = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let ended = state.ended;
        let Some(waits) = state.streams.get_mut(&self.key).filter(|_| !ended) else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        match waits.failed {
            _ if waits.connected => Poll::Ready(Ok(())),
            Some(error) => Poll::Ready(Err(to_io(error))),
            None => {
                waits.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for UtpStream {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        self.shared.with(|state| match state.streams.remove(&self.key) {
            Some(waits) if waits.connected => state.endpoint.close(now, self.key),
            _ => state.endpoint.reset(now, self.key),
        });
    }
}

impl Half {
    fn of(self, waits: &mut Waits) -> (&mut bool, &mut Option<Waker>) {
        match self {
            Half::Read => (&mut waits.readable, &mut waits.reader),
            Half::Write => (&mut waits.writable, &mut waits.writer),
        }
    }
}

fn blocked_is_pending(outcome: io::Result<usize>) -> Poll<io::Result<usize>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

fn to_io(error: StreamError) -> io::Error {
    let kind = match error {
        StreamError::WouldBlock => io::ErrorKind::WouldBlock,
        StreamError::TimedOut => io::ErrorKind::TimedOut,
        StreamError::Reset => io::ErrorKind::ConnectionReset,
        StreamError::Closed => io::ErrorKind::NotConnected,
    };
    io::Error::new(kind, error)
}

/// What the UDP task keeps for uTP.
#[derive(Debug)]
pub(super) struct UtpPart {
    shared: Arc<Shared>,
    incoming: mpsc::Sender<UtpStream>,
}

impl UtpPart {
    /// Builds the part, its handle and the queue of connections from outside.
    pub(super) fn new(
        config: Config,
        sockets: &Sockets,
        clock: Clock,
        seed: u64,
    ) -> (UtpPart, Utp, mpsc::Receiver<UtpStream>) {
        let endpoint = Endpoint::new(config, fastrand::Rng::with_seed(seed));
        let (streams, kicked, task, last, ended) = Default::default();
        let state = Mutex::new(State { endpoint, streams, kicked, task, last, ended });
        let shared = Arc::new(Shared { clock, local: sockets.local_addrs(), state });
        let (incoming, queue) = mpsc::channel(BACKLOG);
        (UtpPart { shared: shared.clone(), incoming }, Utp(shared), queue)
    }

    /// Waits until a stream changed something. Cancel safe.
    pub(super) async fn kicked(&self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if std::mem::take(&mut state.kicked) {
                return Poll::Ready(());
            }
            match &state.task {
                Some(known) if known.will_wake(cx.waker()) => {}
                _ => state.task = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .await;
    }

    /// Locks once for what came together.
    pub(super) fn receiver(&self) -> Receiver<'_> {
        Receiver(self.shared.lock())
    }

    /// Returns when [`UtpPart::time_passed`] is to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.shared.lock().endpoint.poll_timeout()
    }

    /// Says that time has passed.
    pub(super) fn time_passed(&self) {
        let now = self.shared.clock.now();
        self.shared.lock().endpoint.handle(now, Input::Timeout);
    }

    /// Wakes those for whom something happened; returns whether anybody was.
    pub(super) fn tell(&self) -> bool {
        let mut accepted = Vec::new();
        let mut any = false;
        let mut state = self.shared.lock();
        while let Some(event) = state.endpoint.poll_event() {
            any = true;
            let key = match event {
                Event::Incoming { key, from } => {
                    state.streams.insert(key, Waits::new(true));
                    accepted.push(UtpStream { shared: self.shared.clone(), key, remote: from });
                    continue;
                }
                Event::Connected(key) | Event::Readable(key) | Event::Writable(key) | Event::Failed { key, .. } => key,
            };
            // A stream that was dropped meanwhile waits for nothing.
            let Some(waits) = state.streams.get_mut(&key) else { continue };
            match event {
                Event::Readable(_) => {
                    waits.readable = true;
                    waits.reader.take().into_iter().for_each(Waker::wake);
                }
                Event::Writable(_) => {
                    waits.writable = true;
                    waits.writer.take().into_iter().for_each(Waker::wake);
                }
                Event::Failed { error, .. } => {
                    waits.failed = Some(error);
                    waits.wake();
                }
                Event::Connected(_) | Event::Incoming { .. } => {
                    waits.connected = true;
                    waits.wake();
                }
            }
        }
        drop(state);
        for stream in accepted {
            let from = stream.remote;
            if let Err(error) = self.incoming.try_send(stream) {
                tracing::debug!(%from, %error, "no room for one more uTP connection");
            }
        }
        any
    }

    /// Sends what the endpoint has to send, until a socket is full or it is the others' turn.
    pub(super) fn transmit(&self, sockets: &mut Sockets, outbox: &mut Outbox) {
        let now = self.shared.clock.now();
        let most = sockets.most_segments();
        let mut refused = Vec::new();
        let mut state = self.shared.lock();
        state.kicked = false;
        let mut calls = 0;
        while outbox.is_empty() && outbox.fill(|bytes| state.endpoint.poll_transmit(now, most, bytes)) {
            outbox.flush(sockets, |to, length| refused.push((to, length)));
            for (to, length) in refused.drain(..) {
                state.endpoint.handle(now, Input::TooLarge { to, length });
            }
            calls += 1;
            if calls == MAX_SENDS {
                state.kicked = true;
                break;
            }
        }
        let counts = state.endpoint.counts();
        if counts.open + counts.closing == 0
            && let Some(last) = state.last.take()
        {
            last.wake();
        }
    }
}

/// Takes datagrams; see [`UtpPart::receiver`].
pub(super) struct Receiver<'a>(MutexGuard<'a, State>);

impl Receiver<'_> {
    /// Takes datagrams of one sender, each `stride` bytes long but for the last.
    pub(super) fn received(&mut self, now: Now, from: SocketAddr, data: &[u8], stride: usize) {
        self.0.endpoint.handle(now, Input::Received { from, data, stride });
    }
}

impl Drop for UtpPart {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.streams.values_mut().for_each(Waits::wake);
        if let Some(last) = state.last.take() {
            last.wake();
        }
    }
}

#[cfg(test)]
mod tests;
