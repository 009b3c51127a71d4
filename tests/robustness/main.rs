//! Attacks on hostseed, each as a test: key files with more in them than they should have, files and folders that another user
//! controls, commands killed at any moment, input made to be slow or to command the terminal.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod caches;
mod constrained_ca;
mod encodings;
mod interruption;
mod metadata;
mod names;
mod ownership;
mod pem;
mod planted;
mod process;
mod repository_key;
mod terminal;
