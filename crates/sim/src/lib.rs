//! The deterministic simulator: clock, network, disk, many nodes.
