//! Tokens (`%h`), environment variables (`${HOME}`) and `~` in values (`ssh_config(5)`, TOKENS).

use rectify_core::digest::hex;
use sha1::{Digest as _, Sha1};

use super::env::Env;

/// What the tokens stand for.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    pub(super) env: &'a Env,
    pub(super) hostname: &'a str,
    pub(super) original: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) alias: Option<&'a str>,
    /// `ProxyJump` as configured, or empty.
    pub(super) jump: &'a str,
}

/// Which tokens an option permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// `%%` and `%h`.
    HostName,
    /// What can go into a command that makes the connection.
    Proxy,
    /// All that describe the connection.
    Connection,
    /// These, and `${VARIABLES}`.
    ConnectionAndEnvironment,
}

impl Permit {
    fn tokens(self) -> &'static str {
        match self {
            Self::HostName => "%h",
            Self::Proxy => "%hknpr",
            Self::Connection | Self::ConnectionAndEnvironment => "%CLhijklnprud",
        }
    }
}

impl Tokens<'_> {
    /// Expands the value; the error says what is wrong with it.
    pub(super) fn expand(&self, value: &str, permit: Permit) -> Result<String, String> {
        let mut result = String::with_capacity(value.len());
        let mut rest = value;
        while let Some(at) = rest.find(['%', '$']) {
            result.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if rest.as_bytes()[at] == b'%' {
                let token = after.chars().next().ok_or("a `%` at the end")?;
                if !permit.tokens().contains(token) {
                    return Err(format!("`%{token}` is not permitted here"));
                }
                result.push_str(&self.token(token));
                rest = &after[token.len_utf8()..];
            } else if let (Some(name), Permit::ConnectionAndEnvironment) = (after.strip_prefix('{'), permit) {
                let (name, left) = name.split_once('}').ok_or("`${` without `}`")?;
                let value =
                    self.env.vars.get(name).ok_or_else(|| format!("the environment has no variable `{name}`"))?;
                result.push_str(value);
                rest = left;
            } else {
                result.push('$');
                rest = after;
            }
        }
        result.push_str(rest);
        Ok(result)
    }

    /// As [`expand`](Self::expand), after a leading `~`.
    pub(super) fn expand_path(&self, value: &str) -> Result<String, String> {
        let value = self.env.expand_tilde(value).ok_or("no such user's home folder")?;
        self.expand(&value, Permit::ConnectionAndEnvironment)
    }

    fn token(&self, token: char) -> String {
        let local = &self.env.hostname;
        match token {
            'C' => self.hash(),
            'L' => local.split('.').next().unwrap_or_default().to_owned(),
            'h' => self.hostname.to_owned(),
            'i' => self.env.uid.to_string(),
            'j' => self.jump.to_owned(),
            'k' => self.alias.unwrap_or(self.original).to_owned(),
            'l' => local.clone(),
            'n' => self.original.to_owned(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            'u' => self.env.user.clone(),
            'd' => self.env.home.to_string_lossy().into_owned(),
            _ => "%".to_owned(),
        }
    }

    /// `%C`: the hash of `%l%h%p%r%j`, as OpenSSH has it since 9.7; before, and without a jump host, `%j` is not in it.
    fn hash(&self) -> String {
        let text = format!("{}{}{}{}{}", self.env.hostname, self.hostname, self.port, self.user, self.jump);
        hex(&Sha1::digest(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_permitted_and_what_not() {
        let mut env = Env::system(false);
        env.vars.insert("X".to_owned(), "%h".to_owned());
        let tokens =
            Tokens { env: &env, hostname: "h.example", original: "h", port: 2222, user: "u", alias: None, jump: "" };
        let expand = |value, permit| tokens.expand(value, permit);
        assert_eq!(expand("%%h-%h", Permit::HostName).unwrap(), "%h-h.example");
        assert_eq!(expand("nc %h %p # $X ${X}", Permit::Proxy).unwrap(), "nc h.example 2222 # $X ${X}");
        assert_eq!(
            expand("%r@%n:${X}", Permit::ConnectionAndEnvironment).unwrap(),
            "u@h:%h",
            "variables are not expanded again"
        );
        for (value, permit, says) in [
            ("%p", Permit::HostName, "`%p` is not permitted here"),
            ("%", Permit::Proxy, "a `%` at the end"),
            ("%é", Permit::Proxy, "`%é` is not permitted here"),
            (
                "${NO_SUCH_VARIABLE}",
                Permit::ConnectionAndEnvironment,
                "the environment has no variable `NO_SUCH_VARIABLE`",
            ),
            ("${X", Permit::ConnectionAndEnvironment, "`${` without `}`"),
        ] {
            assert_eq!(expand(value, permit).unwrap_err(), says, "{value}");
        }
    }
}
