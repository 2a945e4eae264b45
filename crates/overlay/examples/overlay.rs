//! A node of the overlay alone, driven by lines of JSON, for tests with other programs and in networks of their own.
//!
//! `overlay '{"seed": 7, "bind": ["0.0.0.0:0"], "dht": "127.0.0.2:0", "known": ["127.0.0.1:6881"], "publish": true}'`
//! answers each line of its input with one of its output:
//! `{"do": "resolve", "node": …}`, `{"do": "ping", "node": …, "hints": […], "times": 3}`, `{"do": "connections"}`,
//! `{"do": "status"}`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::NodeId;
use net::{Clock, DhtConfig, Gate, GateLimits, Udp, UdpConfig};
use overlay::relay::{RelayAccess, RelayLimits, RelayServer, RelaySettings};
use overlay::{EmptyDirectory, Hint, Overlay, Relay, Relays, Settings, Way};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let settings: Value = serde_json::from_str(&std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned()))?;
    let udp = match settings["dht"].as_str() {
        Some(address) => Some(dht(address.parse()?, &parse::<SocketAddr>(&settings["known"])?)?),
        None => None,
    };
    let seed = settings["seed"].as_u64().unwrap_or(1) as u8;
    let overlay = Overlay::start(
        Settings {
            secret: [seed; 32],
            bind: parse(&settings["bind"])?,
            egress: net::Egress::default(),
            relays: Relays { known: parse(&settings["relays"])?, public: false },
            publish: settings["publish"] == true,
            mdns: settings["mdns"] == true,
            map_port: settings["map_port"] == true,
            dht: udp.as_ref().and_then(|udp| udp.dht.clone()),
            gate: Gate::new(GateLimits { connections: 100, per_torrent: 100, per_address: 100, per_person: 100 }),
            directory: Arc::new(EmptyDirectory),
        },
        Vec::new(),
    )
    .await?;
    let relay = match settings["offer_relay"].as_str() {
        Some(address) => Some(offer_relay([seed; 32], address.parse()?).await?),
        None => None,
    };
    let mut first = status(&overlay);
    first["relay"] = relay.as_ref().map(|(_, relay)| relay.to_string()).into();
    println!("{first}");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let order: Value = serde_json::from_str(&line)?;
        let answer = follow(&overlay, &order).await;
        println!("{}", answer.unwrap_or_else(|error| json!({ "error": error.to_string() })));
    }
    overlay.shut_down().await;
    Ok(())
}

async fn follow(overlay: &Overlay, order: &Value) -> Result<Value, Failure> {
    let node = || order["node"].as_str().unwrap_or_default().parse::<NodeId>();
    match order["do"].as_str().unwrap_or_default() {
        "status" => Ok(status(overlay)),
        "connections" => Ok(overlay.connections().iter().map(connection).collect()),
        "resolve" => {
            let found = overlay.resolve(node()?).await?;
            Ok(found.iter().map(|(source, hint)| json!([source, hint.to_string()])).collect())
        }
        "ping" => {
            let (hints, times) = (parse::<Hint>(&order["hints"])?, order["times"].as_u64().unwrap_or(1));
            let pause = Duration::from_millis(order["pause_ms"].as_u64().unwrap_or(200));
            let pongs = overlay.ping(node()?, &hints, times as usize, pause).await?;
            Ok(pongs.iter().map(|pong| json!({ "way": way(&pong.way), "ms": pong.took.as_millis() as u64 })).collect())
        }
        "relay" => {
            let relay = order["relay"].as_str().unwrap_or_default().parse::<Relay>()?;
            overlay.set_relays(overlay.relays().into_iter().chain([relay]).collect());
            Ok(json!({}))
        }
        other => Err(format!("what is {other:?}?").into()),
    }
}

fn status(overlay: &Overlay) -> Value {
    let hints: Vec<String> = overlay.own_hints().iter().map(Hint::to_string).collect();
    let bound: Vec<String> = overlay.bound().iter().map(SocketAddr::to_string).collect();
    json!({ "node": overlay.node().to_string(), "bound": bound, "hints": hints })
}

fn connection(info: &overlay::ConnectionInfo) -> Value {
    json!({
        "node": info.node.to_string(),
        "service": info.service,
        "way": way(&info.way),
        "rtt_ms": info.rtt.map(|rtt| rtt.as_millis() as u64),
        "sent": info.sent_bytes,
        "received": info.received_bytes,
    })
}

fn way(way: &Option<Way>) -> Value {
    match way {
        Some(Way::Direct(address)) => json!({ "direct": address.to_string() }),
        Some(Way::Relayed(relay)) => json!({ "relay": relay.to_string() }),
        None => Value::Null,
    }
}

/// Lets everybody use a relay.
struct Everybody;

impl RelayAccess for Everybody {
    fn admits(&self, _node: NodeId) -> bool {
        true
    }

    fn admits_address(&self, _address: SocketAddr) -> bool {
        true
    }
}

async fn offer_relay(secret: [u8; 32], address: SocketAddr) -> Result<(RelayServer, Relay), Failure> {
    let limits = RelayLimits { clients: 10, handshakes: 10, client_bytes_per_s: 10_000_000, bytes_per_s: 10_000_000 };
    let (egress, access) = (net::Egress::default(), Arc::new(Everybody));
    let settings = RelaySettings { secret, listen: vec![address], egress, limits, access };
    let server = RelayServer::start(settings).await?;
    let relay = server.relay_at(address).ok_or("no text names this relay")?;
    Ok((server, relay))
}

fn dht(address: SocketAddr, known: &[SocketAddr]) -> Result<Udp, Failure> {
    let udp = Udp::start(
        UdpConfig {
            egress: net::Egress::default(),
            listen: vec![address],
            utp: false,
            accept: false,
            memory_bytes: 1 << 20,
            seed: 1,
            dht: Some(DhtConfig::default()),
            gate: None,
        },
        Clock::start(),
    )?;
    if let Some(dht) = &udp.dht {
        known.iter().for_each(|&known| dht.add_node(known));
    }
    Ok(udp)
}

fn parse<T: std::str::FromStr<Err: std::error::Error + 'static>>(list: &Value) -> Result<Vec<T>, Failure> {
    let texts = list.as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().map(|text| Ok(text.as_str().unwrap_or_default().parse()?)).collect()
}
