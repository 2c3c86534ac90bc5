//! A provider of OpenID Connect that does what a test tells it, and logins there.

use std::{
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{Request, StatusCode, header},
    routing::{get, post},
};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey as _,
    core::{CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    people::{Browser, log},
    seed,
    site::{Answer, Site},
};
use crate::web::{OidcSettings, WebSettings};

/// What the provider says, and what it was asked.
struct Told {
    url: String,
    key: CoreRsaPrivateSigningKey,
    /// Claims that take the place of what is right.
    claims: Mutex<Value>,
    nonce: Mutex<String>,
    asked: Mutex<Vec<Vec<(String, String)>>>,
}

type Provider = Arc<Told>;

fn part(value: &Value) -> String {
    base64(value.to_string().as_bytes())
}

/// base64url without padding (RFC 7515, section 2).
fn base64(bytes: &[u8]) -> String {
    const SET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let n = group.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            out.push(char::from(SET[usize::try_from(n >> (18 - 6 * place) & 63).unwrap()]));
        }
    }
    out
}

async fn token(State(told): State<Provider>, Form(form): Form<Vec<(String, String)>>) -> Json<Value> {
    told.asked.lock().unwrap().push(form);
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": told.url, "aud": "rectify", "sub": "4711", "exp": now + 300, "iat": now, "nonce": *told.nonce.lock().unwrap(),
        "preferred_username": "ada", "groups": ["ops"],
    });
    claims.as_object_mut().unwrap().extend(told.claims.lock().unwrap().as_object().unwrap().clone());
    let signed = format!("{}.{}", part(&json!({"alg": "RS256", "kid": "k"})), part(&claims));
    let signature = told.key.sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", base64(&signature));
    Json(json!({"access_token": "a", "token_type": "Bearer", "id_token": token}))
}

/// A provider on this machine.
async fn provider() -> Provider {
    let pem = Command::new("openssl").args(["genrsa", "-traditional", "2048"]).output().unwrap();
    let pem = String::from_utf8(pem.stdout).unwrap();
    let key = CoreRsaPrivateSigningKey::from_pem(&pem, Some(JsonWebKeyId::new("k".into()))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told = Told { url, key, claims: Mutex::new(json!({})), nonce: Mutex::default(), asked: Mutex::default() };
    let told = Arc::new(told);
    let discovery = |State(told): State<Provider>| async move {
        let url = &told.url;
        Json(json!({
            "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        }))
    };
    let keys = |State(told): State<Provider>| async move { Json(json!({ "keys": [told.key.as_verification_key()] })) };
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/keys", get(keys))
        .route("/token", post(token))
        .with_state(told.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    told
}

async fn site(provider: &Provider) -> (Site, tempfile::TempDir) {
    site_by(provider, None).await
}

/// A site that calls people by this claim.
async fn site_by(provider: &Provider, name_claim: Option<&str>) -> (Site, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let set = |name: &str| [name.to_owned()].into();
    let oidc = OidcSettings {
        issuer: provider.url.clone(),
        client_id: "rectify".into(),
        client_secret_file: Some(secret),
        scopes: vec!["profile".into(), "groups".into()],
        name_claim: name_claim.map(str::to_owned),
        groups_claim: None,
        operators: set("ops"),
        readers: Some(set("staff")),
    };
    let settings =
        WebSettings { url: Some("http://127.0.0.1:8470".into()), oidc: Some(oidc), ..WebSettings::default() };
    let site = Site::new(settings, None).await;
    seed::stories(&site.store).await;
    (site, folder)
}

/// What stands in an address behind `name=`.
fn said(url: &str, name: &str) -> String {
    let query = reqwest::Url::parse(url).unwrap();
    query.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// A browser that was sent to the provider, and where.
async fn begun(site: &Site, provider: &Provider) -> (Browser, String) {
    let mut browser = Browser::default();
    let answer = browser.get(site, "/login/oidc?next=%2Fruns").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let to = answer.header("location").to_owned();
    *provider.nonce.lock().unwrap() = said(&to, "nonce");
    (browser, to)
}

async fn back(site: &Site, browser: &mut Browser, query: &str) -> Answer {
    browser.get(site, &format!("/login/back?{query}")).await
}

#[tokio::test]
async fn who_logs_in_at_the_provider_is_in_with_the_role_of_the_groups() {
    let provider = provider().await;
    let (site, _folder) = site(&provider).await;
    let (mut ada, to) = begun(&site, &provider).await;
    assert!(to.starts_with(&format!("{}/authorize?", provider.url)), "{to}");
    assert_eq!(said(&to, "response_type"), "code");
    assert_eq!(said(&to, "code_challenge_method"), "S256");
    assert_eq!(said(&to, "redirect_uri"), "http://127.0.0.1:8470/login/back");
    assert_eq!(said(&to, "scope"), "openid profile groups");
    let before = ada.cookie.clone();
    let answer = back(&site, &mut ada, &format!("code=c0de&state={}", said(&to, "state"))).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/runs"), "{}", answer.text);
    assert_ne!(ada.cookie, before, "the session is a new one");
    let page = ada.get(&site, "/runs").await;
    assert!(page.text.contains("oidc:ada") && page.text.contains("operator"), "{}", page.text);
    let asked = provider.asked.lock().unwrap()[0].clone();
    let field =
        |name: &str| asked.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
    assert_eq!(field("code"), "c0de");
    assert!(field("code_verifier").len() >= 43, "{asked:?}");
    assert_eq!(log(&site).await, ["oidc:ada login page done"]);
    *provider.claims.lock().unwrap() = json!({"groups": "staff", "preferred_username": "tom"});
    let (mut tom, to) = begun(&site, &provider).await;
    back(&site, &mut tom, &format!("code=c&state={}", said(&to, "state"))).await;
    let page = tom.get(&site, "/").await;
    assert!(page.text.contains("oidc:tom") && page.text.contains("reader"), "{}", page.text);
}

#[tokio::test]
async fn a_login_that_is_not_this_browsers_or_not_this_providers_is_refused() {
    let provider = provider().await;
    let (site, _folder) = site(&provider).await;
    // Another state, none, a state of another browser, and the right one a second time.
    let (mut ada, to) = begun(&site, &provider).await;
    assert_eq!(back(&site, &mut ada, "code=c&state=wrong").await.status, StatusCode::FORBIDDEN);
    let right = format!("code=c&state={}", said(&to, "state"));
    assert_eq!(back(&site, &mut ada, &right).await.status, StatusCode::FORBIDDEN, "it counts once, wrong or right");
    let (_, to) = begun(&site, &provider).await;
    let stolen = format!("code=c&state={}", said(&to, "state"));
    assert_eq!(back(&site, &mut Browser::default(), &stolen).await.status, StatusCode::FORBIDDEN);
    let (mut late, to) = begun(&site, &provider).await;
    *site.clock.0.lock().unwrap() += seed::HOUR;
    let answer = back(&site, &mut late, &format!("code=c&state={}", said(&to, "state"))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "an hour later");
    assert!(provider.asked.lock().unwrap().is_empty(), "no code went to the provider");

    // Tokens that do not count.
    for wrong in [
        json!({"nonce": "another"}),
        json!({"iss": "https://evil.example.org"}),
        json!({"aud": "another-client"}),
        json!({"exp": 1}),
    ] {
        *provider.claims.lock().unwrap() = wrong.clone();
        let (mut ada, to) = begun(&site, &provider).await;
        let answer = back(&site, &mut ada, &format!("code=c&state={}", said(&to, "state"))).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{wrong}");
        assert_eq!(ada.get(&site, "/runs").await.status, StatusCode::SEE_OTHER, "{wrong}: nobody is in");
    }
    *provider.claims.lock().unwrap() = json!({"groups": ["guests"]});
    let (mut ada, to) = begun(&site, &provider).await;
    let answer = back(&site, &mut ada, &format!("code=c&state={}", said(&to, "state"))).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "in no group");
    let (mut ada, to) = begun(&site, &provider).await;
    let no = format!("error=access_denied&error_description=%3Cb%3Eno%3C%2Fb%3E&state={}", said(&to, "state"));
    let answer = back(&site, &mut ada, &no).await;
    assert!(answer.status == 403 && answer.text.contains("&#60;b&#62;no"), "{}", answer.text);
}

#[tokio::test]
async fn an_address_is_a_name_only_if_the_provider_says_that_it_is_verified() {
    let provider = provider().await;
    let (site, _folder) = site_by(&provider, Some("email")).await;
    for (claims, named) in [
        (json!({"email": "ada@example.org", "email_verified": true}), Some("oidc:ada@example.org")),
        (json!({"email": "ada@example.org", "email_verified": "true"}), Some("oidc:ada@example.org")),
        (json!({"email": "eva@example.org", "email_verified": false}), None),
        (json!({"email": "eva@example.org", "email_verified": "false"}), None),
        (json!({"email": "eva@example.org"}), None),
        // What has no address is called by what the provider itself knows it by.
        (json!({"email_verified": false}), Some("oidc:4711")),
    ] {
        *provider.claims.lock().unwrap() = claims.clone();
        let (mut browser, to) = begun(&site, &provider).await;
        let answer = back(&site, &mut browser, &format!("code=c&state={}", said(&to, "state"))).await;
        let page = browser.get(&site, "/runs").await;
        match named {
            Some(named) => assert!(answer.status == 303 && page.text.contains(named), "{claims}: {}", answer.text),
            None => {
                assert_eq!((answer.status, page.status.as_u16()), (StatusCode::FORBIDDEN, 303), "{claims}");
                assert!(answer.text.contains("does not say that eva@example.org is verified"), "{}", answer.text);
            }
        }
    }
    let log = log(&site).await;
    assert_eq!(log.iter().filter(|line| *line == "oidc:4711 login page refused").count(), 3, "{log:?}");
    assert!(!log.iter().any(|line| line.starts_with("oidc:eva")), "no name that may be another's: {log:?}");
}

#[tokio::test]
async fn a_provider_that_is_away_is_named() {
    let settings = OidcSettings {
        issuer: "http://127.0.0.1:9".into(),
        client_id: "rectify".into(),
        client_secret_file: None,
        scopes: vec![],
        name_claim: None,
        groups_claim: None,
        operators: Default::default(),
        readers: None,
    };
    let url = Some("http://127.0.0.1:8470".into());
    let site = Site::new(WebSettings { url, oidc: Some(settings), ..WebSettings::default() }, None).await;
    let answer = site.ask(Request::get("/login/oidc").header(header::ACCEPT, "*/*"), "").await;
    assert!(answer.status == 502 && answer.text.contains("http://127.0.0.1:9"), "{}", answer.text);
}
