//! Suggestions for a mistyped command, cloud or code.

use clap::error::{ContextKind, ContextValue};

use crate::clouds::Cloud;
use crate::diag::Code;

/// How similar a word must be to be suggested, from 0 to 1.
const SIMILAR: f64 = 0.85;

/// Commands that users expect, each with what to do instead.
const COMMANDS: [(&str, &str); 2] = [
    (
        "revoke",
        "Docker has no list of revoked certificates: `hostseed renew NAME --authority --apply --at-once` replaces the CA, then no certificate of the old one has access",
    ),
    ("share", "`hostseed client NAME --cn CN` makes a client certificate for another person"),
];

/// Improves the suggestions of an error of clap: of several commands it keeps the most similar one, and for a cloud or a code it names a
/// similar one, or the command that lists them.
pub fn with_suggestion(mut error: clap::Error) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let typed_command = text(ContextKind::InvalidSubcommand);
    let is_typed = |name: &str| typed_command.as_deref() == Some(name);
    if let Some((_, tip)) = COMMANDS.iter().find(|(name, _)| is_typed(name)) {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![(*tip).into()]));
    } else if let (Some(typed), Some(ContextValue::Strings(commands))) =
        (typed_command, error.get(ContextKind::SuggestedSubcommand))
        && let Some(best) =
            nearest(&typed, commands.iter().map(|command| (command.as_str(), command.clone())))
    {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![best]));
    } else if let (Some(argument), Some(typed)) =
        (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue))
        && let Some((found, list)) = value(&argument, &typed.to_lowercase())
    {
        let tip = found.map_or_else(|| list.to_owned(), |found| format!("did you mean `{found}`?"));
        error.remove(ContextKind::SuggestedValue);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The value that is most similar to `typed`, and how to list all, for an argument with many values. clap names it with its placeholder.
fn value(argument: &str, typed: &str) -> Option<(Option<&'static str>, &'static str)> {
    let is = |placeholder: &str| argument.trim_end_matches([']', '>']).ends_with(placeholder);
    if is("CLOUD") {
        let names = Cloud::ALL.iter().flat_map(|cloud| {
            [cloud.name].into_iter().chain(cloud.aliases.iter().copied()).map(|name| (name, cloud.name))
        });
        return Some((nearest(typed, names), "`hostseed clouds` lists the clouds"));
    }
    if is("EXAMPLE") {
        return Some((None, "`--out FILE` gives the example another file"));
    }
    let codes = || Code::ALL.iter().map(|code| (code.name(), code.name()));
    is("CODE").then(|| (nearest(typed, codes()), "`hostseed explain` lists the codes"))
}

/// The value of the word that is most similar to `typed`, if one is similar enough.
fn nearest<'a, T>(typed: &str, words: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    let likeness = |(word, of)| (strsim::jaro_winkler(word, typed), of);
    let similar = words.map(likeness).filter(|(likeness, _)| *likeness >= SIMILAR);
    similar.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, of)| of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_and_codes_are_found_by_similar_words() {
        for (typed, name) in
            [("gogle", Some("gce")), ("ec", Some("aws")), ("amazon-ec2", Some("aws")), ("zzz", None)]
        {
            for argument in ["[CLOUD]", "--for <CLOUD>"] {
                assert_eq!(value(argument, typed).unwrap().0, name, "{typed}");
            }
        }
        assert_eq!(value("[CODE]", "invalid-prot").unwrap().0, Some("invalid-port"));
        assert_eq!(value("[CODE]", "nope").unwrap(), (None, "`hostseed explain` lists the codes"));
        assert_eq!(value("--shell <SHELL>", "bsh"), None);
    }
}
