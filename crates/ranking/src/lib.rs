//! Rankers: training and scoring.
