//! What only a person knows: passwords and passphrases, asked for on the terminal, never echoed.

use std::path::Path;

use rectify_remote::{
    Secret,
    session::{Ask, BoxFuture},
};

use super::reach::Passwords;
use crate::{args::Connection, display::Screen, exit::Expected, hidden};

/// Asks for the passwords that the command line says are to be asked for.
///
/// # Errors
/// If there is nobody to ask.
pub(crate) fn passwords(options: &Connection) -> Result<Passwords, Expected> {
    let ask = |wanted: bool, prompt: &str| -> Result<Option<Secret>, Expected> {
        if !wanted {
            return Ok(None);
        }
        let text = hidden::ask(prompt)
            .map_err(|e| Expected::usage(format!("asking for a password: {e} (is there a terminal?)")))?;
        Ok(Some(Secret::new(text)))
    };
    let login = ask(options.ask_pass, "SSH password: ")?;
    let r#become = ask(options.ask_become_pass, "BECOME password [as SSH password]: ")?;
    // An empty answer means the same password, where one was asked for.
    let r#become = r#become.map(|b| if b.reveal().is_empty() { login.clone().unwrap_or(b) } else { b });
    Ok(Passwords { login, r#become })
}

/// Asks for passphrases of keys, on the screen that progress is painted on, if there is one.
#[derive(Debug)]
pub(crate) struct Passphrases(pub(crate) Option<Screen>);

impl Ask for Passphrases {
    fn passphrase<'a>(&'a self, key: &'a Path, attempt: u32) -> BoxFuture<'a, Option<Secret>> {
        Box::pin(async move {
            if attempt > 3 || !console::user_attended_stderr() {
                return None;
            }
            let again = if attempt > 1 { "That is not it. " } else { "" };
            let prompt = format!("{again}Passphrase for {}: ", key.display());
            let screen = self.0.clone();
            let asked = tokio::task::spawn_blocking(move || {
                let mut painter = screen.as_ref().and_then(|screen| screen.lock().ok());
                // What stands there goes, or the question would be painted over.
                painter.as_mut().map_or(Ok(()), |painter| painter.clear())?;
                hidden::ask(&prompt)
            });
            let asked = asked.await;
            asked.ok().and_then(Result::ok).filter(|text| !text.is_empty()).map(Secret::new)
        })
    }
}
