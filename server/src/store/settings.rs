//! Where the record is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use reqwest::Url;
use serde::{Deserialize, Deserializer};

/// Where the record is.
#[derive(Debug, Clone)]
pub struct RecordSettings {
    /// The folder of the runs and, unless `store` says otherwise, of the SQLite file.
    pub folder: PathBuf,
    /// The database of the index; `None` is `index.db` in the folder.
    pub store: Option<StoreUrl>,
}

impl RecordSettings {
    /// The record in this folder, its index beside the runs.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        RecordSettings { folder: folder.into(), store: None }
    }
}

/// `postgres://…` or `sqlite:PATH`. A password in it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Url),
}

impl StoreUrl {
    /// As sqlx takes it, the password included.
    pub(super) fn revealed(&self) -> String {
        match self {
            StoreUrl::Sqlite(path) => sqlite(path),
            StoreUrl::Postgres(url) => url.to_string(),
        }
    }
}

/// The file is there already when it is opened: one that disappeared meanwhile is not made anew behind our back.
fn sqlite(path: &Path) -> String {
    use std::{fmt::Write as _, os::unix::ffi::OsStrExt as _};
    let mut out = String::from("sqlite://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(*byte)),
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "use postgres://USER@HOST/DATABASE or sqlite:PATH";
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.trim_start_matches('/').is_empty() => {
                let path = path.strip_prefix("//").unwrap_or(path);
                Ok(StoreUrl::Sqlite(path.into()))
            }
            Some(("postgres" | "postgresql", _)) => match Url::parse(text) {
                Ok(url) if url.has_authority() => Ok(StoreUrl::Postgres(url)),
                // What cannot be read may have a password in it.
                _ => Err(format!("the store's URL cannot be read: {WANTED}")),
            },
            _ => Err(format!("the store is neither SQLite nor PostgreSQL: {WANTED}")),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            // Passwords may stand before the host and among the parameters.
            StoreUrl::Postgres(url) => {
                let mut shown = url.clone();
                let _ = shown.set_password(None);
                shown.set_query(None);
                shown.set_fragment(None);
                out.write_str(shown.as_str())
            }
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for text in ["postgres://u:s3cret@h:5432/d", "postgresql://u@h/d?password=s3cret&host=/run/postgresql"] {
            let url: StoreUrl = text.parse().unwrap();
            let settings = RecordSettings { folder: "/x".into(), store: Some(url.clone()) };
            for shown in [format!("{url}"), format!("{settings:?}")] {
                assert!(!shown.contains("s3cret") && shown.contains("://u@h"), "{shown}");
            }
            assert!(url.revealed().contains("s3cret"));
        }
        for wrong in
            ["postgres:u:s3cret@h", "mysql://u:s3cret@h/d", "postgres://u:s3cret@h:port/d", "s3cret", "sqlite:"]
        {
            let told = wrong.parse::<StoreUrl>().unwrap_err();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn any_path_is_a_sqlite_file() {
        let url: StoreUrl = "sqlite:/a b/#?%.db".parse().unwrap();
        assert_eq!(url.revealed(), "sqlite:///a%20b/%23%3F%25.db");
        assert_eq!("sqlite:///x.db".parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite("/x.db".into()));
        assert_eq!("sqlite:x.db".parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite("x.db".into()));
    }
}
