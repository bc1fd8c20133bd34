//! Trees as serde reads them, so that each failure knows what it is about.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor, value::StrDeserializer,
};

use crate::process::{
    source::Span,
    yaml::{Entry, Kind, Node},
};

/// Which item of a list or entry of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(pub usize);

#[derive(Debug)]
pub struct Failure {
    pub reason: Reason,
    /// Of a key; else it is about the value that the turns lead to.
    pub span: Option<Span>,
    /// From the inside to the outside.
    pub turns: Vec<Turn>,
}

#[derive(Debug)]
pub enum Reason {
    UnknownKey(String, &'static [&'static str]),
    MissingKey(&'static str),
    TwoKeys(&'static str),
    UnknownWord(String, &'static [&'static str]),
    /// What there should be.
    Wrong(String),
}

impl Failure {
    fn new(reason: Reason) -> Failure {
        Failure { reason, span: None, turns: Vec::new() }
    }

    fn behind(mut self, turn: usize) -> Failure {
        self.turns.push(Turn(turn));
        self
    }

    pub fn is_missing(&self) -> bool {
        matches!(self.reason, Reason::MissingKey(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.reason)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Failure {
        Failure::new(Reason::Wrong(message.to_string()))
    }

    fn invalid_type(_: Unexpected, expected: &dyn Expected) -> Failure {
        let words = match expected.to_string().as_str() {
            "a string" => "text".to_owned(),
            "a boolean" => "`true` or `false`".to_owned(),
            "a sequence" => "a list".to_owned(),
            number @ ("u32" | "u64") => format!("a whole number ({number})"),
            "i32" => "a whole number".to_owned(),
            words if words.starts_with("struct ") => "a map".to_owned(),
            words => words.to_owned(),
        };
        Failure::new(Reason::Wrong(words))
    }

    fn invalid_value(unexpected: Unexpected, expected: &dyn Expected) -> Failure {
        Failure::invalid_type(unexpected, expected)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Failure {
        Failure::new(Reason::UnknownKey(key.to_owned(), known))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Failure {
        Failure::new(Reason::UnknownWord(word.to_owned(), known))
    }

    fn missing_field(key: &'static str) -> Failure {
        Failure::new(Reason::MissingKey(key))
    }

    fn duplicate_field(key: &'static str) -> Failure {
        Failure::new(Reason::TwoKeys(key))
    }
}

pub struct Reader<'a> {
    node: &'a Node,
}

impl<'a> Reader<'a> {
    pub fn new(node: &'a Node) -> Reader<'a> {
        Reader { node }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(it) => visitor.visit_bool(*it),
            Kind::Number(it) => match (it.as_u64(), it.as_i64()) {
                (Some(it), _) => visitor.visit_u64(it),
                (None, Some(it)) => visitor.visit_i64(it),
                (None, None) => visitor.visit_f64(it.as_f64().unwrap_or_default()),
            },
            Kind::Text(it) => visitor.visit_borrowed_str(it),
            Kind::List(items) => visitor.visit_seq(Items { items, at: 0 }),
            Kind::Map(entries) => visitor.visit_map(Entries { entries, at: 0 }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.node.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    /// A map only: what a list says would depend on the order of our own fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.node.kind {
            Kind::List(_) => Err(Failure::new(Reason::Wrong("a map".to_owned()))),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.node.kind {
            Kind::Text(word) => visitor.visit_enum(Word { word, value: None, span: None }),
            Kind::Map(entries) if entries.len() == 1 => {
                let Entry { key, key_span, value } = &entries[0];
                let word = Word { word: key, value: Some(value), span: Some(*key_span) };
                visitor.visit_enum(word)
            }
            _ => {
                let words: Vec<String> = words.iter().map(|it| format!("`{it}`")).collect();
                Err(Failure::new(Reason::Wrong(format!("one of {}", words.join(", ")))))
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a> {
    items: &'a [Node],
    at: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failure> {
        let Some(node) = self.items.get(self.at) else { return Ok(None) };
        self.at += 1;
        let element = seed.deserialize(Reader { node });
        element.map(Some).map_err(|it| it.behind(self.at - 1))
    }
}

struct Entries<'a> {
    entries: &'a [Entry],
    at: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        let Some(entry) = self.entries.get(self.at) else { return Ok(None) };
        self.at += 1;
        let key = seed.deserialize(StrDeserializer::<Failure>::new(&entry.key));
        key.map(Some).map_err(|it| Failure { span: Some(entry.key_span), ..it }.behind(self.at - 1))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Failure> {
        let at = self.at - 1;
        let node = &self.entries[at].value;
        seed.deserialize(Reader { node }).map_err(|it| it.behind(at))
    }
}

/// A word of a list of words, with a value if it is the only key of a map.
struct Word<'a> {
    word: &'a str,
    value: Option<&'a Node>,
    span: Option<Span>,
}

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Failure> {
        let word = seed.deserialize(StrDeserializer::<Failure>::new(self.word));
        word.map(|it| (it, Word { ..self })).map_err(|it| Failure { span: self.span, ..it })
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(Failure::new(Reason::Wrong("a word".to_owned()))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        match self.value {
            Some(node) => seed.deserialize(Reader { node }).map_err(|it| it.behind(0)),
            None => Err(Failure::new(Reason::Wrong(format!("a map {{{}: …}}", self.word)))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Failure> {
        Err(Failure::new(Reason::Wrong("a word".to_owned())))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Failure> {
        Err(Failure::new(Reason::Wrong("a word".to_owned())))
    }
}
