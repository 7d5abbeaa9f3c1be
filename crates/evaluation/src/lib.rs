//! Evaluation metrics, pure.
