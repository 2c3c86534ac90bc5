//! A host that reads through to another one and keeps its writes in memory.
