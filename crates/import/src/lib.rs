//! Reads catalogues and click streams in the formats people have.
