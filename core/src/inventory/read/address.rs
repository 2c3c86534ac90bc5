//! Host names, ports and ranges: `web[01:20].example.com:2222`.

use std::net::Ipv6Addr;

/// How many hosts one pattern may stand for.
const MAX_HOSTS: usize = 1_000_000;
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A host (or several, as a range) and the port written behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: Option<u64>,
}

/// Reads `host`, `host:port`, `[host]:port`; `None` for anything that is no name, IPv4 or IPv6 address (ranges allowed).
pub(crate) fn parse(text: &str) -> Option<Address> {
    let mut host = text;
    let mut port = None;
    if let Some((inner, digits)) = host.strip_prefix('[').and_then(|rest| rest.rsplit_once("]:"))
        && !inner.is_empty()
        && is_number(digits)
    {
        (host, port) = (inner, digits.parse().ok());
    }
    if let Some((before, digits)) = host.rsplit_once(':')
        && is_number(digits)
        && brackets_only(before)
    {
        (host, port) = (before, digits.parse().ok());
    }
    (is_name(host) || is_ipv6(host)).then(|| Address { host: host.to_owned(), port })
}

/// Whether the text is an IPv4 or IPv6 address, ranges included.
pub(crate) fn is_ip(text: &str) -> bool {
    is_ipv6(text) || text.parse::<std::net::Ipv4Addr>().is_ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// No colon outside of complete `[…]`.
fn brackets_only(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find([':', '[', ']']) {
        if !rest[at..].starts_with('[') {
            return false;
        }
        let Some(end) = rest[at..].find(']') else { return false };
        rest = &rest[at + end + 1..];
    }
    true
}

/// Dotted labels of word characters, dashes and ranges; a label neither starts with a dash nor ends with a dash or underscore.
fn is_name(text: &str) -> bool {
    !text.is_empty() && split_labels(text).into_iter().all(is_label)
}

fn split_labels(text: &str) -> Vec<&str> {
    let mut labels = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            '.' if depth == 0 => {
                labels.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    labels.push(&text[start..]);
    labels
}

fn is_label(label: &str) -> bool {
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let mut rest = label;
    let mut last = None;
    while let Some(c) = rest.chars().next() {
        if c == '[' {
            let Some(end) = rest.find(']').filter(|end| is_range(&rest[1..*end], false)) else { return false };
            rest = &rest[end + 1..];
        } else if word(c) || (c == '-' && last.is_some()) {
            rest = &rest[c.len_utf8()..];
        } else {
            return false;
        }
        last = Some(c);
    }
    !matches!(last, None | Some('_' | '-'))
}

/// `a:f`, `1:20`, `01:20:2`; with `hex` any hexadecimal bounds.
fn is_range(inner: &str, hex: bool) -> bool {
    let parts: Vec<&str> = inner.split(':').collect();
    let [first, last, step @ ..] = parts.as_slice() else { return false };
    let letter = |t: &str| t.len() == 1 && t.bytes().all(|b| b.is_ascii_alphabetic());
    let hexadecimal = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit());
    let bounds = if hex {
        hexadecimal(first) && hexadecimal(last)
    } else {
        (letter(first) && letter(last)) || (is_number(first) && is_number(last))
    };
    bounds && (step.is_empty() || (step.len() == 1 && is_number(step[0])))
}

fn is_ipv6(text: &str) -> bool {
    if !text.contains(':') {
        return false;
    }
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        let Some(end) = rest[at..].find(']').filter(|end| is_range(&rest[at + 1..at + end], true)) else {
            return false;
        };
        plain.push_str(&rest[..at]);
        plain.push('1');
        rest = &rest[at + end + 1..];
    }
    plain.push_str(rest);
    plain.parse::<Ipv6Addr>().is_ok()
}

/// Reads a host pattern of an inventory: the names it stands for and the port.
///
/// What is no address stands for itself, as in Ansible, unless it holds a range that cannot be expanded.
///
/// # Errors
/// Why the range cannot be expanded.
pub(crate) fn expand(pattern: &str) -> Result<(Vec<String>, Option<u64>), String> {
    let (host, port) = match parse(pattern) {
        Some(address) => (address.host, address.port),
        None => (pattern.to_owned(), None),
    };
    if !host.contains('[') {
        return Ok((vec![host], port));
    }
    let mut names = Vec::new();
    ranges(&host, &mut names)?;
    Ok((names, port))
}

/// Expands the first range, then the rest of each name.
fn ranges(text: &str, names: &mut Vec<String>) -> Result<(), String> {
    let odd = || format!("`{text}` holds no complete range like [1:9]");
    let (head, rest) = text.split_once('[').ok_or_else(odd)?;
    let (range, tail) = rest.split_once(']').ok_or_else(odd)?;
    if text.contains('|') {
        return Err(odd());
    }
    for item in range_items(range)? {
        let name = format!("{head}{item}{tail}");
        if name.contains('[') {
            ranges(&name, names)?;
        } else {
            names.push(name);
        }
        if names.len() > MAX_HOSTS {
            return Err(format!("the range stands for more than {MAX_HOSTS} hosts"));
        }
    }
    Ok(())
}

fn range_items(range: &str) -> Result<Vec<String>, String> {
    let bounds: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match bounds.as_slice() {
        [first, last] => (*first, *last, "1"),
        [first, last, step] => (*first, *last, *step),
        _ => return Err("a range is [begin:end] or [begin:end:step]".to_owned()),
    };
    let first = if first.is_empty() { "0" } else { first };
    if last.is_empty() {
        return Err("a range needs an end".to_owned());
    }
    let fill = if first.starts_with('0') && first.len() > 1 { first.len() } else { 0 };
    if fill != 0 && fill != last.len() {
        return Err(format!("`{first}` and `{last}` must have the same number of digits"));
    }
    let number = |t: &str| t.trim().parse::<i64>().map_err(|_| format!("`{t}` is neither a number nor a letter"));
    if let (Some(from), Some(to)) = (LETTERS.find(first), LETTERS.find(last)) {
        if from > to {
            return Err(format!("`{first}` comes after `{last}`"));
        }
        let step = usize::try_from(number(step)?).ok().filter(|s| *s > 0).ok_or("the step must be positive")?;
        return Ok(LETTERS[from..=to].chars().step_by(step).map(String::from).collect());
    }
    let (from, to, step) = (number(first)?, number(last)?, number(step)?);
    if step <= 0 {
        return Err("the step must be positive".to_owned());
    }
    if from > to {
        return Err(format!("`{first}` comes after `{last}`, so the range holds no host"));
    }
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    if to.abs_diff(from) as usize / step >= MAX_HOSTS {
        return Err(format!("the range stands for more than {MAX_HOSTS} hosts"));
    }
    Ok((from..=to).step_by(step).map(|n| format!("{n:0fill$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str) -> String {
        expand(pattern).map_or_else(|e| e, |(n, p)| n.join(" ") + &p.map(|p| format!(" :{p}")).unwrap_or_default())
    }

    #[test]
    fn ranges_count_letters_and_digits() {
        assert_eq!(names("web[1:3]"), "web1 web2 web3");
        assert_eq!(names("web[08:11].x:22"), "web08.x web09.x web10.x web11.x :22");
        assert_eq!(names("db-[a:c]"), "db-a db-b db-c");
        assert_eq!(names("n[0:10:5]"), "n0 n5 n10");
        assert_eq!(names("r[1:2]n[a:b]"), "r1na r1nb r2na r2nb");
        assert_eq!(names("n[:2]"), "n0 n1 n2");
        assert_eq!(names("[2001:db8::1]:22"), "2001:db8::1 :22");
        assert_eq!(names("2001:db8::[1:2]"), "2001:db8::1 2001:db8::2");
        assert_eq!(names("10.0.0.[1:2]"), "10.0.0.1 10.0.0.2");
    }

    #[test]
    fn what_is_no_address_stands_for_itself() {
        assert_eq!(names("we!b:22"), "we!b:22");
        assert_eq!(names("2001:db8::1"), "2001:db8::1");
        assert_eq!(parse("foo-"), None);
        assert_eq!(parse("-foo"), None);
        assert!(parse("foo_bar.x-y").is_some());
    }

    #[test]
    fn bad_ranges_say_why() {
        assert!(names("w[1:]").contains("needs an end"));
        assert!(names("w[01:100]").contains("same number of digits"));
        assert!(names("w[c:a]").contains("comes after"));
        assert!(names("w[1:9:0]").contains("positive"));
        assert!(names("w[1:99999999]").contains("more than"));
        assert!(names("w[1:1000][1:1000][1:1000]").contains("more than"));
        assert!(names("w[1").contains("no complete range"));
    }
}
