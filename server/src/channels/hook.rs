//! A web hook: a message as JSON, signed.

use std::{path::PathBuf, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use rectify_core::digest::hex;
use serde::Deserialize;
use sha2::Sha256;

use super::{ChannelError, Message, secret, why};

/// `[hook]` in `rectify.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HookSettings {
    /// A file with the secret that bodies are signed with, readable by its owner only.
    pub secret_file: Option<PathBuf>,
    /// Seconds to wait for an answer: 15 unless set.
    pub timeout: Option<u64>,
}

/// The way to web hooks.
#[derive(Debug)]
pub struct Hook {
    client: reqwest::Client,
    patience: Duration,
    secret: Option<String>,
}

impl Hook {
    /// Sets up the way; nothing is contacted yet.
    ///
    /// # Errors
    /// A secret that cannot be read or that everybody may read.
    pub fn new(settings: Option<&HookSettings>) -> Result<Self, ChannelError> {
        let patience = Duration::from_secs(settings.and_then(|s| s.timeout).unwrap_or(15));
        // An answer that leads elsewhere is refused: the address in the inventory is the one that was meant.
        let client = reqwest::Client::builder()
            .timeout(patience)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("rectify/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| ChannelError::Settings(format!("[hook] {e}")))?;
        let secret = settings.and_then(|s| s.secret_file.as_ref());
        let secret = secret.map(|path| secret::secret("[hook] secret_file", path)).transpose()?;
        Ok(Hook { client, patience, secret })
    }

    /// The longest that an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Posts a message. The receiver knows a repeated one by `Rectify-Delivery`, which is the same for every attempt.
    ///
    /// # Errors
    /// What the other side or the line said, in one line.
    pub async fn send(&self, message: &Message, url: &str) -> Result<(), ChannelError> {
        let mut body = serde_json::json!({"subject": message.letter.subject, "text": message.letter.text});
        if let Some(body) = body.as_object_mut() {
            body.extend(message.facts.clone());
        }
        let body = body.to_string();
        let mut request = self
            .client
            .post(url)
            .header("Content-Type", "application/json")
            .header("Rectify-Delivery", &message.id)
            .body(body.clone());
        if let Some(secret) = &self.secret {
            let at = Timestamp::now().as_second();
            request = request.header("Rectify-Signature", signature(secret, at, &body));
        }
        let patience = self.patience.as_secs();
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let said = format!("the web hook answered {status}");
                // Too slow, too often: what a server says that has other things to do.
                let later = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
                Err(if later { ChannelError::Unreached(said) } else { ChannelError::Refused(said) })
            }
            Err(e) if e.is_timeout() => {
                Err(ChannelError::Unreached(format!("the web hook took longer than {patience} s")))
            }
            // The address may hold a token: it is not repeated.
            Err(e) if e.is_builder() => Err(ChannelError::Refused(why(&e.without_url()))),
            Err(e) => Err(ChannelError::Unreached(why(&e.without_url()))),
        }
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 over the time, a dot and the body. The time is signed too, so that an old message cannot be played again.
fn signature(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("invariant: HMAC takes keys of any length");
    mac.update(format!("{at}.{body}").as_bytes());
    let hex = hex(&mac.finalize().into_bytes());
    format!("t={at},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_that_openssl_makes() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        let made = signature("secret", 1_700_000_000, "{}");
        assert_eq!(made, "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163");
    }
}
