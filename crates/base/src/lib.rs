//! Clock values, units and bounded collections shared by every crate. No I/O.

mod bitfield;
pub mod id;
pub mod time;
pub mod units;

pub use bitfield::Bitfield;
pub use id::{GroupId, NodeId, PersonId};
pub use time::{Instant, Now, WallTime};
