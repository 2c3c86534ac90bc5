//! The kinds of values that options take.

use std::time::Duration;

/// A port number, from 1.
pub(super) fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// `yes`, `no`, `true`, `false`, in any case.
pub(super) fn flag(text: &str) -> Option<bool> {
    choice(text, &[("yes", true), ("true", true), ("no", false), ("false", false)])
}

/// One of these words, in any case.
pub(super) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

/// A time as in `sshd_config(5)`, TIME FORMATS: `90`, `1m30s`, `2h`.
pub(super) fn time(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = match rest.chars().next().map(|unit| unit.to_ascii_lowercase()) {
            None => 1,
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 60 * 60,
            Some('d') => 24 * 60 * 60,
            Some('w') => 7 * 24 * 60 * 60,
            Some(_) => return None,
        };
        rest = rest.get(1..).unwrap_or_default();
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    // As OpenSSH, which counts in an `int`.
    (total <= i32::MAX as u64).then(|| Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, seconds) in [("0", 0), ("90", 90), ("1m30s", 90), ("2H", 7200), ("1w1d", 691_200), ("10s5", 15)] {
            assert_eq!(time(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "1x", "-1", "99999999999", "1 m", "é"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn ports() {
        assert_eq!(port("22"), Some(22));
        for text in ["", "0", "65536", "+22", "ssh", " 22"] {
            assert_eq!(port(text), None, "{text}");
        }
    }
}
