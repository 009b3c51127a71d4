//! The templates and their engine. The language of each template decides how its values are quoted, so that no template can
//! forget to quote.

use std::borrow::Cow;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

pub mod quote;

/// Each template's name, the language for quoting its values, and its source.
const TEMPLATES: [(&str, Language, &str); 27] = [
    ("host/setup", Language::Shell, include_str!("../../templates/host/usr/local/lib/hostseed/setup.j2")),
    (
        "host/settings",
        Language::Shell,
        include_str!("../../templates/host/usr/local/lib/hostseed/settings.j2"),
    ),
    (
        "host/rejecting-rule",
        Language::Shell,
        include_str!("../../templates/host/usr/local/lib/hostseed/rejecting_rule.j2"),
    ),
    ("host/issue", Language::Shell, include_str!("../../templates/host/usr/local/lib/hostseed/issue.j2")),
    ("host/shared", Language::Shell, include_str!("../../templates/host/usr/local/lib/hostseed/shared.j2")),
    ("host/apply", Language::Shell, include_str!("../../templates/host/etc/docker/hostseed.next/apply.j2")),
    (
        "host/withdraw",
        Language::Shell,
        include_str!("../../templates/host/etc/docker/hostseed.next/withdraw.j2"),
    ),
    (
        "host/hostseed-apply.path",
        Language::Unit,
        include_str!("../../templates/host/etc/systemd/system/hostseed-apply.path.j2"),
    ),
    (
        "host/hostseed-apply.service",
        Language::Unit,
        include_str!("../../templates/host/etc/systemd/system/hostseed-apply.service.j2"),
    ),
    (
        "host/hostseed-issue.service",
        Language::Unit,
        include_str!("../../templates/host/etc/systemd/system/hostseed-issue.service.j2"),
    ),
    (
        "host/hostseed-issue.timer",
        Language::Unit,
        include_str!("../../templates/host/etc/systemd/system/hostseed-issue.timer.j2"),
    ),
    (
        "host/10-machine.conf",
        Language::Unit,
        include_str!("../../templates/host/etc/systemd/system/docker.service.d/10-machine.conf.j2"),
    ),
    ("seed/cloud-config", Language::Yaml, include_str!("../../templates/seed/cloud-config.j2")),
    ("seed/script", Language::Shell, include_str!("../../templates/seed/script.j2")),
    ("client/env", Language::Shell, include_str!("../../templates/client/env.j2")),
    ("store/machine.yaml", Language::Yaml, include_str!("../../templates/store/machine.yaml.j2")),
    ("packer/hostseed.pkr.hcl", Language::Hcl, include_str!("../../templates/packer/hostseed.pkr.hcl.j2")),
    ("packer/variables.pkr.hcl", Language::Hcl, include_str!("../../templates/packer/variables.pkr.hcl.j2")),
    ("packer/sources.pkr.hcl", Language::Hcl, include_str!("../../templates/packer/sources.pkr.hcl.j2")),
    (
        "imagebuilder/component.yaml",
        Language::Yaml,
        include_str!("../../templates/imagebuilder/component.yaml.j2"),
    ),
    (
        "imagebuilder/validate.sh",
        Language::Shell,
        include_str!("../../templates/imagebuilder/validate.sh.j2"),
    ),
    ("imagebuilder/test.sh", Language::Shell, include_str!("../../templates/imagebuilder/test.sh.j2")),
    ("terraform/main.tf", Language::Hcl, include_str!("../../templates/terraform/main.tf.j2")),
    ("terraform/variables.tf", Language::Hcl, include_str!("../../templates/terraform/variables.tf.j2")),
    ("terraform/outputs.tf", Language::Hcl, include_str!("../../templates/terraform/outputs.tf.j2")),
    ("terraform/versions.tf", Language::Hcl, include_str!("../../templates/terraform/versions.tf.j2")),
    // Markdown with HCL in it.
    ("terraform/README.md", Language::Hcl, include_str!("../../templates/terraform/README.md.j2")),
];

#[derive(Clone, Copy)]
enum Language {
    Shell,
    Unit,
    Yaml,
    Hcl,
}

/// The engine for each template, which contains the template and what it includes. A command uses few of them, so each is compiled when
/// it is first used.
static ENGINES: [OnceLock<Environment<'static>>; TEMPLATES.len()] =
    [const { OnceLock::new() }; TEMPLATES.len()];

fn engine(name: &str) -> Result<&'static Environment<'static>> {
    let template = TEMPLATES.iter().position(|(known, ..)| *known == name);
    let template = template.with_context(|| format!("there is no template {name}"))?;
    Ok(ENGINES[template].get_or_init(|| {
        let mut engine = empty_engine();
        add(&mut engine, name);
        engine
    }))
}

/// Adds a template and those that it includes.
fn add(engine: &mut Environment<'static>, name: &str) {
    let (name, language, source) =
        *TEMPLATES.iter().find(|(known, ..)| *known == name).expect("an included template is in the list");
    engine.add_template_owned(name, narrow(language, source)).expect("templates are compiled by the tests");
    for included in source.split("{% include \"").skip(1).filter_map(|rest| rest.split('"').next()) {
        add(engine, included);
    }
}

fn empty_engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()
            .expect("the usual syntax"),
    );
    engine.set_auto_escape_callback(|name| AutoEscape::Custom(name.to_owned().into()));
    engine.set_formatter(format);
    engine.add_filter("environment", |value: String| Value::from_safe_string(quote::environment(&value)));
    engine.add_filter("ascii", |value: String| Value::from_safe_string(quote::yaml_ascii(&value)));
    engine
}

/// Returns a template's text with one space for each level of indentation if it is a script: user-data has limits of a few
/// kilobytes. This is done before rendering, so that no value changes.
fn narrow(language: Language, source: &'static str) -> Cow<'static, str> {
    const LEVEL: &str = "    ";
    if !matches!(language, Language::Shell) {
        return source.into();
    }
    let lines = source.split_inclusive('\n').map(|line| {
        let text = line.trim_start_matches(LEVEL);
        " ".repeat((line.len() - text.len()) / LEVEL.len()) + text
    });
    lines.collect::<String>().into()
}

/// Renders the template with this name.
///
/// # Errors
/// The template uses a value that is missing, or that is neither text nor number.
pub fn render(name: &str, values: Value) -> Result<String> {
    let template = engine(name)?.get_template(name)?;
    template.render(values).with_context(|| format!("cannot render {name}"))
}

/// Writes a value, quoted for its template's language. Values must be texts or numbers; any other type is a mistake in the
/// template.
fn format(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let text = match value.as_str() {
        Some(text) if value.is_safe() => return out.write_str(text).map_err(Error::from),
        Some(text) => text,
        None if value.is_number() => return write!(out, "{value}").map_err(Error::from),
        None => {
            let message = format!("{} is not text", value.kind());
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
    };
    let quoted = match language(state.auto_escape()) {
        Some(Language::Shell) => quote::shell(text),
        Some(Language::Unit) => quote::exec(text),
        Some(Language::Yaml) => quote::yaml(text),
        Some(Language::Hcl) => quote::hcl(text),
        None => return Err(Error::new(ErrorKind::InvalidOperation, "a template of no known language")),
    };
    out.write_str(&quoted).map_err(Error::from)
}

/// Returns the language of a template. The engine passes the template's name as the custom escape.
fn language(escape: &AutoEscape) -> Option<Language> {
    let AutoEscape::Custom(template) = escape else { return None };
    TEMPLATES.iter().find(|(name, ..)| name == template).map(|(_, language, _)| *language)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::process::Command;

    use super::*;

    /// The settings are shell code, and users wrote many of the values.
    #[test]
    fn each_value_in_the_settings_is_quoted() {
        const NAMES: [&str; 17] = [
            "machine",
            "port",
            "docker",
            "docker_version",
            "docker_channel",
            "docker_mirror",
            "docker_key_fingerprint",
            "docker_install_url",
            "docker_install_sha256",
            "proxy",
            "no_proxy",
            "key",
            "key_usage",
            "names",
            "public_address_url",
            "data_root",
            "payloads",
        ];
        let nasty = |name: &str| format!("{name}'; exit 7; '\n$(exit 8)`exit 9`\"${{x}}\\ \n#%n\n end");
        let mut values: BTreeMap<&str, Value> =
            NAMES.iter().map(|name| (*name, nasty(name).into())).collect();
        values.extend(
            ["issues", "daemon_json", "open_firewall", "block_metadata"].map(|flag| (flag, true.into())),
        );
        values.insert("mode", "image".into());
        values.insert("docker_users", vec![nasty("user")].into());
        let settings = render("host/settings", Value::from_pairs(values)).unwrap();
        let prints = "getent() { :; }\nattempt() { :; }\nid() { printf %s \"$2\" >&2; }\njoin_group\n";
        for shell in [&["sh"][..], &["dash"], &["busybox", "sh"], &["bash"]] {
            let run = |script: &str| {
                let mut command = Command::new(shell[0]);
                command.args(&shell[1..]).arg("-c").arg(format!("{settings}\n{script}")).output().ok()
            };
            // A value that needs a value of this run is in a function.
            let direct = NAMES.iter().filter(|name| **name != "docker_install_sha256");
            for name in direct {
                let Some(output) = run(&format!("printf %s \"${name}\"")) else { continue };
                assert_eq!(String::from_utf8_lossy(&output.stdout), nasty(name), "{shell:?}");
            }
            let Some(output) = run(prints) else { continue };
            assert_eq!(String::from_utf8_lossy(&output.stderr), nasty("user"), "{shell:?}");
        }
    }

    #[test]
    fn every_template_compiles() {
        for (name, ..) in TEMPLATES {
            engine(name).unwrap().get_template(name).unwrap();
        }
    }
}
