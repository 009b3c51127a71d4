//! hostseed creates remote Docker hosts without SSH: the TLS certificates, the user-data of a new VM, and the
//! configuration of the docker CLI.
//!
//! This library is for hostseed's own programs and tests. A spec (the user's request) is validated into a [`plan`]. From
//! the plan, [`pki`] makes certificates and new private keys, [`render`] makes artifacts, and the [`store`] (the only
//! module that writes to the store's folder) saves the machine.

pub mod artifact;
pub mod cli;
pub mod clipboard;
pub mod clock;
pub mod clouds;
pub mod commands;
pub mod delivery;
pub mod diag;
pub mod digest;
pub mod disk;
pub mod docker;
pub mod dockerd;
pub mod export;
pub mod fleet;
pub mod names;
pub mod options;
pub mod pki;
pub mod plan;
#[cfg(feature = "terraform")]
pub mod provider;
pub mod render;
pub mod secret;
pub mod shell;
pub mod spec;
pub mod store;
pub mod templates;
pub mod ui;
pub mod userdata;
pub mod verify;
pub mod yaml;

#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;

#[cfg(test)]
#[expect(dead_code, reason = "the tests beside the code use a part of it")]
#[path = "../tests/support/extent.rs"]
mod extent;

#[cfg(test)]
#[expect(dead_code, reason = "the tests beside the code use a part of it")]
#[path = "../tests/support/skip.rs"]
mod skip;

#[cfg(test)]
#[expect(dead_code, reason = "the tests beside the code read snapshots and write none")]
#[path = "../tests/support/snapshot.rs"]
mod snapshot;
