//! A server of this program that shows its page, and people with browsers.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
};

use crate::local::Folder;

/// A server that runs; it is gone when this is.
pub(crate) struct Server {
    process: Child,
    said: Receiver<String>,
    /// Its address and port.
    pub(crate) at: String,
}

impl Server {
    /// With these arguments, over the `rectify.toml` of a folder, which has it listen on 127.0.0.1:0.
    pub(crate) fn new(folder: &Folder, args: &[&str]) -> Self {
        let mut command = folder.command(&[&["serve"], args].concat());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (to, said) = channel();
        std::thread::spawn(move || lines.for_each(|line| drop(to.send(line))));
        let mut server = Server { process, said, at: String::new() };
        let line = server.heard("the page is at ");
        let (_, at) = line.split_once("127.0.0.1:").unwrap();
        server.at = format!("127.0.0.1:{}", at.chars().take_while(char::is_ascii_digit).collect::<String>());
        server
    }

    /// Waits until it says a line with this in it, after all that was waited for before.
    pub(crate) fn heard(&self, part: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = self.said.recv().unwrap_or_else(|_| panic!("it never said {part:?}:\n{}", before.join("\n")));
            if line.contains(part) {
                return line;
            }
            before.push(line);
        }
    }

    /// Has it end, and waits for that.
    pub(crate) fn end(mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
    }

    /// Sends a request, and gives back the whole answer.
    pub(crate) fn ask(&self, request: &str, host: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let (form, length) = ("content-type: application/x-www-form-urlencoded", body.len());
        let text = format!(
            "{request} HTTP/1.1\r\nhost: {host}\r\n{headers}{form}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        Answer { head: head.to_owned(), text: text.to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a server answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    head: String,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// A header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The value of the first field of this name in a form.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.text.split(&format!("name=\"{name}\" value=\"")).nth(1)?.split('"').next()
    }
}

/// Somebody's browser: a cookie, and what the forms of the last page carried.
pub(crate) struct Browser<'s> {
    server: &'s Server,
    /// The scheme and the name that the page is called by.
    scheme: &'static str,
    host: String,
    pub(crate) cookie: String,
    csrf: String,
}

impl<'s> Browser<'s> {
    /// At the server's own address.
    pub(crate) fn new(server: &'s Server) -> Self {
        Self::at(server, "http", &server.at)
    }

    /// At a name that a proxy in front has.
    pub(crate) fn at(server: &'s Server, scheme: &'static str, host: &str) -> Self {
        Browser { server, scheme, host: host.to_owned(), cookie: String::new(), csrf: String::new() }
    }

    fn ask(&mut self, request: &str, headers: &str, body: &str) -> Answer {
        let cookie = if self.cookie.is_empty() { String::new() } else { format!("cookie: {}\r\n", self.cookie) };
        let answer = self.server.ask(request, &self.host, &format!("{cookie}{headers}"), body);
        if let Some(pair) = answer.header("set-cookie").split(';').next().filter(|pair| !pair.is_empty()) {
            self.cookie = pair.to_owned();
        }
        if let Some(csrf) = answer.field("csrf") {
            self.csrf = csrf.to_owned();
        }
        answer
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", "")
    }

    /// Sends a form as a browser does from a page of the server; `fields` are encoded already.
    pub(crate) fn post(&mut self, path: &str, fields: &str) -> Answer {
        let (origin, body) =
            (format!("origin: {}://{}\r\n", self.scheme, self.host), format!("csrf={}&{fields}", self.csrf));
        self.ask(&format!("POST {path}"), &origin, &body)
    }

    /// Logs in from the page that asks for it.
    pub(crate) fn log_in(&mut self, name: &str, password: &str) -> Answer {
        self.get("/login");
        self.post("/login", &format!("name={name}&password={password}"))
    }
}
