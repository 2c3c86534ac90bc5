//! The message of the day: whoever logs in reads what changes on the host.

use std::{io::Write, process::Stdio};

use rectify_tests::{
    image::Image,
    pool::{self, Lease},
    rectify::{Ran, run},
};

const PLAYBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../playbooks/motd.yml");
const TEXT: &str = "What changes here\n\n* {{ this }} is text, and so is $(id) `id`\n";

fn apply(lease: &Lease, more: &[&str]) -> Ran {
    let texts = format!("motd_texts={}", lease.home().join("motd").display());
    let ran = run(lease, "apply", &[&["-e", texts.as_str()], more, &[PLAYBOOK]].concat()).unwrap();
    assert!(ran.with("failed").is_empty(), "{:#?}", ran.reports());
    ran
}

/// What somebody reads who logs in.
fn login(lease: &Lease) -> String {
    let mut ssh = lease.ssh(lease.host(), "deploy");
    ssh.arg("-tt").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"exit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn whoever_logs_in_reads_it_and_a_host_can_leave_it_out() {
    for image in [Image::Debian, Image::Rpm] {
        let lease = pool::lease(&[image]).unwrap();
        let host = lease.host();
        lease.write(&format!("motd/{}.txt", host.name()), TEXT).unwrap();
        apply(&lease, &[]);
        let places = "cat /etc/motd.d/rectify /etc/rectify/motd 2>/dev/null; true";
        assert_eq!(host.sh(places).unwrap(), TEXT);
        if host.exec(&["test", "-d", "/etc/update-motd.d"]).unwrap().success() {
            assert_eq!(host.sh("run-parts --regex rectify /etc/update-motd.d").unwrap(), TEXT);
        }
        let again = apply(&lease, &[]);
        assert!(again.with("changed").is_empty(), "{:#?}", again.with("changed"));

        // Nothing to say any more; then nothing at all.
        lease.write(&format!("motd/{}.txt", host.name()), "").unwrap();
        apply(&lease, &[]);
        assert_eq!(host.sh(places).unwrap(), "");
        apply(&lease, &["-e", "rollout_motd=false"]);
        let left =
            host.sh("ls /etc/update-motd.d/*rectify /etc/motd.d/rectify /etc/rectify/motd 2>/dev/null; true").unwrap();
        assert_eq!(left, "");
    }
}

#[test]
fn a_login_shows_it() {
    let lease = pool::debian().unwrap();
    let before = login(&lease);
    lease.write(&format!("motd/{}.txt", lease.host().name()), TEXT).unwrap();
    apply(&lease, &[]);
    let after = login(&lease);
    assert!(!before.contains(TEXT) && after.contains(TEXT), "{before}\n---\n{after}");
    lease.host().sh("touch /home/deploy/.hushlogin").unwrap();
    assert!(!login(&lease).contains(TEXT), "whoever does not want to read it");
}
