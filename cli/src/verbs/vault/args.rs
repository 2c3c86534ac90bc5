//! The words of `rectify vault`: those of `ansible-vault`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::vault::Vaults;

/// `vault`.
#[derive(Debug, Args)]
pub(crate) struct Vault {
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What to do with encrypted files.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Encrypt files in place; without any, stdin to stdout
    Encrypt(Encrypt),
    /// Decrypt files in place; without any, stdin to stdout
    Decrypt(Decrypt),
    /// Show encrypted files
    View(Some),
    /// Edit an encrypted file
    Edit(Some),
    /// Write a new encrypted file in an editor
    Create(Create),
    /// Encrypt files with another password
    Rekey(Rekey),
    /// Encrypt a text, as a value for a YAML file
    #[command(visible_alias = "encrypt_string")]
    EncryptString(EncryptString),
}

/// `vault encrypt`.
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// The files; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the result here; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) with: With,
}

/// With which of several passwords something is encrypted.
#[derive(Debug, Args)]
pub(crate) struct With {
    /// The vault id to encrypt with, where there are several
    #[arg(long, value_name = "ID")]
    pub(crate) encrypt_vault_id: Option<String>,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

/// `vault decrypt`.
#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// The files; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the result here; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

/// `vault view`, `vault edit`.
#[derive(Debug, Args)]
pub(crate) struct Some {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

/// `vault create`.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The file, which is not there yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) with: With,
}

/// `vault rekey`.
#[derive(Debug, Args)]
pub(crate) struct Rekey {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// The new password of a vault id: `ID@FILE`, or `ID@prompt`
    #[arg(long, value_name = "ID@SOURCE", conflicts_with = "new_vault_password_file")]
    pub(crate) new_vault_id: Option<String>,
    /// File with the new password
    #[arg(long, value_name = "FILE")]
    pub(crate) new_vault_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vaults: Vaults,
}

/// `vault encrypt-string`.
#[derive(Debug, Args)]
pub(crate) struct EncryptString {
    /// The texts; without any, or with `-`, stdin. What stands here is seen by `ps` and the shell's history
    #[arg(value_name = "TEXT")]
    pub(crate) texts: Vec<String>,
    /// The variable's name; once for each text
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Vec<String>,
    /// The name of the variable that stdin is for
    #[arg(long, value_name = "NAME")]
    pub(crate) stdin_name: Option<String>,
    /// Ask for the text, without an echo
    #[arg(short, long, conflicts_with = "stdin_name")]
    pub(crate) prompt: bool,
    /// Write the result here; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) with: With,
}
