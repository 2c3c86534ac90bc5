//! Encodings: base64, digests, JSON, YAML, URLs, passwords.

use super::{flag, flag_or, int_or, random, text_or, yaml_out};
use crate::digest as digits;
use crate::template::calls::map_of;
use crate::template::error::{ErrorKind, R, fail, fail_as};
use crate::template::eval::{Args, Ev};
use crate::template::value::{Key, MAX_NESTING, V, float_repr};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value as Json;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

pub(crate) fn b64encode(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [encoding, urlsafe] = args.bind(["encoding", "urlsafe"])?;
    only_utf8(ev, encoding)?;
    let text = ev.text(&v)?;
    ev.room(text.len() * 2)?;
    Ok(V::str(if flag(urlsafe)? { URL_SAFE.encode(text) } else { STANDARD.encode(text) }))
}

pub(crate) fn b64decode(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [encoding, urlsafe] = args.bind(["encoding", "urlsafe"])?;
    only_utf8(ev, encoding)?;
    let text = ev.text(&v)?;
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = if flag(urlsafe)? { URL_SAFE.decode(text) } else { STANDARD.decode(text) };
    match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => Ok(V::str(text)),
        Ok(Err(_)) => fail("the decoded bytes are not UTF-8 text"),
        Err(e) => fail(format!("not base64: {e}")),
    }
}

fn only_utf8(ev: &Ev<'_>, encoding: Option<V>) -> R<()> {
    match text_or(ev, encoding, "utf-8")?.to_lowercase().as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => Ok(()),
        other => fail_as(ErrorKind::Unsupported, format!("the encoding `{other}` is not supported, only utf-8")),
    }
}

fn hex(bytes: &[u8]) -> V {
    V::str(digits::hex(bytes))
}

fn digest(name: &str, text: &str) -> R<V> {
    Ok(match name {
        "md5" => hex(&md5::Md5::digest(text)),
        "sha1" => hex(&sha1::Sha1::digest(text)),
        "sha224" => hex(&Sha224::digest(text)),
        "sha256" => hex(&Sha256::digest(text)),
        "sha384" => hex(&Sha384::digest(text)),
        "sha512" => hex(&Sha512::digest(text)),
        other => return fail(format!("there is no digest `{other}`: md5, sha1, sha224, sha256, sha384, sha512")),
    })
}

pub(crate) fn hash(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [name] = args.bind(["hashtype"])?;
    digest(&text_or(ev, name, "sha1")?, &ev.text(&v)?)
}

pub(crate) fn checksum(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    digest("sha1", &ev.text(&v)?)
}

pub(crate) fn sha1(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    checksum(ev, v, args)
}

pub(crate) fn md5(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    digest("md5", &ev.text(&v)?)
}

/// The name-based UUID (version 5) in Ansible's namespace.
pub(crate) fn to_uuid(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [namespace] = args.bind(["namespace"])?;
    let namespace = text_or(ev, namespace, "361E6D51-FAEC-444A-9079-341386DA8E2E")?;
    let digits: String = namespace.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() != 32 {
        return fail(format!("`{namespace}` is not a UUID"));
    }
    let mut bytes: Vec<u8> = (0..16).filter_map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok()).collect();
    bytes.extend_from_slice(ev.text(&v)?.as_bytes());
    let mut id = sha1::Sha1::digest(&bytes).to_vec();
    id[6] = (id[6] & 0x0f) | 0x50;
    id[8] = (id[8] & 0x3f) | 0x80;
    let h = digits::hex(&id[..16]);
    Ok(V::str(format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])))
}

/// JSON from the outside as a value; its text is never evaluated.
pub(crate) fn from_json_value(value: &Json) -> V {
    V::from_data(&crate::template::Data::from_json(value, crate::template::Trust::Plain))
}

pub(crate) fn from_json(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let V::Str(text) = &v else { return fail(format!("needs text, not a {}", v.type_name())) };
    ev.spend(text.len() as u64)?;
    match serde_json::from_str::<Json>(text) {
        Ok(value) => Ok(from_json_value(&value)),
        Err(e) => fail(format!("not JSON: {e}")),
    }
}

pub(crate) fn from_yaml(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    match &v {
        V::Str(text) => {
            ev.spend(text.len() as u64)?;
            Ok(crate::template::yaml::documents(text)?.into_iter().next().unwrap_or(V::None))
        }
        _ => Ok(v),
    }
}

pub(crate) fn from_yaml_all(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    match &v {
        V::Str(text) => {
            ev.spend(text.len() as u64)?;
            Ok(V::list(crate::template::yaml::documents(text)?))
        }
        V::None => Ok(V::list(Vec::new())),
        _ => Ok(v),
    }
}

/// How JSON is laid out.
struct Layout {
    indent: Option<String>,
    sort: bool,
    ascii: bool,
    item: String,
    key: String,
}

fn json(ev: &Ev<'_>, v: &V, mut args: Args, nice: bool) -> R<V> {
    let indent = args.take_named("indent").or_else(|| (nice && !args.pos.is_empty()).then(|| args.pos.remove(0)));
    let sort = flag_or(args.take_named("sort_keys"), nice)?;
    let ascii = flag_or(args.take_named("ensure_ascii"), true)?;
    let separators = args.take_named("separators").filter(|s| !matches!(s, V::None));
    for ignored in ["vault_to_text", "preprocess_unsafe", "profile", "allow_nan"] {
        args.take_named(ignored);
    }
    args.none()?;
    let indent = match indent {
        None if nice => Some("    ".to_owned()),
        None | Some(V::None) => None,
        Some(V::Str(s)) => Some(s.to_string()),
        some => Some(" ".repeat(usize::try_from(int_or(some, 4)?.clamp(0, 100)).unwrap_or(0))),
    };
    let (mut item, mut key) = (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned());
    if let (Some(s), false) = (separators, nice) {
        let parts = ev.iter(&s)?;
        let [i, k] = parts.as_slice() else { return fail("`separators` needs two texts") };
        (item, key) = (ev.text(i)?, ev.text(k)?);
    }
    let mut out = String::new();
    write_json(ev, v, &Layout { indent, sort, ascii, item, key }, 0, &mut out)?;
    Ok(V::str(out))
}

fn write_json(ev: &Ev<'_>, v: &V, layout: &Layout, depth: usize, out: &mut String) -> R<()> {
    if depth > MAX_NESTING as usize {
        return fail("the value is nested too deeply");
    }
    ev.room_for(out.len(), 16)?;
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = &layout.indent {
            out.push('\n');
            out.push_str(&indent.repeat(depth));
        }
    };
    match ev.known(v.clone())? {
        V::None => out.push_str("null"),
        V::Bool(b) => out.push_str(if b { "true" } else { "false" }),
        V::Int(i) => out.push_str(&i.to_string()),
        V::Float(f) if f.is_finite() => out.push_str(&float_repr(f)),
        V::Float(f) => out.push_str(if f.is_nan() {
            "NaN"
        } else if f > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }),
        V::Str(s) => {
            ev.room_for(out.len(), s.len())?;
            json_string(&s, layout.ascii, out);
        }
        V::Time(t) => json_string(&crate::template::pytime::isoformat(&t, 'T'), layout.ascii, out),
        list @ (V::List(_) | V::Tuple(_)) => {
            let items = list.elements().unwrap_or_default();
            if items.is_empty() {
                out.push_str("[]");
                return Ok(());
            }
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(&layout.item);
                }
                line(out, depth + 1);
                write_json(ev, item, layout, depth + 1, out)?;
            }
            line(out, depth);
            out.push(']');
        }
        V::Map(m) => {
            let mut entries: Vec<(String, V)> = m.entries().into_iter().map(|(k, v)| (k.json(), v)).collect();
            if layout.sort {
                crate::small::sort_by(&mut entries, |a, b| a.0.cmp(&b.0));
            }
            if entries.is_empty() {
                out.push_str("{}");
                return Ok(());
            }
            out.push('{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push_str(&layout.item);
                }
                line(out, depth + 1);
                json_string(key, layout.ascii, out);
                out.push_str(&layout.key);
                write_json(ev, item, layout, depth + 1, out)?;
            }
            line(out, depth);
            out.push('}');
        }
        V::Undef(u) => return Err(u.stop()),
        other => return fail(format!("a {} cannot be written as JSON", other.type_name())),
    }
    Ok(())
}

fn json_string(s: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

pub(crate) fn to_json(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    json(ev, &v, args, false)
}

pub(crate) fn to_nice_json(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    json(ev, &v, args, true)
}

fn yaml(ev: &Ev<'_>, v: &V, mut args: Args, nice: bool) -> R<V> {
    let indent = args.take_named("indent").or_else(|| (nice && !args.pos.is_empty()).then(|| args.pos.remove(0)));
    let indent = usize::try_from(int_or(indent, if nice { 4 } else { 2 })?.clamp(1, 20)).unwrap_or(2);
    let width = usize::try_from(int_or(args.take_named("width"), 80)?.max(10)).unwrap_or(80);
    let sort = flag_or(args.take_named("sort_keys"), true)?;
    let flow =
        args.take_named("default_flow_style").filter(|f| !matches!(f, V::None)).map(|f| f.truth()).transpose()?;
    for ignored in
        ["allow_unicode", "explicit_start", "explicit_end", "line_break", "vault_to_text", "redact_sensitive_values"]
    {
        args.take_named(ignored);
    }
    args.none()?;
    let style = if nice && flow.is_none() { Some(false) } else { flow };
    Ok(V::str(yaml_out::dump(ev, v, yaml_out::Style { indent, width, sort, flow: style })?))
}

pub(crate) fn to_yaml(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    yaml(ev, &v, args, false)
}

pub(crate) fn to_nice_yaml(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    yaml(ev, &v, args, true)
}

fn quote_url(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"_.-~".contains(&b) || safe.as_bytes().contains(&b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

pub(crate) fn urlencode(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let pair = |k: &V, v: &V| -> R<String> {
        let encode = |v: &V| -> R<String> { Ok(quote_url(&ev.text(v)?, "").replace("%20", "+")) };
        Ok(format!("{}={}", encode(k)?, encode(v)?))
    };
    let pairs = match &v {
        V::Map(m) => m.entries().iter().map(|(k, v)| pair(&k.to_v(), v)).collect::<R<Vec<_>>>()?,
        V::List(_) => ev
            .iter(&v)?
            .iter()
            .map(|p| match ev.iter(p)?.as_slice() {
                [k, v] => pair(k, v),
                _ => fail("needs pairs"),
            })
            .collect::<R<Vec<_>>>()?,
        other => return Ok(V::str(quote_url(&ev.text(other)?, "/"))),
    };
    Ok(V::str(pairs.join("&")))
}

pub(crate) fn urldecode(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    args.none()?;
    let text = ev.text(&v)?.replace('+', " ");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match code.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(b) if bytes[at] == b'%' => {
                out.push(b);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    Ok(V::str(String::from_utf8_lossy(&out)))
}

pub(crate) fn urlsplit(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [part] = args.bind(["query"])?;
    let text = ev.text(&v)?;
    let (rest, fragment) = text.split_once('#').unwrap_or((&text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((s, r)) if !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => (s, r),
        _ => ("", rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(r) => r.split_at(r.find('/').unwrap_or(r.len())),
        None => ("", rest),
    };
    let (login, host) = netloc.rsplit_once('@').map_or((None, netloc), |(l, h)| (Some(l), h));
    let (host, port) = match host.rsplit_once(':') {
        Some((h, p)) if !p.contains(']') => (h, p.parse::<i128>().ok()),
        _ => (host, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    let (user, password) =
        login.map_or((None, None), |l| l.split_once(':').map_or((Some(l), None), |(u, p)| (Some(u), Some(p))));
    let text_or_none = |t: Option<&str>| t.map_or(V::None, V::str);
    let all = map_of(vec![
        ("fragment", V::str(fragment)),
        ("hostname", if host.is_empty() { V::None } else { V::str(host) }),
        ("netloc", V::str(netloc)),
        ("password", text_or_none(password)),
        ("path", V::str(path)),
        ("port", port.map_or(V::None, V::Int)),
        ("query", V::str(query)),
        ("scheme", V::str(scheme.to_lowercase())),
        ("username", text_or_none(user)),
    ]);
    match part.filter(|p| !matches!(p, V::None)) {
        None => Ok(all),
        Some(p) => {
            let V::Map(map) = &all else { return Ok(all) };
            let name = ev.text(&p)?;
            map.get(&Key::from(name.as_str())).map_or_else(|| fail(format!("an address has no part `{name}`")), Ok)
        }
    }
}

const CRYPT: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(crate) fn password_hash(ev: &Ev<'_>, v: V, args: Args) -> R<V> {
    let [kind, salt, size, rounds, _ident] = args.bind(["hashtype", "salt", "salt_size", "rounds", "ident"])?;
    let kind = text_or(ev, kind, "sha512")?;
    let size = usize::try_from(int_or(size, 16)?.clamp(1, 16)).unwrap_or(16);
    let salt = match salt.filter(|s| !matches!(s, V::None)) {
        Some(s) => ev.text(&s)?,
        None => random::salt(size, CRYPT),
    };
    if salt.len() > 16 || !salt.bytes().all(|b| CRYPT.contains(&b)) {
        return fail("a salt has at most 16 characters out of `./0-9A-Za-z`");
    }
    let default = match kind.as_str() {
        "sha512" | "sha512_crypt" => 656_000,
        "sha256" | "sha256_crypt" => 535_000,
        _ => {
            let message = format!("the password hash `{kind}` is not supported, only sha512 and sha256");
            return fail_as(ErrorKind::Unsupported, message);
        }
    };
    let rounds = u32::try_from(int_or(rounds, default)?.clamp(1000, 5_000_000)).unwrap_or(5000);
    let password = ev.text(&v)?;
    if password.len() > 512 {
        return fail("a password has at most 512 bytes");
    }
    let hash = if default == 656_000 {
        crypt::<Sha512>(password.as_bytes(), salt.as_bytes(), rounds, SHA512_ORDER, 64)
    } else {
        crypt::<Sha256>(password.as_bytes(), salt.as_bytes(), rounds, SHA256_ORDER, 32)
    };
    let id = if default == 656_000 { 6 } else { 5 };
    let spelled = if rounds == 5000 { String::new() } else { format!("rounds={rounds}$") };
    Ok(V::str(format!("${id}${spelled}{salt}${hash}")))
}

/// The order in which the digest's bytes are written, three at a time.
const SHA512_ORDER: &[[usize; 3]] = &[
    [0, 21, 42],
    [22, 43, 1],
    [44, 2, 23],
    [3, 24, 45],
    [25, 46, 4],
    [47, 5, 26],
    [6, 27, 48],
    [28, 49, 7],
    [50, 8, 29],
    [9, 30, 51],
    [31, 52, 10],
    [53, 11, 32],
    [12, 33, 54],
    [34, 55, 13],
    [56, 14, 35],
    [15, 36, 57],
    [37, 58, 16],
    [59, 17, 38],
    [18, 39, 60],
    [40, 61, 19],
    [62, 20, 41],
];
const SHA256_ORDER: &[[usize; 3]] = &[
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
];

/// Drepper's SHA-crypt (`crypt(5)`).
fn crypt<D: Digest>(password: &[u8], salt: &[u8], rounds: u32, order: &[[usize; 3]], size: usize) -> String {
    let repeat = |block: &[u8], len: usize| block.iter().copied().cycle().take(len).collect::<Vec<u8>>();
    let b = D::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut a = D::new().chain_update(password).chain_update(salt).chain_update(repeat(&b, password.len()));
    let mut n = password.len();
    while n > 0 {
        a = if n & 1 == 1 { a.chain_update(&b) } else { a.chain_update(password) };
        n >>= 1;
    }
    let mut last = a.finalize();
    let mut dp = D::new();
    for _ in 0..password.len() {
        dp = dp.chain_update(password);
    }
    let p = repeat(&dp.finalize(), password.len());
    let mut ds = D::new();
    for _ in 0..16 + usize::from(last[0]) {
        ds = ds.chain_update(salt);
    }
    let s = repeat(&ds.finalize(), salt.len());
    for i in 0..rounds {
        let mut c = D::new();
        c = if i & 1 == 1 { c.chain_update(&p) } else { c.chain_update(&last) };
        if i % 3 != 0 {
            c = c.chain_update(&s);
        }
        if i % 7 != 0 {
            c = c.chain_update(&p);
        }
        c = if i & 1 == 1 { c.chain_update(&last) } else { c.chain_update(&p) };
        last = c.finalize();
    }
    let mut out = String::new();
    let mut push = |mut w: u32, n: usize| {
        for _ in 0..n {
            out.push(char::from(CRYPT[(w & 63) as usize]));
            w >>= 6;
        }
    };
    for [x, y, z] in order {
        push(u32::from(last[*x]) << 16 | u32::from(last[*y]) << 8 | u32::from(last[*z]), 4);
    }
    match size {
        64 => push(u32::from(last[63]), 2),
        _ => push(u32::from(last[31]) << 8 | u32::from(last[30]), 3),
    }
    out
}
