//! The other way: ask `ssh -G`, where a configuration has something that only OpenSSH understands.

use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{ConfigError, Effect};
use super::finish::{self, Asked};
use super::keywords::{self, Support};
use super::settings::{From, Settings};
use super::types::{ResolvedHost, Source};
use super::{Env, SshConfig};

impl SshConfig {
    /// Asks the program `ssh` to resolve the host. It runs the commands of `Match exec`.
    ///
    /// Only for configurations that can be handed to it: the default files, or a user's file alone.
    pub fn resolve_by_openssh(
        &self,
        ssh: &Path,
        host: &str,
        user: Option<&str>,
        port: Option<u16>,
    ) -> Result<ResolvedHost, ConfigError> {
        super::check_names(host, user)?;
        let mut command = Command::new(ssh);
        // Without a terminal there is nothing to warn about; the variables are those of our own resolver.
        command.args(["-G", "-T"]).env_clear().envs(&self.env.vars);
        let fail =
            |why: String| ConfigError::OpenSsh { command: format!("{} -G", ssh.display()), host: host.to_owned(), why };
        match (&self.user_file, &self.system_file) {
            _ if self.has_default_files() => {}
            (Some(file), None) => _ = command.arg("-F").arg(file),
            (None, None) => _ = command.args(["-F", "none"]),
            _ => return Err(fail("it cannot be told to use these two files".to_owned())),
        }
        if let Some(user) = user {
            command.args(["-l", user]);
        }
        if let Some(port) = port {
            command.args(["-p", &port.to_string()]);
        }
        let output =
            command.args(["--", host]).stdin(Stdio::null()).output().map_err(|error| fail(error.to_string()))?;
        if !output.status.success() {
            return Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        parse(&self.env, host, &String::from_utf8_lossy(&output.stdout)).map_err(|error| match error {
            Problem::Answer(why) => fail(why),
            Problem::Config(error) => error,
        })
    }
}

enum Problem {
    Answer(String),
    Config(ConfigError),
}

/// Reads what `ssh -G` prints: a keyword in lower case, a blank, the value, unquoted.
fn parse(env: &Env, original: &str, answer: &str) -> Result<ResolvedHost, Problem> {
    let from = From { file: Path::new("ssh -G"), line: 0, of_user: true, active: true };
    let mut settings = Settings::default();
    for (number, line) in (1..).zip(answer.lines()) {
        let Some((keyword, value)) = line.split_once(' ') else { continue };
        let from = From { line: number, ..from };
        let keyword = keywords::canonical(keyword);
        let done = match (keyword.as_str(), keywords::support(&keyword)) {
            ("proxycommand", _) => {
                settings.proxy_command = Some(value.to_owned());
                Ok(())
            }
            ("proxyjump", _) => settings.proxy_jump(value, from),
            ("userknownhostsfile", _) => {
                settings.user_known_hosts = Some(value.split(' ').map(str::to_owned).collect());
                Ok(())
            }
            ("globalknownhostsfile", _) => {
                settings.global_known_hosts = Some(value.split(' ').map(str::to_owned).collect());
                Ok(())
            }
            // The answer is about the canonical name already.
            ("canonicalizehostname", _) => Ok(()),
            (keyword, Support::Full) => settings.set(keyword, value, from),
            // These print their defaults too, which say nothing.
            (keyword, Support::Missing(Effect::Destination, _)) => settings.apply(keyword, value, from),
            ("revokedhostkeys" | "knownhostscommand" | "nohostauthenticationforlocalhost" | "verifyhostkeydns", _) => {
                settings.apply(&keyword, value, from)
            }
            _ => Ok(()),
        };
        done.map_err(Problem::Answer)?;
    }
    let hostname = settings.hostname.clone().ok_or_else(|| Problem::Answer("no host name in the answer".to_owned()))?;
    let unsupported = settings.unsupported().collect();
    finish::finish(settings, Asked { env, original, hostname: &hostname }, unsupported, Source::OpenSsh)
        .map_err(Problem::Config)
}
