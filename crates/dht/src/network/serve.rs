//! Answers to the queries of others.
//!
//! No answer makes us a weapon: to an address that has not shown that it is its own, answer and anything else that the
//! query brings about are at most four times as long as the query. An address shows it by a token or by answering a query
//! of ours; who asks for something long is asked first, and gets it then.

use core::net::SocketAddr;
use std::collections::VecDeque;

use base::Instant;
use bytes::Bytes;

use super::Network;
use super::rpc::{Deferred, Purpose};
use crate::krpc::{self, MAX_PACKET_OUT, Method, Query, Response, Signed, Want, code};
use crate::store::Refused;
use crate::table::K;
use crate::{Id, Immutable, Item, ItemError, Mutable, NodeAddress, Output, PublicKey};

/// How many times as long as its query an answer to a stranger may be (BEP 5 has no limit; 4 is our rule).
pub(super) const AMPLIFICATION: usize = 4;

/// The length of the ping that a stranger's query may bring about beside the answer, in bytes.
const PING_LEN: usize = 67;

/// How much longer than [`MAX_PACKET_OUT`] an answer may be that holds an item (BEP 44: values of 1,000 bytes).
const MAX_WITH_ITEM: usize = 1_400;

/// The fewest nodes that make room for peers: who is here has almost arrived.
const MIN_NODES: usize = 4;

/// The most peers in an answer (arbitrary; what fits).
const MAX_VALUES: usize = 100;

/// The most info-hashes in a sample (BEP 51: what fits).
const MAX_SAMPLES: usize = 20;

/// How long a sample stays the same, in seconds (BEP 51: at most 21,600).
const SAMPLE_INTERVAL: u32 = 600;

/// The most queries that wait until their sender has shown its address.
const MAX_DEFERRED: usize = 64;

impl Network {
    /// Answers a query. `elsewhere`: our nodes of the other family near its target, if it wants them.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        from: SocketAddr,
        (transaction, length): (&[u8], usize),
        query: &Query<'_>,
        elsewhere: Vec<NodeAddress>,
        outputs: &mut VecDeque<Output>,
    ) {
        let limit = self.limit(now, from, length);
        match &query.method {
            Method::Ping => {
                let response = self.response();
                self.answer(from, transaction, response, limit, outputs);
            }
            Method::FindNode { target } => {
                let response = self.with_nodes(now, target, query.want, elsewhere);
                self.answer(from, transaction, response, limit, outputs);
            }
            Method::Sample { target } => {
                let mut response = self.with_nodes(now, target, query.want, elsewhere);
                response.samples = Some(self.sample(now));
                response.num = Some(self.store.counts().0 as u32);
                response.interval = Some(SAMPLE_INTERVAL);
                self.answer(from, transaction, response, limit, outputs);
            }
            Method::GetPeers { info_hash, scrape, no_seed } => {
                let long = *scrape && self.store.blooms(now, info_hash).is_some();
                let deferred = Deferred {
                    transaction: Bytes::copy_from_slice(transaction),
                    target: *info_hash,
                    get: None,
                    want: query.want,
                    length,
                };
                if long && limit < MAX_PACKET_OUT && !query.read_only && self.defer(now, from, deferred, outputs) {
                    return;
                }
                let token = self.tokens.make(now, from.ip());
                let mut response = self.with_nodes(now, info_hash, query.want, elsewhere);
                response.token = Some(&token);
                response.values = self.store.peers(now, info_hash, *no_seed, MAX_VALUES, &mut self.rng);
                response.blooms = if *scrape { self.store.blooms(now, info_hash).map(Box::new) } else { None };
                answer(&mut self.rpc, from, transaction, response, limit, outputs);
            }
            Method::Get { target, seq } => {
                let deferred = Deferred {
                    transaction: Bytes::copy_from_slice(transaction),
                    target: *target,
                    get: Some(*seq),
                    want: query.want,
                    length,
                };
                let long = self.store.item(now, target).is_some_and(|item| is_long(item, *seq, limit));
                if long && limit < MAX_PACKET_OUT && !query.read_only && self.defer(now, from, deferred, outputs) {
                    return;
                }
                self.serve_item(now, from, transaction, (target, *seq, query.want), elsewhere, limit, outputs);
            }
            Method::AnnouncePeer { info_hash, port, implied_port, seed, token } => {
                if !self.is_token(now, from, transaction, token, outputs) {
                    return;
                }
                let port = if *implied_port { from.port() } else { *port };
                if self.store.announce(now, *info_hash, (from.ip(), port).into(), *seed) {
                    let response = self.response();
                    self.answer(from, transaction, response, limit, outputs);
                } else {
                    self.refuse(from, transaction, (code::SERVER, "no room"), outputs);
                }
            }
            Method::Put { token, value, signed } => {
                if !self.is_token(now, from, transaction, token, outputs) {
                    return;
                }
                let cas = signed.as_ref().and_then(|signed| signed.cas);
                let stored =
                    read_item(value, signed.as_ref()).and_then(|item| self.store.put(now, from.ip(), item, cas));
                match stored {
                    Ok(()) => {
                        let response = self.response();
                        self.answer(from, transaction, response, limit, outputs);
                    }
                    Err(refused) => self.refuse(from, transaction, refused, outputs),
                }
            }
        }
    }

    /// Answers what waited for its sender to show its address; `shown`: it did.
    pub(super) fn serve_deferred(
        &mut self,
        now: Instant,
        from: SocketAddr,
        deferred: Deferred,
        shown: bool,
        outputs: &mut VecDeque<Output>,
    ) {
        let limit = if shown { MAX_PACKET_OUT } else { stranger_limit(deferred.length) };
        let Deferred { transaction, target, get, want, .. } = deferred;
        match get {
            Some(seq) => self.serve_item(now, from, &transaction, (&target, seq, want), Vec::new(), limit, outputs),
            None => {
                let token = self.tokens.make(now, from.ip());
                let mut response = self.with_nodes(now, &target, want, Vec::new());
                response.token = Some(&token);
                response.blooms = self.store.blooms(now, &target).map(Box::new);
                response.values = self.store.peers(now, &target, false, MAX_VALUES, &mut self.rng);
                answer(&mut self.rpc, from, &transaction, response, limit, outputs);
            }
        }
    }

    /// Sends an error.
    pub(super) fn refuse(
        &mut self,
        to: SocketAddr,
        transaction: &[u8],
        refused: Refused,
        outputs: &mut VecDeque<Output>,
    ) {
        let packet = krpc::encode_error(transaction, refused.0, refused.1);
        self.rpc.send(to, packet, outputs);
    }

    #[expect(clippy::too_many_arguments, reason = "an answer's parts, from two callers")]
    fn serve_item(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
        (target, seq, want): (&Id, Option<i64>, Want),
        elsewhere: Vec<NodeAddress>,
        limit: usize,
        outputs: &mut VecDeque<Output>,
    ) {
        let token = self.tokens.make(now, from.ip());
        let mut response = self.with_nodes(now, target, want, elsewhere);
        response.token = Some(&token);
        let item = self.store.item(now, target);
        if let Some(item) = item {
            response.seq = item.seq();
            // Who has as new a one is told the number alone.
            if item.seq().is_none() || item.seq() > seq {
                response.value = Some(item.value());
                if let Item::Mutable(item) = item {
                    response.key = Some(item.key().0);
                    response.signature = Some(*item.signature());
                }
            }
        }
        let limit = if limit >= MAX_PACKET_OUT && response.value.is_some() { MAX_WITH_ITEM } else { limit };
        answer(&mut self.rpc, from, transaction, response, limit, outputs);
    }

    fn limit(&mut self, now: Instant, from: SocketAddr, length: usize) -> usize {
        if self.proven.has(now, from.ip()) { MAX_PACKET_OUT } else { stranger_limit(length) }
    }

    /// Asks a stranger to show its address before a long answer. `false`: too many are asked already.
    fn defer(&mut self, now: Instant, from: SocketAddr, deferred: Deferred, outputs: &mut VecDeque<Output>) -> bool {
        if self.deferred >= MAX_DEFERRED || !self.rpc.pace.has_plenty(now) {
            return false;
        }
        self.deferred += 1;
        let purpose = Purpose::Proof(Box::new(deferred));
        self.rpc.ask(now, (from, None), Method::Ping, Want::default(), purpose, outputs);
        true
    }

    /// Checks a token, and remembers who showed a right one.
    fn is_token(
        &mut self,
        now: Instant,
        from: SocketAddr,
        transaction: &[u8],
        token: &[u8],
        outputs: &mut VecDeque<Output>,
    ) -> bool {
        let right = self.tokens.check(now, from.ip(), token);
        if right {
            self.proven.add(now, from.ip());
        } else {
            self.refuse(from, transaction, (code::PROTOCOL, "wrong token"), outputs);
        }
        right
    }

    fn response(&self) -> Response<'static> {
        Response { id: Some(self.table.own()), ..Response::default() }
    }

    fn with_nodes(&self, now: Instant, target: &Id, want: Want, elsewhere: Vec<NodeAddress>) -> Response<'static> {
        let mut response = self.response();
        let unsaid = !want.v4 && !want.v6;
        let own = if unsaid || if self.v6 { want.v6 } else { want.v4 } {
            self.table.closest(now, target, K)
        } else {
            Vec::new()
        };
        (response.nodes, response.nodes6) = if self.v6 { (elsewhere, own) } else { (own, elsewhere) };
        response
    }

    fn answer(
        &mut self,
        to: SocketAddr,
        transaction: &[u8],
        response: Response<'_>,
        limit: usize,
        outputs: &mut VecDeque<Output>,
    ) {
        answer(&mut self.rpc, to, transaction, response, limit, outputs);
    }

    fn sample(&mut self, now: Instant) -> Vec<Id> {
        let interval = std::time::Duration::from_secs(SAMPLE_INTERVAL.into());
        if self.sampled.as_ref().is_none_or(|(at, _)| now.since(*at) >= interval) {
            self.sampled = Some((now, self.store.sample(MAX_SAMPLES, &mut self.rng)));
        }
        self.sampled.as_ref().map(|(_, sample)| sample.clone()).unwrap_or_default()
    }
}

fn stranger_limit(length: usize) -> usize {
    (length * AMPLIFICATION).saturating_sub(PING_LEN).min(MAX_PACKET_OUT)
}

/// Tells whether an answer with this item needs more than `limit` bytes, with few nodes beside it.
fn is_long(item: &Item, seq: Option<i64>, limit: usize) -> bool {
    let signed = if item.seq().is_some() { 140 } else { 0 };
    let newer = item.seq().is_none() || item.seq() > seq;
    newer && item.value().len() + signed + 120 + MIN_NODES * 26 > limit
}

/// Sends an answer, without what does not fit: first nodes beyond the fewest, then peers, filters, an item, all nodes.
/// Where an item fits without nodes it stays: who cannot be asked for proof (BEP 43) gets short ones at least.
fn answer(
    rpc: &mut super::rpc::Rpc,
    to: SocketAddr,
    transaction: &[u8],
    mut response: Response<'_>,
    limit: usize,
    outputs: &mut VecDeque<Output>,
) {
    let mut packet = krpc::encode_response(transaction, Some(to), &response);
    let of_nodes = response.nodes.len() * 26 + response.nodes6.len() * 38;
    let fewest = if response.value.is_some() && packet.len() - of_nodes <= limit { 0 } else { MIN_NODES };
    while packet.len() > limit {
        let over = packet.len() - limit;
        let (nodes, nodes6) = (response.nodes.len(), response.nodes6.len());
        if nodes > fewest || nodes6 > fewest {
            let (fewer, fewer6) = (over.div_ceil(26).min(nodes), over.div_ceil(38).min(nodes6));
            if nodes6 > fewest {
                response.nodes6.truncate(nodes6.saturating_sub(fewer6).max(fewest));
            } else {
                response.nodes.truncate(nodes.saturating_sub(fewer).max(fewest));
            }
        } else if !response.values.is_empty() {
            let each = if to.is_ipv4() { 8 } else { 21 };
            let left = response.values.len().saturating_sub(over.div_ceil(each));
            response.values.truncate(left);
        } else if let Some(samples) = response.samples.as_mut().filter(|samples| !samples.is_empty()) {
            samples.truncate(samples.len().saturating_sub(over.div_ceil(20)));
        } else if response.blooms.is_some() {
            response.blooms = None;
        } else if response.value.is_some() {
            (response.value, response.key, response.signature) = (None, None, None);
        } else if nodes > 0 || nodes6 > 0 {
            response.nodes.pop();
            response.nodes6.pop();
        } else {
            return rpc.traffic.dropped += 1;
        }
        packet = krpc::encode_response(transaction, Some(to), &response);
    }
    rpc.send(to, packet, outputs);
}

fn read_item(value: &[u8], signed: Option<&Signed<'_>>) -> Result<Item, Refused> {
    let value = Bytes::copy_from_slice(value);
    let item = match signed {
        None => Immutable::new(value).map(Item::Immutable),
        Some(signed) => {
            let salt = Bytes::copy_from_slice(signed.salt);
            Mutable::verify(PublicKey(signed.key), salt, signed.seq, value, signed.signature).map(Item::Mutable)
        }
    };
    item.map_err(|error| match error {
        ItemError::ValueTooLong => (code::VALUE_TOO_LONG, "value too long"),
        ItemError::SaltTooLong => (code::SALT_TOO_LONG, "salt too long"),
        ItemError::BadSignature => (code::BAD_SIGNATURE, "bad signature"),
        ItemError::NotBencode => (code::PROTOCOL, "the value is no strict bencode"),
        ItemError::NegativeSeq => (code::PROTOCOL, "negative sequence number"),
    })
}
