//! A setting as people read it, in letters and on pages.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::{
    model::{Setting, Step, StepName},
    news::{meaning, object_command, opt_in_lines, skip_lines},
    people::{Contact, Person},
};

/// A step of a setting, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepNews {
    /// Its name.
    pub name: StepName,
    /// Its earliest day.
    pub date: Date,
    /// Whether it has been reached.
    pub reached: bool,
    /// What it means for a host, in one sentence.
    pub meaning: String,
}

/// A setting, as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its id.
    pub id: String,
    /// One line.
    pub title: String,
    /// Why it is there.
    pub reason: String,
    /// What people will notice.
    pub impact: String,
    /// What to do if one cannot live with it.
    pub skip: String,
    /// How to see that it holds.
    pub verify: String,
    /// Whom to ask.
    pub owner: String,
    /// Their mail addresses.
    pub ask: Vec<String>,
    /// Where to read more.
    pub links: Vec<String>,
    /// Its revision.
    pub revision: u32,
    /// Why the value changed, after the first revision.
    pub why: Option<String>,
    /// Why it could not wait, in an emergency.
    pub emergency: Option<String>,
    /// All steps.
    pub steps: Vec<StepNews>,
    /// The lines to add to the inventory in order to skip it.
    pub skip_lines: String,
    /// The lines to add in order to have it at once.
    pub opt_in_lines: String,
    /// The command with which to object.
    pub object_command: String,
}

/// To whom a setting is shown, and when.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// Who skips it.
    pub skips: &'a str,
    /// Who objects to it.
    pub objects: &'a str,
    /// The day from which a skip is wanted.
    pub from: Date,
    /// Today.
    pub today: Date,
}

impl Setting {
    /// The setting as it is shown; `reached` is the place of the step that has been reached.
    pub fn about(&self, reached: usize, people: &BTreeMap<String, Person>, to: Reader<'_>) -> About {
        let step = |(i, s): (usize, &Step)| StepNews {
            name: s.name,
            date: s.date,
            reached: i <= reached,
            meaning: meaning(s.name),
        };
        About {
            id: self.id.clone(),
            title: self.title.clone(),
            reason: self.reason.clone(),
            impact: self.impact.clone(),
            skip: self.skip.clone(),
            verify: self.verify.clone(),
            owner: self.owner.clone(),
            ask: people.get(&self.owner).map(addresses).unwrap_or_default(),
            links: self.links.clone(),
            revision: self.revision.number,
            why: self.revision.why.clone(),
            emergency: self.revision.emergency.as_ref().map(|e| e.reason.clone()),
            steps: self.steps.iter().enumerate().map(step).collect(),
            skip_lines: skip_lines(self, to.from, to.today, to.skips),
            opt_in_lines: opt_in_lines(self),
            object_command: object_command(self, to.objects),
        }
    }
}

fn addresses(person: &Person) -> Vec<String> {
    let mail = |c: &Contact| match c {
        Contact::Mail(address) => Some(address.clone()),
        Contact::Hook(_) => None,
    };
    person.contacts.iter().filter_map(mail).collect()
}
