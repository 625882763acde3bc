//! From nodes to Rust's types, by serde: a struct says which members there are and of which type, and whatever else
//! stands there is refused at its place. Functions are evaluated where a value is asked for, and nowhere else, so that
//! what nobody reads may be anything.

use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::error::{Fault, Place};
use crate::node::{Entry, Node, Value, is_null};
use crate::scope::Scope;

/// The name by which a value asks for its place.
const AT: &str = "$template::At";

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// Where.
    pub place: Place,
    /// What.
    pub value: T,
}

/// A value in which functions are evaluated; the members of these names are left out, whatever they are.
pub(crate) fn evaluated<T: DeserializeOwned>(scope: &Scope<'_>, node: &Node, unread: &[&str]) -> Result<T, Fault> {
    T::deserialize(Reader { scope, node, unread }).map_err(|fault| fault.at(node.place))
}

/// A value in which there can be no functions.
pub(crate) fn literal<T: DeserializeOwned>(node: &Node, unread: &[&str]) -> Result<T, Fault> {
    evaluated(&Scope::default(), node, unread)
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    scope: &'a Scope<'a>,
    node: &'a Node,
    unread: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn members<'n>(self, entries: &'n [Entry]) -> Members<'n>
    where
        'a: 'n,
    {
        Members { scope: self.scope, entries: entries.iter(), unread: self.unread, current: None }
    }

    fn with<R>(self, then: impl FnOnce(&Node) -> Result<R, Fault>) -> Result<R, Fault> {
        match self.scope.reduce(self.node)? {
            Some(node) => then(&node),
            None => Err(Fault::new(self.node.place, "expected a value, found AWS::NoValue")),
        }
    }

    fn text<R>(self, then: impl FnOnce(&str) -> Result<R, Fault>) -> Result<R, Fault> {
        self.with(|node| then(node.literal()?))
    }

    fn number<N: std::str::FromStr>(self, expected: &str) -> Result<N, Fault> {
        self.with(|node| match &node.value {
            Value::Scalar { text, .. } => text.trim().parse().map_err(|_unlike| node.unlike(expected)),
            Value::List(_) | Value::Map(_) | Value::Tagged(..) => Err(node.unlike(expected)),
        })
    }
}

/// Calls a visitor, and puts the place to what it refuses.
macro_rules! numbers {
    ($($method:ident $visit:ident $expected:literal)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.number($expected)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.with(|node| match &node.value {
            Value::Scalar { text, quoted: true } => visitor.visit_str(text),
            Value::Scalar { text, quoted: false } => plain(node, text, visitor),
            Value::List(items) => visitor.visit_seq(Items { scope: self.scope, items: items.iter() }),
            Value::Map(entries) => visitor.visit_map(self.members(entries)),
            Value::Tagged(..) => Err(node.unlike("a value")),
        })
    }

    numbers! {
        deserialize_i8 visit_i8 "a whole number"
        deserialize_i16 visit_i16 "a whole number"
        deserialize_i32 visit_i32 "a whole number"
        deserialize_i64 visit_i64 "a whole number"
        deserialize_u8 visit_u8 "a whole number"
        deserialize_u16 visit_u16 "a whole number"
        deserialize_u32 visit_u32 "a whole number, not below 0"
        deserialize_u64 visit_u64 "a whole number, not below 0"
        deserialize_f32 visit_f32 "a number"
        deserialize_f64 visit_f64 "a number"
        deserialize_bool visit_bool "true or false"
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(|text| visitor.visit_str(text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(|text| visitor.visit_str(text))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scope.is_absent(self.node)? {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if name == AT {
            return visitor.visit_seq(Placed { reader: self, next: 0 });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.with(|node| visitor.visit_seq(Items { scope: self.scope, items: node.items()?.iter() }))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.with(|node| {
            let members = self.members(node.entries()?);
            visitor.visit_map(members).map_err(|fault| fault.at(node.place))
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.text(|text| visitor.visit_enum(text.into_deserializer()))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier }
}

/// A value whose type YAML tells from how it is written.
fn plain<'de, V: Visitor<'de>>(node: &Node, text: &str, visitor: V) -> Result<V::Value, Fault> {
    if is_null(text) {
        return Err(node.unlike("a value"));
    }
    if let Ok(truth) = text.parse() {
        return visitor.visit_bool(truth);
    }
    if let Ok(number) = text.parse() {
        return visitor.visit_i64(number);
    }
    match text.parse() {
        Ok(number) if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) => {
            visitor.visit_f64(number)
        }
        _ => visitor.visit_str(text),
    }
}

struct Items<'a> {
    scope: &'a Scope<'a>,
    items: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        for node in self.items.by_ref() {
            if !self.scope.is_absent(node)? {
                let item = seed.deserialize(Reader { scope: self.scope, node, unread: &[] });
                return item.map(Some).map_err(|fault| fault.at(node.place));
            }
        }
        Ok(None)
    }
}

struct Members<'a> {
    scope: &'a Scope<'a>,
    entries: std::slice::Iter<'a, Entry>,
    unread: &'a [&'a str],
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        for entry in self.entries.by_ref().filter(|entry| !self.unread.contains(&entry.key.as_str())) {
            if !self.scope.is_absent(&entry.node).map_err(|fault| fault.below(&entry.key))? {
                self.current = Some(entry);
                let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
                return seed.deserialize(key).map(Some).map_err(|fault| fault.at(entry.key_place));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(Entry { key, node, .. }) = self.current.take() else {
            return Err(serde::de::Error::custom("a value was asked for before its key"));
        };
        let value = seed.deserialize(Reader { scope: self.scope, node, unread: &[] });
        value.map_err(|fault| fault.at(node.place).below(key))
    }
}

/// Line, column and value, for [`At`].
struct Placed<'a> {
    reader: Reader<'a>,
    next: u8,
}

impl<'de> SeqAccess<'de> for Placed<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Place { line, column } = self.reader.node.place;
        self.next = self.next.saturating_add(1);
        let element = match self.next {
            1 => seed.deserialize(line.into_deserializer()),
            2 => seed.deserialize(column.into_deserializer()),
            _ => seed.deserialize(self.reader),
        };
        element.map(Some)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(AT, AtVisitor(std::marker::PhantomData))
    }
}

struct AtVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
    type Value = At<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a template")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<At<T>, A::Error> {
        let missing = || serde::de::Error::custom("no value with a place");
        let line = sequence.next_element()?.ok_or_else(missing)?;
        let column = sequence.next_element()?.ok_or_else(missing)?;
        let value = sequence.next_element()?.ok_or_else(missing)?;
        Ok(At { place: Place { line, column }, value })
    }
}
