//! The resolver on its own: files in order, what is named as unsupported, what is never run.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod openssh;

use std::path::{Path, PathBuf};

use rectify_remote::ssh_config::{ConfigError, Effect, Env, ResolvedHost, Source, SshConfig};

/// A home of its own, with `.ssh/config` and a system's configuration.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new(user: &str, system: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        home.write("home/.ssh/config", user);
        home.write("etc/ssh_config", system);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let file = self.path(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }

    fn load(&self, run_match_exec: bool) -> Result<SshConfig, ConfigError> {
        let env = Env { home: self.path("home"), ..Env::system(run_match_exec) };
        SshConfig::load(Some(&self.path("home/.ssh/config")), Some(&self.path("etc/ssh_config")), env)
    }

    fn resolve(&self, host: &str) -> ResolvedHost {
        self.load(false).unwrap().resolve(host, None, None).unwrap()
    }
}

fn named(host: &ResolvedHost) -> Vec<(String, usize, Effect)> {
    host.unsupported.iter().map(|option| (option.option.clone(), option.line, option.effect)).collect()
}

#[test]
fn the_user_comes_before_the_system() {
    let home = Home::new("Host web1\n Port 1\nIdentityFile ~/.ssh/k\n", "Port 2\nUser sys\nIdentityFile ~/.ssh/k\n");
    let web1 = home.resolve("web1");
    assert_eq!((web1.port, web1.user.as_str()), (1, "sys"));
    // As OpenSSH: once from each.
    let keys: Vec<_> = web1.identity_files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(keys, [home.path("home/.ssh/k"), home.path("home/.ssh/k")]);
    assert_eq!(home.resolve("other").port, 2);
}

#[test]
fn relative_includes_are_beside_their_configuration() {
    let home = Home::new("Include conf.d/*\nInclude ~/extra\n", "Include sys.d/*.conf\n");
    home.write("home/.ssh/conf.d/one", "User one\n");
    home.write("home/extra", "Port 7\n");
    home.write("etc/sys.d/a.conf", "User sys\nCompression yes\n");
    let config = home.load(false).unwrap();
    let host = config.resolve("h", None, None).unwrap();
    assert_eq!((host.user.as_str(), host.port, host.compression), ("one", 7, true));
    let files = ["home/.ssh/config", "home/.ssh/conf.d/one", "home/extra", "etc/ssh_config", "etc/sys.d/a.conf"];
    assert_eq!(config.files(), files.map(|file| home.path(file)));
    let error = Home::new("", "Include ~/x\n").load(false).unwrap_err();
    assert!(error.to_string().ends_with("etc/ssh_config:1: cannot include \"~/x\""), "{error}");
}

#[test]
fn missing_files_are_empty_and_unreadable_ones_errors() {
    let env = Env::system(false);
    let none = SshConfig::load(Some(Path::new("/nonexistent/config")), None, env.clone()).unwrap();
    assert_eq!(none.resolve("h", None, None).unwrap().hostname, "h");
    assert!(none.files().is_empty());
    // A path through a file cannot be read, for root too.
    let error = SshConfig::load(Some(Path::new("/etc/passwd/config")), None, env).unwrap_err();
    assert!(error.to_string().starts_with("read ssh configuration /etc/passwd/config: "), "{error}");
}

#[test]
fn all_bad_lines_are_told_at_once() {
    let home = Home::new("Port x\nHost nowhere\n Compression maybe\n", "Match\n");
    let ConfigError::Lines { lines } = home.load(false).unwrap_err() else { panic!() };
    let told: Vec<_> =
        lines.iter().map(|line| (line.file.file_name().unwrap().to_str().unwrap().to_owned(), line.line)).collect();
    assert_eq!(told, [("ssh_config".to_owned(), 1), ("config".to_owned(), 1), ("config".to_owned(), 3)]);
}

#[test]
fn what_is_not_supported_is_named_where_it_is_in_force() {
    let config = "Host web1\n RevokedHostKeys /r\n KnownHostsCommand /c\n Ciphers aes128-ctr\n PKCS11Provider /p\n\
                  Host db1\n CanonicalizeHostname yes\n SomethingNew on\nHost *\n ForwardX11 yes\n VerifyHostKeyDNS no\n RevokedHostKeys none\n";
    let home = Home::new(config, "GSSAPIAuthentication yes\nSendEnv LANG\n");
    let web1 = home.resolve("web1");
    let expected = [
        ("revokedhostkeys /r", 2, Effect::Trust),
        ("knownhostscommand /c", 3, Effect::Trust),
        ("ciphers aes128-ctr", 4, Effect::Other),
        ("pkcs11provider /p", 5, Effect::Authentication),
    ];
    assert_eq!(named(&web1), expected.map(|(option, line, effect)| (option.to_owned(), line, effect)));
    assert!(!web1.may_lead_elsewhere());
    assert!(web1.unsupported[0].to_string().ends_with("/config:2: `revokedhostkeys /r` is not supported"));
    let db1 = home.resolve("db1");
    assert_eq!(db1.unsupported.len(), 2);
    assert!(db1.may_lead_elsewhere());
    assert!(home.resolve("x").unsupported.is_empty());
}

#[test]
fn a_command_of_the_configuration_runs_only_with_leave() {
    let home = Home::new("", "");
    let mark = home.path("ran");
    let config = format!(
        "Match host other exec \"touch {0}\"\n User o\nMatch exec \"touch {0}\"\n User executed\nMatch all\n User all\n",
        mark.display()
    );
    home.write("home/.ssh/config", &config);
    let host = home.resolve("web1");
    assert!(!mark.exists(), "not run");
    assert_eq!(host.user, "all");
    assert_eq!(host.unsupported.len(), 1, "only the one that would have been run: {:?}", host.unsupported);
    assert_eq!((host.unsupported[0].line, host.may_lead_elsewhere()), (3, true));
    // Asking ssh would run it too.
    let config = home.load(false).unwrap();
    let asked = config.resolve_or_ask("web1", None, None, Some(&openssh::ssh())).unwrap();
    assert_eq!(asked.source, Source::Own);
    assert!(!mark.exists());
    let config = home.load(true).unwrap();
    assert_eq!(config.resolve("web1", None, None).unwrap().user, "executed");
    assert!(mark.exists());
}

#[test]
fn a_condition_of_a_later_openssh_is_not_guessed() {
    for line in ["Match tagged prod", "Match !version OpenSSH_9*"] {
        let home = Home::new(&format!("{line}\n HostName elsewhere.example\n"), "");
        let host = home.resolve("web1");
        assert_eq!(host.hostname, "web1");
        assert!(host.may_lead_elsewhere(), "{line}");
    }
}

#[test]
fn ssh_is_asked_where_only_ssh_knows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(
        &file,
        "Host web1\n ProxyUseFdpass yes\n ProxyCommand /bin/p %h\nHost *\n User u\n HostName %h.example\n",
    )
    .unwrap();
    let config = SshConfig::load(Some(&file), None, Env::system(false)).unwrap();
    let ssh = openssh::ssh();
    let web1 = config.resolve_or_ask("web1", None, None, Some(&ssh)).unwrap();
    assert_eq!((web1.source, web1.hostname.as_str(), web1.user.as_str()), (Source::OpenSsh, "web1.example", "u"));
    assert!(web1.may_lead_elsewhere(), "what ssh can and we cannot is still named");
    let other = config.resolve_or_ask("other", None, None, Some(&ssh)).unwrap();
    assert_eq!(other.source, Source::Own);
    std::fs::write(&file, "NoSuchOptionAnywhere yes\n").unwrap();
    let config = SshConfig::load(Some(&file), None, Env::system(false)).unwrap();
    assert!(config.resolve("web1", None, None).unwrap().may_lead_elsewhere());
    let error = config.resolve_or_ask("web1", None, None, Some(&ssh)).unwrap_err();
    assert!(error.to_string().contains("nosuchoptionanywhere"), "the message of ssh is passed on: {error}");
}

#[test]
fn names_that_could_become_options_or_commands_are_refused() {
    let home = Home::new("", "");
    let config = home.load(false).unwrap();
    for host in ["", "-oProxyCommand=x", "a b", "a;b", "$(id)", "a\nb", "`id`", "a,b"] {
        assert!(matches!(config.resolve(host, None, None), Err(ConfigError::Name { what: "host", .. })), "{host:?}");
    }
    for user in ["", "-lx", "a;b", "a\nb", "x -y", "a\\"] {
        assert!(
            matches!(config.resolve("h", Some(user), None), Err(ConfigError::Name { what: "user", .. })),
            "{user:?}"
        );
    }
    assert_eq!(config.resolve("h", Some("DOMAIN\\ann"), None).unwrap().user, "DOMAIN\\ann");
}

#[test]
fn a_host_whose_values_cannot_be_expanded_is_told_alone() {
    let home = Home::new("Host web1\n IdentityFile ${NO_SUCH_VARIABLE_HERE}/k\n", "");
    let config = home.load(false).unwrap();
    let error = config.resolve("web1", None, None).unwrap_err().to_string();
    assert_eq!(
        error,
        "expand IdentityFile \"${NO_SUCH_VARIABLE_HERE}/k\" for web1: the environment has no variable `NO_SUCH_VARIABLE_HERE`"
    );
    assert!(config.resolve("web2", None, None).is_ok());
}
