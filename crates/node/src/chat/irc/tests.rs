//! Alice has a node and two IRC clients at it.

use std::time::Duration;

use people::proto::{Name, Phrase};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::*;
use crate::{Home, Keys, Node, Options, Origin};

/// How long something that has to happen may take on a busy computer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Listens at any port, or nowhere.
fn settings(on: bool) -> String {
    format!("[overlay]\nlisten = [\"127.0.0.1:0\"]\npublish = false\n[chat.irc]\non = {on}\nlisten = \"127.0.0.1:0\"\n")
}

struct Alice {
    home: tempfile::TempDir,
    node: Node,
}

impl Alice {
    async fn start() -> Alice {
        // An error means that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), settings(true)).unwrap();
        let home = Home::open(Some(folder.path())).unwrap();
        let lock = home.lock().unwrap().unwrap();
        let phrase: Phrase = Keys::of(&home).draw_phrase().unwrap();
        let names = (&Name::new("Alice").unwrap(), &Name::new("laptop").unwrap());
        crate::settle(&home, &lock, &phrase, Origin::Drawn, names, None).await.unwrap();
        let node = Node::start(home, lock, Options::on_loopback()).await.unwrap();
        node.groups().unwrap().create(&Name::new("Tea").unwrap(), people::proto::group::Kind::Private).await.unwrap();
        Alice { home: folder, node }
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.home.path().join("token")).unwrap().trim().to_owned()
    }

    fn state(&self) -> IrcState {
        self.node.irc().unwrap().state()
    }

    async fn until(&self, what: &str, holds: impl Fn(IrcState) -> bool) {
        let wait = async {
            while !holds(self.state()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{what}: {:?}", self.state());
    }

    async fn client(&self) -> Client {
        self.until("it listens", |state| state.listens.is_some()).await;
        let socket = TcpStream::connect(self.state().listens.unwrap()).await.unwrap();
        let (reader, writer) = socket.into_split();
        Client { lines: BufReader::new(reader), writer }
    }

    async fn comes_in(&self) -> Client {
        let mut client = self.client().await;
        client.says(&format!("PASS {}\r\nNICK x\r\nUSER x 0 * :x\r\n", self.token())).await;
        client.hears(" 376 ").await;
        client
    }
}

struct Client {
    lines: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    async fn says(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads up to a line that has these words, and returns it.
    async fn hears(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let read = timeout(PATIENCE, self.lines.read_line(&mut line)).await.expect(words).unwrap();
            assert!(read > 0, "the connection ended without {words:?}");
            if line.contains(words) {
                return line;
            }
        }
    }

    async fn is_over(&mut self) -> bool {
        let mut line = String::new();
        matches!(timeout(PATIENCE, self.lines.read_line(&mut line)).await, Ok(Ok(0)))
    }
}

#[tokio::test]
async fn what_one_client_says_the_other_hears_and_the_history_keeps() {
    let alice = Alice::start().await;
    let (mut one, mut other) = (alice.comes_in().await, alice.comes_in().await);
    one.hears(" 366 Alice #Tea ").await;
    other.hears(" 366 Alice #Tea ").await;
    one.says("PRIVMSG #tea :hello\r\nPING done\r\n").await;
    assert!(other.hears("PRIVMSG #Tea :hello").await.starts_with(":Alice!person@"));
    // The one knows what it said.
    one.hears("PONG irc.compeer done").await;
    other.says("CHATHISTORY LATEST #Tea * 5\r\n").await;
    other.hears("PRIVMSG #Tea :[20").await;
    alice.until("both are counted", |state| state.clients == 2).await;
    drop(one);
    alice.until("one went", |state| state.clients == 1).await;
    alice.node.shutdown().await;
    other.hears("ERROR :Closing link").await;
    assert!(other.is_over().await);
}

#[tokio::test]
async fn who_does_not_show_the_token_is_sent_away() {
    let alice = Alice::start().await;
    let mut client = alice.client().await;
    client.says("PASS 0000\r\nNICK x\r\nUSER x 0 * :x\r\n").await;
    client.hears(" 464 x ").await;
    client.hears("ERROR :Closing link").await;
    assert!(client.is_over().await);
    alice.node.shutdown().await;
}

#[tokio::test]
async fn the_settings_are_followed_while_the_node_runs() {
    let alice = Alice::start().await;
    let mut client = alice.comes_in().await;
    let address = alice.state().listens.unwrap();
    std::fs::write(alice.home.path().join("config.toml"), settings(false)).unwrap();
    client.hears("ERROR :Closing link: the gateway is switched off").await;
    assert!(client.is_over().await);
    alice.until("it listens no more", |state| state == IrcState::default()).await;
    assert!(TcpStream::connect(address).await.is_err());

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("127.0.0.1:{}", taken.local_addr().unwrap().port());
    let moved =
        settings(true).replace("on = true\nlisten = \"127.0.0.1:0\"", &format!("on = true\nlisten = \"{there}\""));
    std::fs::write(alice.home.path().join("config.toml"), moved).unwrap();
    alice.until("it says why not", |state| state.failure.is_some_and(|why| why.starts_with(&there))).await;
    drop(taken);
    alice.comes_in().await;
    alice.node.shutdown().await;
}
