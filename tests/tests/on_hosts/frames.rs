//! Frames of other sites, counted from the web server's own log before anything is forbidden.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use rectify_tests::{
    fleet::Host,
    image::Image,
    pool::{self, Lease},
    rectify::{binary, output},
};
use serde_json::Value;

use crate::{play, report};

/// The tasks that the role ships, by its own files.
fn tasks(folder: &str) -> String {
    format!(
        "- name: observe
  apache_fragment:
    name: zz-rectify-observe-frames
    src: observe.conf
- name: count
  log_count:
    path: {folder}/rectify-frames.log
    pattern: '^\\S+ \\S+ https?://(?P<by>[^/]+)|'
"
    )
}

/// Asks for a page as a browser does, so often.
fn ask(lease: &Lease, host: &Host, path: &str, headers: &[&str], times: u32) {
    for _ in 0..times {
        let mut argv = vec!["curl".to_owned(), "-s".into(), "-o".into(), "/dev/null".into()];
        argv.extend(headers.iter().flat_map(|h| ["-H".to_owned(), (*h).to_owned()]));
        argv.push(format!("http://{}{path}", host.address()));
        assert!(lease.run(argv).unwrap().success());
    }
}

const FRAGMENT: &str = include_str!("../../../playbooks/roles/webserver/files/zz-rectify-observe-frames.conf");

const FRAME: &str = "Sec-Fetch-Dest: iframe";
const CROSS: &str = "Sec-Fetch-Site: cross-site";

#[test]
fn what_other_sites_frame_is_counted_and_nothing_else() {
    for (image, folder) in [(Image::Debian, "/var/log/apache2"), (Image::Rpm, "/var/log/httpd")] {
        let lease = pool::lease(&[image]).unwrap();
        let host = lease.host();
        let unit = if image == Image::Debian { "apache2" } else { "httpd" };
        host.sh(&format!("systemctl start {unit}")).unwrap();
        let tasks = tasks(folder);
        lease.write("files/observe.conf", FRAGMENT).unwrap();
        let count = |verb: &str| report(&lease, &play(&lease, verb, &tasks), "count")["blocked"].clone();
        assert_eq!(count("check"), Value::Null, "where nothing counts there is no number");
        play(&lease, "apply", &tasks);

        ask(&lease, host, "/", &[FRAME, CROSS, "Referer: https://portal.example/x"], 3);
        ask(
            &lease,
            host,
            "/",
            &["Sec-Fetch-Dest: frame", "Sec-Fetch-Site: same-site", "Referer: https://intra.example"],
            1,
        );
        ask(&lease, host, "/none", &[FRAME, CROSS], 1);
        // What strangers send is text: it ends no line and makes no date.
        ask(&lease, host, "/", &[FRAME, CROSS, "Referer: \"\t2020-01-01 \u{1b}[2J"], 1);
        for not in [
            vec![FRAME, "Sec-Fetch-Site: same-origin"],
            vec!["Sec-Fetch-Dest: document", CROSS],
            vec!["Sec-Fetch-Dest: image", CROSS],
            vec![],
        ] {
            ask(&lease, host, "/", &not, 2);
        }
        let seen = count("check");
        let today = host.sh("date +%F").unwrap().trim().to_owned();
        assert_eq!(seen["days"], serde_json::json!({ today.clone(): 6 }), "{}: {seen}", host.name());
        assert_eq!(seen["most"][0], serde_json::json!(["portal.example", 3]), "{seen}");
        assert_eq!(seen["most"].as_array().unwrap().len(), 2, "{seen}");

        // A log that is rotated and packed still counts, lines that make no sense do not.
        let log = format!("{folder}/rectify-frames.log");
        host.sh(&format!("mv {log} {log}.1 && gzip {log}.1 && systemctl reload {unit}")).unwrap();
        host.sh(&format!("timeout 30 sh -c 'until test -e {log}; do sleep 0.1; done'")).unwrap();
        host.sh(&format!("printf 'nonsense\\n\\377\\376\\n' >>{log}")).unwrap();
        ask(&lease, host, "/", &[FRAME, CROSS], 2);
        let ran = play(&lease, "check", &tasks);
        let report = report(&lease, &ran, "count");
        assert_eq!(report["blocked"]["days"][&today], 8, "{report:#}");
        assert!(report["findings"][0]["message"].as_str().unwrap().starts_with("2 lines that match carry no date"));

        // Where the pages say themselves who may frame them, nothing is left to be blocked.
        play(
            &lease,
            "apply",
            "- apache_module: {name: headers}\n- apache_fragment:\n    name: zz-x\n    content: Header always set X-Frame-Options SAMEORIGIN\n",
        );
        ask(&lease, host, "/", &[FRAME, CROSS], 4);
        assert_eq!(count("check")["days"][&today], 8);
    }
}

const ROLLOUTS: &str = "
settings:
  frame-options:
    title: Pages are framed by their own site only
    reason: Clickjacking.
    impact: Pages of other sites that embed yours show a blank frame.
    skip: Say so in the inventory.
    verify: curl -sI http://HOST/ shows X-Frame-Options.
    owner: security
    limits: {blocked: 0}
    notice: {opt-out: 0 days}
    stages: {opt-in: 2020-01-01, opt-out: 2020-02-01}
";

const ENFORCE: &str = "- name: enforce
  rollout: frame-options
  apache_fragment:
    name: zz-frames
    content: Header always set X-Frame-Options SAMEORIGIN
";

/// A web hook that takes everything.
const HOOK: &str = "import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        self.send_response(204)
        self.end_headers()
server = http.server.HTTPServer(('127.0.0.1', 8099), Hook)
print('ready', flush=True)
server.serve_forever()
";

#[test]
fn the_gate_is_closed_while_other_sites_frame_pages_and_open_where_none_does() {
    for framed in [3, 0] {
        let lease = pool::debian().unwrap();
        let host = lease.host();
        host.sh("systemctl start apache2").unwrap();
        lease.write("files/observe.conf", FRAGMENT).unwrap();
        lease.write("rollouts.yml", ROLLOUTS).unwrap();
        let contacts = "owner: alpha\ncontacts: {alpha: http://127.0.0.1:8099/, security: security@example.org}\n";
        lease.write("group_vars/all.yml", contacts).unwrap();
        let hook = lease.write("hook.py", HOOK).unwrap();
        let mut hook = lease.command("python3").arg(hook).stdout(Stdio::piped()).spawn().unwrap();
        BufReader::new(hook.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();

        let observing = "  rollout: {setting: frame-options, on: observe}\n";
        let tasks = tasks("/var/log/apache2").replace("- name: observe\n", &format!("- name: observe\n{observing}"));
        let tasks = tasks.replace("- name: count\n", &format!("- name: count\n{observing}")) + ENFORCE;
        let advance = || {
            let words = [lease.home().join("site.yml"), lease.inventory()].map(|path| path.display().to_string());
            let program = binary().unwrap().display().to_string();
            let argv = [&program, "rollout", "advance", "frame-options", "-p", &words[0], "-i", &words[1]];
            let said = lease.run(argv).unwrap();
            (said.code, format!("{}{}", said.stdout, said.stderr))
        };
        play(&lease, "check", &tasks);
        let (code, said) = advance();
        assert!(code == Some(3) && said.contains("nothing has counted in the last 7 days"), "{said}");

        let applied = play(&lease, "apply", &tasks);
        assert!(applied.with("failed").is_empty() && !header(&lease, host), "{:#?}", applied.reports());
        ask(&lease, host, "/", &[FRAME, CROSS, "Referer: https://portal.example/x"], framed);
        let told = output(&lease, "announce", &["-p", &lease.home().join("site.yml").display().to_string()]).unwrap();
        assert!(told.code == Some(0) && told.stdout.contains("1 message sent, 0 failed"), "{told:?}");
        let (code, said) = advance();
        if framed > 0 {
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains("enforcing would have blocked 3 times in 30 days, 0 are allowed"), "{said}");
            play(&lease, "apply", &tasks);
            assert!(!header(&lease, host), "it stays observed");
        } else {
            assert_eq!(code, Some(0), "{said}");
            play(&lease, "apply", "- apache_module: {name: headers}\n");
            let enforced = play(&lease, "apply", &tasks);
            assert!(enforced.with("failed").is_empty(), "{:#?}", enforced.reports());
            assert!(header(&lease, host), "it is enforced: {:#?}", enforced.reports());
        }
        hook.kill().unwrap();
        hook.wait().unwrap();
    }
}

fn header(lease: &Lease, host: &Host) -> bool {
    lease.run(["curl", "-sI", &format!("http://{}/", host.address())]).unwrap().stdout.contains("X-Frame-Options")
}
