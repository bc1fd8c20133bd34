//! Points in time, in all the ways databases write them.

use jiff::{civil, fmt::temporal::Pieces, tz::Offset};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since 1970.
    pub seconds: i64,
    /// Minutes east of Greenwich.
    pub offset: i32,
}

/// In seconds this is the year 5138, in milliseconds 1973.
const SECONDS_MAX: i64 = 100_000_000_000;

/// Reads seconds or milliseconds since 1970, or ISO 8601. Without an offset it is UTC.
pub fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    match text.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'-' | b'.')) {
        true => from_number(text).or_else(|| from_words(text)),
        false => from_words(text),
    }
}

fn from_number(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let seconds = match whole.checked_abs()? {
        ..SECONDS_MAX => whole,
        it if it < 1000 * SECONDS_MAX => whole.div_euclid(1000),
        _ => return None,
    };
    Some(Time { seconds, offset: 0 })
}

fn from_words(text: &str) -> Option<Time> {
    let pieces = Pieces::parse(text).ok()?;
    let offset = match pieces.to_numeric_offset() {
        Some(offset) => offset,
        // The name of a zone would need this machine's idea of that zone.
        None if pieces.time_zone_annotation().is_some() => return None,
        None => Offset::UTC,
    };
    let time = pieces.time().unwrap_or(civil::Time::midnight());
    let timestamp = offset.to_timestamp(pieces.date().to_datetime(time)).ok()?;
    let seconds = timestamp.as_nanosecond().div_euclid(1_000_000_000);
    Some(Time { seconds: i64::try_from(seconds).ok()?, offset: offset.seconds() / 60 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(i64, i32)>) {
        assert_eq!(parse(text).map(|it| (it.seconds, it.offset)), expected, "{text}");
    }

    #[test]
    fn a_time_is_read_however_it_is_written() {
        let noon = 1_704_196_800;
        check("1704196800", Some((noon, 0)));
        check("1704196800999", Some((noon, 0)));
        check("1704196800.25", Some((noon, 0)));
        check("-1", Some((-1, 0)));
        check("-200000000001", Some((-200_000_001, 0)));
        check("0", Some((0, 0)));
        check("2024-01-02T12:00:00Z", Some((noon, 0)));
        check("2024-01-02T12:00:00.999Z", Some((noon, 0)));
        check("2024-01-02 12:00:00", Some((noon, 0)));
        check("2024-01-02 12:00:00+00", Some((noon, 0)));
        check("2024-01-02 14:00:00.123456+02", Some((noon, 120)));
        check("2024-01-02T06:30:00-05:30", Some((noon, -330)));
        check("2024-01-02", Some((noon - 12 * 3600, 0)));
        check(" 20240102T120000Z ", Some((noon, 0)));
        check("1969-12-31T23:59:59.5Z", Some((-1, 0)));
    }

    #[test]
    fn what_is_no_time_is_none() {
        let words = ["", "yesterday", "1.2.3", "12:00", "infinity", "2024-13-01", "2024-02-30"];
        for text in words {
            check(text, None);
        }
        for text in ["1704196800000000", "9223372036854775808", "-9223372036854775808", "1e9"] {
            check(text, None);
        }
        check("2024-01-02T12:00:00[Europe/Berlin]", None);
    }
}
