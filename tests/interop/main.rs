//! Other people's programs as judges: openssl, Go's and Rust's TLS, disk tools, cloud-init, Ignition, Packer, Terraform.

#[path = "../support/mod.rs"]
mod support;

mod authority;
mod disk;
#[cfg(target_os = "linux")]
mod ignition;
mod imagebuilder;
mod mime;
mod packer;
mod pki;
mod terraform;
