//! Everything durable: the log, bundles and the registry.
