//! A booted host, reached in many ways: what the program said, and what the host wrote down about it.

use std::cell::Cell;

use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::binary;

use crate::local::{on_a_terminal, quoted};

/// Where an option shows.
pub(crate) enum Seen {
    /// With it, this is said; without it, it is not.
    Has(&'static str),
    /// With it, this is not said; without it, it is.
    Lacks(&'static str),
}

/// A host with what the cases name, and how much of its journal was read.
pub(crate) struct Reached {
    pub(crate) lease: Lease,
    read: Cell<usize>,
    silent: std::net::TcpListener,
}

impl Reached {
    /// A Debian host, a playbook `who.yml` that says who runs it, and keys of several kinds.
    pub(crate) fn new() -> Self {
        let lease = pool::debian().unwrap();
        lease.write("who.yml", &who("", "")).unwrap();
        let silent = lease.namespace().enter(|| Ok(std::net::TcpListener::bind("127.0.0.1:0")?)).unwrap();
        let made = Self { lease, read: Cell::new(0), silent };
        for (name, passphrase) in [("strange", ""), ("locked", "open sesame")] {
            let file = made.at(name);
            let made = made.lease.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", &file]).unwrap();
            made.ok().unwrap();
        }
        let locked = std::fs::read_to_string(made.at("locked.pub")).unwrap();
        made.lease.host().sh(&format!("echo '{}' >>/etc/ssh/fleet_keys", locked.trim())).unwrap();
        made.journal();
        made
    }

    /// A path in the controller's home.
    pub(crate) fn at(&self, name: &str) -> String {
        self.lease.home().join(name).to_string_lossy().into_owned()
    }

    /// A text with the places of this host in it.
    pub(crate) fn filled(&self, text: &str) -> String {
        text.replace("{address}", &self.lease.host().address())
            .replace("{key}", &self.lease.private_key().to_string_lossy())
            .replace("{known}", &self.lease.known_hosts().to_string_lossy())
            .replace("{hostkey}", self.lease.host().host_key())
            .replace("{silent}", &self.silent.local_addr().unwrap().port().to_string())
            .replace("{home}", &self.lease.home().to_string_lossy())
    }

    /// The arguments of a run: an inventory of one line, a configuration, and what else there is.
    fn argv(&self, verb: &str, inventory: &str, config: &str, more: &[&str]) -> Vec<String> {
        let hosts = self.lease.write("hosts", &format!("{}\n", self.filled(inventory))).unwrap();
        let config = self.lease.write("config", &self.filled(config)).unwrap();
        let [hosts, config] = [hosts, config].map(|path| path.to_string_lossy().into_owned());
        let program = binary().unwrap().to_string_lossy().into_owned();
        let mut argv = vec![program, verb.to_owned(), "-i".to_owned(), hosts, "--ssh-config".to_owned(), config];
        argv.extend(more.iter().map(|word| self.filled(word)));
        argv
    }

    /// What the program and the host say of a run of `who.yml`.
    pub(crate) fn who(&self, inventory: &str, config: &str, more: &[&str]) -> String {
        let more: Vec<&str> = ["who.yml"].iter().chain(more).copied().collect();
        self.run("apply", inventory, config, &more)
    }

    /// What the program and the host say of a run.
    pub(crate) fn run(&self, verb: &str, inventory: &str, config: &str, more: &[&str]) -> String {
        let said = self.lease.run(self.argv(verb, inventory, config, more)).unwrap();
        format!("exit {:?}\n{}\n{}\n--- journal\n{}", said.code, said.stdout, said.stderr, self.journal())
    }

    /// As [`Reached::run`], on a terminal at which somebody answers each question.
    pub(crate) fn on_a_terminal(
        &self,
        verb: &str,
        inventory: &str,
        config: &str,
        more: &[&str],
        answers: &[(&str, &str)],
    ) -> String {
        let line = quoted(&self.argv(verb, inventory, config, more));
        let shown = on_a_terminal(self.lease.command("script"), &line, answers);
        format!("{shown}\n--- journal\n{}", self.journal())
    }

    /// What the host wrote down since the last call.
    fn journal(&self) -> String {
        let all = self.lease.host().sh("journalctl --sync; journalctl -o cat --no-pager").unwrap();
        let new = all.get(self.read.get()..).unwrap_or_default().to_owned();
        self.read.set(all.len());
        new
    }
}

/// A playbook that says who runs it, with further keys for its play and its task.
pub(crate) fn who(play: &str, task: &str) -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n{play}  tasks:\n    - shell: echo $(id -un) of $(id -gn)\n      changed_when: false\n      register: who\n{task}    - debug: {{msg: \"I am {{{{ who.stdout }}}}\"}}\n"
    )
}

/// Whether an option makes the difference that it should make.
pub(crate) fn judge(name: &str, seen: &Seen, with: &str, without: &str) -> Option<String> {
    let (word, holds) = match seen {
        Seen::Has(word) => (word, with.contains(word) && !without.contains(word)),
        Seen::Lacks(word) => (word, without.contains(word) && !with.contains(word)),
    };
    (!holds).then(|| format!("=== {name}: {word:?}\n--- with it\n{with}\n--- without it\n{without}"))
}
