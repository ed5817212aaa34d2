//! JSON in which no object has a field twice.
//!
//! RFC 8259 leaves open what a repeated name means, and readers differ: of `{"quantity":1,
//! "quantity":100}` one takes 1 and another 100. Such a text is refused instead of guessed at.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text is not JSON that can be understood in one way only.
#[derive(Debug)]
pub(super) enum NotStrict {
    /// An object has this field twice.
    Twice(String),
    /// Not JSON, or something after it.
    Syntax(serde_json::Error),
}

/// Parses a text that is one JSON value and nothing else.
pub(super) fn parse(text: &str) -> Result<Value, NotStrict> {
    let twice = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict(&twice).deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| match twice.take() {
        Some(field) => NotStrict::Twice(field),
        None => NotStrict::Syntax(error),
    })
}

/// Builds a [`Value`], and notes the first field that stands twice in its object.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(field) = fields.next_key::<String>()? {
            if object.contains_key(&field) {
                self.0.replace(Some(field));
                return Err(A::Error::custom("a field appears twice"));
            }
            object.insert(field, fields.next_value_seed(self)?);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_field_that_stands_twice_is_named_at_any_depth() {
        for text in [
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"x":{"y":[1,{"a":1,"a":2}]}}"#,
            r#"[{"a":null,"\u0061":null}]"#,
        ] {
            let Err(NotStrict::Twice(field)) = parse(text) else {
                panic!("{text}");
            };
            assert_eq!(field, "a");
        }
    }

    #[test]
    fn what_follows_a_value_is_no_part_of_it() {
        for text in ["{} {}", "", "{", "[1,]"] {
            assert!(matches!(parse(text), Err(NotStrict::Syntax(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn other_texts_are_read_as_everybody_reads_them(text in r#"[\[\]{}:,"a0-9.e -]{0,40}"#) {
            if let Ok(value) = parse(&text) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            } else if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert!(value.is_object() || value.is_array(), "{}", value);
            }
        }
    }
}
