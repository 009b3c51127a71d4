//! What a user sees and types: transcripts of the commands, the environment in each shell, Terraform's `external`, clouds, a terminal.

#[path = "../support/mod.rs"]
mod support;

mod clouds;
mod codes;
#[cfg(unix)]
mod completions;
mod environment;
mod external;
mod readme;
mod terminal;
mod transcripts;
