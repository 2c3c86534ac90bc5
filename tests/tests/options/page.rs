//! The keys of `[serve]` that are about the page, each by what the page answers.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    thread::JoinHandle,
};

use crate::local::{Folder, said};

/// A server that shows the page until it is dropped.
struct Server {
    process: Child,
    /// Its address and port.
    at: String,
    listener: Option<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// With these lines in `[serve]`, on a port that is free.
    fn new(folder: &Folder, serve: &str) -> Self {
        folder.write("rectify.toml", &format!("inventory = [\"hosts\"]\n[serve]\nlisten = \"127.0.0.1:0\"\n{serve}"));
        let mut process = folder.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut heard = String::new();
        let line = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {heard}")).unwrap();
            if line.contains("the page is at ") {
                break line;
            }
            heard.push_str(&line);
        };
        // It goes on talking: somebody has to listen.
        let listener = std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        // What it says is the address for browsers; the port is the process's own.
        let at = port_of(&line).unwrap_or_else(|| listening(process.id()));
        Server { process, at, listener: Some(listener) }
    }

    /// Sends a request, and gives back the whole answer.
    fn ask(&self, request: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.at) };
        let length = body.len();
        let form = "Content-Type: application/x-www-form-urlencoded";
        let text = format!(
            "{request} HTTP/1.1\r\n{host}{headers}{form}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().unwrap().success());
        self.listener.take().unwrap().join().unwrap();
    }
}

/// The address in `… the page is at http://127.0.0.1:PORT; …`.
fn port_of(line: &str) -> Option<String> {
    let at = line.split("http://127.0.0.1:").nth(1)?;
    let port: String = at.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("127.0.0.1:{port}"))
}

/// The one address on loopback that a process listens on.
fn listening(process: u32) -> String {
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let own = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = own.filter(|words| words[3] == "0A" && inodes.iter().any(|inode| inode == words[9]));
    let port = own.map(|words| words[1].split(':').nth(1).unwrap().to_owned()).next().unwrap();
    format!("127.0.0.1:{}", u16::from_str_radix(&port, 16).unwrap())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn the_page_is_where_listen_and_url_say_and_nowhere_else() {
    let folder = Folder::new();
    let server = Server::new(&folder, "");
    let answer = server.ask("GET /", "", "");
    assert!(status(&answer) == "200" && answer.contains("<h1>Fleet</h1>") && answer.contains("read-only"), "{answer}");
    assert_eq!(status(&server.ask("GET /", "Host: rectify.example.org\r\n", "")), "421");
    server.end();
    let server = Server::new(&folder, "url = \"http://rectify.example.org\"\n");
    assert_eq!(status(&server.ask("GET /", "Host: rectify.example.org\r\n", "")), "200");
    assert_eq!(status(&server.ask("GET /", "Host: other.example.org\r\n", "")), "421");
    server.end();
    for (serve, why) in [
        ("listen = \"0.0.0.0:8470\"", "others could read everything"),
        ("url = \"no address\"", "is no address of a web page"),
        ("users = \"missing\"", "reading the accounts in missing"),
        ("[serve.proxy]\nfrom = []", "names no address"),
    ] {
        folder.write("rectify.toml", &format!("inventory = [\"hosts\"]\n[serve]\n{serve}\n"));
        let said = folder.run(&["serve"]);
        assert!(said.code == Some(5) && said.stderr.contains(why), "{serve}: {}", said.all());
    }
}

#[test]
fn accounts_come_from_the_file_that_users_names() {
    let folder = Folder::new();
    folder.write("password", "correct horse\n");
    let input = std::fs::File::open(folder.at("password")).unwrap();
    let hashed = said(folder.command(&["serve", "hash-password"]).stdin(input));
    assert!(hashed.code == Some(0) && hashed.stdout.starts_with("$argon2id$"), "{}", hashed.all());
    let shown = folder.on_a_terminal(&["serve", "hash-password"], &[("Password: ", "one"), ("Once more: ", "two")]);
    assert!(shown.contains("not the same") && !shown.contains("$argon2"), "{shown}");
    folder.write("accounts", &format!("eva:operator:{}", hashed.stdout));
    let server = Server::new(&folder, "users = \"accounts\"\n");
    let answer = server.ask("GET /runs", "", "");
    assert!(status(&answer) == "303" && answer.contains("location: /login?next=%2Fruns"), "{answer}");
    let form = server.ask("GET /login", "", "");
    let cookie = form.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap();
    let csrf = form.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let headers = format!("Cookie: {cookie}\r\nOrigin: http://{}\r\n", server.at);
    let log_in =
        |password: &str| server.ask("POST /login", &headers, &format!("csrf={csrf}&name=eva&password={password}"));
    assert_eq!(status(&log_in("wrong")), "401");
    let answer = log_in("correct+horse");
    assert_eq!(status(&answer), "303", "{answer}");
    let cookie = answer.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap();
    let answer = server.ask("GET /actions", &format!("Cookie: {cookie}\r\n"), "");
    assert!(status(&answer) == "200" && answer.contains("operator") && answer.contains("login"), "{answer}");
    server.end();
}

#[test]
fn a_proxy_says_who_somebody_is_by_the_headers_that_are_named() {
    let folder = Folder::new();
    let proxy = "[serve.proxy]\nfrom = [\"127.0.0.1\"]\nuser_header = \"x-user\"\ngroups_header = \"x-groups\"\n\
                 operators = [\"ops\"]\nreaders = [\"staff\"]\n";
    let server = Server::new(&folder, proxy);
    for (headers, expected, role) in [
        ("X-User: eva\r\nX-Groups: staff,ops\r\n", "200", "operator"),
        ("X-User: tom\r\nX-Groups: staff\r\n", "200", "reader"),
        ("X-User: eve\r\nX-Groups: guests\r\n", "403", "in no group"),
        ("X-Remote-User: eva\r\nX-Remote-Groups: ops\r\n", "401", "did not say who"),
    ] {
        let answer = server.ask("GET /", headers, "");
        assert!(status(&answer) == expected && answer.contains(role), "{headers}: {answer}");
    }
    server.end();
    let elsewhere = proxy.replace("127.0.0.1", "127.0.0.2");
    let server = Server::new(&folder, &elsewhere);
    assert_eq!(status(&server.ask("GET /", "X-User: eva\r\nX-Groups: ops\r\n", "")), "401");
    server.end();
}
