//! Changes of the policy, alone and together with the host's.

use crate::{TASKS, World, listed};

#[test]
fn a_policy_that_changes_is_pending_and_never_drift() {
    let mut world = World::new(TASKS);
    world
        .says(&TASKS.replace("'0644'", "'0600'").replace("c = 3", "c = 4").replace("state: started", "state: stopped"));
    let pending =
        ["pending path:/etc/app.d.conf content", "pending path:/etc/banner mode", "pending unit:idle.service active"];
    assert_eq!(world.open(), pending);
    assert!(world.runs("drift", &[], 2).contains("POLICY  the policy moved"));
    world.host().sh("chmod 640 /etc/banner; sed -i 's/a = 1/a = 7/' /etc/app.d.conf").unwrap();
    let both = world.drift(2);
    assert_eq!(listed(&both)[..2], ["both path:/etc/app.d.conf content", "both path:/etc/banner mode"]);
    world.runs("apply", &[], 0);
    world.runs("drift", &[], 0);
}

#[test]
fn a_task_that_is_renamed_moved_or_of_another_module_keeps_its_cause() {
    let mut world = World::new(TASKS);
    world.host().sh("chmod 666 /etc/banner; apt-get -y install rectify-demo >/dev/null 2>&1").unwrap();
    let drift = ["drift package:rectify-demo", "drift path:/etc/banner mode"];
    assert_eq!(world.open(), drift);
    let mut tasks: Vec<&str> = TASKS.split("- name: ").skip(1).collect();
    tasks.reverse();
    let renamed: String = tasks.iter().map(|task| format!("- name: renamed {task}")).collect();
    let renamed = renamed.replace("name: [rectify-demo]", "name: [rectify-demo, nmap]");
    world.lease.write("templates/banner", "keep out\n").unwrap();
    world.says(
        &renamed
            .replace("copy: {dest: /etc/banner, content: \"keep out\\n\"", "template: {dest: /etc/banner, src: banner"),
    );
    assert_eq!(world.open(), drift);
    // Lines of several tasks in one file count together, and the policy may split them as it likes.
    let world =
        World::new("- lineinfile: {path: /etc/x, line: one, create: true}\n- lineinfile: {path: /etc/x, line: two}\n");
    world.host().sh("echo own > /etc/x; echo two >> /etc/x").unwrap();
    assert_eq!(world.open(), ["drift path:/etc/x content"], "the line is to come to another place than it was at");
}
