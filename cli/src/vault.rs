//! The vault passwords of a run: from files, from programs, from a person.

use std::{
    fs,
    io::IsTerminal,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use rectify_core::vault::{DEFAULT_LABEL, Keyring, Password, is_vaulted};

use crate::{config::Config, exit::Expected, hidden};

/// Which vault passwords.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Vault")]
pub(crate) struct Vaults {
    /// File with the vault password; one that may be executed is run and prints it; can be given several times
    #[arg(long, visible_alias = "vault-pass-file", value_name = "FILE")]
    pub(crate) vault_password_file: Vec<PathBuf>,
    /// Vault password of a vault id: `ID@FILE`, or `ID@prompt` to be asked; can be given several times
    #[arg(long, value_name = "ID@SOURCE")]
    pub(crate) vault_id: Vec<String>,
    /// Ask for the vault password
    #[arg(short = 'J', long, visible_alias = "ask-vault-password")]
    pub(crate) ask_vault_pass: bool,
}

/// Where a password comes from.
enum Source {
    File(PathBuf),
    Person,
}

impl Vaults {
    /// The passwords that command line, environment and `rectify.toml` name, as a keyring.
    ///
    /// # Errors
    /// A password that cannot be got.
    pub(crate) fn keyring(&self, config: &Config) -> Result<Keyring, Expected> {
        Ok(Keyring::new(self.passwords(config, false)?))
    }

    /// As [`Vaults::keyring`]; a `new` password is asked for twice.
    pub(crate) fn passwords(&self, config: &Config, new: bool) -> Result<Vec<Password>, Expected> {
        let mut found: Vec<Password> = Vec::new();
        for (label, source) in self.sources(config)? {
            found.push(password(&label, &source, new, &found)?);
        }
        Ok(found)
    }

    /// As [`Vaults::passwords`]; without any, a person is asked.
    pub(crate) fn required(&self, config: &Config, new: bool) -> Result<Vec<Password>, Expected> {
        let found = self.passwords(config, new)?;
        if found.is_empty() { Ok(vec![password(DEFAULT_LABEL, &Source::Person, new, &[])?]) } else { Ok(found) }
    }

    fn sources(&self, config: &Config) -> Result<Vec<(String, Source)>, Expected> {
        let mut out = Vec::new();
        for id in config.vault_ids.iter().chain(&self.vault_id) {
            out.push(identity(id)?);
        }
        let of_environment = ["RECTIFY_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"]
            .iter()
            .find_map(|name| std::env::var_os(name).filter(|file| !file.is_empty()))
            .map(PathBuf::from);
        let mut files = self.vault_password_file.clone();
        if files.is_empty() {
            files.extend(of_environment.or_else(|| config.vault_password_file.clone()));
        }
        out.extend(files.into_iter().map(|file| (DEFAULT_LABEL.to_owned(), Source::File(file))));
        if self.ask_vault_pass {
            out.push((DEFAULT_LABEL.to_owned(), Source::Person));
        }
        Ok(out)
    }
}

/// Reads `LABEL@SOURCE`, or a source without a label, and gets the password.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn from_identity(text: &str, new: bool) -> Result<Password, Expected> {
    let (label, source) = identity(text)?;
    password(&label, &source, new, &[])
}

/// The password in a file.
///
/// # Errors
/// A file that cannot be read, or an empty password.
pub(crate) fn from_file(file: &Path) -> Result<Password, Expected> {
    password(DEFAULT_LABEL, &Source::File(file.to_owned()), false, &[])
}

/// A new password from a person, asked for twice.
///
/// # Errors
/// If there is nobody to ask.
pub(crate) fn from_person() -> Result<Password, Expected> {
    password(DEFAULT_LABEL, &Source::Person, true, &[])
}

fn identity(text: &str) -> Result<(String, Source), Expected> {
    if text.contains(';') {
        return Err(Expected::usage(format!("--vault-id {text}: a vault id has no `;` in it")));
    }
    let (label, source) = text.split_once('@').unwrap_or((DEFAULT_LABEL, text));
    let label = if label.is_empty() { DEFAULT_LABEL } else { label };
    if source.is_empty() {
        return Err(Expected::usage(format!("--vault-id {text}: give it as ID@FILE or ID@prompt")));
    }
    let person = matches!(source, "prompt" | "prompt_ask_vault_pass");
    Ok((label.to_owned(), if person { Source::Person } else { Source::File(home(source)) }))
}

/// Files may be encrypted themselves, with a password that is known already.
fn password(label: &str, source: &Source, new: bool, known: &[Password]) -> Result<Password, Expected> {
    let bytes = match source {
        Source::Person => ask(label, new)?,
        Source::File(file) => {
            let text = read(label, file)?;
            if !is_vaulted(&text) {
                text
            } else {
                let keyring = Keyring::new(known.to_vec());
                let opened = keyring.open(&text);
                let (plain, _) = opened.map_err(|e| Expected::usage(format!("{}: {e}", file.display())))?;
                trimmed(&plain, is_line_end).to_vec()
            }
        }
    };
    if bytes.is_empty() {
        let from = match source {
            Source::Person => "what was typed".to_owned(),
            Source::File(file) => file.display().to_string(),
        };
        return Err(Expected::usage(format!("the vault password for `{label}` is empty: {from}")));
    }
    Ok(Password { label: label.to_owned(), bytes })
}

fn ask(label: &str, new: bool) -> Result<Vec<u8>, Expected> {
    let id = if label == DEFAULT_LABEL { String::new() } else { format!(" ({label})") };
    let ask = |prompt: String| {
        hidden::ask(&prompt).map_err(|e| {
            let hint = if std::io::stderr().is_terminal() { "" } else { "; give it with --vault-password-file" };
            Expected::usage(format!("asking for the vault password{id}: {e}{hint}"))
        })
    };
    let first = ask(format!("{} password{id}: ", if new { "New vault" } else { "Vault" }))?;
    if new && ask(format!("The same again{id}: "))? != first {
        return Err(Expected::usage("the two passwords are not the same"));
    }
    Ok(first.into_bytes())
}

fn read(label: &str, file: &Path) -> Result<Vec<u8>, Expected> {
    use std::os::unix::fs::PermissionsExt;
    let trouble = |e: std::io::Error| Expected::usage(format!("the vault password file {}: {e}", file.display()));
    let meta = fs::metadata(file).map_err(trouble)?;
    if meta.is_dir() {
        return Err(Expected::usage(format!("the vault password file {} is a folder", file.display())));
    }
    if meta.permissions().mode() & 0o111 != 0 {
        return run(label, file);
    }
    Ok(trimmed(&fs::read(file).map_err(trouble)?, |byte| byte.is_ascii_whitespace()).to_vec())
}

/// Runs a program that prints the password. One whose name ends in `-client` is told the vault id.
fn run(label: &str, file: &Path) -> Result<Vec<u8>, Expected> {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let mut command = Command::new(path);
    if file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("-client")) {
        command.args(["--vault-id", label]);
    }
    let output = command.stdin(Stdio::inherit()).stderr(Stdio::inherit()).output().map_err(|e| {
        let text = format!("running {} for the vault password: {e}", file.display());
        Expected::usage(format!("{text}; if it is no program, take away its permission to be executed"))
    })?;
    if !output.status.success() {
        let text = format!("{} gave no vault password for `{label}`: {}", file.display(), output.status);
        return Err(Expected::usage(text));
    }
    Ok(trimmed(&output.stdout, is_line_end).to_vec())
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn trimmed(bytes: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let start = bytes.iter().position(|byte| !drop(*byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !drop(*byte)).map_or(start, |at| at + 1);
    &bytes[start..end]
}

fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}
