//! Tests with other programs: openssl, the TLS libraries of Go and Rust, disk tools, cloud-init, Ignition, Packer,
//! Terraform.

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod age;
mod apply;
mod authority;
mod authority_steps;
#[cfg(target_os = "linux")]
mod clients;
mod context;
mod disk;
#[cfg(target_os = "linux")]
mod dockerd;
#[cfg(target_os = "linux")]
mod ignition;
mod imagebuilder;
mod judge;
mod mime;
mod packer;
mod pki;
mod played_host;
mod provider;
mod renew;
#[cfg(target_os = "linux")]
mod swarm;
mod terraform;
