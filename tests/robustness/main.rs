//! Attacks on hostseed, each as a test: PEM files with unexpected contents, files and folders that another user controls,
//! commands killed at any moment, and input that is slow to process or tries to control the terminal.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod caches;
mod clients;
mod constrained_ca;
mod context;
mod encodings;
mod exports;
mod fleet;
mod interruption;
mod memory;
mod metadata;
mod names;
mod own_files;
mod ownership;
mod passphrase;
mod pem;
mod planted;
mod process;
mod repository_key;
mod standard_output;
mod terminal;
