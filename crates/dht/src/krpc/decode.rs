//! The decoder. Lenient where programs differ (an unknown key, an unknown method, a list that is too long), strict
//! where meaning would be guessed.

use core::net::SocketAddr;

use metainfo::bencode::{self, Dict, Value};

use super::{
    Body, MAX_NODES, MAX_PACKET_IN, MAX_SAMPLES, MAX_TOKEN, MAX_TRANSACTION, MAX_VALUES, MAX_VERSION, Message, Method,
    Query, Response, Signed, Want,
};
use crate::Id;
use crate::bloom::Bloom;
use crate::snapshot::{read_address, read_compact_v4, read_compact_v6};

/// Reads a packet. `None`: nothing that could be answered.
pub(crate) fn decode(packet: &[u8]) -> Option<Message<'_>> {
    if packet.len() > MAX_PACKET_IN || packet.first() != Some(&b'd') {
        return None;
    }
    // What follows the dictionary is ignored: some programs pad their packets.
    let (value, _) = bencode::decode_prefix(packet).ok()?;
    let Value::Dict(dict) = value else { return None };
    let transaction = dict.bytes(b"t")?;
    if transaction.len() > MAX_TRANSACTION {
        return None;
    }
    let body = match dict.bytes(b"y")? {
        b"q" => query(&dict).map_or_else(Body::Malformed, Body::Query),
        b"r" => Body::Response(Box::new(response(dict.get(b"r")?.as_dict()?))),
        b"e" => {
            let list = dict.get(b"e")?.as_list()?;
            let code = list.first()?.as_int()?;
            Body::Error { code, message: list.get(1).and_then(Value::as_bytes).unwrap_or_default() }
        }
        _ => return None,
    };
    let version = dict.bytes(b"v").unwrap_or_default();
    let ip = dict.bytes(b"ip").and_then(read_address);
    Some(Message { transaction, version: &version[..version.len().min(MAX_VERSION)], ip, body })
}

fn query<'a>(dict: &Dict<'a>) -> Result<Query<'a>, &'static str> {
    let name = dict.bytes(b"q").ok_or("a query has no name")?;
    let Some(Value::Dict(arguments)) = dict.get(b"a") else { return Err("a query has no arguments") };
    let id = |key: &[u8], missing| arguments.bytes(key).and_then(Id::from_slice).ok_or(missing);
    let flag = |key: &[u8]| arguments.int(key).is_some_and(|flag| flag != 0);
    let token = || arguments.bytes(b"token").filter(|token| token.len() <= MAX_TOKEN).ok_or("no token");
    let target = || id(b"target", "no target of 20 bytes");
    let info_hash = || id(b"info_hash", "no info_hash of 20 bytes");
    let method = match name {
        b"ping" => Method::Ping,
        b"find_node" => Method::FindNode { target: target()? },
        b"get_peers" => Method::GetPeers { info_hash: info_hash()?, no_seed: flag(b"noseed"), scrape: flag(b"scrape") },
        b"announce_peer" => {
            let port = arguments.int(b"port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
            let implied_port = flag(b"implied_port");
            if port == 0 && !implied_port {
                return Err("no port");
            }
            Method::AnnouncePeer { info_hash: info_hash()?, port, implied_port, seed: flag(b"seed"), token: token()? }
        }
        b"get" => Method::Get { target: target()?, seq: arguments.int(b"seq") },
        b"put" => {
            let value = arguments.raw(b"v").ok_or("no value")?;
            Method::Put { token: token()?, value, signed: signed(arguments)? }
        }
        b"sample_infohashes" => Method::Sample { target: target()? },
        // As libtorrent does: a method of the future that names a key is answered with nodes near it.
        _ => Method::FindNode { target: target().or_else(|_| info_hash()).map_err(|_| "unknown method")? },
    };
    let want = arguments.get(b"want").and_then(Value::as_list).unwrap_or_default();
    let wants = |family: &[u8]| want.iter().any(|word| word.as_bytes() == Some(family));
    Ok(Query {
        id: id(b"id", "no id of 20 bytes")?,
        read_only: dict.int(b"ro") == Some(1),
        want: Want { v4: wants(b"n4"), v6: wants(b"n6") },
        method,
    })
}

fn signed<'a>(arguments: &Dict<'a>) -> Result<Option<Signed<'a>>, &'static str> {
    let Some(key) = arguments.bytes(b"k") else { return Ok(None) };
    let key = key.try_into().map_err(|_| "a key is not 32 bytes")?;
    let signature = arguments.bytes(b"sig").and_then(|sig| sig.try_into().ok()).ok_or("no signature of 64 bytes")?;
    let seq = arguments.int(b"seq").ok_or("no sequence number")?;
    let salt = arguments.bytes(b"salt").unwrap_or_default();
    Ok(Some(Signed { key, signature, seq, salt, cas: arguments.int(b"cas") }))
}

fn response<'a>(dict: &Dict<'a>) -> Response<'a> {
    let mut response = Response {
        id: dict.bytes(b"id").and_then(Id::from_slice),
        values: values(dict),
        token: dict.bytes(b"token").filter(|token| token.len() <= MAX_TOKEN),
        blooms: blooms(dict),
        value: dict.raw(b"v"),
        key: dict.bytes(b"k").and_then(|key| key.try_into().ok()),
        signature: dict.bytes(b"sig").and_then(|signature| signature.try_into().ok()),
        seq: dict.int(b"seq"),
        samples: dict
            .bytes(b"samples")
            .map(|samples| samples.as_chunks::<20>().0.iter().take(MAX_SAMPLES).map(|&hash| Id(hash)).collect()),
        num: dict.int(b"num").and_then(|num| num.try_into().ok()),
        interval: dict.int(b"interval").and_then(|interval| interval.try_into().ok()),
        ..Response::default()
    };
    read_compact_v4(dict.bytes(b"nodes").unwrap_or_default(), MAX_NODES, &mut response.nodes);
    read_compact_v6(dict.bytes(b"nodes6").unwrap_or_default(), MAX_NODES, &mut response.nodes6);
    response
}

fn values(dict: &Dict<'_>) -> Vec<SocketAddr> {
    let list = dict.get(b"values").and_then(Value::as_list).unwrap_or_default();
    list.iter().take(MAX_VALUES).filter_map(|value| read_address(value.as_bytes()?)).collect()
}

fn blooms(dict: &Dict<'_>) -> Option<Box<(Bloom, Bloom)>> {
    let bloom = |key: &[u8]| dict.bytes(key).and_then(Bloom::from_slice);
    Some(Box::new((bloom(b"BFsd")?, bloom(b"BFpe")?)))
}
