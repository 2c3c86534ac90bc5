//! `[serve]`: where the page is found, and who may see and do what.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde::Deserialize;

/// Where the page listens unless it is told otherwise.
pub const LISTEN: &str = "127.0.0.1:8470";

/// The keys of `[serve]` that are about the page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSettings {
    /// The address and port that it listens on: `127.0.0.1:8470` unless set.
    pub listen: Option<SocketAddr>,
    /// Where browsers find it: `https://rectify.example.org`. Needed for everything but a page on this machine alone.
    pub url: Option<String>,
    /// A file with a line per account: `NAME:ROLE:HASH`, where the hash is what `rectify serve hash-password` prints.
    pub users: Option<PathBuf>,
    /// People log in at a provider of OpenID Connect.
    pub oidc: Option<OidcSettings>,
    /// A proxy in front says who somebody is.
    pub proxy: Option<ProxySettings>,
}

/// `[serve.oidc]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The provider, as its discovery document names it (OpenID Connect Discovery 1.0, section 4).
    pub issuer: String,
    /// What this page is called there.
    pub client_id: String,
    /// The file with the client's secret; without one the client is a public one.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for besides `openid`: `["profile", "groups"]`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The claim that names a person: `preferred_username` unless set, and the subject where that is absent.
    pub name_claim: Option<String>,
    /// The claim that lists a person's groups: `groups` unless set.
    pub groups_claim: Option<String>,
    /// Members of these groups, as the provider names them, may act.
    #[serde(default)]
    pub operators: BTreeSet<String>,
    /// Members of these groups may read. Unset: everybody whom the provider lets in.
    pub readers: Option<BTreeSet<String>>,
}

/// `[serve.proxy]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySettings {
    /// The proxy's addresses. From any other its headers do not count.
    pub from: BTreeSet<IpAddr>,
    /// The header with the account: `x-remote-user` unless set. The proxy must take it out of what browsers send.
    pub user_header: Option<String>,
    /// The header with the account's groups, separated by commas: `x-remote-groups` unless set.
    pub groups_header: Option<String>,
    /// Members of these groups, as the proxy names them, may act.
    #[serde(default)]
    pub operators: BTreeSet<String>,
    /// Members of these groups may read. Unset: everybody whom the proxy lets in.
    pub readers: Option<BTreeSet<String>>,
}

/// What cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[serve] {0}")]
pub struct SettingsError(pub String);

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// See everything.
    Reader,
    /// Act too.
    Operator,
}

impl Role {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Operator => "operator",
        }
    }

    /// The role of this word.
    pub fn of(word: &str) -> Option<Self> {
        [Role::Reader, Role::Operator].into_iter().find(|role| role.word() == word)
    }
}

/// What members of these groups may do; `None`: nothing.
pub(super) fn role(
    groups: &[String],
    operators: &BTreeSet<String>,
    readers: Option<&BTreeSet<String>>,
) -> Option<Role> {
    let member = |of: &BTreeSet<String>| groups.iter().any(|group| of.contains(group));
    match readers {
        _ if member(operators) => Some(Role::Operator),
        None => Some(Role::Reader),
        Some(readers) => member(readers).then_some(Role::Reader),
    }
}

/// Settings that fit together.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) settings: WebSettings,
    /// What browsers may call it in `Host`.
    pub(super) hosts: BTreeSet<String>,
    /// What browsers may call it in `Origin`.
    pub(super) origins: BTreeSet<String>,
    /// Without a slash at the end.
    pub(super) url: String,
}

impl WebSettings {
    /// Where the page listens.
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| LISTEN.parse().expect("invariant: the default address is one"))
    }

    /// Whether anybody has to log in.
    pub fn is_closed(&self) -> bool {
        self.users.is_some() || self.oidc.is_some() || self.proxy.is_some()
    }

    /// Sees whether the settings fit together.
    ///
    /// # Errors
    /// A page for others that anybody could read, one whose name is not known, a URL or a header that is none.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.site(self.address()).map(drop)
    }

    /// The settings for a page that listens at `at`.
    pub(super) fn site(&self, at: SocketAddr) -> Result<Site, SettingsError> {
        let error = |text: String| Err(SettingsError(text));
        if !at.ip().is_loopback() && !self.is_closed() {
            return error(format!(
                "`listen` = {at}: others could read everything: set `users`, `oidc` or `proxy`, or listen on 127.0.0.1"
            ));
        }
        if !at.ip().is_loopback() && self.url.is_none() {
            return error(format!("`listen` = {at}: set `url` to the address that browsers use"));
        }
        if self.oidc.is_some() && self.url.is_none() {
            return error("`oidc`: set `url`: the provider sends people back there".into());
        }
        if let Some(proxy) = &self.proxy {
            if proxy.from.is_empty() {
                return error("`proxy`: `from` names no address".into());
            }
            for header in [&proxy.user_header, &proxy.groups_header].into_iter().flatten() {
                if axum::http::HeaderName::try_from(header.as_str()).is_err() {
                    return error(format!("`proxy`: {header:?} is no name of a header"));
                }
            }
        }
        let (mut hosts, mut origins) = (BTreeSet::new(), BTreeSet::new());
        if at.ip().is_loopback() {
            for name in ["localhost".to_owned(), bracketed(at.ip())] {
                let host = if at.port() == 80 { name } else { format!("{name}:{}", at.port()) };
                origins.insert(format!("http://{host}"));
                hosts.insert(host);
            }
        }
        let own = format!("http://{}:{}", bracketed(at.ip()), at.port());
        let url = self.url.clone().unwrap_or(own);
        let parsed = reqwest::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(host) = parsed.as_ref().and_then(|url| url.host_str()) else {
            return error(format!("`url` = {url:?} is no address of a web page"));
        };
        let parsed = parsed.as_ref().expect("invariant: it has a host");
        if parsed.path() != "/" || parsed.query().is_some() || !parsed.username().is_empty() {
            return error(format!(
                "`url` = {url:?}: it is a scheme, a name and perhaps a port: the page has no other place"
            ));
        }
        hosts.insert(parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
        origins.insert(parsed.origin().ascii_serialization());
        let url = parsed.origin().ascii_serialization();
        Ok(Site { settings: self.clone(), hosts, origins, url })
    }
}

impl Site {
    /// Whether browsers reach it by TLS alone.
    pub(super) fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: &str) -> WebSettings {
        WebSettings { listen: Some(listen.parse().unwrap()), ..WebSettings::default() }
    }

    #[test]
    fn a_page_for_others_needs_accounts_and_a_name() {
        let open = settings("0.0.0.0:80");
        assert!(open.check().unwrap_err().to_string().contains("others could read"));
        let closed = WebSettings { users: Some("users".into()), ..open };
        assert!(closed.check().unwrap_err().to_string().contains("`url`"));
        let named = WebSettings { url: Some("https://r.example.org".into()), ..closed };
        assert_eq!(named.check(), Ok(()));
        let site = named.site(named.address()).unwrap();
        assert_eq!(Vec::from_iter(site.hosts), ["r.example.org"]);
        assert_eq!(Vec::from_iter(site.origins), ["https://r.example.org"]);
    }

    #[test]
    fn on_this_machine_it_answers_to_its_own_names_only() {
        let site = settings("127.0.0.1:8470").site("127.0.0.1:8470".parse().unwrap()).unwrap();
        assert_eq!(Vec::from_iter(site.hosts), ["127.0.0.1:8470", "localhost:8470"]);
        assert!(!site.url.starts_with("https"));
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["rectify", "ftp://a", "https://a/b", "https://u@a", "https://a?b"] {
            let settings = WebSettings { url: Some(url.into()), ..WebSettings::default() };
            assert!(settings.check().is_err(), "{url}");
        }
    }

    #[test]
    fn groups_come_to_roles() {
        let set = |all: &[&str]| all.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        let (operators, readers) = (set(&["ops"]), set(&["staff"]));
        let of = |groups: &[&str]| role(&Vec::from_iter(set(groups)), &operators, Some(&readers));
        assert_eq!(of(&["ops", "staff"]), Some(Role::Operator));
        assert_eq!((of(&["staff"]), of(&["Ops"]), of(&[])), (Some(Role::Reader), None, None));
        assert_eq!(role(&[], &operators, None), Some(Role::Reader));
    }
}
