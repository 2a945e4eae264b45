//! Configuration, wiring and the API server.
