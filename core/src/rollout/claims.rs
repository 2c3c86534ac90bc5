//! What those who run a host say of a setting: `rollout_opt_in` and `rollout_skip` in the inventory.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::model::{Rollouts, Setting};
use crate::{
    diag::{Diagnostic, Diagnostics, Span, did_you_mean},
    inventory::Inventory,
};

/// A host is left out of a setting until a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Who agreed.
    pub approver: Option<String>,
    /// The last day on which it holds.
    pub until: Date,
    /// Whether it holds in the stage `mandatory` too; only the setting's owner can approve that.
    pub exception: bool,
    /// Where it was written.
    pub at: Span,
}

/// What a host asks for of one setting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// Where it asked to be among the first.
    pub opt_in: Option<Span>,
    /// Its skip.
    pub skip: Option<Skip>,
}

/// What a host asks for, by setting.
pub type Claims = BTreeMap<String, Claim>;

/// What a host writes that wants every setting, those that are yet to come too: one of the first, or one that begins with nothing.
pub(super) const ALL: &str = "all";

/// Reads a host's claims; what is wrong goes to `found`.
///
/// Those of its groups count too; for one setting the narrowest place wins.
pub fn claims(inventory: &Inventory, host: &str, rollouts: &Rollouts, today: Date, found: &mut Diagnostics) -> Claims {
    let mut reader = Reader { rollouts, today, found, claims: Claims::new() };
    for var in inventory.history(host, "rollout_opt_in") {
        reader.opt_ins(&var.value, var.at);
    }
    for var in inventory.history(host, "rollout_skip") {
        reader.skips(&var.value, var.at);
    }
    reader.claims
}

struct Reader<'a> {
    rollouts: &'a Rollouts,
    today: Date,
    found: &'a mut Diagnostics,
    claims: Claims,
}

impl Reader<'_> {
    fn opt_ins(&mut self, value: &Value, at: Span) {
        let one = std::slice::from_ref(value);
        for id in value.as_array().map_or(one, Vec::as_slice) {
            match id.as_str() {
                Some(ALL) => {
                    for id in self.rollouts.settings.keys() {
                        self.claims.entry(id.clone()).or_default().opt_in = Some(at);
                    }
                }
                Some(id) => {
                    if self.setting(id, at).is_some() {
                        self.claims.entry(id.to_owned()).or_default().opt_in = Some(at);
                    }
                }
                None => self.push("rollout_opt_in", "`rollout_opt_in` is neither a list of settings nor `all`", at),
            }
        }
    }

    fn skips(&mut self, value: &Value, at: Span) {
        let Value::Object(entries) = value else {
            self.push("rollout_skip", "`rollout_skip` is not a mapping of settings", at);
            return;
        };
        for (id, skip) in entries {
            let (Some(setting), Some(fields)) = (self.setting(id, at).cloned(), skip.as_object()) else {
                if !skip.is_object() {
                    self.push("rollout_skip", &format!("the skip of `{id}` is not a mapping"), at);
                }
                continue;
            };
            let skip = self.skip(&setting, fields, at);
            self.claims.entry(id.clone()).or_default().skip = skip;
        }
    }

    fn skip(&mut self, setting: &Setting, fields: &Map<String, Value>, at: Span) -> Option<Skip> {
        const KNOWN: [&str; 5] = ["reason", "owner", "approver", "until", "exception"];
        let id = &setting.id;
        for key in fields.keys().filter(|k| !KNOWN.contains(&k.as_str())) {
            self.push("rollout_skip", &format!("unknown key `{key}` in the skip of `{id}`"), at);
        }
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
        let missing: Vec<&str> = KNOWN.into_iter().filter(|k| needed(k) && text(k).is_none()).collect();
        if !missing.is_empty() {
            self.push("rollout_skip", &format!("the skip of `{id}` lacks {}", missing.join(", ")), at);
        }
        let until = text("until").and_then(|t| t.parse::<Date>().ok());
        if text("until").is_some() && until.is_none() {
            self.push("rollout_skip", &format!("`until` in the skip of `{id}` is no date such as 2027-01-31"), at);
        }
        let until = until?;
        if self.today.until(until).is_ok_and(|left| left.get_days() > i32::from(setting.skip_at_most)) {
            let limit = setting.skip_at_most;
            self.push("rollout_skip", &format!("the skip of `{id}` lasts more than {limit} days from today"), at);
        }
        let exception = fields.get("exception").is_some_and(|v| v == &Value::Bool(true));
        if exception && text("approver") != Some(&setting.owner) {
            let owner = &setting.owner;
            self.push("rollout_skip", &format!("an exception from `{id}` needs `approver: {owner}`"), at);
            return None;
        }
        if text("approver").is_some() && text("approver") == text("owner") && !exception {
            self.push("rollout_skip", &format!("the skip of `{id}` is approved by its own owner"), at);
        }
        Some(Skip {
            reason: text("reason")?.to_owned(),
            owner: text("owner")?.to_owned(),
            approver: text("approver").map(str::to_owned),
            until,
            exception,
            at,
        })
    }

    fn setting(&mut self, id: &str, at: Span) -> Option<&Setting> {
        let known = self.rollouts.settings.get(id);
        if known.is_none() {
            let mut problem = Diagnostic::error("unknown-setting", format!("no setting is named `{id}`")).at(at, "");
            if let Some(near) = did_you_mean(id, self.rollouts.settings.keys().map(String::as_str)) {
                problem = problem.help(format!("write `{near}`"));
            }
            self.found.push(problem);
        }
        known
    }

    fn push(&mut self, code: &'static str, message: &str, at: Span) {
        let example = "rollout_skip: {SETTING: {reason: why, owner: who, until: 2027-01-31}}";
        self.found.push(Diagnostic::error(code, message).at(at, "").help(format!("write it as `{example}`")));
    }
}

fn needed(key: &str) -> bool {
    matches!(key, "reason" | "owner" | "until")
}
