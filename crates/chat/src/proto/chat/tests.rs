//! Stories of people with nodes that write to one another, with a driver around each node that stores before it sends.

mod actor;
mod mail;
mod many;
mod members;
mod missing;
mod own_nodes;
mod property;
mod restarts;
mod strangers;
mod talk;
mod world;
