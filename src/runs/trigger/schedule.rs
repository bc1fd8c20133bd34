//! When schedules start something: pure functions of a schedule and of times.
//!
//! A time of day that a clock skips comes right after the skip, and one that it shows twice comes
//! once, the first time. A schedule of every hour is one of how much time passes, as cron has it:
//! it goes by what the clock shows at each moment.

use std::collections::BTreeSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use crate::{
    engine::definition::trigger::{CatchUp, Trigger},
    process::cron::Cron,
};

/// What comes no later than this is on time.
const ON_TIME_MS: i64 = 60_000;
/// So many times are made up for at most, the latest of them.
pub const MISSED_MAX: usize = 100;
/// After so long any day of a month has come on any day of a week, leap days too.
const DAYS_MAX: usize = 41 * 366;
const ALL_HOURS: u64 = (1 << 24) - 1;

/// When it comes, and what becomes of it when nobody was there.
#[derive(Debug)]
pub struct Schedule {
    when: When,
    catch_up: CatchUp,
    window_ms: Option<i64>,
}

#[derive(Debug)]
enum When {
    Cron(Cron, TimeZone),
    At(i64),
}

impl Schedule {
    /// The schedule of a trigger that has one, in which what is not said is as around it.
    pub fn of(trigger: &Trigger, around: &Trigger) -> Option<Schedule> {
        let zone = trigger.timezone.as_ref().or(around.timezone.as_ref());
        let zone = zone.map_or(Some(TimeZone::UTC), |it| TimeZone::get(it).ok())?;
        let when = match (&trigger.cron, &trigger.at) {
            (Some(cron), _) => When::Cron(Cron::parse(cron).ok()?, zone),
            (None, at) => When::At(at.as_ref()?.parse::<Timestamp>().ok()?.as_millisecond()),
        };
        let catch_up = trigger.catch_up.or(around.catch_up).unwrap_or(CatchUp::Latest);
        let window = trigger.window.as_ref().or(around.window.as_ref());
        let window_ms = window.and_then(|it| i64::try_from(it.ms()).ok());
        Some(Schedule { when, catch_up, window_ms })
    }

    /// When it comes first after a time, in milliseconds since 1970.
    pub fn next_ms(&self, after_ms: i64) -> Option<i64> {
        let (cron, zone) = match &self.when {
            When::At(at_ms) => return (after_ms < *at_ms).then_some(*at_ms),
            When::Cron(cron, zone) => (cron, zone),
        };
        let mut day = day_of(after_ms, zone)?.yesterday().ok()?;
        for _ in 0..DAYS_MAX {
            let times = times_of(cron, zone, day);
            if let Some(time) = times.into_iter().find(|it| after_ms < *it) {
                return Some(time);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The times behind `after_ms`, up to now, that something is to be started for: what is on
    /// time, and of what was missed as much as is made up for. In their order.
    pub fn due_ms(&self, after_ms: i64, now_ms: i64) -> Vec<i64> {
        let most = match self.catch_up {
            CatchUp::All => MISSED_MAX,
            CatchUp::Latest | CatchUp::None => 1,
        };
        let late_ms = match self.catch_up {
            CatchUp::None => Some(ON_TIME_MS),
            CatchUp::Latest | CatchUp::All => self.window_ms.map(|it| it.max(ON_TIME_MS)),
        };
        let from_ms = late_ms.map_or(after_ms, |it| after_ms.max(now_ms.saturating_sub(it)));
        self.between(from_ms, now_ms, most)
    }

    /// Whether it came at all behind `after_ms`, up to now.
    pub fn has_come(&self, after_ms: i64, now_ms: i64) -> bool {
        !self.between(after_ms, now_ms, 1).is_empty()
    }

    /// The latest of the times behind one and up to another one, so many at most.
    fn between(&self, after_ms: i64, until_ms: i64, most: usize) -> Vec<i64> {
        let is_in = |it: &i64| after_ms < *it && *it <= until_ms;
        let (cron, zone) = match &self.when {
            When::At(at_ms) => return Some(*at_ms).filter(is_in).into_iter().collect(),
            When::Cron(cron, zone) => (cron, zone),
        };
        let mut found = BTreeSet::new();
        let first = day_of(after_ms, zone).and_then(|it| it.yesterday().ok());
        let last = day_of(until_ms, zone).and_then(|it| it.tomorrow().ok());
        let (Some(first), Some(mut day)) = (first, last) else { return Vec::new() };
        for _ in 0..DAYS_MAX {
            // What a day has may come a little after it, where a clock skips its end.
            if day < first || most + 2 <= found.len() {
                break;
            }
            found.extend(times_of(cron, zone, day).into_iter().filter(is_in));
            let Ok(before) = day.yesterday() else { break };
            day = before;
        }
        let skipped = found.len().saturating_sub(most);
        found.into_iter().skip(skipped).collect()
    }
}

fn day_of(ms: i64, zone: &TimeZone) -> Option<Date> {
    Some(zone.to_datetime(Timestamp::from_millisecond(ms).ok()?).date())
}

/// When a schedule comes on a day, in the order of time.
fn times_of(cron: &Cron, zone: &TimeZone, day: Date) -> BTreeSet<i64> {
    let mut times = BTreeSet::new();
    if !is_on(cron, day) {
        return times;
    }
    let has = |set: u64, number: i8| set >> number & 1 == 1;
    for hour in (0..24).filter(|it| has(cron.hours, *it)) {
        for minute in (0..60).filter(|it| has(cron.minutes, *it)) {
            add(&mut times, zone, day.at(hour, minute, 0, 0), cron.hours == ALL_HOURS);
        }
    }
    times
}

fn is_on(cron: &Cron, day: Date) -> bool {
    let is_month = cron.months >> day.month() & 1 == 1;
    let is_day = cron.days >> day.day() & 1 == 1;
    let is_weekday = cron.weekdays >> day.weekday().to_sunday_zero_offset() & 1 == 1;
    let is_right = if cron.is_either_day { is_day || is_weekday } else { is_day && is_weekday };
    is_month && is_right
}

/// Adds when a clock shows this, or would have.
fn add(times: &mut BTreeSet<i64>, zone: &TimeZone, time: DateTime, is_every_hour: bool) {
    let mut push = |at: Option<Timestamp>| times.extend(at.map(Timestamp::as_millisecond));
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => push(offset.to_timestamp(time).ok()),
        AmbiguousOffset::Fold { before, after } => {
            push(before.to_timestamp(time).ok());
            if is_every_hour {
                push(after.to_timestamp(time).ok());
            }
        }
        AmbiguousOffset::Gap { .. } if is_every_hour => (),
        AmbiguousOffset::Gap { after, .. } => {
            // By what comes after the skip this is before it.
            let before =
                after.to_timestamp(time).ok().and_then(|it| it.checked_sub(1.second()).ok());
            push(before.and_then(|it| Some(zone.following(it).next()?.timestamp())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(trigger: &str) -> Schedule {
        let trigger: Trigger = serde_json::from_str(trigger).unwrap();
        Schedule::of(&trigger, &Trigger::default()).unwrap()
    }

    fn ms(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn shown(ms: i64) -> String {
        Timestamp::from_millisecond(ms).unwrap().to_string()
    }

    /// The times that come after one.
    fn check_next(cron: &str, zone: &str, after: &str, expected: &[&str]) {
        let it = schedule(&format!(r#"{{"cron": "{cron}", "timezone": "{zone}"}}"#));
        let mut at = ms(after);
        for expected in expected {
            at = it.next_ms(at).unwrap();
            assert_eq!(shown(at), *expected, "{cron} in {zone}");
        }
    }

    fn check_due(trigger: &str, after: &str, now: &str, expected: &[&str]) {
        let due = schedule(trigger).due_ms(ms(after), ms(now));
        assert_eq!(due.into_iter().map(shown).collect::<Vec<_>>(), expected, "{trigger}");
    }

    #[test]
    fn a_schedule_comes_at_the_minutes_it_says_in_its_zone() {
        let after = "2026-01-01T00:00:00Z";
        check_next(
            "*/20 0 * * *",
            "UTC",
            after,
            &["2026-01-01T00:20:00Z", "2026-01-01T00:40:00Z", "2026-01-02T00:00:00Z"],
        );
        check_next("0 9 * * *", "Asia/Kathmandu", after, &["2026-01-01T03:15:00Z"]);
        check_next("30 7 * * mon", "America/New_York", after, &["2026-01-05T12:30:00Z"]);
        check_next("0 0 29 2 *", "UTC", after, &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
        // Either day is enough where both are said, and both are needed where one is `*`.
        check_next(
            "0 0 13 * fri",
            "UTC",
            after,
            &["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"],
        );
        check_next("0 12 31 * *", "UTC", "2026-01-31T12:00:00Z", &["2026-03-31T12:00:00Z"]);
    }

    #[test]
    fn a_time_that_a_clock_skips_comes_once_right_after() {
        let (zone, after) = ("Europe/Berlin", "2026-03-29T00:00:00Z");
        check_next("30 2 * * *", zone, after, &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        check_next(
            "10,20,30 2 * * *",
            zone,
            after,
            &["2026-03-29T01:00:00Z", "2026-03-30T00:10:00Z"],
        );
        // What comes right then anyway comes once.
        check_next("0 2,3 * * *", zone, after, &["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"]);
        check_next(
            "*/30 * * * *",
            zone,
            "2026-03-29T00:15:00Z",
            &["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"],
        );
        // A day that an island never had.
        check_next(
            "0 9 30 12 *",
            "Pacific/Apia",
            "2011-12-29T20:00:00Z",
            &["2011-12-30T10:00:00Z", "2012-12-29T19:00:00Z"],
        );
    }

    #[test]
    fn a_time_that_a_clock_shows_twice_comes_once() {
        let (zone, after) = ("Europe/Berlin", "2026-10-24T22:00:00Z");
        check_next("30 2 * * *", zone, after, &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        // How much time passes is another matter.
        check_next(
            "*/30 * * * *",
            zone,
            "2026-10-25T00:15:00Z",
            &[
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z",
            ],
        );
        let it = schedule(r#"{"cron": "30 2 * * *", "timezone": "Europe/Berlin"}"#);
        assert!(!it.has_come(ms("2026-10-25T00:30:00Z"), ms("2026-10-26T01:29:59Z")));
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_it_is_said() {
        let (after, now) = ("2026-01-01T00:30:00Z", "2026-01-01T04:10:00Z");
        let all = [
            "2026-01-01T01:00:00Z",
            "2026-01-01T02:00:00Z",
            "2026-01-01T03:00:00Z",
            "2026-01-01T04:00:00Z",
        ];
        check_due(r#"{"cron": "0 * * * *", "catch_up": "all"}"#, after, now, &all);
        check_due(r#"{"cron": "0 * * * *", "catch_up": "latest"}"#, after, now, &all[3..]);
        check_due(r#"{"cron": "0 * * * *"}"#, after, now, &all[3..]);
        check_due(r#"{"cron": "0 * * * *", "catch_up": "none"}"#, after, now, &[]);
        let on_time = "2026-01-01T04:00:30Z";
        check_due(r#"{"cron": "0 * * * *", "catch_up": "none"}"#, after, on_time, &all[3..]);
        let window = r#"{"cron": "0 * * * *", "catch_up": "all", "window": "2h"}"#;
        check_due(window, after, now, &all[2..]);
        let window = r#"{"cron": "0 * * * *", "window": "1m"}"#;
        check_due(window, after, now, &[]);
        let at = r#"{"at": "2026-01-01T01:00:00Z"}"#;
        check_due(at, after, now, &all[..1]);
        check_due(r#"{"at": "2026-01-01T01:00:00Z", "catch_up": "none"}"#, after, now, &[]);
        check_due(at, "2026-01-01T01:00:00Z", now, &[]);
    }

    #[test]
    fn a_clock_that_went_back_brings_nothing_a_second_time() {
        let it = schedule(r#"{"cron": "0 * * * *", "catch_up": "all"}"#);
        let seen = ms("2026-01-01T04:00:00Z");
        assert_eq!(it.due_ms(seen, ms("2026-01-01T02:30:00Z")).len(), 0);
        assert_eq!(it.due_ms(seen, ms("2026-01-01T04:59:59Z")).len(), 0);
        assert_eq!(it.due_ms(seen, ms("2026-01-01T05:00:00Z")).len(), 1);
    }

    #[test]
    fn years_of_minutes_are_made_up_for_within_bounds() {
        let it = schedule(r#"{"cron": "* * * * *", "catch_up": "all"}"#);
        let due = it.due_ms(ms("2001-01-01T00:00:00Z"), ms("2026-01-01T00:00:00Z"));
        assert_eq!(due.len(), MISSED_MAX);
        assert_eq!(shown(*due.last().unwrap()), "2026-01-01T00:00:00Z");
    }
}
