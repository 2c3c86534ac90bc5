//! Dates: `strftime`, `strptime`, `now`.

use super::error::{R, fail};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Python's `str(datetime)` (a blank) and `isoformat` (a `T`).
pub(crate) fn isoformat(t: &DateTime, separator: char) -> String {
    let mut out = format!(
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    );
    if t.subsec_nanosecond() >= 1000 {
        out.push_str(&format!(".{:06}", t.subsec_nanosecond() / 1000));
    }
    out
}

/// Seconds since 1970, local time.
pub(crate) fn timestamp(t: &DateTime) -> f64 {
    t.to_zoned(zone()).map_or(0.0, |z| z.timestamp().as_microsecond() as f64 / 1e6)
}

fn zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}

/// The moment of an epoch second, or now.
pub(crate) fn moment(seconds: Option<f64>, utc: bool) -> R<Zoned> {
    let stamp = match seconds {
        Some(s) => match Timestamp::from_microsecond((s * 1e6) as i64) {
            Ok(stamp) => stamp,
            Err(_) => return fail(format!("{s} is not a time")),
        },
        None => Timestamp::now(),
    };
    Ok(stamp.to_zoned(if utc { TimeZone::UTC } else { zone() }))
}

/// Formats a moment as C's `strftime` does.
pub(crate) fn strftime_zoned(format: &str, at: &Zoned) -> R<String> {
    match jiff::fmt::strtime::format(python_format(format), at) {
        Ok(text) => Ok(text),
        Err(e) => fail(format!("the time format `{format}` is wrong: {e}")),
    }
}

/// Formats a date without zone.
pub(crate) fn strftime(format: &str, t: &DateTime) -> R<String> {
    match jiff::fmt::strtime::format(python_format(format), *t) {
        Ok(text) => Ok(text),
        Err(e) => fail(format!("the time format `{format}` is wrong: {e}")),
    }
}

/// `%f` is microseconds in Python; `%c`, `%x`, `%X` are the C locale's.
fn python_format(format: &str) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('f') => out.push_str("%6f"),
            Some('c') => out.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => out.push_str("%m/%d/%y"),
            Some('X') => out.push_str("%H:%M:%S"),
            Some(other) => out.extend(['%', other]),
            None => out.push_str("%%"),
        }
    }
    out
}

/// Reads a date.
pub(crate) fn strptime(text: &str, format: &str) -> R<DateTime> {
    let parsed = jiff::fmt::strtime::parse(python_format(format).replace("%6f", "%f"), text);
    let parsed = match parsed {
        Ok(p) => p,
        Err(e) => return fail(format!("the time `{text}` does not have the format `{format}`: {e}")),
    };
    if let Ok(t) = parsed.to_datetime() {
        return Ok(t);
    }
    match (parsed.to_date(), parsed.to_time()) {
        (Ok(d), _) => Ok(d.to_datetime(jiff::civil::Time::midnight())),
        (_, Ok(t)) => Ok(jiff::civil::date(1900, 1, 1).to_datetime(t)),
        (Err(e), _) => fail(format!("the time `{text}` does not have the format `{format}`: {e}")),
    }
}

const DAY: i64 = 86_400_000_000;

/// Days, seconds and microseconds, the last two never negative.
pub(crate) fn delta_parts(d: i64) -> (i64, i64, i64) {
    let rest = d.rem_euclid(DAY);
    (d.div_euclid(DAY), rest / 1_000_000, rest % 1_000_000)
}

/// Python's `str(timedelta)`.
pub(crate) fn delta_text(d: i64) -> String {
    let (days, seconds, micro) = delta_parts(d);
    let mut out = match days {
        0 => String::new(),
        1 | -1 => format!("{days} day, "),
        n => format!("{n} days, "),
    };
    out.push_str(&format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    if micro > 0 {
        out.push_str(&format!(".{micro:06}"));
    }
    out
}

/// The microseconds from `b` to `a`.
pub(crate) fn difference(a: &DateTime, b: &DateTime) -> i64 {
    i64::try_from(a.duration_since(*b).as_micros()).unwrap_or(0)
}
