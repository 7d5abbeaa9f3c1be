//! The wire format: code generated from proto/.
