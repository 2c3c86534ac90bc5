//! Accounts of the page itself: a file, and hashes by Argon2 (RFC 9106).

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use rectify_core::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::web::{PageError, settings::Role};

/// How large the file may be, bytes.
const MAX: u64 = 1 << 20;

/// The longest password that is looked at, bytes.
const LONGEST: usize = 1_024;

/// The file with the accounts. It is read for every request, so that who is taken out of it is out at once.
#[derive(Debug, Clone)]
pub(in crate::web) struct Users {
    path: PathBuf,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) role: Role,
    hash: String,
}

/// The hash of a password, as it stands in the file of accounts: Argon2id with the parameters that RFC 9106 recommends for little memory, or better.
///
/// # Errors
/// An empty password, or one of more than 1,024 bytes.
pub fn hash_password(password: &str) -> Result<String, String> {
    if password.is_empty() || password.len() > LONGEST {
        return Err(format!("a password has 1 to {LONGEST} bytes"));
    }
    let hash: Result<PasswordHash, _> = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|e| format!("the password cannot be hashed: {e}"))?.to_string())
}

impl User {
    /// What changes with the password, and gives neither it nor its hash away.
    pub(super) fn proof(&self) -> String {
        hex(&Sha256::digest(&self.hash))
    }
}

impl Users {
    pub(in crate::web) fn new(path: &Path) -> Self {
        Users { path: path.to_owned() }
    }

    /// Reads the file and says whether it can be used.
    pub(in crate::web) fn check(&self) -> Result<(), String> {
        let text = self.read()?;
        for (number, line) in lines(&text) {
            parse(line).map_err(|why| format!("{}, line {number}: {why}", self.path.display()))?;
        }
        Ok(())
    }

    /// The account of this name.
    pub(super) fn find(&self, name: &str) -> Result<Option<User>, PageError> {
        let text = self.read().map_err(PageError::Failed)?;
        let all = lines(&text).filter_map(|(_, line)| parse(line).ok());
        Ok(all.filter(|(known, _)| *known == name).map(|(_, user)| user).next())
    }

    fn read(&self) -> Result<String, String> {
        let error = |e: std::io::Error| format!("reading the accounts in {}: {e}", self.path.display());
        let file = std::fs::File::open(&self.path).map_err(error)?;
        let mut text = String::new();
        file.take(MAX).read_to_string(&mut text).map_err(error)?;
        Ok(text)
    }

    /// The account, if this is its password. It takes as long for an account that does not exist.
    pub(super) async fn verify(&self, name: &str, password: String) -> Result<Option<User>, PageError> {
        let user = self.find(name)?;
        let done = tokio::task::spawn_blocking(move || {
            if password.len() > LONGEST {
                return None;
            }
            let hash = user.as_ref().map_or(NOBODY, |user| user.hash.as_str());
            let right = Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
            user.filter(|_| right)
        });
        done.await.map_err(|_| PageError::Failed("the password could not be looked at".into()))
    }
}

/// A hash of the present parameters that no password has: all its bytes are zero.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let all = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    all.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn parse(line: &str) -> Result<(&str, User), String> {
    let mut parts = line.splitn(3, ':');
    let (Some(name), Some(role), Some(hash)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("it is not NAME:ROLE:HASH".into());
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("{name:?} is no name of an account: letters, digits, `-`, `_`, `.` and `@`"));
    }
    let role = Role::of(role).ok_or_else(|| format!("{role:?} is no role: reader or operator"))?;
    match PasswordHash::new(hash) {
        Ok(parsed) if parsed.algorithm.as_str().starts_with("argon2") => {}
        _ => return Err("the hash is none of Argon2: make one with `rectify serve hash-password`".into()),
    }
    Ok((name, User { role, hash: hash.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Users) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::fs::write(&path, text).unwrap();
        (folder, Users::new(&path))
    }

    #[tokio::test]
    async fn only_the_right_password_of_the_account_lets_in() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let (_folder, users) = file(&format!("# people\neva:operator:{hash}\n\ntom:reader:{hash}\n"));
        users.check().unwrap();
        for (name, role) in [("eva", Role::Operator), ("tom", Role::Reader)] {
            assert_eq!(users.verify(name, "correct horse".into()).await.unwrap().unwrap().role, role);
        }
        for (name, password) in [("eva", "wrong"), ("eva", ""), ("nobody", "correct horse"), ("", "")] {
            assert_eq!(users.verify(name, password.into()).await.unwrap(), None, "{name}");
        }
        let (_folder, gone) = file("");
        assert_eq!(gone.verify("eva", "correct horse".into()).await.unwrap(), None);
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let told = |text: &str| file(text).1.check().unwrap_err();
        assert!(told("\neva:operator:secret").contains("line 2: the hash"));
        assert!(told("eva:root:x").contains("no role"));
        assert!(told("eva").contains("NAME:ROLE:HASH"));
        assert!(told("e:v:a").contains("no role"));
        assert!(hash_password("").is_err());
    }
}
