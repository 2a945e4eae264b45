//! Listening, dialling, the UDP task, bandwidth, proxies and the gate.
