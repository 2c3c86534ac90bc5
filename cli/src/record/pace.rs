//! How fast a recorded run is shown.

use std::time::{Duration, Instant};

use crate::args::Speed;

/// How often a picture is made, in microseconds of the run, and as often by the clock of who watches.
const TICK: i64 = 100_000;

/// A clock that can be waited for.
pub(crate) trait Clock {
    /// The time since some moment.
    fn now(&self) -> Duration;

    /// Waits so long.
    fn wait(&self, time: Duration);
}

/// This machine's.
pub(crate) struct Wall(Instant);

impl Wall {
    /// From now on.
    pub(crate) fn new() -> Self {
        Wall(Instant::now())
    }
}

impl Clock for Wall {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Says when an event's turn comes.
pub(crate) struct Pace<'c> {
    clock: &'c dyn Clock,
    /// None: as fast as it can be shown.
    speed: Option<Speed>,
    /// When the first event was shown, and its time.
    began: Option<(Duration, i64)>,
    painted: i64,
}

impl<'c> Pace<'c> {
    /// At this speed, by this clock.
    pub(crate) fn new(clock: &'c dyn Clock, speed: Option<Speed>) -> Self {
        Pace { clock, speed, began: None, painted: 0 }
    }

    /// Waits until it is the turn of an event that was `at` then, in microseconds, and has a picture made now and then until it is. Where the clock of
    /// the run was set back, nobody waits.
    pub(super) fn until(&mut self, at: i64, mut tick: impl FnMut(i64)) {
        let Some(speed) = self.speed else {
            if at.saturating_sub(self.painted) >= TICK {
                tick(at);
                self.painted = at;
            }
            return;
        };
        let (from, first) = *self.began.get_or_insert((self.clock.now(), at));
        let due = speed.lasts(at.saturating_sub(first));
        loop {
            let passed = self.clock.now().saturating_sub(from);
            let left = due.saturating_sub(passed);
            if left.is_zero() {
                return;
            }
            tick(first.saturating_add(speed.reaches(passed)));
            self.clock.wait(left.min(Duration::from_micros(TICK.unsigned_abs())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// A clock that moves only while somebody waits.
    #[derive(Default)]
    struct Still(Cell<Duration>);

    impl Clock for Still {
        fn now(&self) -> Duration {
            self.0.get()
        }

        fn wait(&self, time: Duration) {
            self.0.set(self.0.get() + time);
        }
    }

    const SECOND: i64 = 1_000_000;
    const BEGAN: i64 = 1_800_000_000 * SECOND;

    /// When each event is shown, in milliseconds, and the times of the run at which pictures are made.
    fn shown(speed: Option<&str>, events: &[i64]) -> (Vec<u128>, Vec<i64>) {
        let clock = Still::default();
        let mut pace = Pace::new(&clock, speed.map(|speed| speed.parse().unwrap()));
        let pictures = RefCell::new(Vec::new());
        let show = |at: &i64| {
            pace.until(BEGAN + at, |now| pictures.borrow_mut().push(now - BEGAN));
            clock.now().as_millis()
        };
        let times = events.iter().map(show).collect();
        (times, pictures.into_inner())
    }

    #[test]
    fn events_come_as_far_apart_as_they_did_by_as_much_as_the_speed() {
        let events = [0, SECOND, SECOND, 3 * SECOND];
        assert_eq!(shown(Some("1"), &events).0, [0, 1000, 1000, 3000]);
        assert_eq!(shown(Some("10"), &events).0, [0, 100, 100, 300]);
        assert_eq!(shown(Some("0.5"), &events).0, [0, 2000, 2000, 6000]);
        assert_eq!(shown(None, &events).0, [0, 0, 0, 0]);
    }

    #[test]
    fn a_picture_is_made_ten_times_a_second_of_the_run_as_it_is_then() {
        assert_eq!(shown(Some("2"), &[0, SECOND]).1, [0, 200_000, 400_000, 600_000, 800_000]);
        // As fast as possible: no more of them than there were.
        assert_eq!(shown(None, &[0, 50_000, 200_000, 220_000]).1, [0, 200_000]);
    }

    #[test]
    fn a_clock_that_was_set_back_or_is_nonsense_breaks_nothing() {
        assert_eq!(shown(Some("1"), &[0, -SECOND, SECOND]).0, [0, 0, 1000]);
        let speed: Speed = "0.0000001".parse().unwrap();
        assert!(speed.lasts(i64::MAX) > Duration::from_secs(u64::MAX >> 16) && speed.lasts(i64::MIN).is_zero());
        assert_eq!("1e9".parse::<Speed>().unwrap().reaches(Duration::MAX), i64::MAX);
    }
}
