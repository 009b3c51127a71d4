//! Tests of the user interface: transcripts of commands, the environment in each shell, Terraform's `external`, clouds,
//! and terminals.

#[path = "../support/mod.rs"]
mod support;

mod check;
mod client_folder;
mod client_only;
#[cfg(unix)]
mod clipboard;
mod clouds;
mod codes;
#[cfg(unix)]
mod completions;
mod docker_machine;
mod environment;
mod external;
mod fleet;
mod import_docker_machine;
mod input_files;
mod machine_json;
mod passwords;
mod readme;
mod rename;
mod terminal;
mod terraform;
mod transcripts;
