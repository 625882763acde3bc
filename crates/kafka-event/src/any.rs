//! Any JSON value, in any place: what `decode.rs` reads fields into, so that a value of the wrong type is a fault to
//! report and never an error of the parser, which would take the whole event with it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How much of an offending value a reason shows, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// Any JSON value, of which a null, an integer and a string can be read.
pub(crate) enum Scalar<'de> {
    Null,
    Integer(i64),
    Text(Cow<'de, str>),
    /// Something else, in words.
    Other(Cow<'static, str>),
}

/// Any JSON value, of which also an array's elements can be read.
pub(crate) enum Tolerant<'de, T> {
    Scalar(Scalar<'de>),
    Seq(Vec<T>),
}

/// What becomes of an array and of an object; everything else is a [`Scalar`], of which the value is made.
pub(crate) trait Shape<'de>: Sized {
    type Value: From<Scalar<'de>>;

    fn seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an array".into()).into())
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an object".into()).into())
    }
}

/// The one visitor: accepts everything.
pub(crate) struct AnyVisitor<S>(pub(crate) S);

impl<'de, S: Shape<'de>> Visitor<'de> for AnyVisitor<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_unit<E: Error>(self) -> Result<S::Value, E> {
        Ok(Scalar::Null.into())
    }
    fn visit_bool<E: Error>(self, truth: bool) -> Result<S::Value, E> {
        Ok(Scalar::Other(truth.to_string().into()).into())
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<S::Value, E> {
        Ok(Scalar::Integer(number).into())
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<S::Value, E> {
        Ok(i64::try_from(number).map_or_else(|_wide| Scalar::Other(number.to_string().into()), Scalar::Integer).into())
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<S::Value, E> {
        Ok(Scalar::Other(number.to_string().into()).into())
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<S::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)).into())
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<S::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())).into())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<S::Value, A::Error> {
        self.0.map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<S::Value, A::Error> {
        self.0.seq(seq)
    }
}

struct ScalarShape;

impl<'de> Shape<'de> for ScalarShape {
    type Value = Scalar<'de>;
}

struct Elements<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Shape<'de> for Elements<T> {
    type Value = Tolerant<'de, T>;

    fn seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::with_capacity(seq.size_hint().unwrap_or(0));
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Tolerant::Seq(elements))
    }
}

impl<'de, T> From<Scalar<'de>> for Tolerant<'de, T> {
    fn from(scalar: Scalar<'de>) -> Self {
        Self::Scalar(scalar)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Tolerant<'de, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(Elements(PhantomData)))
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(ScalarShape))
    }
}

impl fmt::Display for Scalar<'_> {
    /// As it stands in a reason: short, whatever came.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Other(words) => f.write_str(words),
            Self::Text(text) => {
                let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                write!(f, "{cut:?}{}", if cut.len() < text.len() { "…" } else { "" })
            }
        }
    }
}
