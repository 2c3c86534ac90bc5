//! `drift`: its flags, which are those of a check, and what it prints.

use crate::connection::{BECOME, CONFIG, LOGIN};
use crate::flags::{Case, Seen::Has, Seen::Lacks, case, folder, run};
use crate::reach::Reached;

const DRIFT: &str = "drift site.yml -i hosts HELPER";

pub(crate) const CASES: &[Case] = &[
    case("drift PLAYBOOK", "drift -i hosts HELPER", "site.yml", Has("line of two")),
    case("drift --inventory", "drift site.yml HELPER", "-i hosts", Has("line of two")),
    case("drift --limit", "drift site.yml -i hosts HELPER --json", "-l web", Lacks("\"host\": \"c\"")),
    case("drift --extra-vars", "drift site.yml -i nowhere HELPER", "-e ansible_connection=local", Has("line of two")),
    case("drift --tags", DRIFT, "-t red", Lacks("line of two")),
    case("drift --skip-tags", DRIFT, "--skip-tags blue", Lacks("line of two")),
    case("drift --start-at-task", DRIFT, "--start-at-task quiet", Lacks("line of two")),
    case("drift --connection", "drift site.yml -i nowhere HELPER", "-c local", Has("line of two")),
    case(
        "drift --timeout",
        "drift site.yml -i silent HELPER -e ansible_timeout=2",
        "-e {ansible_timeout:} -T 1",
        Has("within 1 s"),
    ),
    case("drift --rollouts", "drift fleet/site.yml -i fleet.yml HELPER", "--rollouts wrong.yml", Has("lacks reason")),
    case("drift --verbose", "drift site.yml -i hosts HELPER -t red", "-vv", Has("a: connecting")),
    case("drift --no-diff", DRIFT, "--no-diff", Lacks("line of two")),
    case("drift --json", DRIFT, "--json", Has("\"cause\": \"new\"")),
];

#[test]
fn every_flag_of_drift_makes_a_difference() {
    crate::flags::hold(CASES);
}

#[test]
fn drift_looks_at_hosts_like_any_run() {
    let host = Reached::new();
    let bare = "t ansible_host={address}";
    let task = "{copy: {dest: /tmp/who, content: \"I am {{ ansible_user_id }}\\n\"}}";
    host.lease.write("who.yml", &format!("- {{hosts: all, tasks: [{task}]}}\n")).unwrap();
    let drift = |more: &[&str]| host.run("drift", bare, CONFIG, &[&["who.yml"], more].concat());
    let login = ["-u", "deploy", "--private-key", "{key}"];
    let with = |more: &[&str]| drift(&[&login, more].concat());
    assert!(with(&[]).contains("+I am deploy"), "{}", with(&[]));
    assert!(!drift(&login[..2]).contains("I am deploy") && !drift(&login[2..]).contains("I am deploy"));
    assert!(with(&["-b"]).contains("+I am root"));
    assert!(with(&["-b", "--become-user", "admin"]).contains("+I am admin"));
    assert!(with(&["-b", "--become-method", "doas"]).contains("ran command"));
    let unknown = host.run("drift", bare, "Host *\n", &[&["who.yml"], login.as_slice()].concat());
    assert!(unknown.contains("exit Some(4)"), "another configuration knows another key: {unknown}");
    let asked = ["who.yml", "-u", "admin", "-k", "-b", "-K"];
    let said = host.on_a_terminal("drift", bare, CONFIG, &asked, &[LOGIN, BECOME]);
    assert!(said.contains("I am root") && said.contains("Accepted password for admin"), "{said}");
}

#[test]
fn who_moved_is_told_by_what_the_last_run_left() {
    let folder = folder();
    assert_eq!(run(&folder, "apply site.yml -i hosts HELPER -l a").code, Some(0));
    assert_eq!(run(&folder, "drift site.yml -i hosts HELPER -l a").stdout, "1 host looked at; nothing has moved\n");
    std::fs::write(folder.path().join("two"), "mine\n").unwrap();
    let said = run(&folder, "drift site.yml -i hosts HELPER -l a");
    assert!(said.code == Some(2) && said.stdout.contains("DRIFT  the host moved"), "{}", said.all());
    assert!(said.stdout.contains("-mine") && said.stdout.contains("+line of two"), "{}", said.all());
    // A check is a look like any other, and what it saw is known to the next one.
    std::fs::write(folder.path().join("two"), "line of two\n").unwrap();
    let fixed = run(&folder, "drift site.yml -i hosts HELPER -l a");
    assert!(fixed.code == Some(0) && fixed.stdout.contains("FIXED"), "{}", fixed.all());
}

#[test]
fn hosts_that_could_not_be_looked_at_are_said_and_not_called_fine() {
    let folder = folder();
    let said = run(&folder, "drift site.yml -i nowhere HELPER");
    assert_eq!(said.code, Some(4), "{}", said.all());
    assert!(said.stdout.contains("1 host not") && !said.stdout.contains("nothing has moved\n"), "{}", said.all());
    folder.write("rectify.toml", "[record]\nstore = \"postgres://nobody@127.0.0.1:9/none\"\n");
    let said = run(&folder, "drift site.yml -i hosts HELPER -l a");
    assert!(said.code == Some(3) && said.stderr.contains("who moved cannot be told"), "{}", said.all());
}
