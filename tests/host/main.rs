//! Tests of the host: the rendered files, and `setup` and `issue` in a root folder of their own.

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod apply;
#[cfg(target_os = "linux")]
mod distributions;
mod golden;
#[cfg(target_os = "linux")]
mod issue;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod metadata;
mod seeds;
