//! Stand-ins for a host's instance data, which hostseed does not know. A template asks for a name, and the stand-in decides what the
//! name is in this run.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::branches::QUESTION;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

/// Names that a template has without instance data.
const OWN: [&str; 15] = [
    QUESTION,
    "range",
    "dict",
    "namespace",
    "cycler",
    "joiner",
    "lipsum",
    "debug",
    "loop",
    "self",
    "super",
    "caller",
    "varargs",
    "kwargs",
    "_",
];

/// The name of a field that stands for any that a host's instance data can have.
pub const FIELD: &str = "xhostseedanyfield";

/// A name of the instance data, with its path: `v1.region` is another one than `region`.
pub type Name = u64;

/// The name of the instance data itself.
const ROOT: Name = 0;

/// Maximum depth of a name. Without one, comparing or printing a stand-in as a map would not end.
const MAX_DEPTH: usize = 12;

/// The known uses of a name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Use {
    /// A template asked for a name below it.
    pub is_inner: bool,
    /// A template went through its items.
    pub is_listed: bool,
}

/// The value of a name in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// Anything that a template asks of it exists, and is true or false.
    Any(bool),
    Text,
    Number,
    /// A text whose parts are numbers.
    Version,
    Missing,
    List,
    /// The name of a field of a cloud-config, and a whole field.
    FieldName,
    Field,
    /// One of the texts and numbers with which the template compares something.
    Compared(usize),
}

/// The values of a run, and the names that it asks for.
#[derive(Debug)]
pub struct Run {
    pub usual: Choice,
    pub others: HashMap<Name, Choice>,
    pub compared: Arc<Vec<Value>>,
    /// The names that earlier runs asked for.
    pub known: Arc<HashMap<Name, Use>>,
    /// The names that this run asks for, in their order.
    pub asked: Mutex<Vec<(Name, Use)>>,
}

impl Choice {
    /// Returns whether the value can be a field of a cloud-config.
    pub fn is_field(self) -> bool {
        matches!(self, Self::FieldName | Self::Field)
    }
}

impl Run {
    /// The instance data as a template's context.
    pub fn context(self: &Arc<Self>) -> Value {
        Value::from_object(Stand { name: ROOT, depth: 0, run: self.clone() })
    }

    fn note(&self, name: Name, used: Use) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((name, used));
    }

    fn below(self: &Arc<Self>, parent: Name, key: &str, depth: usize) -> Value {
        // Long keys are cut, because a template can ask for one many times.
        const LONGEST: usize = 256;
        let mut hasher = DefaultHasher::new();
        (parent, &key.as_bytes()[..key.len().min(LONGEST)]).hash(&mut hasher);
        let name = hasher.finish().max(1);
        self.note(name, Use::default());
        let any = || match depth > MAX_DEPTH {
            true => Value::from("x"),
            false => Value::from_object(Stand { name, depth, run: self.clone() }),
        };
        let Some(known) = self.known.get(&name) else { return any() };
        let usual = if known.is_inner { Choice::Any(true) } else { self.usual };
        match self.others.get(&name).copied().unwrap_or(usual) {
            Choice::Any(_) => any(),
            Choice::List if known.is_listed => Value::from(vec![self.below(name, "[]", depth + 1)]),
            Choice::Text | Choice::List => Value::from("x"),
            Choice::Number => Value::from(7),
            Choice::Version => Value::from("7.7-7"),
            Choice::FieldName => Value::from(FIELD),
            Choice::Field => Value::from(format!("{FIELD}: x")),
            Choice::Missing => Value::UNDEFINED,
            Choice::Compared(n) => self.compared.get(n).cloned().unwrap_or_else(|| Value::from("x")),
        }
    }

    fn is_true(&self) -> bool {
        self.usual != Choice::Any(false)
    }
}

/// A name that can be anything: it has names below it, and is a text.
#[derive(Debug)]
struct Stand {
    name: Name,
    depth: usize,
    run: Arc<Run>,
}

impl Object for Stand {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(key) => self.get_value_by_str(key),
            None => self.get_value_by_str(&key.to_string()),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if self.name == ROOT && OWN.contains(&key) {
            return None;
        }
        self.run.note(self.name, Use { is_inner: true, is_listed: false });
        Some(self.run.below(self.name, key, self.depth + 1))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.run.note(self.name, Use { is_inner: false, is_listed: true });
        match self.run.usual {
            Choice::Any(false) => Enumerator::Empty,
            Choice::FieldName => Enumerator::Str(&[FIELD]),
            _ => Enumerator::Str(&["x"]),
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.run.is_true()
    }

    /// The methods of Python's strings. Those of maps are the environment's.
    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" | "items" | "keys" | "values" => Err(ErrorKind::UnknownMethod.into()),
            "split" | "rsplit" | "splitlines" => Ok(Value::from(vec!["x"])),
            _ if method.starts_with("is") || method.ends_with("with") => Ok(self.run.is_true().into()),
            _ => Ok(Value::from("x")),
        }
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("x")
    }
}
