//! Letters as people read them, and the post office with a mail server that misbehaves.

use std::{collections::BTreeMap, net::SocketAddr};

use jiff::Timestamp;
use rectify_core::{
    event::{Diff, PropertyChange},
    rollout::{About, Done, HostNews, Item, Journal, News, Purpose, SettingNews, SkipNews, TaskChange},
};
use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::{
    channels::{Channels, Letter, Mail, MailSettings, testing::MailServer},
    rollouts::Store,
    templates::Templates,
};

fn change(line: &str) -> TaskChange {
    TaskChange {
        task: "Frame options".into(),
        subject: "/etc/apache2/conf-available/frames.conf".into(),
        changes: vec![PropertyChange {
            property: "content".into(),
            diff: Diff::Text { unified: format!("@@ -0,0 +1 @@\n+{line}\n"), added: 1, removed: 0 },
        }],
    }
}

fn host(name: &str, line: &str) -> HostNews {
    HostNews {
        host: name.into(),
        changes: vec![change(line)],
        since: None,
        looks: 1,
        blocked: None,
        blocked_by: vec![],
    }
}

fn setting() -> SettingNews {
    let step: rectify_core::rollout::StepName = "opt-out 5%".parse().unwrap();
    SettingNews {
        about: About {
            id: "frames".into(),
            title: "Pages are framed by their own site only".into(),
            reason: "A page within another page can be made to be clicked by mistake.".into(),
            impact: "Pages of other sites that embed yours show a blank frame.".into(),
            skip: "If another site must embed your pages, skip it and name that site.".into(),
            verify: "curl -sI https://HOST/ shows X-Frame-Options: SAMEORIGIN.".into(),
            owner: "security".into(),
            ask: vec!["security@example.org".into()],
            links: vec!["https://example.org/frames".into()],
            revision: 1,
            why: None,
            emergency: None,
            steps: Vec::new(),
            skip_lines: "rollout_skip:\n  frames: {reason: WHY, owner: WHO, until: 2027-08-28}\n".into(),
            opt_in_lines: "rollout_opt_in: [frames]\n".into(),
            object_command: "rectify rollout object frames --as OWNER --reason 'WHY'".into(),
        },
        looser: false,
        forced: None,
        step,
        date: "2027-03-01".parse().unwrap(),
        done: None,
        hosts: vec![
            host("web1", "Header set X-Frame-Options SAMEORIGIN"),
            host("web2", "Header set X-Frame-Options SAMEORIGIN"),
        ],
        unknown: Vec::new(),
        unchanged: vec!["web3".into()],
        skips: vec![SkipNews {
            host: "web4".into(),
            reason: "legacy intranet frames".into(),
            owner: "alpha".into(),
            until: "2027-05-31".parse().unwrap(),
            needed: false,
        }],
    }
}

fn news(purpose: Purpose) -> News {
    let setting = setting();
    let item = Item {
        setting: setting.about.id.clone(),
        revision: 1,
        step: setting.step,
        date: setting.date,
        hosts: BTreeMap::from([("web1".to_owned(), "p".to_owned())]),
    };
    News {
        purpose,
        owner: "alpha".into(),
        to: vec!["mailto:alpha@example.org".into(), "mailto:deputy@example.org".into()],
        message_id: "abc@example.org".into(),
        follows: (purpose != Purpose::Announcement).then(|| "first@example.org".to_owned()),
        settings: vec![setting],
        items: vec![item],
    }
}

fn letter(news: &News) -> Letter {
    Templates::load(None).unwrap().letter(news).unwrap()
}

#[test]
fn an_announcement_says_what_where_when_and_what_to_do_about_it() {
    let letter = letter(&news(Purpose::Announcement));
    assert_eq!(letter.subject, "Your hosts change on 2027-03-01: Pages are framed by their own site only");
    insta::assert_snapshot!("announcement", letter.text);
}

#[test]
fn it_says_what_would_have_been_blocked_and_for_whom() {
    let mut counted = news(Purpose::Announcement);
    let host = &mut counted.settings[0].hosts[0];
    (host.blocked, host.blocked_by) = (Some(14), vec![("portal.example".into(), 12), ("<b>x".into(), 2)]);
    let letter = letter(&counted);
    let said = "On web1 it would have blocked something 14 times in the last 30 days: 12 × portal.example, 2 × ";
    assert!(letter.text.contains(said) && letter.html.contains(said), "{}", letter.text);
    assert!(!letter.html.contains("<b>x"), "{}", letter.html);
}

#[test]
fn each_purpose_has_its_own_subject() {
    let subject = |purpose| letter(&news(purpose)).subject;
    let what = "Pages are framed by their own site only";
    assert_eq!(subject(Purpose::Reminder { days: 7 }), format!("Reminder on 2027-03-01: {what}"));
    assert_eq!(subject(Purpose::Day), format!("Today: {what}"));
    assert_eq!(subject(Purpose::Summary), format!("Done: {what}"));
}

#[test]
fn what_comes_from_a_host_is_text_in_html_and_harmless_in_text() {
    let mut hostile = news(Purpose::Announcement);
    hostile.settings[0].hosts = vec![host("<b>web</b>", "<script>alert(1)</script>\u{1b}[2J")];
    let letter = letter(&hostile);
    assert!(!letter.html.contains("<script>") && letter.html.contains("&lt;script&gt;"), "{}", letter.html);
    assert!(!letter.html.contains("<b>web"));
    assert!(!letter.text.contains('\u{1b}'));
}

#[test]
fn a_summary_says_what_changed_where_and_who_skipped() {
    let mut summary = news(Purpose::Summary);
    summary.settings[0].hosts = Vec::new();
    summary.settings[0].done = Some(Done {
        changed: vec![("web1".into(), "2027-03-02".parse().unwrap())],
        same: vec!["web3".into()],
        failed: vec!["web5".into()],
        waiting: vec!["web6".into()],
    });
    let letter = letter(&summary);
    for text in [letter.text, letter.html] {
        for words in ["web1 (2027-03-02)", "web3", "web5", "web6", "web4 until 2027-05-31"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("If you cannot live with it") && !text.contains("nothing changes"), "{text}");
    }
}

#[test]
fn where_the_check_failed_nobody_is_told_that_nothing_changes() {
    let mut lost = news(Purpose::Announcement);
    (lost.settings[0].hosts, lost.settings[0].unknown) = (Vec::new(), vec!["web9".into()]);
    let letter = letter(&lost);
    for text in [letter.text, letter.html] {
        assert!(text.contains("not known, because the check failed there: web9"), "{text}");
        assert!(!text.contains("nothing changes on your hosts") && !text.contains("Nothing on your hosts"), "{text}");
    }
}

#[test]
fn a_template_of_the_site_takes_the_place_of_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "Dear {{ news.owner }}\n").unwrap();
    let letter = Templates::load(Some(folder.path())).unwrap().letter(&news(Purpose::Announcement)).unwrap();
    assert_eq!(letter.text, "Dear alpha\n");
    std::fs::write(folder.path().join("letter.txt"), "{{ no_such_thing }}").unwrap();
    let told = Templates::load(Some(folder.path())).unwrap().letter(&news(Purpose::Announcement)).unwrap_err();
    assert!(told.to_string().contains("letter.txt"));
}

#[test]
fn the_message_of_the_day_says_what_changes_on_one_host_and_how_to_skip_it() {
    let templates = Templates::load(None).unwrap();
    let mut changing = setting();
    changing.hosts.truncate(1);
    changing.about.impact =
        "Pages of other sites that embed yours show a blank frame, and nobody tells the people who look at it why."
            .into();
    let mut skipped = setting();
    (skipped.about.id, skipped.about.title) = ("trace".into(), "TRACE is off".into());
    skipped.hosts.clear();
    insta::assert_snapshot!("motd", templates.motd("web1", &[changing, skipped]).unwrap());
    assert_eq!(templates.motd("web1", &[]).unwrap(), "", "nothing to say");
}

#[test]
fn a_message_of_the_day_is_short_and_harmless() {
    let templates = Templates::load(None).unwrap();
    let mut evil = setting();
    evil.hosts = vec![host("web1", "x")];
    evil.hosts[0].changes[0].subject = "/etc/\u{1b}[2J{{ x }}".into();
    let more: Vec<TaskChange> = (0..9).map(|n| TaskChange { task: format!("task {n}"), ..change("x") }).collect();
    evil.hosts[0].changes.extend(more);
    let text = templates.motd("web1", &vec![evil; 9]).unwrap();
    assert!(!text.contains('\u{1b}') && text.contains("{{ x }}") && text.contains("... and 4 more."), "{text}");
    assert!(text.contains("- and 7 more changes") && !text.contains("task 3"), "{text}");
    assert!(text.lines().count() < 100, "{}", text.lines().count());
}

#[test]
fn texts_of_the_day_are_files_by_the_hosts_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("motd");
    let texts = |text: &str| BTreeMap::from([("web1".to_owned(), text.to_owned()), ("web2".to_owned(), String::new())]);
    assert_eq!(motd::write(&at, &texts("changes\n")).unwrap(), 2);
    assert_eq!(std::fs::read_to_string(at.join("web1.txt")).unwrap(), "changes\n");
    motd::write(&at, &texts("")).unwrap();
    assert_eq!(std::fs::read_to_string(at.join("web1.txt")).unwrap(), "", "what is over is over");
    assert_eq!(std::fs::read_dir(&at).unwrap().count(), 2);
    for name in ["../web1", ".hidden"] {
        let told = motd::write(&at, &BTreeMap::from([(name.to_owned(), String::new())])).unwrap_err();
        assert!(told.to_string().contains(name), "{told}");
    }
}

struct Office {
    _folder: tempfile::TempDir,
    store: Store,
    templates: Templates,
}

impl Office {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::beside(&folder.path().join("rollouts.yml"), "root");
        Office { _folder: folder, store, templates: Templates::load(None).unwrap() }
    }

    /// Delivers as a program that was just started would.
    async fn deliver(&self, settings: &MailSettings, news: &News) -> Vec<Attempt> {
        let channels = Channels::new(Some(settings), None, Box::new(std::io::sink())).unwrap();
        let post = Post { channels: &channels, templates: &self.templates, store: &self.store };
        let mut journal: Journal = self.store.journal().unwrap();
        post.deliver(&mut journal, std::slice::from_ref(news), Timestamp::now()).await.unwrap()
    }
}

#[tokio::test]
async fn a_mail_has_both_parts_and_the_headers_that_people_sort_by() {
    let (server, office) = (MailServer::start(|_| "250 ok"), Office::open());
    office.deliver(&server.settings(), &news(Purpose::Reminder { days: 7 })).await;
    let mails = server.taken();
    assert_eq!(mails.len(), 2, "one for each address");
    for wanted in [
        "Message-ID: <abc@example.org>",
        "In-Reply-To: <first@example.org>",
        "References: <first@example.org>",
        "List-Id: <rollouts.example.org>",
        "Auto-Submitted: auto-generated",
        "Reply-To: security@example.org",
        "multipart/alternative",
        "text/plain",
        "text/html",
    ] {
        assert!(mails[0].contains(wanted), "{wanted} in {}", mails[0]);
    }
}

#[tokio::test]
async fn only_the_address_that_failed_gets_it_again() {
    let office = Office::open();
    let picky = MailServer::start(|line| if line.contains("deputy") { "550 no such user" } else { "250 ok" });
    let first = office.deliver(&picky.settings(), &news(Purpose::Announcement)).await;
    assert!(first[0].failed.is_none() && first[1].failed.as_ref().unwrap().contains("no such user"), "{first:?}");
    let kind = MailServer::start(|_| "250 ok");
    let second = office.deliver(&kind.settings(), &news(Purpose::Announcement)).await;
    assert!(second[0].before && second[1].failed.is_none() && !second[1].before, "{second:?}");
    assert_eq!((picky.taken().len(), kind.taken().len()), (1, 1));
    let third = office.deliver(&kind.settings(), &news(Purpose::Announcement)).await;
    assert!(third.iter().all(|a| a.before), "{third:?}");
    assert_eq!(office.store.journal().unwrap().records().len(), 4, "announced, delivered, failed, delivered");
}

#[tokio::test]
async fn a_server_that_is_down_or_speaks_nonsense_is_said_as_such() {
    let office = Office::open();
    // Bound, so that nobody else gets the port meanwhile, and not listening.
    let unheard = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&unheard, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let gone = SocketAddr::try_from(rustix::net::getsockname(&unheard).unwrap()).unwrap().port();
    let mut settings = MailServer::start(|_| "250 ok").settings();
    settings.server = format!("127.0.0.1:{gone}");
    let down = office.deliver(&settings, &news(Purpose::Announcement)).await;
    assert!(down[0].failed.as_ref().unwrap().contains("refused"), "{down:?}");
    let nonsense = MailServer::start(|_| "lorem ipsum");
    let said = office.deliver(&nonsense.settings(), &news(Purpose::Announcement)).await;
    assert!(said[0].failed.is_some(), "{said:?}");
}

#[test]
fn bad_settings_are_refused_before_anything_is_sent() {
    let good = MailServer::start(|_| "250 ok").settings();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "x\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let refused = |change: &dyn Fn(&mut MailSettings)| {
        let mut settings = good.clone();
        change(&mut settings);
        Mail::new(&settings).unwrap_err().to_string()
    };
    assert!(refused(&|s| s.from = "nobody".into()).contains("is no address"));
    assert!(refused(&|s| s.server = "mail.example.org:smtp".into()).contains("is no port"));
    assert!(refused(&|s| s.user = Some("u".into())).contains("password_file"));
    let readable = refused(&|s| {
        s.user = Some("u".into());
        s.password_file = Some(secret.clone());
    });
    assert!(readable.contains("others may read") && readable.contains("chmod 600"), "{readable}");
    let clear = refused(&|s| {
        s.server = "mail.example.org".into();
        s.user = Some("u".into());
    });
    assert!(clear.contains("in the clear"), "{clear}");
}
