use std::sync::Arc;

use rectify_core::{
    module::{ErasedResource, Observe, Operate},
    plan::TaskId,
};
use serde_json::json;

use super::*;
use crate::{
    host::{fake::Fake, rehearsal::Rehearsal},
    kind::shared::trial,
};

fn converge(host: &dyn Operate, args: Value) -> (Value, Value) {
    trial::converge::<Service>(host, &args)
}

fn fails(host: &dyn Operate, args: Value) -> String {
    trial::fails::<Service>(host, &args)
}

#[test]
fn a_unit_is_stopped_and_disabled_once() {
    let host = Fake::debian();
    let args = json!({"name": "apache2", "state": "stopped", "enabled": false});
    let (before, after) = converge(&host, args.clone());
    assert_eq!((&before["active"], &after["active"]), (&json!("active"), &json!("inactive")));
    assert_eq!((&before["enabled"], &after["enabled"]), (&json!(true), &json!(false)));
    let unit = host.unit("apache2.service").unwrap();
    assert_eq!((unit.active.as_str(), unit.file.as_str()), ("inactive", "disabled"));
    let (before, after) = converge(&host, args);
    assert_eq!(before, after, "a second time there is nothing to do");
    converge(&host, json!({"name": "apache2", "state": "running", "enabled": "yes"}));
    assert_eq!(host.unit("apache2.service").unwrap().active, "active");
}

#[test]
fn a_failed_unit_counts_as_stopped_and_can_be_started() {
    let host = Fake::debian();
    let (before, after) = converge(&host, json!({"name": "rsyslog", "state": "stopped"}));
    assert_eq!(before, after);
    let (before, after) = converge(&host, json!({"name": "rsyslog", "state": "started"}));
    assert_eq!((&before["active"], &after["active"]), (&json!("failed"), &json!("active")));
}

#[test]
fn masking_stops_and_disables_and_unmasking_comes_first() {
    let host = Fake::debian();
    converge(&host, json!({"name": "apache2", "masked": true}));
    let unit = host.unit("apache2.service").unwrap();
    assert_eq!((unit.load.as_str(), unit.active.as_str()), ("masked", "inactive"));
    assert!(fails(&host, json!({"name": "apache2", "state": "started"})).contains("masked"));
    converge(&host, json!({"name": "apache2", "masked": false, "enabled": true, "state": "started"}));
    let unit = host.unit("apache2.service").unwrap();
    assert_eq!((unit.load.as_str(), unit.active.as_str()), ("loaded", "active"));
}

#[test]
fn a_unit_that_is_not_there_can_be_masked_and_nothing_else() {
    let host = Fake::debian();
    let error = fails(&host, json!({"name": "apche2", "state": "started"}));
    assert!(error.contains("no unit apche2.service"), "{error}");
    assert!(fails(&host, json!({"name": "apche2", "enabled": false})).contains("no unit"));
    converge(&host, json!({"name": "autofs", "masked": true, "state": "stopped", "enabled": false}));
    assert_eq!(host.unit("autofs.service").unwrap().load, "masked");
}

#[test]
fn a_restart_is_due_once_and_a_reload_starts_what_does_not_run() {
    let host = Fake::debian();
    let (before, after) = converge(&host, json!({"name": "apache2", "state": "restarted"}));
    assert_eq!((&before["due"], after.get("due")), (&json!("restart"), None));
    converge(&host, json!({"name": "apache2", "state": "stopped"}));
    converge(&host, json!({"name": "apache2", "state": "reloaded"}));
    assert_eq!(host.unit("apache2.service").unwrap().active, "active");
}

const SHOW: &str = "systemctl, show, --no-pager, '--property=Type,ActiveState,SubState,Result,NRestarts', --";

fn answering(properties: &str) -> Fake {
    let text = properties.replace(' ', "\\n");
    Fake::from_yaml(&format!(
        "{{base: debian, units: {{x.service: {{active: inactive}}}}, probes: [{{argv: [{SHOW}, x.service], stdout: \"{text}\"}}]}}"
    ))
    .unwrap()
}

#[test]
fn a_unit_that_dies_right_after_its_start_is_a_failure() {
    for (properties, words) in [
        ("Type=simple ActiveState=failed SubState=failed Result=exit-code", "it is failed (result: exit-code)"),
        ("Type=simple ActiveState=activating SubState=auto-restart Result=exit-code", "over and over"),
    ] {
        let error = fails(&answering(properties), json!({"name": "x", "state": "started"}));
        assert!(error.contains("x.service did not survive its start") && error.contains(words), "{error}");
    }
}

#[test]
fn a_one_shot_that_ended_well_has_done_what_was_asked() {
    let host = answering("Type=oneshot ActiveState=inactive SubState=dead Result=success");
    let (_, after) = converge(&host, json!({"name": "x", "state": "started"}));
    assert_eq!(after["active"], json!("active"));
}

#[test]
fn static_units_are_left_alone() {
    let host = Fake::debian();
    let (before, after) = converge(&host, json!({"name": "systemd-journald", "enabled": true}));
    assert_eq!(before, after);
    assert!(before.get("enabled").is_none());
}

#[test]
fn daemon_reload_alone_needs_no_unit() {
    let (before, after) = converge(&Fake::debian(), json!({"daemon_reload": true}));
    assert_eq!((&before["due"], after.get("due")), (&json!("daemon-reload"), None));
}

#[test]
fn what_a_check_announces_is_what_an_apply_announces() {
    for args in [
        json!({"name": "apache2", "state": "stopped", "enabled": false}),
        json!({"name": "apache2", "state": "restarted"}),
        json!({"name": "apache2", "masked": true}),
        json!({"name": "masked", "masked": false}),
    ] {
        let rehearsal = Rehearsal::shared(Arc::new(Fake::debian()));
        let checked = converge(&rehearsal.for_task(TaskId(1)), args.clone());
        assert_eq!(checked, converge(&Fake::debian(), args));
    }
}

#[test]
fn what_a_package_may_bring_is_not_known_in_a_check() {
    let rehearsal = Rehearsal::shared(Arc::new(Fake::debian()));
    let request = rectify_core::module::PackageRequest {
        install: vec![rectify_core::module::PackageSpec { name: "nginx".into(), version: None }],
        ..Default::default()
    };
    rehearsal.for_task(TaskId(1)).transact(&request).unwrap();
    let nginx: Service = trial::module(&json!({"name": "nginx", "state": "started"}));
    let error = nginx.look(&rehearsal.for_task(TaskId(2))).unwrap_err();
    assert!(error.because().is_some(), "{error}");
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for args in [
        json!({"state": "started"}),
        json!({"name": "x"}),
        json!({"name": "x*", "state": "started"}),
        json!({"name": "x", "masked": true, "state": "started"}),
        json!({"name": "x", "masked": true, "enabled": true}),
    ] {
        trial::refused::<Service>(&args);
    }
}
