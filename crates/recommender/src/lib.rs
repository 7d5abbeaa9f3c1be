//! The pipeline: sources, filters, ranker, budget.
