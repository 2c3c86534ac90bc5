//! `rectify vault`: encrypted files and values, in Ansible's format.

mod args;
mod editor;
mod place;

use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rectify_core::vault::{Keyring, Password, is_vaulted};

pub(crate) use args::Vault;
use args::{Create, Decrypt, Encrypt, EncryptString, Rekey, Some as Files, What, With};

use crate::{
    config::Config,
    exit::{self, Expected},
    hidden, vault,
};

/// Does what the command line asks for.
///
/// # Errors
/// What is wrong with the files or the passwords. A file that could not be dealt with is as it was.
pub(crate) fn run(args: &Vault) -> anyhow::Result<u8> {
    let config = Config::load()?;
    match &args.what {
        What::Encrypt(args) => encrypt(args, &config)?,
        What::Decrypt(args) => decrypt(args, &config)?,
        What::View(args) => view(args, &config)?,
        What::Edit(args) => edit(args, &config)?,
        What::Create(args) => create(args, &config)?,
        What::Rekey(args) => rekey(args, &config)?,
        What::EncryptString(args) => encrypt_string(args, &config)?,
    }
    Ok(exit::OK)
}

/// The password to encrypt with, and its label.
fn chosen(with: &With, config: &Config) -> Result<Password, Expected> {
    let mut all = with.vaults.required(config, true)?;
    let labels = || all.iter().map(|p| p.label.as_str()).collect::<Vec<_>>().join(", ");
    let at = match &with.encrypt_vault_id {
        Some(id) => all.iter().position(|p| p.label == *id).ok_or_else(|| {
            Expected::usage(format!(
                "--encrypt-vault-id {id}: there are passwords for these vault ids only: {}",
                labels()
            ))
        })?,
        None if all.len() > 1 => {
            let text = format!("there are passwords for several vault ids ({})", labels());
            return Err(Expected::usage(format!("{text}: say with --encrypt-vault-id which one to encrypt with")));
        }
        None => 0,
    };
    Ok(all.swap_remove(at))
}

fn sealed(password: &Password, text: &[u8]) -> anyhow::Result<String> {
    let mut salt = [0; 32];
    std::fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut salt))?;
    Ok(password.seal(text, Some(&password.label), salt))
}

/// The files, or stdin; several files and one output make no sense.
fn inputs(files: &[PathBuf], output: Option<&Path>) -> Result<Vec<PathBuf>, Expected> {
    if output.is_some() && files.len() > 1 {
        return Err(Expected::usage("--output takes the result of one file"));
    }
    Ok(if files.is_empty() { vec![PathBuf::from("-")] } else { files.to_vec() })
}

fn encrypt(args: &Encrypt, config: &Config) -> anyhow::Result<()> {
    let files = inputs(&args.files, args.output.as_deref())?;
    let password = chosen(&args.with, config)?;
    for file in files {
        let text = place::read(&file)?;
        if is_vaulted(&text) {
            return Err(Expected::usage(format!("{} is encrypted already", file.display())).into());
        }
        let to = args.output.as_deref().unwrap_or(&file);
        place::write(to, sealed(&password, &text)?.as_bytes(), place::Mode::Kept)?;
        say(to, "encrypted")?;
    }
    Ok(())
}

fn opened(keyring: &Keyring, file: &Path, text: &[u8]) -> Result<(Vec<u8>, Password), Expected> {
    let opened = keyring.open(text).map_err(|why| Expected::usage(format!("{}: {why}", file.display())))?;
    Ok((opened.0.to_vec(), opened.1.clone()))
}

fn decrypt(args: &Decrypt, config: &Config) -> anyhow::Result<()> {
    let files = inputs(&args.files, args.output.as_deref())?;
    let keyring = Keyring::new(args.vaults.required(config, false)?);
    for file in files {
        let (plain, _) = opened(&keyring, &file, &place::read(&file)?)?;
        let to = args.output.as_deref().unwrap_or(&file);
        place::write(to, &plain, place::Mode::Private)?;
        say(to, "decrypted")?;
    }
    Ok(())
}

fn view(args: &Files, config: &Config) -> anyhow::Result<()> {
    let keyring = Keyring::new(args.vaults.required(config, false)?);
    for file in &args.files {
        let (plain, _) = opened(&keyring, file, &place::read(file)?)?;
        if !std::io::stdout().is_terminal() || !page(&plain)? {
            std::io::stdout().write_all(&plain)?;
        }
    }
    Ok(())
}

/// Shows a text in the pager; false if there is none.
fn page(text: &[u8]) -> anyhow::Result<bool> {
    let words = std::env::var("PAGER").ok().filter(|pager| !pager.is_empty()).unwrap_or_else(|| "less".into());
    let Some((program, args)) =
        shlex::split(&words).and_then(|w| w.split_first().map(|(p, a)| (p.clone(), a.to_vec())))
    else {
        return Ok(false);
    };
    let Ok(mut pager) = Command::new(program).args(args).stdin(Stdio::piped()).spawn() else { return Ok(false) };
    if let Some(mut to) = pager.stdin.take() {
        // Left before its end: nothing is wrong with that.
        let _ = to.write_all(text);
    }
    pager.wait()?;
    Ok(true)
}

fn edit(args: &Files, config: &Config) -> anyhow::Result<()> {
    let keyring = Keyring::new(args.vaults.required(config, false)?);
    for file in &args.files {
        let text = place::read(file)?;
        let (plain, password) = opened(&keyring, file, &text)?;
        let label = rectify_core::vault::Envelope::parse(&text).ok().and_then(|e| e.label);
        let edited = editor::edit(file, &plain)?;
        if edited == plain {
            say(file, "unchanged")?;
            continue;
        }
        // The label stays, also where the password of another one opened it.
        let password =
            Password { label: label.unwrap_or_else(|| rectify_core::vault::DEFAULT_LABEL.into()), ..password };
        place::write(file, sealed(&password, &edited)?.as_bytes(), place::Mode::Kept)?;
        say(file, "encrypted")?;
    }
    Ok(())
}

fn create(args: &Create, config: &Config) -> anyhow::Result<()> {
    if args.file.exists() {
        return Err(
            Expected::usage(format!("{} is there already: use `rectify vault edit`", args.file.display())).into()
        );
    }
    let password = chosen(&args.with, config)?;
    let text = editor::edit(&args.file, b"")?;
    place::write(&args.file, sealed(&password, &text)?.as_bytes(), place::Mode::Kept)?;
    Ok(say(&args.file, "encrypted")?)
}

fn rekey(args: &Rekey, config: &Config) -> anyhow::Result<()> {
    let keyring = Keyring::new(args.vaults.required(config, false)?);
    // All are opened before one is written: half of them under another password would be of no use to anybody.
    let mut plain = Vec::new();
    for file in &args.files {
        plain.push((file, opened(&keyring, file, &place::read(file)?)?.0));
    }
    let password = match (&args.new_vault_id, &args.new_vault_password_file) {
        (Some(id), _) => vault::from_identity(id, true)?,
        (None, Some(file)) => vault::from_file(file)?,
        (None, None) => vault::from_person()?,
    };
    for (file, text) in plain {
        place::write(file, sealed(&password, &text)?.as_bytes(), place::Mode::Kept)?;
        say(file, "encrypted anew")?;
    }
    Ok(())
}

fn encrypt_string(args: &EncryptString, config: &Config) -> anyhow::Result<()> {
    let mut texts: Vec<(Option<String>, Vec<u8>)> = Vec::new();
    let mut names = args.name.iter().cloned();
    let given: Vec<&String> = args.texts.iter().filter(|text| *text != "-").collect();
    let from_stdin = args.texts.len() != given.len() || args.stdin_name.is_some() || (given.is_empty() && !args.prompt);
    if args.prompt && from_stdin {
        return Err(Expected::usage("--prompt and stdin do not go together").into());
    }
    let password = chosen(&args.with, config)?;
    if args.prompt {
        let text = hidden::ask("Text to encrypt: ")
            .map_err(|e| Expected::usage(format!("asking for the text: {e} (is there a terminal?)")))?;
        texts.push((names.next(), text.into_bytes()));
    }
    if from_stdin {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        texts.push((args.stdin_name.clone().or_else(|| if given.is_empty() { names.next() } else { None }), text));
    }
    texts.extend(given.into_iter().map(|text| (names.next(), text.clone().into_bytes())));
    let mut out = String::new();
    for (name, text) in texts {
        if text.is_empty() {
            return Err(Expected::usage("there is nothing to encrypt: the text is empty").into());
        }
        let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
        out.push_str(&format!("{name}!vault |\n"));
        for line in sealed(&password, &text)?.lines() {
            out.push_str(&format!("          {line}\n"));
        }
    }
    Ok(place::write(args.output.as_deref().unwrap_or(Path::new("-")), out.as_bytes(), place::Mode::Kept)?)
}

/// What was done, for a person; a pipe is not told.
fn say(file: &Path, what: &str) -> std::io::Result<()> {
    if file == Path::new("-") || !std::io::stderr().is_terminal() {
        return Ok(());
    }
    writeln!(std::io::stderr(), "{}: {what}", file.display())
}
