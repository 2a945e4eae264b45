//! The peer wire protocol: what two peers say to one another over any carrier (BEP 3, 6, 9, 10, 21, 52, 54).

mod message;

pub use message::{ExtensionHandshake, ExtensionIds, HashRequest, Message, MetadataMessage, PeerId, Reserved};
