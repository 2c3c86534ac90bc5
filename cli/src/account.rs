//! Who runs this program.

/// The account that this runs as, for the records: who logged in, where `sudo` says so.
pub(crate) fn account() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|name| !name.is_empty());
    // A timer or a container sets none of these.
    ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|name| named(name)).unwrap_or_else(|| {
        let uid = rustix::process::getuid().as_raw();
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        of(&accounts, uid).unwrap_or_else(|| format!("uid {uid}"))
    })
}

/// The name of an account in `/etc/passwd` (passwd(5)).
fn of(accounts: &str, uid: u32) -> Option<String> {
    let mut lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own = lines.find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid))?;
    Some(own[0].to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_account_is_named_by_its_number() {
        let accounts = "root:x:0:0::/root:/bin/sh\nbroken\n:x:7::\neva:x:1000:1000::/home/eva:/bin/sh\n";
        let of = |uid| super::of(accounts, uid);
        assert_eq!((of(0).as_deref(), of(1000).as_deref()), (Some("root"), Some("eva")));
        assert_eq!((of(7), of(8)), (None, None));
    }
}
