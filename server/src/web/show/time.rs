//! Moments and spans.

use askama::filters::HtmlSafe;
use jiff::Timestamp;

/// A moment, as it is shown: how long ago, with the moment itself for machines and for whoever points at it.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct When {
    pub(super) at: i64,
    pub(super) now: i64,
}

/// A moment as `2026-11-22 07:19 UTC`.
pub(in crate::web) fn stamp(at: i64) -> String {
    Timestamp::from_microsecond(at)
        .map_or_else(|_| "no time that can be told".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A span in microseconds, in its largest unit: `3 days`, `4 h`, `250 ms`.
pub(in crate::web) fn lasted(micros: i64) -> String {
    let micros = micros.max(0);
    let (n, unit) = match micros / 1_000_000 {
        0 => (micros / 1000, "ms"),
        s @ 1..120 => (s, "s"),
        s @ 120..7_200 => (s / 60, "min"),
        s @ 7_200..172_800 => (s / 3600, "h"),
        s => (s / 86_400, "days"),
    };
    format!("{n} {unit}")
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ok(at) = Timestamp::from_microsecond(self.at) else { return f.write_str("at no time that can be told") };
        let apart = self.now.saturating_sub(self.at);
        let said = match apart {
            -999_999..1_000_000 => "now".to_owned(),
            1_000_000.. => format!("{} ago", lasted(apart)),
            _ => format!("in {}", lasted(apart.saturating_neg())),
        };
        let (machine, full) = (at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d %H:%M:%S UTC"));
        write!(f, "<time datetime=\"{machine}\" title=\"{full}\">{said}</time>")
    }
}

// It is made of digits.
impl HtmlSafe for When {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let told = [250_000, 5_000_000, 600_000_000, 20_000_000_000, 300_000_000_000].map(lasted);
        assert_eq!(told, ["250 ms", "5 s", "10 min", "5 h", "3 days"]);
    }

    #[test]
    fn a_clock_that_is_wrong_breaks_no_page() {
        for at in [i64::MIN, i64::MAX, 0] {
            let _ = (When { at, now: 1 }.to_string(), stamp(at));
        }
        assert!(When { at: 7_000_000, now: 0 }.to_string().contains("in 7 s"));
    }
}
