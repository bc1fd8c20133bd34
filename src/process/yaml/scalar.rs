//! What scalars mean by the core schema of YAML 1.2.

use serde_json::Number;

use super::Kind;

/// A scalar without quotes; numbers that JSON cannot hold are an error.
pub fn plain(text: &str) -> Result<Kind, &'static str> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => match text.bytes().next() {
            Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text)?,
            _ => Kind::Text(text.to_owned()),
        },
    })
}

fn number(text: &str) -> Result<Kind, &'static str> {
    let is_of = |text: &str, radix| !text.is_empty() && text.chars().all(|it| it.is_digit(radix));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let too_long = "a number of more than 64 bits is written in quotes";
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|it| is_of(it, radix)) {
            let number = u64::from_str_radix(digits, radix).map_err(|_| too_long)?;
            return Ok(Kind::Number(number.into()));
        }
    }
    if is_of(unsigned, 10) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let signed = text.parse::<i64>().map(Number::from);
        let number = text.parse::<u64>().map(Number::from).or(signed).map_err(|_| too_long)?;
        return Ok(Kind::Number(number));
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err("data has no numbers that are infinite or none");
    }
    if !is_float(unsigned) {
        return Ok(Kind::Text(text.to_owned()));
    }
    let float: f64 = text.parse().map_err(|_| too_long)?;
    Number::from_f64(float).map(Kind::Number).ok_or(too_long)
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let is_digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_exponent = |it: &str| {
        let digits = it.strip_prefix(['+', '-']).unwrap_or(it);
        !digits.is_empty() && is_digits(digits)
    };
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    has_digits && is_digits(whole) && is_digits(fraction) && exponent.is_none_or(is_exponent)
}
