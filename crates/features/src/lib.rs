//! The fold over the log and the features read from it.
