//! The test fleet.
