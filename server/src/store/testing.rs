//! Both databases, for tests: SQLite in a folder of its own, and one throwaway PostgreSQL for the test program.

use std::{
    future::Future,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::{RecordSettings, Store};

/// Runs a test on an empty record in SQLite, then on one in PostgreSQL. Each has a folder of its own.
pub(crate) fn both<F, Done>(test: F)
where
    F: Fn(Store) -> Done,
    Done: Future<Output = ()>,
{
    for settings in [RecordSettings::in_folder("unset"), postgres()] {
        let folder = tempfile::tempdir().unwrap();
        let settings = RecordSettings { folder: folder.path().join("record"), ..settings };
        block_on(async {
            let store = Store::open(&settings).await.unwrap();
            test(store.clone()).await;
            store.close().await;
        });
    }
}

/// Runs a future to its end, with timers and network.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// Settings with an empty database of the test program's PostgreSQL; the folder is for the test to set.
pub(crate) fn postgres() -> RecordSettings {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&server("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    RecordSettings { folder: "unset".into(), store: Some(server(&name).parse().unwrap()) }
}

/// The URL of a database there.
fn server(database: &str) -> String {
    format!("postgres://postgres@localhost/{database}?host={}", cluster().folder)
}

struct Cluster {
    folder: String,
    /// The server's keeper ends it when this end of the pipe closes, however the test program ends.
    _end: ChildStdin,
    _keeper: Child,
}

/// Starts a server on a socket in a temporary folder; as root, by the account `postgres`, since no other is accepted.
const KEEPER: &str = r#"
trap '' INT TERM
set -e
folder=$(mktemp -d /tmp/rectify-postgres-XXXXXX)
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then
  chown postgres "$folder"
  as() { setpriv --reuid postgres --regid postgres --init-groups -- "$@"; }
fi
cd "$folder"
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as "$bin/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$folder/log"
as "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/server.log" \
  -o "-k $folder -c listen_addresses= -c fsync=off -c shared_buffers=16MB -c max_connections=100" start >>"$folder/log" </dev/null
echo "$folder"
exec 1>&-
cat >/dev/null || true
as "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true
cd /
rm -rf "$folder"
"#;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        let folder = folder.trim().to_owned();
        assert!(!folder.is_empty(), "PostgreSQL did not start: is Debian's postgresql installed?");
        Cluster { folder, _end: keeper.stdin.take().unwrap(), _keeper: keeper }
    })
}
