//! The journal of rollouts: what was announced, delivered, objected to and advanced. One JSON object a line, only ever appended to.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    index::Index,
    jsonl::{self, BrokenLine},
    model::StepName,
};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Unique; later ones are greater on the same machine.
    pub id: String,
    /// When it was written.
    pub at: Timestamp,
    /// The account that wrote it.
    pub by: String,
    /// What happened.
    #[serde(flatten)]
    pub what: Entry,
}

/// Why a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The first news of a step; the only one that counts as having told somebody.
    Announcement,
    /// So many days before the step.
    Reminder {
        /// Days before.
        days: u16,
    },
    /// The day of the step.
    Day,
    /// What changed where, and who skipped.
    Summary,
}

/// A setting in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its id.
    pub setting: String,
    /// The revision that was described.
    pub revision: u32,
    /// The step that was announced.
    pub step: StepName,
    /// The earliest day of the step as it was told.
    pub date: Date,
    /// The owner's hosts, those included on which nothing would change, with the fingerprint of what was described.
    pub hosts: BTreeMap<String, String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// A setting moved to a step.
    Advance {
        /// The setting.
        setting: String,
        /// Its revision.
        revision: u32,
        /// The step.
        to: StepName,
        /// The reason, if the gate did not allow it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forced: Option<String>,
        /// For a forced one: the hosts that it covers although their owners were not told in time, with fingerprints.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        hosts: BTreeMap<String, String>,
    },
    /// A message is about to be sent to an owner. Written before the first attempt.
    Announced {
        /// Why.
        purpose: Purpose,
        /// The owner's name.
        owner: String,
        /// Addresses: `mailto:…` or a web hook's `https:` address.
        to: Vec<String>,
        /// The Message-ID of the mail, without angle brackets: the same for every attempt.
        message_id: String,
        /// What it says.
        items: Vec<Item>,
    },
    /// A message reached an address, as far as the sender can know: the server took it.
    Delivered {
        /// The id of the `announced` line.
        of: String,
        /// The address.
        to: String,
    },
    /// An attempt failed.
    Failed {
        /// The id of the `announced` line.
        of: String,
        /// The address.
        to: String,
        /// Why.
        error: String,
    },
    /// Somebody objects to a setting.
    Objection {
        /// The setting.
        setting: String,
        /// Its revision.
        revision: u32,
        /// Who.
        owner: String,
        /// Why.
        reason: String,
    },
    /// An objection was dealt with.
    Answered {
        /// The id of the objection.
        of: String,
        /// The answer.
        answer: String,
    },
    /// Somebody looked at an emergency again.
    Reviewed {
        /// The setting.
        setting: String,
        /// Its revision.
        revision: u32,
        /// What was found.
        note: String,
    },
}

/// All that happened, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journal {
    records: Vec<Record>,
    index: Index,
}

impl Journal {
    /// Reads a journal.
    ///
    /// # Errors
    /// Every line that is no record, and every second line of an id that says something else than the first.
    pub fn parse(text: &str) -> Result<Self, Vec<BrokenLine>> {
        let mut records = BTreeMap::<String, Record>::new();
        jsonl::read(text, |line| {
            let record: Record = serde_json::from_str(line).map_err(|e| e.to_string())?;
            match records.get(&record.id) {
                Some(known) if *known != record => Err(format!("another line has the same id {:?}", record.id)),
                _ => {
                    records.insert(record.id.clone(), record);
                    Ok(())
                }
            }
        })?;
        let mut records: Vec<Record> = records.into_values().collect();
        records.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(Journal { index: Index::of(&records), records })
    }

    /// Adds a record in its place.
    pub fn push(&mut self, record: Record) {
        let place = self.records.partition_point(|r| (r.at, &r.id) <= (record.at, &record.id));
        if place == self.records.len() {
            self.index.add(place, &record);
            self.records.push(record);
        } else {
            self.records.insert(place, record);
            self.index = Index::of(&self.records);
        }
    }

    /// The records, the oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What was announced for a purpose, message by message.
    pub fn announced(&self, purpose: Purpose) -> impl Iterator<Item = (&Record, &Item)> {
        self.records.iter().flat_map(move |record| {
            let items: &[Item] = match &record.what {
                Entry::Announced { purpose: of, items, .. } if *of == purpose => items,
                _ => &[],
            };
            items.iter().map(move |item| (record, item))
        })
    }

    /// The messages about a setting to an owner, whatever their purpose, each with what it says of the setting.
    pub fn messages<'a>(
        &'a self,
        setting: &str,
        owner: &str,
    ) -> impl Iterator<Item = (&'a Record, &'a [String], Purpose, &'a Item)> + use<'a> {
        self.index.messages(setting, owner).iter().filter_map(|(place, number)| {
            let record = self.records.get(*place)?;
            match &record.what {
                Entry::Announced { purpose, to, items, .. } => {
                    Some((record, to.as_slice(), *purpose, items.get(*number)?))
                }
                _ => None,
            }
        })
    }

    /// The advances of a setting, the oldest first.
    pub(super) fn advances_of<'a>(&'a self, setting: &str) -> impl DoubleEndedIterator<Item = &'a Record> + use<'a> {
        self.index.advances(setting).iter().filter_map(|place| self.records.get(*place))
    }

    /// When a message reached an address, if it did.
    pub fn reached_address(&self, message: &Record, to: &str) -> Option<Timestamp> {
        self.index.delivered(&message.id, to)
    }

    /// The record of this id.
    pub fn get(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|r| r.id == id)
    }
}

impl Record {
    /// The record as its line, with the line's end.
    pub fn to_line(&self) -> String {
        jsonl::line(self)
    }
}
