//! Values that can be written in several forms: a word, a number, a list, a map.
//!
//! Each type says what it makes of a form; what it does not take is refused with words that tell
//! what would be right, and an unknown key inside of a map is named.

use std::{fmt, marker::PhantomData};

use serde::de::{
    Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor,
    value::{MapAccessDeserializer, SeqAccessDeserializer},
};

use super::{
    Data,
    around::{Deadline, DeadlineRule, Duration, Retry},
    flow::{Cancel, Join, JoinRule, JoinWord, Names, Quorum},
    test::{Line, Test},
    work::{
        Await, AwaitRule, Call, CallRule, Collect, CollectRule, Count, EachJoin, EachWord, Emit,
        EmitRule, Expression,
    },
};

/// What a type makes of each form.
trait Forms: Sized {
    /// Completes "expected …".
    const EXPECTED: &'static str;

    fn of_text(_: &str) -> Option<Self> {
        None
    }

    fn of_number(_: u64) -> Option<Self> {
        None
    }

    fn of_list<'de, A: SeqAccess<'de>>(_: A) -> Option<Result<Self, A::Error>> {
        None
    }

    fn of_map<'de, A: MapAccess<'de>>(_: A) -> Option<Result<Self, A::Error>> {
        None
    }
}

struct FormVisitor<T>(PhantomData<T>);

impl<'de, T: Forms> Visitor<'de> for FormVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
        T::of_text(text).ok_or_else(wrong)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let wrong = || E::invalid_value(serde::de::Unexpected::Unsigned(number), &self);
        T::of_number(number).ok_or_else(wrong)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let wrong = || E::invalid_value(serde::de::Unexpected::Signed(number), &self);
        u64::try_from(number).ok().and_then(T::of_number).ok_or_else(wrong)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        let wrong = A::Error::invalid_type(serde::de::Unexpected::Seq, &self);
        T::of_list(list).unwrap_or(Err(wrong))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let wrong = A::Error::invalid_type(serde::de::Unexpected::Map, &self);
        T::of_map(map).unwrap_or(Err(wrong))
    }
}

/// Forms of a type: `text`, `number`, `list` and `map` are followed by what makes the value.
macro_rules! forms {
    ($type:ty, $expected:literal $(, text $text:expr)? $(, number $number:expr)?
     $(, list $list:expr)? $(, map $map:expr)?) => {
        impl Forms for $type {
            const EXPECTED: &'static str = $expected;
            $(fn of_text(text: &str) -> Option<Self> { $text(text) })?
            $(fn of_number(number: u64) -> Option<Self> { $number(number) })?
            $(fn of_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
                Some(Deserialize::deserialize(SeqAccessDeserializer::new(list)).map($list))
            })?
            $(fn of_map<'de, A: MapAccess<'de>>(map: A) -> Option<Result<Self, A::Error>> {
                Some(Deserialize::deserialize(MapAccessDeserializer::new(map)).map($map))
            })?
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(FormVisitor(PhantomData))
            }
        }
    };
}

fn small(number: u64) -> Option<u32> {
    u32::try_from(number).ok()
}

forms!(Names, "a name or a list of names",
    text |it: &str| Some(Names::One(it.to_owned())),
    list Names::Many);
forms!(Join, "`one`, `all`, `any`, a number, or {n, rest, from, tokens}",
    text |it: &str| JoinWord::named(it).map(Join::Word),
    number |it| small(it).map(Join::Count),
    map |it: JoinRule| Join::Rule(Box::new(it)));
forms!(Quorum, "a number or an expression",
    text |it: &str| Some(Quorum::Expression(Expression(it.to_owned()))),
    number |it| small(it).map(Quorum::Count));
forms!(Cancel, "\"*\" or a list of steps",
    text |it: &str| (it == "*").then_some(Cancel::Everything("*".to_owned())),
    list Cancel::Steps);
forms!(EachJoin, "`all`, `none`, `one`, a number or an expression",
    text |it: &str| Some(match EachWord::named(it) {
        Some(word) => EachJoin::Word(word),
        None => EachJoin::Expression(Expression(it.to_owned())),
    }),
    number |it| small(it).map(EachJoin::Count));
forms!(Count, "a number or an expression",
    text |it: &str| Some(Count::Expression(Expression(it.to_owned()))),
    number |it| Some(Count::Number(it)));
forms!(Await, "the name of an event, or {event, keep, keep_for, key, after}",
    text |it: &str| Some(Await::Event(it.to_owned())),
    map |it: AwaitRule| Await::Rule(Box::new(it)));
forms!(Emit, "the name of an event, a list of them, or {event, key, data}",
    text |it: &str| Some(Emit::Event(it.to_owned())),
    list Emit::Many,
    map |it: EmitRule| Emit::Rule(Box::new(it)));
forms!(Call, "the name of a process, or {process_name, process_version}",
    text |it: &str| Some(Call::Name(it.to_owned())),
    map |it: CallRule| Call::Rule(it));
forms!(Collect, "a name in the data, or {into, value}",
    text |it: &str| Some(Collect::Into(it.to_owned())),
    map |it: CollectRule| Collect::Rule(it));
forms!(Retry, "{attempts, …} or a list of such rules",
    list Retry::Rules,
    map Retry::Rule);
forms!(Deadline, "a duration, or {after, escalate}",
    text |it: &str| Duration::parse(it).map(Deadline::After),
    map |it: DeadlineRule| Deadline::Rule(Box::new(it)));
forms!(Duration, "a duration such as `500ms`, `1h30m`, `7d` or `PT15M`",
    text Duration::parse);
forms!(Line, "a line of a script, or one with data",
    text |it: &str| Some(Line::Do(it.to_owned())),
    map |it: Data| Line::With(it));

impl Forms for Test {
    const EXPECTED: &'static str = "a list of lines, {data, script}, or {given, scenario}";

    fn of_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        Some(Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Test::Script))
    }

    fn of_map<'de, A: MapAccess<'de>>(map: A) -> Option<Result<Self, A::Error>> {
        Some(Test::of_map(MapAccessDeserializer::new(map)))
    }
}

impl<'de> Deserialize<'de> for Test {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FormVisitor(PhantomData))
    }
}
