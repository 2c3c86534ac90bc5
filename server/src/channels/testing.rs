//! Servers on loopback that answer as a test wants.

use std::{
    io::{BufRead, BufReader, Read, Write},
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

/// A web hook on loopback: answers with a status, or never.
pub(crate) struct HookServer {
    port: u16,
    posts: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
}

impl HookServer {
    /// Answers each request with the status that `answer` says; 0 is no answer at all.
    pub(crate) fn start(answer: impl Fn() -> u16 + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let posts = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&posts);
        std::thread::spawn(move || {
            let mut hanging = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let status = answer();
                if status == 0 {
                    hanging.push(stream);
                    continue;
                }
                let mut input = BufReader::new(stream.try_clone().unwrap());
                let (mut length, mut delivery, mut line) = (0, String::new(), String::new());
                while input.read_line(&mut line).is_ok_and(|n| n > 2) {
                    let (name, value) = line.trim().split_once(": ").unwrap_or_default();
                    match name.to_ascii_lowercase().as_str() {
                        "content-length" => length = value.parse().unwrap(),
                        "rectify-delivery" => delivery = value.to_owned(),
                        _ => {}
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                input.read_exact(&mut body).unwrap();
                if (200..300).contains(&status) {
                    kept.lock().unwrap().push((delivery, serde_json::from_slice(&body).unwrap()));
                }
                drop(write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
            }
        });
        HookServer { port, posts }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What it took: the id of each delivery, and its body.
    pub(crate) fn taken(&self) -> Vec<(String, serde_json::Value)> {
        self.posts.lock().unwrap().clone()
    }
}

/// An output whose text can be read.
#[derive(Clone, Default)]
pub(crate) struct Out(Arc<Mutex<Vec<u8>>>);

impl Out {
    /// What was written to it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
