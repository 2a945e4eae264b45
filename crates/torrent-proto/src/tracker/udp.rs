//! The UDP tracker protocol (BEP 15, 41).
//!
//! [`Request`] and [`Answer`] are its packets, each with both directions, so that the same code serves a client and a
//! tracker. [`Client`] carries the exchanges of a client: connection ids, transaction ids, retransmission.

mod client;
mod packet;

pub use client::{Client, Input, Output, RequestId, Task};
pub use packet::{Answer, ConnectionId, Family, MAX_PACKET_LEN, MAX_SCRAPE, Request, TransactionId};
