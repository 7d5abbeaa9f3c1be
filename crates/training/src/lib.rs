//! Replay, fit, evaluate as served, publish.
