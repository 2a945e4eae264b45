//! The UDP front end: a socket, read in batches.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

use crate::proto::MAX_REQUEST_LEN;
use crate::service::Shared;

/// How many packets are answered before other tasks have their turn (arbitrary).
const BATCH: usize = 64;

/// How long to wait after an error that says nothing of a packet, so that a lasting one does not take a core (arbitrary).
const PAUSE: Duration = Duration::from_millis(100);

/// Answers packets for ever. An answer that the socket has no room for is lost, as packets are: the client asks again.
pub(crate) async fn serve(socket: UdpSocket, shared: Shared) {
    let mut buffer = [0; MAX_REQUEST_LEN];
    let mut answers: Vec<(SocketAddr, Vec<u8>)> = Vec::with_capacity(BATCH);
    loop {
        if let Err(error) = socket.readable().await {
            tracing::warn!(%error, "the tracker's UDP socket fails");
            tokio::time::sleep(PAUSE).await;
        }
        let now = shared.now();
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((_, from)) if !shared.admits(from.ip()) => {}
                Ok((length, from)) => {
                    let answer = shared.core().udp(now, from, &buffer[..length]);
                    answers.extend(answer.map(|answer| (from, answer)));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // What an earlier answer came back with, such as "nobody listens there": no reason to stop.
                Err(_) => {}
            }
        }
        for (to, answer) in answers.drain(..) {
            if let Err(error) = socket.try_send_to(&answer, to) {
                tracing::trace!(%to, %error, "an answer of the tracker is lost");
            }
        }
        tokio::task::yield_now().await;
    }
}
