//! Walks a host's plan.
