//! Reading an [`Arg`] into a module's struct, the struct's types deciding how each scalar is read.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::{MapDeserializer, StrDeserializer},
};

use super::{Arg, Scalar};

/// An argument that does not fit its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgError {
    /// Where within the arguments: names of arguments and indices of items, outermost first.
    pub path: Vec<String>,
    /// What is wrong, for a person.
    pub message: String,
}

impl fmt::Display for ArgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path.join("."), self.message)
        }
    }
}

impl std::error::Error for ArgError {}

impl de::Error for ArgError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        ArgError { path: Vec::new(), message: message.to_string() }
    }
}

impl ArgError {
    fn within(mut self, step: impl Into<String>) -> Self {
        self.path.insert(0, step.into());
        self
    }
}

/// Reads `arg` as a `T`.
///
/// Booleans take Ansible's words (`yes`, `on`, `1`, `true`, …); a list takes a single value as a list of one, and a string
/// with commas as its parts; a string takes any scalar's text; null is an absent option.
///
/// # Errors
/// The first argument that does not fit, with its path. A template that has not been rendered fits nothing but text.
pub fn from_arg<T: DeserializeOwned>(arg: &Arg) -> Result<T, ArgError> {
    T::deserialize(Reader(arg))
}

struct Reader<'a>(&'a Arg);

impl<'a> Reader<'a> {
    fn scalar(&self, wanted: &str) -> Result<&'a Scalar, ArgError> {
        match self.0 {
            Arg::Scalar(s) => Ok(s),
            Arg::Template(t) => Err(de::Error::custom(format!("expected {wanted}, found the template {t:?}"))),
            Arg::List(_) => Err(de::Error::custom(format!("expected {wanted}, found a list"))),
            Arg::Map(_) => Err(de::Error::custom(format!("expected {wanted}, found a mapping"))),
        }
    }

    fn text(&self, wanted: &str) -> Result<&'a str, ArgError> {
        match self.0 {
            Arg::Template(t) => Ok(t),
            _ => self.scalar(wanted).map(|s| s.text.as_str()),
        }
    }
}

fn bool_of(s: &Scalar) -> Result<bool, ArgError> {
    if let serde_json::Value::Bool(b) = s.value {
        return Ok(b);
    }
    match s.text.trim().to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" | "t" | "y" | "1" | "1.0" => Ok(true),
        "no" | "off" | "false" | "f" | "n" | "0" | "0.0" => Ok(false),
        other => Err(de::Error::custom(format!("expected true or false, found {other:?}"))),
    }
}

/// A value of the inventory or of a template, read as an argument for true or false; an empty text is false.
pub(crate) fn truth(value: &serde_json::Value) -> Option<bool> {
    if value.as_str().is_some_and(|text| text.trim().is_empty()) {
        return Some(false);
    }
    match Arg::from_value(value) {
        Arg::Scalar(scalar) => bool_of(&scalar).ok(),
        _ => None,
    }
}

macro_rules! number {
    ($method:ident, $visit:ident, $type:ty, $as:ident, $words:literal) => {
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
            let s = self.scalar($words)?;
            let number = s.value.$as().map(|n| n as $type).or_else(|| s.text.trim().parse().ok());
            match number {
                Some(n) => visitor.$visit(n),
                None => Err(de::Error::custom(format!("expected {}, found {:?}", $words, s.text))),
            }
        }
    };
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = ArgError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        use serde_json::Value;
        match self.0 {
            Arg::Template(t) => visitor.visit_str(t),
            Arg::List(_) => self.deserialize_seq(visitor),
            Arg::Map(_) => self.deserialize_map(visitor),
            Arg::Scalar(s) => match &s.value {
                Value::Null => visitor.visit_unit(),
                Value::Bool(b) => visitor.visit_bool(*b),
                Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
                    (Some(i), _, _) => visitor.visit_i64(i),
                    (_, Some(u), _) => visitor.visit_u64(u),
                    (_, _, f) => visitor.visit_f64(f.unwrap_or(f64::NAN)),
                },
                _ => visitor.visit_str(&s.text),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        visitor.visit_bool(bool_of(self.scalar("true or false")?)?)
    }

    number!(deserialize_i8, visit_i64, i64, as_i64, "a whole number");
    number!(deserialize_i16, visit_i64, i64, as_i64, "a whole number");
    number!(deserialize_i32, visit_i64, i64, as_i64, "a whole number");
    number!(deserialize_i64, visit_i64, i64, as_i64, "a whole number");
    number!(deserialize_u8, visit_u64, u64, as_u64, "a whole number of at least 0");
    number!(deserialize_u16, visit_u64, u64, as_u64, "a whole number of at least 0");
    number!(deserialize_u32, visit_u64, u64, as_u64, "a whole number of at least 0");
    number!(deserialize_u64, visit_u64, u64, as_u64, "a whole number of at least 0");
    number!(deserialize_f32, visit_f64, f64, as_f64, "a number");
    number!(deserialize_f64, visit_f64, f64, as_f64, "a number");

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        visitor.visit_str(self.text("text")?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        visitor.visit_bytes(self.text("text")?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        match self.0 {
            Arg::Scalar(s) if s.value.is_null() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        let s = self.scalar("nothing")?;
        if s.value.is_null() {
            visitor.visit_unit()
        } else {
            Err(de::Error::custom(format!("expected nothing, found {:?}", s.text)))
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ArgError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ArgError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        match self.0 {
            Arg::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Arg::Scalar(s) if s.value.is_null() => visitor.visit_seq(Items { items: &[], next: 0 }),
            Arg::Scalar(Scalar { text, value: serde_json::Value::String(_) }) if text.contains(',') => {
                let parts: Vec<Arg> = text.split(',').map(|p| Arg::text(p.trim())).collect();
                visitor.visit_seq(Items { items: &parts, next: 0 })
            }
            single => visitor.visit_seq(Items { items: std::slice::from_ref(single), next: 0 }),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ArgError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ArgError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        match self.0 {
            Arg::Map(map) => visitor.visit_map(Entries { entries: map.iter(), value: None }),
            _ => {
                let found = self.text("a mapping")?;
                Err(de::Error::custom(format!("expected a mapping, found {found:?}")))
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgError> {
        if name == "$scalar" {
            let s = self.scalar("a single value")?;
            let parts = [("text", serde_json::Value::String(s.text.clone())), ("value", s.value.clone())];
            let parts = parts.into_iter().map(|(k, v)| (k, Json(v)));
            return visitor.visit_map(MapDeserializer::<_, ArgError>::new(parts));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgError> {
        let text = self.text(&format!("one of {}", variants.join(", ")))?;
        if variants.contains(&text) {
            let variant: StrDeserializer<'_, ArgError> = text.into_deserializer();
            visitor.visit_enum(variant)
        } else {
            Err(de::Error::custom(format!("expected one of {}, found {text:?}", variants.join(", "))))
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        visitor.visit_unit()
    }
}

/// A JSON value as a deserializer with this module's error.
struct Json(serde_json::Value);

impl<'de> IntoDeserializer<'de, ArgError> for Json {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for Json {
    type Error = ArgError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgError> {
        self.0.deserialize_any(visitor).map_err(de::Error::custom)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Items<'a> {
    items: &'a [Arg],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ArgError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ArgError> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|e| e.within((self.next - 1).to_string()))
    }
}

struct Entries<'a> {
    entries: indexmap::map::Iter<'a, String, Arg>,
    value: Option<(&'a str, &'a Arg)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ArgError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ArgError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some((key, value));
        let key: StrDeserializer<'_, ArgError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ArgError> {
        let (key, value) = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(Reader(value)).map_err(|e| e.within(key))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum State {
        Present,
        Absent,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Args {
        name: Vec<String>,
        version: Option<String>,
        #[serde(default)]
        force: bool,
        count: Option<u16>,
        state: Option<State>,
        any: Option<serde_json::Value>,
    }

    fn scalar(text: &str, value: serde_json::Value) -> Arg {
        Arg::Scalar(Scalar { text: text.into(), value })
    }

    fn args(entries: &[(&str, Arg)]) -> Arg {
        Arg::Map(entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
    }

    #[test]
    fn the_type_decides_how_a_scalar_is_read() {
        let read: Args = from_arg(&args(&[
            ("name", Arg::text("curl, wget")),
            ("version", scalar("1.10", json!(1.1))),
            ("force", scalar("yes", json!("yes"))),
            ("count", Arg::text("7")),
            ("state", Arg::text("absent")),
            ("any", scalar("0644", json!(420))),
        ]))
        .unwrap();
        assert_eq!(read.name, ["curl", "wget"]);
        assert_eq!(read.version.as_deref(), Some("1.10"));
        assert!(read.force);
        assert_eq!(read.count, Some(7));
        assert_eq!(read.state, Some(State::Absent));
        assert_eq!(read.any, Some(json!(420)));
    }

    #[test]
    fn an_error_names_the_argument() {
        let wrong = from_arg::<Args>(&args(&[("name", Arg::List(vec![Arg::List(vec![])]))])).unwrap_err();
        assert_eq!(wrong.path, ["name", "0"]);
        let wrong = from_arg::<Args>(&args(&[("name", Arg::text("x")), ("state", Arg::text("presnt"))])).unwrap_err();
        assert_eq!(wrong.to_string(), "state: expected one of present, absent, found \"presnt\"");
    }

    #[test]
    fn a_scalar_can_be_had_with_its_text_and_its_value() {
        #[derive(Debug, Deserialize)]
        struct WithMode {
            mode: Option<crate::arg::Scalar>,
        }
        let read: WithMode = from_arg(&args(&[("mode", scalar("0644", json!(420)))])).unwrap();
        let mode = read.mode.unwrap();
        assert_eq!((mode.text.as_str(), mode.value), ("0644", json!(420)));
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        let wrong = from_arg::<Args>(&args(&[("name", Arg::text("x")), ("count", scalar("70000", json!(70000)))]));
        assert!(wrong.is_err());
    }
}
