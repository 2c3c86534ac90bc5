//! What a fleet does to its hosts behind the policy's back, told from event streams.

mod cases;
mod law;
mod stream;
mod whole;
