//! Request, event and client types of the node's API.
