//! Six hosts of three owners, the program with a clock of the test's own, and what its journal says.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rectify_tests::clock;
use rectify_tests::fleet::{Host, Output};
use rectify_tests::image::Image;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::binary;
use serde_json::Value;

use rectify_tests::mailbox::Server;

/// The setting that is rolled out.
pub(crate) const ID: &str = "login-notice";
/// Hosts, each with more variables. The first half of the hosts, by the hash of their names, are db1, app1 and app2.
const HOSTS: [(&str, &str); 6] = [
    ("web1", "owner: alpha, rollout_opt_in: [login-notice]"),
    ("web2", "owner: alpha"),
    ("db1", "owner: beta"),
    (
        "db2",
        "owner: beta, rollout_skip: {login-notice: {reason: a scanner reads the old text, owner: beta, until: 2027-04-12}}",
    ),
    ("app1", "owner: gamma"),
    (
        "app2",
        "owner: gamma, rollout_skip: {login-notice: {reason: a test compares it, owner: gamma, until: 2027-12-31}}",
    ),
];

pub(crate) const PLAYBOOK: &str = r#"- name: Logins
  hosts: all
  gather_facts: false
  tasks:
    - name: Notice before a login
      rollout: login-notice
      copy: {dest: /etc/issue.net, content: "Authorised use only.\n"}
"#;

/// The days are days in Berlin, where the clocks are changed on 28 March 2027.
pub(crate) const ROLLOUTS: &str = r#"timezone: Europe/Berlin
settings:
  login-notice:
    title: Whoever logs in reads who may
    reason: The lawyers want it, and attackers learn the release from the old text.
    impact: The first line before a login over the net is another one.
    skip: Nothing else is needed.
    verify: "Run `cat /etc/issue.net`."
    owner: security
    links: ["https://wiki.example.org/login-notice?a=1&b=2"]
    stages:
      opt-in: 2027-03-01
      announced: 2027-03-08
      opt-out: {50%: 2027-03-29, 100%: 2027-04-05}
      mandatory: 2027-05-10
"#;

pub(crate) struct World {
    lease: Lease,
    pub(crate) server: Server,
    /// The moment at which the program is run, in UTC.
    now: String,
    /// The commands, and what they printed.
    pub(crate) happened: RefCell<Vec<(String, String)>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let lease = pool::lease(&[Image::Debian; HOSTS.len()]).unwrap();
        let server = Server::start(&lease);
        let world = World { server, lease, now: String::new(), happened: RefCell::default() };
        let hosts: String = HOSTS
            .iter()
            .zip(world.lease.hosts())
            .map(|((name, vars), host)| {
                format!("    {name}: {{ansible_host: {}, ansible_port: {}, {vars}}}\n", host.address(), host.port())
            })
            .collect();
        let (key, known) = (world.lease.private_key(), world.lease.known_hosts());
        world.write("fleet.yml", &format!(
            "all:\n  vars:\n    ansible_user: root\n    ansible_ssh_private_key_file: {}\n    \
             ansible_ssh_common_args: -o UserKnownHostsFile={}\n    \
             contacts: {{alpha: alpha@example.org, beta: beta@example.org, gamma: gamma@example.org, security: security@example.org}}\n  \
             hosts:\n{hosts}", key.display(), known.display()));
        world.write("site.yml", PLAYBOOK);
        world.write("rollouts.yml", ROLLOUTS);
        world.write(
            "rectify.toml",
            &format!(
                "inventory = [\"fleet.yml\"]\nplaybooks = [\"site.yml\"]\n\
             [mail]\nserver = \"127.0.0.1:{}\"\nsecurity = \"none\"\nfrom = \"rectify <rectify@example.org>\"\n\
             [announce]\nsite = \"pages\"\nurl = \"https://changes.example.org\"\n",
                world.server.port
            ),
        );
        world
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.lease.write(name, text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.lease.home().join(name)
    }

    pub(crate) fn host(&self, name: &str) -> &Host {
        &self.lease.hosts()[HOSTS.iter().position(|(host, _)| *host == name).unwrap()]
    }

    /// Sets the clock: `2027-03-08 09:00`.
    pub(crate) fn at(&mut self, now: &str) -> &mut Self {
        self.now = format!("{now}:00");
        self
    }

    /// The program, which takes the moment for the present.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.lease.command(binary().unwrap());
        command.args(words);
        clock::set(&mut command, &self.now);
        command
    }

    /// Runs it: words at spaces, what follows a `|` as it is.
    pub(crate) fn run(&self, line: &str) -> Output {
        let (words, last) = line.split_once(" | ").map_or((line, None), |(words, last)| (words, Some(last)));
        let typed = last.map_or_else(|| words.to_owned(), |last| format!("{words} '{last}'"));
        let words: Vec<&str> = words.split(' ').chain(last).collect();
        let output = self.command(&words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let output = Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        self.happened.borrow_mut().push((typed, format!("{}{}", output.stdout, output.stderr)));
        output
    }

    /// Runs it and expects this exit code and these words.
    pub(crate) fn says(&self, line: &str, code: i32, words: &[&str]) -> String {
        let output = self.run(line);
        let all = output.stdout + &output.stderr;
        assert_eq!(output.code, Some(code), "{line}: {all}");
        for words in words {
            assert!(all.contains(words), "{line} does not say {words:?}: {all}");
        }
        all
    }

    /// Starts it and leaves it running.
    pub(crate) fn start(&self, line: &str) -> Child {
        let words: Vec<&str> = line.split(' ').collect();
        self.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The hosts that have the notice.
    pub(crate) fn noticed(&self) -> BTreeSet<&'static str> {
        let has = |name: &str| self.host(name).sh("cat /etc/issue.net 2>&1; true").unwrap() == "Authorised use only.\n";
        HOSTS.iter().map(|(name, _)| *name).filter(|name| has(name)).collect()
    }

    /// The lines of the journal; each of them is whole.
    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("rollouts.jsonl")).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many lines of a kind the journal has.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.journal().iter().filter(|record| record["kind"] == kind).count()
    }

    /// The id of the objection that nobody has answered.
    pub(crate) fn objections(&self) -> Vec<String> {
        let journal = self.journal();
        let answered = |id: &Value| journal.iter().any(|r| r["kind"] == "answered" && r["of"] == *id);
        let open = journal.iter().filter(|r| r["kind"] == "objection" && !answered(&r["id"]));
        open.map(|r| r["id"].as_str().unwrap().to_owned()).collect()
    }
}
