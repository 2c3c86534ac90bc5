//! The options as they accumulate: the first value wins, lists of files grow.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{Effect, Unsupported};
use super::jump::{self, JumpHost};
use super::keywords::{self, Support};
use super::pattern::{self, ListMatch};
use super::types::{AddressFamily, AlgorithmChoice, StrictHostKeys};
use super::values::{choice, flag, port, time};
use super::words;

/// As many as OpenSSH takes.
const MAX_IDENTITY_FILES: usize = 100;
const MAX_KNOWN_HOSTS_FILES: usize = 32;

/// Where a line stands, and whether it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct From<'a> {
    pub(super) file: &'a std::path::Path,
    pub(super) line: usize,
    pub(super) of_user: bool,
    /// Whether the conditions above it hold.
    pub(super) active: bool,
}

/// Files with whether the user configured them: OpenSSH drops repetitions among the user's and among the system's.
type Files = Vec<(String, bool)>;

#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) hostname: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) proxy_command: Option<String>,
    pub(super) jump: Option<(String, Vec<JumpHost>)>,
    pub(super) identity_files: Files,
    pub(super) certificate_files: Files,
    pub(super) identities_only: Option<bool>,
    pub(super) identity_agent: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) server_alive_interval: Option<Duration>,
    pub(super) server_alive_count_max: Option<u32>,
    pub(super) user_known_hosts: Option<Vec<String>>,
    pub(super) global_known_hosts: Option<Vec<String>>,
    pub(super) strict_host_key_checking: Option<StrictHostKeys>,
    pub(super) host_key_alias: Option<String>,
    pub(super) hash_known_hosts: Option<bool>,
    pub(super) check_host_ip: Option<bool>,
    pub(super) host_key_algorithms: Option<AlgorithmChoice>,
    pub(super) preferred_authentications: Option<String>,
    pub(super) pubkey_authentication: Option<bool>,
    pub(super) password_authentication: Option<bool>,
    pub(super) kbd_interactive_authentication: Option<bool>,
    pub(super) batch_mode: Option<bool>,
    pub(super) address_family: Option<AddressFamily>,
    pub(super) bind_address: Option<String>,
    pub(super) compression: Option<bool>,
    ignore_unknown: Option<String>,
    /// The first values of options that are not supported.
    missing: Vec<Missing>,
}

#[derive(Debug)]
struct Missing {
    keyword: String,
    value: String,
    file: PathBuf,
    line: usize,
    effect: Effect,
    matters: bool,
}

impl Settings {
    /// Applies a line. It is checked even where it does not count; the error says what is wrong with it.
    pub(super) fn apply(&mut self, keyword: &str, rest: &str, from: From<'_>) -> Result<(), String> {
        let arguments = words::arguments(rest).map_err(|_| "a quote is not closed".to_owned())?;
        match keywords::support(keyword) {
            Support::Full => {}
            Support::Harmless => return Ok(()),
            Support::Missing(effect, off) => {
                let value = arguments.join(" ");
                let off = off.iter().any(|word| word.eq_ignore_ascii_case(&value));
                // Distributions turn methods on for everybody; that is no wish of the user.
                let wished = from.of_user || effect != Effect::Authentication;
                self.miss(keyword, value, effect, !off && wished, from);
                return Ok(());
            }
            Support::Unknown => {
                let ignored = self
                    .ignore_unknown
                    .as_deref()
                    .is_some_and(|list| pattern::match_list(keyword, &list.to_ascii_lowercase()) == ListMatch::Yes);
                self.miss(keyword, arguments.join(" "), Effect::Destination, !ignored, from);
                return Ok(());
            }
        }
        match keyword {
            "proxycommand" => self.proxy_command(rest, from),
            "proxyjump" => self.proxy_jump(rest, from),
            "userknownhostsfile" => files(&mut self.user_known_hosts, arguments, from),
            "globalknownhostsfile" => files(&mut self.global_known_hosts, arguments, from),
            _ => match arguments.as_slice() {
                [] => Err(format!("no argument after `{keyword}`")),
                [value] if value.is_empty() => Err(format!("empty argument after `{keyword}`")),
                [value] => self.set(keyword, value, from),
                _ => Err(format!("extra arguments after `{keyword}`")),
            },
        }
    }

    /// Sets an option that takes one value.
    pub(super) fn set(&mut self, keyword: &str, value: &str, from: From<'_>) -> Result<(), String> {
        let active = from.active;
        let wrong = || format!("`{value}` is no value for `{keyword}`");
        let text = || value.to_owned();
        match keyword {
            "hostname" => first(&mut self.hostname, active, text()),
            "user" => first(&mut self.user, active, text()),
            "hostkeyalias" => first(&mut self.host_key_alias, active, text()),
            "bindaddress" => first(&mut self.bind_address, active, text()),
            "preferredauthentications" => first(&mut self.preferred_authentications, active, text()),
            "ignoreunknown" => first(&mut self.ignore_unknown, active, text()),
            "identityagent" => first(&mut self.identity_agent, active, text()),
            "port" => first(&mut self.port, active, port(value).ok_or_else(wrong)?),
            "identityfile" => add_file(&mut self.identity_files, value, from)?,
            "certificatefile" => add_file(&mut self.certificate_files, value, from)?,
            "connecttimeout" => first_time(&mut self.connect_timeout, active, value).ok_or_else(wrong)?,
            "serveraliveinterval" => first_time(&mut self.server_alive_interval, active, value).ok_or_else(wrong)?,
            "serveralivecountmax" => {
                let count: i32 = value.parse().map_err(|_| wrong())?;
                first(&mut self.server_alive_count_max, active, u32::try_from(count).map_err(|_| wrong())?);
            }
            "hostkeyalgorithms" => {
                first(&mut self.host_key_algorithms, active, AlgorithmChoice::parse(value).ok_or_else(wrong)?)
            }
            "stricthostkeychecking" => {
                first(&mut self.strict_host_key_checking, active, strict(value).ok_or_else(wrong)?)
            }
            "addressfamily" => first(&mut self.address_family, active, family(value).ok_or_else(wrong)?),
            "compression" => {
                let on = choice(value, &[("yes", true), ("no", false)]);
                first(&mut self.compression, active, on.ok_or_else(wrong)?);
            }
            "pubkeyauthentication" => {
                let on = choice(value, &[("unbound", true), ("host-bound", true)]).or_else(|| flag(value));
                first(&mut self.pubkey_authentication, active, on.ok_or_else(wrong)?);
            }
            _ => {
                let slot = match keyword {
                    "identitiesonly" => &mut self.identities_only,
                    "hashknownhosts" => &mut self.hash_known_hosts,
                    "checkhostip" => &mut self.check_host_ip,
                    "passwordauthentication" => &mut self.password_authentication,
                    "kbdinteractiveauthentication" => &mut self.kbd_interactive_authentication,
                    "batchmode" => &mut self.batch_mode,
                    _ => return Err(format!("`{keyword}` cannot be set")),
                };
                first(slot, active, flag(value).ok_or_else(wrong)?);
            }
        }
        Ok(())
    }

    fn miss(&mut self, keyword: &str, value: String, effect: Effect, matters: bool, from: From<'_>) {
        if from.active && !self.missing.iter().any(|missing| missing.keyword == keyword) {
            let missing = Missing {
                keyword: keyword.to_owned(),
                value,
                file: from.file.to_owned(),
                line: from.line,
                effect,
                matters,
            };
            self.missing.push(missing);
        }
    }

    pub(super) fn unsupported(&self) -> impl Iterator<Item = Unsupported> {
        self.missing.iter().filter(|missing| missing.matters).map(|missing| Unsupported {
            option: format!("{} {}", missing.keyword, missing.value),
            file: missing.file.clone(),
            line: missing.line,
            effect: missing.effect,
        })
    }

    /// The command is the rest of the line, quotes and all. Whichever of command and jump is first shuts the other out,
    /// but `ProxyJump none` shuts out later jumps only.
    fn proxy_command(&mut self, rest: &str, from: From<'_>) -> Result<(), String> {
        let command = rest.trim_start_matches([' ', '\t', '\r', '\n', '=']);
        let jumps = self.jump.as_ref().is_some_and(|(_, hosts)| !hosts.is_empty());
        first(&mut self.proxy_command, from.active && !jumps, command.to_owned());
        Ok(())
    }

    pub(super) fn proxy_jump(&mut self, rest: &str, from: From<'_>) -> Result<(), String> {
        let text = rest.trim_start_matches([' ', '\t', '\r', '\n', '=']);
        let text = text.split('#').next().unwrap_or_default().trim_end();
        let hosts = jump::parse(text).ok_or_else(|| format!("`{text}` is no value for `proxyjump`"))?;
        first(&mut self.jump, from.active && self.proxy_command.is_none(), (text.to_owned(), hosts));
        Ok(())
    }
}

fn first<T>(slot: &mut Option<T>, active: bool, value: T) {
    if active && slot.is_none() {
        *slot = Some(value);
    }
}

/// `none` is not a value that wins: OpenSSH goes on looking.
fn first_time(slot: &mut Option<Duration>, active: bool, value: &str) -> Option<()> {
    if value != "none" {
        first(slot, active, time(value)?);
    }
    Some(())
}

fn files(slot: &mut Option<Vec<String>>, files: Vec<String>, from: From<'_>) -> Result<(), String> {
    if files.is_empty() || files.iter().any(String::is_empty) {
        return Err("empty file name".to_owned());
    }
    if files.len() > MAX_KNOWN_HOSTS_FILES {
        return Err(format!("more than {MAX_KNOWN_HOSTS_FILES} files"));
    }
    first(slot, from.active, files);
    Ok(())
}

fn add_file(files: &mut Files, file: &str, from: From<'_>) -> Result<(), String> {
    let known = files.iter().any(|(name, of_user)| name == file && *of_user == from.of_user);
    if !from.active || known {
        return Ok(());
    }
    if files.len() >= MAX_IDENTITY_FILES {
        return Err(format!("more than {MAX_IDENTITY_FILES} files"));
    }
    files.push((file.to_owned(), from.of_user));
    Ok(())
}

fn strict(value: &str) -> Option<StrictHostKeys> {
    use StrictHostKeys::{AcceptNew, Ask, Off, Yes};
    choice(
        value,
        &[
            ("yes", Yes),
            ("true", Yes),
            ("ask", Ask),
            ("accept-new", AcceptNew),
            ("no", Off),
            ("false", Off),
            ("off", Off),
        ],
    )
}

fn family(value: &str) -> Option<AddressFamily> {
    choice(value, &[("any", AddressFamily::Any), ("inet", AddressFamily::Inet), ("inet6", AddressFamily::Inet6)])
}
