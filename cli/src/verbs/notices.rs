//! `rectify notices`: what people were to be told, and were not.

use std::io::Write;

use jiff::{Timestamp, tz::TimeZone};
use rectify_core::text::chain;
use rectify_server::{
    notify::{Undelivered, retry, undelivered},
    store::{By, Store},
};
use serde_json::{Value, json};

use crate::{
    account::account,
    args::{Common, Notices, NoticesVerb},
    config::Config,
    display::text::{count, line, time},
    exit::{self, Expected},
    record::with_index,
    theme::{Meaning, Theme},
};

/// How much of an id is shown.
const SHORT: usize = 12;

/// Lists what was not delivered, or has it tried anew.
///
/// # Errors
/// A database that cannot be read or written, and an output that cannot be written.
pub(crate) fn run(args: &Notices, common: &Common) -> anyhow::Result<u8> {
    let config = Config::load()?;
    with_index(&config, async |store| match &args.verb {
        Some(NoticesVerb::Retry { ids, .. }) => anew(store, ids).await,
        None => list(store, args.json, crate::theme(common, true)).await,
    })
}

async fn all(store: &Store) -> Result<Vec<Undelivered>, Expected> {
    undelivered(store).await.map_err(|e| Expected::failed(chain(&e)))
}

/// Has these tried anew, or all without one. What is none is told of, and the others are tried all the same.
async fn anew(store: &Store, ids: &[String]) -> anyhow::Result<u8> {
    let account = account();
    let by = By::at_terminal(&account);
    let again = async |id: Option<&str>| {
        let done = retry(store, id, by, Timestamp::now()).await;
        done.map_err(|e| Expected::failed(chain(&e)))
    };
    if ids.is_empty() {
        let done = again(None).await?;
        writeln!(std::io::stdout(), "{} tried anew", is(done))?;
        return Ok(exit::OK);
    }
    let given_up: Vec<Undelivered> = all(store).await?.into_iter().filter(|notice| notice.next.is_none()).collect();
    let mut code = exit::OK;
    for id in ids {
        let found: Vec<_> = given_up.iter().filter(|notice| notice.id.starts_with(id.as_str())).collect();
        let (problem, what) = match found[..] {
            [one] if again(Some(&one.id)).await? == 1 => (false, format!("{} is tried anew", shown(one))),
            [] | [_] => (true, format!("no message {} was given up: `rectify notices` lists them", line(id))),
            _ => (true, format!("{} messages that were given up begin with {}", found.len(), line(id))),
        };
        if problem {
            writeln!(std::io::stderr(), "{what}")?;
            code = exit::USAGE;
        } else {
            writeln!(std::io::stdout(), "{what}")?;
        }
    }
    Ok(code)
}

fn is(messages: usize) -> String {
    format!("{} {}", count(messages, "message"), if messages == 1 { "is" } else { "are" })
}

fn short(notice: &Undelivered) -> String {
    line(&notice.id).chars().take(SHORT).collect()
}

fn shown(notice: &Undelivered) -> String {
    format!("{}, {:?} to {},", short(notice), line(&notice.subject), line(&notice.recipient))
}

async fn list(store: &Store, as_json: bool, theme: Theme) -> anyhow::Result<u8> {
    let all = all(store).await?;
    let zone = TimeZone::system();
    let mut out = std::io::stdout().lock();
    if as_json {
        serde_json::to_writer_pretty(&mut out, &all.iter().map(to_json).collect::<Vec<_>>())?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    for notice in &all {
        let (meaning, state) = match (notice.next, notice.tries) {
            (None, _) => (Meaning::Failed, "given up".to_owned()),
            (Some(next), 0) => (Meaning::Unsure, format!("waits until {}", time(next, &zone))),
            (Some(next), _) => (Meaning::Changed, format!("is tried again at {}", time(next, &zone))),
        };
        let tries = if notice.tries > 0 { format!(" after {}", tries(notice.tries)) } else { String::new() };
        writeln!(out, "{}  {}  {}{tries}", short(notice), time(notice.at, &zone), theme.paint(meaning, state))?;
        writeln!(out, "  to {} ({}): {}", line(&notice.recipient), line(&notice.channel), line(&notice.subject))?;
        if let Some(trouble) = &notice.trouble {
            writeln!(out, "  {}", theme.paint(Meaning::Quiet, line(trouble)))?;
        }
    }
    if all.is_empty() {
        writeln!(std::io::stderr(), "everything was delivered")?;
    }
    Ok(exit::OK)
}

fn tries(n: i64) -> String {
    if n == 1 { "1 try".to_owned() } else { format!("{n} tries") }
}

fn to_json(notice: &Undelivered) -> Value {
    json!({
        "notice": notice.id,
        "at": notice.at,
        "to": notice.recipient,
        "channel": notice.channel,
        "subject": notice.subject,
        "given_up": notice.next.is_none(),
        "tries": notice.tries,
        "next": notice.next,
        "trouble": notice.trouble,
    })
}
