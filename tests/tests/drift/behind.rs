//! Changes made behind the tool's back.

use crate::{TASKS, World, listed, now, traces};

#[test]
fn what_moved_on_the_host_is_found_dated_and_put_right() {
    let world = World::new(TASKS);
    world.runs("drift", &[], 0);
    let before = now();
    world
        .host()
        .sh("chmod 666 /etc/banner; sed -i 's/b = 2/b = 9/' /etc/app.d.conf; systemctl stop idle; useradd eve; \
             apt-get -y install rectify-demo >/dev/null 2>&1")
        .unwrap();
    let after = now();
    // As logrotate leaves it.
    world.host().sh("cd /var/log; gzip -c dpkg.log >dpkg.log.2.gz; : >dpkg.log.1; : >dpkg.log").unwrap();
    let found = world.drift(2);
    let expected = [
        "drift package:rectify-demo",
        "drift path:/etc/app.d.conf content",
        "drift path:/etc/banner mode",
        "drift unit:idle.service active",
        "drift user:eve",
    ];
    assert_eq!(listed(&found), expected);
    for item in found["open"].as_array().unwrap() {
        // Between the look before and this one.
        let [from, to] = ["before", "since"].map(|key| item[key].as_i64().unwrap());
        assert!(from < before && after <= to, "{item}");
    }
    let within = |trace: &serde_json::Value, slack: i64| {
        let at = trace["at"].as_i64().unwrap();
        (before - slack..=after + slack).contains(&at)
    };
    const SECOND: i64 = 1_000_000;
    for (thing, source, slack) in [
        ("path:/etc/banner", "file", SECOND),
        ("path:/etc/app.d.conf", "file", SECOND),
        ("package:rectify-demo", "dpkg", SECOND),
        ("package:rectify-demo", "apt", SECOND),
        ("unit:idle.service", "journal", SECOND),
        ("user:eve", "file", SECOND),
    ] {
        let all = traces(&found, thing, source);
        assert!(all.iter().any(|trace| within(trace, slack)), "{thing} {source}: {all:?} not in {before}..{after}");
    }
    assert_eq!(traces(&found, "package:rectify-demo", "apt")[0]["program"], "apt-get -y install rectify-demo");
    let screen = world.runs("drift", &[], 2);
    for line in [
        "DRIFT  the host moved",
        "-b = 9",
        "+b = 2",
        "mode: 0666 → 0644",
        "by 2 looks in a row",
        "site.yml:",
        "is not known",
    ] {
        assert!(screen.contains(line), "{line}: {screen}");
    }
    world.runs("apply", &[], 0);
    assert_eq!(world.runs("drift", &[], 0), "1 host looked at; nothing has moved\n");
}

#[test]
fn what_nobody_allowed_and_what_deviates_in_a_tree_is_drift() {
    let tasks = "\
- name: nothing else
  permissions: {path: /srv/site, file_mode: '0640', dir_mode: '0750'}
";
    let lease_tasks = format!("- {{name: there, file: {{path: /srv/site, state: directory, mode: '0750'}}}}\n{tasks}");
    let world = World::new(&lease_tasks);
    world.runs("drift", &[], 0);
    world.host().sh("touch /srv/site/x; chmod 666 /srv/site/x").unwrap();
    assert_eq!(world.open(), ["drift permissions:/srv/site paths./srv/site/x.mode"]);
    world.host().sh("rm /srv/site/x").unwrap();
    let found = world.drift(0);
    assert_eq!((found["fixed"][0]["was"].as_str(), found["open"].as_array().unwrap().len()), (Some("drift"), 0));
}

#[test]
fn a_file_that_is_gone_is_one_drift_and_a_secret_is_told_nowhere() {
    let tasks =
        format!("{TASKS}- name: secret\n  copy: {{dest: /etc/secret, content: \"hunter2\\n\"}}\n  no_log: true\n");
    let world = World::new(&tasks);
    world.host().sh("rm /etc/banner; echo other > /etc/secret").unwrap();
    let found = world.drift(2);
    assert_eq!(listed(&found), ["drift path:/etc/banner"]);
    let text = world.runs("drift", &[], 2);
    assert!(!text.contains("hunter2") && !found.to_string().contains("hunter2"));
}
