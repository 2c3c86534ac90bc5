//! The law: no option without a test. What there is comes from the program itself and from the tables that it reads by.

use std::collections::BTreeSet;

use crate::local::Folder;
use crate::{connection, drift, flags, keywords, rollouts, ssh_config};

/// Options that tests of their own prove, and those tests.
const BY_TEST: &[(&str, &str)] = &[
    ("run --forks", "flags::as_many_hosts_at_a_time_as_forks_says"),
    ("run --parallel", "flags::as_many_tasks_at_a_time_as_parallel_says"),
    ("run --helper-dir", "flags::the_helper_is_kept_where_it_is_asked_to_be"),
    ("run --user", "connection::flags_say_who_logs_in_and_with_what"),
    ("run --private-key", "connection::flags_say_who_logs_in_and_with_what"),
    ("run --ssh-config", "ssh_config::every_keyword_is_used_in_a_connection"),
    ("run --become-method", "connection::flags_say_how_another_account_is_become"),
    ("run --ask-pass", "connection::passwords_are_asked_for_on_the_terminal"),
    ("run --ask-become-pass", "connection::passwords_are_asked_for_on_the_terminal"),
    ("trust --forks", "flags::as_many_hosts_are_asked_at_a_time_as_forks_says"),
    ("trust PATTERN", "connection::trust_records_what_it_is_told_to"),
    ("trust --inventory", "connection::trust_records_what_it_is_told_to"),
    ("trust --limit", "connection::trust_records_what_it_is_told_to"),
    ("trust --extra-vars", "connection::trust_records_what_it_is_told_to"),
    ("trust --ssh-config", "connection::trust_records_what_it_is_told_to"),
    ("trust --yes", "connection::trust_records_what_it_is_told_to"),
    ("trust --known-hosts", "connection::trust_records_what_it_is_told_to"),
    ("trust --hash", "connection::trust_records_what_it_is_told_to"),
    ("facts --forks", "flags::as_many_hosts_are_asked_at_a_time_as_forks_says"),
    ("facts --helper-dir", "flags::the_helper_is_kept_where_it_is_asked_to_be"),
    ("facts --user", "connection::facts_are_reached_for_like_any_run"),
    ("facts --private-key", "connection::facts_are_reached_for_like_any_run"),
    ("facts --ssh-config", "connection::facts_are_reached_for_like_any_run"),
    ("facts --become", "connection::facts_are_reached_for_like_any_run"),
    ("facts --become-user", "connection::facts_are_reached_for_like_any_run"),
    ("facts --become-method", "connection::facts_are_reached_for_like_any_run"),
    ("facts --ask-pass", "connection::facts_are_reached_for_like_any_run"),
    ("facts --ask-become-pass", "connection::facts_are_reached_for_like_any_run"),
    ("man FOLDER", "flags::manual_pages_go_where_they_are_wanted"),
    ("vault encrypt FILE", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault encrypt --output", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault encrypt --encrypt-vault-id", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault decrypt FILE", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault decrypt --output", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault view FILE", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault rekey FILE", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault rekey --new-vault-id", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault rekey --new-vault-password-file", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
    ("vault edit FILE", "vault::vault_edits_and_creates_in_an_editor"),
    ("vault create FILE", "vault::vault_edits_and_creates_in_an_editor"),
    ("vault create --encrypt-vault-id", "vault::vault_edits_and_creates_in_an_editor"),
    ("vault encrypt-string TEXT", "vault::vault_encrypts_texts_as_values"),
    ("vault encrypt-string --name", "vault::vault_encrypts_texts_as_values"),
    ("vault encrypt-string --stdin-name", "vault::vault_encrypts_texts_as_values"),
    ("vault encrypt-string --prompt", "vault::vault_encrypts_texts_as_values"),
    ("vault encrypt-string --output", "vault::vault_encrypts_texts_as_values"),
    ("vault encrypt-string --encrypt-vault-id", "vault::vault_encrypts_texts_as_values"),
    ("rollout advance --force", "rollouts::a_step_is_forced_with_a_reason_only_and_the_reason_is_kept"),
    ("rollout object SETTING", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout object --as", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout object --reason", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout object --playbook", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout object --inventory", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout object --rollouts", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout import --write", "rollouts::what_hosts_skip_by_themselves_is_written_where_nothing_is_in_the_way"),
    ("rollout import --playbook", "rollouts::what_hosts_skip_by_themselves_is_shown_as_lines_of_the_inventory"),
    ("rollout import --inventory", "rollouts::what_hosts_skip_by_themselves_is_shown_as_lines_of_the_inventory"),
    ("rollout import --rollouts", "rollouts::what_hosts_skip_by_themselves_is_shown_as_lines_of_the_inventory"),
    ("rollout answer OBJECTION", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout answer ANSWER", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout answer --playbook", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout answer --rollouts", "rollouts::an_objection_is_open_until_it_is_answered"),
    ("rollout review SETTING", "rollouts::an_emergency_is_reviewed_and_nothing_else_is"),
    ("rollout review NOTE", "rollouts::an_emergency_is_reviewed_and_nothing_else_is"),
    ("rollout review --playbook", "rollouts::an_emergency_is_reviewed_and_nothing_else_is"),
    ("rollout review --rollouts", "rollouts::an_emergency_is_reviewed_and_nothing_else_is"),
    ("announce --preview", "announce::a_preview_sends_nothing_and_the_first_real_one_sends_once"),
    ("announce --due", "announce::what_is_due_is_sent_once"),
    ("announce --site", "announce::pages_go_where_they_are_wanted"),
    ("announce --motd", "announce::messages_of_the_day_go_where_they_are_wanted"),
    ("announce --forks", "flags::as_many_hosts_are_asked_at_a_time_as_forks_says"),
    ("announce --helper-dir", "flags::the_helper_is_kept_where_it_is_asked_to_be"),
    ("announce --user", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --private-key", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --ssh-config", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --become", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --become-user", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --become-method", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --ask-pass", "connection::announce_looks_at_hosts_like_any_run"),
    ("announce --ask-become-pass", "connection::announce_looks_at_hosts_like_any_run"),
    ("runs --limit", "record::runs_are_listed_by_host_setting_and_time"),
    ("runs --setting", "record::runs_are_listed_by_host_setting_and_time"),
    ("runs --since", "record::runs_are_listed_by_host_setting_and_time"),
    ("runs --json", "record::runs_are_listed_by_host_setting_and_time"),
    ("runs rename OLD", "record::a_host_that_has_another_name_keeps_its_history"),
    ("runs rename NEW", "record::a_host_that_has_another_name_keeps_its_history"),
    ("runs forget HOST", "record::a_host_that_is_gone_is_forgotten_by_its_name"),
    ("runs prune --keep", "record::old_runs_are_forgotten_but_for_the_newest_look_at_each_host"),
    ("runs prune --dry-run", "record::old_runs_are_forgotten_but_for_the_newest_look_at_each_host"),
    ("show RUN", "record::a_run_is_shown_as_it_was"),
    ("show --host", "record::a_run_is_shown_as_it_was"),
    ("show --verbose", "record::a_run_is_shown_as_it_was"),
    ("replay RUN", "record::a_run_is_replayed_word_for_word_also_one_that_broke_off"),
    ("replay --speed", "record::a_run_is_replayed_as_fast_as_is_asked"),
    ("replay --verbose", "record::a_run_is_replayed_word_for_word_also_one_that_broke_off"),
    ("replay --json", "record::a_run_is_replayed_word_for_word_also_one_that_broke_off"),
    ("diff RUN1", "record::two_runs_are_compared_by_host_and_thing"),
    ("diff RUN2", "record::two_runs_are_compared_by_host_and_thing"),
    ("export RUN", "record::a_run_is_written_for_other_programs"),
    ("export --format", "record::a_run_is_written_for_other_programs"),
    ("holds --json", "holds::a_host_on_hold_is_looked_at_and_not_changed_until_it_is_over"),
    ("holds add PATTERN", "holds::a_host_on_hold_is_looked_at_and_not_changed_until_it_is_over"),
    ("holds add --for", "holds::a_host_on_hold_is_looked_at_and_not_changed_until_it_is_over"),
    ("holds add --reason", "holds::a_host_on_hold_is_looked_at_and_not_changed_until_it_is_over"),
    ("holds release HOST", "holds::a_host_on_hold_is_looked_at_and_not_changed_until_it_is_over"),
    ("notices --json", "notify::what_was_given_up_is_listed_and_tried_anew"),
    ("notices retry ID", "notify::what_was_given_up_is_listed_and_tried_anew"),
    ("notices retry --all", "notify::what_was_given_up_is_listed_and_tried_anew"),
    ("drift --forks", "flags::as_many_hosts_are_asked_at_a_time_as_forks_says"),
    ("drift --parallel", "flags::as_many_tasks_at_a_time_as_parallel_says"),
    ("drift --helper-dir", "flags::the_helper_is_kept_where_it_is_asked_to_be"),
    ("drift --user", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --private-key", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --ssh-config", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --become", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --become-user", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --become-method", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --ask-pass", "drift::drift_looks_at_hosts_like_any_run"),
    ("drift --ask-become-pass", "drift::drift_looks_at_hosts_like_any_run"),
    ("serve --once", "serve::a_schedule_runs_what_it_names_when_it_says"),
    ("serve --inventory", "serve::a_schedule_runs_what_it_names_when_it_says"),
    ("serve --vault-password-file", "serve::serve_opens_what_is_encrypted"),
    ("serve --vault-id", "serve::serve_opens_what_is_encrypted"),
    ("modules --reference", "flags::modules_writes_its_reference_where_it_is_told_to"),
    ("modules --check", "flags::modules_writes_its_reference_where_it_is_told_to"),
];

/// The tests of this program, as it lists them itself.
fn tests() -> BTreeSet<String> {
    let list = std::process::Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The first words of the lines below a heading of a help text.
fn below(help: &str, heading: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.is_empty());
    // Descriptions that go on in the next line stand further to the right.
    let begins = lines.filter(|line| line.len() - line.trim_start().len() == 2);
    let words = begins.filter_map(|line| line.split_whitespace().next());
    words.map(|word| word.trim_matches(['[', ']', '<', '>', '.']).to_owned()).collect()
}

/// The options in a help text, by their long names.
fn options(help: &str) -> BTreeSet<String> {
    let begins =
        help.lines().filter(|line| line.trim_start().starts_with('-') && line.len() - line.trim_start().len() <= 6);
    let names = begins.map(|line| {
        let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        words.next().filter(|word| word.starts_with("--")).unwrap_or(first).trim_end_matches('.').to_owned()
    });
    names.collect()
}

/// Every `VERB OPTION` of the program's help.
fn documented() -> BTreeSet<String> {
    let folder = Folder::new();
    let general = options(&folder.run(&["-h"]).stdout);
    let mut all: BTreeSet<String> = general.iter().map(|option| format!("rectify {option}")).collect();
    let mut open = vec![Vec::new()];
    while let Some(verb) = open.pop() {
        let words: Vec<&str> = verb.iter().map(String::as_str).collect();
        let help = folder.run(&[words.as_slice(), &["-h"]].concat()).stdout;
        let name = if matches!(words[..], ["check" | "apply"]) { "run".to_owned() } else { words.join(" ") };
        let own = options(&help).into_iter().filter(|option| !general.contains(option));
        all.extend(own.chain(below(&help, "Arguments:")).map(|option| format!("{name} {option}")));
        open.extend(below(&help, "Commands:").into_iter().map(|word| [verb.clone(), vec![word]].concat()));
    }
    all
}

/// What every verb with an inventory and every part of `vault` takes, and the tests of it.
fn of_vaults() -> Vec<(String, &'static str)> {
    let verbs = [
        "run",
        "lint",
        "graph",
        "inventory",
        "facts",
        "trust",
        "rollout status",
        "rollout why",
        "rollout advance",
        "rollout object",
        "rollout import",
        "announce",
        "drift",
    ];
    let verbs = verbs.map(|verb| (verb.to_owned(), "vault::every_verb_with_an_inventory_opens_what_is_encrypted"));
    let parts = [
        ("encrypt", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
        ("decrypt", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
        ("view", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
        ("rekey", "vault::vault_encrypts_where_and_with_what_it_is_told_to"),
        ("edit", "vault::vault_edits_and_creates_in_an_editor"),
        ("create", "vault::vault_edits_and_creates_in_an_editor"),
        ("encrypt-string", "vault::vault_encrypts_texts_as_values"),
    ];
    let parts = parts.map(|(part, test)| (format!("vault {part}"), test));
    let mut all = Vec::new();
    for (verb, test) in verbs.into_iter().chain(parts) {
        let asks = if verb.starts_with("vault") { "vault::vault_asks_for_passwords_on_the_terminal" } else { test };
        all.extend([
            (format!("{verb} --vault-password-file"), test),
            (format!("{verb} --vault-id"), test),
            (format!("{verb} --ask-vault-pass"), asks),
        ]);
    }
    all
}

#[test]
fn no_flag_is_without_a_test_and_no_test_without_a_flag() {
    let cases =
        flags::RUN.iter().chain(flags::OTHERS).chain(rollouts::CASES).chain(drift::CASES).map(|case| case.option);
    let mut by_test = of_vaults();
    by_test.extend(BY_TEST.iter().map(|(option, test)| ((*option).to_owned(), *test)));
    let tested: BTreeSet<String> = cases.map(str::to_owned).chain(by_test.iter().map(|(o, _)| o.clone())).collect();
    assert_eq!(documented(), tested, "left: in the help; right: tested");
    let tests = tests();
    for (option, test) in by_test {
        assert!(tests.contains(test), "{option}: there is no test {test}");
    }
}

#[test]
fn check_and_apply_take_the_same() {
    let folder = Folder::new();
    let [check, apply] = ["check", "apply"].map(|verb| {
        let help = folder.run(&[verb, "-h"]).stdout;
        (options(&help), below(&help, "Arguments:"))
    });
    assert_eq!(check, apply);
}

#[test]
fn no_keyword_of_a_playbook_is_without_a_test() {
    let mut tested: BTreeSet<String> = keywords::cases().into_iter().flat_map(|(_, case)| case.keys).collect();
    tested.extend(keywords::SAID.iter().flat_map(|(keys, ..)| keys.split(", ")).map(str::to_owned));
    tested.extend(keywords::BY_TEST.iter().map(|(key, _)| (*key).to_owned()));
    tested.extend(keywords::FOR_READERS.iter().map(|key| (*key).to_owned()));
    let known: BTreeSet<String> = rectify_core::playbook::keywords()
        .into_iter()
        .flat_map(|(place, keys)| keys.into_iter().map(move |key| format!("{place} {key}")))
        .collect();
    assert_eq!(known, tested, "left: what the reader accepts; right: tested");
    let tests = tests();
    for (key, test) in keywords::BY_TEST {
        assert!(tests.contains(*test), "{key}: there is no test {test}");
    }
}

#[test]
fn no_connection_variable_is_without_a_test() {
    let known: BTreeSet<&str> =
        rectify_core::inventory::CONNECTION.iter().flat_map(|names| names.iter().copied()).collect();
    let tested: BTreeSet<&str> = connection::tested().into_iter().collect();
    assert_eq!(known, tested, "left: what is read; right: tested");
}

#[test]
fn no_keyword_of_the_ssh_configuration_is_without_a_test() {
    let known: BTreeSet<&str> = rectify_remote::ssh_config::SshConfig::honoured().iter().copied().collect();
    let tested: BTreeSet<&str> = ssh_config::tested().into_iter().collect();
    assert_eq!(known, tested, "left: what is honoured; right: tested");
}

#[test]
fn the_guide_names_what_there_is() {
    let guide = include_str!("../../../docs/guides/reaching-hosts.md");
    for name in rectify_core::inventory::CONNECTION.iter().flat_map(|names| names.iter()) {
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in the guide");
    }
    let guide = guide.to_ascii_lowercase();
    for keyword in rectify_remote::ssh_config::SshConfig::honoured() {
        assert!(guide.contains(&format!("`{keyword}`")), "{keyword} is not in the guide");
    }
}
