//! Announcements: from news to letters, and to the people whose hosts change.

mod letter;
pub mod motd;
mod post;
pub mod site;

pub use post::{Attempt, Post, PostError};

#[cfg(test)]
mod tests;
