//! Sets values in JSON and keeps every other byte. A record can have fields of a Docker Machine driver that hostseed does not know.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::value::RawValue;

/// Sets the members `NAME` of the object at `/NAME/…/NAME`. A member that is missing is added.
///
/// # Errors
/// Fails if the text is not JSON, or has no such object.
pub fn set<V: Serialize>(json: &str, values: &[(&[&str], V)]) -> Result<String> {
    let mut json = json.to_owned();
    for (path, value) in values {
        let (name, within) = path.split_last().context("no member is named")?;
        let object = range_of(&json, within)?.with_context(|| format!("it has no `{}`", within.join(".")))?;
        let value = serde_json::to_string(value)?;
        match range_of(&json, path)? {
            Some(range) => json.replace_range(range, &value),
            None => {
                let begin = object.start + json[object.clone()].find('{').context("it is not an object")? + 1;
                let comma = if json[begin..].trim_start().starts_with('}') { "" } else { "," };
                json.insert_str(begin, &format!("{}:{value}{comma}", serde_json::to_string(name)?));
            }
        }
    }
    Ok(json)
}

/// Where the value at a path is. Returns `None` if there is none.
fn range_of(json: &str, path: &[&str]) -> Result<Option<Range<usize>>> {
    let mut range = 0..json.len();
    for name in path {
        let members: HashMap<String, &RawValue> =
            serde_json::from_str(&json[range]).context("it is not a JSON object")?;
        let Some(value) = members.get(*name) else { return Ok(None) };
        range = place(json, value);
    }
    Ok(Some(range))
}

/// The place in `json` of a value that was read from it and borrows from it.
pub fn place(json: &str, value: &RawValue) -> Range<usize> {
    let begin = value.get().as_ptr().addr() - json.as_ptr().addr();
    begin..begin + value.get().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_values_change() {
        let json = "{\n \"A\" : {\"x\": \"1\", \"big\": 12345678901234567890123, \"f\": 1.10},\n \"e\\u0026\": {} }\n";
        let set = |path: &[&str], text: &str| set(json, &[(path, text)]);
        assert_eq!(set(&["A", "x"], "a\"b").unwrap(), json.replace("\"1\"", "\"a\\\"b\""));
        assert_eq!(set(&["A", "y"], "2").unwrap(), json.replace("{\"x\"", "{\"y\":\"2\",\"x\""));
        assert_eq!(set(&["e&", "y"], "2").unwrap(), json.replace("{}", "{\"y\":\"2\"}"));
        assert_eq!(set(&["A", "f"], "2").unwrap(), json.replace("1.10", "\"2\""));
        assert_eq!(super::set(json, &[(&["A", "f"], ["a"])]).unwrap(), json.replace("1.10", "[\"a\"]"));
        assert!(set(&["B", "y"], "2").is_err() && set(&["A", "x", "y"], "2").is_err());
        assert!(super::set("[]", &[(&["a"], "b")]).is_err());
    }
}
