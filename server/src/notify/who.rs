//! Who made a change, as far as its host knows: one line of a notice.

use jiff::Timestamp;
use rectify_core::{drift::Tells, event::Trace, text::plain};
use serde::Serialize;

use crate::told::{trace, traces};

/// The most characters of each part that a host says.
const WORDS: usize = 150;

/// What is known of who made a change, or else when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Who {
    /// In one line: `audit: changed /etc/motd, by alice, with /usr/bin/vim, 2027-03-26 08:07 UTC`.
    text: String,
    source: String,
    /// When, to the minute.
    at: Option<Timestamp>,
    account: Option<String>,
    program: Option<String>,
    what: String,
}

impl Who {
    /// Of a change's traces, in JSON, the newest of those that tell most of it; `before` is the last look that did not see it yet, in microseconds since
    /// 1970. `None`: nothing is known.
    pub(super) fn of(kept: Option<&str>, before: Option<i64>) -> Option<Self> {
        let tells = |trace: &Trace| Tells::of(trace, before);
        let all = traces(kept).into_iter().filter(|trace| tells(trace) > Tells::Nothing);
        let told = all.max_by_key(|trace| (tells(trace), trace.at)).map(short)?;
        let second = told.at.map(|at| at.div_euclid(60_000_000) * 60);
        let at = second.and_then(|second| Timestamp::from_second(second).ok());
        let when = at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let said: Vec<String> = Some(trace(&told)).into_iter().chain(when).filter(|said| !said.is_empty()).collect();
        let text = format!("{}: {}", told.source, said.join(", "));
        let Trace { source, account, program, what, .. } = told;
        Some(Who { text, source, at, account, program, what })
    }
}

/// As much of it as a line has room for; what comes from a host is shown, never obeyed.
fn short(trace: Trace) -> Trace {
    let part = |text: &str| match text.chars().nth(WORDS) {
        Some(_) => format!("{}…", plain(text, WORDS - 1)),
        None => plain(text, WORDS),
    };
    Trace {
        source: part(&trace.source),
        at: trace.at,
        account: trace.account.as_deref().map(part),
        program: trace.program.as_deref().map(part),
        what: part(&trace.what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn of(traces: &serde_json::Value) -> Option<String> {
        Who::of(Some(&traces.to_string()), Some(100 * MINUTE)).map(|who| who.text)
    }

    #[test]
    fn the_newest_of_what_tells_most_is_one_line() {
        let file = serde_json::json!({"source": "file", "at": 104 * MINUTE + 1, "what": "content of /x changed"});
        let by = |who: &str, at: i64| serde_json::json!({"source": "audit", "at": at * MINUTE, "account": who, "program": "/usr/bin/vim", "what": "changed /x"});
        let apt =
            serde_json::json!({"source": "apt", "at": 103 * MINUTE, "program": "apt install sl", "what": "install sl"});
        let said = |traces: serde_json::Value| of(&traces).unwrap_or_default();
        assert_eq!(
            said(serde_json::json!([file, by("eve", 101), by("bob", 102), by("rex", 9)])),
            "audit: changed /x, by bob, with /usr/bin/vim, 1970-01-01 01:42 UTC"
        );
        assert_eq!(said(serde_json::json!([file, apt])), "apt: install sl, with apt install sl, 1970-01-01 01:43 UTC");
        assert_eq!(said(serde_json::json!([file, by("rex", 9)])), "file: content of /x changed, 1970-01-01 01:44 UTC");
    }

    #[test]
    fn where_nothing_is_known_nothing_is_said() {
        let none = serde_json::json!([{"source": "audit", "what": "this host has no audit log"}, {"source": "file", "at": 9, "what": "long ago"}]);
        assert_eq!(of(&none), None);
        assert_eq!((Who::of(None, None), Who::of(Some("no json"), None)), (None, None));
    }

    #[test]
    fn what_a_hostile_host_says_is_one_bounded_line() {
        let evil = "x\r\nBcc: y\u{202e}\u{1b}[2J".repeat(1000);
        let trace =
            serde_json::json!([{"source": evil, "at": i64::MAX, "account": evil, "program": evil, "what": evil}]);
        let said = of(&trace).unwrap();
        assert!(!said.contains(rectify_core::text::is_harmful) && said.chars().count() < 5 * WORDS, "{said}");
    }
}
