//! Compares `terraform apply` of 200 machines of the provider with the same number of resources that do nothing, which is what Terraform itself
//! takes, and with as many runs of `hostseed external`, which is what the data source `external` runs. `cargo bench --bench terraform`, with
//! `HOSTSEED_PROVIDER` for the provider.

#[expect(dead_code, reason = "shared by all benchmarks")]
mod table;

use std::fs;
use std::path::Path;
use std::process::Command;

use table::Row;

/// A Terraform of the tests.
const TERRAFORM: &str = "terraform-1.15";
/// The number of machines.
const MACHINES: usize = 200;

fn main() {
    let provider = std::env::var_os("HOSTSEED_PROVIDER").filter(|provider| Path::new(provider).is_file());
    let Some(provider) = provider else {
        println!("HOSTSEED_PROVIDER names no provider: no table");
        return;
    };
    if !table::is_here(TERRAFORM) {
        println!("{TERRAFORM} is not installed: no table");
        return;
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::tempdir_in(place).unwrap();
    let overrides = dir.path().join("provider");
    fs::create_dir(&overrides).unwrap();
    fs::copy(provider, overrides.join("terraform-provider-hostseed")).unwrap();
    let rc = dir.path().join("rc");
    let text = format!(
        "provider_installation {{\n  dev_overrides {{\n    \"hostseed/hostseed\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
        overrides.display()
    );
    fs::write(&rc, text).unwrap();
    let apply = |name: &str, resource: &str| {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        let required = "terraform {\n  required_providers {\n    hostseed = {\n      source = \"hostseed/hostseed\"\n    }\n  }\n}\n";
        fs::write(folder.join("main.tf"), format!("{required}{resource}")).unwrap();
        folder
    };
    let count = format!("count = {MACHINES}");
    let machines = apply(
        "machines",
        &format!(
            "resource \"hostseed_machine\" \"m\" {{\n  {count}\n  name = \"m${{count.index}}\"\n  addresses = [\"10.0.0.1\"]\n}}\n"
        ),
    );
    let nothing = apply(
        "nothing",
        &format!("resource \"terraform_data\" \"m\" {{\n  {count}\n  input = count.index\n}}\n"),
    );
    // Each run begins with an empty state, in its own folder.
    let terraform = |folder: &Path| {
        let mut command = Command::new("sh");
        let script = format!("cp '{}/main.tf' . && exec {TERRAFORM} apply -auto-approve", folder.display());
        command.args(["-euc", &script]).env("TF_CLI_CONFIG_FILE", &rc).env("CHECKPOINT_DISABLE", "1");
        command
    };
    let external = || {
        let mut command = Command::new("sh");
        let script = "n=0; while [ $n -lt $1 ]; do echo \"{\\\"name\\\": \\\"m$n\\\", \\\"addresses\\\": \\\"10.0.0.1\\\"}\" | \"$2\" --store store external; n=$((n + 1)); done";
        command.args(["-euc", script, "sh", &MACHINES.to_string(), env!("CARGO_BIN_EXE_hostseed")]);
        command
    };
    table::compare(
        &format!("{MACHINES} machines"),
        place,
        vec![
            Row::new("terraform apply, hostseed_machine", || terraform(&machines)),
            Row::new("terraform apply, terraform_data (nothing)", || terraform(&nothing)),
            Row::new("hostseed external, one after the other", external),
        ],
    );
}
