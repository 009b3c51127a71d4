//! The program `terraform-provider-hostseed`, which Terraform starts.

use std::process::ExitCode;

fn main() -> ExitCode {
    match hostseed::provider::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            hostseed::ui::Ui { quiet: false }.error(&error);
            ExitCode::FAILURE
        }
    }
}
