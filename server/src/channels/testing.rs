//! Servers on loopback that answer as a test wants.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use super::{MailSettings, Security};

/// A mail server on loopback that answers `RCPT` by the address; keeps what it was sent.
pub(crate) struct MailServer {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// Answers each `RCPT` line as `answer` says.
    pub(crate) fn start(answer: impl Fn(&str) -> &'static str + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let mut out = stream;
                let mut say = |text: &str| drop(out.write_all(format!("{text}\r\n").as_bytes()));
                say("220 test");
                while let Some(line) = lines.next() {
                    match line.split(' ').next().unwrap_or_default() {
                        "EHLO" => say("250 test"),
                        "RCPT" => say(answer(&line)),
                        "DATA" => {
                            say("354 go");
                            let mail: Vec<String> = lines.by_ref().take_while(|l| l != ".").collect();
                            kept.lock().unwrap().push(mail.join("\n"));
                            say("250 taken");
                        }
                        "QUIT" => {
                            say("221 bye");
                            break;
                        }
                        _ => say("250 ok"),
                    }
                }
            }
        });
        MailServer { port, mails }
    }

    /// Settings that lead to it.
    pub(crate) fn settings(&self) -> MailSettings {
        MailSettings {
            from: "rectify <rectify@example.org>".into(),
            server: format!("127.0.0.1:{}", self.port),
            security: Security::None,
            user: None,
            password_file: None,
            ca_file: None,
            reply_to: Some("security@example.org".into()),
            list_id: None,
            timeout: Some(5),
        }
    }

    /// The mails that it took, with their headers.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}
