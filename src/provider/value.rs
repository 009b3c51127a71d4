//! Values of Terraform's language, in MessagePack and in JSON (Terraform, "Wire Format for Terraform Objects and Associated Values").

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use rmpv::Value as Packed;

use super::protocol::DynamicValue;

/// A value. The attributes of a block, and the fields of an object, are an [`Object`].
#[derive(Clone, PartialEq)]
pub enum Value {
    Null,
    /// Known only after other resources are applied.
    Unknown,
    Bool(bool),
    Number(i64),
    Text(String),
    List(Vec<Value>),
    Object(Object),
}

/// Attributes by their names.
#[derive(Clone, PartialEq, Default)]
pub struct Object(pub BTreeMap<String, Value>);

impl Object {
    /// The value of an attribute; null if there is none.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// The text of an attribute; none if it is null or not known.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether an attribute is known only later, in whole or in part.
    pub fn is_unknown(&self, name: &str) -> bool {
        self.get(name).has_unknown()
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Value {
    /// Returns whether a part of the value is known only later.
    pub fn has_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::List(items) => items.iter().any(Self::has_unknown),
            Self::Object(object) => object.0.values().any(Self::has_unknown),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => false,
        }
    }

    /// Reads a value that Terraform sends. None is null.
    ///
    /// # Errors
    /// Fails if it is neither MessagePack nor JSON, or has a number that is not whole: no attribute of hostseed has one.
    pub fn read(value: Option<&DynamicValue>) -> Result<Self> {
        match value {
            None => Ok(Self::Null),
            Some(value) if value.msgpack.is_empty() => Self::from_json(&value.json),
            Some(value) => Self::unpacked(rmpv::decode::read_value(&mut &value.msgpack[..])?),
        }
    }

    /// Reads a stored state.
    ///
    /// # Errors
    /// Fails as [`read`](Self::read) does.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        Self::of_json(serde_json::from_slice(json)?)
    }

    /// The value for Terraform.
    pub fn write(self) -> DynamicValue {
        let mut msgpack = Vec::new();
        rmpv::encode::write_value(&mut msgpack, &self.packed()).expect("writing to memory does not fail");
        DynamicValue { msgpack, json: Vec::new() }
    }

    /// The attributes of a block; none if it is null.
    ///
    /// # Errors
    /// Fails if the value is of another type.
    pub fn into_object(self) -> Result<Option<Object>> {
        match self {
            Self::Null => Ok(None),
            Self::Object(object) => Ok(Some(object)),
            _ => bail!("a block is no object"),
        }
    }

    fn unpacked(packed: Packed) -> Result<Self> {
        Ok(match packed {
            Packed::Nil => Self::Null,
            // Each extension stands for an unknown value; what it says besides can be ignored.
            Packed::Ext(..) => Self::Unknown,
            Packed::Boolean(value) => Self::Bool(value),
            Packed::Integer(number) => Self::Number(number.as_i64().context("a number is too large")?),
            Packed::F32(number) => Self::whole(number.into())?,
            Packed::F64(number) => Self::whole(number)?,
            Packed::String(text) => Self::Text(text.into_str().context("a text is not UTF-8")?),
            Packed::Array(items) => Self::List(items.into_iter().map(Self::unpacked).collect::<Result<_>>()?),
            Packed::Map(entries) => {
                let entry = |(key, value): (Packed, Packed)| {
                    let key = key.as_str().context("a key is no text")?.to_owned();
                    Ok((key, Self::unpacked(value)?))
                };
                Self::Object(Object(entries.into_iter().map(entry).collect::<Result<_>>()?))
            }
            // Only the type of a value that can have any type, which the caller reads.
            Packed::Binary(bytes) => Self::Text(String::from_utf8(bytes)?),
        })
    }

    fn whole(number: f64) -> Result<Self> {
        // Whole numbers up to 2^53 are exact in a double.
        if number.fract() != 0.0 || number.abs() > 9e15 {
            bail!("a number is not whole: {number}");
        }
        Ok(Self::Number(number as i64))
    }

    fn packed(self) -> Packed {
        match self {
            Self::Null => Packed::Nil,
            Self::Unknown => Packed::Ext(0, vec![0]),
            Self::Bool(value) => Packed::Boolean(value),
            Self::Number(number) => Packed::from(number),
            Self::Text(text) => Packed::from(text),
            Self::List(items) => Packed::Array(items.into_iter().map(Self::packed).collect()),
            Self::Object(object) => {
                let entry = |(key, value): (String, Self)| (Packed::from(key), value.packed());
                Packed::Map(object.0.into_iter().map(entry).collect())
            }
        }
    }

    fn of_json(json: serde_json::Value) -> Result<Self> {
        use serde_json::Value as Json;
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Number(number),
                None => Self::whole(number.as_f64().context("a number cannot be read")?)?,
            },
            Json::String(text) => Self::Text(text),
            Json::Array(items) => Self::List(items.into_iter().map(Self::of_json).collect::<Result<_>>()?),
            Json::Object(entries) => {
                let entry = |(key, value)| Ok((key, Self::of_json(value)?));
                Self::Object(Object(entries.into_iter().map(entry).collect::<Result<_>>()?))
            }
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// None is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(value: Value) -> Value {
        Value::read(Some(&value.write())).unwrap_or(Value::Null)
    }

    #[test]
    fn values_survive_message_pack() {
        let mut object = Object::default();
        object.set("a", "text");
        object.set("b", None::<String>);
        object.0.insert("c".into(), Value::List(vec![Value::Number(-7), Value::Bool(true), Value::Unknown]));
        let value = Value::from(object);
        assert!(value.has_unknown());
        assert!(through(value.clone()) == value);
    }

    #[test]
    fn numbers_and_unknown_values_are_read_in_each_encoding() {
        let read = |bytes: &[u8]| {
            Value::read(Some(&DynamicValue { msgpack: bytes.to_vec(), json: Vec::new() })).ok()
        };
        // 30 as a double, and 0.5; unknown as Terraform 1.3 and as 1.9 write it.
        assert!(read(&[0xcb, 0x40, 0x3e, 0, 0, 0, 0, 0, 0]) == Some(Value::Number(30)));
        assert!(read(&[0xcb, 0x3f, 0xe0, 0, 0, 0, 0, 0, 0]).is_none());
        assert!(read(&[0xd4, 0, 0]) == Some(Value::Unknown));
        assert!(read(&[0xc7, 3, 12, 0x81, 1, 0xc2]) == Some(Value::Unknown));
        let json = DynamicValue { msgpack: Vec::new(), json: br#"{"a": [1, 2.0, null, "x"]}"#.to_vec() };
        let list = vec![Value::Number(1), Value::Number(2), Value::Null, Value::from("x")];
        assert!(
            *Value::read(Some(&json)).unwrap().into_object().unwrap().unwrap().get("a") == Value::List(list)
        );
    }
}
