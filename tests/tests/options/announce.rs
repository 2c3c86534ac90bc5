//! `announce`, and the keys of `rectify.toml` that say how people are told: each by what a mail server or a web hook is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use crate::flags::{folder, run};
use crate::local::{Folder, Said};

/// A server on loopback that keeps what each connection said to it.
pub(crate) struct Heard {
    pub(crate) port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

impl Heard {
    fn by(talk: impl Fn(TcpStream) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = talk(stream);
                kept.lock().unwrap().extend(heard);
            }
        });
        Heard { port, said }
    }

    /// A mail server that takes everything, passwords too, and offers no TLS.
    fn mail() -> Self {
        Self::by(|stream| {
            let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
            let mut out = stream;
            let mut heard = String::new();
            out.write_all(b"220 test\r\n").ok()?;
            while let Some(line) = lines.next() {
                heard += &format!("{line}\n");
                let answer: &[u8] = match line.split(' ').next().unwrap_or_default() {
                    "EHLO" => b"250-test\r\n250 AUTH PLAIN\r\n",
                    "AUTH" => b"235 welcome\r\n",
                    "DATA" => {
                        out.write_all(b"354 go\r\n").ok()?;
                        lines.by_ref().take_while(|l| l != ".").for_each(|l| heard += &format!("{l}\n"));
                        b"250 taken\r\n"
                    }
                    _ => b"250 ok\r\n",
                };
                out.write_all(answer).ok()?;
                if line == "QUIT" {
                    break;
                }
            }
            Some(heard)
        })
    }

    /// A web hook.
    pub(crate) fn hook() -> Self {
        Self::hook_that(Arc::new(AtomicBool::new(true)))
    }

    /// A web hook that answers as long as this is true, and otherwise hangs up.
    pub(crate) fn hook_that(answers: Arc<AtomicBool>) -> Self {
        Self::by(move |mut stream| {
            let (mut heard, mut part) = (String::new(), [0; 65536]);
            loop {
                let read = stream.read(&mut part).ok()?;
                heard += &String::from_utf8_lossy(&part[..read]);
                let Some((head, body)) = heard.split_once("\r\n\r\n") else { continue };
                let length = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok());
                if length.is_none_or(|length: usize| body.len() >= length) || read == 0 {
                    break;
                }
            }
            if !answers.load(Ordering::SeqCst) {
                return None;
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").ok()?;
            Some(heard)
        })
    }

    /// One that never answers.
    fn silent() -> Self {
        let kept: Mutex<Vec<TcpStream>> = Mutex::default();
        Self::by(move |stream| {
            kept.lock().unwrap().push(stream);
            None
        })
    }

    /// What mails and calls were sent since the last question.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.said.lock().unwrap().drain(..).filter(|said| said.contains("DATA") || said.contains("POST")).collect()
    }
}

/// `[mail]` for a server, with more lines.
fn mail(folder: &Folder, server: &Heard, more: &str) {
    let port = server.port;
    let from = if more.contains("from =") { "" } else { "from = \"rectify <rectify@example.org>\"\n" };
    let security = if more.contains("security =") { "" } else { "security = \"none\"\n" };
    folder.write("rectify.toml", &format!("[mail]\nserver = \"127.0.0.1:{port}\"\n{from}{security}{more}\n"));
}

fn announced(folder: &Folder, words: &str) -> Said {
    run(folder, &format!("announce HELPER FLEET {words}"))
}

/// A fresh folder's announcement with this `[mail]`, and what the server was sent.
fn with(more: &str) -> (Said, Vec<String>) {
    let (folder, server) = (folder(), Heard::mail());
    mail(&folder, &server, more);
    let said = announced(&folder, "banner");
    (said, server.taken())
}

#[test]
fn a_preview_sends_nothing_and_the_first_real_one_sends_once() {
    let (folder, server) = (folder(), Heard::mail());
    mail(&folder, &server, "");
    let preview = announced(&folder, "--preview banner");
    assert!(preview.code == Some(0) && preview.stdout.contains("nothing was sent"), "{}", preview.all());
    assert!(server.taken().is_empty());
    let first = announced(&folder, "banner");
    assert!(first.code == Some(0) && first.stdout.contains("2 messages sent, 0 failed"), "{}", first.all());
    assert_eq!(server.taken().len(), 2, "alpha and beta");
    let again = announced(&folder, "banner");
    assert!(again.code == Some(0) && again.stdout.contains("0 messages sent, 0 failed"), "{}", again.all());
    assert!(server.taken().is_empty());
    let told = run(&folder, "rollout why b banner FLEET --stage banner=opt-out");
    assert!(told.stdout.contains("enforce"), "{}", told.all());
}

#[test]
fn mail_goes_where_and_how_the_configuration_says() {
    let bare = folder();
    let said = announced(&bare, "banner");
    assert!(said.code == Some(3) && said.stdout.contains("no mail server is set up"), "{}", said.all());
    let (said, mails) = with("");
    assert_eq!(said.code, Some(0), "{}", said.all());
    let mail = mails.concat();
    for words in ["From: rectify <rectify@example.org>", "List-Id: <rollouts.example.org>", "To: alpha"] {
        assert!(mail.contains(words), "{words}: {mail}");
    }
    for (more, words) in [
        ("from = \"Web team <web@example.net>\"", "<web@example.net>"),
        ("reply_to = \"answers@example.org\"", "Reply-To: answers@example.org"),
        ("list_id = \"changes.example.org\"", "List-Id: <changes.example.org>"),
    ] {
        let (said, mails) = with(more);
        assert!(mails.concat().contains(words) && !mail.contains(words), "{more}: {} {mails:?}", said.all());
    }
    for (more, words) in [("security = \"starttls\"", "STARTTLS"), ("security = \"tls\"", "failed")] {
        let (said, mails) = with(more);
        assert!(said.code == Some(3) && said.stdout.contains(words), "{more}: {}", said.all());
        assert!(mails.is_empty(), "{more}: {mails:?}");
    }
}

#[test]
fn a_password_comes_from_a_file_of_ones_own_and_a_certificate_from_one_that_holds_one() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, server) = (folder(), Heard::mail());
    let file = folder.write("secret", "open sesame\n");
    let account = "user = \"postman\"\npassword_file = \"secret\"";
    mail(&folder, &server, account);
    let open = announced(&folder, "banner");
    assert!(open.code == Some(5) && open.stderr.contains("chmod 600"), "{}", open.all());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = announced(&folder, "banner");
    assert_eq!(said.code, Some(0), "{}", said.all());
    // `\0postman\0open sesame`.
    assert!(server.taken().concat().contains("AUTH PLAIN AHBvc3RtYW4Ab3BlbiBzZXNhbWU="), "{}", said.all());
    mail(&folder, &server, "user = \"postman\"");
    assert_eq!(announced(&folder, "banner").code, Some(5), "an account without a password");
    folder.write("ca.pem", "no certificate");
    mail(&folder, &server, "security = \"tls\"\nca_file = \"ca.pem\"");
    let said = announced(&folder, "banner");
    assert!(said.code == Some(5) && said.stderr.contains("ca.pem"), "{}", said.all());
}

#[test]
fn nobody_is_waited_for_longer_than_the_configuration_says() {
    let (folder, server) = (folder(), Heard::silent());
    mail(&folder, &server, "timeout = 1");
    let said = announced(&folder, "banner");
    assert!(said.code == Some(3) && said.stdout.contains("2 failed"), "{}", said.all());
    assert!(said.all().contains("the mail server took longer than 1 s"), "{}", said.all());
    hooked(&folder, server.port);
    folder.write("rectify.toml", "[hook]\ntimeout = 1\n");
    let said = announced(&folder, "tools");
    assert!(said.code == Some(3) && said.stdout.contains("failed"), "{}", said.all());
    assert!(said.all().contains("the web hook took longer than 1 s"), "{}", said.all());
}

/// Everybody is told by a web hook.
fn hooked(folder: &Folder, port: u16) {
    let hosts = std::fs::read_to_string(folder.path().join("fleet.yml")).unwrap();
    let hosts = hosts.replace("owner: beta", "owner: alpha");
    folder
        .write("fleet.yml", &hosts.replace("alpha: alpha@example.org", &format!("alpha: http://127.0.0.1:{port}/in")));
}

#[test]
fn a_web_hook_is_signed_with_the_secret() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, server) = (folder(), Heard::hook());
    hooked(&folder, server.port);
    assert_eq!(announced(&folder, "banner").code, Some(0));
    let calls = server.taken().concat();
    assert!(calls.contains("POST /in") && !calls.to_lowercase().contains("signature"), "{calls}");
    let file = folder.write("secret", "open sesame\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder.write("rectify.toml", "[hook]\nsecret_file = \"secret\"\n");
    let said = announced(&folder, "tools");
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert!(server.taken().concat().to_lowercase().contains("signature: "), "{}", said.all());
}

#[test]
fn letters_are_written_by_the_templates_of_the_site() {
    let folder = folder();
    folder.write("letters/letter.txt", "Dear {{ news.owner }}\n");
    assert!(!announced(&folder, "--preview").stdout.contains("Dear alpha"));
    folder.write("rectify.toml", "[announce]\ntemplates = \"letters\"\n");
    let said = announced(&folder, "--preview");
    assert!(said.stdout.contains("Dear alpha"), "{}", said.all());
}

#[test]
fn pages_go_where_they_are_wanted() {
    let (folder, server) = (folder(), Heard::mail());
    mail(&folder, &server, "[announce]\nsite = \"usual\"\nurl = \"https://changes.example.org/\"");
    let said = announced(&folder, "banner");
    assert_eq!(said.code, Some(0), "{}", said.all());
    let said = announced(&folder, "banner --site pages");
    assert_eq!(said.code, Some(0), "{}", said.all());
    for place in ["usual", "pages"] {
        let page = std::fs::read_to_string(folder.path().join(place).join("banner.html"));
        assert!(page.unwrap().contains("Hosts have the banner"), "{place}");
        let feed = std::fs::read_to_string(folder.path().join(place).join("feed.atom")).unwrap();
        assert!(feed.contains("https://changes.example.org/banner.html"), "{feed}");
    }
}

#[test]
fn messages_of_the_day_go_where_they_are_wanted() {
    let (folder, server) = (folder(), Heard::mail());
    mail(&folder, &server, "");
    let none = announced(&folder, "banner");
    assert!(none.code == Some(0) && !folder.path().join("motd").exists(), "{}", none.all());
    let said = announced(&folder, "banner --motd motd");
    assert!(said.code == Some(0) && said.stdout.contains("3 messages of the day in motd"), "{}", said.all());
    let text = |host: &str| std::fs::read_to_string(folder.path().join(format!("motd/{host}.txt"))).unwrap();
    assert!(text("c").contains("What changes on c") && text("c").contains("owner: beta"), "{}", text("c"));
    assert!(text("b").contains("Hosts have the banner") && !text("b").contains("-c-"), "{}", text("b"));
}

/// A day so many days from now.
fn day(from_now: i32) -> String {
    let date = std::process::Command::new("date").args(["-u", "-d", &format!("{from_now} days"), "+%F"]).output();
    String::from_utf8(date.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn what_is_due_is_sent_once() {
    let (folder, server) = (folder(), Heard::mail());
    let stages = |step: &str| {
        let steps = format!("opt-in: 2020-01-01, opt-out: {step}, mandatory: 2090-01-01");
        let tools = crate::rollouts::setting("tools", "opt-in: 2020-01-01", "");
        let banner = crate::rollouts::setting("banner", &steps, "    notice: {opt-out: 0 days}\n");
        folder.write("fleet/rollouts.yml", &format!("settings:\n{banner}{tools}"));
    };
    stages(&day(5));
    mail(&folder, &server, "[announce]\nreminders = [3]");
    assert_eq!(announced(&folder, "--due").stdout, "nothing is due\n");
    assert_eq!(announced(&folder, "banner").code, Some(0));
    assert_eq!(server.taken().len(), 2);
    assert_eq!(announced(&folder, "--due").stdout, "nothing is due\n", "three days before, says the configuration");
    mail(&folder, &server, "");
    let subjects = || -> Vec<String> {
        let mails = server.taken();
        let subject = |mail: &String| mail.lines().find_map(|l| l.strip_prefix("Subject: ").map(str::to_owned));
        mails.iter().filter_map(subject).collect()
    };
    for (date, subject) in [(day(5), "Reminder on"), (day(1), "Reminder on"), (day(0), "Today: ")] {
        stages(&date);
        let said = announced(&folder, "--due");
        assert_eq!(said.code, Some(0), "{}", said.all());
        let sent = subjects();
        assert!(sent.len() == 2 && sent.iter().all(|s| s.starts_with(subject)), "{subject}: {sent:?} {}", said.all());
        assert_eq!(announced(&folder, "--due").stdout, "nothing is due\n", "{subject} is sent once");
        assert_eq!(subjects(), [""; 0]);
    }
}
