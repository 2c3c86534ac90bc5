//! The record of runs: every verb and flag of it, on runs of this machine.

use std::path::Path;

use crate::flags::{folder, run};
use crate::local::{Folder, Said, said};

/// The ids of the runs that are recorded in a folder, the oldest first.
fn runs(record: &Path) -> Vec<String> {
    let all = std::fs::read_dir(record.join("runs")).into_iter().flatten();
    let mut names: Vec<String> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs something, and says the id that its record has.
fn recorded(folder: &Folder, words: &str) -> (String, Said) {
    let before = runs(&folder.path().join("record"));
    let said = run(folder, words);
    let mut new = runs(&folder.path().join("record"));
    new.retain(|run| !before.contains(run));
    assert_eq!(new.len(), 1, "{words}: {}", said.all());
    (new.remove(0), said)
}

/// What a verb prints, if it ends so.
fn prints(folder: &Folder, words: &str, code: i32) -> String {
    let said = run(folder, words);
    assert_eq!(said.code, Some(code), "{words}: {}", said.all());
    said.stdout
}

/// The first words of the lines that begin with a run's id.
fn listed(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_whitespace().next()).filter(|word| word.starts_with("20")).collect()
}

#[test]
fn runs_are_listed_by_host_setting_and_time() {
    let folder = folder();
    let (fleet, _) = recorded(&folder, "check fleet/site.yml -i fleet.yml HELPER");
    let (apply, _) = recorded(&folder, "apply site.yml -i hosts HELPER -l a");
    let all = prints(&folder, "runs", 0);
    assert_eq!(listed(&all), [&apply, &fleet]);
    let row = |run: &str| all.lines().find(|line| line.starts_with(run)).unwrap();
    assert!(row(&fleet).contains("check fleet/site.yml") && row(&fleet).contains("would change"), "{all}");
    assert!(row(&apply).contains("apply site.yml") && row(&apply).contains("as declared"), "{all}");
    assert_eq!(listed(&prints(&folder, "runs -l c", 0)), [&fleet]);
    assert!(prints(&folder, "runs -l a", 0).contains("1 changed"));
    // As for a check: names, patterns, groups, and what is left out.
    for (pattern, found) in [("[ac]", 2), ("b,c", 1), ("web", 2), ("all:!a", 1), ("~^(b|c)$", 1), ("x*", 0)] {
        let said = run(&folder, &format!("runs -l {pattern}"));
        assert_eq!((listed(&said.stdout).len(), said.code), (found, Some(0)), "{pattern}: {}", said.all());
        let hints = "warning: in the record, `x*` matches no host and no group";
        assert_eq!(said.stderr.contains(hints), found == 0, "{}", said.all());
    }
    let several = prints(&folder, "runs -l a,b,c", 0);
    assert!(
        several.lines().any(|row| row.starts_with(&fleet) && row.ends_with("1 pending, 2 fine: 1 would change")),
        "{several}"
    );
    let refused = run(&folder, "runs -l ~(");
    assert!(refused.code == Some(5) && refused.stderr.contains("invalid regular expression"), "{}", refused.all());
    assert_eq!(listed(&prints(&folder, "runs --setting banner", 0)), [&fleet]);
    assert_eq!(listed(&prints(&folder, "runs --since 1d", 0)).len(), 2);
    assert_eq!(prints(&folder, "runs --since 2090-01-01", 0), "");
    let refused = run(&folder, "runs --since yesterday");
    assert!(refused.code == Some(5) && refused.stderr.contains("such as 7d"), "{}", refused.all());
    let json: serde_json::Value = serde_json::from_str(&prints(&folder, "runs --json", 0)).unwrap();
    assert_eq!((json[0]["run"].as_str(), json[0]["exit_code"].as_i64()), (Some(apply.as_str()), Some(0)));
    assert_eq!(json[1]["playbooks"][0], "fleet/site.yml");
    let json: serde_json::Value = serde_json::from_str(&prints(&folder, "runs --json -l a", 0)).unwrap();
    assert_eq!((&json[0]["on"]["changed"], &json[0]["on"]["states"]["pending"]), (&1.into(), &1.into()));
}

#[test]
fn a_run_is_shown_as_it_was() {
    let folder = folder();
    let (first, printed) = recorded(&folder, "check site.yml -i hosts HELPER");
    let (second, _) = recorded(&folder, "check site.yml -i hosts HELPER -v");
    let shown = run(&folder, &format!("show {first}"));
    let (head, report) = shown.stdout.split_once('\n').unwrap();
    assert!(
        head.starts_with(&first) && head.contains("check of 3 hosts by ") && head.ends_with(": site.yml"),
        "{head}"
    );
    assert_eq!((report, shown.stderr.as_str(), shown.code), (printed.stdout.as_str(), "", Some(0)));
    assert!(prints(&folder, "show latest", 0).starts_with(&second));
    assert!(prints(&folder, &format!("show {second} -v"), 0).contains("quiet  site.yml"));
    assert!(!prints(&folder, &format!("show {second}"), 0).contains("quiet  site.yml"));
    let one = prints(&folder, "show latest --host b", 0);
    assert!(one.contains("  b  ") && !one.contains("  a  "), "{one}");
    for (words, said) in [
        ("show latest --host d", "d is no host of this run"),
        ("show 2", "is the beginning of several runs"),
        ("show 1999", "begins with \"1999\""),
        ("show ../record", "begins with"),
        ("show", "<RUN>"),
    ] {
        let refused = run(&folder, words);
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{words}: {}", refused.all());
    }
}

#[test]
fn a_run_is_replayed_word_for_word_also_one_that_broke_off() {
    let folder = folder();
    let (first, live) = recorded(&folder, "check site.yml -i hosts HELPER");
    let replayed = run(&folder, &format!("replay {first}"));
    assert_eq!((replayed.stdout, replayed.stderr, replayed.code), (live.stdout, live.stderr, Some(0)));
    let (settings, live) = recorded(&folder, "check fleet/site.yml -i fleet.yml HELPER");
    assert!(live.stdout.contains(" -p fleet/site.yml -i fleet.yml"), "{}", live.all());
    assert_eq!(prints(&folder, &format!("replay {settings}"), 0), live.stdout);
    let (second, live) = recorded(&folder, "check site.yml -i hosts HELPER --json");
    assert_eq!(prints(&folder, &format!("replay {second} --json"), 0), live.stdout);
    let (third, live) = recorded(&folder, "check site.yml -i hosts HELPER -v");
    assert_eq!(prints(&folder, &format!("replay {third} -v"), 0), live.stdout);
    // The machine went down in the middle of it.
    let file = folder.path().join("record/runs").join(&third).join("events.jsonl.gz");
    let events = std::fs::read(&file).unwrap();
    std::fs::write(&file, &events[..events.len() / 2]).unwrap();
    let broken = run(&folder, &format!("replay {third}"));
    assert!(broken.code == Some(0) && broken.stdout.contains("RECAP"), "{}", broken.all());
    assert!(broken.stderr.contains("the run broke off"), "{}", broken.all());
    std::fs::write(&file, "this is no record at all").unwrap();
    assert_eq!(run(&folder, &format!("replay {third}")).code, Some(3));
}

#[test]
fn a_run_is_replayed_as_fast_as_is_asked() {
    let folder = folder();
    let (id, live) = recorded(&folder, "check site.yml -i hosts HELPER --json");
    let at = |line: Option<&str>| serde_json::from_str::<serde_json::Value>(line.unwrap()).unwrap()["at"].as_i64();
    let took = at(live.stdout.lines().last()).unwrap() - at(live.stdout.lines().next()).unwrap();
    let replayed = |more: &str| {
        let began = std::time::Instant::now();
        (run(&folder, &format!("replay {id} --json{more}")), began.elapsed().as_micros())
    };
    for (speed, least) in [("1", took), ("0.5", 2 * took), ("1000000", 0)] {
        let (said, lasted) = replayed(&format!(" --speed {speed}"));
        assert_eq!((said.stdout, said.code), (live.stdout.clone(), Some(0)), "{speed}");
        assert!(lasted >= least.unsigned_abs().into(), "{speed}: {lasted} of {least}");
    }
    for wrong in ["0", "-1", "fast"] {
        let refused = replayed(&format!(" --speed={wrong}")).0;
        assert!(refused.code == Some(5) && refused.stderr.contains("number above 0"), "{}", refused.all());
    }
}

#[test]
fn two_runs_are_compared_by_host_and_thing() {
    let folder = folder();
    let (before, _) = recorded(&folder, "check site.yml -i hosts HELPER -l a");
    recorded(&folder, "apply site.yml -i hosts HELPER -l a");
    let (after, _) = recorded(&folder, "check site.yml -i hosts HELPER -l a,b");
    let told = prints(&folder, &format!("diff {before} {after}"), 2);
    assert!(told.contains("/two: absent, wanted present → present\n"), "{told}");
    assert!(told.contains("/two mode: absent, wanted 0644 → 0644\n"), "{told}");
    assert!(told.contains("b\n  + only in the second run"), "{told}");
    assert!(told.ends_with("0 hosts the same, 2 different\n"), "{told}");
    assert!(prints(&folder, &format!("diff {after} {before}"), 2).contains("only in the first run"));
    assert!(prints(&folder, &format!("diff {after} latest"), 0).ends_with("2 hosts the same, 0 different\n"));
    for words in ["diff latest", "diff latest 1999"] {
        assert_eq!(run(&folder, words).code, Some(5), "{words}");
    }
}

#[test]
fn a_run_is_written_for_other_programs() {
    let folder = folder();
    folder.write("fails.yml", "- hosts: a\n  gather_facts: false\n  tasks: [{name: =bad, command: \"false\"}]\n");
    recorded(&folder, "apply fails.yml -i hosts HELPER");
    let json: serde_json::Value = serde_json::from_str(&prints(&folder, "export latest --format json", 0)).unwrap();
    assert_eq!((json["exit_code"].as_i64(), json["results"][0]["host"].as_str()), (Some(3), Some("a")));
    let xml = prints(&folder, "export latest --format junit", 0);
    assert!(xml.contains("failures=\"1\"") && xml.contains("<testcase name=\"=bad\""), "{xml}");
    let sarif: serde_json::Value = serde_json::from_str(&prints(&folder, "export latest --format sarif", 0)).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "failed");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(
        (place["artifactLocation"]["uri"].as_str(), place["region"]["startLine"].as_i64()),
        (Some("fails.yml"), Some(3))
    );
    let csv = prints(&folder, "export latest --format csv", 0);
    assert!(csv.lines().nth(1).unwrap().contains(",'=bad,") && csv.lines().count() == 2, "{csv}");
    for words in ["export latest", "export --format csv", "export latest --format xlsx"] {
        assert_eq!(run(&folder, words).code, Some(5), "{words}");
    }
}

#[test]
fn old_runs_are_forgotten_but_for_the_newest_look_at_each_host() {
    let folder = folder();
    let record = folder.path().join("record");
    let (both, _) = recorded(&folder, "check site.yml -i hosts HELPER -l a,b");
    let (old, _) = recorded(&folder, "check site.yml -i hosts HELPER -l a");
    let (newest, _) = recorded(&folder, "check site.yml -i hosts HELPER -l a");
    assert!(prints(&folder, "runs prune --keep 1d", 0).contains("forgot 0 runs"));
    let dry = prints(&folder, "runs prune --keep 2090-01-01 --dry-run", 0);
    assert!(dry.starts_with(&format!("{old}\nwould forget 1 run (")) && dry.contains(&both), "{dry}");
    assert_eq!(runs(&record).len(), 3);
    let done = prints(&folder, "runs prune --keep 2090-01-01", 0);
    assert!(done.contains("forgot 1 run ("), "{done}");
    assert_eq!(runs(&record), [both.clone(), newest.clone()]);
    assert_eq!(listed(&prints(&folder, "runs", 0)), [newest, both]);
    assert_eq!(run(&folder, "runs prune").code, Some(5));
}

#[test]
fn a_host_that_is_gone_is_forgotten_by_its_name() {
    let folder = folder();
    let (both, _) = recorded(&folder, "check site.yml -i hosts HELPER -l a,b");
    assert_eq!(prints(&folder, "runs forget b", 0), "forgot b\n");
    assert_eq!(listed(&prints(&folder, "runs -l a", 0)), [both.as_str()]);
    assert!(listed(&prints(&folder, "runs -l b", 0)).is_empty());
    assert_eq!(listed(&prints(&folder, "runs", 0)), [both]);
    let unknown = run(&folder, "runs forget b nobody a");
    assert!(unknown.code == Some(5) && unknown.stderr.contains("no host nobody is recorded"), "{}", unknown.all());
    assert_eq!(unknown.stdout, "forgot a\n", "those that are known are forgotten all the same");
}

#[test]
fn a_host_that_has_another_name_keeps_its_history() {
    let folder = folder();
    let (old, _) = recorded(&folder, "apply site.yml -i hosts HELPER -l a");
    folder.write("hosts", &format!("z ansible_connection=local\n[all:vars]\nfolder={}\n", folder.at("")));
    folder.write("two", "another line\n");
    let drift = || run(&folder, "drift site.yml -i hosts HELPER --json");
    let cause =
        |said: &Said, cause: &str| said.code == Some(2) && said.stdout.contains(&format!("\"cause\": \"{cause}\""));
    let before = drift();
    assert!(cause(&before, "new"), "{}", before.all());
    let done = prints(&folder, "runs rename a z", 0);
    assert_eq!(done, "a is z now, with what was known by that name already\n");
    assert!(listed(&prints(&folder, "runs -l a", 0)).is_empty());
    let all = prints(&folder, "runs -l z", 0);
    assert!(listed(&all).len() == 2 && listed(&all)[1] == old, "{all}");
    let after = drift();
    assert!(cause(&after, "drift"), "what the last run left is known: {}", after.all());
    for (words, why) in [("a y", "no host a is recorded"), ("z z", "z is its name already")] {
        let refused = run(&folder, &format!("runs rename {words}"));
        assert!(refused.code == Some(5) && refused.stderr.contains(why), "{}", refused.all());
    }
    // An index that is made again knows it too.
    for file in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join("record").join(file));
    }
    assert_eq!(listed(&prints(&folder, "runs -l z", 0)).len(), 3);
    assert!(listed(&prints(&folder, "runs -l a", 0)).is_empty());
    // It cannot have been two.
    folder.write("hosts", &format!("z\ny\n[all:vars]\nansible_connection=local\nfolder={}\n", folder.at("")));
    recorded(&folder, "check site.yml -i hosts HELPER");
    let apart = run(&folder, "runs rename z y");
    assert!(apart.code == Some(5) && apart.stderr.contains("two hosts side by side"), "{}", apart.all());
}

/// Runs a check without anything in the environment that names a record.
fn check(folder: &Folder, environment: &[(&str, &str)]) -> Said {
    let helper = folder.at("helper");
    let mut command = folder.command(&["check", "site.yml", "-i", "hosts", "-l", "a", "--helper-dir", &helper]);
    command.env_remove("RECTIFY_RECORD").envs(environment.iter().copied());
    said(&mut command)
}

#[test]
fn the_record_is_where_the_environment_or_the_project_says() {
    let folder = folder();
    folder.write("rectify.toml", "[record]\nfolder = \"kept\"\nstore = \"sqlite:elsewhere/of runs.db\"\n");
    let kept = check(&folder, &[]);
    assert_eq!((kept.code, runs(&folder.path().join("kept")).len()), (Some(2), 1), "{}", kept.all());
    assert!(folder.path().join("elsewhere/of runs.db").is_file() && !folder.path().join("kept/index.db").exists());
    check(&folder, &[("RECTIFY_RECORD", "other")]);
    assert_eq!(["other", "kept"].map(|place| runs(&folder.path().join(place)).len()), [1, 1]);
    for wrong in ["mysql://u:s3cret@h/d", "u:s3cret"] {
        folder.write("rectify.toml", &format!("[record]\nstore = \"{wrong}\"\n"));
        let refused = check(&folder, &[]);
        assert!(refused.code == Some(5) && refused.stderr.contains("use postgres://"), "{}", refused.all());
        assert!(!refused.all().contains("s3cret"), "{}", refused.all());
    }
}

#[test]
fn a_record_that_cannot_be_written_stops_no_run_and_one_without_its_database_is_caught_up() {
    let folder = folder();
    let refused = check(&folder, &[("RECTIFY_RECORD", "/proc/nowhere")]);
    assert!(refused.code == Some(2) && refused.stderr.contains("this run is not recorded"), "{}", refused.all());
    assert!(!refused.stderr.contains("index"), "{}", refused.all());
    let kept = [("RECTIFY_RECORD", "kept")];
    folder.write("rectify.toml", "[record]\nstore = \"postgres://u:s3cret@127.0.0.1:9/runs\"\n");
    let away = check(&folder, &kept);
    assert!(away.code == Some(2) && away.stderr.contains("the index lacks runs"), "{}", away.all());
    assert!(!away.all().contains("s3cret") && away.stdout.contains("RECAP"), "{}", away.all());
    folder.write("rectify.toml", "");
    let list = || said(folder.command(&["runs"]).env("RECTIFY_RECORD", "kept"));
    assert_eq!(listed(&list().stdout), runs(&folder.path().join("kept")));
    // A folder that is damaged is named, and the others are there.
    folder.write("kept/runs/20270101T000000Z-1/head.json", "{");
    let damaged = list();
    assert!(damaged.code == Some(0) && damaged.stderr.contains("20270101T000000Z-1"), "{}", damaged.all());
    assert_eq!(listed(&damaged.stdout).len(), 1);
}

#[test]
fn what_is_only_supposed_is_not_recorded() {
    let folder = folder();
    let said = run(&folder, "check fleet/site.yml -i fleet.yml HELPER --as-of 2090-01-01");
    assert_eq!((said.code, runs(&folder.path().join("record")).len()), (Some(2), 0), "{}", said.all());
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_after_it_was_killed() {
    let folder = folder();
    let wait = "test -e go || { sleep 0.1; false; }";
    folder.write(
        "wait.yml",
        &format!(
            "- hosts: a\n  gather_facts: false\n  tasks:\n    - {{name: said, debug: {{msg: x}}}}\n    \
             - {{shell: \"cd {{{{ folder }}}}; {wait}\", register: r, until: r.rc == 0, retries: 6000, delay: 0}}\n"
        ),
    );
    let begin = || {
        let helper = folder.at("helper");
        let mut apply = folder.command(&["apply", "wait.yml", "-i", "hosts", "--helper-dir", &helper]);
        apply.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut first = begin();
    // It goes on until this test lets it end.
    let going = || prints(&folder, "runs", 0).lines().filter(|line| line.ends_with("  goes on")).count();
    while going() == 0 {
        assert!(first.try_wait().unwrap().is_none(), "{}", prints(&folder, "runs", 0));
    }
    let said = run(&folder, "replay latest");
    assert!(said.code == Some(0) && said.stderr.contains("the run goes on"), "{}", said.all());
    assert!(said.stdout.contains(": not finished."), "{}", said.all());
    assert!(prints(&folder, "runs prune --keep 2090-01-01", 0).contains("forgot 0 runs"));
    first.kill().unwrap();
    first.wait().unwrap();
    let listed = prints(&folder, "runs", 0);
    assert!(listed.contains("broke off") && going() == 0, "{listed}");
    folder.write("go", "");
    assert!(begin().wait().unwrap().success());
    assert!(prints(&folder, "runs", 0).lines().nth(1).unwrap().ends_with("as declared"));
}

#[test]
fn a_disk_that_is_full_stops_no_run() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("record")).unwrap();
    // One page: the head of the run is written, and nothing more. The mount goes with the program.
    let mounted = "mount -t tmpfs -o size=4k none record && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    let play = folder.command(&["check", "site.yml", "-i", "hosts", "--helper-dir", &folder.at("helper")]);
    command.args(["-m", "sh", "-c", mounted, "sh"]).arg(play.get_program()).args(play.get_args());
    command.env_clear().current_dir(folder.path());
    command.envs(play.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let full = said(&mut command);
    assert!(full.code == Some(2) && full.stdout.contains("RECAP"), "{}", full.all());
    assert!(full.stderr.contains("the rest of this run is not recorded"), "{}", full.all());
}
