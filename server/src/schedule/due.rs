//! From due times to rounds.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Row as _};

use super::{
    Missed, Schedule,
    core::Core,
    rows::{self, Round, State, round_id},
};
use crate::store::StoreError;

/// How late a round may begin without counting as missed.
const LATE: SignedDuration = SignedDuration::from_mins(5);
/// How long it is known what a round did with each host, and how long that there was one.
const KEEP: (SignedDuration, SignedDuration) =
    (SignedDuration::from_hours(24 * 7), SignedDuration::from_hours(24 * 400));

/// What is stored of a schedule.
struct Stored {
    definition: String,
    due: Option<Timestamp>,
}

/// Writes down the rounds that are due, and says when to look again.
pub(super) async fn tick(core: &Arc<Core>) -> Result<Option<Timestamp>, StoreError> {
    let mut next: Option<Timestamp> = None;
    for schedule in core.schedules().iter() {
        let due = one(core, schedule).await?;
        next = [next, due].into_iter().flatten().min();
    }
    Ok(next)
}

/// Writes down which schedules there are and when they are due, and begins nothing: they are known before a server has its first turn.
pub(super) async fn write_down(core: &Core) -> Result<(), StoreError> {
    for schedule in core.schedules().iter() {
        kept(core, schedule, core.now()).await?;
    }
    Ok(())
}

async fn one(core: &Core, schedule: &Schedule) -> Result<Option<Timestamp>, StoreError> {
    let now = core.now();
    let due = kept(core, schedule, now).await?;
    core.step("schedule kept").await;
    match due {
        Some(due) if due <= now => begin(core, schedule, due, now).await,
        Some(due) => back_in_time(core, schedule, due, now).await.map(Some),
        None => Ok(None),
    }
}

/// Writes a schedule down as it is now, unless it is; says when it is due.
async fn kept(core: &Core, schedule: &Schedule, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let definition = serde_json::to_string(schedule).unwrap_or_default();
    let stored = stored(core, schedule).await?;
    let due = match &stored {
        Some(Stored { definition: old, due: Some(due) }) if same_times(old, &definition) => Some(*due),
        _ => schedule.cron.next(now),
    };
    if stored.as_ref().is_none_or(|s| s.definition != definition || s.due != due) {
        keep(core, schedule, &definition, due).await?;
    }
    Ok(due)
}

/// Whether two definitions are due at the same times.
fn same_times(old: &str, new: &str) -> bool {
    let cron = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok().map(|value| value["cron"].clone());
    cron(old) == cron(new)
}

async fn stored(core: &Core, schedule: &Schedule) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query("SELECT definition, due FROM schedules WHERE id = $1").bind(&schedule.name);
    let Some(row) = row.fetch_optional(core.store.pool()).await.map_err(|e| core.store.error(e))? else {
        return Ok(None);
    };
    Ok(Some(Stored { definition: row.try_get(0)?, due: row.try_get::<Option<i64>, _>(1)?.map(rows::time) }))
}

async fn keep(core: &Core, schedule: &Schedule, definition: &str, due: Option<Timestamp>) -> Result<(), StoreError> {
    let mut write = core.store.write().await?;
    let query = sqlx::query(
        "INSERT INTO schedules (id, definition, due) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET definition = excluded.definition, due = excluded.due",
    );
    let due = due.map(Timestamp::as_microsecond);
    query.bind(&schedule.name).bind(definition).bind(due).execute(&mut *write).await?;
    write.commit().await.map_err(|e| core.store.error(e))
}

/// `due` has come: the round of the last due time is begun or left out, whatever was missed before it.
async fn begin(
    core: &Core,
    schedule: &Schedule,
    due: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let latest = schedule.cron.latest(now).unwrap_or(due).max(due);
    let next = schedule.cron.next(now);
    let late = now.duration_since(latest) > LATE;
    let mut round = Round {
        id: round_id(&schedule.name, latest),
        schedule: schedule.name.clone(),
        due: latest,
        state: State::Waiting,
        author: None,
    };
    let mut write = core.store.write().await?;
    let open = rows::unfinished(&mut *write).await?;
    let before = open.iter().find(|r| r.schedule == schedule.name && r.author.is_none() && r.id != round.id);
    let why = match (before, schedule.missed) {
        (Some(before), _) => Some(format!("the round of {} is not over", before.due)),
        (None, Missed::Skip) if late => Some(format!("it was missed: no server ran from {due} to {now}")),
        _ => None,
    };
    if why.is_some() {
        round.state = State::Skipped;
    }
    let note =
        (why.is_none() && (late || latest > due)).then(|| format!("begun late: no server ran from {due} to {now}"));
    // Of several servers, one moves the due time on.
    let moved = sqlx::query("UPDATE schedules SET due = $1, last_round = $2 WHERE id = $3 AND due = $4");
    let moved = moved.bind(next.map(Timestamp::as_microsecond)).bind(&round.id).bind(&schedule.name);
    let moved = moved.bind(due.as_microsecond()).execute(&mut *write).await?.rows_affected() == 1;
    let new = moved && rows::insert(&mut write, &round, why.as_deref().or(note.as_deref()), now).await?;
    if new {
        forget(&mut write, &schedule.name, now).await?;
    }
    write.commit().await.map_err(|e| core.store.error(e))?;
    core.step("round written").await;
    if let (true, Some(why)) = (new, &why) {
        core.say(format!("{}: the round of {latest} is skipped: {why}", schedule.name));
    }
    if let (true, Some(note)) = (new, &note) {
        core.say(format!("{}: the round of {latest} is {note}", schedule.name));
    }
    Ok(next)
}

/// Forgets what old rounds of a schedule did; their runs are in the record.
async fn forget(write: &mut AnyConnection, schedule: &str, now: Timestamp) -> Result<(), StoreError> {
    let before = |long: SignedDuration| now.checked_sub(long).unwrap_or(Timestamp::MIN).as_microsecond();
    let jobs = "DELETE FROM jobs WHERE round IN (SELECT id FROM rounds WHERE schedule = $1 AND ended < $2)";
    sqlx::query(jobs).bind(schedule).bind(before(KEEP.0)).execute(&mut *write).await?;
    let rounds = sqlx::query("DELETE FROM rounds WHERE schedule = $1 AND ended < $2");
    rounds.bind(schedule).bind(before(KEEP.1)).execute(write).await?;
    Ok(())
}

/// If the clock was set back, a due time lies ahead again that had no round yet: nothing is done twice, and nothing is lost.
async fn back_in_time(
    core: &Core,
    schedule: &Schedule,
    due: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let mut candidate = now;
    while let Some(next) = schedule.cron.next(candidate).filter(|next| *next < due) {
        if rows::round(core.store.pool(), &round_id(&schedule.name, next)).await?.is_none() {
            let mut write = core.store.write().await?;
            let moved = sqlx::query("UPDATE schedules SET due = $1 WHERE id = $2 AND due = $3");
            let moved = moved.bind(next.as_microsecond()).bind(&schedule.name).bind(due.as_microsecond());
            moved.execute(&mut *write).await?;
            write.commit().await.map_err(|e| core.store.error(e))?;
            return Ok(next);
        }
        candidate = next;
    }
    Ok(due)
}
