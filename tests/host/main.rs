//! What reaches the host: the rendered files, and what `setup` and `issue` do with them in a root of their own.

#[path = "../support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod distributions;
mod golden;
#[cfg(target_os = "linux")]
mod issue;
#[cfg(target_os = "linux")]
mod metadata;
mod seeds;
