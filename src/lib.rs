//! hostseed makes a remote Docker host without SSH: the TLS identity, what a new VM boots from, and the client's side of it.
//!
//! The library is for hostseed's own programs and tests. A spec (what the user asked for) becomes a [`plan`] (checked and complete),
//! an identity ([`pki`], the only randomness), artifacts ([`render`]) and a machine in the [`store`] (the only writer).

pub mod artifact;
pub mod cli;
pub mod clouds;
pub mod commands;
pub mod delivery;
pub mod diag;
pub mod disk;
pub mod names;
pub mod options;
pub mod pki;
pub mod plan;
pub mod render;
pub mod secret;
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
