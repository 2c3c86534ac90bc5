//! What people ask for: each becomes a round like any other, or a hold.

use jiff::{SignedDuration, Timestamp};
use rectify_core::hold::Hold;

use super::{
    Allowed, Ask, Begun, Command, Item, Refused, Schedule,
    core::Core,
    holds,
    rows::{self, Mark, Round, State, round_id},
};
use crate::{
    drift::{Open, open_items},
    store::StoreError,
};

/// Does what is asked and answers.
pub(super) async fn answer(core: &Core, command: Command) {
    let Command { author, ask, answer } = command;
    let done = match ask {
        Ask::Check { schedule } => check(core, &author, &schedule, None).await,
        Ask::CheckHost { schedule, host } => check(core, &author, &schedule, Some(host)).await,
        Ask::Correct { schedule, host, items } => correct(core, &author, &schedule, &host, &items).await,
        Ask::Hold { host, until, reason } => hold(core, &author, &host, until, &reason).await,
        Ask::Release { host } => release(core, &author, &host).await,
    };
    // Who does not wait for the answer has one all the same: the round.
    let _ = answer.send(done);
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Refused(format!("it could not be written down: {error}"))
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

fn known(core: &Core, name: &str) -> Result<Schedule, Refused> {
    core.schedule(name).ok_or_else(|| Refused(format!("no schedule is named {name:?}")))
}

async fn check(core: &Core, author: &str, schedule: &str, host: Option<String>) -> Result<Begun, Refused> {
    let schedule = known(core, schedule)?;
    let state = if host.is_some() { State::Looking } else { State::Waiting };
    let asked = host.map(|host| (host, None));
    begin(core, author, &schedule, state, asked).await
}

async fn correct(core: &Core, author: &str, schedule: &str, host: &str, items: &[Item]) -> Result<Begun, Refused> {
    let schedule = known(core, schedule)?;
    let now = core.now();
    if let Some(bound) = schedule.bound(now) {
        return refused(format!("nothing is corrected now: {bound}"));
    }
    let held = holds::read(core.store.pool(), now).await?;
    if let Some(why) = held.get(host) {
        return refused(format!("{host} is not corrected: {why}"));
    }
    let mut allowed = Allowed::default();
    let open = open_items(&core.store, &[host.to_owned()]).await?;
    for item in items {
        let known = open.iter().find(|open| (&open.key.thing, &open.key.property) == (&item.thing, &item.property));
        let Some(Open { known, .. }) = known else {
            return refused(format!("{} of {} is as declared by now, or is not known", item.property, item.thing));
        };
        if (&known.seen, &known.wanted) != (&item.seen, &item.wanted) {
            return refused(format!("{} of {} is not as you saw it any more: look again", item.property, item.thing));
        }
        allowed.origins.insert(known.origin.clone());
    }
    if allowed.is_empty() {
        return refused("nothing was chosen to be corrected");
    }
    begin(core, author, &schedule, State::Correcting, Some((host.to_owned(), Some(allowed)))).await
}

/// Writes a round down that somebody asked for: of one host, or of all.
async fn begin(
    core: &Core,
    author: &str,
    schedule: &Schedule,
    state: State,
    host: Option<(String, Option<Allowed>)>,
) -> Result<Begun, Refused> {
    let now = core.now();
    let mut due = now;
    let mut write = core.store.write().await?;
    let id = loop {
        let id = round_id(&schedule.name, due);
        let name = schedule.name.clone();
        let round = Round { id: id.clone(), schedule: name, due, state, author: Some(author.to_owned()) };
        if rows::insert(&mut write, &round, None, now).await? {
            break id;
        }
        // Two at one moment.
        due = due.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
    };
    if let Some((host, allowed)) = host {
        rows::add_jobs(&mut write, &id, &[(host.clone(), now)]).await?;
        if let Some(allowed) = allowed {
            let mark = Mark { state: "to_correct", allowed: Some(&allowed), ..Mark::default() };
            rows::mark(&mut write, &id, &host, mark).await?;
        }
    }
    write.commit().await?;
    core.say(format!("{}: {author} asked for the round of {due}", schedule.name));
    Ok(Begun { round: Some(id) })
}

async fn hold(core: &Core, author: &str, host: &str, until: Timestamp, reason: &str) -> Result<Begun, Refused> {
    let hold = Hold { by: author.to_owned(), until, reason: reason.trim().to_owned() };
    let mut write = core.store.write().await?;
    holds::put(&mut write, host, &hold, core.now()).await?;
    write.commit().await?;
    core.say(format!("{host}: {hold}"));
    Ok(Begun { round: None })
}

async fn release(core: &Core, author: &str, host: &str) -> Result<Begun, Refused> {
    let mut write = core.store.write().await?;
    let was = holds::take(&mut write, host).await?;
    write.commit().await?;
    if !was {
        return refused(format!("{host} is not held here"));
    }
    core.say(format!("{host}: {author} ended the hold"));
    Ok(Begun { round: None })
}
