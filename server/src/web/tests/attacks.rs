//! What somebody who means harm may try, each refused.

use std::net::SocketAddr;

use axum::{
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};

use super::{
    people::{Browser, PASSWORD, accounts, closed, field, log},
    seed::HOUR,
    site::{ADDRESS, Site},
};
use crate::web::{ProxySettings, WebSettings};

/// Every way to change something, with fields that would do it.
const ACTS: [(&str, &[(&str, &str)]); 8] = [
    ("/hosts/bastion.example.org/check", &[("schedule", "hourly")]),
    ("/hosts/bastion.example.org/correct", &[("schedule", "hourly"), ("digest", "x")]),
    ("/hosts/bastion.example.org/hold", &[("hours", "2"), ("reason", "r")]),
    ("/hosts/bastion.example.org/release", &[]),
    ("/settings/motd/object", &[("owner", "team1"), ("reason", "r")]),
    ("/schedules/hourly/check", &[]),
    ("/notices/x3/retry", &[]),
    ("/notices/retry", &[]),
];

#[tokio::test]
async fn every_answer_forbids_what_no_page_of_ours_does() {
    let site = Site::seeded().await;
    for path in ["/", "/hosts/nobody", "/assets/page.css", "/nowhere", "/login"] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy");
        for part in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "content sniffing");
        assert_eq!(answer.header("x-frame-options"), "DENY", "clickjacking");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert!(["no-store", "no-cache"].contains(&answer.header("cache-control")), "{path}");
        // What the policy forbids would not work anyway: none of it is there.
        for inline in [" onclick", " onload", " style=", "<style", "javascript:", "<script>"] {
            assert!(!answer.text.contains(inline) || path.ends_with("css"), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn another_name_that_leads_here_is_not_answered() {
    let site = Site::seeded().await;
    for host in
        ["evil.example.org", "evil.example.org:8470", "127.0.0.1:8471", "localhost", "127.0.0.1:8470.evil.org", ""]
    {
        let answer = site.ask(Request::get("/").header(header::HOST, host), "").await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert!(!answer.text.contains("bastion") && !answer.text.contains("evil"), "{}", answer.text);
    }
    let two = Request::get("/").header(header::HOST, ADDRESS).header(header::HOST, "evil.example.org");
    assert_eq!(site.ask(two, "").await.status, StatusCode::MISDIRECTED_REQUEST);
    let absolute = Request::get("http://evil.example.org/").header(header::HOST, ADDRESS);
    assert_eq!(site.ask(absolute, "").await.status, StatusCode::MISDIRECTED_REQUEST);
    for host in ["127.0.0.1:8470", "localhost:8470", "LOCALHOST:8470"] {
        assert_eq!(site.ask(Request::get("/").header(header::HOST, host), "").await.status, StatusCode::OK, "{host}");
    }
    // The forwarded name counts for nothing.
    let forwarded = Request::get("/").header("x-forwarded-host", "evil.example.org");
    assert!(!site.ask(forwarded, "").await.text.contains("evil.example"));
}

#[tokio::test]
async fn a_page_without_accounts_changes_nothing_whatever_is_sent() {
    let site = Site::seeded().await;
    for (path, fields) in ACTS {
        let mut browser = Browser { cookie: "rectify=0".into(), csrf: "0".into() };
        let answer = browser.post(&site, path, fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text.contains("read-only"), "{path}: {}", answer.text);
    }
    assert!(log(&site).await.is_empty());
}

#[tokio::test]
async fn who_is_not_logged_in_sees_and_does_nothing() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    for path in ["/", "/hosts/bastion.example.org", "/runs/r-told", "/actions", "/hosts/bastion.example.org/correct"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header("location").starts_with("/login") && answer.text.is_empty(), "{path}");
    }
    for (path, fields) in ACTS {
        let answer = Browser::default().post(&site, path, fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    // What is needed to log in is there.
    assert_eq!(site.get("/assets/page.css").await.status, StatusCode::OK);
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_reader_reads_and_does_nothing() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let mut tom = Browser::of(&site, "tom").await;
    assert!(!tom.csrf.is_empty());
    let page = tom.get(&site, "/hosts/bastion.example.org").await;
    assert!(page.text.contains("The host moved") && !page.text.contains("/hold"), "no form is offered");
    for (path, fields) in ACTS {
        assert_eq!(tom.post(&site, path, fields).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(tom.get(&site, "/hosts/bastion.example.org/correct").await.status, StatusCode::FORBIDDEN);
    assert!(asked.lock().unwrap().is_empty());
    let log = log(&site).await;
    assert_eq!(log.iter().filter(|line| line.starts_with("tom refused /")).count(), ACTS.len(), "{log:?}");
}

#[tokio::test]
async fn a_form_that_another_site_sends_is_refused() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let eva = Browser::of(&site, "eva").await;
    let sent = |origin: Option<&str>, site_header: Option<&str>, csrf: &str| {
        let mut request = Request::post("/hosts/bastion.example.org/hold").header(header::COOKIE, &eva.cookie);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        if let Some(value) = site_header {
            request = request.header("sec-fetch-site", value);
        }
        (request, format!("csrf={csrf}&hours=2&reason=r"))
    };
    let own = format!("http://{ADDRESS}");
    let other = Browser::of(&site, "tom").await;
    let wrong = [
        sent(None, None, &eva.csrf),
        sent(Some("null"), None, &eva.csrf),
        sent(Some("https://evil.example.org"), None, &eva.csrf),
        sent(Some("http://127.0.0.1:8471"), None, &eva.csrf),
        sent(Some(&format!("{own}.evil.example.org")), None, &eva.csrf),
        sent(Some(&own), Some("cross-site"), &eva.csrf),
        sent(Some(&own), Some("same-site"), &eva.csrf),
        sent(Some(&own), None, ""),
        sent(Some(&own), None, "0000"),
        sent(Some(&own), None, &other.csrf),
    ];
    for (number, (request, body)) in wrong.into_iter().enumerate() {
        let answer = site.ask(request, &body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "number {number}: {}", answer.text);
    }
    assert!(asked.lock().unwrap().is_empty());
    let (request, body) = sent(Some(&own), Some("same-origin"), &eva.csrf);
    assert_eq!(site.ask(request, &body).await.status, StatusCode::SEE_OTHER, "and her own is not");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_changes_by_a_link() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    for (path, fields) in ACTS {
        let query: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let answer = eva.get(&site, &format!("{path}?csrf={}&{}", eva.csrf, query.join("&"))).await;
        let shown = path.ends_with("/correct");
        assert_eq!(answer.status, if shown { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED }, "{path}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_session_that_somebody_slipped_in_is_not_the_one_after_the_login() {
    let (site, _asked, _folder) = closed(WebSettings::default()).await;
    let mut planted = Browser::default();
    planted.get(&site, "/login").await;
    let before = planted.clone();
    let mut victim = planted.clone();
    let answer = victim.post(&site, "/login", &[("name", "eva"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_ne!(victim.cookie, before.cookie);
    assert_eq!(planted.get(&site, "/actions").await.status, StatusCode::SEE_OTHER, "the planted one is nobody's");
    assert_eq!(victim.get(&site, "/actions").await.status, StatusCode::OK);
    // A second login ends the first session.
    let first = victim.clone();
    victim.get(&site, "/").await;
    let mut again = victim.clone();
    again.post(&site, "/logout", &[]).await;
    assert_eq!(first.clone().get(&site, "/").await.status, StatusCode::SEE_OTHER, "who logs out is out");
}

#[tokio::test]
async fn what_the_database_holds_opens_no_session() {
    use sqlx::Row as _;
    let (site, _asked, _folder) = closed(WebSettings::default()).await;
    let eva = Browser::of(&site, "eva").await;
    let row = sqlx::query("SELECT id, proof FROM sessions").fetch_one(site.store.pool()).await.unwrap();
    let (id, proof) = (row.get::<String, _>("id"), row.get::<String, _>("proof"));
    assert!(!eva.cookie.contains(&id) && !eva.cookie.contains(&proof));
    for stolen in [id, proof] {
        let mut thief = Browser { cookie: format!("rectify={stolen}"), csrf: String::new() };
        assert_eq!(thief.get(&site, "/").await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn sessions_end_with_time_and_with_the_account() {
    let (site, _asked, folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    *site.clock.0.lock().unwrap() += 7 * HOUR;
    assert_eq!(eva.get(&site, "/").await.status, StatusCode::OK, "it is used");
    *site.clock.0.lock().unwrap() += 7 * HOUR;
    assert_eq!(eva.get(&site, "/").await.status, StatusCode::OK, "it was used");
    *site.clock.0.lock().unwrap() += 9 * HOUR;
    assert_eq!(eva.get(&site, "/").await.status, StatusCode::SEE_OTHER, "it lay idle");
    let mut eva = Browser::of(&site, "eva").await;
    let users = folder.path().join("users");
    let before = std::fs::read_to_string(&users).unwrap();
    std::fs::write(&users, before.replace("eva:operator", "eva:reader")).unwrap();
    assert_eq!(eva.post(&site, ACTS[2].0, ACTS[2].1).await.status, StatusCode::FORBIDDEN, "no operator any more");
    std::fs::write(&users, before.replace("eva:", "ada:")).unwrap();
    assert_eq!(eva.get(&site, "/").await.status, StatusCode::SEE_OTHER, "nobody any more");
    std::fs::write(&users, before).unwrap();
    assert_eq!(
        eva.get(&site, "/").await.status,
        StatusCode::SEE_OTHER,
        "the account came back, and the session did not"
    );
    let mut eva = Browser::of(&site, "eva").await;
    // The same passwords, hashed anew.
    std::fs::write(&users, accounts()).unwrap();
    assert_eq!(eva.get(&site, "/").await.status, StatusCode::SEE_OTHER, "the password was set anew");
}

#[tokio::test]
async fn a_login_leads_nowhere_else() {
    let (site, _asked, _folder) = closed(WebSettings::default()).await;
    for next in [
        "https://evil.example.org/",
        "//evil.example.org",
        "/\\evil.example.org",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie:x",
        "\r\nX: y",
    ] {
        let mut browser = Browser::default();
        let form = browser.get(&site, &format!("/login?next={}", crate::web::answer::encoded(next))).await;
        let carried = field(&form.text, "next").unwrap();
        assert!(carried == "/" || carried == "/%0d%0aSet-Cookie:x", "{carried}");
        let answer = browser.post(&site, "/login", &[("name", "eva"), ("password", PASSWORD), ("next", next)]).await;
        let to = answer.header("location");
        assert!(to == "/" || to == "/%0d%0aSet-Cookie:x", "{next:?} leads to {to:?}");
        assert!(!answer.headers.contains_key("x"));
    }
    let mut browser = Browser::default();
    browser.get(&site, "/login?next=%2Fruns%3Fmode%3Dcheck").await;
    let own = [("name", "eva"), ("password", PASSWORD), ("next", "/runs?mode=check")];
    assert_eq!(browser.post(&site, "/login", &own).await.header("location"), "/runs?mode=check");
}

#[tokio::test]
async fn passwords_cannot_be_guessed_and_names_cannot_be_told() {
    let (site, _asked, _folder) = closed(WebSettings::default()).await;
    let mut browser = Browser::default();
    browser.get(&site, "/login").await;
    let mut told = Vec::new();
    for name in ["eva", "nobody"] {
        let answer = browser.post(&site, "/login", &[("name", name), ("password", "wrong")]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        told.push(answer.text.replace(name, "NAME"));
    }
    assert_eq!(told[0], told[1]);
    let mut last = StatusCode::OK;
    for _ in 0..5 {
        last = browser.post(&site, "/login", &[("name", "eva"), ("password", "wrong")]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let right = browser.post(&site, "/login", &[("name", "eva"), ("password", PASSWORD)]).await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS, "not even the right one, for a while");
    assert_eq!(right.header("retry-after"), "300");
    // A login without the form's token is another site's: it would log somebody in as somebody else.
    let mut other = Browser::default();
    let answer = other.post(&site, "/login", &[("name", "tom"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn only_the_proxy_says_who_somebody_is() {
    let set = |name: &str| [name.to_owned()].into();
    let proxy = ProxySettings {
        from: ["10.0.0.1".parse().unwrap()].into(),
        user_header: None,
        groups_header: None,
        operators: set("ops"),
        readers: Some(set("staff")),
    };
    let settings = WebSettings { proxy: Some(proxy), ..WebSettings::default() };
    let site = Site::new(settings, None).await;
    let from = |ip: [u8; 4], headers: &[(&str, &str)]| {
        let mut request = Request::get("/").extension(ConnectInfo(SocketAddr::from((ip, 1))));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    };
    let eva = [("x-remote-user", "eva"), ("x-remote-groups", "staff, ops")];
    let answer = site.ask(from([10, 0, 0, 1], &eva), "").await;
    assert!(answer.status == 200 && answer.text.contains("operator"), "{}", answer.text);
    assert!(answer.header("set-cookie").starts_with("rectify="));
    let tom = site.ask(from([10, 0, 0, 1], &[("x-remote-user", "tom"), ("x-remote-groups", "staff")]), "").await;
    assert!(tom.text.contains("reader") && !tom.text.contains("operator"));
    for (ip, headers, status) in [
        ([10, 0, 0, 2], &eva[..], 401),
        ([127, 0, 0, 1], &eva[..], 401),
        ([10, 0, 0, 1], &[][..], 401),
        ([10, 0, 0, 1], &[("x-remote-user", "")][..], 401),
        ([10, 0, 0, 1], &[("x-remote-user", "eva"), ("x-remote-user", "root")][..], 401),
        ([10, 0, 0, 1], &[("x-remote-user", "guest"), ("x-remote-groups", "guests")][..], 403),
    ] {
        let answer = site.ask(from(ip, headers), "").await;
        assert_eq!(answer.status, status, "{ip:?} {headers:?}");
        assert!(!answer.text.contains("Fleet</h1>"));
    }
    // Its forms are guarded like any other.
    let mut form = from([10, 0, 0, 1], &eva).method("POST").header(header::ORIGIN, format!("http://{ADDRESS}"));
    form = form.uri("/schedules/hourly/check");
    assert_eq!(site.ask(form, "csrf=0").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_too_long_or_odd_is_refused_and_breaks_nothing() {
    let (site, asked, _folder) = closed(WebSettings::default()).await;
    let mut eva = Browser::of(&site, "eva").await;
    let long = "x".repeat(100_000);
    let answer = eva.post(&site, "/hosts/bastion.example.org/hold", &[("hours", "2"), ("reason", &long)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    for (hours, reason) in [("0", "r"), ("-1", "r"), ("721", "r"), ("9223372036854775807", "r"), ("x", "r"), ("2", " ")]
    {
        let answer = eva.post(&site, "/hosts/bastion.example.org/hold", &[("hours", hours), ("reason", reason)]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{hours} {reason:?}");
    }
    assert!(asked.lock().unwrap().is_empty());
    for path in [
        "/runs/..%2F..%2Fetc%2Fpasswd",
        "/runs/%00",
        "/hosts/%ff",
        "/assets/..%2F..%2FCargo.toml",
        "/hosts/a%00b",
        "/runs/r-told/../../x",
    ] {
        let status = eva.get(&site, path).await.status;
        assert!(status == 404 || status == 400, "{path}: {status}");
    }
    for path in [
        "/?after=%00",
        "/hosts/bastion.example.org?before=x~y",
        "/runs?before=99999999999999999999999~",
        "/?state=%27%3B--",
    ] {
        assert_eq!(eva.get(&site, path).await.status, StatusCode::OK, "{path}");
    }
}
