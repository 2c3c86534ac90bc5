//! Where what stands in the journal: every host of every run asks, and the journal only grows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::journal::{Entry, Record};

/// Places among the records of a journal, and what was delivered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Index {
    /// The advances of a setting.
    advances: BTreeMap<String, Vec<usize>>,
    /// The messages about a setting to an owner: the record, and the item in it.
    messages: BTreeMap<String, BTreeMap<String, Vec<(usize, usize)>>>,
    /// When a message first reached an address: by the id of its `announced` line, by address.
    delivered: BTreeMap<String, BTreeMap<String, Timestamp>>,
}

impl Index {
    /// The index of these records.
    pub(super) fn of(records: &[Record]) -> Self {
        let mut index = Index::default();
        records.iter().enumerate().for_each(|(place, record)| index.add(place, record));
        index
    }

    /// Takes in the record at `place`, which comes after all that are known.
    pub(super) fn add(&mut self, place: usize, record: &Record) {
        match &record.what {
            Entry::Advance { setting, .. } => self.advances.entry(setting.clone()).or_default().push(place),
            Entry::Announced { owner, items, .. } => {
                for (number, item) in items.iter().enumerate() {
                    let owners = self.messages.entry(item.setting.clone()).or_default();
                    owners.entry(owner.clone()).or_default().push((place, number));
                }
            }
            Entry::Delivered { of, to } => {
                let addresses = self.delivered.entry(of.clone()).or_default();
                addresses.entry(to.clone()).or_insert(record.at);
            }
            Entry::Failed { .. } | Entry::Objection { .. } | Entry::Answered { .. } | Entry::Reviewed { .. } => {}
        }
    }

    /// The advances of a setting, the oldest first.
    pub(super) fn advances(&self, setting: &str) -> &[usize] {
        self.advances.get(setting).map_or(&[], Vec::as_slice)
    }

    /// The messages about a setting to an owner, the oldest first.
    pub(super) fn messages(&self, setting: &str, owner: &str) -> &[(usize, usize)] {
        self.messages.get(setting).and_then(|owners| owners.get(owner)).map_or(&[], Vec::as_slice)
    }

    /// When a message reached an address.
    pub(super) fn delivered(&self, message: &str, to: &str) -> Option<Timestamp> {
        self.delivered.get(message)?.get(to).copied()
    }
}
