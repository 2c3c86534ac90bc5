//! A web hook: the news as JSON, signed, tried again.

use std::{path::PathBuf, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use rectify_core::{digest::hex, rollout::News};
use serde::Deserialize;
use sha2::Sha256;

use super::{ChannelError, Letter};

/// How often an attempt is repeated at once, before it is left for the next time.
const TRIES: u32 = 3;

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
        let secret = secret.map(|path| super::post::secret("[hook] secret_file", path)).transpose()?;
        Ok(Hook { client, patience, secret })
    }

    /// Posts the news. The receiver knows a repeated one by `Rectify-Delivery`, which is the same for every attempt.
    ///
    /// # Errors
    /// What the other side or the line said, in one line.
    pub async fn send(&self, news: &News, letter: &Letter, url: &str) -> Result<(), ChannelError> {
        let body = serde_json::json!({"subject": letter.subject, "text": letter.text, "news": news}).to_string();
        let mut last = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(500 << attempt)).await;
            }
            match self.once(news, url, &body).await {
                Ok(()) => return Ok(()),
                Err((problem, again)) => {
                    last = problem;
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(ChannelError::Refused(last))
    }

    /// One attempt: what went wrong, and whether another one can help.
    async fn once(&self, news: &News, url: &str, body: &str) -> Result<(), (String, bool)> {
        let mut request = self
            .client
            .post(url)
            .header("Content-Type", "application/json")
            .header("Rectify-Delivery", &news.message_id)
            .body(body.to_owned());
        if let Some(secret) = &self.secret {
            let at = Timestamp::now().as_second();
            request = request.header("Rectify-Signature", signature(secret, at, body));
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let again = status.is_server_error() || status.as_u16() == 429;
                Err((format!("the web hook answered {status}"), again))
            }
            Err(e) if e.is_timeout() => {
                Err((format!("the web hook took longer than {} s", self.patience.as_secs()), true))
            }
            // The address may hold a token: it is not repeated.
            Err(e) => Err((super::post::chain(&e.without_url()), true)),
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
