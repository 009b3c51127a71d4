//! The program `terraform-provider-hostseed`, which Terraform starts.

use std::process::ExitCode;

use hostseed::ui::Ui;
use hostseed::{provider, secret};

fn main() -> ExitCode {
    match secret::forbid_core_dumps().and_then(|()| provider::serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Ui { quiet: false }.error(&error);
            ExitCode::FAILURE
        }
    }
}
