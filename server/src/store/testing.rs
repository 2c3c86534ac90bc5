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

/// Runs a test on the records of two machines that share a PostgreSQL. Each has a folder of its own.
pub(crate) fn two<F, Done>(test: F)
where
    F: FnOnce(Store, Store) -> Done,
    Done: Future<Output = ()>,
{
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let settings = postgres();
    let of = |folder: &tempfile::TempDir| RecordSettings { folder: folder.path().into(), ..settings.clone() };
    block_on(async {
        let (one, two) = (Store::open(&of(&folders[0])).await.unwrap(), Store::open(&of(&folders[1])).await.unwrap());
        test(one.clone(), two.clone()).await;
        one.close().await;
        two.close().await;
    });
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

/// Runs as they are recorded.
pub(crate) mod run {
    use rectify_core::{
        event::{Diff, Event, Failure, HostEvent, Outcome, PropertyChange, RunEvent, TaskInfo, TaskReport},
        plan::{Mode, Origin, Rollout, RolloutMode, RolloutOn, TaskId},
    };

    use crate::store::{Cause, Head, HeadHost};

    /// When a run begins, by its id: its number in hours after a day in 2027.
    pub(crate) fn began(id: &str) -> i64 {
        let digits: String =
            id.chars().rev().take_while(char::is_ascii_digit).collect::<Vec<_>>().into_iter().rev().collect();
        1_800_000_000_000_000 + digits.parse::<i64>().unwrap() * 3_600_000_000
    }

    /// The head of a run on these hosts.
    pub(crate) fn head(id: &str, hosts: &[&str]) -> Head {
        let group =
            |name: &&str| HeadHost { name: (*name).into(), owners: vec!["alpha".into()], groups: vec!["web".into()] };
        Head {
            run: id.into(),
            began: began(id),
            mode: Mode::Check,
            cause: Cause::Operator,
            author: "root".into(),
            schedule: None,
            server: Head::this_server(),
            playbooks: vec!["site.yml".into()],
            version: "0.1.0".into(),
            inventory: " -i hosts".into(),
            partial: false,
            hosts: hosts.iter().map(group).collect(),
        }
    }

    /// The events of a run: per host the outcomes of its tasks, or why it was not reached.
    pub(crate) fn events(head: &Head, hosts: &[Result<Vec<Outcome>, &str>]) -> Vec<Event> {
        let names: Vec<String> = head.hosts.iter().map(|host| host.name.clone()).collect();
        let mut out = vec![RunEvent::Started {
            run: head.run.clone(),
            mode: head.mode,
            playbooks: head.playbooks.clone(),
            hosts: names.clone(),
            version: head.version.clone(),
        }];
        for (host, went) in names.iter().zip(hosts) {
            out.push(RunEvent::Connecting { host: host.clone() });
            match went {
                Err(why) => out.push(RunEvent::Unreachable { host: host.clone(), failure: Failure::new(*why) }),
                Ok(outcomes) => on_host(host, outcomes, &mut out),
            }
        }
        out.push(RunEvent::Finished);
        (0..)
            .zip(out)
            .map(|(seq, what)| Event { seq, at: head.began + i64::try_from(seq).unwrap() * 1000, what })
            .collect()
    }

    fn on_host(host: &str, outcomes: &[Outcome], out: &mut Vec<RunEvent>) {
        let task = |n: usize| TaskInfo {
            id: TaskId(u32::try_from(n).unwrap()),
            name: format!("task {n}"),
            module: "file".into(),
            role: None,
            play: "site".into(),
            origin: Origin { file: "site.yml".into(), line: 10 + u32::try_from(n).unwrap(), column: 3 },
            handler: false,
            rollout: (n == 0).then(|| Rollout {
                setting: "banner".into(),
                on: RolloutOn::Enforce,
                mode: RolloutMode::Enforce,
                why: "mandatory".into(),
            }),
        };
        out.push(RunEvent::Connected { host: host.into(), tasks: (0..outcomes.len()).map(task).collect() });
        for (n, outcome) in outcomes.iter().enumerate() {
            let TaskInfo { id, name, .. } = task(n);
            let mut report = TaskReport::of(outcome.clone());
            report.subject = format!("/etc/{n}");
            if matches!(outcome, Outcome::WouldChange | Outcome::Changed) {
                let diff = Diff::Value { before: Some("0644".into()), after: Some("0600".into()) };
                report.changes.push(PropertyChange { property: "mode".into(), diff });
            }
            for what in [
                HostEvent::TaskStarted { task: id, name },
                HostEvent::TaskFinished { task: id, report: Box::new(report) },
            ] {
                out.push(RunEvent::Host { host: host.into(), what });
            }
        }
        out.push(RunEvent::HostFinished { host: host.into() });
    }

    /// A check of so many hosts with so many tasks, every third of which would change something.
    pub(crate) fn check(id: &str, hosts: usize, tasks: usize) -> (Head, Vec<Event>) {
        let names: Vec<String> = (0..hosts).map(|n| format!("web{n}")).collect();
        let head = head(id, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let outcome = |n: usize| if n.is_multiple_of(3) { Outcome::WouldChange } else { Outcome::Unchanged };
        let all: Vec<_> = (0..hosts).map(|_| Ok((0..tasks).map(outcome).collect())).collect();
        let events = events(&head, &all);
        (head, events)
    }
}
