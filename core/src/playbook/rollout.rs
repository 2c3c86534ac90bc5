//! `rollout:`: the setting that a task, a block, a role or an import belongs to.

use super::{
    loader::{Here, Loader},
    model::SettingUse,
    read::word,
    tasks::Common,
};
use crate::{
    diag::{Diagnostic, did_you_mean},
    plan::RolloutOn,
    yaml::Node,
};

const ON: [(&str, RolloutOn); 3] =
    [("enforce", RolloutOn::Enforce), ("observe", RolloutOn::Observe), ("retired", RolloutOn::Retired)];

impl Loader<'_> {
    /// A setting's id, or `{setting: ID, on: enforce | observe | retired}`.
    pub(super) fn rollout(&mut self, node: &Node) -> Option<SettingUse> {
        if node.as_map().is_none() {
            let setting = self.fixed_text(node, "the id of a setting")?;
            return Some(SettingUse { setting, on: RolloutOn::Enforce, span: node.span });
        }
        let (mut setting, mut on) = (None, RolloutOn::Enforce);
        for (key, value) in self.entries(node, "a setting") {
            match word(key) {
                "setting" => setting = self.fixed_text(value, "the id of a setting").map(|id| (id, value.span)),
                "on" => on = self.rollout_on(value),
                other => {
                    let mut problem = key.error("unknown-key", format!("unknown key `{other}` in `rollout`"));
                    problem = match did_you_mean(other, ["setting", "on"]) {
                        Some(near) => problem.suggest(key.span, near, format!("did you mean `{near}`?")),
                        None => problem.help("it has `setting` and `on`"),
                    };
                    self.push(problem);
                }
            }
        }
        if setting.is_none() {
            self.push(node.error("missing-argument", "`rollout` names no `setting`"));
        }
        setting.map(|(setting, span)| SettingUse { setting, on, span })
    }

    fn rollout_on(&mut self, node: &Node) -> RolloutOn {
        let known = ON.iter().find(|(word, _)| node.as_str() == Some(word));
        if known.is_none() {
            self.push(node.expected("`enforce`, `observe` or `retired`"));
        }
        known.map_or(RolloutOn::Enforce, |(_, on)| *on)
    }

    /// A task belongs to one setting: what is within a setting cannot belong to another.
    pub(super) fn one_setting(&mut self, common: &Common, here: &Here) {
        let (Some(own), Some(outer)) = (&common.rollout, &here.inherited.rollout) else { return };
        if own.setting != outer.setting {
            let message = format!("`{}` within `{}`: a task belongs to one setting", own.setting, outer.setting);
            let problem = Diagnostic::error("two-settings", message).at(own.span, "this setting");
            self.push(problem.also(outer.span, "holds here already").help("move the task out of the other setting"));
        }
    }
}
