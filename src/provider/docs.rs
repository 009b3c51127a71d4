//! The provider's documentation in the form of Terraform's registry ("Provider documentation"): a page for each resource, data source and
//! function, made from its schema and an example.

use std::fmt::Write;

use super::calls::{DESCRIPTION, RESOURCES};
use super::functions::{self, Definition};
use super::schema::{Attribute, Role, Schema, Type};
use super::{client, machine, stored};

/// All pages, each with its path below the folder `docs`.
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("index.md".to_owned(), index())];
    for resource in RESOURCES {
        let name = resource.type_name();
        let mut page = of_schema(name, "Resource", resource.schema(), example("resources", name));
        if let Some(import) = import(name) {
            write!(page, "\n## Import\n\n{import}").expect("writing to a string does not fail");
        }
        pages.push((path("resources", name), page));
    }
    let name = machine::TYPE_NAME;
    let page = of_schema(name, "Data Source", &stored::schema(), example("data-sources", name));
    pages.push((path("data-sources", name), page));
    let (kind, name) = ("ephemeral-resources", client::TYPE_NAME);
    pages.push((
        path(kind, name),
        of_schema(name, "Ephemeral Resource", &client::ephemeral_schema(), example(kind, name)),
    ));
    pages.extend(functions::ALL.iter().map(|one| (path("functions", one.name), of_function(one))));
    pages
}

/// The page of a resource or function below the folder of its kind. The provider's name in front is left out.
fn path(kind: &str, name: &str) -> String {
    format!("{kind}/{}.md", name.trim_start_matches("hostseed_"))
}

/// An example, which is a file in `templates/terraform-provider/`.
fn example(kind: &str, name: &str) -> &'static str {
    match (kind, name) {
        ("resources", "hostseed_machine") => {
            include_str!("../../templates/terraform-provider/resources/machine.tf")
        }
        ("resources", "hostseed_ca") => include_str!("../../templates/terraform-provider/resources/ca.tf"),
        ("resources", "hostseed_client") => {
            include_str!("../../templates/terraform-provider/resources/client.tf")
        }
        ("data-sources", _) => include_str!("../../templates/terraform-provider/data-sources/machine.tf"),
        ("ephemeral-resources", _) => {
            include_str!("../../templates/terraform-provider/ephemeral-resources/client.tf")
        }
        ("functions", "verify") => include_str!("../../templates/terraform-provider/functions/verify.tf"),
        ("functions", "env") => include_str!("../../templates/terraform-provider/functions/env.tf"),
        _ => include_str!("../../templates/terraform-provider/provider.tf"),
    }
}

/// The way to import a resource; none if it cannot be imported.
fn import(name: &str) -> Option<&'static str> {
    match name {
        "hostseed_machine" => Some(
            "A machine that `hostseed create` made, by its store and its name, or by the name alone in the default store. Its keys become part of the state.\n\n```shell\nterraform import hostseed_machine.web1 ~/.docker/machine/web1\n```\n",
        ),
        "hostseed_ca" => Some(
            "A folder with `ca.pem` and `ca-key.pem`, such as that of a store's shared CA.\n\n```shell\nterraform import hostseed_ca.team ~/.docker/machine/certs\n```\n",
        ),
        _ => None,
    }
}

fn head(title: &str, description: &str) -> String {
    format!("---\npage_title: \"{title}\"\nsubcategory: \"\"\ndescription: |-\n  {description}\n---\n\n")
}

fn index() -> String {
    format!(
        "{}# hostseed Provider\n\n{DESCRIPTION}\n\n## Example Usage\n\n```terraform\n{}```\n\nThe provider has no configuration.\n",
        head("Provider: hostseed", DESCRIPTION),
        example("", ""),
    )
}

fn of_schema(name: &str, kind: &str, schema: &Schema, example: &str) -> String {
    let mut page = head(&format!("{name} {kind} - hostseed"), schema.description);
    write!(
        page,
        "# {name} ({kind})\n\n{}\n\n## Example Usage\n\n```terraform\n{example}```\n\n## Schema\n",
        schema.description
    )
    .expect("writing to a string does not fail");
    for (title, role) in
        [("Required", Role::Required), ("Optional", Role::Optional), ("Read-Only", Role::Computed)]
    {
        let lines: String = schema.attributes.iter().filter(|one| one.role == role).map(line).collect();
        if !lines.is_empty() {
            write!(page, "\n### {title}\n\n{lines}").expect("writing to a string does not fail");
        }
    }
    page
}

fn line(attribute: &Attribute) -> String {
    let sensitive = if attribute.is_sensitive { ", sensitive" } else { "" };
    format!("- `{}` ({}{sensitive}) {}\n", attribute.name, type_name(&attribute.kind), attribute.description)
}

fn of_function(function: &Definition) -> String {
    let name = function.name;
    let parameters: Vec<_> =
        function.parameters.iter().map(|one| format!("{} {}", one.name, type_name(&one.kind))).collect();
    let arguments: String = function
        .parameters
        .iter()
        .enumerate()
        .map(|(n, one)| {
            let nullable = if one.may_be_null { ", nullable" } else { "" };
            format!("{}. `{}` ({}{nullable}) {}\n", n + 1, one.name, type_name(&one.kind), one.description)
        })
        .collect();
    format!(
        "{}# function: {name}\n\n{}\n\n## Example Usage\n\n```terraform\n{}```\n\n## Signature\n\n```text\n{name}({}) {}\n```\n\n## Arguments\n\n{arguments}",
        head(&format!("{name} function - hostseed"), function.summary),
        function.description,
        example("functions", name),
        parameters.join(", "),
        type_name(&function.returns),
    )
}

/// A type in Terraform's language.
fn type_name(kind: &Type) -> String {
    let object = |names: &[&str]| {
        let attributes: Vec<_> = names.iter().map(|name| format!("{name} = string")).collect();
        format!("object({{ {} }})", attributes.join(", "))
    };
    match kind {
        Type::Text => "string".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Texts => "list(string)".to_owned(),
        Type::TextMap => "map(string)".to_owned(),
        Type::Object(names) => object(names),
        Type::Objects(names) => format!("list({})", object(names)),
        Type::Any => "any".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::snapshot::Snapshots;

    #[test]
    fn the_pages_are_those_of_the_golden_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/terraform-provider/docs");
        let mut snapshots = Snapshots::default();
        for (path, page) in pages() {
            snapshots.check(&root.join(path), page.as_bytes());
        }
        snapshots.finish("lib --features terraform");
    }
}
