//! A server of IRC for the user's own clients: a group's rooms are channels, people are nicks.
//!
//! Pure as `proto` is: [`Session`] is one client's connection as a state machine that is handed lines, events and what can
//! be seen ([`View`]), and gives lines back. What it needs beyond that it asks of [`Talk`]. Sockets and tasks are the
//! node's.
//!
//! Specifications: RFC 1459 and RFC 2812 as clients take them today (modern.ircdocs.horse), and of ircv3.net:
//! capability-negotiation, message-tags, message-ids, server-time, batch, labeled-response, echo-message, sasl-3.1,
//! standard-replies, away-notify, multi-prefix, userhost-in-names, utf8-only, chathistory, read-marker, multiline,
//! client-batch, message-redaction, and the client tags reply, react and typing.

mod caps;
mod line;
mod moment;
mod names;
mod numeric;
mod session;
mod talk;
mod text;
mod view;

pub use line::{Cutter, Flood, Line, MAX_LINE, MAX_TAGS, Malformed, TooLong};
pub use session::{Input, Output, SERVER, Session};
pub use talk::Talk;
pub use view::{Channel, Group, Member, Person, Scene, View};
