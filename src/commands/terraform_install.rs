//! `terraform install`: puts the provider where Terraform and OpenTofu find it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use time::OffsetDateTime;

use crate::artifact::Artifact;
use crate::diag::{Code, Diagnostic};
use crate::shell::Command;
use crate::store;
use crate::ui::Ui;

/// The program, which is built beside this one with the feature `terraform`.
const PROGRAM: &str = "terraform-provider-hostseed";
/// The provider's address in a configuration.
const SOURCE: &str = "hostseed/hostseed";
/// The registries whose providers Terraform and OpenTofu look for if a configuration names none.
const REGISTRIES: [&str; 2] = ["registry.terraform.io", "registry.opentofu.org"];
/// The folder in the home folder in which both look for providers first (Terraform, "Implied Local Mirror Directories").
const IMPLIED: &str = ".terraform.d/plugins";

/// Copies the provider into `dir`, or into the folder in the home folder where Terraform looks first, in the layout of a filesystem mirror
/// (Terraform, "filesystem_mirror", "unpacked layout"). Prints what a configuration needs.
///
/// # Errors
/// Fails if the provider is not beside this program, or a file cannot be written.
pub fn terraform_install(ui: Ui, now: OffsetDateTime, dir: Option<&Path>) -> Result<()> {
    let program =
        std::env::current_exe()?.with_file_name(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    let Ok(bytes) = std::fs::read(&program) else { return Err(missing(&program).into()) };
    let root = match dir {
        Some(dir) => std::path::absolute(dir)?,
        None => implied()?,
    };
    let artifact = Artifact { mode: 0o755, ..Artifact::public(PROGRAM, bytes) };
    for registry in REGISTRIES {
        store::put_program(&root.join(path(registry)), &artifact, now)?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = Vec::new();
    if dir.is_some() {
        lines.push(
            "1. Put this into Terraform's configuration file, ~/.terraformrc, or that of TF_CLI_CONFIG_FILE:"
                .to_owned(),
        );
        let path = serde_json::Value::from(store::as_text(&root)?).to_string();
        lines.extend(
            [
                "provider_installation {",
                "  filesystem_mirror {",
                &format!("    path    = {path}"),
                &format!("    include = [\"*/{SOURCE}\"]"),
                "  }",
                "  direct {",
                &format!("    exclude = [\"*/{SOURCE}\"]"),
                "  }",
                "}",
            ]
            .map(|line| format!("   {line}")),
        );
    }
    lines.push(format!(
        "{}. Put this into your configuration, and run `terraform init`:",
        1 + usize::from(dir.is_some())
    ));
    lines.extend(
        [
            "terraform {",
            "  required_providers {",
            "    hostseed = {",
            &format!("      source  = \"{SOURCE}\""),
            &format!("      version = \"{version}\""),
            "    }",
            "  }",
            "}",
        ]
        .map(|line| format!("   {line}")),
    );
    ui.steps(format_args!("provider {version} is in {}", root.display()), &lines);
    Ok(())
}

fn missing(program: &Path) -> Diagnostic {
    let text =
        format!("`{}` does not exist: this hostseed was built without the provider", program.display());
    Diagnostic::error(Code::NoProvider, text)
        .hint("build it from hostseed's source, which also installs it beside hostseed:")
        .run(Command::of("cargo", ["install", "--path", ".", "--features", "terraform"]))
}

fn implied() -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let missing = || {
        Diagnostic::error(
            Code::NoHome,
            "cannot tell where Terraform looks for providers: there is no home folder",
        )
    };
    let home = home.ok_or_else(|| missing().hint("give the folder: `hostseed terraform install DIR`"));
    Ok(home.context("no provider was installed")?.join(IMPLIED))
}

/// The program's place below the folder.
fn path(registry: &str) -> PathBuf {
    let version = env!("CARGO_PKG_VERSION");
    let file = format!("{PROGRAM}_v{version}{}", std::env::consts::EXE_SUFFIX);
    [registry, SOURCE, version, &platform(), &file].iter().collect()
}

/// The platform as Go names it, which Terraform does too.
fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        architecture => architecture,
    };
    format!("{os}_{architecture}")
}
