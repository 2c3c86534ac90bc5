//! Who runs a host, and how to reach them: the inventory's `owner` and `contacts`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    diag::{Diagnostic, Diagnostics, Span},
    inventory::Inventory,
};

/// A way to reach somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contact {
    /// An e-mail address.
    Mail(String),
    /// A web hook.
    Hook(String),
}

impl Contact {
    /// Reads an address: a mail address, with or without `mailto:`, or the URL of a web hook: `https:`, or `http:` on this machine.
    pub fn parse(text: &str) -> Option<Contact> {
        let text = text.trim();
        if text.starts_with("https://") || text.starts_with("http://127.0.0.1") || text.starts_with("http://localhost")
        {
            return Some(Contact::Hook(text.to_owned()));
        }
        let address = text.strip_prefix("mailto:").unwrap_or(text);
        email_address::EmailAddress::is_valid(address).then(|| Contact::Mail(address.to_owned()))
    }

    /// The address as a URI: `mailto:…`, or the hook's own.
    pub fn uri(&self) -> String {
        match self {
            Contact::Mail(address) => format!("mailto:{address}"),
            Contact::Hook(url) => url.clone(),
        }
    }
}

/// A person or a group of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name under which hosts name them.
    pub name: String,
    /// How to reach them; all of these.
    pub contacts: Vec<Contact>,
    /// Where that was written.
    pub at: Span,
}

/// The owners of a host, each with the place that says so: `owner: NAME`, or a list of names.
pub fn owners(inventory: &Inventory, host: &str) -> Vec<(String, Span)> {
    let Some(var) = inventory.var(host, "owner") else { return Vec::new() };
    let name = |v: &Value| v.as_str().map(str::trim).filter(|n| !n.is_empty()).map(|n| (n.to_owned(), var.at));
    match &*var.value {
        Value::Array(names) => names.iter().filter_map(name).collect(),
        one => name(one).into_iter().collect(),
    }
}

/// Everybody whom these hosts' `contacts` name, `{NAME: ADDRESS, NAME: [ADDRESS, …]}`: mail addresses and `https:` web hooks.
///
/// The variable of a narrower group adds to that of a wider one, and replaces the people that it names. What is wrong goes to `found`.
pub fn contacts<'a>(
    inventory: &Inventory,
    hosts: impl IntoIterator<Item = &'a str>,
    found: &mut Diagnostics,
) -> BTreeMap<String, Person> {
    let mut people = BTreeMap::new();
    for host in hosts {
        for var in inventory.history(host, "contacts") {
            let Value::Object(entries) = &*var.value else {
                let problem = Diagnostic::error("contacts", "`contacts` is not a mapping of names to addresses");
                found.push(problem.at(var.at, "").help("write `contacts: {web-team: web-team@example.org}`"));
                continue;
            };
            for (name, value) in entries {
                let person = person(name, value, var.at, found);
                people.insert(name.clone(), person);
            }
        }
    }
    people
}

fn person(name: &str, value: &Value, at: Span, found: &mut Diagnostics) -> Person {
    let texts: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let mut contacts = Vec::new();
    for text in texts {
        match text.as_str().and_then(Contact::parse) {
            Some(contact) => contacts.push(contact),
            None => {
                let problem = Diagnostic::error("contact", format!("{text} is no address (contact `{name}`)"));
                found.push(problem.at(at, "").help("write a mail address, or a web hook that begins with https://"));
            }
        }
    }
    Person { name: name.to_owned(), contacts, at }
}
