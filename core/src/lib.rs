//! What rectify means, without I/O.
