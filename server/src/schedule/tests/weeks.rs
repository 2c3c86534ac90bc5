//! Weeks in which the clocks of a place change.

use super::*;

fn nightly() -> Schedule {
    berlin("nightly", "30 2 * * *")
}

fn berlin(name: &str, cron: &str) -> Schedule {
    Schedule { cron: Cron::new(cron, TimeZone::get("Europe/Berlin").unwrap()).unwrap(), ..schedule(name) }
}

/// Runs what is due in a week from then, from one due time to the next; gives back the rounds of `nightly`.
async fn week(stand: &Stand, schedules: &[Schedule], from: &str) -> Vec<String> {
    let begin: Timestamp = from.parse().unwrap();
    let end = begin + SignedDuration::from_hours(7 * 24);
    stand.clock.set(begin);
    assert_eq!(stand.once(schedules).await.rounds, 0);
    loop {
        let query = sqlx::query("SELECT CAST(MIN(due) AS BIGINT) FROM schedules").fetch_one(stand.store.pool());
        let due = Timestamp::from_microsecond(query.await.unwrap().get(0)).unwrap();
        if due >= end {
            break;
        }
        stand.clock.set(due);
        assert!(stand.once(schedules).await.rounds > 0, "something was due at {due}: {}", stand.said());
    }
    let rounds = stand.rounds().await;
    assert!(rounds.iter().all(|(_, state, why)| state == "done" && why.is_none()), "{rounds:?}");
    rounds.into_iter().map(|(id, ..)| id).filter(|id| id.starts_with("nightly@")).collect()
}

#[test]
fn a_week_of_rounds_goes_on_when_the_clocks_are_put_on() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let nights = week(&stand, &[nightly(), berlin("daily", "30 */6 * * *")], "2027-03-25T12:00:00Z").await;
        // In the third night there is no half past two.
        let days =
            ["03-26T01:30", "03-27T01:30", "03-28T01:00", "03-29T00:30", "03-30T00:30", "03-31T00:30", "04-01T00:30"];
        assert_eq!(nights, days.map(|day| format!("nightly@2027-{day}:00Z")));
        assert_eq!(
            stand.fleet.with(|world| world.looks.len()),
            4 * (7 + 4 * 7),
            "four hosts, a round a night and four a day"
        );
    });
}

#[test]
fn a_week_of_rounds_goes_on_when_the_clocks_are_put_back() {
    both(|store| async move {
        let stand = Stand::new(store, fleet());
        let nights = week(&stand, &[nightly(), berlin("daily", "30 */6 * * *")], "2027-10-29T12:00:00Z").await;
        // In the second night there are two of them.
        let days =
            ["10-30T00:30", "10-31T00:30", "11-01T01:30", "11-02T01:30", "11-03T01:30", "11-04T01:30", "11-05T01:30"];
        assert_eq!(nights, days.map(|day| format!("nightly@2027-{day}:00Z")));
        assert_eq!(stand.fleet.with(|world| world.looks.len()), 4 * (7 + 4 * 7));
    });
}
