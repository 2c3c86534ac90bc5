//! Announcements: from news to letters, and through the channels.

mod hook;
mod letter;
mod mail;
pub mod motd;
mod post;
pub mod site;

pub use hook::{Hook, HookSettings};
pub use letter::{Letter, Templates};
pub use mail::{Mail, MailSettings, Security};
pub use post::{Attempt, Channels, Post, PostError};

/// Why a channel could not be set up, or a message not be written or sent.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The settings of the channel.
    #[error("{0}")]
    Settings(String),
    /// A template.
    #[error("the template {name}")]
    Template {
        /// Its name.
        name: String,
        /// Why.
        source: minijinja::Error,
    },
    /// A file.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The other side.
    #[error("{0}")]
    Refused(String),
}

#[cfg(test)]
mod tests;
