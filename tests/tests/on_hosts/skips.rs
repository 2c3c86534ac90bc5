//! Skips that a host's own people have written there and the inventory does not know.

use rectify_core::{
    event::Event,
    rollout::{self, Gather},
};
use rectify_tests::{
    image::Image,
    pool,
    rectify::{Ran, binary},
};

use crate::{play, report};

const TASKS: &str = "- name: skips
  apache_skips:
    documented: \"{{ rollout_skip | default({}) | list }}\"
- name: still skipped
  apache_fragment:
    name: zz-x
    content: |
      <IfDefine !RECTIFY_SKIP_FRAME_OPTIONS>
          Header always set X-Frame-Options SAMEORIGIN
      </IfDefine>
";

fn gathered(ran: &Ran) -> Gather {
    let mut gather = Gather::default();
    for event in &ran.events {
        gather.take(&serde_json::from_value::<Event>(event.clone()).unwrap());
    }
    gather
}

#[test]
fn a_skip_on_the_host_is_found_and_kept_and_becomes_a_line_of_the_inventory() {
    for (image, folder, ask) in [
        (Image::Debian, "/etc/apache2/conf-enabled", "apache2ctl -t -D DUMP_RUN_CFG"),
        (Image::Rpm, "/etc/httpd/conf.d", "httpd -t -D DUMP_RUN_CFG"),
    ] {
        let lease = pool::lease(&[image]).unwrap();
        let host = lease.host();
        let site = format!("{folder}/00-rectify-site.conf");
        host.write(
            &site,
            "# Define RECTIFY_SKIP_TRACE\nDefine RECTIFY_SKIP_FRAME_OPTIONS\nDefine RECTIFY_SKIP_OTHERS 1\n",
        )
        .unwrap();
        // The measure: what the server itself says is defined.
        let defined = host.sh(&format!("{ask} 2>&1")).unwrap();
        assert!(defined.contains("Define: RECTIFY_SKIP_FRAME_OPTIONS") && !defined.contains("SKIP_TRACE"), "{defined}");

        let ran = play(&lease, "apply", TASKS);
        let found = report(&lease, &ran, "skips")["findings"].clone();
        let subjects: Vec<&str> = found.as_array().unwrap().iter().filter_map(|f| f["subject"].as_str()).collect();
        assert_eq!(subjects, ["RECTIFY_SKIP_FRAME_OPTIONS", "RECTIFY_SKIP_OTHERS"], "{found:#}");
        assert!(host.read(&site).unwrap().contains("Define RECTIFY_SKIP_FRAME_OPTIONS"), "nobody takes it away");
        let headers = lease.run(["curl", "-sI", &format!("http://{}/", host.address())]).unwrap().stdout;
        assert!(!headers.contains("X-Frame-Options"), "it still skips: {headers}");

        // What one command would import.
        let mut map = rectify_core::diag::SourceMap::new();
        let mut wrong = rectify_core::diag::Diagnostics::new();
        let file = map.add("rollouts.yml", ROLLOUTS);
        let rollouts = rollout::read(&map, file, &mut wrong);
        assert!(!wrong.has_errors(), "{}", rectify_core::diag::render(&map, &wrong, false));
        let all = rollout::undocumented(&gathered(&ran).skips(), &rollouts);
        let settings: Vec<_> = all.iter().map(|u| u.setting.as_deref()).collect();
        assert_eq!(settings, [Some("frame-options"), None], "{all:?}");
        assert_eq!(all[0].place, format!("{site}:2"));

        // The one command: a check has seen it, and the lines come from what is kept of it.
        lease.write("rollouts.yml", ROLLOUTS).unwrap();
        let tasks = TASKS.replace("- name: still skipped\n", "- name: still skipped\n  rollout: frame-options\n");
        assert_eq!(play(&lease, "check", &tasks).code, Some(2));
        let import = || {
            let words = [lease.home().join("site.yml"), lease.inventory()].map(|path| path.display().to_string());
            let argv =
                [&binary().unwrap().display().to_string(), "rollout", "import", "-p", &words[0], "-i", &words[1]];
            lease.run(argv).unwrap()
        };
        let shown = import();
        assert_eq!(shown.code, Some(2), "{shown:?}");
        let line = format!("frame-options: {{reason: 'found on the host, RECTIFY_SKIP_FRAME_OPTIONS: {site}:2'");
        assert!(shown.stdout.contains(&line), "{shown:?}");
        let lines: Vec<&str> =
            shown.stdout.lines().filter(|l| l.starts_with("rollout_skip") || l.starts_with("  ")).collect();
        lease.write(&format!("host_vars/{}.yml", host.name()), &lines.join("\n")).unwrap();
        let documented = play(&lease, "check", &tasks);
        let found = report(&lease, &documented, "skips")["findings"].clone();
        assert_eq!(found.as_array().unwrap().len(), 1, "its own lines document it: {found:#}\n{}", documented.stderr);
        assert_eq!(import().code, Some(0));

        let host_vars = "rollout_skip: {frame-options: {reason: x, owner: y, until: 2027-01-01}}\n";
        lease.write(&format!("host_vars/{}.yml", host.name()), host_vars).unwrap();
        let ran = play(&lease, "check", TASKS);
        let found = report(&lease, &ran, "skips")["findings"].clone();
        assert_eq!(found.as_array().unwrap().len(), 1, "what is documented is not told: {found:#}");
    }
}

const ROLLOUTS: &str = "
settings:
  frame-options:
    title: Pages are framed by their own site only
    reason: Clickjacking.
    impact: Pages of other sites that embed yours show a blank frame.
    skip: Say so in the inventory.
    verify: curl -sI https://HOST/ shows X-Frame-Options.
    owner: security
    stages: {opt-in: 2027-01-01}
";
