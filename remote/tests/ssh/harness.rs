//! An sshd per test: throwaway keys in a temporary folder, one process per connection, on a port of its own.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rectify_remote::{
    HostKeyRefusal,
    helper::{Images, Start},
    known_hosts,
    session::{AskNobody, Connector, HostKey, HostKeys, Identity, Target},
};
use tempfile::TempDir;

/// A program by name, or a failure that says which package has it.
pub(crate) fn tool(name: &str, package: &str) -> PathBuf {
    let dirs = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let found = dirs.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{name}` is missing: install the Debian package `{package}`"))
}

pub(crate) fn run(program: &str, package: &str, args: &[&str]) -> String {
    let out = Command::new(tool(program, package)).args(args).stdin(Stdio::null()).output().expect("starts");
    assert!(out.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

pub(crate) fn keygen(args: &[&str]) {
    run("ssh-keygen", "openssh-client", args);
}

/// A fresh key of this kind without a passphrase; extra arguments go to ssh-keygen.
pub(crate) fn key(file: &Path, extra: &[&str]) {
    let file = file.display().to_string();
    let base: Vec<&str> =
        if extra.contains(&"-N") { vec!["-q", "-f", &file] } else { vec!["-q", "-N", "", "-f", &file] };
    keygen(&[&base[..], extra].concat());
}

pub(crate) fn public(file: &Path) -> String {
    fs::read_to_string(format!("{}.pub", file.display())).expect("a public key").trim().to_owned()
}

/// A server.
pub(crate) struct Sshd {
    pub(crate) dir: TempDir,
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// What is special about a server.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// Lines of sshd_config.
    pub(crate) config: &'a str,
    /// Shell commands to run first in the server's own mount namespace, `$DIR` being its folder.
    pub(crate) before: &'a str,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup<'_>) -> Self {
        assert!(rustix::process::geteuid().is_root(), "sshd and namespaces: run these tests as root");
        let sshd = tool("sshd", "openssh-server");
        fs::create_dir_all("/run/sshd").expect("sshd's own folder");
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        for kind in ["ed25519", "ecdsa", "rsa"] {
            key(&at(&format!("host_{kind}")), &["-t", kind]);
        }
        fs::create_dir(at("home")).expect("a home");
        let d = dir.path().display();
        // sshd starts bash, which reads ~/.bashrc: it must not be the developer's.
        let config = format!(
            "{}\nHostKey {d}/host_ed25519\nHostKey {d}/host_ecdsa\nHostKey {d}/host_rsa\nAuthorizedKeysFile {d}/authorized\n\
             StrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nSetEnv HOME={d}/home\nPrintMotd no\nMaxAuthTries 20\nLogLevel ERROR\n",
            setup.config.replace("$DIR", &d.to_string())
        );
        fs::write(at("config"), config).expect("writes");
        fs::write(at("authorized"), "").expect("writes");
        let inside = format!("export DIR={d}; {} exec {} -i -f {d}/config -E {d}/log", setup.before, sshd.display());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (connections, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, halt) = (Arc::clone(&connections), Arc::clone(&stop));
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if halt.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let other = OwnedFd::from(socket.try_clone().expect("a second handle"));
                let mut child = Command::new(tool("unshare", "util-linux"))
                    .args(["-m", "sh", "-c", &inside])
                    .stdin(OwnedFd::from(socket))
                    .stdout(other)
                    .stderr(Stdio::inherit())
                    .spawn()
                    .expect("starts sshd");
                std::thread::spawn(move || child.wait());
            }
        });
        Self { dir, port, connections, stop }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How many connections came in.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Lets the holder of this key in.
    pub(crate) fn authorize(&self, key: &Path) {
        let mut lines = fs::read_to_string(self.at("authorized")).expect("reads");
        lines.push_str(&public(key));
        lines.push('\n');
        fs::write(self.at("authorized"), lines).expect("writes");
    }

    /// A target without any credential, which believes every host key.
    pub(crate) fn target(&self) -> Target {
        Target::new("127.0.0.1", self.port, "root", Arc::new(TrustAll))
    }

    /// A target with an authorized key.
    pub(crate) fn with_key(&self) -> Target {
        let file = self.at("login");
        if !file.exists() {
            key(&file, &["-t", "ed25519"]);
            self.authorize(&file);
        }
        Target { identities: vec![identity(&file)], ..self.target() }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

pub(crate) fn identity(file: &Path) -> Identity {
    Identity { path: file.to_owned(), explicit: true }
}

pub(crate) fn connector() -> Connector {
    Connector::new(Arc::new(AskNobody))
}

/// Takes every key.
#[derive(Debug)]
pub(crate) struct TrustAll;

impl HostKeys for TrustAll {
    fn algorithms(&self, _: &known_hosts::Target<'_>) -> Vec<String> {
        Vec::new()
    }

    fn decide(&self, _: &known_hosts::Target<'_>, _: &HostKey) -> Result<(), HostKeyRefusal> {
        Ok(())
    }
}

/// A helper's stand-in that sends back what it gets, behind a frame that says who it runs as.
pub(crate) const HELPER: &str = "#!/bin/sh\ncase $1 in --self-test) echo rectify-host ok; exit ;; esac\n\
    who=$(id -un)\nprintf \"\\000\\000\\000\\\\$(printf %03o ${#who})%s\" $who\nexec cat\n";

pub(crate) fn start(dir: &Path) -> Start {
    let arch = run("uname", "coreutils", &["-m"]).trim().to_owned();
    let mut start = Start::new(Images::new([(arch, HELPER.as_bytes().to_vec())]));
    start.directories = vec![dir.display().to_string()];
    start.opening = vec![b"the plan".to_vec()];
    start
}

pub(crate) fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("changes the mode");
}
