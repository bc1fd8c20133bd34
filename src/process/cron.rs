//! Schedules: minute, hour, day of the month, month and day of the week.
//!
//! Each is `*`, a number, a name of a month or day, a range, a list of these, with `/` a step. If
//! both days are said, either of them is enough, as cron has always had it.

use std::ops::Range;

/// The numbers of each field, as bits.
#[derive(Debug, PartialEq, Eq)]
pub struct Cron {
    pub minutes: u64,
    pub hours: u64,
    pub days: u64,
    pub months: u64,
    /// From Sunday, which is 0.
    pub weekdays: u64,
    /// Whether only one of the days has to be right.
    pub is_either_day: bool,
}

/// What is wrong with a schedule, and by which of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub message: String,
    pub bytes: Range<usize>,
}

struct Field {
    name: &'static str,
    from: u32,
    to: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", from: 0, to: 59, names: &[] },
    Field { name: "hour", from: 0, to: 23, names: &[] },
    Field { name: "day of the month", from: 1, to: 31, names: &[] },
    Field { name: "month", from: 1, to: 12, names: &MONTHS },
    // Sunday is 0 and 7.
    Field { name: "day of the week", from: 0, to: 7, names: &WEEKDAYS },
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// The most days that each month has.
const MONTH_DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const SHORT: [(&str, &str); 6] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    pub fn parse(text: &str) -> Result<Cron, Wrong> {
        let whole = |message: String| Wrong { message, bytes: 0..text.len() };
        let long = SHORT.iter().find(|it| it.0 == text).map(|it| it.1);
        let fields: Vec<&str> = long.unwrap_or(text).split_ascii_whitespace().collect();
        let Ok([minutes, hours, days, months, weekdays]) = <[&str; 5]>::try_from(&fields[..])
        else {
            let count = fields.len();
            return Err(whole(format!(
                "write five fields (minute, hour, day of the month, month, day of the week), \
                    not {count}"
            )));
        };
        let at = |field: &str| match long {
            // All are pieces of the same text.
            None => {
                let start = field.as_ptr() as usize - text.as_ptr() as usize;
                start..start + field.len()
            }
            Some(_) => 0..text.len(),
        };
        let read = |no: usize, field: &str| {
            set(&FIELDS[no], field).map_err(|message| Wrong { message, bytes: at(field) })
        };
        let week = read(4, weekdays)?;
        let cron = Cron {
            minutes: read(0, minutes)?,
            hours: read(1, hours)?,
            days: read(2, days)?,
            months: read(3, months)?,
            weekdays: (week | week >> 7) & 0x7f,
            is_either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        };
        match cron.comes() {
            true => Ok(cron),
            false => Err(whole("name a day that the month has: this never comes".to_owned())),
        }
    }

    /// Whether there is such a day in some year.
    fn comes(&self) -> bool {
        let has = |set: u64, number: u32| set >> number & 1 == 1;
        let fits = |month: usize| {
            let is_day = |day| has(self.days, day);
            has(self.months, month as u32 + 1) && (1..=MONTH_DAYS[month]).any(is_day)
        };
        self.is_either_day || (0..12).any(fits)
    }
}

fn set(field: &Field, text: &str) -> Result<u64, String> {
    text.split(',').try_fold(0, |all, part| Ok(all | range(field, part)?))
}

fn range(field: &Field, text: &str) -> Result<u64, String> {
    let Field { name, from, to, .. } = field;
    let (numbers, step) = match text.split_once('/') {
        Some((numbers, step)) => (numbers, Some(step)),
        None => (text, None),
    };
    let by: u32 = match step.map(str::parse) {
        None => 1,
        Some(Ok(by)) if by > 0 => by,
        Some(_) => return Err(format!("write a number behind `/` in the {name}")),
    };
    let (first, last) = match (numbers, numbers.split_once('-')) {
        ("*", _) => (*from, *to),
        (_, Some((first, last))) => (number(field, first)?, number(field, last)?),
        (_, None) => {
            let first = number(field, numbers)?;
            (first, if step.is_some() { *to } else { first })
        }
    };
    if first > last {
        return Err(format!("turn the range of the {name} round: {first} is after {last}"));
    }
    Ok((first..=last).step_by(by as usize).fold(0, |all, it| all | 1 << it))
}

fn number(field: &Field, text: &str) -> Result<u32, String> {
    let Field { name, from, to, names } = field;
    if let Some(at) = names.iter().position(|it| it.eq_ignore_ascii_case(text)) {
        return Ok(at as u32 + from);
    }
    let is_digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let number = text.parse().ok().filter(|it| is_digits && (from..=to).contains(&it));
    number.ok_or_else(|| format!("write a {name} from {from} to {to} instead of `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = match Cron::parse(text) {
            Ok(it) => format!(
                "{:x} {:x} {:x} {:x} {:x}",
                it.minutes, it.hours, it.days, it.months, it.weekdays
            ),
            Err(it) => format!("{:?} {}", it.bytes, it.message),
        };
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn a_schedule_is_five_sets_of_numbers() {
        check("0 9 * * mon-fri", "1 200 fffffffe 1ffe 3e");
        check("*/15 0-2,4 1 jan 7", "200040008001 17 2 2 1");
        check("@daily", "1 1 fffffffe 1ffe 7f");
        check("5/20 1 * * *", "200002000020 2 fffffffe 1ffe 7f");
    }

    #[test]
    fn what_is_none_is_refused_with_its_place() {
        check(
            "0 9 * *",
            "0..7 write five fields (minute, hour, day of the month, month, day of the week), \
                not 4",
        );
        check("0 24 * * *", "2..4 write a hour from 0 to 23 instead of `24`");
        check("0 9 30 2 *", "0..10 name a day that the month has: this never comes");
        check("*/0 9 * * *", "0..3 write a number behind `/` in the minute");
        check("0 9 * * fri-mon", "8..15 turn the range of the day of the week round: 5 is after 1");
        check("0 +9 * * *", "2..4 write a hour from 0 to 23 instead of `+9`");
    }
}
