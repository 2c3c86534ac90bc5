//! Skips that a host's own people have written there and the inventory does not know.

use rectify_core::{
    event::Event,
    rollout::{self, Gather},
};
use rectify_tests::{image::Image, pool, rectify::Ran};

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
