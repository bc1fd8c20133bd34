//! The one way to write a JSON value, so that values are the same if their bytes are.
//!
//! It is that of RFC 8785: keys in the order of their UTF-16 units, no blanks, shortest numbers.
//! Only numbers of another kind stay apart, since expressions tell them apart: an integer is all
//! of its digits, however many, and a fraction that is whole ends in `.0`.

use std::{cmp::Ordering, fmt::Write};

use serde_json::{Number, Value};

/// Beyond so many digits before the point an exponent is written, as ECMAScript does.
const DIGITS_MAX: i32 = 21;
/// And beyond so many zeros behind it.
const ZEROS_MAX: i32 = 5;

pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    put(&mut text, value);
    text
}

/// The same of an object with these entries.
pub fn canonical_object<'v>(entries: impl Iterator<Item = (&'v String, &'v Value)>) -> String {
    let mut text = String::new();
    write_object(&mut text, entries);
    text
}

fn put(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(it) => text.push_str(if *it { "true" } else { "false" }),
        Value::Number(it) => number(text, it),
        Value::String(it) => quote(text, it),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(text, index);
                put(text, item);
            }
            text.push(']');
        }
        Value::Object(entries) => write_object(text, entries.iter()),
    }
}

fn write_object<'v>(text: &mut String, entries: impl Iterator<Item = (&'v String, &'v Value)>) {
    let mut sorted: Vec<(&String, &Value)> = entries.collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| order(a, b));
    text.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        separate(text, index);
        quote(text, key);
        text.push(':');
        put(text, value);
    }
    text.push('}');
}

fn separate(text: &mut String, index: usize) {
    if index != 0 {
        text.push(',');
    }
}

/// By UTF-16 units, which is by bytes but for what lies beyond the units that come in pairs.
fn order(a: &str, b: &str) -> Ordering {
    const BEYOND: u8 = 0xee;
    let differs = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    match differs {
        Some((a, b)) if a < BEYOND && b < BEYOND => a.cmp(&b),
        Some(_) => a.encode_utf16().cmp(b.encode_utf16()),
        None => a.len().cmp(&b.len()),
    }
}

fn quote(text: &mut String, it: &str) {
    let is_plain = |byte: u8| 0x20 <= byte && byte != b'"' && byte != b'\\';
    match it.bytes().all(is_plain) {
        true => {
            text.push('"');
            text.push_str(it);
            text.push('"');
        }
        false => text.push_str(&serde_json::to_string(it).expect("a text can be written")),
    }
}

fn number(text: &mut String, number: &Number) {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(fraction) => text.push_str(&shortest(fraction)),
        None => write!(text, "{number}").expect("memory does not fail"),
    }
}

/// The shortest decimal that reads back as the same number.
fn shortest(number: f64) -> String {
    if number == 0.0 {
        return "0.0".to_owned();
    }
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("it is written with one");
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().expect("it is a small number");
    let (count, point) = (digits.len() as i32, exponent + 1);
    let zeros = |count: i32| "0".repeat(count as usize);
    let unsigned = match point {
        _ if count <= point && point <= DIGITS_MAX => format!("{digits}{}.0", zeros(point - count)),
        1..=DIGITS_MAX => {
            let (whole, rest) = digits.split_at(point as usize);
            format!("{whole}.{rest}")
        }
        _ if (-ZEROS_MAX..=0).contains(&point) => format!("0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{exponent:+}")
        }
    };
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{unsigned}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_utf_16_units_and_nothing_is_between() {
        let value = json!({"\u{20ac}": 1, "\r": [null, true], "\u{fb33}": {}, "1": "\u{0}\"\\\n",
            "\u{1f600}": false, "\u{80}": [], "\u{f6}": "\u{7f}/"});
        let wanted = "{\"\\r\":[null,true],\"1\":\"\\u0000\\\"\\\\\\n\",\"\u{80}\":[],\
            \"\u{f6}\":\"\u{7f}/\",\"\u{20ac}\":1,\"\u{1f600}\":false,\"\u{fb33}\":{}}";
        assert_eq!(canonical(&value), wanted);
    }

    #[test]
    fn keys_that_differ_late_or_in_length_are_ordered_by_their_units_too() {
        let mut keys = ["ab", "a", "", "aé", "a\u{10000}", "a\u{e000}", "a\u{ffff}", "a\u{d7ff}b"];
        let mut wanted = keys;
        keys.sort_by(|a, b| order(a, b));
        wanted.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        assert_eq!(keys, wanted);
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be_and_keep_their_kind() {
        for (number, wanted) in [
            (json!(0), "0"),
            (json!(-7), "-7"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(0.0), "0.0"),
            (json!(-0.0), "0.0"),
            (json!(1.0), "1.0"),
            (json!(-4.5), "-4.5"),
            (json!(0.1), "0.1"),
            (json!(123_456.75), "123456.75"),
            (json!(1e20), "100000000000000000000.0"),
            (json!(1e21), "1e+21"),
            (json!(1.5e300), "1.5e+300"),
            (json!(0.000_001), "0.000001"),
            (json!(1e-7), "1e-7"),
            (json!(5e-324), "5e-324"),
            (json!(333_333_333.333_333_3), "333333333.3333333"),
        ] {
            assert_eq!(canonical(&number), wanted);
        }
    }

    #[test]
    fn what_is_written_reads_back_as_the_same() {
        let value = json!({"a": [1, 1.0, 2.5e-9, -1e100, "ü\u{1f600}"], "b": {"c": null}});
        assert_eq!(serde_json::from_str::<Value>(&canonical(&value)).unwrap(), value);
    }
}
