//! Times as tasks write them and as states show them. All times are UTC: a helper has no time zones.

use std::time::SystemTime;

/// Nanoseconds in a second.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Now, in seconds since 1970.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs().cast_signed())
}

/// `2026-11-21 22:18:09 UTC`.
pub(crate) fn show(seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::at(seconds);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// `2026-11-21@22:18:09`, as in the names of backups.
pub(crate) fn stamp(seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::at(seconds);
    format!("{year:04}-{month:02}-{day:02}@{hour:02}:{minute:02}:{second:02}")
}

/// `2026-11-21`: such texts are in the order of the days.
pub(crate) fn day(seconds: i64) -> String {
    let Civil { year, month, day, .. } = Civil::at(seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    /// The proleptic Gregorian calendar; years begin in March while counting, so that the leap day is a year's last.
    fn at(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march = (5 * of_year + 2) / 153;
        let month = if march < 10 { march + 3 } else { march - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    fn seconds(&self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let march = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let of_year = (153 * march + 2) / 5 + self.day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }
}

/// Reads a time in a format of strptime(3): `%Y %m %d %H %M %S %s`, `%%`, and literal text.
pub(crate) fn parse(text: &str, format: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no time of the form {format:?}");
    let mut civil = Civil { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0 };
    let (mut rest, mut letters) = (text, format.chars());
    while let Some(letter) = letters.next() {
        if letter != '%' {
            rest = rest.strip_prefix(letter).ok_or_else(wrong)?;
            continue;
        }
        let (slot, width, most) = match letters.next() {
            Some('Y') => (&mut civil.year, 4, 9999),
            Some('m') => (&mut civil.month, 2, 12),
            Some('d') => (&mut civil.day, 2, 31),
            Some('H') => (&mut civil.hour, 2, 23),
            Some('M') => (&mut civil.minute, 2, 59),
            Some('S') => (&mut civil.second, 2, 59),
            Some('s') => return rest.parse().map_err(|_| wrong()),
            Some('%') => {
                rest = rest.strip_prefix('%').ok_or_else(wrong)?;
                continue;
            }
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(format!("{format:?}: %{other} is not one of %Y %m %d %H %M %S %s %%"));
            }
        };
        let digits = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        *slot = number.parse().ok().filter(|n| *n <= most).ok_or_else(wrong)?;
        rest = after;
    }
    let seconds = civil.seconds();
    let back = Civil::at(seconds);
    if !rest.is_empty() || (back.month, back.day) != (civil.month, civil.day) {
        return Err(wrong());
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_the_same_either_way() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_704_067_199, "2023-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(show(seconds), text);
            assert_eq!(parse(text, "%Y-%m-%d %H:%M:%S UTC"), Ok(seconds));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        assert_eq!(parse("202401010000.00", "%Y%m%d%H%M.%S"), Ok(1_704_067_200));
        assert_eq!(parse("12", "%s"), Ok(12));
        for (text, format) in [("202402300000.00", "%Y%m%d%H%M.%S"), ("x", "%Y"), ("2024x", "%Y"), ("2024", "%Q")] {
            assert!(parse(text, format).is_err(), "{text} {format}");
        }
    }
}
