use std::{path::Path, sync::Arc};

use rectify_core::{
    module::{Observe, Operate},
    plan::TaskId,
};
use serde_json::{Value, json};

use super::*;
use crate::{
    host::{fake::Fake, rehearsal::Rehearsal},
    kind::shared::trial,
};

/// Debian without anything that autoremove would take.
fn tidy() -> Fake {
    Fake::from_yaml("{base: debian, packages: {systemd: {version: '252', installed: true, requires: [libc6]}}}")
        .unwrap()
}

fn converge(host: &dyn Operate, args: Value) -> (Value, Value) {
    trial::converge::<Package>(host, &args)
}

fn unchanged(host: &dyn Operate, args: Value) {
    let (before, after) = converge(host, args.clone());
    assert_eq!(before, after, "{args}");
}

fn fails(host: &dyn Operate, args: Value) -> String {
    trial::fails::<Package>(host, &args)
}

#[test]
fn everything_that_a_transaction_brings_is_announced() {
    let host = Fake::debian();
    let (before, after) = converge(&host, json!({"name": "nginx"}));
    let (before, after) = (&before["packages"], &after["packages"]);
    assert_eq!((&before["nginx"], &before["nginx-common"]), (&Value::Null, &Value::Null));
    assert!(after["nginx"].is_string() && after["nginx-common"].is_string(), "{after}");
    unchanged(&host, json!({"name": ["nginx", "curl"]}));
}

#[test]
fn what_is_there_or_provided_needs_no_transaction() {
    let host = Fake::debian();
    let version = host.packages().unwrap().packages["apache2"].version.clone();
    for name in [
        "apache2".to_owned(),
        "httpd".into(),
        "curl:amd64".into(),
        format!("apache2={version}"),
        "apache2=2.4.*".into(),
    ] {
        unchanged(&host, json!({ "name": name }));
    }
}

#[test]
fn latest_upgrades_and_a_version_can_be_asked_for() {
    let host = Fake::debian();
    let (_, after) = converge(&host, json!({"name": "apache2", "state": "latest"}));
    assert_eq!(after["packages"]["apache2"], "2.4.62-1~deb12u2");
    unchanged(&host, json!({"name": "apache2", "state": "latest"}));
    let error = fails(&host, json!({"name": "apache2", "version": "9.9"}));
    assert!(error.contains("9.9"), "{error}");
}

#[test]
fn removal_announces_what_goes_along_and_purge_takes_what_was_left() {
    let host = Fake::debian();
    unchanged(&host, json!({"name": ["nothing-like-it", "zzz*"], "state": "absent"}));
    let (before, after) = converge(&host, json!({"name": "apache2-bin", "state": "absent"}));
    assert!(before["packages"]["apache2"].is_string() && after["packages"]["apache2"].is_null());
    unchanged(&host, json!({"name": "apache2", "state": "removed"}));
    let (before, _) = converge(&host, json!({"name": "apache2", "state": "absent", "purge": true}));
    assert_eq!(before["packages"]["apache2"], LEFTOVER);
    assert_eq!(host.lstat(Path::new("/etc/apache2/apache2.conf")).unwrap(), None);
    unchanged(&host, json!({"name": "apache2", "state": "absent", "purge": true}));
}

#[test]
fn a_pattern_removes_what_it_matches() {
    let host = Fake::debian();
    converge(&host, json!({"name": "*php*", "state": "absent"}));
    assert!(
        !host
            .packages()
            .unwrap()
            .packages
            .values()
            .any(|p| p.name.contains("php") && p.status == rectify_core::module::PackageStatus::Installed)
    );
    assert!(trial::refused::<Package>(&json!({"name": "php*"})).contains("pattern"));
}

#[test]
fn a_transaction_that_takes_along_what_is_protected_is_refused() {
    let host = Fake::debian();
    let args = json!({"name": "apache2-bin", "state": "absent", "protect": ["libapache2-mod-*"]});
    let error = fails(&host, args.clone());
    assert!(error.contains("libapache2-mod-php8.2 (the task protects it)"), "{error}");
    assert!(host.packages().unwrap().installed("apache2-bin").is_some());
    let rehearsal = Rehearsal::shared(Arc::new(Fake::debian()));
    assert_eq!(fails(&rehearsal.for_task(TaskId(1)), args), error, "a check says the same");
}

#[test]
fn the_way_in_goes_only_by_its_own_name() {
    let host = Fake::from_yaml(
        "{base: debian, packages: {libwrap0: {version: '7', installed: true, auto: true}, \
          openssh-server: {version: '9', installed: true, requires: [libwrap0]}}}",
    )
    .unwrap();
    let error = fails(&host, json!({"name": "libwrap0", "state": "absent"}));
    assert!(error.contains("openssh-server (the way in)"), "{error}");
    converge(&host, json!({"name": "openssh-server", "state": "absent"}));
}

#[test]
fn what_only_came_along_goes_with_autoremove() {
    let host = tidy();
    converge(&host, json!({"name": "nginx"}));
    converge(&host, json!({"name": "nginx", "state": "absent"}));
    assert!(host.packages().unwrap().installed("nginx-common").is_some());
    let (before, after) = converge(&host, json!({"autoremove": true}));
    assert!(before["packages"]["nginx-common"].is_string() && after["packages"]["nginx-common"].is_null());
    unchanged(&host, json!({"autoremove": true}));
}

#[test]
fn an_index_is_fetched_by_itself_and_for_latest() {
    let host = Fake::debian();
    let (before, after) = converge(&host, json!({"update_cache": true}));
    assert_eq!((&before["index"], &after["index"]), (&json!(STALE), &json!(FRESH)));
    let (before, _) = converge(&host, json!({"name": "curl", "state": "latest", "cache_valid_time": 60}));
    assert_eq!(before["index"], STALE);
    unchanged(&host, json!({"name": "curl", "update_cache": true}));
}

#[test]
fn a_package_that_an_old_index_lacks_is_looked_for_in_a_new_one() {
    let args = json!({"name": "brand-new", "update_cache": true});
    let rehearsal = Rehearsal::shared(Arc::new(Fake::debian()));
    let view = rehearsal.for_task(TaskId(1));
    let module: Package = trial::module(&args);
    let seen = rectify_core::module::ErasedResource::look(&module, &view).unwrap();
    assert_eq!(seen.after["packages"]["brand-new"], WHATEVER);
    let error = rectify_core::module::ErasedResource::apply(&module, &seen, &view).unwrap_err();
    assert_eq!(error, ModuleError::Host(HostError::NotRehearsed));
    // The machine itself has its answer: there is no such package.
    assert!(fails(&Fake::debian(), args).contains("brand-new"));
    assert!(fails(&Fake::debian(), json!({"name": "brand-new"})).contains("brand-new"));
}

#[test]
fn rpm_names_may_carry_versions_and_architectures() {
    let host = Fake::rocky();
    for name in ["httpd-2.4.57", "httpd-2.4.57-8.el9", "httpd.x86_64", "webserver"] {
        unchanged(&host, json!({ "name": name }));
    }
    let (_, after) = converge(&host, json!({"name": "httpd", "state": "latest"}));
    assert_eq!(after["packages"]["httpd"], "2.4.57-11.el9_4");
}

#[test]
fn a_task_may_be_for_one_package_manager() {
    assert!(fails(&Fake::rocky(), json!({"name": "x", "use": "apt"})).contains("for hosts with apt"));
}

#[test]
fn what_a_check_announces_is_what_an_apply_announces() {
    for args in [
        json!({"name": "nginx"}),
        json!({"name": "apache2", "state": "latest"}),
        json!({"name": "apache2-bin", "state": "absent", "purge": true}),
        json!({"name": "*php*", "state": "absent", "autoremove": true}),
        json!({"update_cache": true}),
    ] {
        let rehearsal = Rehearsal::shared(Arc::new(tidy()));
        let checked = converge(&rehearsal.for_task(TaskId(1)), args.clone());
        assert_eq!(checked, converge(&tidy(), args));
    }
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for args in [
        json!({}),
        json!({"name": ["a", "b"], "version": "1"}),
        json!({"name": "a", "version": "1", "state": "latest"}),
        json!({"name": "a", "upgrade": "dist"}),
        json!({"name": "a", "purge": true, "state": "latest"}),
        json!({"name": "a", "state": "maybe"}),
    ] {
        trial::refused::<Package>(&args);
    }
}
