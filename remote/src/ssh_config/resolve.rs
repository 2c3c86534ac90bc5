//! From lines to the configuration of one host: one or two passes over the files.

use std::net::IpAddr;
use std::path::Path;

use super::SshConfig;
use super::error::{ConfigError, Effect, LineError, Unsupported};
use super::expand::{Permit, Tokens};
use super::finish::{self, Asked};
use super::load::{ConfigFile, Line};
use super::matching::{self, Test};
use super::settings::{From, Settings};
use super::types::{ResolvedHost, Source};
use super::{exec, keywords, pattern, words};

/// Where an option stands that is in no file.
const OPTIONS: &str = "ssh options";

/// One walk over all files.
pub(super) struct Pass<'a> {
    config: &'a SshConfig,
    /// The name that was asked for.
    original: &'a str,
    /// The name that `Host` lines are compared with: the original one, in the last pass the one connected to.
    host: String,
    last: bool,
    wants_last: bool,
    pub(super) settings: Settings,
    notes: Vec<Unsupported>,
    pub(super) errors: Vec<LineError>,
}

/// Whether lines count.
#[derive(Clone, Copy)]
struct State {
    active: bool,
    /// Within an `Include` that does not count: nothing in it can.
    never: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn new(config: &'a SshConfig, original: &'a str) -> Self {
        Self {
            config,
            original,
            host: original.to_owned(),
            last: false,
            wants_last: false,
            settings: Settings::default(),
            notes: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Checks every line without applying any, and without running anything.
    pub(super) fn check(mut self) -> Vec<LineError> {
        self.walk_all(State { active: false, never: true });
        self.errors
    }

    /// Resolves `original` with what was asked for on the command line.
    pub(super) fn resolve(
        mut self,
        user: Option<&str>,
        port: Option<u16>,
        options: &[(String, String)],
    ) -> Result<ResolvedHost, ConfigError> {
        self.settings.user = user.map(str::to_owned);
        self.settings.port = port;
        for (at, (keyword, value)) in options.iter().enumerate() {
            let from = From { file: Path::new(OPTIONS), line: at + 1, of_user: true, active: true };
            if let Err(message) = self.settings.apply(&keywords::canonical(keyword), value, from) {
                self.errors.push(LineError { file: from.file.to_owned(), line: from.line, message });
            }
        }
        let all = State { active: true, never: false };
        self.walk_all(all);
        self.host = self.hostname()?;
        if self.wants_last {
            self.last = true;
            self.settings.hostname = Some(self.host.replace('%', "%%"));
            self.walk_all(all);
        }
        if !self.errors.is_empty() {
            return Err(ConfigError::Lines { lines: self.errors });
        }
        let asked = Asked { env: &self.config.env, original: self.original, hostname: &self.host };
        let mut unsupported = self.notes;
        unsupported.extend(self.settings.unsupported());
        finish::finish(self.settings, asked, unsupported, Source::Own)
    }

    fn walk_all(&mut self, state: State) {
        let config = self.config;
        for file in &config.files {
            self.walk(file, state);
        }
    }

    fn walk(&mut self, file: &ConfigFile, mut state: State) {
        for line in &file.lines {
            if let Err(message) = self.line(file, line, &mut state) {
                let error = LineError { file: file.path.clone(), line: line.number, message };
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
            }
        }
    }

    fn line(&mut self, file: &ConfigFile, line: &Line, state: &mut State) -> Result<(), String> {
        match line.keyword.as_str() {
            "host" => {
                let patterns = words::arguments(&line.rest).map_err(|_| "a quote is not closed")?;
                if patterns.is_empty() || patterns.iter().any(String::is_empty) {
                    return Err("empty argument after `host`".to_owned());
                }
                state.active = !state.never && matching::host_line(&self.host, &patterns);
            }
            "match" => {
                // The whole line has to be well quoted, though it is split in the other way.
                words::arguments(&line.rest).map_err(|_| "a quote is not closed")?;
                let criteria = matching::parse(&line.rest)?;
                state.active = !state.never && self.matches(&criteria, file, line)?;
            }
            "include" => {
                words::arguments(&line.rest).map_err(|_| "a quote is not closed")?;
                let within = State { active: state.active, never: state.never || !state.active };
                for included in &line.included {
                    self.walk(included, within);
                }
            }
            keyword => {
                let from = From { file: &file.path, line: line.number, of_user: file.of_user, active: state.active };
                self.settings.apply(keyword, &line.rest, from)?;
            }
        }
        Ok(())
    }

    fn matches(&mut self, criteria: &[matching::Criterion], file: &ConfigFile, line: &Line) -> Result<bool, String> {
        let host = self.match_host()?;
        let user = self.settings.user.clone().unwrap_or_else(|| self.config.env.user.clone());
        let mut result = true;
        for criterion in criteria {
            let holds = match &criterion.test {
                Test::All => true,
                Test::LastPass { asked_for } => {
                    self.wants_last |= asked_for;
                    self.last
                }
                Test::Host(list) => pattern::match_host(&host, list),
                Test::OriginalHost(list) => pattern::match_host(self.original, list),
                Test::User(list) => matching::user_list(&user, list),
                Test::LocalUser(list) => matching::user_list(&self.config.env.user, list),
                Test::Exec(_) | Test::Unknown(_) if !result => continue,
                Test::Exec(command) => match self.config.env.run_match_exec {
                    true => exec::succeeds(&self.config.env, &self.exec_command(command, &host, &user)?)?,
                    false => return Ok(self.cannot_tell(file, line)),
                },
                Test::Unknown(_) => return Ok(self.cannot_tell(file, line)),
            };
            result &= holds != criterion.negated;
        }
        Ok(result)
    }

    /// Nothing below such a line applies, and the user is told.
    fn cannot_tell(&mut self, file: &ConfigFile, line: &Line) -> bool {
        let note = Unsupported {
            option: format!("match {}", line.rest),
            file: file.path.clone(),
            line: line.number,
            effect: Effect::Destination,
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
        false
    }

    fn exec_command(&self, command: &str, host: &str, user: &str) -> Result<String, String> {
        let tokens = Tokens {
            env: &self.config.env,
            hostname: host,
            original: self.original,
            port: self.settings.port.unwrap_or(22),
            user,
            alias: self.settings.host_key_alias.as_deref(),
            jump: self.settings.jump.as_ref().map_or("", |(text, _)| text),
        };
        tokens.expand(command, Permit::Connection)
    }

    /// What `Match host` is compared with: the host name as far as it is known by now.
    fn match_host(&self) -> Result<String, String> {
        match &self.settings.hostname {
            Some(name) if !self.last => expand_hostname(name, self.original),
            _ => Ok(self.host.clone()),
        }
    }

    /// The name to connect to.
    fn hostname(&self) -> Result<String, ConfigError> {
        let Some(configured) = &self.settings.hostname else {
            return Ok(folded(self.original));
        };
        let expanded = expand_hostname(configured, self.original).map_err(|why| ConfigError::Expand {
            option: "HostName",
            value: configured.clone(),
            host: self.original.to_owned(),
            why,
        })?;
        Ok(folded(&expanded))
    }
}

/// `HostName` permits two tokens, and no more is known when it is needed.
fn expand_hostname(configured: &str, original: &str) -> Result<String, String> {
    let env = super::Env {
        home: Default::default(),
        user: String::new(),
        uid: 0,
        hostname: String::new(),
        vars: Default::default(),
        homes: Default::default(),
        run_match_exec: false,
    };
    let tokens = Tokens { env: &env, hostname: original, original, port: 22, user: "", alias: None, jump: "" };
    tokens.expand(configured, Permit::HostName)
}

/// Lower case for names, the shortest form for addresses.
fn folded(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        // An address with a scope, which OpenSSH leaves as it is.
        Err(_) if host.contains([':', '%']) => host.to_owned(),
        Err(_) => host.to_ascii_lowercase(),
    }
}
