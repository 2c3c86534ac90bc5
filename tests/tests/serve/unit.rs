//! The units that are shipped.

use std::process::Command;

use crate::stand::project;

const UNITS: [&str; 3] = ["rectify.service", "rectify-once.service", "rectify-once.timer"];

#[test]
fn the_units_are_sound_and_their_sandbox_is_tight() {
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let text = std::fs::read_to_string(project().join("contrib/systemd").join(unit)).unwrap();
        // The program is not installed here.
        std::fs::write(folder.path().join(unit), text.replace("/usr/bin/rectify", "/bin/true")).unwrap();
    }
    let paths: Vec<_> = UNITS.iter().map(|unit| folder.path().join(unit)).collect();
    let verify = Command::new("systemd-analyze").arg("verify").args(&paths).output().unwrap();
    let said = String::from_utf8_lossy(&verify.stderr).into_owned();
    assert!(verify.status.success() && !said.contains("rectify"), "{said}");
    for service in &paths[..2] {
        let mut security = Command::new("systemd-analyze");
        let output = security.args(["security", "--offline=true", "--threshold=15"]).arg(service).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}: exposed more than 1.5:\n{said}", service.display());
    }
}
