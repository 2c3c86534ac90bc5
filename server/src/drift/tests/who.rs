//! Who moved what, as long as transitions are kept.

use rectify_core::event::TaskReport;

use super::*;

/// What an audit log says of an account, so many minutes after a run began.
fn by(account: &str, run: &str, minutes: i64) -> Trace {
    let at = Some(head(run, &[]).began + minutes * 60_000_000);
    let program = Some("/usr/bin/vim".to_owned());
    Trace { source: "audit".into(), at, account: Some(account.into()), program, what: "changed /etc/motd".into() }
}

/// Takes in a run on host `a` whose items have these traces.
async fn saw(store: &Store, id: &str, verb: Mode, items: Vec<Item<'_>>, traces: &[Trace]) {
    let head = Head { mode: verb, ..head(id, &["a"]) };
    let mut all = events(&head, &[items]);
    for event in &mut all {
        if let RunEvent::Host { what: HostEvent::TaskFinished { report, .. }, .. } = &mut event.what {
            said(report, traces);
        }
    }
    take(store, &all, &head).await;
}

fn said(report: &mut TaskReport, traces: &[Trace]) {
    let open = !report.changes.is_empty();
    for thing in &mut report.kept.as_mut().unwrap().things {
        thing.traces = if open { traces.to_vec() } else { Vec::new() };
    }
}

/// The transitions of items, as `RUN KIND OLD NEW: ACCOUNTS`.
async fn who(store: &Store) -> Vec<String> {
    let query = "SELECT run || ' ' || kind || ' ' || old || ' ' || new || ': ' || COALESCE(traces, '') FROM transitions WHERE thing IS NOT NULL ORDER BY at, id";
    let short = |row: String| {
        let (what, traces) = row.split_once(": ").unwrap();
        let all: Vec<Trace> = if traces.is_empty() { Vec::new() } else { serde_json::from_str(traces).unwrap() };
        let all: Vec<String> = all.into_iter().map(|t| t.account.unwrap_or(t.source)).collect();
        format!("{what}: {}", all.join(" "))
    };
    texts(store, query).await.into_iter().map(short).collect()
}

#[test]
fn who_moved_it_is_known_after_it_was_corrected_and_an_index_that_is_made_again_knows_it_too() {
    both(|store| async move {
        let moved = || vec![mode("0666", "0644")];
        saw(&store, "run-1", Mode::Check, vec![mode("0644", "0644")], &[]).await;
        saw(&store, "run-2", Mode::Check, moved(), &[by("alice", "run-1", 7)]).await;
        saw(&store, "run-3", Mode::Apply, moved(), &[]).await;
        // Fixed by somebody, and then the policy moves, which nobody on the host did.
        saw(&store, "run-4", Mode::Check, moved(), &[by("bob", "run-3", 7)]).await;
        saw(&store, "run-5", Mode::Check, vec![mode("0644", "0644")], &[]).await;
        saw(&store, "run-6", Mode::Check, vec![mode("0644", "0600")], &[by("alice", "run-1", 7)]).await;
        let all = [
            "run-2 item fine drift: alice",
            "run-3 corrected drift fine: alice",
            "run-4 item fine drift: bob",
            "run-5 item drift fine: bob",
            "run-6 item fine pending: ",
        ];
        assert_eq!(who(&store).await, all);
        let before = "SELECT run FROM transitions WHERE before IS NOT NULL AND before < at ORDER BY at";
        assert_eq!(texts(&store, before).await, ["run-2", "run-3", "run-4", "run-5"]);
        for table in ["runs", "run_settings", "hosts", "looks", "items", "covers", "contents", "transitions", "stances"]
        {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(store.pool()).await.unwrap();
        }
        assert_eq!(store.catch_up().await.unwrap().taken, 6);
        assert_eq!(who(&store).await, all);
    });
}

#[test]
fn a_drift_that_a_plain_check_saw_first_learns_who_it_was_and_unlearns_nothing() {
    both(|store| async move {
        let moved = || vec![mode("0666", "0644")];
        let look = async |run: &str, items, traces: &[Trace]| {
            saw(&store, run, Mode::Check, items, traces).await;
            who(&store).await
        };
        look("run-1", vec![mode("0644", "0644")], &[]).await;
        assert_eq!(look("run-2", moved(), &[]).await, ["run-2 item fine drift: "]);
        let told = "UPDATE transitions SET told = 5";
        sqlx::query(told).execute(store.pool()).await.unwrap();
        let file = Trace { source: "file".into(), account: None, program: None, ..by("", "run-1", 7) };
        assert_eq!(look("run-3", moved(), &[file]).await, ["run-2 item fine drift: file"]);
        // Before the last look that did not see it: of another change.
        assert_eq!(look("run-4", moved(), &[by("carol", "run-1", -60)]).await, ["run-2 item fine drift: file"]);
        let alice = ["run-2 item fine drift: alice"];
        assert_eq!(look("run-5", moved(), &[by("alice", "run-1", 7)]).await, alice);
        assert_eq!(look("run-6", moved(), &[by("deploy", "run-5", 7)]).await, alice, "who came later");
        assert_eq!(
            texts(&store, "SELECT kind FROM transitions WHERE told IS NULL").await,
            [""; 0],
            "nobody is told anew"
        );
        // The policy moves as well: what the host did is what it was.
        let both = look("run-7", vec![mode("0666", "0600")], &[]).await;
        assert_eq!(both[1], "run-7 item drift both: deploy");
    });
}

#[test]
fn each_move_of_a_host_that_moves_further_has_its_own_author_and_is_not_told_of_again() {
    both(|store| async move {
        saw(&store, "run-1", Mode::Check, vec![mode("0644", "0644")], &[]).await;
        saw(&store, "run-2", Mode::Check, vec![mode("0600", "0644")], &[]).await;
        saw(&store, "run-3", Mode::Check, vec![mode("0777", "0644")], &[]).await;
        let states = "SELECT COUNT(*) || '' FROM transitions WHERE kind = 'state'";
        assert_eq!(texts(&store, states).await, ["2"], "new to fine, fine to drifted");
        saw(&store, "run-4", Mode::Check, vec![mode("0777", "0644")], &[by("bob", "run-2", 7)]).await;
        saw(&store, "run-5", Mode::Check, vec![mode("0600", "0644")], &[by("eve", "run-4", 7)]).await;
        saw(&store, "run-6", Mode::Apply, vec![mode("0600", "0644")], &[]).await;
        let all = [
            "run-2 item fine drift: ",
            "run-3 item drift drift: bob",
            "run-5 item drift drift: eve",
            "run-6 corrected drift fine: eve",
        ];
        assert_eq!(who(&store).await, all);
    });
}

#[test]
fn a_transition_has_few_traces_those_that_tell_most_in_bounds() {
    both(|store| async move {
        let evil = "x\0<b>\u{202e}'".repeat(10_000);
        let loud = |account: Option<&str>| {
            let account = account.map(str::to_owned);
            Trace { source: evil.clone(), what: evil.clone(), account, ..by("", "run-1", 7) }
        };
        let mut all = vec![loud(None); 31];
        all.push(loud(Some(&evil)));
        saw(&store, "run-1", Mode::Check, vec![mode("0644", "0644")], &[]).await;
        saw(&store, "run-2", Mode::Check, vec![mode("0666", "0644")], &all).await;
        let kept = texts(&store, "SELECT traces FROM transitions WHERE kind = 'item'").await;
        let traces: Vec<Trace> = serde_json::from_str(&kept[0]).unwrap();
        assert_eq!((traces.len(), traces[0].account.is_some()), (8, true));
        assert!(kept[0].len() < 8 * 4 * 1100, "{} bytes", kept[0].len());
    });
}
