//! The encoder: keys in order, written straight into the packet.

use core::net::SocketAddr;
use std::io::Write;

use super::{Method, Query, Response, Signed, VERSION};
use crate::snapshot::{compact_address, compact_node};
use crate::{Id, NodeAddress};

/// Writes bencode into a packet.
struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn new() -> Writer {
        let mut out = Vec::with_capacity(256);
        out.push(b'd');
        Writer { out }
    }

    fn raw(&mut self, raw: &[u8]) {
        self.out.extend_from_slice(raw);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.out, "{length}:");
    }

    fn int(&mut self, int: i64) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.out, "i{int}e");
    }

    fn key_bytes(&mut self, key: &[u8], bytes: &[u8]) {
        self.bytes(key);
        self.bytes(bytes);
    }

    fn key_int(&mut self, key: &[u8], int: i64) {
        self.bytes(key);
        self.int(int);
    }

    fn flag(&mut self, key: &[u8], set: bool) {
        if set {
            self.key_int(key, 1);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.out.push(b'e');
        self.out
    }
}

/// Writes a query.
pub(crate) fn encode_query(transaction: &[u8], query: &Query<'_>) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(b"1:a");
    arguments(&mut w, query);
    w.raw(b"1:q");
    w.bytes(name(&query.method));
    w.flag(b"ro", query.read_only);
    w.key_bytes(b"t", transaction);
    w.key_bytes(b"v", &VERSION);
    w.raw(b"1:y1:q");
    w.finish()
}

/// Writes an answer; `to`: whom, who learns thereby how we see its address (BEP 42).
pub(crate) fn encode_response(transaction: &[u8], to: Option<SocketAddr>, response: &Response<'_>) -> Vec<u8> {
    let mut w = Writer::new();
    if let Some(to) = to {
        w.key_bytes(b"ip", &compact_address(to));
    }
    w.raw(b"1:r");
    results(&mut w, response);
    w.key_bytes(b"t", transaction);
    w.key_bytes(b"v", &VERSION);
    w.raw(b"1:y1:r");
    w.finish()
}

/// Writes an error.
pub(crate) fn encode_error(transaction: &[u8], code: i64, message: &str) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(b"1:el");
    w.int(code);
    w.bytes(message.as_bytes());
    w.raw(b"e");
    w.key_bytes(b"t", transaction);
    w.key_bytes(b"v", &VERSION);
    w.raw(b"1:y1:e");
    w.finish()
}

fn name(method: &Method<'_>) -> &'static [u8] {
    match method {
        Method::Ping => b"ping",
        Method::FindNode { .. } => b"find_node",
        Method::GetPeers { .. } => b"get_peers",
        Method::AnnouncePeer { .. } => b"announce_peer",
        Method::Get { .. } => b"get",
        Method::Put { .. } => b"put",
        Method::Sample { .. } => b"sample_infohashes",
    }
}

fn arguments(w: &mut Writer, query: &Query<'_>) {
    let own = |w: &mut Writer| w.key_bytes(b"id", &query.id.0);
    w.raw(b"d");
    match &query.method {
        Method::Ping => own(w),
        Method::FindNode { target } | Method::Sample { target } => {
            own(w);
            w.key_bytes(b"target", &target.0);
        }
        Method::GetPeers { info_hash, no_seed, scrape } => {
            own(w);
            w.key_bytes(b"info_hash", &info_hash.0);
            w.flag(b"noseed", *no_seed);
            w.flag(b"scrape", *scrape);
        }
        Method::AnnouncePeer { info_hash, port, implied_port, seed, token } => {
            own(w);
            w.flag(b"implied_port", *implied_port);
            w.key_bytes(b"info_hash", &info_hash.0);
            w.key_int(b"port", i64::from(*port));
            w.flag(b"seed", *seed);
            w.key_bytes(b"token", token);
        }
        Method::Get { target, seq } => {
            own(w);
            if let Some(seq) = seq {
                w.key_int(b"seq", *seq);
            }
            w.key_bytes(b"target", &target.0);
        }
        Method::Put { token, value, signed } => put(w, &query.id, token, value, signed.as_ref()),
    }
    if query.want.v4 || query.want.v6 {
        w.raw(b"4:wantl");
        if query.want.v4 {
            w.bytes(b"n4");
        }
        if query.want.v6 {
            w.bytes(b"n6");
        }
        w.raw(b"e");
    }
    w.raw(b"e");
}

fn put(w: &mut Writer, own: &Id, token: &[u8], value: &[u8], signed: Option<&Signed<'_>>) {
    if let Some(cas) = signed.and_then(|signed| signed.cas) {
        w.key_int(b"cas", cas);
    }
    w.key_bytes(b"id", &own.0);
    if let Some(signed) = signed {
        w.key_bytes(b"k", &signed.key);
        if !signed.salt.is_empty() {
            w.key_bytes(b"salt", signed.salt);
        }
        w.key_int(b"seq", signed.seq);
        w.key_bytes(b"sig", &signed.signature);
    }
    w.key_bytes(b"token", token);
    w.bytes(b"v");
    w.raw(value);
}

fn results(w: &mut Writer, response: &Response<'_>) {
    w.raw(b"d");
    if let Some(blooms) = &response.blooms {
        w.key_bytes(b"BFpe", blooms.1.as_bytes());
        w.key_bytes(b"BFsd", blooms.0.as_bytes());
    }
    if let Some(id) = response.id {
        w.key_bytes(b"id", &id.0);
    }
    if let Some(interval) = response.interval {
        w.key_int(b"interval", i64::from(interval));
    }
    if let Some(key) = &response.key {
        w.key_bytes(b"k", key);
    }
    nodes(w, b"nodes", &response.nodes);
    nodes(w, b"nodes6", &response.nodes6);
    if let Some(num) = response.num {
        w.key_int(b"num", i64::from(num));
    }
    if let Some(samples) = &response.samples {
        w.bytes(b"samples");
        w.length(samples.len() * 20);
        samples.iter().for_each(|hash| w.raw(&hash.0));
    }
    if let Some(seq) = response.seq {
        w.key_int(b"seq", seq);
    }
    if let Some(signature) = &response.signature {
        w.key_bytes(b"sig", signature);
    }
    if let Some(token) = response.token {
        w.key_bytes(b"token", token);
    }
    if let Some(value) = response.value {
        w.bytes(b"v");
        w.raw(value);
    }
    if !response.values.is_empty() {
        w.raw(b"6:valuesl");
        response.values.iter().for_each(|&peer| w.bytes(&compact_address(peer)));
        w.raw(b"e");
    }
    w.raw(b"e");
}

fn nodes(w: &mut Writer, key: &[u8], nodes: &[NodeAddress]) {
    if let Some(first) = nodes.first() {
        w.bytes(key);
        w.length(nodes.len() * compact_node(first).len());
        nodes.iter().for_each(|node| w.raw(&compact_node(node)));
    }
}
