//! Three hosts of two owners, a mail server, and the program with a clock of the test's own.

use std::process::Command;

use rectify_tests::clock;
use rectify_tests::fleet::Host;
use rectify_tests::image::Image;
use rectify_tests::mailbox::Server;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::binary;

const HOSTS: [(&str, &str); 3] = [("web1", "alpha"), ("web2", "alpha"), ("db1", "beta")];

pub(crate) const PLAYBOOK: &str = r#"- name: Base
  hosts: all
  gather_facts: false
  tasks:
    - name: Message of the day
      copy: {dest: /etc/motd, content: "Authorised use only.\n", mode: "0644"}
    - name: Jobs run
      service: {name: cron, state: started, enabled: true}
"#;

pub(crate) const SCHEDULE: &str = r#"[[schedules]]
name = "hourly"
cron = "17 * * * *"
timezone = "Europe/Berlin"
mode = "correct"
"#;

pub(crate) struct World {
    lease: Lease,
    pub(crate) server: Server,
    /// The moment at which the program is run, in UTC.
    now: String,
    /// The commands, and what they printed.
    pub(crate) happened: Vec<(String, String)>,
}

impl World {
    pub(crate) fn new() -> Self {
        let lease = pool::lease(&[Image::Debian; HOSTS.len()]).unwrap();
        let server = Server::start(&lease);
        let hosts: String = HOSTS
            .iter()
            .zip(lease.hosts())
            .map(|((name, owner), host)| {
                let (address, port) = (host.address(), host.port());
                format!("    {name}: {{ansible_host: {address}, ansible_port: {port}, owner: {owner}}}\n")
            })
            .collect();
        let world = World { server, lease, now: String::new(), happened: Vec::new() };
        let (key, known) = (world.lease.private_key(), world.lease.known_hosts());
        let (key, known) = (key.display(), known.display());
        world.write(
            "fleet.yml",
            &format!(
                "all:\n  vars:\n    ansible_user: root\n    ansible_ssh_private_key_file: {key}\n    \
                 ansible_ssh_common_args: -o UserKnownHostsFile={known}\n    \
                 contacts: {{alpha: alpha@example.org, beta: beta@example.org}}\n  hosts:\n{hosts}"
            ),
        );
        world.write("site.yml", PLAYBOOK);
        world.schedule(SCHEDULE);
        world
    }

    /// Writes the configuration, with this schedule.
    pub(crate) fn schedule(&self, schedule: &str) {
        self.write(
            "rectify.toml",
            &format!(
                "inventory = [\"fleet.yml\"]\nplaybooks = [\"site.yml\"]\n[mail]\nserver = \"127.0.0.1:{}\"\nsecurity = \"none\"\nfrom = \"rectify <rectify@example.org>\"\n\
                 [notify]\noperators = [\"mailto:ops@example.org\"]\n{schedule}",
                self.server.port
            ),
        );
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.lease.write(name, text).unwrap();
    }

    pub(crate) fn host(&self, name: &str) -> &Host {
        &self.lease.hosts()[HOSTS.iter().position(|(host, _)| *host == name).unwrap()]
    }

    /// Sets the clock: `2027-03-08 09:00`.
    pub(crate) fn at(&mut self, now: &str) -> &mut Self {
        self.now = format!("{now}:00");
        self
    }

    /// Runs the program and expects this exit code and these words.
    pub(crate) fn says(&mut self, line: &str, code: i32, words: &[&str]) -> String {
        let mut command: Command = self.lease.command(binary().unwrap());
        command.args(line.split(' '));
        clock::set(&mut command, &self.now);
        let output = command.output().unwrap();
        let all = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        self.happened.push((line.to_owned(), all.clone()));
        assert_eq!(output.status.code(), Some(code), "{line}: {all}");
        for words in words {
            assert!(all.contains(words), "{line} does not say {words:?}: {all}");
        }
        all
    }
}
