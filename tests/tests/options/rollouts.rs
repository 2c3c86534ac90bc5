//! Flags of rollouts, and what they are refused with: settings that stand at any date where this test expects them.

use crate::flags::{Case, Seen::Has, Seen::Lacks, case, folder, run};
use crate::local::Folder;

const HOSTS: &str = "all:
  vars:
    ansible_connection: local
    owner: alpha
    contacts: {alpha: alpha@example.org, beta: beta@example.org, security: security@example.org}
  hosts:
    a: {rollout_opt_in: [banner]}
    b: {}
    c: {owner: beta}
";

const SITE: &str = "- name: fleet
  hosts: \"{{ where | default('all') }}\"
  gather_facts: false
  tasks:
    - name: Banner
      rollout: banner
      copy: {dest: \"{{ folder }}/{{ inventory_hostname }}-banner\", content: \"authorised use only\\n\"}
    - name: Tools
      rollout: tools
      copy: {dest: \"{{ folder }}/{{ inventory_hostname }}-tools\", content: \"tools\\n\"}
";

/// A setting with these stages and more lines.
pub(crate) fn setting(id: &str, stages: &str, more: &str) -> String {
    format!(
        "  {id}:\n    title: Hosts have the {id}\n    reason: people ask for it\n    impact: a file appears\n    \
         skip: nothing else is needed\n    verify: look for the file\n    owner: security\n    \
         stages: {{{stages}}}\n{more}"
    )
}

/// The files of the cases: `fleet/site.yml` with two settings on three hosts, all this machine.
pub(crate) fn files(folder: &Folder) {
    let hosts = HOSTS.replace("all:\n  vars:\n", &format!("all:\n  vars:\n    folder: {}\n", folder.at("")));
    folder.write("fleet.yml", &hosts);
    let nowhere = "ansible_host: 127.0.0.1\n    ansible_port: 9";
    folder.write("distant.yml", &hosts.replace("ansible_connection: local", nowhere));
    folder.write("fleet/site.yml", SITE);
    let stages = "opt-in: 2020-01-01, announced: 2020-02-01, opt-out: {50%: 2020-03-01, 100%: 2020-04-01}, mandatory: 2090-01-01";
    let tools = setting("tools", "opt-in: 2020-01-01, opt-out: 2020-02-01", "");
    folder.write("fleet/rollouts.yml", &format!("settings:\n{}{tools}", setting("banner", stages, "")));
    let due = setting("banner", "opt-out: 2020-01-01", "");
    folder.write("other.yml", &format!("settings:\n{due}{tools}"));
    folder.write("wrong.yml", "settings:\n  banner: {title: x}\n");
}

const CHECK: &str = "check fleet/site.yml -i fleet.yml HELPER";

/// What every verb on settings takes, and verbs of its own.
pub(crate) const CASES: &[Case] = &[
    case("run --rollouts", CHECK, "--rollouts other.yml", Has("alpha was not told")),
    case("run --as-of", CHECK, "--as-of 2090-01-01", Has("(b, c): mandatory")),
    case("run --stage", CHECK, "--stage banner=mandatory", Has(": mandatory")),
    case("lint --rollouts", "lint fleet/site.yml -i fleet.yml", "--rollouts wrong.yml", Has("lacks reason")),
    case("rollout status SETTING", "rollout status FLEET", "tools", Lacks("banner")),
    case("rollout status --playbook", "rollout status -i fleet.yml", "-p fleet/site.yml", Has("Hosts have the")),
    case("rollout status --inventory", "rollout status -p fleet/site.yml", "-i fleet.yml", Has("Hosts have the")),
    case("rollout status --limit", "rollout status banner FLEET", "-l a", Lacks("not asked for")),
    case("rollout status --extra-vars", "rollout status banner FLEET", "-e where=a", Lacks("not asked for")),
    case("rollout status --rollouts", "rollout status FLEET", "--rollouts other.yml", Has("[opt-out]")),
    case("rollout status --as-of", "rollout status FLEET", "--as-of 2090-01-01", Has("[mandatory]")),
    case("rollout status --stage", "rollout status FLEET", "--stage banner=mandatory", Has("[mandatory]")),
    case("rollout status --json", "rollout status FLEET", "--json", Has("\"missing\"")),
    case("rollout why HOST", "rollout why FLEET", "a banner", Has("opts in to banner")),
    case("rollout why SETTING", "rollout why FLEET a", "banner", Has("opts in to banner")),
    case("rollout why --playbook", "rollout why a banner -i fleet.yml", "-p fleet/site.yml", Has("opts in to")),
    case("rollout why --inventory", "rollout why a banner -p fleet/site.yml", "-i fleet.yml", Has("opts in to")),
    case("rollout why --limit", "rollout why a banner FLEET", "-l b", Has("no play gives")),
    case("rollout why --extra-vars", "rollout why a banner FLEET", "-e where=b", Has("no play gives")),
    case("rollout why --rollouts", "rollout why b banner FLEET", "--rollouts other.yml", Has("alpha was not told")),
    case("rollout why --as-of", "rollout why b banner FLEET", "--as-of 2090-01-01", Has("enforce: mandatory")),
    case("rollout why --stage", "rollout why b banner FLEET", "--stage banner=mandatory", Has("enforce: mandatory")),
    case("rollout advance SETTING", "rollout advance FLEET", "banner", Has("stays at `opt-in`")),
    case("rollout advance --playbook", "rollout advance banner -i fleet.yml", "-p fleet/site.yml", Has("stays at")),
    case("rollout advance --inventory", "rollout advance banner -p fleet/site.yml", "-i fleet.yml", Has("stays at")),
    case("rollout advance --rollouts", "rollout advance banner FLEET", "--rollouts other.yml", Has("its last step")),
    case("rollout advance --to", "rollout advance banner FLEET", "--to mandatory", Has("the next step of banner is")),
    case("announce SETTING", "ANNOUNCE", "tools", Lacks("banner")),
    case("announce --playbook", "announce --preview HELPER -i fleet.yml", "-p fleet/site.yml", Has("To: alpha")),
    case("announce --inventory", "announce --preview HELPER -p fleet/site.yml", "-i fleet.yml", Has("To: alpha")),
    case("announce --limit", "ANNOUNCE", "-l a,b", Lacks("To: beta")),
    case("announce --extra-vars", "ANNOUNCE", "-e where=a", Lacks("To: beta")),
    case("announce --rollouts", "ANNOUNCE", "--rollouts wrong.yml", Has("lacks reason")),
    case("announce --as-of", "ANNOUNCE banner", "--as-of 2020-04-02", Has("(mandatory:")),
    case("announce --stage", "ANNOUNCE banner", "--stage banner=opt-out", Has("(mandatory:")),
    case("announce --until", "ANNOUNCE", "--until 2019-01-01", Has("no setting has a step")),
    case(
        "announce --connection",
        "announce --preview HELPER -p fleet/site.yml -i distant.yml",
        "-c local",
        Has("To: alpha"),
    ),
    case(
        "announce --timeout",
        "announce --preview -p fleet/site.yml -i silent HELPER -e ansible_timeout=2",
        "-e {ansible_timeout:} -T 1",
        Has("within 1 s"),
    ),
];

/// The words that the cases of this file are short for.
pub(crate) fn spelled(words: &str) -> String {
    let fleet = "-p fleet/site.yml -i fleet.yml";
    words.replace("ANNOUNCE", &format!("announce --preview HELPER {fleet}")).replace("FLEET", fleet)
}

#[test]
fn every_flag_of_rollouts_makes_a_difference() {
    crate::flags::hold(CASES);
}

#[test]
fn a_step_is_forced_with_a_reason_only_and_the_reason_is_kept() {
    let folder = folder();
    let bare = run(&folder, "rollout advance banner FLEET");
    assert!(bare.code == Some(3) && bare.stderr.contains("refused:"), "{}", bare.all());
    assert_eq!(run(&folder, "rollout advance banner FLEET --force").code, Some(5));
    let empty =
        folder.run(&["rollout", "advance", "banner", "-p", "fleet/site.yml", "-i", "fleet.yml", "--force", " "]);
    assert!(empty.code == Some(5) && empty.stderr.contains("--force is empty"), "{}", empty.all());
    assert!(!folder.path().join("fleet/rollouts.jsonl").exists());
    let forced = run(&folder, "rollout advance banner FLEET --force CVE-2027-1");
    assert!(forced.code == Some(0) && forced.stdout.contains("although: "), "{}", forced.all());
    let journal = std::fs::read_to_string(folder.path().join("fleet/rollouts.jsonl")).unwrap();
    assert!(journal.contains("\"forced\":\"CVE-2027-1\"") && journal.lines().count() == 1, "{journal}");
    let why = run(&folder, "rollout why b banner FLEET");
    assert!(why.stdout.contains("advanced it to `announced`"), "{}", why.all());
}

#[test]
fn an_objection_is_open_until_it_is_answered() {
    let folder = folder();
    let objects = "rollout object banner --as beta --reason no";
    for (words, said) in [
        ("rollout object banner --reason no FLEET", "--as"),
        ("rollout object banner --as beta FLEET", "--reason"),
        ("rollout object baner --as beta --reason no FLEET", "did you mean banner"),
        ("rollout object banner --as betta --reason no FLEET", "did you mean beta"),
        ("rollout object --as beta --reason no FLEET", "<SETTING>"),
        (&format!("{objects} -p fleet/site.yml"), "no inventory"),
        (&format!("{objects} -i fleet.yml"), "no playbook"),
        (&format!("{objects} FLEET --rollouts wrong.yml"), "lacks reason"),
    ] {
        let refused = run(&folder, words);
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{words}: {}", refused.all());
    }
    let made = run(&folder, &format!("{objects} FLEET"));
    assert_eq!(made.code, Some(0), "{}", made.all());
    let status = || run(&folder, "rollout status FLEET").stdout;
    assert!(status().contains("beta objects: no"), "{}", status());
    let id = made.stdout.split_whitespace().find(|word| word.len() == 28).unwrap().to_owned();
    for (words, said) in [
        ("rollout answer nonsense yes -p fleet/site.yml", "begins with \"nonsense\""),
        (&format!("rollout answer {id} yes"), "no rollouts file"),
        (&format!("rollout answer {id} yes -p fleet/site.yml --rollouts other.yml"), "begins with"),
        (&format!("rollout answer {id}"), "<ANSWER>"),
    ] {
        let refused = run(&folder, words);
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{words}: {}", refused.all());
    }
    let answered = run(&folder, &format!("rollout answer {} yes -p fleet/site.yml", &id[..16]));
    assert!(answered.code == Some(0) && answered.stdout.contains("beta"), "{}", answered.all());
    assert!(!status().contains("objects"), "{}", status());
    let again = run(&folder, &format!("rollout answer {id} yes -p fleet/site.yml"));
    assert!(again.code == Some(5) && again.stderr.contains("has answered"), "{}", again.all());
}

#[test]
fn an_emergency_is_reviewed_and_nothing_else_is() {
    let folder = folder();
    let emergency =
        "    revision: {number: 2, direction: stricter, why: w, emergency: {reason: CVE-2027-1, review: 2020-01-15}}\n";
    let urgent = setting("banner", "opt-in: 2020-01-01, opt-out: 2020-02-01", emergency);
    folder.write("urgent.yml", &format!("settings:\n{urgent}{}", setting("tools", "opt-in: 2020-01-01", "")));
    for (words, said) in [
        ("rollout review banner fine -p fleet/site.yml", "is no emergency"),
        ("rollout review tools fine --rollouts urgent.yml", "is no emergency"),
        ("rollout review baner fine --rollouts urgent.yml", "did you mean banner"),
        ("rollout review banner --rollouts urgent.yml", "<NOTE>"),
        ("rollout review banner fine", "no rollouts file"),
    ] {
        let refused = run(&folder, words);
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{words}: {}", refused.all());
    }
    let status = || run(&folder, "rollout status banner FLEET --rollouts urgent.yml").stdout;
    assert!(status().contains("emergency CVE-2027-1: to be reviewed by 2020-01-15"), "{}", status());
    let reviewed = run(&folder, "rollout review banner fine --rollouts urgent.yml");
    assert_eq!(reviewed.code, Some(0), "{}", reviewed.all());
    assert!(!status().contains("to be reviewed"), "{}", status());
}

#[test]
fn what_is_supposed_changes_nothing_and_leaves_no_trace() {
    let folder = folder();
    for words in ["--as-of 2090-01-01", "--stage banner=opt-out"] {
        let refused = run(&folder, &format!("apply fleet/site.yml -i fleet.yml HELPER {words}"));
        assert!(refused.code == Some(5) && refused.stderr.contains("use them with check"), "{}", refused.all());
        let refused = run(&folder, &format!("announce FLEET HELPER {words}"));
        assert!(refused.code == Some(5) && refused.stderr.contains("--preview"), "{}", refused.all());
        assert_eq!(run(&folder, &format!("{CHECK} {words}")).code, Some(2));
        assert!(!folder.path().join("fleet/rollouts.evidence.jsonl").exists(), "{words}");
    }
    for (words, said) in [
        ("--stage banner", "is not SETTING=STAGE"),
        ("--stage baner=opt-out", "did you mean banner"),
        ("--stage banner=later", "is no step"),
        ("--stage tools=mandatory", "has no step `mandatory`"),
        ("--as-of tomorrow", "--as-of"),
    ] {
        let refused = run(&folder, &format!("{CHECK} {words}"));
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{words}: {}", refused.all());
    }
}

#[test]
fn a_check_of_all_tasks_is_kept_as_evidence_and_a_part_is_not() {
    let folder = folder();
    folder.write("fleet/site.yml", &SITE.replace("      rollout: tools", "      tags: [t]\n      rollout: tools"));
    let evidence = || std::fs::read_to_string(folder.path().join("fleet/rollouts.evidence.jsonl")).unwrap_or_default();
    run(&folder, &format!("{CHECK} -t t"));
    assert_eq!(evidence(), "");
    run(&folder, CHECK);
    assert_eq!(evidence().lines().count(), 2, "{}", evidence());
    let status = run(&folder, "rollout status tools FLEET").stdout;
    assert!(status.contains("seen: it would change 3 of 3 hosts"), "{status}");
    // What was looked at is no longer what the tasks say.
    folder.write("fleet/site.yml", &SITE.replace("tools\\n", "more tools\\n"));
    let status = run(&folder, "rollout status tools FLEET").stdout;
    assert!(status.contains("no look in the last 7 days: a, b, c"), "{status}");
    // A run has no need of it; who asks for it hears which line is wrong.
    std::fs::write(folder.path().join("fleet/rollouts.evidence.jsonl"), "nonsense\n").unwrap();
    let refused = run(&folder, "rollout status tools FLEET");
    assert!(refused.code == Some(5) && refused.stderr.contains("evidence.jsonl"), "{}", refused.all());
    assert_eq!(run(&folder, CHECK).code, Some(2));
}

#[test]
fn an_apply_enforces_where_it_was_asked_for_and_says_why() {
    let folder = folder();
    let said = run(&folder, "apply fleet/site.yml -i fleet.yml HELPER");
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert!(folder.path().join("a-banner").exists(), "{}", said.all());
    for name in ["b-banner", "c-banner", "a-tools"] {
        assert!(!folder.path().join(name).exists(), "{name}: {}", said.all());
    }
    for words in [
        "setting banner: opted in",
        "observed, would change on 2 of 3 hosts: b, c",
        "enforced on a: opted in",
        "observed on all 3 hosts: opt-in (not asked for)",
        "2 observed",
    ] {
        assert!(said.stdout.contains(words), "{words}: {}", said.all());
    }
}

#[test]
fn a_part_of_the_tasks_is_the_same_setting_on_some_of_the_hosts() {
    let folder = folder();
    let more = "    - name: More tools
      rollout: tools
      tags: [t]
      copy: {dest: \"{{ folder }}/{{ inventory_hostname }}-more\", content: \"{{ ansible_play_hosts | length }}\"}
";
    folder.write("fleet/site.yml", &format!("{SITE}{more}"));
    run(&folder, "rollout advance tools --force now FLEET");
    let said = run(&folder, "apply fleet/site.yml -i fleet.yml HELPER -t t -l a");
    assert!(folder.path().join("a-more").exists() && !folder.path().join("a-tools").exists(), "{}", said.all());
}

#[test]
fn lint_finds_what_is_wrong_with_settings_claims_and_owners() {
    let folder = folder();
    let lint = |inventory: &str| run(&folder, &format!("lint fleet/site.yml -i {inventory}"));
    let past = lint("fleet.yml");
    assert!(
        past.code == Some(0) && past.stderr.contains("`announced` of banner is dated 2020-02-01"),
        "{}",
        past.all()
    );
    let hosts = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
    for (from, to, said) in [
        ("owner: beta", "owner: betta", "`contacts` names nobody called `betta`"),
        ("beta@example.org", "beta at example", "is no address"),
        ("rollout_opt_in: [banner]", "rollout_opt_in: [baner]", "no setting is named `baner`"),
        ("rollout_opt_in: [banner]", "rollout_skip: {banner: {reason: x, owner: y}}", "lacks until"),
    ] {
        folder.write("odd.yaml", &hosts.replace(from, to));
        let odd = lint("odd.yaml");
        assert!(odd.code == Some(5) && odd.stderr.contains(said), "{to}: {}", odd.all());
    }
    folder.write("fleet/site.yml", &SITE.replace("rollout: banner", "rollout: baner"));
    let unknown = lint("fleet.yml");
    assert!(unknown.code == Some(5) && unknown.stderr.contains("write `banner`"), "{}", unknown.all());
    std::fs::remove_file(folder.path().join("fleet/rollouts.yml")).unwrap();
    let none = lint("fleet.yml");
    assert!(none.code == Some(5) && none.stderr.contains("there is no rollouts file"), "{}", none.all());
}

#[test]
fn skips_are_told_with_reason_owner_and_last_day() {
    let folder = folder();
    let with = |skip: &str| {
        let hosts = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
        folder.write("skips.yml", &hosts.replace("    b: {}", &format!("    b: {{rollout_skip: {{banner: {skip}}}}}")));
        run(&folder, "check fleet/site.yml -i skips.yml HELPER --stage banner=mandatory")
    };
    let valid = "{reason: legacy frames, owner: alpha, until: 2090-01-31}";
    let long = with(valid);
    assert!(long.code == Some(5) && long.stderr.contains("more than 365 days"), "{}", long.all());
    for (skip, said) in [
        ("{owner: alpha, until: 2020-01-31}", "lacks reason"),
        ("{reason: legacy, owner: alpha}", "lacks until"),
        ("{reason: legacy, until: 2020-01-31}", "lacks owner"),
        ("{reason: legacy, owner: alpha, until: soon}", "no date"),
    ] {
        let refused = with(skip);
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{skip}: {}", refused.all());
    }
    let ignored = with("{reason: legacy frames, owner: alpha, until: 2020-01-31}");
    assert!(ignored.stdout.contains("mandatory: skip ignored"), "{}", ignored.all());
    assert!(
        ignored.stderr.contains("finding: b: the skip of banner by alpha expired on 2020-01-31"),
        "{}",
        ignored.all()
    );
}

#[test]
fn what_hosts_skip_by_themselves_is_shown_as_lines_of_the_inventory() {
    let folder = folder();
    run(&folder, CHECK);
    let none = run(&folder, "rollout import FLEET");
    assert!(none.code == Some(0) && none.stdout.contains("saw no skip"), "{}", none.all());
    let path = folder.path().join("fleet/rollouts.evidence.jsonl");
    let seen = std::fs::read_to_string(&path).unwrap();
    let own = "\"c\":{\"own_skip\":\"RECTIFY_SKIP_BANNER in /etc/x.conf:2\",";
    std::fs::write(&path, seen.replace("\"c\":{", own)).unwrap();
    for (words, said) in [
        ("rollout import -p fleet/site.yml", "no inventory"),
        ("rollout import -i fleet.yml", "no playbook"),
        ("rollout import FLEET --rollouts wrong.yml", "lacks reason"),
    ] {
        let refused = run(&folder, words);
        assert!(refused.code == Some(5) && refused.stderr.contains(said), "{words}: {}", refused.all());
    }
    let found = run(&folder, "rollout import FLEET");
    assert_eq!(found.code, Some(2), "{}", found.all());
    for words in [
        "# host_vars/c.yml",
        "rollout_skip:\n  banner: {reason: 'found on the host, RECTIFY_SKIP_BANNER: /etc/x.conf:2', owner: beta, until: ",
        "2 skips to document",
    ] {
        assert!(found.stdout.contains(words), "{words}: {}", found.all());
    }
    let status = run(&folder, "rollout status banner FLEET").stdout;
    assert!(status.contains("finding: c: /etc/x.conf:2 defines RECTIFY_SKIP_BANNER"), "{status}");
    let other = run(&folder, "rollout import FLEET --rollouts other.yml");
    assert!(other.code == Some(0), "it has another record: {}", other.all());
}

#[test]
fn what_hosts_skip_by_themselves_is_written_where_nothing_is_in_the_way() {
    let folder = folder();
    run(&folder, CHECK);
    let path = folder.path().join("fleet/rollouts.evidence.jsonl");
    let seen = std::fs::read_to_string(&path).unwrap();
    let own = |host: &str| format!("\"{host}\":{{\"own_skip\":\"RECTIFY_SKIP_BANNER in /etc/x.conf:2\",");
    let seen = ["a", "c"].into_iter().fold(seen, |text, h| text.replace(&format!("\"{h}\":{{"), &own(h)));
    std::fs::write(&path, seen).unwrap();
    let files = || std::fs::read_dir(folder.path().join("host_vars")).into_iter().flatten().count();
    let before = files();
    assert_eq!(run(&folder, "rollout import FLEET").code, Some(2));
    assert_eq!(files(), before, "it was not asked for");

    folder.write("host_vars/a.yml", "of: their own\n");
    let said = run(&folder, "rollout import FLEET --write");
    assert!(said.code == Some(3) && said.stdout.contains("not written: a: add the lines to"), "{}", said.all());
    assert!(!folder.path().join("host_vars/a").exists(), "it would hide what is there");
    let written = std::fs::read_to_string(folder.path().join("host_vars/c/rollout_skips.yml")).unwrap();
    assert!(written.starts_with("rollout_skip:\n") && written.contains("\n  banner: {reason: "), "{written}");

    // It is a skip from now on, and no finding.
    let why = run(&folder, "rollout why c banner FLEET");
    assert!(why.stdout.contains("skipped until") && why.stdout.contains("rollout_skips.yml"), "{}", why.all());
    let status = run(&folder, "rollout status banner FLEET").stdout;
    assert!(!status.contains("finding: c: /etc/x.conf:2"), "{status}");
    let again = run(&folder, "rollout import FLEET --write");
    assert!(!again.stdout.contains("/c/"), "{}", again.all());
}
