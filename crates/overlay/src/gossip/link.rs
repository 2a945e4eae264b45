//! A link: a stream to a neighbour, with a task that reads and one that writes.
//!
//! A frame is its length (two bytes, big endian) and as many bytes, at most [`MAX_FRAME`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::NodeId;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use gossip::Loss;
use gossip::limits::MAX_FRAME;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::driver::Arrival;
use crate::{ReadHalf, Stream, WriteHalf};

/// Streams of one node at a time: two that crossed, and two of the run before that it has not seen the end of.
pub(super) const PER_NODE: usize = 4;

/// Frames that wait to be written, and their bytes: a burst of several authors. More: the node does not read.
const MAX_QUEUED: usize = 1024;
const MAX_QUEUED_BYTES: usize = 4 << 20;

/// How long a write may take, which needs no more than some room in the windows.
const WRITE_WITHIN: Duration = if cfg!(test) { Duration::from_secs(2) } else { Duration::from_secs(10) };

/// The most bytes that are read, and that are written, at once. Many small writes cost more than one (a packet each).
const CHUNK: usize = 64 * 1024;

/// How long a stream is read on after the other of two was chosen, or the topics are through with the node.
const LINGER: Duration = Duration::from_secs(10);

/// The loop's end of a link. Dropping it ends our direction after what is queued.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: u64,
    /// Whether it is the one of two that crossed which both ends choose.
    pub(super) preferred: bool,
    pub(super) since: tokio::time::Instant,
    frames: mpsc::Sender<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
}

impl Link {
    /// Starts the tasks of a stream.
    pub(super) fn start(
        id: u64,
        node: NodeId,
        preferred: bool,
        stream: Stream,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Link {
        let (reading, writing) = stream.split();
        let (frames, queued) = mpsc::channel(MAX_QUEUED);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        tokio::spawn(run(id, node, reading, writing, queued, queued_bytes.clone(), arrivals));
        Link { id, preferred, since: tokio::time::Instant::now(), frames, queued_bytes }
    }

    /// Queues a frame. `false`: there is no room, the node does not read.
    pub(super) fn send(&self, frame: Bytes) -> bool {
        let length = frame.len();
        if self.queued_bytes.fetch_add(length, Ordering::Relaxed) + length > MAX_QUEUED_BYTES {
            return false;
        }
        // A closed queue means that the link's end is on its way to the loop.
        !matches!(self.frames.try_send(frame), Err(mpsc::error::TrySendError::Full(_)))
    }
}

/// Reads and writes until both directions have ended, or one of them is broken.
async fn run(
    link: u64,
    node: NodeId,
    reading: ReadHalf,
    writing: WriteHalf,
    queued: mpsc::Receiver<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
    arrivals: mpsc::Sender<Arrival>,
) {
    let mut write = std::pin::pin!(write(writing, queued, &queued_bytes));
    let mut read = std::pin::pin!(read(node, reading, &arrivals));
    let (loss, writes_on) = tokio::select! {
        loss = &mut read => (loss, loss == Loss::Gone),
        // The loop is through with it, or the node did not read.
        written = &mut write => match written {
            Ok(()) => (timeout(LINGER, read).await.unwrap_or(Loss::Gone), false),
            Err(loss) => (loss, false),
        },
    };
    // Fails after the loop has ended.
    let _ = arrivals.send(Arrival::Ended { node, link, loss }).await;
    if writes_on {
        // The other end writes no more; what is queued may still interest it. The loop drops its end by now.
        let _ = timeout(LINGER, write).await;
    }
}

async fn write(
    mut stream: WriteHalf,
    mut queued: mpsc::Receiver<Bytes>,
    queued_bytes: &AtomicUsize,
) -> Result<(), Loss> {
    let mut out = BytesMut::new();
    while let Some(frame) = queued.recv().await {
        put(&mut out, &frame, queued_bytes);
        while out.len() < CHUNK
            && let Ok(frame) = queued.try_recv()
        {
            put(&mut out, &frame, queued_bytes);
        }
        while out.has_remaining() {
            match timeout(WRITE_WITHIN, stream.write_buf(&mut out)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return Err(Loss::Gone),
                Err(_) => return Err(Loss::Stuck),
            }
        }
        out.clear();
    }
    timeout(WRITE_WITHIN, stream.shutdown()).await.map_err(|_| Loss::Stuck)?.map_err(|_| Loss::Gone)
}

fn put(out: &mut BytesMut, frame: &Bytes, queued_bytes: &AtomicUsize) {
    queued_bytes.fetch_sub(frame.len(), Ordering::Relaxed);
    // The machine makes no longer frames, and 64 KiB are above them.
    debug_assert!(frame.len() <= MAX_FRAME, "a frame of {} bytes", frame.len());
    out.put_u16(u16::try_from(frame.len()).unwrap_or(u16::MAX));
    out.put_slice(&frame[..frame.len().min(usize::from(u16::MAX))]);
}

/// Hands frames to the loop, as many as one read brought. Ends with the stream.
async fn read(node: NodeId, mut stream: ReadHalf, arrivals: &mpsc::Sender<Arrival>) -> Loss {
    let mut buffer = BytesMut::new();
    loop {
        let Ok(Some(chunk)) = stream.read_chunk(CHUNK).await else { return Loss::Gone };
        buffer.put(chunk);
        let Some(frames) = cut(&mut buffer) else {
            tracing::debug!(?node, "a frame of gossip is too long");
            return Loss::Stuck;
        };
        if !frames.is_empty() && arrivals.send(Arrival::Frames { node, frames }).await.is_err() {
            return Loss::Gone;
        }
    }
}

/// Takes the whole frames off the front. `None`: one is too long.
fn cut(buffer: &mut BytesMut) -> Option<Vec<Bytes>> {
    let mut frames = Vec::new();
    while let Some(length) = buffer.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length))) {
        if length > MAX_FRAME {
            return None;
        }
        if buffer.len() < 2 + length {
            break;
        }
        buffer.advance(2);
        frames.push(buffer.split_to(length).freeze());
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_at_every_split() {
        let mut stream = BytesMut::new();
        let counted = AtomicUsize::new(0);
        for length in [0, 1, 300, MAX_FRAME] {
            put(&mut stream, &vec![7; length].into(), &counted);
        }
        let whole = stream.freeze();
        for split in 0..whole.len() {
            let mut buffer = BytesMut::from(&whole[..split]);
            let mut frames = cut(&mut buffer).unwrap();
            buffer.put_slice(&whole[split..]);
            frames.extend(cut(&mut buffer).unwrap());
            assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), [0, 1, 300, MAX_FRAME], "{split}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let length = u16::try_from(MAX_FRAME + 1).unwrap();
        assert_eq!(cut(&mut BytesMut::from(&length.to_be_bytes()[..])), None);
    }
}
