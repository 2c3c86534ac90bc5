//! A rehearsal over a fixture.
