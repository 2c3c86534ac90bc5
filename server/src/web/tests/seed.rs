//! A record for tests: many hosts by few statements, and some things with a story by hand.

use jiff::Timestamp;
use rectify_core::{event::Event, plan::Mode};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::store::{Cause, Head, HeadHost, Recorder, Store};

/// When all of it is looked at.
pub(super) const NOW: &str = "2026-11-22T08:00:30Z";

pub(super) const HOUR: i64 = 3_600_000_000;

pub(super) fn now() -> i64 {
    NOW.parse::<Timestamp>().unwrap().as_microsecond()
}

/// A name that a host may give itself, to see what becomes of it.
pub(super) const EVIL: &str = "<script>alert(1)</script>\"'&\u{202e}evil";

/// Runs statements, each with `$1` = `n` if it asks for it.
async fn run(store: &Store, statements: &[String]) {
    let mut write = store.write().await.unwrap();
    for sql in statements {
        sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *write).await.unwrap_or_else(|e| panic!("{e}: {sql}"));
    }
    write.commit().await.unwrap();
}

/// `hosts` hosts that a schedule looked at every hour, `hours` times.
pub(super) async fn crowd(store: &Store, hosts: i64, hours: i64) {
    let now = now();
    let count = |most: i64| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})");
    let wave = |of: &str| {
        format!(
            "CASE WHEN {of} % 97 = 5 THEN 'failing' WHEN {of} % 89 = 7 THEN 'unreachable' WHEN {of} % 13 = 3 THEN 'drifted' \
             WHEN {of} % 17 = 4 THEN 'pending' WHEN {of} % 71 = 9 THEN 'held' ELSE 'fine' END"
        )
    };
    let diff = r#"{"kind":"value","before":"0666","after":"0644"}"#;
    let text = json!({"kind": "text", "unified": "@@ -1,3 +1,3 @@\n Port 22\n-PermitRootLogin yes\n+PermitRootLogin no\n X11Forwarding no\n", "added": 1, "removed": 1});
    let settings = "CASE t.i % 12 WHEN 0 THEN 'ssh.root' WHEN 1 THEN 'ssh.ciphers' WHEN 2 THEN 'sysctl.net' WHEN 3 THEN 'apache.tls' \
                    WHEN 4 THEN 'packages' WHEN 5 THEN 'motd' WHEN 6 THEN 'audit' WHEN 7 THEN 'cron' WHEN 8 THEN 'users' WHEN 9 THEN 'mounts' \
                    WHEN 10 THEN 'modules' ELSE 'banner' END";
    run(store, &[
        format!(
            "{} INSERT INTO hosts (id, name, owners, groups, state, since, last_look, last_good, last_run) \
             SELECT i, CASE WHEN i % 3 = 0 THEN 'db' WHEN i % 3 = 1 THEN 'web' ELSE 'app' END || SUBSTR(CAST(10000 + i AS TEXT), 2) || '.example.org', \
             '[\"team' || (i % 9) || '\"]', '[\"' || CASE WHEN i % 3 = 0 THEN 'db' WHEN i % 3 = 1 THEN 'web' ELSE 'app' END || '\",\"dc' || (i % 4) || '\"]', \
             {}, {now} - (i % 200) * {HOUR}, {now} - (i % 50) * 1000000, {now} - (i % 50) * 1000000, 'r{}' FROM n",
            count(hosts), wave("i"), 100_000 + hours
        ),
        format!(
            "{} INSERT INTO runs (id, began, ended, mode, cause, author, schedule, server, playbooks, version, hosts, exit_code) \
             SELECT 'r' || (100000 + i), {now} - ({hours} - i) * {HOUR} - 60000000, {now} - ({hours} - i) * {HOUR} - 5000000, 'check', 'schedule', 'hourly', \
             'hourly', 'control', '[\"site.yml\"]', '0.1.0', {hosts}, 2 FROM n",
            count(hours)
        ),
        format!(
            "{} INSERT INTO looks (host, at, run, state, took, changed, would, failed, findings) \
             SELECT h.id, {now} - ({hours} - n.i) * {HOUR} - h.id * 1000, 'r' || (100000 + n.i), {}, 400000 + (h.id % 70) * 10000, 0, \
             CASE WHEN (h.id + n.i) % 13 = 3 THEN 2 ELSE 0 END, CASE WHEN (h.id + n.i) % 97 = 5 THEN 1 ELSE 0 END, 0 FROM n CROSS JOIN hosts h",
            count(hours), wave("(h.id + n.i)")
        ),
        format!(
            "{} INSERT INTO items (host, thing, property, setting, task, origin, seen, wanted, remembered, known, cause, since, before, looks, difference, traces, run) \
             SELECT h.id, 'path:/etc/conf.d/' || t.i, 'mode', {settings}, 'Permissions of file ' || t.i, 'site.yml:' || (t.i * 7), '0644', '0644', '0644', 1, 'fine', \
             {now} - 900 * {HOUR}, NULL, 0, NULL, NULL, 'r{}' FROM n t CROSS JOIN hosts h",
            count(40), 100_000 + hours
        ),
        format!(
            "UPDATE items SET cause = 'drift', seen = '0666', looks = 3, since = {now} - (host % 40) * {HOUR}, before = {now} - (host % 40 + 1) * {HOUR}, difference = '{diff}' \
             WHERE host % 13 = 3 AND thing IN ('path:/etc/conf.d/5', 'path:/etc/conf.d/9')"
        ),
        format!(
            "UPDATE items SET cause = 'pending', seen = 'old', wanted = 'new', remembered = 'old', looks = 9, since = {now} - 12 * {HOUR}, before = {now} - 13 * {HOUR}, \
             difference = '{text}' WHERE host % 17 = 4 AND thing IN ('path:/etc/conf.d/12', 'path:/etc/conf.d/14')"
        ),
        format!(
            "{} INSERT INTO stances (host, setting, stage, mode, why, skip, at) SELECT h.id, {settings}, 'opt-out', \
             CASE WHEN t.i = 2 AND h.id % 3 = 0 THEN 'observe' WHEN t.i = 3 AND h.id % 3 <> 1 THEN 'off' WHEN h.id % 101 = 0 THEN 'off' ELSE 'enforce' END, \
             CASE WHEN h.id % 101 = 0 THEN 'skipped by team1' ELSE 'the setting has reached opt-out' END, \
             CASE WHEN h.id % 101 = 0 THEN 'team1 until 2027-03-01: an old client' ELSE NULL END, {now} FROM n t CROSS JOIN hosts h",
            count(12)
        ),
        format!(
            "{} INSERT INTO transitions (id, host, at, run, kind, old, new) SELECT 'r' || t.i || '/' || h.id || '/0', h.id, {now} - t.i * 31 * {HOUR} - h.id, 'r100001', \
             'state', CASE WHEN t.i % 2 = 0 THEN 'fine' ELSE 'drifted' END, CASE WHEN t.i % 2 = 0 THEN 'drifted' ELSE 'fine' END FROM n t CROSS JOIN hosts h",
            count(40)
        ),
        format!(
            "{} INSERT INTO rounds (id, schedule, due, state, began, ended, hosts, drifted, corrected) SELECT 'hourly@' || i, 'hourly', {now} - ({hours} - i) * {HOUR} - 30000000, 'done', \
             {now} - ({hours} - i) * {HOUR}, {now} - ({hours} - i) * {HOUR} + 95000000, {hosts}, {hosts} / 13, i % 3 FROM n",
            count(hours)
        ),
        format!(
            "{} INSERT INTO outbox (id, at, recipient, channel, subject, body, tries, next_try, delivered, trouble) SELECT 'n' || i, {now} - i * {HOUR}, 'team' || (i % 9), \
             'mailto:team' || (i % 9) || '@example.org', '2 hosts drifted', '{{}}', 1, {now}, {now} - i * {HOUR} + 2000000, NULL FROM n",
            count(hours.min(500))
        ),
    ])
    .await;
}

/// A host with everything that a host can have, and one that calls itself what nobody should.
pub(super) async fn stories(store: &Store) {
    let now = now();
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let object = |value: Value| quoted(&value.to_string());
    let evil = json!({"kind": "text", "unified": format!("@@ -1 +1 @@\n-<img src=x onerror=alert(2)>\n+</pre><script>{EVIL}</script>\n"), "added": 1, "removed": 1});
    let motd = json!({"kind": "text", "unified": "@@ -1,3 +1,4 @@\n Welcome.\n-Call 555 when it burns.\n+Call 112 when it burns.\n+This host is watched.\n Bye.\n", "added": 2, "removed": 1});
    let traces = json!([
        {"source": "file", "at": now - 5 * HOUR - 1_900_000_000, "what": "mtime of /etc/motd"},
        {"source": "audit", "at": now - 5 * HOUR - 1_900_000_000, "account": "mallory", "program": "/usr/bin/vim.basic", "what": "wrote /etc/motd"},
    ]);
    let list = json!({"kind": "value", "before": "[\"sudo\",\"docker\"]", "after": "[\"sudo\"]"});
    let item = |thing: &str,
                property: &str,
                setting: &str,
                cause: &str,
                seen: &str,
                wanted: &str,
                difference: &Value,
                traces: Option<&Value>| {
        format!(
            "INSERT INTO items (host, thing, property, setting, task, origin, seen, wanted, remembered, known, cause, since, before, looks, difference, traces, run) VALUES \
             (900001, {}, {}, {}, 'Message of the day', 'roles/base/tasks/main.yml:12', {}, {}, {}, 1, '{cause}', {}, {}, 5, {}, {}, 'r-told')",
            quoted(thing),
            quoted(property),
            if setting.is_empty() { "NULL".into() } else { quoted(setting) },
            quoted(seen),
            quoted(wanted),
            quoted(wanted),
            now - 5 * HOUR,
            now - 6 * HOUR,
            object(difference.clone()),
            traces.map_or_else(|| "NULL".to_owned(), |t| object(t.clone()))
        )
    };
    let host = |id: i64, name: &str, state: &str| {
        format!(
            "INSERT INTO hosts (id, name, owners, groups, state, since, last_look, last_good, last_run) VALUES ({id}, {}, '[\"team1\"]', '[\"web\",\"bastion\"]', '{state}', {}, {}, {}, 'r-told')",
            quoted(name),
            now - 5 * HOUR,
            now - 60_000_000,
            now - 60_000_000
        )
    };
    let who = json!([
        {"source": "audit", "at": now - 15 * HOUR - 1_900_000_000, "account": "trudy", "program": "/usr/bin/nano", "what": "changed /etc/motd"},
        {"source": EVIL, "what": EVIL, "account": EVIL, "program": EVIL},
    ]);
    let happened = |n: i64, kind: &str, old: &str, new: &str, thing: &str, difference: Option<&Value>| {
        format!(
            "INSERT INTO transitions (id, host, at, run, kind, old, new, thing, property, setting, cause, difference, traces) VALUES \
             ('r-told/900001/{n}', 900001, {}, 'r-told', '{kind}', '{old}', '{new}', {}, 'content', 'motd', {}, {}, {})",
            now - n * 5 * HOUR,
            if thing.is_empty() { "NULL".into() } else { quoted(thing) },
            if thing.is_empty() { "NULL" } else { "'drift'" },
            difference.map_or_else(|| "NULL".to_owned(), |d| object(d.clone())),
            difference.map_or_else(|| "NULL".to_owned(), |_| object(who.clone()))
        )
    };
    let look = |n: i64, state: &str| {
        format!(
            "INSERT INTO looks (host, at, run, state, took, would, failed, trouble) VALUES (900001, {}, 'r-told', '{state}', 812000, 3, 0, NULL)",
            now - n * HOUR
        )
    };
    let definition = json!({"name": "hourly", "playbooks": ["site.yml"], "limit": "web", "cron": "0 * * * * Europe/Berlin", "window": 1800, "missed": "run once",
        "policy": {"default": "report", "settings": {"motd": "correct"}}, "maintenance": [], "freezes": [], "budget": 5.0, "forks": 20});
    let mut statements = vec![
        host(900_001, "bastion.example.org", "drifted"),
        host(900_002, EVIL, "failing"),
        item("path:/etc/motd", "content", "motd", "drift", "sha256:aa", "sha256:bb", &motd, Some(&traces)),
        item(
            "path:/etc/motd",
            "mode",
            "motd",
            "both",
            "0666",
            "0644",
            &json!({"kind": "value", "before": "0666", "after": "0644"}),
            None,
        ),
        item("user:deploy", "groups", "users", "both", "[\"sudo\",\"docker\"]", "[\"sudo\"]", &list, None),
        item(
            "package:curl",
            "",
            "packages",
            "pending",
            "7.88",
            "8.0",
            &json!({"kind": "value", "before": "7.88", "after": "8.0"}),
            None,
        ),
        item("path:/root/.ssh/authorized_keys", "content", "", "new", "x", "y", &json!({"kind": "hidden"}), None),
        item(
            EVIL,
            "content",
            EVIL,
            "drift",
            EVIL,
            EVIL,
            &evil,
            Some(&json!([{"source": EVIL, "account": EVIL, "program": EVIL, "what": EVIL}])),
        ),
        format!(
            "INSERT INTO stances (host, setting, stage, mode, why, skip, at) VALUES (900001, 'motd', 'mandatory', 'enforce', 'the setting is mandatory', NULL, {now}), \
             (900001, 'users', 'announced', 'observe', 'not before 2026-12-01', NULL, {now}), (900001, 'packages', 'opt-out', 'off', 'skipped', {}, {now}), \
             (900001, {}, 'opt-out', 'off', {}, {}, {now})",
            quoted("team1 until 2027-01-31: the old client"),
            quoted(EVIL),
            quoted(EVIL),
            quoted(EVIL)
        ),
        happened(1, "state", "fine", "drifted", "", None),
        happened(2, "corrected", "drift", "fine", "path:/etc/motd", Some(&motd)),
        happened(3, "item", "fine", "drift", "path:/etc/motd", Some(&motd)),
        happened(4, "flapping", "drifted", "fine", "", None),
        look(1, "drifted"),
        look(2, "drifted"),
        look(3, "fine"),
        format!("INSERT INTO flapping (host, since) VALUES (900002, {})", now - 9 * HOUR),
        format!(
            "INSERT INTO holds (host, author, began, until, reason) VALUES ({}, 'eva', {}, {}, {})",
            quoted(EVIL),
            now - HOUR,
            now + 5 * HOUR,
            quoted(EVIL)
        ),
        format!(
            "INSERT INTO looks (host, at, run, state, took, failed, trouble) VALUES (900002, {}, 'r-told', 'failing', 812000, 1, {})",
            now - HOUR,
            quoted(EVIL)
        ),
        format!("UPDATE items SET remembered = 'sha256:{}' WHERE thing = 'user:deploy'", "0a".repeat(32)),
        format!(
            "INSERT INTO schedules (id, definition, due, last_round) VALUES ('hourly', {}, {}, 'hourly@now'), ('nightly', '{{}}', NULL, NULL)",
            object(definition),
            now + 1_700_000_000
        ),
        format!(
            "INSERT INTO rounds (id, schedule, due, state, why, began, hosts, drifted, corrected, author) VALUES ('hourly@now', 'hourly', {now}, 'stopped', \
             '120 of 240 hosts would be corrected, and the budget is 5 %', {now}, 240, 120, 0, {})",
            quoted(EVIL)
        ),
        format!(
            "INSERT INTO outbox (id, at, recipient, channel, subject, body, tries, next_try, delivered, dead, trouble) VALUES ('x1', {now}, {0}, {0}, {0}, '{{}}', 3, {1}, NULL, NULL, {0}), \
             ('x2', {now}, 'operators', 'https://hooks.example.org/services/T0KEN', '1 host is unreachable', '{{}}', 0, {now}, NULL, NULL, NULL), \
             ('x3', {now}, 'team2', 'mailto:gone@example.org', '3 hosts drifted', '{{}}', 9, {now}, NULL, {now}, 'mailbox gone')",
            quoted(EVIL),
            now + 90_000_000
        ),
        format!(
            "INSERT INTO actions (id, at, author, address, action, object, detail, outcome) VALUES ('a1', {now}, {0}, '127.0.0.1', 'hold', {0}, {1}, 'done')",
            quoted(EVIL),
            object(json!({ "reason": EVIL }))
        ),
        "INSERT INTO run_settings (run, setting, hosts, changed, would, failed) VALUES ('r-told', 'motd', 4, 0, 3, 0)"
            .to_owned(),
    ];
    statements.extend(told(store));
    run(store, &statements).await;
}

/// Two runs with folders: one that is over, and one that goes on.
fn told(store: &Store) -> Vec<String> {
    let now = now();
    let hosts = ["web1", "web2", "web3", EVIL, "down1", "down2"];
    let mut rows = Vec::new();
    for (run, over) in [("r-told", true), ("r-live", false)] {
        let began = if over { now - HOUR } else { now - 20_000_000 };
        let head = Head {
            run: run.into(),
            began,
            mode: Mode::Check,
            cause: Cause::Operator,
            author: "eva".into(),
            schedule: None,
            server: "control".into(),
            playbooks: vec!["site.yml".into()],
            version: "0.1.0".into(),
            inventory: "hosts.ini".into(),
            partial: false,
            hosts: hosts.iter().map(|name| HeadHost { name: (*name).into(), ..HeadHost::default() }).collect(),
        };
        let mut recorder = Recorder::begin(store.folder(), &head).unwrap();
        for (seq, what) in events(run, &hosts, over).into_iter().enumerate() {
            let mut event = json!({ "seq": seq, "at": began + i64::try_from(seq).unwrap() });
            event.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            recorder.take(&serde_json::from_value::<Event>(event).unwrap()).unwrap();
        }
        if over {
            recorder.finish().unwrap();
        } else {
            // It goes on as long as somebody holds its folder.
            std::mem::forget(recorder);
        }
        let (ended, code) =
            if over { ((now - HOUR + 45_000_000).to_string(), "4") } else { ("NULL".to_owned(), "NULL") };
        rows.push(format!(
            "INSERT INTO runs (id, began, ended, mode, cause, author, schedule, server, playbooks, version, hosts, exit_code) VALUES \
             ('{run}', {began}, {ended}, 'check', 'operator', 'eva', NULL, 'control', '[\"site.yml\"]', '0.1.0', 6, {code})"
        ));
    }
    rows
}

fn events(run: &str, hosts: &[&str], over: bool) -> Vec<Value> {
    let task = |id: u32, name: &str| json!({"id": id, "name": name, "module": "copy", "role": "base", "play": "Every host", "origin": {"file": "roles/base/tasks/main.yml", "line": 10 + id, "column": 3}, "handler": false});
    let tasks = json!([task(0, "Message of the day"), task(1, "Root cannot log in"), task(2, "Nothing to do")]);
    let report = |outcome: Value, changes: Value| {
        let mut all = json!({"outcome": "unchanged", "subject": "/etc/motd", "changes": changes, "findings": [], "messages": [], "took": 1000});
        all["outcome"] = outcome;
        all
    };
    let mut out = vec![
        json!({"event": "started", "run": run, "mode": "check", "playbooks": ["site.yml"], "hosts": hosts, "version": "0.1.0"}),
    ];
    for (n, host) in hosts.iter().enumerate() {
        out.push(json!({"event": "connecting", "host": host}));
        if host.starts_with("down") {
            out.push(json!({"event": "unreachable", "host": host, "failure": {"message": "no route to host", "causes": ["connecting to 10.0.0.9:22"], "hint": "see whether it is switched on"}}));
            continue;
        }
        out.push(json!({"event": "connected", "host": host, "tasks": tasks}));
        let text = if *host == EVIL {
            format!("@@ -1 +1 @@\n-{EVIL}\n+<b>x</b>\n")
        } else {
            "@@ -1 +1 @@\n-Call 555\n+Call 112\n".to_owned()
        };
        let changes =
            json!([{"property": "content", "diff": {"kind": "text", "unified": text, "added": 1, "removed": 1}}]);
        let outcomes = [
            (report(json!({"outcome": "would_change"}), changes), 0),
            (
                report(
                    json!({"outcome": "failed", "failure": {"message": "sshd_config: line 3: bad word", "causes": ["exit code 255"], "hint": "see sshd -t"}}),
                    json!([]),
                ),
                1,
            ),
            (report(json!({"outcome": "unchanged"}), json!([])), 2),
        ];
        for (report, id) in outcomes {
            out.push(json!({"event": "host", "host": host, "on_host": "task_started", "task": id, "name": tasks[id]["name"]}));
            if !over && n == 3 {
                return out;
            }
            out.push(json!({"event": "host", "host": host, "on_host": "task_finished", "task": id, "report": report}));
        }
        out.push(json!({"event": "host_finished", "host": host}));
    }
    out.push(json!({"event": "warning", "host": null, "message": EVIL}));
    out.push(json!({"event": "finished"}));
    out
}
