//! The ways to people: mail, web hooks, and the output of the program. Who has something to say writes a [`Message`]; one sender takes it to any
//! address.

mod hook;
mod mail;
mod secret;
#[cfg(test)]
pub(crate) mod testing;

use std::{
    fmt,
    io::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rectify_core::text::{chain, plain};
use serde::{Deserialize, Serialize};

pub use hook::{Hook, HookSettings};
pub use mail::{Mail, MailSettings, Security};

/// The address of the program's own output.
pub const STDOUT: &str = "stdout:";
/// The right side of Message-IDs where no mail is set up.
pub const NO_DOMAIN: &str = "rectify.invalid";

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML: a whole document without anything from elsewhere.
    pub html: String,
}

/// A message, ready to be taken to any of its addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its Message-ID without angle brackets: the same for every attempt, so that who gets it twice can tell.
    pub id: String,
    /// The Message-ID of the message that it follows.
    pub follows: Option<String>,
    /// What people sort it by: the first part of its List-Id, `rollouts` or `drift`.
    pub list: String,
    /// Whom it is for.
    pub name: String,
    /// All their addresses, as URIs.
    pub addresses: Vec<String>,
    /// What it says.
    pub letter: Letter,
    /// The same for programs: what a web hook gets besides subject and text.
    pub facts: serde_json::Map<String, serde_json::Value>,
}

/// The ways that are set up.
pub struct Channels {
    /// Mail, if it is.
    pub mail: Option<Mail>,
    /// Web hooks.
    pub hook: Hook,
    /// Where messages to `stdout:` are written.
    pub out: Mutex<Box<dyn Write + Send>>,
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").field("mail", &self.mail).field("hook", &self.hook).finish_non_exhaustive()
    }
}

impl Channels {
    /// Sets the ways up; nothing is contacted yet. `out` takes what is for `stdout:`.
    ///
    /// # Errors
    /// Settings that are wrong, files that cannot be read, secrets that others may read.
    pub fn new(
        mail: Option<&MailSettings>,
        hook: Option<&HookSettings>,
        out: Box<dyn Write + Send>,
    ) -> Result<Self, ChannelError> {
        Ok(Channels { mail: mail.map(Mail::new).transpose()?, hook: Hook::new(hook)?, out: Mutex::new(out) })
    }

    /// The right side of Message-IDs: the domain of the sender.
    pub fn domain(&self) -> &str {
        self.mail.as_ref().map_or(NO_DOMAIN, Mail::domain)
    }

    /// The longest that an attempt can take.
    pub fn patience(&self) -> Duration {
        self.mail.as_ref().map_or(Duration::ZERO, Mail::patience).max(self.hook.patience())
    }

    /// Takes a message to one address, once.
    ///
    /// # Errors
    /// [`ChannelError::Unreached`] where a later attempt may help; otherwise what is wrong with the message, the address or the settings.
    pub async fn send(&self, message: &Message, to: &str) -> Result<(), ChannelError> {
        match (to.strip_prefix("mailto:"), &self.mail) {
            (Some(address), Some(mail)) => mail.send(message, address).await,
            (Some(_), None) => {
                Err(ChannelError::Settings("no mail server is set up: add [mail] to rectify.toml".into()))
            }
            (None, _) if to == STDOUT => self.write(&message.letter),
            (None, _) => self.hook.send(message, to).await,
        }
    }

    /// The subject as a line of its own, the text below it.
    fn write(&self, letter: &Letter) -> Result<(), ChannelError> {
        let mut shown = format!("{}\n", letter.subject);
        for line in letter.text.lines() {
            let indented = if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
            shown.push_str(&indented);
        }
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        written.map_err(|e| ChannelError::Unreached(format!("writing to the standard output: {e}")))
    }
}

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
    /// The other side says no: the same again gets the same answer.
    #[error("{0}")]
    Refused(String),
    /// The other side did not answer, or said that it cannot now: later it may.
    #[error("{0}")]
    Unreached(String),
}

/// Why something was not sent, in one line that can be shown.
pub(crate) fn why(error: &dyn std::error::Error) -> String {
    plain(&chain(error), 500)
}

/// An address for people: what follows the machine in a web hook's may be a secret.
pub fn shown(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/…")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_secret_in_an_address_is_not_shown() {
        assert_eq!(shown("https://user:secret@hooks.example.org/services/TOKEN?x=y"), "https://hooks.example.org/…");
        assert_eq!(shown("mailto:ops@example.org"), "mailto:ops@example.org");
    }
}
