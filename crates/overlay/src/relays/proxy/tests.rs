//! The proxy between a client that speaks to it by hand and relays that send back what they get.

use std::net::SocketAddr;

use net::{Gate, Policy, Target};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;
use crate::Relay;
use crate::tests::Book;

/// Longer than anything here takes; what waits for it has failed.
const LONG: Duration = Duration::from_secs(30);

const CAROL: NodeId = NodeId([3; 32]);

/// A proxy that runs until it is dropped.
struct Running {
    gate: Gate,
    book: Arc<Book>,
    admission: Admission,
    address: SocketAddr,
    authorization: String,
    cuts: watch::Receiver<()>,
    _end: oneshot::Sender<()>,
}

async fn run(egress: Egress, relays: &[Relay]) -> Running {
    let gate = Gate::new(crate::tests::LIMITS);
    let book = Arc::<Book>::default();
    let admission = Admission::new(gate.clone(), book.clone());
    let known = KnownRelays::new(NodeId([1; 32]), relays, false);
    let proxy = Proxy::open(admission.clone(), egress, known).await.unwrap();
    let (address, authorization) = (proxy.listener.local_addr().unwrap(), proxy.way.authorization.clone());
    let (cuts, (end, ended)) = (proxy.cuts(), oneshot::channel());
    tokio::spawn(proxy.serve(async {
        let _ = ended.await;
    }));
    Running { gate, book, admission, address, authorization, cuts, _end: end }
}

/// A relay that tells who came, and sends back what it gets.
async fn echo(at: &str) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<SocketAddr>) {
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (came, coming) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, from)) = listener.accept().await {
            let _ = came.send(from);
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (address, coming)
}

impl Running {
    async fn say(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// Asks for a target with the secret.
    async fn ask(&self, target: impl std::fmt::Display) -> TcpStream {
        let secret = &self.authorization;
        self.say(&format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: {secret}\r\n\r\n")).await
    }

    async fn refused(&self, target: impl std::fmt::Display) -> u16 {
        status(&mut self.ask(target).await).await
    }
}

/// Reads a head, and returns its status.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
    };
    timeout(LONG, reading).await.expect("an answer");
    String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

async fn echoes(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut back = vec![0; text.len()];
    timeout(LONG, stream.read_exact(&mut back)).await.expect("an echo").unwrap();
    assert_eq!(back, text.as_bytes());
}

/// Waits until the other end hangs up.
async fn is_over(stream: &mut TcpStream) {
    let read = timeout(LONG, stream.read_u8()).await.expect("it hangs up");
    assert!(read.is_err());
}

fn paused(paused: bool) -> Policy {
    Policy { paused, ..Policy::default() }
}

#[tokio::test]
async fn what_a_relay_says_passes_and_holds_a_pass() {
    let (proxy, (relay, _)) = (run(Egress::default(), &[]).await, echo("127.0.0.1:0").await);
    let mut stream = proxy.ask(relay).await;
    assert_eq!(status(&mut stream).await, 200);
    echoes(&mut stream, "hello").await;
    let flows = proxy.gate.usage().flows();
    assert_eq!(
        flows.iter().map(|it| (it.asking.service, it.asking.address)).collect::<Vec<_>>(),
        [(net::RELAYING, Some(relay))]
    );
    drop(stream);
    timeout(LONG, async {
        while proxy.gate.connections() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the pass is given back");
}

#[tokio::test]
async fn who_does_not_know_the_secret_reaches_nobody() {
    let (proxy, (relay, mut came)) = (run(Egress::default(), &[]).await, echo("127.0.0.1:0").await);
    let almost = proxy.authorization[..proxy.authorization.len() - 1].to_owned();
    for header in
        [String::new(), format!("Proxy-Authorization: {almost}\r\n"), "Proxy-Authorization: Basic eDp5\r\n".into()]
    {
        for request in [
            format!("CONNECT {relay} HTTP/1.1\r\nHost: x\r\n"),
            format!("GET http://{relay}/ping HTTP/1.1\r\nHost: x\r\n"),
        ] {
            let mut stream = proxy.say(&format!("{request}{header}\r\n")).await;
            assert_eq!(status(&mut stream).await, 407);
            is_over(&mut stream).await;
        }
    }
    assert!(came.try_recv().is_err() && proxy.gate.connections() == 0);
    let mut long = proxy.say(&format!("CONNECT {relay} HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD_LEN))).await;
    assert_eq!(status(&mut long).await, 431);
}

#[tokio::test]
async fn a_block_ends_what_stands_and_refuses_what_comes() {
    let (mut proxy, (relay, mut came)) = (run(Egress::default(), &[]).await, echo("127.0.0.1:0").await);
    let mut stream = proxy.ask(relay).await;
    assert_eq!(status(&mut stream).await, 200);
    assert!(came.recv().await.is_some());
    proxy.gate.set_policy(crate::tests::block(relay.ip()));
    is_over(&mut stream).await;
    timeout(LONG, proxy.cuts.changed()).await.expect("it is told").unwrap();
    assert_eq!(proxy.refused(relay).await, 403);
    // By its name, too.
    assert_eq!(proxy.refused(format!("localhost:{}", relay.port())).await, 403);
    assert!(came.try_recv().is_err());
    proxy.gate.set_policy(Policy::default());
    assert_eq!(status(&mut proxy.ask(relay).await).await, 200);
}

#[tokio::test]
async fn the_relay_of_a_blocked_node_is_none_wherever_it_is() {
    let (relay, _came) = echo("127.0.0.1:0").await;
    let named = Relay::new(&format!("https://{relay}/"), Some(CAROL), None).unwrap();
    let proxy = run(Egress::default(), &[named]).await;
    let mut stream = proxy.ask(relay).await;
    assert_eq!(status(&mut stream).await, 200);
    let block = [Target::Node(CAROL)].into_iter().collect();
    proxy.gate.set_policy(Policy { block, ..Policy::default() });
    is_over(&mut stream).await;
    assert_eq!(proxy.refused(relay).await, 403);
    // Who is met does not matter: a relay is not.
    proxy.gate.set_policy(Policy { meet: net::Meet::Contacts, ..Policy::default() });
    assert_eq!(status(&mut proxy.ask(relay).await).await, 200);
}

#[tokio::test]
async fn a_relay_is_left_when_whoever_runs_it_is_no_longer_admitted() {
    let (relay, _came) = echo("127.0.0.1:0").await;
    let named = Relay::new(&format!("https://{relay}/"), Some(CAROL), None).unwrap();
    let proxy = run(Egress::default(), &[named]).await;
    let mut stream = proxy.ask(relay).await;
    assert_eq!(status(&mut stream).await, 200);
    proxy.admission.review();
    echoes(&mut stream, "still there").await;
    proxy.book.revoked.lock().unwrap().push(CAROL);
    proxy.admission.review();
    is_over(&mut stream).await;
    assert_eq!(proxy.refused(relay).await, 403);
}

#[tokio::test]
async fn in_a_pause_nobody_is_reached_and_who_waits_is_let_through_after_it() {
    let (proxy, (relay, mut came)) = (run(Egress::default(), &[]).await, echo("127.0.0.1:0").await);
    let mut before = proxy.ask(relay).await;
    assert_eq!(status(&mut before).await, 200);
    assert!(came.recv().await.is_some());
    proxy.gate.set_policy(paused(true));
    is_over(&mut before).await;
    let mut waiting = proxy.ask(relay).await;
    // It has been read by now: the one after it was answered.
    assert_eq!(status(&mut proxy.say("CONNECT x HTTP/1.1\r\n\r\n").await).await, 407);
    assert!(came.try_recv().is_err());
    proxy.gate.set_policy(paused(false));
    assert_eq!(status(&mut waiting).await, 200);
    echoes(&mut waiting, "awake").await;
}

#[tokio::test]
async fn nowhere_is_refused_at_once_and_what_does_not_answer_is_said() {
    let proxy = run(Egress::default(), &[]).await;
    assert_eq!(proxy.refused(format!("{NOWHERE}:443")).await, 403);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(proxy.refused(gone).await, 502);
    let mut posted = proxy
        .say(&format!("POST http://{gone}/ HTTP/1.1\r\nProxy-Authorization: {}\r\n\r\n", proxy.authorization))
        .await;
    assert_eq!(status(&mut posted).await, 405);
}

#[tokio::test]
async fn a_measurement_over_plain_http_passes_without_the_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere").await.unwrap();
        String::from_utf8(head).unwrap()
    });
    let proxy = run(Egress::default(), &[]).await;
    let secret = &proxy.authorization;
    let head = format!("GET http://{relay}/ping HTTP/1.1\r\nHost: {relay}\r\nProxy-Authorization: {secret}\r\n\r\n");
    let mut stream = proxy.say(&head).await;
    assert_eq!(status(&mut stream).await, 200);
    let mut body = String::new();
    timeout(LONG, stream.read_to_string(&mut body)).await.unwrap().unwrap();
    assert_eq!(body, "here");
    let heard = served.await.unwrap();
    assert!(
        heard.starts_with("GET /ping HTTP/1.1\r\n") && heard.to_lowercase().contains(&format!("host: {relay}")),
        "{heard}"
    );
    assert!(!heard.to_lowercase().contains("proxy"), "{heard}");
}

#[tokio::test]
async fn it_leaves_from_the_address_that_everything_leaves_from() {
    let egress = Egress { address: Some("127.0.0.7".parse().unwrap()), ..Egress::default() };
    let (proxy, (relay, mut came)) = (run(egress, &[]).await, echo("127.0.0.1:0").await);
    assert_eq!(status(&mut proxy.ask(relay).await).await, 200);
    assert_eq!(came.recv().await.unwrap().ip().to_string(), "127.0.0.7");
    assert_eq!(proxy.refused("[2001:db8::1]:443").await, 502, "from another address it could be reached");
}

#[tokio::test]
async fn it_leaves_by_the_socks_proxy_and_asks_nobody_for_names() {
    let socks = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let egress =
        Egress { proxy: format!("socks5://{}", socks.local_addr().unwrap()).parse().ok(), ..Egress::default() };
    let proxy = run(egress, &[]).await;
    let asked = tokio::spawn(async move {
        let (mut stream, _) = socks.accept().await.unwrap();
        // RFC 1928: no authentication, then the request for an IPv4 address.
        let (mut greeting, mut request) = ([0; 3], [0; 10]);
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        request
    });
    let mut stream = proxy.ask("192.0.2.1:443").await;
    assert_eq!(status(&mut stream).await, 200);
    echoes(&mut stream, "by the proxy").await;
    drop(stream);
    assert_eq!(asked.await.unwrap(), [5, 1, 0, 1, 192, 0, 2, 1, 1, 187]);
    assert_eq!(proxy.refused("localhost:443").await, 502);
}
