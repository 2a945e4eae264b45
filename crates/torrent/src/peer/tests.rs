//! A peer task between a plain socket and a hand-held torrent.

use super::*;
use crate::haves::Haves;
use crate::queue::{Receiver, queue};
use crate::report::{ORDER_QUEUE, REPORT_QUEUE};
use metainfo::PieceIndex;
use net::{Limiter, Stream};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use torrent_proto::wire;

struct Bench {
    /// The remote end.
    remote: TcpStream,
    orders: mpsc::Sender<Order>,
    reports: Receiver<Report>,
    haves: Arc<Haves>,
    pool: Pool,
    task: JoinHandle<End>,
}

async fn bench(prepare: impl FnOnce(&mpsc::Sender<Order>, &Arc<Haves>)) -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (remote, local) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
    let (orders, order_queue) = mpsc::channel(ORDER_QUEUE);
    let (report_sender, reports) = queue(REPORT_QUEUE);
    let haves = Haves::new();
    let pool = Pool::new(1 << 20);
    let limiter = Limiter::new(None, None);
    let task = PeerTask::new(PeerParts {
        key: PeerKey(1),
        stream: Channel::from(Stream::tcp(local.unwrap().0)),
        reports: report_sender,
        orders: order_queue,
        haves: haves.cursor(),
        storage: StorageSlot::default(),
        pool: pool.clone(),
        down: Meter::new([&limiter.down], None),
        up: Meter::new([&limiter.up], None),
    });
    prepare(&orders, &haves);
    let task = tokio::spawn(task.run());
    Bench { remote: remote.unwrap(), orders, reports, haves, pool, task }
}

async fn read_messages(remote: &mut TcpStream, count: usize) -> Vec<Message> {
    let (mut bytes, mut messages) = (Vec::new(), Vec::new());
    while messages.len() < count {
        while let Some(length) = wire::split_frame(&bytes).unwrap() {
            let rest = bytes.split_off(length);
            messages.push(wire::decode(Bytes::from(std::mem::replace(&mut bytes, rest))).unwrap());
        }
        if messages.len() < count {
            assert!(remote.read_buf(&mut bytes).await.unwrap() > 0, "the connection ended early");
        }
    }
    messages
}

#[tokio::test]
async fn haves_do_not_overtake_the_greeting() {
    let mut bench = bench(|orders, haves| {
        orders.try_send(Order::Send(vec![Message::HaveNone])).unwrap();
        haves.extend(&mut vec![PieceIndex(7)]);
    })
    .await;
    assert_eq!(read_messages(&mut bench.remote, 2).await, [Message::HaveNone, Message::Have(PieceIndex(7))]);
    bench.haves.extend(&mut vec![PieceIndex(8)]);
    assert_eq!(read_messages(&mut bench.remote, 1).await, [Message::Have(PieceIndex(8))]);
}

#[tokio::test]
async fn while_the_torrent_is_busy_it_writes_and_does_not_read() {
    let mut bench = bench(|_, _| {}).await;
    let have: Vec<u8> = {
        let mut bytes = Vec::new();
        wire::encode(&Message::Have(PieceIndex(1)), &ExtensionIds::default(), &mut bytes);
        bytes
    };
    // Each write is a read of its own: far more than the queue holds.
    for _ in 0..REPORT_QUEUE + 20 {
        bench.remote.write_all(&have).await.unwrap();
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.orders.send(Order::Send(vec![Message::Unchoke])).await.unwrap();
    assert_eq!(read_messages(&mut bench.remote, 1).await, [Message::Unchoke]);
    let mut heard = 0;
    while heard < REPORT_QUEUE + 20 {
        match bench.reports.recv().await.unwrap() {
            Report::Received { messages, .. } => heard += messages.len(),
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_came_before_the_end_is_reported_and_every_buffer_returns() {
    let mut bench = bench(|_, _| {}).await;
    let mut bytes = Vec::new();
    for n in 0..40 {
        let data = Bytes::from(vec![n as u8; 16384]);
        let message = Message::Piece { piece: PieceIndex(n), offset: 0, data };
        wire::encode(&message, &ExtensionIds::default(), &mut bytes);
    }
    // The last one is cut short.
    bytes.truncate(bytes.len() - 100);
    let mut remote = bench.remote;
    tokio::spawn(async move {
        remote.write_all(&bytes).await.unwrap();
        remote.shutdown().await.unwrap();
        // Kept open until everything was read.
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let mut pieces = 0;
    while let Some(report) = bench.reports.recv().await {
        match report {
            Report::Received { messages, .. } => pieces += messages.len(),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(pieces, 39);
    assert!(matches!(bench.task.await.unwrap(), End::Closed));
    assert_eq!(bench.pool.in_use(), 0);
}

#[tokio::test]
async fn a_block_that_cannot_be_read_is_reported() {
    let mut bench = bench(|_, _| {}).await;
    let block = Block { piece: PieceIndex(0), offset: 0, length: 16384 };
    bench.orders.send(Order::Upload(vec![block])).await.unwrap();
    match bench.reports.recv().await.unwrap() {
        Report::UploadFailed { blocks, .. } => assert_eq!(blocks, [block]),
        other => panic!("unexpected {other:?}"),
    }
    drop(bench.orders);
    assert!(matches!(bench.task.await.unwrap(), End::Dropped));
}
