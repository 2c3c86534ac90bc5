//! What we make of an ssh configuration against what `ssh -G` makes of it, option by option.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod openssh;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use openssh::{ssh, text};
use rectify_remote::ssh_config::{
    AddressFamily, Env, IdentityAgent, JumpHost, Proxy, ResolvedHost, SshConfig, StrictHostKeys,
};

type Dump = BTreeMap<String, Vec<String>>;

/// Host, and user and port as on the command line.
const ASKED: [(&str, Option<&str>, Option<u16>); 11] = [
    ("web1", None, None),
    ("web1.example", None, None),
    ("WEB1.Example", None, None),
    ("web2", Some("cli"), None),
    ("db1", None, Some(4022)),
    ("db1.internal", Some("ann"), Some(22)),
    ("10.0.0.7", None, None),
    ("2001:db8:0::7", None, None),
    ("bastion", None, None),
    ("other.example", None, None),
    ("x", None, None),
];

/// Every option that we support and that `ssh -G` prints.
const OPTIONS: [&str; 27] = [
    "addressfamily",
    "batchmode",
    "bindaddress",
    "certificatefile",
    "checkhostip",
    "compression",
    "connecttimeout",
    "globalknownhostsfile",
    "hashknownhosts",
    "hostkeyalgorithms",
    "hostkeyalias",
    "hostname",
    "identitiesonly",
    "identityagent",
    "identityfile",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "port",
    "preferredauthentications",
    "proxycommand",
    "proxyjump",
    "pubkeyauthentication",
    "serveralivecountmax",
    "serveraliveinterval",
    "stricthostkeychecking",
    "user",
    "userknownhostsfile",
];

/// Configurations that ssh accepts. `{dir}` is a folder with the files of [`INCLUDED`].
const GOOD: &[&str] = &[
    "",
    "# nothing\n\n   \t\n",
    "Host web1\n  HostName real.example\n  User deploy\n  Port 2222\n",
    "host web*\nhostname=%h.example\nHost *\nHostName %h.fallback\n",
    "Host *\n  User first\nHost web1\n  User second\n  Port 2200\n",
    "User global\nPort 2022\nHost web1\nUser late\n",
    "Host web* !web1\n User a\nHost !db1* *\n User b\nHost !x\n User never\nHost *\n User c\n",
    "Host WEB1.Example\n User upper\nHost web1.example\n User lower\n",
    "Host web? db1.*\n Port 1\nHost 10.0.0.* 2001:*\n Port 2\n",
    "Match host web1\n User a\nMatch host web1.example,db*\n User b\nMatch all\n User c\n",
    "Host web1\n HostName real.example\nMatch host real.example\n User matched\nMatch host web1\n User unmatched\n",
    "Match originalhost web1\n User o\n HostName h.example\nMatch originalhost WEB*,!web1\n User p\nMatch !originalhost web*\n User q\n",
    "Match user cli\n Port 1\nMatch user ann,bob host db*\n Port 2\nMatch !user root\n Port 3\nMatch user root\n Port 4\n",
    "User set\nMatch user set\n Port 7\nMatch user root\n Port 8\n",
    "Match localuser root,nobody\n User l\nMatch !localuser root\n User m\nMatch localuser *\n Port 9\n",
    "Match exec true\n User yes\nMatch exec false\n User no\nMatch !exec false\n Port 5\n",
    "Match host web* exec \"test %n = web1\"\n User exec\nMatch exec \"test %p-%r = 22-root && test %h\"\n Port 6\n",
    "Match exec \"test '%n %h %u %i %k' = 'x x root 0 x'\"\n User tokens\n",
    "Host web1\n HostName real.example\nMatch final host real.example\n User final\nMatch host web1\n Port 3\n",
    "Match final\n User final\nMatch !final\n Port 17\nMatch canonical\n Compression yes\nMatch all\n User a\n",
    "Match final all\n User fa\nHost web1\n HostName WEB9.example\nHost web9.example\n Port 99\nHost WEB9.example\n Port 98\n",
    "Match canonical all\n User c\nMatch !canonical\n User n\n",
    "Match final\n IdentityFile ~/.ssh/final\nHost *\n IdentityFile ~/.ssh/first\n IdentityFile ~/.ssh/first\n",
    "Match host=web1 user=root\n User eq\nMatch HOST \"web1,web2\" \n Port 44\n",
    "Match host web1 # comment\n User commented\nHost web2 # db1\n User alsocommented\n",
    "IdentityFile ~/.ssh/a\nIdentityFile \"~/.ssh/with space\"\nHost web1\nIdentityFile /keys/%h/%r\nCertificateFile ~/.ssh/a-cert.pub\nCertificateFile %d/b\nIdentitiesOnly yes\n",
    "IdentityFile none\n",
    "IdentityAgent none\nIdentityFile ${HOME}/.ssh/%u-%n\n",
    "Host web1\nIdentityAgent ~/.ssh/agent-%r\nHost db1\nIdentityAgent SSH_AUTH_SOCK\nHost x\nIdentityAgent $RECTIFY_TEST_SOCK\nHost *\nIdentityAgent ${RECTIFY_TEST_SOCK}.%n\n",
    "ProxyJump bastion\n",
    "Host web*\n ProxyJump u@j1:2222,j2,ssh://v@j3:33\nHost db*\n ProxyJump [2001:db8::9]:22\nHost x\n ProxyJump none\nHost *\n ProxyJump 10.0.0.9\n",
    "Host web1\n ProxyJump none\nHost *\n ProxyCommand nc %h %p\n",
    "ProxyJump none\nProxyJump later\n",
    "ProxyJump none\nProxyCommand nc\nProxyJump later\n",
    "ProxyJump NONE\nProxyCommand none\nProxyJump later\n",
    "ProxyJump b # comment\nProxyCommand later\n",
    "ProxyJump a#b\n",
    "HostKeyAlgorithms +ssh-rsa,rsa-*\n",
    "Host web1\n ProxyCommand none\nHost *\n ProxyJump b\n",
    "ProxyCommand ssh -W '[%h]:%p' \"%r@gate\" %% %n # not a comment\nProxyJump b\n",
    "ProxyCommand = nc -x proxy:1080 %h %p\nConnectTimeout 10\n",
    "ConnectTimeout 1m30s\nServerAliveInterval 2M\nServerAliveCountMax 7\n",
    "ConnectTimeout none\nConnectTimeout 5\nServerAliveInterval 0\nServerAliveInterval 9\n",
    "UserKnownHostsFile ~/.ssh/kh1 \"/a b\" %d/kh-%n-%h-%p-%r-%u-%i-%L-%l-%k-%C ${RECTIFY_TEST_SOCK}\nUserKnownHostsFile /later\nGlobalKnownHostsFile /g1 /g2\n",
    "UserKnownHostsFile none\nGlobalKnownHostsFile /dev/null\n",
    "StrictHostKeyChecking yes\nHost *\nStrictHostKeyChecking no\n",
    "Host web1\nStrictHostKeyChecking accept-new\nHost web2\nStrictHostKeyChecking off\nHost db1\nStrictHostKeyChecking ask\nHost *\nStrictHostKeyChecking TRUE\n",
    "HostKeyAlias Alias-Name\nHashKnownHosts yes\nCheckHostIP yes\nUserKnownHostsFile /kh-%k\n",
    "Host web1\nHostKeyAlgorithms ssh-ed25519,rsa-sha2-512\nHost web2\nHostKeyAlgorithms +ssh-rsa\nHost db1\nHostKeyAlgorithms -ssh-ed25519*,ecdsa*\nHost *\nHostKeyAlgorithms ^rsa-sha2-256,ssh-ed25519\n",
    "HostKeyAlgorithms ecdsa-*\n",
    "PreferredAuthentications publickey,password\nPubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
    "ChallengeResponseAuthentication no\nPubkeyAuthentication unbound\nDSAAuthentication no\n",
    "AddressFamily inet6\nBindAddress 192.0.2.1\nCompression YES\nCanonicalizeHostname no\n",
    "Host x\nAddressFamily inet\nHost *\nAddressFamily any\nCompression no\n",
    "Include {dir}/a.conf\nUser after\n",
    "Host web1\n Include {dir}/a.conf\nHost *\n User outer\n Port 1234\n",
    "Include {dir}/*.conf\n",
    "Include {dir}/none-*.conf {dir}/missing {dir}/b.conf\n",
    "Include {dir}/nested\nUser outer\n",
    "Match host db*\n Include \"{dir}/b.conf\"\nPort 77\nMatch all\nUser z\n",
    "Include {dir}\nUser folder\n",
    "  User   indented  \n\tPort\t=\t2022\t\nHostName=\"quoted.example\"\n",
    "user 'single quoted'\nHost \"web1\" 'db1'\n Port 31\n",
    "User a\\ b\nHost web1\\\n Port 1\n",
    "User \"a\\\"b\"\nBindAddress a\\\\b\n",
    "Host web1\r\n  User crlf\r\n  Port 2022\r\n",
    "Host web1\n\n# c\n  User u # trailing\n  # Port 1\n  Port 2 \t \n",
    "HostName 2001:DB8:0:0::1\nPort 22\n",
    "HostName UPPER.%%.%h\n",
    "Host *\nHostName 10.1.2.3\nMatch host 10.*\nUser ip\n",
    "ForwardX11 yes\nVisualHostKey yes\nLogLevel DEBUG\nSendEnv LANG LC_*\nControlMaster auto\nControlPath ~/.ssh/%C\nControlPersist 10m\nUser harmless\n",
    "LocalForward 8080 localhost:80\nRemoteForward 9000 localhost:90\nDynamicForward 1080\nTCPKeepAlive no\nSetEnv A=b\nUser h\n",
    "Protocol 2\nUsePrivilegedPort no\nCipher blowfish\nUser old\n",
    "IgnoreUnknown Foo*,UseKeychain\nUseKeychain yes\nFooBar baz qux\nUser ignored\n",
    "Host web1 web2 db1\n  User multi\n  ServerAliveInterval 15\nHost *.example !other.example\n  User ex\n",
    "BatchMode yes\nServerAliveInterval 10\nConnectTimeout 1\n",
    "Match host web1 host web*\n User both\nMatch host web1 !host web1\n User neither\nMatch host web1 all\n User oddly\n",
    "Host web1\n  User formfeed\u{c}\n",
];

/// Configurations that ssh refuses, whatever the host.
const BAD: &[&str] = &[
    "Port 0\n",
    "Port 65536\n",
    "Host nowhere\n Port x\n",
    "Port\n",
    "Port 22 23\n",
    "User \"open\n",
    "User 'open\n",
    "Host\n",
    "Host \"\"\n",
    "Match\n",
    "Match host\n",
    "Match all host web1\n",
    "Match host a user b all\n",
    "Compression maybe\n",
    "Compression true\n",
    "ConnectTimeout 5x\n",
    "ServerAliveCountMax -1\n",
    "StrictHostKeyChecking perhaps\n",
    "AddressFamily inet7\n",
    "ProxyJump a,,b\n",
    "ProxyJump @a\n",
    "ProxyJump a:b\n",
    "HostName %p\n",
    "HostName x%\n",
    "UserKnownHostsFile ${NO_SUCH_VARIABLE_HERE}\n",
    "UserKnownHostsFile %z\n",
    "IdentityAgent \"\"\n",
    "Include {dir}/loop\n",
    "Include {dir}/bad\n",
    "Host nowhere\n Include {dir}/bad\n",
    "HostKeyAlgorithms a,,b\n",
];

const INCLUDED: &[(&str, &str)] = &[
    ("a.conf", "Port 1001\nHost web1\n User a-web1\nHost db*\n User a-db\n"),
    ("b.conf", "Match host web1,db1\n User b-match\n Compression yes\nHost *\n ConnectTimeout 3\n"),
    ("nested", "Host web*\n Include {dir}/a.conf {dir}/b.conf\n User nested\nHost *\n Port 5\n"),
    ("loop", "Include {dir}/loop\n"),
    ("bad", "Host web1\nPort none\n"),
];

const SOCKET: (&str, &str) = ("RECTIFY_TEST_SOCK", "/run/agent/sock");

fn theirs(file: &Path, host: &str, user: Option<&str>, port: Option<u16>) -> Result<Dump, String> {
    let mut command = Command::new(ssh());
    command.env(SOCKET.0, SOCKET.1).env_remove("SHELL").arg("-G").arg("-F").arg(file);
    if let Some(user) = user {
        command.args(["-l", user]);
    }
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    let out = command.args(["--", host]).stdin(Stdio::null()).output().unwrap();
    if !out.status.success() {
        return Err(text(&out.stderr));
    }
    let mut dump = Dump::new();
    for line in text(&out.stdout).lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = match (key, value) {
            (key, _) if !OPTIONS.contains(&key) => continue,
            // Key types that cannot be used any more.
            ("identityfile", "~/.ssh/id_xmss" | "~/.ssh/id_dsa" | "none") => continue,
            ("identityagent", "SSH_AUTH_SOCK") => continue,
            ("identityagent", "$RECTIFY_TEST_SOCK") => SOCKET.1.to_owned(),
            _ => value.to_owned(),
        };
        dump.entry(key.to_owned()).or_default().push(value);
    }
    // ssh prints the command before it expands it.
    let one = |dump: &Dump, key: &str| dump[key][0].clone();
    if let Some(command) = dump.get("proxycommand").map(|values| values[0].clone()) {
        let command =
            command.replace("%%", "\u{1}").replace("%h", &one(&dump, "hostname")).replace("%p", &one(&dump, "port"));
        let command = command.replace("%n", host).replace("%r", &one(&dump, "user")).replace('\u{1}', "%");
        dump.insert("proxycommand".to_owned(), vec![command]);
    }
    Ok(dump)
}

fn yes(on: bool) -> Option<String> {
    Some(if on { "yes" } else { "no" }.to_owned())
}

/// A chain as `ssh -G` prints it: all but the last host as configured.
fn jump(hosts: &[JumpHost]) -> String {
    let (last, before) = hosts.split_last().unwrap();
    let plain = |host: &JumpHost| {
        let user = host.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = host.port.map(|port| format!(":{port}")).unwrap_or_default();
        (user, port)
    };
    let mut words: Vec<String> =
        before.iter().map(|host| format!("{}{}{}", plain(host).0, host.host, plain(host).1)).collect();
    let numeric = last.host.contains(':') || last.host.chars().all(|c| c.is_ascii_digit() || c == '.');
    let name = if numeric { format!("[{}]", last.host) } else { last.host.clone() };
    words.push(format!("{}{name}{}", plain(last).0, plain(last).1));
    words.join(",")
}

fn ours(host: &ResolvedHost, default_algorithms: &[String]) -> Dump {
    let mut dump = Dump::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            dump.entry(key.to_owned()).or_default().push(value);
        }
    };
    let paths = |files: &[std::path::PathBuf]| match files {
        [] => "none".to_owned(),
        files => files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" "),
    };
    put("hostname", Some(host.hostname.clone()));
    put("port", Some(host.port.to_string()));
    put("user", Some(host.user.clone()));
    match &host.proxy {
        Proxy::None => {}
        Proxy::Jump(hosts) => put("proxyjump", Some(jump(hosts))),
        Proxy::Command(command) => put("proxycommand", Some(command.clone())),
    }
    for file in &host.identity_files {
        put("identityfile", Some(file.configured.clone()));
    }
    for file in &host.certificate_files {
        put("certificatefile", Some(file.configured.clone()));
    }
    put("identitiesonly", yes(host.identities_only));
    put(
        "identityagent",
        match &host.identity_agent {
            IdentityAgent::Environment => None,
            IdentityAgent::None => Some("none".to_owned()),
            IdentityAgent::Socket(path) => Some(path.display().to_string()),
        },
    );
    put("connecttimeout", Some(host.connect_timeout.map_or("none".to_owned(), |time| time.as_secs().to_string())));
    put("serveraliveinterval", Some(host.server_alive_interval.unwrap_or_default().as_secs().to_string()));
    put("serveralivecountmax", Some(host.server_alive_count_max.to_string()));
    put("userknownhostsfile", Some(paths(&host.user_known_hosts)));
    put("globalknownhostsfile", Some(paths(&host.global_known_hosts)));
    let strict = match host.strict_host_key_checking {
        StrictHostKeys::Yes => "true",
        StrictHostKeys::Ask => "ask",
        StrictHostKeys::AcceptNew => "accept-new",
        StrictHostKeys::Off => "false",
    };
    put("stricthostkeychecking", Some(strict.to_owned()));
    put("hostkeyalias", host.host_key_alias.clone());
    put("hashknownhosts", yes(host.hash_known_hosts));
    put("checkhostip", yes(host.check_host_ip));
    put("hostkeyalgorithms", Some(host.host_key_algorithms.select(default_algorithms).join(",")));
    put("preferredauthentications", host.preferred_authentications.as_ref().map(|list| list.join(",")));
    put("pubkeyauthentication", Some(host.pubkey_authentication.to_string()));
    put("passwordauthentication", yes(host.password_authentication));
    put("kbdinteractiveauthentication", yes(host.kbd_interactive_authentication));
    put("batchmode", yes(host.batch_mode));
    let family = match host.address_family {
        AddressFamily::Any => "any",
        AddressFamily::Inet => "inet",
        AddressFamily::Inet6 => "inet6",
    };
    put("addressfamily", Some(family.to_owned()));
    put("bindaddress", host.bind_address.clone());
    put("compression", yes(host.compression));
    dump
}

fn env() -> Env {
    let mut env = Env::system(true);
    env.vars.insert(SOCKET.0.to_owned(), SOCKET.1.to_owned());
    env.vars.remove("SHELL");
    env
}

/// A folder with the included files.
fn stage() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in INCLUDED {
        write(folder.path(), name, content);
    }
    folder
}

fn write(folder: &Path, name: &str, content: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, content.replace("{dir}", folder.to_str().unwrap())).unwrap();
    file
}

fn only_known_differences(key: &str, ours: &[String], theirs: &[String]) -> bool {
    // `pubkeyauthentication unbound` is `yes` to us.
    key == "pubkeyauthentication" && ours == ["true"] && matches!(theirs[0].as_str(), "unbound" | "host-bound")
}

#[test]
fn every_option_as_ssh_resolves_it() {
    assert!(GOOD.len() >= 40);
    let folder = stage();
    let empty = write(folder.path(), "config", "");
    let defaults: Vec<String> =
        theirs(&empty, "x", None, None).unwrap()["hostkeyalgorithms"][0].split(',').map(str::to_owned).collect();
    let mut wrong = Vec::new();
    let (mut compared, mut loops) = (0, 0);
    for config in GOOD {
        let file = write(folder.path(), "config", config);
        let loaded = SshConfig::load(Some(&file), None, env());
        for (host, user, port) in ASKED {
            let theirs = theirs(&file, host, user, port);
            let ours = loaded.as_ref().map_err(ToString::to_string).and_then(|config| {
                let host = config.resolve(host, user, port).map_err(|error| error.to_string())?;
                Ok(ours(&host, &defaults))
            });
            let (ours, theirs) = match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => (ours, theirs),
                (Err(_), Err(error)) if error.contains("jumphost loop") => {
                    loops += 1;
                    continue;
                }
                (ours, theirs) => {
                    wrong.push(format!("{host} is refused: ours {:?}, ssh {:?}\n{config}", ours.err(), theirs.err()));
                    continue;
                }
            };
            let none = Vec::new();
            for key in OPTIONS {
                compared += 1;
                let (a, b) = (ours.get(key).unwrap_or(&none), theirs.get(key).unwrap_or(&none));
                if a != b && !only_known_differences(key, a, b) {
                    wrong.push(format!("{host} {user:?} {port:?}: {key}: ours {a:?}, ssh {b:?}\n{config}"));
                }
            }
        }
    }
    assert!(loops > 0, "a host that is its own jump host is among the cases");
    let shown: Vec<&str> = wrong.iter().take(40).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), shown.join("\n"));
}

#[test]
fn what_ssh_refuses_is_refused() {
    let folder = stage();
    let mut wrong = Vec::new();
    for config in BAD {
        let file = write(folder.path(), "config", config);
        let theirs = theirs(&file, "web1", None, None);
        let ours = SshConfig::load(Some(&file), None, env()).and_then(|config| config.resolve("web1", None, None));
        if theirs.is_ok() || ours.is_ok() {
            wrong.push(format!(
                "ours {:?}, ssh {:?}\n{config}",
                ours.map(|_| ()).map_err(|error| error.to_string()),
                theirs.map(|_| ())
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_answer_of_ssh_reads_as_our_own() {
    let folder = stage();
    let empty = write(folder.path(), "config", "");
    let defaults: Vec<String> =
        theirs(&empty, "x", None, None).unwrap()["hostkeyalgorithms"][0].split(',').map(str::to_owned).collect();
    let telling =
        ["ProxyJump u@j1", "ProxyCommand ssh", "UserKnownHostsFile ~", "HostKeyAlias", "PreferredAuth", "Include"];
    for config in GOOD.iter().filter(|config| telling.iter().any(|word| config.contains(word))) {
        let file = write(folder.path(), "config", config);
        let loaded = SshConfig::load(Some(&file), None, env()).unwrap();
        for (host, user, port) in ASKED {
            let own = loaded.resolve(host, user, port).unwrap();
            let asked = loaded.resolve_by_openssh(&ssh(), host, user, port).unwrap();
            let (mut own, mut asked) = (ours(&own, &defaults), ours(&asked, &defaults));
            for dump in [&mut own, &mut asked] {
                let usable = |file: &String| !file.ends_with("/id_xmss") && !file.ends_with("/id_dsa");
                dump.get_mut("identityfile").unwrap().retain(usable);
            }
            assert_eq!(own, asked, "{host}\n{config}");
        }
    }
}
