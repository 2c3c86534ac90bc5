//! Opening the record's database.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Row as _, Transaction, any::AnyPoolOptions};

use super::{RecordSettings, StoreError, StoreUrl, migrate};

/// How long the first connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of our own.
    Sqlite,
    /// A server, which others may share.
    Postgres,
}

impl Kind {
    /// How a transaction that writes begins. One of SQLite that reads first and writes then may find that another was quicker, and no patience
    /// helps: <https://www.sqlite.org/lang_transaction.html>.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN",
        }
    }
}

/// The record: the folder of the runs, and the database that they are looked up in. Clones share the connections.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    folder: PathBuf,
    at: String,
}

impl fmt::Debug for Store {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pool knows the password.
        out.debug_struct("Store").field("at", &self.at).field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, makes it where it is a file that is not there yet (readable by its owner alone), and brings its schema up to date.
    ///
    /// # Errors
    /// A database that is down, full, read-only where it would have to be written, damaged, or of a newer schema.
    pub async fn open(settings: &RecordSettings) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let url = settings.store.clone().unwrap_or_else(|| StoreUrl::Sqlite(settings.folder.join("index.db")));
        folder(&settings.folder)?;
        let (at, kind) = match &url {
            StoreUrl::Sqlite(path) => {
                make(path)?;
                (url.to_string(), Kind::Sqlite)
            }
            StoreUrl::Postgres(_) => (url.to_string(), Kind::Postgres),
        };
        // By a connection of its own: a pool tries again until its time is over, and then does not say why.
        let mut first = match tokio::time::timeout(CONNECT, AnyConnection::connect(&url.revealed())).await {
            Ok(connected) => connected.map_err(|e| StoreError::of(&at, e))?,
            Err(_) => return Err(StoreError::Down { at, why: "it does not answer".into() }),
        };
        prepare(&mut first, kind).await.map_err(|e| StoreError::of(&at, e))?;
        match &url {
            StoreUrl::Sqlite(path) => begin_sqlite(&mut first, path, &at).await?,
            StoreUrl::Postgres(_) if migrate::version(&mut first, kind, &at).await? < migrate::known() => {
                migrate::migrate(&mut first, kind, &at).await?;
            }
            StoreUrl::Postgres(_) => {}
        }
        // A goodbye that is not heard changes nothing.
        let _ = first.close().await;
        let options = AnyPoolOptions::new()
            .max_connections(if kind == Kind::Sqlite { 4 } else { 8 })
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(move |connection, _| Box::pin(prepare(connection, kind)));
        let pool = options.connect_lazy(&url.revealed()).map_err(|e| StoreError::of(&at, e))?;
        Ok(Store { pool, kind, folder: settings.folder.clone(), at })
    }

    /// The connections. For reading; who writes begins with [`Store::write`].
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction that may write; it is rolled back unless it is committed.
    ///
    /// # Errors
    /// A database that is down or locked.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, StoreError> {
        self.pool.begin_with(self.kind.begin()).await.map_err(|e| self.error(e))
    }

    /// Begins one beside which no run is taken in, and no host renamed: two that touch the same hosts in another order would wait for each other for ever.
    ///
    /// # Errors
    /// A database that is down or locked.
    pub(super) async fn alone(&self) -> Result<Transaction<'static, Any>, StoreError> {
        let mut write = self.write().await?;
        if self.kind == Kind::Postgres {
            let lock = sqlx::query("SELECT CAST(pg_advisory_xact_lock(7239401847) AS TEXT)");
            lock.fetch_all(&mut *write).await.map_err(|e| self.error(e))?;
        }
        Ok(write)
    }

    /// What an error of this database means, with its name.
    pub fn error(&self, error: sqlx::Error) -> StoreError {
        StoreError::of(&self.at, error)
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The folder of the record; the runs are in `runs` there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database's name for people, without a password.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes a folder that only its owner may enter, unless it is there.
fn folder(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| StoreError::File { doing: "making", path: path.to_owned(), source })
}

/// Makes an empty file, unless it is there. One that is there is not opened: closing it would give up the locks that SQLite holds on it in this
/// process (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
fn make(path: &Path) -> Result<(), StoreError> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        folder(parent)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::File { doing: "making", path: path.to_owned(), source }),
    }
}

/// What every connection is told first.
async fn prepare(connection: &mut AnyConnection, kind: Kind) -> Result<(), sqlx::Error> {
    if kind == Kind::Sqlite {
        let told = "PRAGMA busy_timeout = 30000; PRAGMA foreign_keys = OFF; PRAGMA synchronous = NORMAL;";
        sqlx::raw_sql(told).execute(connection).await?;
    }
    Ok(())
}

/// Sets up a new file: with a write-ahead log, so that who reads and who writes do not wait for each other, and with the present schema. A lock beside
/// it keeps others out meanwhile: changing the kind of log does not wait for its turn.
async fn begin_sqlite(connection: &mut AnyConnection, path: &Path, at: &str) -> Result<(), StoreError> {
    let found = migrate::version(connection, Kind::Sqlite, at).await?;
    if found == migrate::known() {
        return Ok(());
    }
    let lock = path.with_extension("lock");
    let error = |source| StoreError::File { doing: "locking", path: lock.clone(), source };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&lock).map_err(error)?;
    let held = tokio::task::spawn_blocking(move || flock(&file, FlockOperation::LockExclusive).map(|()| file));
    let held: File = match held.await {
        Ok(held) => held.map_err(|e| error(e.into()))?,
        Err(broke) => return Err(error(std::io::Error::other(broke))),
    };
    let mode = sqlx::query("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await;
    let mode = mode.and_then(|row| row.try_get::<String, _>(0)).map_err(|e| StoreError::of(at, e))?;
    if mode != "wal" {
        return Err(StoreError::Refused { at: at.to_owned(), why: format!("its journal stays {mode}") });
    }
    let done = migrate::migrate(connection, Kind::Sqlite, at).await;
    drop(held);
    done
}
