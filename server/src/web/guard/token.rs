//! Random words that only one browser knows, and the cookie that they are in.

use axum::http::{HeaderMap, HeaderValue, header};
use rectify_core::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::web::settings::Site;

/// A random word of 256 bits.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::web) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    pub(in crate::web) fn new() -> Self {
        Token(hex(&rand::random::<[u8; 32]>()))
    }

    /// A word that a browser sent, if it can be one of ours.
    fn parse(text: &str) -> Option<Self> {
        (text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| Token(text.to_owned()))
    }

    /// What of it may be stored: who reads the database has no session.
    pub(in crate::web) fn stored(&self) -> String {
        self.derived("session")
    }

    /// What forms carry. It follows from the token, and does not give it away.
    pub(in crate::web) fn csrf(&self) -> String {
        self.derived("form")
    }

    fn derived(&self, what: &str) -> String {
        hex(&Sha256::new().chain_update(what).chain_update([0]).chain_update(&self.0).finalize())
    }
}

/// Whether two words are the same; how long it takes does not tell where they differ.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The cookie's name. With TLS alone browsers keep the promise of the prefix: no other machine and no path has set it
/// (<https://httpwg.org/http-extensions/draft-ietf-httpbis-rfc6265bis.html#name-the-__host-prefix>).
fn name(site: &Site) -> &'static str {
    if site.is_https() { "__Host-rectify" } else { "rectify" }
}

/// The token that a browser sent. Two of them are none: one of them was slipped in.
pub(super) fn sent(site: &Site, headers: &HeaderMap) -> Option<Token> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut own = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name(site));
    match (own.next(), own.next()) {
        (Some((_, value)), None) => Token::parse(value),
        _ => None,
    }
}

/// The header that gives a browser this token, or takes it away.
pub(super) fn cookie(site: &Site, token: Option<&Token>) -> HeaderValue {
    let secure = if site.is_https() { "; Secure" } else { "" };
    let (value, age) = token.map_or(("", "; Max-Age=0"), |token| (token.0.as_str(), ""));
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", name(site));
    HeaderValue::try_from(text).expect("invariant: it is made of letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::WebSettings;

    fn site(url: &str) -> Site {
        let settings = WebSettings { url: Some(url.into()), ..WebSettings::default() };
        settings.site(settings.address()).unwrap()
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_of_other_sites() {
        let token = Token::new();
        let text = cookie(&site("https://r.example.org"), Some(&token)).to_str().unwrap().to_owned();
        assert_eq!(text, format!("__Host-rectify={}; Path=/; HttpOnly; SameSite=Lax; Secure", token.0));
        assert!(!cookie(&site("http://localhost"), Some(&token)).to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn what_is_stored_or_shown_is_not_the_token() {
        let token = Token::new();
        assert_ne!(token.0, Token::new().0);
        assert!(token.stored() != token.0 && token.csrf() != token.0 && token.stored() != token.csrf());
    }

    #[test]
    fn of_two_cookies_none_counts() {
        let (site, token) = (site("http://localhost"), Token::new());
        let with = |text: String| HeaderMap::from_iter([(header::COOKIE, HeaderValue::try_from(text).unwrap())]);
        assert_eq!(sent(&site, &with(format!("a=b; rectify={}", token.0))), Some(token.clone()));
        assert_eq!(sent(&site, &with(format!("rectify={}; rectify={}", token.0, Token::new().0))), None);
        assert_eq!(sent(&site, &with("rectify=short".into())), None);
    }
}
