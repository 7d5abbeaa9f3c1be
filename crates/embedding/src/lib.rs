//! Models that embed users and items.
