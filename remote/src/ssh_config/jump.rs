//! `ProxyJump`: the hosts on the way.

/// A host on the way to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JumpHost {
    /// The user to log in as, if stated.
    pub user: Option<String>,
    /// The name: to be resolved by the configuration like any other.
    pub host: String,
    /// The port, if stated.
    pub port: Option<u16>,
}

/// Parses `[user@]host[:port],…` or ssh URIs, in the order in which the hosts are visited. `none` gives an empty list.
pub(super) fn parse(text: &str) -> Option<Vec<JumpHost>> {
    match text.eq_ignore_ascii_case("none") {
        true => Some(Vec::new()),
        false => text.split(',').map(hop).collect(),
    }
}

fn hop(text: &str) -> Option<JumpHost> {
    let text = match text.strip_prefix("ssh://") {
        Some(uri) => uri.strip_suffix('/').unwrap_or(uri),
        None => text,
    };
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            match rest.split_at_checked(1) {
                None => (host, None),
                Some((":" | "/", port)) => (host, Some(port)),
                Some(_) => return None,
            }
        }
        None => match rest.split_once([':', '/']) {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(super::values::port(port)?),
    };
    let empty = host.is_empty() || user.is_some_and(str::is_empty);
    let odd = |text: &str| text.contains(|c: char| c.is_whitespace() || c.is_control());
    let bad = empty || host.starts_with('-') || odd(host) || user.is_some_and(odd);
    (!bad).then(|| JumpHost { user: user.map(str::to_owned), host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(hop: &JumpHost) -> String {
        format!("{:?} {} {:?}", hop.user, hop.host, hop.port)
    }

    #[test]
    fn every_shape() {
        for (text, hops) in [
            ("a", vec!["None a None"]),
            ("u@a:2222,b", vec!["Some(\"u\") a Some(2222)", "None b None"]),
            ("ssh://u@a:22/", vec!["Some(\"u\") a Some(22)"]),
            ("[2001:db8::1]:22", vec!["None 2001:db8::1 Some(22)"]),
            ("u@corp@a", vec!["Some(\"u@corp\") a None"]),
            ("NONE", vec![]),
        ] {
            assert_eq!(parse(text).unwrap().iter().map(written).collect::<Vec<_>>(), hops, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "a,", "@a", "a:0", "a:99999", "[a", "[a]x", "a b", "-oProxyCommand=x", ":22"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
