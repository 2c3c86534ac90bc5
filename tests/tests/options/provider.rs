//! A provider of OpenID Connect on this machine, that says of people what a test tells it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

/// What the next ID token is to say besides what all say, and what was asked for tokens.
#[derive(Default)]
struct Told {
    claims: String,
    asked: Vec<String>,
}

/// A provider; it answers as long as the test runs.
pub(crate) struct Provider {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
}

/// What a program makes of its input.
fn piped(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {args:?}");
    output.stdout
}

/// base64url without padding (RFC 7515, section 2).
fn base64(bytes: &[u8]) -> String {
    String::from_utf8(piped("basenc", &["--base64url", "-w0"], bytes)).unwrap().trim_end_matches('=').to_owned()
}

impl Provider {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(key.path(), piped("openssl", &["genrsa", "2048"], b"")).unwrap();
        let (told, at) = (Arc::<Mutex<Told>>::default(), url.clone());
        let kept = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &at, key.path().to_str().unwrap(), &kept);
            }
        });
        Provider { url, told }
    }

    /// Lets somebody of whom it says this in: where the browser that was sent to it goes back to.
    pub(crate) fn lets_in(&self, asked: &str, claims: &str) -> String {
        assert!(asked.starts_with(&format!("{}/authorize?", self.url)), "{asked}");
        let query = |name: &str| {
            let mut pairs = asked.split(['?', '&']).filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).unwrap_or_else(|| panic!("{name}: {asked}")).1.to_owned()
        };
        assert_eq!((query("code_challenge_method"), query("scope")), ("S256".into(), "openid+groups".into()));
        assert_eq!(query("redirect_uri"), "https%3A%2F%2Frectify.example.org%2Flogin%2Fback");
        self.told.lock().unwrap().claims = format!("{claims}, \"nonce\": \"{}\"", query("nonce"));
        format!("/login/back?code=c0de&state={}", query("state"))
    }

    /// What was asked for tokens.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.told.lock().unwrap().asked.clone()
    }
}

fn answer(stream: TcpStream, url: &str, key: &str, told: &Mutex<Told>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        head += &line;
        line.clear();
    }
    let head_lower = head.to_ascii_lowercase();
    let length = head_lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = match head.split(' ').nth(1).unwrap() {
        "/.well-known/openid-configuration" => format!(
            r#"{{"issuer": "{url}", "authorization_endpoint": "{url}/authorize", "token_endpoint": "{url}/token", "jwks_uri": "{url}/keys",
            "response_types_supported": ["code"], "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]}}"#
        ),
        "/keys" => {
            let modulus = piped("openssl", &["rsa", "-in", key, "-noout", "-modulus"], b"");
            let modulus = String::from_utf8(modulus).unwrap().trim().replace("Modulus=", "");
            let modulus = piped("basenc", &["--base16", "-d"], modulus.as_bytes());
            format!(
                r#"{{"keys": [{{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k", "e": "AQAB", "n": "{}"}}]}}"#,
                base64(&modulus)
            )
        }
        _ => {
            let mut told = told.lock().unwrap();
            told.asked.push(format!("{head}{}", String::from_utf8(body).unwrap()));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let claims = format!(
                r#"{{"iss": "{url}", "aud": "rectify", "sub": "4711", "exp": {}, "iat": {now}, {}}}"#,
                now + 300,
                told.claims
            );
            let signed = format!("{}.{}", base64(br#"{"alg": "RS256", "kid": "k"}"#), base64(claims.as_bytes()));
            let signature = piped("openssl", &["dgst", "-sha256", "-sign", key], signed.as_bytes());
            format!(r#"{{"access_token": "a", "token_type": "Bearer", "id_token": "{signed}.{}"}}"#, base64(&signature))
        }
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}
