//! The Mainline DHT as a state machine, free of I/O: it finds the peers of a torrent without a tracker (BEP 5), over
//! IPv4 and IPv6 (BEP 32), and stores small signed items (BEP 44).

mod bloom;
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod io;
mod item;
mod krpc;
mod lookup;
mod network;
mod node;
mod rate;
mod secret;
mod snapshot;
mod status;
mod store;
mod table;
mod token;
mod votes;

pub use id::{Distance, Id, ParseIdError, is_local};
pub use io::{Announce, Failure, Found, Input, NodeAddress, Output, Pong, Sample, Scrape, Task, TaskId};
pub use item::{Immutable, Item, ItemError, ItemName, MAX_SALT_LEN, MAX_VALUE_LEN, Mutable, PublicKey, SecretKey};
pub use node::{Config, DhtNode, Reach};
pub use snapshot::{FamilySnapshot, MAX_SAVED, Snapshot};
pub use status::{BucketStatus, FamilyStatus, NodeStatus, Status, Traffic};
