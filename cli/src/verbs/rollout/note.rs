//! What people say of settings: objections, answers, reviews. It stands in the journal from then on.

use std::io::Write;

use rectify_core::{
    diag::did_you_mean,
    rollout::{Entry, Record},
};

use super::Office;
use crate::{
    args::{Common, Log, Scope},
    config::Config,
    exit::{self, Expected},
    rollouts::Desk,
};

pub(super) fn object(id: &str, owner: &str, reason: &str, scope: &Scope, common: &Common) -> anyhow::Result<u8> {
    let office = Office::open(scope, None, common)?;
    let setting = office.desk.setting(id)?;
    let reason = said(reason, "--reason")?;
    let hosts = office.project.inventory.hosts_in("all");
    let people = office.desk.people(&office.project, hosts)?;
    if !people.contains_key(owner) {
        let near = did_you_mean(owner, people.keys().map(String::as_str));
        let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        return Err(Expected::usage(format!("--as: `contacts` names nobody called {owner:?}{near}")).into());
    }
    let revision = setting.revision.number;
    let entry = Entry::Objection { setting: id.to_owned(), revision, owner: owner.to_owned(), reason };
    let record = write(&office.desk, entry)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{id} does not advance until somebody answers objection {}", record.id)?;
    recorded(&office.desk, &mut out)
}

pub(super) fn answer(of: &str, answer: &str, log: &Log) -> anyhow::Result<u8> {
    let desk = Desk::record(&Config::load()?, log)?;
    let answer = said(answer, "the answer")?;
    let objection = find(&desk, of)?;
    let Entry::Objection { setting, owner, .. } = &objection.what else {
        return Err(Expected::usage(format!("{of:?} is no objection")).into());
    };
    let answered = |r: &Record| matches!(&r.what, Entry::Answered { of, .. } if *of == objection.id);
    if let Some(known) = desk.journal.records().iter().find(|r| answered(r)) {
        return Err(Expected::usage(format!("{} has answered objection {of} at {}", known.by, known.at)).into());
    }
    write(&desk, Entry::Answered { of: objection.id.clone(), answer })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "the objection of {owner} to {setting} is answered")?;
    recorded(&desk, &mut out)
}

pub(super) fn review(id: &str, note: &str, log: &Log) -> anyhow::Result<u8> {
    let desk = Desk::record(&Config::load()?, log)?;
    let setting = desk.setting(id)?;
    let note = said(note, "the note")?;
    if setting.revision.emergency.is_none() {
        let number = setting.revision.number;
        return Err(Expected::usage(format!("revision {number} of {id} is no emergency")).into());
    }
    write(&desk, Entry::Reviewed { setting: id.to_owned(), revision: setting.revision.number, note })?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "the emergency of {id} is reviewed")?;
    recorded(&desk, &mut out)
}

/// The objection whose id begins so.
fn find<'d>(desk: &'d Desk, id: &str) -> Result<&'d Record, Expected> {
    let objection = |r: &&Record| matches!(r.what, Entry::Objection { .. }) && r.id.starts_with(id);
    let mut all = desk.journal.records().iter().filter(objection);
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Expected::usage(format!("no objection has an id that begins with {id:?}"))),
        _ => Err(Expected::usage(format!("several objections have an id that begins with {id:?}: write more of it"))),
    }
}

/// A text that somebody has to give.
pub(super) fn said(text: &str, what: &str) -> Result<String, Expected> {
    let text = text.trim();
    if text.is_empty() { Err(Expected::usage(format!("{what} is empty"))) } else { Ok(text.to_owned()) }
}

fn write(desk: &Desk, entry: Entry) -> anyhow::Result<Record> {
    let written = desk.store.write(desk.now, entry);
    Ok(written.map_err(|e| Expected::failed(rectify_core::text::chain(&e)))?)
}

fn recorded(desk: &Desk, out: &mut impl Write) -> anyhow::Result<u8> {
    writeln!(out, "  recorded in {}", desk.store.journal_path().display())?;
    Ok(exit::OK)
}
