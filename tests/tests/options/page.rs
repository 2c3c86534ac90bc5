//! The page of a server as people use it, and the keys of `[serve]` that are about it, each by what the page answers.

use crate::{
    browser::{Answer, Browser, Server},
    local::{Folder, said},
    provider::Provider,
};

/// Three hosts, all this machine, of which `a` has opted in to `banner`; a schedule over them, and these lines in `[serve]`.
fn folder(serve: &str) -> Folder {
    let folder = crate::flags::folder();
    configure(&folder, serve);
    folder
}

fn configure(folder: &Folder, serve: &str) {
    let schedule = "[[schedules]]\nname = \"yearly\"\ncron = \"0 0 1 1 *\"\nmode = \"correct\"\n";
    let rest = format!("[serve]\nlisten = \"127.0.0.1:0\"\n{serve}");
    folder.write("rectify.toml", &format!("playbooks = [\"fleet/site.yml\"]\n{schedule}{rest}"));
}

const FLEET: [&str; 2] = ["-i", "fleet.yml"];

/// The hash of a password, as the program prints it.
fn hash(folder: &Folder, password: &str) -> String {
    folder.write("password", &format!("{password}\n"));
    let input = std::fs::File::open(folder.at("password")).unwrap();
    let hashed = said(folder.command(&["serve", "hash-password"]).stdin(input));
    assert!(hashed.code == Some(0) && hashed.stdout.starts_with("$argon2id$"), "{}", hashed.all());
    hashed.stdout.trim_end().to_owned()
}

/// Writes the file of accounts.
fn accounts(folder: &Folder, lines: &[(&str, &str)]) {
    let lines: Vec<String> = lines.iter().map(|(who, hash)| format!("{who}:{hash}\n")).collect();
    folder.write("accounts", &lines.concat());
}

fn status(answers: impl IntoIterator<Item = Answer>) -> Vec<u16> {
    answers.into_iter().map(|answer| answer.status()).collect()
}

/// What Prometheus is answered that sends these headers; metrics are there if it is 200.
fn scraped(server: &Server, headers: &str) -> u16 {
    let answer = server.ask("GET /metrics", &server.at, headers, "");
    assert_eq!(answer.text.contains("rectify_store_up 1"), answer.status() == 200, "{answer:?}");
    answer.status()
}

const PAGES: [&str; 7] = ["/", "/settings", "/runs", "/schedules", "/schedules/yearly", "/notices", "/actions"];

#[test]
fn without_accounts_everybody_on_this_machine_reads_and_nobody_acts() {
    let open = folder("");
    let server = Server::new(&open, &FLEET);
    let mut anybody = Browser::new(&server);
    for path in PAGES {
        let answer = anybody.get(path);
        assert!(answer.status() == 200 && answer.text.contains("read-only"), "{path}: {answer:?}");
    }
    let answer = anybody.post("/schedules/yearly/check", "");
    assert!(answer.status() == 403 && answer.text.contains("this page is read-only"), "{answer:?}");
    assert_eq!(Browser::at(&server, "http", "rectify.example.org").get("/").status(), 421, "another's name");
    assert_eq!(scraped(&server, ""), 200);
    server.end();
    // The name that a proxy in front has.
    configure(&open, "url = \"http://rectify.example.org\"\nmetrics_token_file = \"token\"\n");
    let none = open.run(&["serve", "-i", "fleet.yml"]);
    assert!(none.code == Some(5) && none.stderr.contains("`metrics_token_file`: reading token"), "{}", none.all());
    open.write("token", "s3cret\n");
    let server = Server::new(&open, &FLEET);
    let named = ["rectify.example.org", "other.example.org"].map(|host| Browser::at(&server, "http", host).get("/"));
    assert_eq!(status(named), [200, 421]);
    let tokens = ["", "authorization: Bearer guess\r\n", "authorization: Bearer s3cret\r\n"];
    assert_eq!(tokens.map(|token| scraped(&server, token)), [401, 401, 200]);
    assert_eq!(server.ask("GET /healthz", &server.at, "", "").status(), 200, "that it lives is no secret");
    server.end();
}

/// An operator `eva` and a reader `tom`, whose hashes the program printed: one was asked for at a terminal, one came by a pipe.
fn people(folder: &Folder) {
    let typed = [("Password: ", "correct-horse"), ("Again: ", "correct-horse")];
    let shown = folder.on_a_terminal(&["serve", "hash-password"], &typed);
    let by_terminal = shown.lines().find(|line| line.starts_with("$argon2id$")).unwrap().to_owned();
    assert!(!shown.contains("correct-horse"), "what is typed is not seen: {shown}");
    let shown = folder.on_a_terminal(&["serve", "hash-password"], &[("Password: ", "one"), ("Again: ", "two")]);
    assert!(shown.contains("not the same") && !shown.contains("$argon2"), "{shown}");
    accounts(folder, &[("eva:operator", &by_terminal), ("tom:reader", &hash(folder, "staple"))]);
}

/// Somebody who has logged in.
fn logged_in<'s>(server: &'s Server, name: &str, password: &str) -> Browser<'s> {
    let mut browser = Browser::new(server);
    let answer = browser.log_in(name, password);
    assert_eq!((answer.status(), answer.header("location")), (303, "/"), "{answer:?}");
    browser
}

#[test]
fn an_operator_looks_corrects_holds_and_objects_and_all_of_it_is_written_down() {
    let folder = folder("users = \"accounts\"\n");
    people(&folder);
    let applied = folder.run(&["apply", "fleet/site.yml", "-i", "fleet.yml"]);
    assert_eq!(applied.code, Some(0), "{}", applied.all());
    folder.write("a-banner", "who are you?\n");
    let server = Server::new(&folder, &FLEET);

    // Nobody comes in without a login, and nobody logs in with a wrong password or with a form that is not his.
    let mut eva = Browser::new(&server);
    for path in PAGES {
        let answer = eva.get(path);
        assert!(answer.status() == 303 && answer.header("location").starts_with("/login"), "{path}: {answer:?}");
    }
    assert_eq!(eva.post("/hosts/a/check", "schedule=yearly").status(), 401);
    let form = eva.get("/login?next=%2Fhosts%2Fa");
    let flags = form.header("set-cookie").split_once(';').unwrap().1.to_owned();
    assert_eq!(flags, " Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(Browser::new(&server).post("/login", "name=eva&password=correct-horse").status(), 403);
    assert_eq!(eva.post("/login", "name=eva&password=wrong").status(), 401);
    let before = eva.cookie.clone();
    let answer = eva.post("/login", "name=eva&password=correct-horse&next=%2Fhosts%2Fa");
    assert_eq!((answer.status(), answer.header("location")), (303, "/hosts/a"), "{answer:?}");
    assert_ne!(eva.cookie, before, "the token from before the login is worth nothing");
    let mut tom = logged_in(&server, "tom", "staple");

    // The host as the last run left it; then a look that sees what moved.
    let host = eva.get("/hosts/a");
    assert!(host.text.contains("all that is known is as wanted") && host.text.contains("Check now"), "{}", host.text);
    assert!(!tom.get("/hosts/a").text.contains("Check now"));
    assert_eq!(tom.post("/hosts/a/check", "schedule=yearly").status(), 403, "readers read");
    let begun = eva.post("/hosts/a/check", "schedule=yearly");
    assert_eq!(begun.header("location"), "/hosts/a?told=check", "{begun:?}");
    let done = server.heard(" is done: ");
    assert!(done.ends_with("1 host, 1 not as declared"), "{done}");
    let host = eva.get("/hosts/a");
    for part in ["who are you?", "authorised use only", "The host moved", "/hosts/a/correct?setting=banner"] {
        assert!(host.text.contains(part), "{part}: {}", host.text);
    }

    // Held, it is not corrected; the hold over, what was seen is.
    let held = eva.post("/hosts/a/hold", "hours=2&reason=we+look+into+it");
    assert_eq!(held.header("location"), "/hosts/a?told=hold", "{held:?}");
    let seen = eva.get("/hosts/a/correct?setting=banner");
    assert!(seen.text.contains("-who are you?") && seen.text.contains("+authorised use only"), "{}", seen.text);
    let fields = format!("schedule=yearly&setting=banner&digest={}", seen.field("digest").unwrap());
    let refused = eva.post("/hosts/a/correct", &fields);
    assert!(refused.status() == 409 && refused.text.contains("a is not corrected: "), "{refused:?}");
    eva.get("/hosts/a");
    assert_eq!(eva.post("/hosts/a/release", "").header("location"), "/hosts/a?told=release");
    let wrong = eva.post("/hosts/a/correct", "schedule=yearly&setting=banner&digest=0");
    assert!(wrong.status() == 409 && wrong.text.contains("Nothing was done"), "{wrong:?}");
    assert_eq!(std::fs::read_to_string(folder.at("a-banner")).unwrap(), "who are you?\n");
    assert_eq!(eva.post("/hosts/a/correct", &fields).header("location"), "/hosts/a?told=correct");
    let done = server.heard(" is done: ");
    assert!(done.contains("1 host, ") && done.ends_with(", 1 corrected"), "{done}");
    assert_eq!(std::fs::read_to_string(folder.at("a-banner")).unwrap(), "authorised use only\n");
    assert!(eva.get("/hosts/a").text.contains("all that is known is as wanted"));

    let objected = eva.post("/settings/banner/object", "owner=beta&reason=our+pager+reads+it");
    assert_eq!(objected.header("location"), "/settings/banner?told=object", "{objected:?}");
    assert!(eva.get("/settings/banner").text.contains("our pager reads it"));
    let status = folder.run(&["rollout", "status", "banner", "-i", "fleet.yml"]);
    assert!(status.stdout.contains("our pager reads it"), "{}", status.all());

    // Who did it all is known, to readers too; and whoever logs out is out.
    let log = tom.get("/actions").text;
    let rows: Vec<&str> = log.split("<tr>").skip(2).collect();
    let row = |who: &str, what: &str, outcome: &str| {
        let has = |row: &&&str| [who, what, outcome].iter().all(|part| row.contains(part));
        assert!(rows.iter().any(|row| has(&row)), "{who} {what} {outcome}: {log}");
    };
    for (what, outcome) in [
        (">login<", "refused"),
        (">login<", "done"),
        (">check<", "done"),
        (">hold<", "done"),
        (">correct<", "a is not corrected"),
        (">release<", "done"),
        (">refused<", "/hosts/a/correct"),
        (">correct<", "done"),
        (">object<", "our pager reads it"),
    ] {
        row(">eva<", what, outcome);
    }
    row(">tom<", ">refused<", "/hosts/a/check");
    let cookie = eva.cookie.clone();
    let out = eva.post("/logout", "");
    assert!(out.status() == 303 && out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    eva.cookie = cookie;
    assert_eq!(eva.get("/hosts/a").status(), 303, "the old cookie is worth nothing");
    server.end();
}

#[test]
fn a_session_lasts_as_long_as_the_account_and_its_password() {
    let folder = folder("users = \"accounts\"\n");
    let (old, new) = (hash(&folder, "old"), hash(&folder, "new"));
    accounts(&folder, &[("eva:operator", &old), ("tom:reader", &old)]);
    let server = Server::new(&folder, &FLEET);
    let (mut eva, mut tom) = (logged_in(&server, "eva", "old"), logged_in(&server, "tom", "old"));
    assert_eq!(status([eva.get("/"), tom.get("/")]), [200, 200]);
    accounts(&folder, &[("eva:operator", &new), ("tom:reader", &old)]);
    assert_eq!(status([eva.get("/"), tom.get("/")]), [303, 200]);
    assert_eq!(status([eva.log_in("eva", "old"), eva.log_in("eva", "new"), eva.get("/")]), [401, 303, 200]);
    let cookies = [eva.cookie, tom.cookie];
    server.end();
    // Sessions outlive the server; that of an account that was taken out meanwhile does not.
    accounts(&folder, &[("eva:operator", &new)]);
    let server = Server::new(&folder, &FLEET);
    let again = cookies.map(|cookie| {
        let mut browser = Browser::new(&server);
        browser.cookie = cookie;
        browser.get("/")
    });
    assert_eq!(status(again), [200, 303]);
    server.end();
}

#[test]
fn a_proxy_says_who_somebody_is_by_the_headers_that_are_named() {
    let proxy = "[serve.proxy]\nfrom = [\"127.0.0.1\"]\nuser_header = \"x-user\"\ngroups_header = \"x-groups\"\n\
                 operators = [\"ops\"]\nreaders = [\"staff\"]\n";
    let folder = folder(proxy);
    let server = Server::new(&folder, &FLEET);
    let who = "x-user: eva\r\nx-groups: ops\r\n";
    for (headers, expected, part) in [
        ("x-user: eva\r\nx-groups: staff,ops\r\n", 200, "operator"),
        ("x-user: tom\r\nx-groups: staff\r\n", 200, "reader"),
        ("x-user: eve\r\nx-groups: guests\r\n", 403, "in no group"),
        ("x-remote-user: eva\r\nx-remote-groups: ops\r\n", 401, "did not say who"),
    ] {
        let answer = server.ask("GET /schedules/yearly", &server.at, headers, "");
        assert!(answer.status() == expected && answer.text.contains(part), "{headers}: {answer:?}");
    }
    // Whoever the proxy vouches for acts with a form of his own.
    let page = server.ask("GET /schedules/yearly", &server.at, who, "");
    let cookie = page.header("set-cookie").split(';').next().unwrap();
    let headers = format!("{who}cookie: {cookie}\r\norigin: http://{}\r\n", server.at);
    let csrf = format!("csrf={}", page.field("csrf").unwrap());
    let send = |body: &str| server.ask("POST /schedules/yearly/check", &server.at, &headers, body);
    assert_eq!(status([send("csrf=0"), send(&csrf)]), [403, 303]);
    server.heard("yearly: eva asked for the round");
    server.end();
    // From another address its headers do not count.
    configure(&folder, &proxy.replace("127.0.0.1", "127.0.0.2"));
    let server = Server::new(&folder, &FLEET);
    assert_eq!(server.ask("GET /", &server.at, who, "").status(), 401);
    server.end();
}

#[test]
fn people_log_in_at_a_provider_of_openid_connect() {
    let provider = Provider::new();
    let oidc = format!(
        "url = \"https://rectify.example.org\"\n[serve.oidc]\nissuer = \"{}\"\nclient_id = \"rectify\"\nclient_secret_file = \"secret\"\n\
         scopes = [\"groups\"]\nname_claim = \"nickname\"\ngroups_claim = \"teams\"\noperators = [\"ops\"]\nreaders = [\"staff\"]\n",
        provider.url
    );
    let folder = folder(&oidc);
    folder.write("secret", "s3cret\n");
    let server = Server::new(&folder, &FLEET);
    let mut cookies = Vec::new();
    for (claims, expected, part) in [
        (r#""nickname": "ada", "teams": ["ops"]"#, 200, "oidc:ada <span class=\"quiet\">operator"),
        (r#""nickname": "tom", "teams": ["staff"]"#, 200, "oidc:tom <span class=\"quiet\">reader"),
        (r#""preferred_username": "ada", "groups": ["ops"]"#, 403, "oidc:4711 is in no group"),
    ] {
        let mut browser = Browser::at(&server, "https", "rectify.example.org");
        let form = browser.get("/login");
        assert!(form.text.contains("Log in at your provider") && !form.text.contains("Password"), "{form:?}");
        let cookie = form.header("set-cookie");
        assert!(cookie.starts_with("__Host-rectify=") && cookie.ends_with("; SameSite=Lax; Secure"), "{cookie}");
        let there = browser.get("/login/oidc?next=%2Fruns");
        let back = provider.lets_in(there.header("location"), claims);
        let answer = browser.get(&back);
        if expected == 200 {
            assert_eq!((answer.status(), answer.header("location")), (303, "/runs"), "{answer:?}");
            let shown = browser.get("/runs");
            assert!(shown.status() == 200 && shown.text.contains(part), "{claims}: {shown:?}");
            cookies.push(browser.cookie);
        } else {
            assert!(answer.status() == expected && answer.text.contains(part), "{claims}: {answer:?}");
        }
    }
    // A name that anybody may claim is nobody's.
    server.end();
    configure(&folder, &oidc.replace("\"nickname\"", "\"email\""));
    let server = Server::new(&folder, &FLEET);
    for (verified, expected) in [("true", 303), ("\"true\"", 303), ("false", 403)] {
        let mut browser = Browser::at(&server, "https", "rectify.example.org");
        let there = browser.get("/login/oidc?next=%2Fruns");
        let claims = format!("\"email\": \"ada@example.org\", \"email_verified\": {verified}, \"teams\": [\"ops\"]");
        let answer = browser.get(&provider.lets_in(there.header("location"), &claims));
        assert_eq!(answer.status(), expected, "{verified}: {answer:?}");
        assert_eq!(
            answer.text.contains("does not say that ada@example.org is verified"),
            expected == 403,
            "{answer:?}"
        );
    }
    let asked = provider.asked();
    assert!(asked.iter().all(|asked| asked.contains("code_verifier=") && asked.contains("code=c0de")), "{asked:?}");
    server.end();
    // Who logged in at one provider is not logged in at another.
    configure(&folder, &oidc.replace(&provider.url, "https://other.example.org"));
    let server = Server::new(&folder, &FLEET);
    let mut browser = Browser::at(&server, "https", "rectify.example.org");
    browser.cookie = cookies.swap_remove(0);
    assert_eq!(browser.get("/runs").status(), 303);
    server.end();
}
