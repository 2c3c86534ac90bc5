//! `[[schedules]]`: from text to schedules, everything that is wrong said at its line.

use std::{collections::BTreeMap, num::NonZeroUsize, ops::Range, path::PathBuf};

use jiff::{
    SignedDuration,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use rectify_core::diag::{Diagnostic, Diagnostics, FileId, SourceMap, Span, did_you_mean};
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{Cron, Freeze, Maintenance, Missed, Mode, Policy, Schedule, definition::WEEKDAYS};

/// How many of a round's hosts may be corrected unless a schedule says otherwise, percent.
const BUDGET: f64 = 20.0;
/// Hosts at a time unless a schedule says otherwise.
const FORKS: NonZeroUsize = NonZeroUsize::new(50).expect("invariant: 50 is not zero");
/// The longest window.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 7);
/// The longest name.
const NAME: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    #[serde(default)]
    playbooks: Vec<PathBuf>,
    limit: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    cron: Spanned<String>,
    timezone: Option<Spanned<String>>,
    window: Option<Spanned<String>>,
    #[serde(default)]
    missed: Missed,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    settings: BTreeMap<String, Mode>,
    #[serde(default)]
    maintenance: Vec<Spanned<RawHours>>,
    #[serde(default)]
    freezes: Vec<Spanned<RawFreeze>>,
    budget: Option<Spanned<f64>>,
    forks: Option<NonZeroUsize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHours {
    #[serde(default)]
    days: Vec<Spanned<String>>,
    from: Spanned<String>,
    to: Spanned<String>,
    timezone: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFreeze {
    from: Spanned<String>,
    to: Spanned<String>,
    reason: Spanned<String>,
}

/// Reads the `[[schedules]]` of these files. What is wrong goes to `found`, all of it; then the schedules that come back are not all and must not be used.
pub fn read(map: &SourceMap, files: &[FileId], found: &mut Diagnostics) -> Vec<Schedule> {
    let mut all = Vec::new();
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    for file in files {
        let mut reader = Reader { file: *file, found };
        let text = map.shared_text(*file);
        let table = match DeTable::parse(&text) {
            Ok(table) => table,
            Err(error) => {
                reader.toml(&error, 0..0);
                continue;
            }
        };
        for (schedule, at) in reader.file(table) {
            if let Some(first) = names.insert(schedule.name.clone(), at) {
                let problem = Diagnostic::error("schedule", format!("two schedules are named `{}`", schedule.name));
                reader.found.push(problem.at(at, "").also(first, "the other one").help("give one another name"));
            }
            all.push(schedule);
        }
    }
    all
}

struct Reader<'f> {
    file: FileId,
    found: &'f mut Diagnostics,
}

impl Reader<'_> {
    fn file(&mut self, table: Spanned<DeTable<'_>>) -> Vec<(Schedule, Span)> {
        let Some((_, value)) = table.into_inner().into_iter().find(|(key, _)| key.get_ref() == "schedules") else {
            return Vec::new();
        };
        let at = value.span();
        let DeValue::Array(entries) = value.into_inner() else {
            self.wrong(at, "`schedules` is no list", "write [[schedules]]");
            return Vec::new();
        };
        let mut all = Vec::new();
        for entry in entries {
            let at = entry.span();
            match Raw::deserialize(ValueDeserializer::from(entry)) {
                Ok(raw) => {
                    let name = self.span(raw.name.span());
                    all.extend(self.schedule(raw).map(|schedule| (schedule, name)));
                }
                Err(error) => self.toml(&error, at),
            }
        }
        all
    }

    fn schedule(&mut self, raw: Raw) -> Option<Schedule> {
        let name = self.name(&raw.name);
        let zone = self.zone(raw.timezone.as_ref());
        let cron = zone.clone().and_then(|zone| self.cron(&raw.cron, zone));
        let window = self.window(raw.window.as_ref());
        let budget = self.budget(raw.budget.as_ref());
        let zone = zone.unwrap_or(TimeZone::UTC);
        let maintenance: Option<Vec<_>> =
            raw.maintenance.iter().map(|hours| self.hours(hours, &zone)).collect::<Vec<_>>().into_iter().collect();
        let freezes: Option<Vec<_>> =
            raw.freezes.iter().map(|freeze| self.freeze(freeze)).collect::<Vec<_>>().into_iter().collect();
        Some(Schedule {
            name: name?,
            playbooks: raw.playbooks,
            limit: raw.limit,
            tags: raw.tags,
            cron: cron?,
            window: window?,
            missed: raw.missed,
            policy: Policy { default: raw.mode, settings: raw.settings },
            maintenance: maintenance?,
            freezes: freezes?,
            budget: budget?,
            forks: raw.forks.unwrap_or(FORKS),
        })
    }

    fn name(&mut self, name: &Spanned<String>) -> Option<String> {
        let text = name.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > NAME || !text.chars().all(plain) {
            let what = format!("{text:?} is no name of a schedule");
            self.wrong(name.span(), what, format!("use letters, digits, `-`, `_` and `.`, at most {NAME}"));
            return None;
        }
        Some(text.clone())
    }

    fn zone(&mut self, name: Option<&Spanned<String>>) -> Option<TimeZone> {
        let Some(name) = name else { return Some(TimeZone::UTC) };
        match TimeZone::get(name.get_ref()) {
            Ok(zone) if zone.iana_name().is_some() => Some(zone),
            _ => {
                let db = jiff::tz::db();
                let names: Vec<String> = db.available().map(|name| name.as_str().to_owned()).collect();
                let near = did_you_mean(name.get_ref(), names.iter().map(String::as_str));
                let help = near
                    .map_or_else(|| "write one such as Europe/Berlin".into(), |near| format!("did you mean {near}?"));
                self.wrong(name.span(), format!("no time zone is named {:?}", name.get_ref()), help);
                None
            }
        }
    }

    fn cron(&mut self, text: &Spanned<String>, zone: TimeZone) -> Option<Cron> {
        match Cron::new(text.get_ref(), zone) {
            Ok(cron) => Some(cron),
            Err(problem) => {
                let what = format!("{:?} is no cron expression: {problem}", text.get_ref());
                self.wrong(text.span(), what, "write minute, hour, day, month and weekday, such as \"30 2 * * *\"");
                None
            }
        }
    }

    fn window(&mut self, text: Option<&Spanned<String>>) -> Option<SignedDuration> {
        let Some(text) = text else { return Some(SignedDuration::ZERO) };
        match text.get_ref().parse::<SignedDuration>() {
            Ok(window) if !window.is_negative() && window <= LONGEST => Some(window),
            _ => {
                let what = format!("{:?} is no window", text.get_ref());
                self.wrong(text.span(), what, "write a time such as \"30m\" or \"2h\", at most seven days");
                None
            }
        }
    }

    fn budget(&mut self, percent: Option<&Spanned<f64>>) -> Option<f64> {
        let Some(percent) = percent else { return Some(BUDGET) };
        if (0.0..=100.0).contains(percent.get_ref()) {
            return Some(*percent.get_ref());
        }
        self.wrong(
            percent.span(),
            format!("a budget of {} percent", percent.get_ref()),
            "write a number from 0 to 100",
        );
        None
    }

    fn hours(&mut self, hours: &Spanned<RawHours>, around: &TimeZone) -> Option<Maintenance> {
        let raw = hours.get_ref();
        let days: Vec<Option<Weekday>> = raw.days.iter().map(|day| self.day(day)).collect();
        let zone = match &raw.timezone {
            None => Some(around.clone()),
            Some(_) => self.zone(raw.timezone.as_ref()),
        };
        let (from, to) = (self.time(&raw.from), self.time(&raw.to));
        if let (Some(from), Some(to)) = (from, to)
            && from == to
        {
            self.wrong(raw.to.span(), "the hours end when they begin", "leave `maintenance` out if any time is right");
            return None;
        }
        let days = days.into_iter().collect::<Option<Vec<_>>>()?;
        let days = if days.is_empty() { WEEKDAYS.map(|(_, day)| day).to_vec() } else { days };
        Some(Maintenance { days, from: from?, to: to?, zone: zone? })
    }

    fn day(&mut self, day: &Spanned<String>) -> Option<Weekday> {
        let found = WEEKDAYS.iter().find(|(name, _)| day.get_ref().eq_ignore_ascii_case(name));
        if found.is_none() {
            self.wrong(
                day.span(),
                format!("{:?} is no weekday", day.get_ref()),
                "write mon, tue, wed, thu, fri, sat or sun",
            );
        }
        found.map(|(_, day)| *day)
    }

    fn time(&mut self, text: &Spanned<String>) -> Option<Time> {
        let time = Time::strptime("%H:%M", text.get_ref()).ok();
        if time.is_none() {
            self.wrong(text.span(), format!("{:?} is no time of day", text.get_ref()), "write one such as \"22:00\"");
        }
        time
    }

    fn freeze(&mut self, freeze: &Spanned<RawFreeze>) -> Option<Freeze> {
        let raw = freeze.get_ref();
        let (from, to) = (self.date(&raw.from), self.date(&raw.to));
        if raw.reason.get_ref().trim().is_empty() {
            self.wrong(raw.reason.span(), "a freeze without a reason", "say why: people read it");
            return None;
        }
        let (from, to) = (from?, to?);
        if to < from {
            self.wrong(raw.to.span(), "the freeze ends before it begins", "turn `from` and `to` around");
            return None;
        }
        Some(Freeze { from, to, reason: raw.reason.get_ref().trim().to_owned() })
    }

    fn date(&mut self, text: &Spanned<String>) -> Option<Date> {
        let date = text.get_ref().parse::<Date>().ok();
        if date.is_none() {
            self.wrong(text.span(), format!("{:?} is no date", text.get_ref()), "write one such as \"2026-12-20\"");
        }
        date
    }

    fn wrong(&mut self, at: Range<usize>, what: impl Into<String>, help: impl Into<String>) {
        let at = self.span(at);
        self.found.push(Diagnostic::error("schedule", what).at(at, "").help(help));
    }

    fn toml(&mut self, error: &toml::de::Error, around: Range<usize>) {
        let at = self.span(error.span().filter(|span| *span != (0..0)).unwrap_or(around));
        self.found.push(Diagnostic::error("schedule", error.message().to_owned()).at(at, ""));
    }

    fn span(&self, at: Range<usize>) -> Span {
        Span::new(self.file, at.start, at.end)
    }
}

#[cfg(test)]
mod tests {
    use rectify_core::diag::render;

    use super::*;

    fn parse(text: &str) -> Result<Vec<Schedule>, String> {
        let (mut map, mut found) = (SourceMap::new(), Diagnostics::new());
        let file = map.add("rectify.toml", text);
        let all = read(&map, &[file], &mut found);
        if found.has_errors() { Err(render(&map, &found, false)) } else { Ok(all) }
    }

    const WHOLE: &str = r#"
inventory = ["hosts"]

[[schedules]]
name = "nightly"
playbooks = ["site.yml"]
limit = "web*"
tags = ["tls"]
cron = "30 2 * * *"
timezone = "Europe/Berlin"
window = "1h30m"
missed = "skip"
mode = "report"
budget = 12.5
forks = 7
freezes = [{ from = "2026-12-20", to = "2027-01-03", reason = "the holidays" }]

[schedules.settings]
frames = "correct"
tls-min = { correct_after = 2 }

[[schedules.maintenance]]
days = ["Fri", "sat"]
from = "22:00"
to = "04:00"
timezone = "America/New_York"

[[schedules]]
name = "hourly"
cron = "@hourly"
"#;

    #[test]
    fn everything_that_a_schedule_can_say_is_understood() {
        let all = parse(WHOLE).unwrap();
        let [nightly, hourly] = &all[..] else { panic!("{all:?}") };
        insta::assert_json_snapshot!(nightly);
        assert_eq!((hourly.budget, hourly.forks.get(), hourly.missed), (20.0, 50, Missed::RunOnce));
        assert_eq!((hourly.cron.zone(), hourly.policy.corrects()), (&TimeZone::UTC, false));
        assert_eq!(nightly.policy.of(Some("frames")), Mode::Correct);
        assert_eq!(nightly.policy.of(Some("other")), Mode::Report);
        assert!(nightly.policy.corrects());
    }

    #[test]
    fn hours_hold_over_midnight_in_their_own_zone_and_freezes_to_their_last_day() {
        let schedule = &parse(WHOLE).unwrap()[0];
        let bound = |at: &str| schedule.bound(at.parse().unwrap()).map(|bound| bound.0);
        // Friday, 6 November 2026, in New York.
        assert_eq!(bound("2026-11-07T03:00:00Z"), None);
        assert_eq!(bound("2026-11-08T08:59:00Z"), None, "Sunday at 03:59, begun on Saturday");
        assert!(bound("2026-11-08T09:00:00Z").unwrap().contains("fri, sat 22:00 to 04:00 America/New_York"));
        assert!(bound("2026-11-06T08:00:00Z").is_some(), "Friday at 03:00, begun on Thursday");
        let frozen = bound("2027-01-03T06:00:00Z").unwrap();
        assert!(frozen.contains("2027-01-03") && frozen.contains("the holidays"), "{frozen}");
        assert!(!bound("2027-01-03T23:30:00Z").unwrap_or_default().contains("holidays"), "it is the 4th in Berlin");
    }

    #[test]
    fn a_budget_is_a_share_of_the_round_and_lets_one_host_through() {
        let mut schedule = parse(WHOLE).unwrap().remove(0);
        for (budget, hosts, most) in
            [(20.0, 100, 20), (20.0, 4, 1), (20.0, 9, 1), (20.0, 10, 2), (0.0, 50, 0), (100.0, 3, 3)]
        {
            schedule.budget = budget;
            assert_eq!(schedule.most(hosts), most, "{budget} % of {hosts}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_with_its_line_and_what_to_do() {
        let said = parse(
            "[[schedules]]\nname = \"a b\"\ncron = \"61 2 * *\"\ntimezone = \"Europe/Berlim\"\nwindow = \"soon\"\nbudget = 120\n\
             freezes = [{ from = \"2026-12-20\", to = \"2026-12-01\", reason = \"x\" }]\n\n\
             [[schedules.maintenance]]\ndays = [\"someday\"]\nfrom = \"25:00\"\nto = \"4\"\n\n\
             [[schedules]]\nname = \"b\"\ncron = \"0 2 31 2 *\"\nevery = \"day\"\n\n\
             [[schedules]]\nname = \"c\"\ncron = \"0 2 31 2 *\"\n\n\
             [[schedules]]\nname = \"c\"\ncron = \"0 2 * * *\"\nmode = \"corect\"\n\n\
             [[schedules]]\nname = \"d\"\ncron = \"0 2 * * *\"\n\n[[schedules]]\nname = \"d\"\ncron = \"0 3 * * *\"\n",
        )
        .unwrap_err();
        insta::assert_snapshot!(said);
    }

    #[test]
    fn a_file_that_is_no_toml_is_said_with_its_line() {
        let said = parse("[[schedules]]\nname = \n").unwrap_err();
        assert!(said.contains("rectify.toml:2"), "{said}");
        assert!(parse("schedules = 3\n").unwrap_err().contains("[[schedules]]"));
        assert!(parse("").unwrap().is_empty());
    }
}
