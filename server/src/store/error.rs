//! What a database can refuse, each said with what to do about it.

use std::path::PathBuf;

use sqlx::error::DatabaseError;

/// Where the record's database is not known by name.
const SOMEWHERE: &str = "the record's database";

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer.
    #[error("{at} cannot be reached: {why}: see that it runs and that `store` in [record] names it")]
    Down {
        /// The database, without a password.
        at: String,
        /// What was heard of it.
        why: String,
    },
    /// The database lets nobody in who comes like this.
    #[error("{at} refuses: {why}: see the account, its password and its rights there")]
    Refused {
        /// The database, without a password.
        at: String,
        /// What it said.
        why: String,
    },
    /// There is no room left.
    #[error("{at} is full: {why}: make room there; runs that it lacks are taken in later")]
    Full {
        /// The database, without a password.
        at: String,
        /// What it said.
        why: String,
    },
    /// It can only be read.
    #[error("{at} is read-only: {why}: see the permissions of its file and folder, or that the server is no standby")]
    ReadOnly {
        /// The database, without a password.
        at: String,
        /// What it said.
        why: String,
    },
    /// Another program holds it.
    #[error("{at} is locked by another program for too long: {why}: see who has it open")]
    Locked {
        /// The database, without a password.
        at: String,
        /// What it said.
        why: String,
    },
    /// A newer rectify made it.
    #[error("{at} has schema {found} of a newer rectify, and this one knows {known}: use the newer program")]
    Newer {
        /// The database, without a password.
        at: String,
        /// Its schema.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// It is no database, or broken.
    #[error("{at} is damaged: {why}: move it away; the index is made again from the folders of the runs")]
    Corrupt {
        /// The database, without a password.
        at: String,
        /// What was found.
        why: String,
    },
    /// A file or folder of the record.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Anything else that the database says: a defect of this program, or of the database.
    #[error("asking {at}")]
    Query {
        /// The database, without a password.
        at: String,
        /// What it said.
        source: sqlx::Error,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::of(SOMEWHERE, error)
    }
}

impl StoreError {
    /// What a database's error means.
    pub fn of(at: &str, error: sqlx::Error) -> Self {
        let at = at.to_owned();
        match &error {
            sqlx::Error::Database(said) => match told(&**said) {
                Some(kind) => kind(at, said.message().to_owned()),
                None => StoreError::Query { at, source: error },
            },
            // It may quote the URL, and with it a password.
            sqlx::Error::Configuration(_) => {
                StoreError::Refused { at, why: "the parameters of its URL cannot be used".into() }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
                StoreError::Down { at, why: error.to_string() }
            }
            sqlx::Error::PoolTimedOut => StoreError::Down { at, why: "no connection could be had in time".into() },
            _ => StoreError::Query { at, source: error },
        }
    }
}

type Made = fn(String, String) -> StoreError;

/// What the code of an error means: five characters are a SQLSTATE (PostgreSQL, appendix A), fewer a result code of SQLite.
fn told(said: &dyn DatabaseError) -> Option<Made> {
    let code = said.code()?;
    if code.len() == 5 { of_postgres(&code) } else { of_sqlite(code.parse::<u32>().ok()? & 0xff) }
}

fn of_postgres(code: &str) -> Option<Made> {
    Some(match code {
        "53100" => |at, why| StoreError::Full { at, why },
        "25006" => |at, why| StoreError::ReadOnly { at, why },
        "55P03" => |at, why| StoreError::Locked { at, why },
        "XX001" | "XX002" => |at, why| StoreError::Corrupt { at, why },
        "3D000" | "42501" => |at, why| StoreError::Refused { at, why },
        _ if code.starts_with("28") => |at, why| StoreError::Refused { at, why },
        // Connections, resources, and an operator who ends the server.
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
            |at, why| StoreError::Down { at, why }
        }
        _ => return None,
    })
}

/// The primary result code: <https://www.sqlite.org/rescode.html>.
fn of_sqlite(code: u32) -> Option<Made> {
    Some(match code {
        5 | 6 => |at, why| StoreError::Locked { at, why },
        8 => |at, why| StoreError::ReadOnly { at, why },
        11 | 26 => |at, why| StoreError::Corrupt { at, why },
        13 => |at, why| StoreError::Full { at, why },
        3 | 10 | 14 => |at, why| StoreError::Down { at, why },
        _ => return None,
    })
}
