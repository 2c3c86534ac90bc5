use std::sync::Arc;

use rectify_core::{
    module::{ErasedResource, Observe, Operate},
    plan::TaskId,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    host::{fake::Fake, rehearsal::Rehearsal},
    kind::shared::trial,
};

fn host() -> Fake {
    Fake::from_yaml(
        "packages:
  bash: {version: '5', installed: true, essential: true}
  openssh-server: {version: '9', installed: true, requires: [libwrap0]}
  libwrap0: {version: '7', installed: true, auto: true}
  site: {version: '1', installed: true, requires: ['exim4 | mail-agent', 'libsite:any'], recommends: [site-doc]}
  site-doc: {version: '1', installed: true, auto: true}
  libsite: {version: '1', installed: true, auto: true}
  postfix: {version: '3', installed: true, auto: true, provides: [mail-agent]}
  game: {version: '4', installed: true, requires: [game-data]}
  game-data: {version: '4', installed: true, auto: true}
  locked: {version: '2', installed: true, held: true}
  orphan: {version: '6', installed: true, auto: true}
",
    )
    .unwrap()
}

fn extras(args: Value) -> Vec<String> {
    let seen = trial::module::<PackageAllowlist>(&args).look(&host()).unwrap();
    seen.before["packages"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn what_is_allowed_required_or_beyond_any_list_stays() {
    assert_eq!(extras(json!({"allow": ["site"]})), ["game", "game-data", "orphan", "site-doc"]);
    assert_eq!(extras(json!({"allow": ["site"], "keep_recommends": true})), ["game", "game-data", "orphan"]);
    assert_eq!(extras(json!({"allow": ["s?te", "*data"]})), ["game", "orphan", "site-doc"]);
}

#[test]
fn a_report_changes_nothing_and_says_why_each_is_there() {
    let seen = trial::module::<PackageAllowlist>(&json!({"allow": ["site"]})).look(&host()).unwrap();
    assert!(!seen.differs);
    let said: Vec<String> = seen.findings.iter().map(|f| format!("{} {}", f.subject, f.message)).collect();
    let text = said.join("\n");
    for words in [
        "game is not on the list of allowed packages: it was installed on request",
        "game-data is not",
        "came along with game\n",
        "site-doc is not on the list of allowed packages: it is only recommended by site, see `keep_recommends`",
        "orphan is not on the list of allowed packages: nothing that was asked for needs it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_removal_takes_exactly_the_rest() {
    let args = json!({"allow": ["site"], "mode": "remove"});
    let host = host();
    let announced = trial::converge::<PackageAllowlist>(&host, &args);
    let left: Vec<String> = host.packages().unwrap().packages.keys().cloned().collect();
    assert_eq!(left, ["bash", "libsite", "libwrap0", "locked", "openssh-server", "postfix", "site"]);
    let rehearsal = Rehearsal::shared(Arc::new(self::host()));
    assert_eq!(trial::converge::<PackageAllowlist>(&rehearsal.for_task(TaskId(1)), &args), announced);
    let (before, after) = trial::converge::<PackageAllowlist>(&host, &args);
    assert_eq!(before, after);
}

#[test]
fn too_many_at_once_are_refused_with_their_names() {
    let args = json!({"allow": ["site"], "mode": "remove", "max_removals": 3});
    let host = host();
    let error = trial::fails::<PackageAllowlist>(&host, &args);
    assert!(error.contains("4 packages") && error.contains("game, game-data, orphan, site-doc"), "{error}");
    assert!(host.packages().unwrap().installed("game").is_some());
}

#[test]
fn the_base_of_a_real_host_stays() {
    for host in [Fake::debian(), Fake::rocky()] {
        let seen =
            trial::module::<PackageAllowlist>(&json!({"allow": ["nothing"]})).look(&host as &dyn Operate).unwrap();
        let extras = seen.before["packages"].as_object().unwrap();
        for name in ["bash", "systemd", "sudo", "openssh-server", "libc6", "glibc", "apt", "dnf"] {
            assert!(!extras.contains_key(name), "{name}");
        }
        assert!(extras.contains_key("wget"));
    }
}

#[test]
fn an_empty_list_is_refused() {
    for args in [json!({"allow": []}), json!({"allow": [" "]}), json!({"allow": ["a=1"]})] {
        trial::refused::<PackageAllowlist>(&args);
    }
}
