//! A hold on the host by its own operators.

use rectify_tests::{
    fleet::Host,
    pool,
    rectify::{Ran, output, run},
};

const PLAYBOOK: &str = "- hosts: all
  tasks:
    - name: banner
      copy: {dest: /etc/banner, content: \"hello\\n\"}
      notify: greet
    - name: motd
      command: touch /etc/touched
  handlers:
    - name: greet
      command: touch /etc/greeted
";

fn there(host: &Host) -> Vec<&'static str> {
    let all = ["/etc/banner", "/etc/touched", "/etc/greeted"];
    all.into_iter().filter(|path| host.exec(&["test", "-e", path]).unwrap().success()).collect()
}

/// Writes a hold as an operator would, until so long from now.
fn hold(host: &Host, from_now: &str) {
    host.sh(&format!(
        "install -d -m 755 /etc/rectify && \
         printf 'reason: %s\\nuntil: %s\\n' 'the database moves' \"$(date -d '{from_now}' -Iseconds)\" >/etc/rectify/hold"
    ))
    .unwrap();
}

fn outcomes(ran: &Ran) -> Vec<String> {
    ran.reports().values().map(|report| Ran::outcome(report).to_owned()).collect()
}

fn found(ran: &Ran) -> Vec<String> {
    let found = ran.events.iter().filter(|e| e["on_host"] == "found");
    found.map(|e| e["finding"]["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_hold_stops_corrections_and_not_looks_until_it_is_over() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let playbook = lease.write("site.yml", PLAYBOOK).unwrap();
    let playbook = playbook.to_string_lossy().into_owned();
    let apply = || run(&lease, "apply", &[&playbook]).unwrap();
    let check = || run(&lease, "check", &[&playbook]).unwrap();

    let free = check();
    hold(host, "+4 hours");
    let held = apply();
    assert_eq!((held.code, there(host)), (Some(2), vec![]), "{}", held.stderr);
    assert_eq!(outcomes(&held), outcomes(&free), "it shows what a check shows");
    let looked = check();
    for ran in [&held, &looked] {
        let event = ran.events.iter().find(|e| e["on_host"] == "held").unwrap();
        assert_eq!((&event["hold"]["by"], &event["hold"]["reason"]), (&"root".into(), &"the database moves".into()));
    }
    assert_eq!((outcomes(&looked), looked.code), (outcomes(&free), free.code), "a check sees what it always sees");
    let shown = output(&lease, "apply", &[&playbook]).unwrap();
    let said = format!("{}{}", shown.stdout, shown.stderr);
    assert!(said.contains("held by root until ") && said.contains(": the database moves"), "{said}");
    assert!(said.contains("held: nothing was changed") && said.contains("would change"), "{said}");
    for verb in ["check", "drift"] {
        let shown = output(&lease, verb, &[&playbook]).unwrap();
        let said = format!("{}{}", shown.stdout, shown.stderr);
        assert!(said.contains("the database moves: an apply changes nothing there") && said.contains("held"), "{said}");
    }

    // Whoever may write it could hold a host as root.
    host.sh("chmod o+w /etc/rectify/hold").unwrap();
    let open = check();
    assert!(open.code == Some(2) && found(&open)[0].contains("others than root may write"), "{:?}", found(&open));
    host.sh("chmod o-w /etc/rectify/hold && chown deploy /etc/rectify/hold").unwrap();
    assert!(found(&check())[0].contains("belongs to deploy, and only root may hold a host"));
    host.sh("chown root /etc/rectify/hold && echo please >>/etc/rectify/hold").unwrap();
    assert!(found(&check())[0].contains("\"please\" is no `key: value`"));

    hold(host, "-1 minute");
    let over = apply();
    assert!(found(&over)[0].starts_with("it expired at "), "{:?}", found(&over));
    assert_eq!(there(host), ["/etc/banner", "/etc/touched", "/etc/greeted"]);
    assert_eq!(over.code, Some(2), "what was found is to be looked at: {}", over.stderr);
    host.sh("rm /etc/rectify/hold").unwrap();
    assert!(found(&apply()).is_empty());
}

#[test]
fn one_that_was_written_a_day_ago_is_over_whatever_it_says() {
    let lease = pool::debian().unwrap();
    let host = lease.host();
    let playbook = lease.write("site.yml", PLAYBOOK).unwrap();
    let playbook = playbook.to_string_lossy().into_owned();
    hold(host, "+30 days");
    let capped = run(&lease, "apply", &[&playbook]).unwrap();
    assert!(found(&capped)[0].starts_with("it asks for more than a day: it holds until "), "{:?}", found(&capped));
    assert_eq!(there(host), [""; 0]);
    host.sh("touch -d '-25 hours' /etc/rectify/hold").unwrap();
    let over = run(&lease, "apply", &[&playbook]).unwrap();
    assert!(found(&over)[0].contains("a day after it was written"), "{:?}", found(&over));
    assert_eq!(there(host).len(), 3);
}
