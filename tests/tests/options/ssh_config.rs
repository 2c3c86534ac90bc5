//! Every keyword of the ssh configuration that is honoured, in connections that are really made.

use std::time::{Duration, Instant};

use rectify_tests::proxy::Proxy;

use crate::reach::Seen::{self, Has, Lacks};
use crate::reach::{Reached, judge};

/// A keyword, the configuration without and with it, further arguments, and where it shows.
struct Case {
    keyword: &'static str,
    without: &'static str,
    with: &'static str,
    args: &'static [&'static str],
    seen: Seen,
}

const fn case(keyword: &'static str, without: &'static str, with: &'static str, seen: Seen) -> Case {
    Case { keyword, without, with, args: &[], seen }
}

const fn asked(case: Case, args: &'static [&'static str]) -> Case {
    Case { args, ..case }
}

const WHO: &str = "HostName {address}\nUser deploy\nIdentityFile {key}\nUserKnownHostsFile {known}\n";
const KEYLESS: &str = "HostName {address}\nUser deploy\nUserKnownHostsFile {known}\n";
const UNKNOWN: &str = "HostName {address}\nUser deploy\nIdentityFile {key}\n";
const PASSWORD: &[&str] = &["-e", "{ansible_password: deploy secret}"];
const ADMIN: &[&str] = &["-e", "{ansible_password: admin secret}"];

/// What is added to `without`, unless it begins with `=`: then it is all there is.
const CASES: &[Case] = &[
    case(
        "hostname",
        "User deploy\nIdentityFile {key}\nUserKnownHostsFile {known}",
        "HostName {address}",
        Has("I am deploy"),
    ),
    case(
        "user",
        "HostName {address}\nIdentityFile {key}\nUserKnownHostsFile {known}",
        "User deploy",
        Has("I am deploy"),
    ),
    case("identityfile", KEYLESS, "IdentityFile {key}", Has("I am deploy")),
    case("port", WHO, "Port 9", Has(":9: connection refused")),
    case("userknownhostsfile", UNKNOWN, "UserKnownHostsFile {known}", Has("I am deploy")),
    case("globalknownhostsfile", UNKNOWN, "GlobalKnownHostsFile {known}", Has("I am deploy")),
    case("stricthostkeychecking", UNKNOWN, "StrictHostKeyChecking no", Has("I am deploy")),
    case(
        "hashknownhosts",
        "HostName {address}\nUserKnownHostsFile {home}/filed\nStrictHostKeyChecking accept-new",
        "HashKnownHosts yes",
        Has("|1|"),
    ),
    case(
        "hostkeyalias",
        "HostName {address}\nUser deploy\nIdentityFile {key}\nUserKnownHostsFile {home}/aliased",
        "HostKeyAlias other.example",
        Has("I am deploy"),
    ),
    case("hostkeyalgorithms", WHO, "HostKeyAlgorithms rsa-sha2-512", Lacks("I am deploy")),
    case(
        "certificatefile",
        "HostName {address}\nUser deploy\nIdentityFile {home}/strange\nUserKnownHostsFile {known}",
        "CertificateFile {home}/strange.certificate",
        Has("I am deploy"),
    ),
    case("identityagent", KEYLESS, "IdentityAgent {home}/agent", Has("I am deploy")),
    case(
        "identitiesonly",
        "HostName {address}\nUser deploy\nIdentityFile {home}/strange\nIdentityAgent {home}/agent\nUserKnownHostsFile {known}",
        "IdentitiesOnly yes",
        Lacks("I am deploy"),
    ),
    case("pubkeyauthentication", WHO, "PubkeyAuthentication no", Lacks("I am deploy")),
    asked(case("passwordauthentication", KEYLESS, "PasswordAuthentication no", Lacks("I am deploy")), PASSWORD),
    asked(
        case(
            "kbdinteractiveauthentication",
            "HostName {address}\nUser admin\nUserKnownHostsFile {known}",
            "KbdInteractiveAuthentication no",
            Lacks("I am admin"),
        ),
        ADMIN,
    ),
    asked(
        case("preferredauthentications", WHO, "PreferredAuthentications password", Has("Accepted password")),
        PASSWORD,
    ),
    case(
        "batchmode",
        "HostName {address}\nUser deploy\nIdentityFile {home}/locked\nUserKnownHostsFile {known}",
        "BatchMode yes",
        Has("BatchMode forbids"),
    ),
    case("proxyjump", WHO, "ProxyJump gate", Has("for admin")),
    case(
        "proxycommand",
        WHO,
        "ProxyCommand ssh -F none -o UserKnownHostsFile={known} -i {key} -W localhost:%p admin@%h",
        Has("for admin"),
    ),
    case(
        "connecttimeout",
        "HostName 127.0.0.1\nPort {silent}\nServerAliveInterval 7",
        "=HostName 127.0.0.1\nPort {silent}\nConnectTimeout 1",
        Has("within 1 s"),
    ),
    case("addressfamily", WHO, "AddressFamily inet6", Has("no address of the wanted kind")),
    case("bindaddress", WHO, "BindAddress 10.77.0.2", Has("from 10.77.0.2")),
    case(
        "ignoreunknown",
        "HostName {address}\nUser deploy\nIdentityFile {key}\nUserKnownHostsFile {known}\nNoSuchThing yes",
        "=IgnoreUnknown nosuch*\nHostName {address}\nUser deploy\nIdentityFile {key}\nUserKnownHostsFile {known}\nNoSuchThing yes",
        Has("I am deploy"),
    ),
];

/// Keywords that tests of their own prove.
const OF_THEIR_OWN: [&str; 4] = ["compression", "checkhostip", "serveraliveinterval", "serveralivecountmax"];

/// The keywords that have a test.
pub(crate) fn tested() -> Vec<&'static str> {
    CASES.iter().map(|case| case.keyword).chain(OF_THEIR_OWN).collect()
}

const GATE: &str = "Host gate\nHostName {address}\nUser admin\nIdentityFile {key}\nUserKnownHostsFile {known}\n";

fn config(lines: &str) -> String {
    format!("Host t\n{lines}\n{GATE}")
}

/// A host whose sshd takes certificates, and asks admin questions instead of taking a password; an agent with the fleet's key.
fn prepared() -> (Reached, std::process::Child) {
    let host = Reached::new();
    let run = |argv: &[&str]| host.lease.run(argv.iter().map(|word| host.filled(word))).unwrap().ok().unwrap();
    run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "{home}/ca"]);
    run(&["ssh-keygen", "-q", "-s", "{home}/ca", "-I", "x", "-n", "deploy", "{home}/strange.pub"]);
    run(&["mv", "{home}/strange-cert.pub", "{home}/strange.certificate"]);
    host.lease.write("aliased", &host.filled("other.example {hostkey}\n")).unwrap();
    let machine = host.lease.host();
    machine.write("/etc/ssh/ca.pub", std::fs::read_to_string(host.at("ca.pub")).unwrap()).unwrap();
    let sshd = "TrustedUserCAKeys /etc/ssh/ca.pub\nMatch User admin\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\n";
    machine.write("/etc/ssh/sshd_config.d/zz.conf", sshd).unwrap();
    machine.sh("systemctl restart ssh").unwrap();
    let mut agent = host.lease.command("ssh-agent");
    let agent = agent.args(["-D", "-a", &host.at("agent")]).stdout(std::process::Stdio::null()).spawn().unwrap();
    while !std::path::Path::new(&host.at("agent")).exists() {
        std::thread::yield_now();
    }
    let mut add = host.lease.command("ssh-add");
    assert!(
        add.arg("-q").arg(host.lease.private_key()).env("SSH_AUTH_SOCK", host.at("agent")).status().unwrap().success()
    );
    // Gone with the fleet's network; there already if another test of this process was here.
    host.lease.run(["ip", "addr", "add", "10.77.0.2/16", "dev", "br0"]).unwrap();
    (host, agent)
}

#[test]
fn every_keyword_is_used_in_a_connection() {
    let (host, mut agent) = prepared();
    let mut wrong = Vec::new();
    for Case { keyword, without, with, args, seen } in CASES {
        let with = with.strip_prefix('=').map_or_else(|| format!("{without}\n{with}"), str::to_owned);
        let [with, without] = [with.as_str(), *without].map(|lines| {
            let said = host.who("t", &config(lines), args);
            let filed = host.at("filed");
            let text = std::fs::read_to_string(&filed).unwrap_or_default();
            // What one run files would be known to the next.
            drop(std::fs::remove_file(&filed));
            format!("{said}\n--- filed\n{text}")
        });
        wrong.extend(judge(keyword, seen, &with, &without));
    }
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(wrong.is_empty(), "{} keywords make no difference\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn compression_makes_less_of_what_is_sent() {
    let host = Reached::new();
    let target = format!("{}:22", host.lease.host().address());
    let proxy = Proxy::start(host.lease.namespace(), &target, Duration::ZERO).unwrap();
    let port = proxy.address().port();
    host.lease.write("ballast.yml", &format!("ballast: {}\n", "x".repeat(300_000))).unwrap();
    let text = std::fs::read_to_string(host.at("who.yml")).unwrap();
    host.lease.write("who.yml", &text.replace("I am", "{{ ballast | length }} I am")).unwrap();
    let sent = |more: &str| {
        let lines = format!(
            "HostName 127.0.0.1\nPort {port}\nHostKeyAlias {{address}}\nUser deploy\nIdentityFile {{key}}\nUserKnownHostsFile {{known}}\n{more}"
        );
        let before = proxy.traffic().up;
        let said = host.who("t", &config(&lines), &["-e", "@ballast.yml"]);
        assert!(said.contains("300000 I am deploy"), "{said}");
        proxy.traffic().up - before
    };
    // From the second time on the helper is there already: no more is sent than the plan.
    sent("");
    let (plain, packed) = (sent(""), sent("Compression yes"));
    assert!(plain > 300_000 && packed * 2 < plain, "{plain} bytes, compressed {packed}");
}

#[test]
fn the_address_is_looked_up_too_where_that_is_asked_for() {
    let host = Reached::new();
    let address = host.lease.host().address();
    // A name for the address that needs no server of names (inet_aton(3)).
    let name = format!("0x{:08x}", u32::from(address.parse::<std::net::Ipv4Addr>().unwrap()));
    let strange = std::fs::read_to_string(host.at("strange.pub")).unwrap();
    host.lease.write("both", &host.filled(&format!("{name} {{hostkey}}\n{address} {strange}"))).unwrap();
    let lines = format!("HostName {name}\nUser deploy\nIdentityFile {{key}}\nUserKnownHostsFile {{home}}/both");
    let [without, with] = ["", "CheckHostIP yes"].map(|more| host.who("t", &config(&format!("{lines}\n{more}")), &[]));
    assert!(without.contains("I am deploy") && !with.contains("I am deploy"), "{without}\n{with}");
}

#[test]
fn a_host_that_stops_answering_is_given_up_as_the_configuration_says() {
    let host = Reached::new();
    let freeze = "- {hosts: all, gather_facts: false, tasks: [{shell: \"kill -STOP $(ps -o ppid= -p $PPID)\"}]}\n";
    host.lease.write("who.yml", freeze).unwrap();
    let lost = |more: &str| {
        let begun = Instant::now();
        let said = host.who("t", &config(&format!("{WHO}{more}")), &[]);
        assert!(said.starts_with("exit Some(4)"), "{said}");
        begun.elapsed()
    };
    let lost = |every: u32, times: u32| lost(&format!("ServerAliveInterval {every}\nServerAliveCountMax {times}"));
    let (often, slow) = (lost(1, 12), lost(6, 2));
    let least = Duration::from_secs(10);
    assert!(often > least && slow > least, "twelve questions, or two but seldom: {often:?}, {slow:?}");
    // A machine that is busy only adds to it: one of a few tries is not held up.
    let tries: Vec<Duration> = (0..4).map(|_| lost(1, 2)).take_while(|soon| *soon > least).collect();
    assert!(tries.len() < 4, "two questions at once: {tries:?}");
}
