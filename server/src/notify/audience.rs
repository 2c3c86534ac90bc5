//! Who hears of what.

use std::collections::{BTreeMap, BTreeSet};

use rectify_core::{rollout::Person, text::plain};

use super::{NotifySettings, happening::Happening};

/// Operators, as recipients are called.
pub(super) const OPERATORS: &str = "operators";

/// What one address is told.
#[derive(Debug, Default)]
pub(super) struct Audience<'h> {
    /// Whether it is one of the operators'.
    pub(super) operators: bool,
    /// The owners whose address it is.
    names: BTreeSet<String>,
    /// What it is told, each thing once: whoever is an owner and an operator gets one message.
    pub(super) happenings: Vec<&'h Happening>,
}

impl Audience<'_> {
    /// Whom the address belongs to, for people.
    pub(super) fn name(&self) -> String {
        if self.operators {
            return OPERATORS.to_owned();
        }
        plain(&self.names.iter().map(String::as_str).collect::<Vec<_>>().join(", "), 200)
    }
}

/// Every address that is told something, and the owners that have none, with how many of these happenings were theirs.
pub(super) fn audiences<'h>(
    settings: &NotifySettings,
    people: &BTreeMap<String, Person>,
    happenings: &'h [Happening],
) -> (BTreeMap<String, Audience<'h>>, BTreeMap<String, usize>) {
    let (mut all, mut unknown): (BTreeMap<String, Audience<'h>>, BTreeMap<String, usize>) = Default::default();
    for happening in happenings {
        let mut to: BTreeSet<String> = BTreeSet::new();
        if settings.only.owners.as_ref().is_none_or(|only| only.contains(&happening.kind)) {
            for owner in &happening.owners {
                let contacts = people.get(owner).map(|p| p.contacts.as_slice()).unwrap_or_default();
                if contacts.is_empty() {
                    *unknown.entry(owner.clone()).or_default() += 1;
                }
                for contact in contacts {
                    let address = contact.uri();
                    all.entry(address.clone()).or_default().names.insert(owner.clone());
                    to.insert(address);
                }
            }
        }
        if settings.only.operators.as_ref().is_none_or(|only| only.contains(&happening.kind)) {
            for address in &settings.operators {
                to.insert(address.uri().to_owned());
            }
        }
        for address in to {
            all.entry(address).or_default().happenings.push(happening);
        }
    }
    for address in &settings.operators {
        if let Some(audience) = all.get_mut(address.uri()) {
            audience.operators = true;
        }
    }
    (all, unknown)
}
