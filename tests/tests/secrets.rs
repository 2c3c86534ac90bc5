//! What is secret, on a real host: looked for in everything that is printed, in every process and on the whole disk.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write as _;
use std::process::Stdio;

use rectify_tests::fleet::Output;
use rectify_tests::pool::{self, Lease};
use rectify_tests::rectify::{binary, output, run, words};

/// A password with everything in it that somebody escapes.
const VALUE: &str = "p'w\"d\\hunter2$x ü";
const OF_FILE: &str = "k3y-of-a-file";
const OF_SOURCE: &str = "bytes-of-a-source";

/// What no output may hold: each secret, and the middle of its base64.
const TRACES: [&str; 6] = ["hunter2", "aHVudGVyMi", "k3y-of", "azN5LW9mLWEtZmls", "bytes-of-a", "Ynl0ZXMtb2YtYS1z"];

/// `rectify vault VERB` over a text.
fn vault(lease: &Lease, verb: &str, text: &str) -> String {
    let mut command = lease.command(binary().unwrap());
    command.args(["vault", verb, "--vault-password-file", "vault-password"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{verb}");
    String::from_utf8(output.stdout).unwrap()
}

/// A playbook that does with its secrets whatever might give them away.
fn playbook(lease: &Lease) -> String {
    lease.write("vault-password", "open sesame\n").unwrap();
    lease.write("secret.yml", &vault(lease, "encrypt", &format!("key: {OF_FILE}\n"))).unwrap();
    lease.write("source.pem", &vault(lease, "encrypt", &format!("-----BEGIN-----\n{OF_SOURCE}\n"))).unwrap();
    let value = vault(lease, "encrypt-string", VALUE);
    let text = format!(
        r#"- hosts: all
  gather_facts: false
  vars_files: [secret.yml]
  vars:
    pw: {value}    url: "https://app:{{{{ pw | urlencode }}}}@db/"
  tasks:
    - name: a file with {{{{ pw }}}}
      copy: {{dest: /etc/app.conf, content: "a\npassword={{{{ pw }}}}\nurl={{{{ url }}}}\n", mode: '0600'}}
    - copy: {{src: source.pem, dest: /etc/source.pem, mode: '0600'}}
    - user: {{name: app, password: "{{{{ key | password_hash('sha512', 'saltsaltsaltsalt', rounds=1000) }}}}"}}
    - debug: {{msg: "{{{{ pw }}}} {{{{ pw | b64encode }}}} {{{{ pw | to_json }}}} {{{{ pw | quote }}}} {{{{ key | reverse }}}} {{{{ url }}}}"}}
    - command: {{argv: [printf, '%s', "{{{{ pw }}}}"]}}
      register: printed
      check_mode: false
      changed_when: false
    - debug: {{var: printed}}
    - shell: "cat /nowhere/{{{{ key }}}}"
      check_mode: false
      ignore_errors: true
    - fail: {{msg: "no: {{{{ pw }}}} {{{{ key }}}}"}}
      ignore_errors: true
    - file: {{path: "/nowhere/{{{{ key }}}}/x", state: touch}}
      ignore_errors: true
    - slurp: {{src: /etc/source.pem}}
      register: slurped
      ignore_errors: true
    - debug: {{var: slurped}}
    - debug: {{msg: "{{{{ item }}}}"}}
      loop: ["{{{{ key }}}}", "{{{{ pw | length }}}}"]
      when: key != 'x'
    - assert: {{that: ["key == 'k3y'"], fail_msg: "it is {{{{ key }}}}"}}
      ignore_errors: true
"#
    );
    lease.write("site.yml", &text).unwrap().to_string_lossy().into_owned()
}

fn quiet(what: &str, ran: &Output) {
    let all = format!("{}{}", ran.stdout, ran.stderr);
    for trace in TRACES {
        assert!(!all.contains(trace), "{what} gives {trace} away:\n{all}");
    }
}

#[test]
fn no_form_of_output_gives_a_secret_away() {
    let lease = pool::debian().unwrap();
    let playbook = playbook(&lease);
    let with = ["--vault-password-file", "vault-password", playbook.as_str()];
    let verbose = ["-vvv"];
    let json = ["--json", "-vvv"];
    // An apply finds other things to say after the first.
    for (verb, form) in [
        ("check", &[][..]),
        ("check", &verbose),
        ("check", &json),
        ("apply", &verbose),
        ("apply", &[]),
        ("apply", &json),
    ] {
        let ran = output(&lease, verb, &[&with[..], form].concat()).unwrap();
        assert!(matches!(ran.code, Some(0 | 2)), "{verb} {form:?}: {:?}\n{}{}", ran.code, ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("********"), "{verb} {form:?}: {}", ran.stdout);
        quiet(&format!("{verb} {form:?}"), &ran);
    }
    let content = lease.host().read("/etc/app.conf").unwrap();
    assert!(content.contains(VALUE), "the secret is where it belongs: {content}");
    assert!(lease.host().read("/etc/source.pem").unwrap().contains(OF_SOURCE));
    for form in ["text", "json", "dot", "mermaid"] {
        let mut argv = words(&lease, "graph").unwrap();
        argv.truncate(4);
        argv.extend(with.iter().chain(&["--format", form]).map(std::ffi::OsString::from));
        let ran = lease.run(argv).unwrap();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        quiet(&format!("graph {form}"), &ran);
    }
    // Nowhere else on the disk: neither in the helper's folders nor in a log.
    let found =
        lease.host().sh("grep -rlFe hunter2 -e k3y-of-a /etc /var /run /root /home /tmp /opt /srv || true").unwrap();
    assert_eq!(found.trim(), "/etc/app.conf");
}

#[test]
fn no_process_of_the_host_carries_a_secret_in_its_words_or_its_environment() {
    let lease = pool::debian().unwrap();
    playbook(&lease);
    let waiting = format!(
        "- hosts: all\n  gather_facts: false\n  vars_files: [secret.yml]\n  tasks:\n    - copy: {{dest: /etc/k, content: '{{{{ key }}}}'}}\n    - user: {{name: app, password: \"{{{{ key | password_hash('sha512', 'saltsaltsaltsalt', rounds=1000) }}}}\"}}\n    - command: sleep {SLEEP}\n      ignore_errors: true\n"
    );
    const SLEEP: &str = "7919";
    let path = lease.write("waiting.yml", &waiting).unwrap();
    let argv = words(&lease, "apply").unwrap();
    let mut command = lease.command(&argv[0]);
    command.args(&argv[1..]).arg(&path).args(["--vault-password-file", "vault-password"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Until it sleeps, or has ended for another reason.
    while !lease.host().exec(&["pgrep", "-xf", &format!("sleep {SLEEP}")]).unwrap().success() {
        assert!(child.try_wait().unwrap().is_none(), "the run is over before it slept");
    }
    let all = lease.host().sh("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'").unwrap();
    lease.host().sh(&format!("pkill -xf 'sleep {SLEEP}'")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(all.contains(SLEEP) && all.contains("PATH="), "{all}");
    assert!(!all.contains("k3y-of") && !all.contains("saltsaltsalt"), "{all}");
}

#[test]
fn a_password_that_is_missing_or_wrong_stops_before_any_host_is_contacted() {
    let lease = pool::debian().unwrap();
    let playbook = playbook(&lease);
    lease.write("wrong", "close sesame").unwrap();
    for (more, words) in [(&[][..], "no vault password"), (&["--vault-id", "test@wrong"], "(tried: test)")] {
        let ran = run(&lease, "apply", &[&[playbook.as_str()], more].concat()).unwrap();
        assert_eq!(ran.code, Some(5), "{}", ran.stderr);
        assert!(ran.events.is_empty(), "{:?}", ran.events);
        assert!(ran.stderr.contains("secret.yml:1:1") && ran.stderr.contains(words), "{}", ran.stderr);
    }
    lease.untouched();
}
