//! A marketplace with known true preferences, by seed.
